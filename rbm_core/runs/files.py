"""The files of a run: how they are written, read and locked, and the sentences for failures.

A file is either replaced whole or appended to, a line at a time. Replaced: the content goes to another file, is
flushed to the disk, and takes the old name by a rename, so that a reader sees the file as it was before the write or
as it is after, at whatever moment the writer is killed. Appended: a last line without its newline is no error for
readers, and the next append removes it.
"""

import errno
import json
import math
import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from filelock import FileLock, Timeout
from pydantic import TypeAdapter
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from rbm_core.config import RunConfig
from rbm_core.runs import inside, json_input, layout
from rbm_core.runs.json_input import DamagedError

if sys.platform != "win32":
    import fcntl

SCHEMA = 1
MOST_TENSOR_BYTES = 4 << 30  # of a file of tensors: 65,536 hidden units on 16,384 pixels
RUN_LOCK = "run.lock"
LOG_FILE = "trainer.log"  # what the trainer's process prints, and the tracebacks behind its sentences
_NAMES = {*RunConfig.model_fields, "vbias", "hbias"}  # which begin sentences as they are written

T = TypeVar("T")


class RunError(ValueError):
    """What is wrong with a run, a name or a command, in one sentence with the way out."""


class SnapshotError(RunError):
    """Why a snapshot cannot be shown, in one sentence."""


# --- sentences ---


def of_run(path: Path) -> str:
    """How a file of a run is named in a sentence: `status.json of run 'demo'`."""
    return f"{path.name} of run {inside.run_of(path).name!r}"


def explain(error: OSError, path: Path) -> str:
    """One sentence for a failed write: the disk is full, permission is missing, the folder is gone, a link."""
    if isinstance(error, inside.LinkError):
        return unreadable(error, path)
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None), errno.EFBIG):
        return f"the disk is full: {of_run(path)} could not be written; free some space, then resume the run"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"no permission to write in {path.parent}; make that folder writable, "
            "or name another one in RBM_RUNS_DIR"
        )
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"the folder {path.parent} is gone, so {path.name} could not be written"
    return f"{of_run(path)} could not be written: {error.strerror or error}"


def unreadable(error: OSError, path: Path) -> str:
    """One sentence for a failed read of a file of a run."""
    if isinstance(error, inside.LinkError):
        return f"{of_run(path)} {error.strerror}; put a copy in the link's place"
    if error.errno == errno.EFBIG:
        return f"{of_run(path)} is damaged: {error.strerror}"
    return f"{of_run(path)} cannot be read: {error.strerror or error}"


def one_line(error: BaseException) -> str:
    """An exception's text on one line; its type where it has no text."""
    return " ".join(str(error).split()) or type(error).__name__


def sentence(error: object) -> str:
    """The message as a sentence, with a full stop; with a capital unless it begins with a name: of a file, a setting,
    an option, a formula.
    """
    text = " ".join(str(error).split()) or type(error).__name__
    first = text.split()[0].rstrip(",:;")
    if first.isascii() and first.isalpha() and first.islower() and first not in _NAMES:
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?", "…")) else text + "."


def rounded(number: float) -> str:
    """`0.25`, `7.2`, `12.5`, `2,346`: three digits that count, and never an exponent."""
    return f"{number:.3g}" if number < 100 else f"{number:,.0f}"


# --- whole files ---


def write_bytes(path: Path, data: bytes, *, durable: bool = True, store: Path | None = None) -> None:
    """Replaces the file's content in one step: aside, flush, rename. Raises RunError in one sentence if it cannot.

    durable: also force content and name to the disk, so that they survive a power failure. The other file's name is
    new each time, so that two writers do not meet; what a killed writer left is removed by `Recorder.clean`.
    """
    try:
        with inside.parent_of(path, store) as (name, at):
            inside.refuse_link(path)
            aside = _beside(name)
            try:
                with os.fdopen(inside.open_new(aside, at), "wb") as file:
                    file.write(data)
                    file.flush()
                    if durable:
                        os.fsync(file.fileno())
                os.replace(aside, name, src_dir_fd=at, dst_dir_fd=at)
            except BaseException:
                with suppress(OSError):
                    os.unlink(aside, dir_fd=at)  # on a full disk its space is needed
                raise
            if durable and at is not None:
                with suppress(OSError):
                    os.fsync(at)  # the rename; folders cannot be synced everywhere
    except OSError as error:
        raise RunError(explain(error, path)) from error


def remove(path: Path) -> None:
    """Removes the file if it is there. Raises RunError in one sentence if it cannot."""
    try:
        inside.remove(path)
    except OSError as error:
        raise RunError(explain(error, path)) from error


def _beside(name: str) -> str:
    folder, file = os.path.split(name)
    return os.path.join(folder, f".{file}.{secrets.token_hex(4)}.tmp")


def to_json(value: Any) -> Any:
    """The value with NumPy scalars and arrays made plain and NaN and infinities made null."""
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return to_json(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value


def write_json(
    path: Path, value: Any, *, durable: bool = True, indent: int | None = 1, store: Path | None = None
) -> None:
    """write_bytes of the value as JSON; NaN and infinities become null. indent None: all on one line."""
    text = json.dumps(to_json(value), indent=indent, allow_nan=False)
    write_bytes(path, (text + "\n").encode(), durable=durable, store=store)


def read_object(path: Path, store: Path | None = None) -> dict[str, Any]:
    """The JSON object in a file, as `json_input.parse` admits it.

    Raises FileNotFoundError if there is none, RunError in one sentence if it is damaged, too long or unreadable.
    store: the folder that no link may leave, the run's own unless named.
    """
    try:
        value = json_input.parse(inside.read(path, layout.MOST_BYTES[path.name], store))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RunError(unreadable(error, path)) from error
    except DamagedError as error:
        raise RunError(f"{of_run(path)} is damaged: {error}") from error
    if not isinstance(value, dict):
        raise RunError(f"{of_run(path)} is damaged: it should hold a JSON object, not {type(value).__name__}")
    return value


def read_typed(path: Path, shape: TypeAdapter[T]) -> T:
    """`read_object` in the shape that layout.py declares; RunError also where an entry is not of its type."""
    try:
        return json_input.typed(shape, read_object(path))
    except DamagedError as error:
        raise RunError(f"{of_run(path)} is damaged: {error}") from error


# --- lines ---


def append_line(path: Path, row: Mapping[str, Any], *, durable: bool = False) -> None:
    """Appends one JSON line, after removing a line that a killed writer left without its end.

    A line that cannot be written whole (full disk) is removed again: what was recorded before stays readable.
    """
    line = (json.dumps(to_json(row), allow_nan=False) + "\n").encode()
    try:
        with os.fdopen(inside.open_to_append(path), "r+b", buffering=0) as file:
            end = _drop_torn_line(file)
            try:
                written = file.write(line)
                if written != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                if durable:
                    os.fsync(file.fileno())
            except OSError:
                file.truncate(end)
                raise
    except OSError as error:
        raise RunError(explain(error, path)) from error


def _drop_torn_line(file: Any) -> int:
    """Truncates after the last newline; returns the file's length then."""
    end = file.seek(0, os.SEEK_END)
    position, keep = end, 0
    while position > 0:
        start = max(0, position - 4096)
        file.seek(start)
        newline = file.read(position - start).rfind(b"\n")
        if newline >= 0:
            keep = start + newline + 1
            break
        position = start
    if keep != end:
        file.truncate(keep)
    return keep


def last_line(path: Path) -> str | None:
    """The last line of a log that says anything, at most 300 characters of it; None where there is none."""
    try:
        with os.fdopen(inside.open_to_read(path), "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 65_536))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return None
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), None)


# --- tensors ---


def tensor_bytes(arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> bytes:
    """A safetensors file of the arrays, with `meta` as JSON in its metadata."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return save_tensors(contiguous, metadata={"meta": json.dumps(to_json(meta), allow_nan=False)})


def split_meta(data: bytes, parse: Callable[[bytes], Any] = json_input.parse) -> dict[str, Any]:
    """The `meta` object of a safetensors file; ValueError if the header is damaged or holds none."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > len(data) - 8:
        raise ValueError("the file is cut short")
    header = json_input.parse(data[8 : 8 + length])
    described = header.get("__metadata__") if isinstance(header, dict) else None
    text = described.get("meta", "{}") if isinstance(described, dict) else "{}"
    meta = parse(text.encode()) if isinstance(text, str) else None
    if not isinstance(meta, dict):
        raise ValueError("its header holds no description")
    return meta


def tensors_from(data: bytes) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and `meta` of a safetensors file's content; ValueError if it is damaged or a number is not finite."""
    try:
        arrays, meta = load_tensors(data), split_meta(data)
    except (
        Exception
    ) as error:  # safetensors raises its own class, KeyError or ValueError, as the damage has it
        raise ValueError(one_line(error)) from error
    for name, array in arrays.items():
        if array.dtype.kind not in "iufb":
            raise ValueError(f"{name} holds {array.dtype}, which are no real numbers")
        if array.dtype.kind == "f" and not _all_finite(array):
            raise ValueError(f"{name} holds values that are not finite")
    return arrays, meta


def halved(x: np.ndarray) -> np.ndarray:
    """x in half precision, or in float32 where a value is beyond ±65,504 and would become infinite."""
    return x.astype(np.float32 if np.any(np.abs(x) > np.finfo(np.float16).max) else np.float16)


def _all_finite(array: np.ndarray) -> bool:
    """Half precision by its bits: np.isfinite widens each number first, ten times the work, and a live page reads the
    weights twice a second.
    """
    if array.dtype != np.float16:
        return bool(np.isfinite(array).all())
    return not array.size or int((array.view(np.uint16) & 0x7FFF).max()) < 0x7C00


def read_bytes(path: Path) -> bytes:
    """A file of tensors, from one read; FileNotFoundError if there is none, SnapshotError if it is unreadable."""
    try:
        return inside.read(path, MOST_TENSOR_BYTES)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SnapshotError(unreadable(error, path)) from error
    except MemoryError as error:
        raise SnapshotError(f"{of_run(path)} is larger than the memory of this machine") from error


def read_tensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and `meta` of a safetensors file, both of one moment.

    Raises FileNotFoundError if there is none; raises SnapshotError in one sentence if it is damaged.
    """
    data = read_bytes(path)
    try:
        return tensors_from(data)
    except ValueError as error:
        raise SnapshotError(f"{of_run(path)} is damaged: {error}") from error


# --- locks ---

_KEPT_BY_ANOTHER = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES)


def lock_is_held(run: Path) -> bool:
    """Whether a living process holds the run's lock. Needs only permission to read; creates nothing.

    Raises RunError where this process has no descriptor left to look with: a living trainer must not look dead.
    """
    path = run / RUN_LOCK
    if sys.platform == "win32":
        if not path.exists():
            return False
        try:
            with FileLock(path).acquire(timeout=0):
                return False
        except Timeout:
            return True
    try:
        handle = inside.open_to_read(path)
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
            raise RunError(unreadable(error, path)) from error
        return False
    try:
        # Shared, so that two readers at the same time do not take each other for a trainer.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except OSError as error:
        return error.errno in _KEPT_BY_ANOTHER
    finally:
        os.close(handle)


class Lock:
    """A lock that this process holds until it is released, or until the process ends in any way."""

    def __init__(self, let_go: Callable[[], None], file: os.stat_result | None = None) -> None:
        self._let_go: Callable[[], None] | None = let_go
        self._file = file

    @classmethod
    def on(cls, handle: int) -> "Lock":
        """The lock of an open file or folder."""
        return cls(partial(os.close, handle), os.fstat(handle))

    @classmethod
    def inherited(cls, handle: int) -> "Lock":
        """The run's lock as a child process got it from `lock_for_child`."""
        os.set_inheritable(handle, False)
        return cls.on(handle)

    def stands_at(self, path: Path) -> bool:
        """Whether the lock file there is the one that is locked. Its folder may be gone: that is no news of the lock.

        Windows removes no file that is open.
        """
        try:
            return self._file is None or os.path.samestat(self._file, os.lstat(path))
        except OSError:
            return not path.parent.exists()

    def release(self) -> None:
        """Lets the lock go; a second time it does nothing."""
        let_go, self._let_go = self._let_go, None
        if let_go is not None:
            let_go()


def hold_lock(run: Path, timeout: float = 2.0) -> Lock | None:
    """The run's lock, held until released or until the process ends in any way; None if another holds it.

    timeout: seconds to wait. It is not zero because `lock_is_held`, called by readers, holds the lock for some
    microseconds.
    """
    return locked(run / RUN_LOCK, timeout, poll_interval=0.02)


def locked(path: Path, timeout: float, poll_interval: float) -> Lock | None:
    """A lock on the lock file, held until released; None if another process keeps it. RunError if it cannot be made.

    The folder is never made anew: a run may be renamed or removed while a command waits for its lock.
    """
    if sys.platform == "win32":
        lock = FileLock(path)
        try:
            with inside.parent_of(path):
                inside.refuse_shared(path)
            lock.acquire(timeout=timeout, poll_interval=poll_interval)
        except Timeout:
            return None
        except OSError as error:
            raise RunError(explain(error, path)) from error
        return Lock(lock.release)
    handle = _flocked(path, timeout, poll_interval)
    return None if handle is None else Lock.on(handle)


def _flocked(path: Path, timeout: float, poll_interval: float) -> int | None:
    """A descriptor that holds the lock on the file; None if another process keeps it."""
    try:
        handle = inside.open_to_append(path)
    except OSError as error:
        raise RunError(explain(error, path)) from error
    try:
        if takes_lock(handle, timeout, poll_interval):
            return handle
    except OSError as error:
        os.close(handle)
        raise RunError(explain(error, path)) from error
    os.close(handle)
    return None


def takes_lock(handle: int, timeout: float, poll_interval: float) -> bool:
    """Whether this process gets the lock of an open file or folder within `timeout` seconds; closing it lets it go.

    Not on Windows. Raises OSError where the file system knows no locks.
    """
    end = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError as error:
            if error.errno not in _KEPT_BY_ANOTHER:
                raise
            if time.monotonic() >= end:
                return False
        time.sleep(poll_interval)


def hold_folder(folder: Path) -> Lock | None:
    """The folder's own lock, for which no file is made in it; None if another holds it. The folder may be renamed.

    Raises FileNotFoundError if it is gone, another OSError where folders have no locks.
    """
    if sys.platform == "win32":
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    held = False
    try:
        # Who removed it meanwhile held its lock until then.
        held = takes_lock(handle, 0.0, 0.0) and os.path.samestat(os.fstat(handle), os.stat(folder))
    finally:
        if not held:
            os.close(handle)
    return Lock.on(handle) if held else None


def lock_for_child(run: Path) -> int | None:
    """A descriptor that holds the run's lock and that a child process inherits: the lock is held until both closed it.

    None where locks are not inherited (Windows): the child then takes it itself. Raises RunError if another process
    holds it.
    """
    if sys.platform == "win32":
        return None
    # A reader that asks who lives holds it for some microseconds.
    handle = _flocked(run / RUN_LOCK, 0.2, poll_interval=0.002)
    if handle is None:
        raise RunError(f"run {run.name!r} is already being trained")
    return handle
