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
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from filelock import FileLock, Timeout
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

if sys.platform != "win32":
    import fcntl

SCHEMA = 1
RUN_LOCK = "run.lock"
LOG_FILE = "trainer.log"  # what the trainer's process prints, and the tracebacks behind its sentences
# Two writes within one tick of the file system's clock (4 ms on Linux) can leave the same time stamp, so
# what was read this soon after a change is read again.
_SETTLED_NS = 50_000_000

T = TypeVar("T")


class RunError(ValueError):
    """What is wrong with a run, a name or a command, in one sentence with the way out."""


class SnapshotError(RunError):
    """Why a snapshot cannot be shown, in one sentence."""


# --- sentences ---


def of_run(path: Path) -> str:
    """How a file of a run is named in a sentence: `status.json of run 'demo'`."""
    folder = path.parent.parent if path.parent.name == "snapshots" else path.parent
    return f"{path.name} of run {folder.name!r}"


def explain(error: OSError, path: Path) -> str:
    """One sentence for a failed write: the disk is full, permission is missing, the folder is gone."""
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


def one_line(error: BaseException) -> str:
    """An exception's text on one line; its type where it has no text."""
    return " ".join(str(error).split()) or type(error).__name__


# --- whole files ---


def write_bytes(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replaces the file's content in one step: aside, flush, rename. Raises RunError in one sentence if it cannot.

    durable: also force content and name to the disk, so that they survive a power failure. Locks ensure that one
    process at a time writes a given file, so the temporary file has a fixed name, and what a killed writer left is
    overwritten by the next write.
    """
    aside = path.with_name(f".{path.name}.tmp")
    try:
        try:
            with open(aside, "wb") as file:
                file.write(data)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            os.replace(aside, path)
        except OSError:
            aside.unlink(missing_ok=True)  # on a full disk its space is needed
            raise
        if durable:
            _sync_folder(path.parent)
    except OSError as error:
        raise RunError(explain(error, path)) from error


def _sync_folder(folder: Path) -> None:
    """Forces a rename to the disk; does nothing where folders cannot be synced (Windows)."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


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


def write_json(path: Path, value: Any, *, durable: bool = True, indent: int | None = 1) -> None:
    """write_bytes of the value as JSON; NaN and infinities become null. indent None: all on one line."""
    text = json.dumps(to_json(value), indent=indent, allow_nan=False)
    write_bytes(path, (text + "\n").encode(), durable=durable)


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file; FileNotFoundError if there is none, RunError if it is damaged or
    unreadable.
    """
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RunError(f"{of_run(path)} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise RunError(f"{of_run(path)} is damaged: {one_line(error)}") from error
    if not isinstance(value, dict):
        raise RunError(f"{of_run(path)} is damaged: it should hold a JSON object, not {type(value).__name__}")
    return value


# --- lines ---


def append_line(path: Path, row: Mapping[str, Any], *, durable: bool = False) -> None:
    """Appends one JSON line, after removing a line that a killed writer left without its end.

    A line that cannot be written whole (full disk) is removed again: what was recorded before stays readable.
    """
    line = (json.dumps(to_json(row), allow_nan=False) + "\n").encode()
    try:
        with open(path, "a+b", buffering=0) as file:
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


# --- tensors ---


def tensor_bytes(arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> bytes:
    """A safetensors file of the arrays, with `meta` as JSON in its metadata."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return save_tensors(contiguous, metadata={"meta": json.dumps(to_json(meta), allow_nan=False)})


def split_meta(data: bytes) -> dict[str, Any]:
    """The `meta` object of a safetensors file; ValueError if the header is damaged or holds none."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > len(data) - 8:
        raise ValueError("the file is cut short")
    header = json.loads(data[8 : 8 + length])
    text = header.get("__metadata__", {}).get("meta", "{}") if isinstance(header, dict) else None
    meta = json.loads(text) if isinstance(text, str) else None
    if not isinstance(meta, dict):
        raise ValueError("its header holds no description")
    return meta


def tensors_from(data: bytes) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and `meta` of a safetensors file's content; ValueError if it is damaged."""
    try:
        return load_tensors(data), split_meta(data)
    except (
        Exception
    ) as error:  # safetensors raises its own class, KeyError or ValueError, as the damage has it
        raise ValueError(one_line(error)) from error


def read_bytes(path: Path) -> bytes:
    """A file of tensors, from one read; FileNotFoundError if there is none, SnapshotError if it is unreadable."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SnapshotError(f"{of_run(path)} cannot be read: {error.strerror or error}") from error


def read_tensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and `meta` of a safetensors file, both of one moment.

    Raises FileNotFoundError if there is none; raises SnapshotError in one sentence if it is damaged.
    """
    data = read_bytes(path)
    try:
        return tensors_from(data)
    except ValueError as error:
        raise SnapshotError(f"{of_run(path)} is damaged: {error}") from error


# --- reading again only what changed ---


class Cached(Generic[T]):
    """What a file or folder holds, parsed again only after it changed. Its owner guards it against threads.

    `get` costs one stat while nothing changes, returns None where there is no file, and raises the RunError that
    parsing raised until the file changes.
    """

    def __init__(self, path: Path, parse: Callable[[Path], T]) -> None:
        self.path, self._parse = path, parse
        self._stamp: tuple[int, int, int] | None = None
        self._settled = False
        self._value: T | None = None
        self._error: RunError | None = None

    def get(self) -> T | None:
        try:
            found = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            self._stamp = None
            return None
        except OSError as error:
            raise RunError(f"{of_run(self.path)} cannot be read: {error.strerror or error}") from error
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        if stamp != self._stamp or not self._settled:
            self._settled = abs(time.time_ns() - found.st_mtime_ns) > _SETTLED_NS
            self._value = self._error = None
            self._stamp = stamp
            try:
                self._value = self._parse(self.path)
            except FileNotFoundError:
                self._stamp = None
                return None
            except RunError as error:
                self._error = error
        if self._error is not None:
            raise self._error.with_traceback(None)
        return self._value


# --- locks ---


def lock_is_held(run: Path) -> bool:
    """Whether a living process holds the run's lock. Needs only permission to read; creates nothing."""
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
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Shared, so that two readers at the same time do not take each other for a trainer.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except OSError as error:
        return error.errno in (errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES)
    finally:
        os.close(handle)


def hold_lock(run: Path, timeout: float = 2.0) -> FileLock | None:
    """The run's lock, held until released or until the process ends in any way; None if another holds it.

    timeout: seconds to wait. It is not zero because `lock_is_held`, called by readers, holds the lock for some
    microseconds.
    """
    lock = FileLock(run / RUN_LOCK)
    try:
        lock.acquire(timeout=timeout, poll_interval=0.02)
    except Timeout:
        return None
    except OSError as error:
        raise RunError(explain(error, run / RUN_LOCK)) from error
    return lock
