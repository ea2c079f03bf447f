"""The run store: its folder, the names of runs, the list of runs, and how a run is made, renamed and deleted."""

import errno
import os
import re
import secrets
import shutil
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from rbm_core.config import forced_precision
from rbm_core.runs.files import (
    SCHEMA,
    Lock,
    RunError,
    SnapshotError,
    explain,
    hold_folder,
    hold_lock,
    read_bytes,
    read_object,
    write_bytes,
    write_json,
)
from rbm_core.runs.reader import RunReader
from rbm_core.runs.recorder import check_resume
from rbm_core.runs.snapshot import read_snapshot, snapshot_file
from rbm_core.runs.vocabulary import LIVE_STATES

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
# Windows keeps these names for devices, with any ending.
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
# A first visit to the app plays this run: few hidden units, and many snapshots.
LANDING_RUN = "mnist-timelapse"
# These runs come with the packages: in a clone they lie in its own store, in a wheel inside the package.
SHIPPED_RUNS = (LANDING_RUN, "mnist-default")
_SHIPPED = Path(__file__).resolve().parents[1] / "shipped"
# Folders of runs that are being made or deleted.
_ASIDE = re.compile(r"\.(new|deleted)-.+-[0-9a-f]{8}")
_CONTENT = ("config.json", "status.json", "metrics.jsonl", "snapshots")


@dataclass(frozen=True)
class RunInfo:
    """One line of the list of runs. If the run cannot be read, `error` says why and the other fields are empty."""

    name: str
    path: Path
    state: str = "failed"
    step: int = 0
    n_steps: int = 0
    created: str = ""
    dataset: str = ""
    preset: str | None = None
    message: str = ""
    error: str | None = None

    @property
    def live(self) -> bool:
        """Whether a process is training it."""
        return self.error is None and self.state in LIVE_STATES


def installed() -> bool:
    """Whether the packages were installed from a wheel, and are not used in place, in a clone."""
    return _SHIPPED.is_dir()


def app_command() -> str:
    """What a person types to start the app."""
    return "rbm-observatory" if installed() else "streamlit run dashboard/app.py"


def runs_root() -> Path:
    """$RBM_RUNS_DIR; else checkpoints/ of the clone, or, where the packages are installed, of the working directory."""
    chosen = os.environ.get("RBM_RUNS_DIR", "").strip()
    if chosen:
        return Path(chosen).expanduser().absolute()
    return _default_root()


def _default_root() -> Path:
    return (Path.cwd() if installed() else Path(__file__).resolve().parents[2]) / "checkpoints"


def _shipped(root: Path) -> dict[str, Path]:
    """The shipped runs that are seen from this store and lie elsewhere: those of a wheel, from its default store."""
    if not installed() or Path(root).absolute() != _default_root():
        return {}
    return {name: _SHIPPED / name for name in SHIPPED_RUNS if not (Path(root) / name).exists()}


def is_taken(root: Path, name: str) -> bool:
    """Whether a run called so is seen from this store."""
    return (Path(root) / name).exists() or name in _shipped(root)


def taken(root: Path, name: str) -> str:
    """The words for a name that a new run cannot have."""
    return f"there is already a run {name!r} in {shown(root)}; choose another name"


def put_in_place(folder: Path, path: Path) -> None:
    """Gives a whole folder its name in the store. Raises RunError where another process took the name meanwhile."""
    try:
        os.rename(folder, path)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR) and os.path.lexists(path):
            raise RunError(taken(path.parent, path.name)) from error
        raise


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A hidden folder beside `path`, which takes that name once the block has filled it, or goes again.

    Whoever fills it holds its lock, by which `_sweep` knows what a killed process left. Raises RunError where another
    process took the name meanwhile.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise RunError(
            f"{path.parent} is no folder, so it holds no runs; name another with --runs or RBM_RUNS_DIR"
        ) from error
    _sweep(path.parent)
    aside, lock = _made_aside(path)
    try:
        yield aside
        put_in_place(aside, path)
    except RunError as error:
        raise RunError(str(error).replace(aside.name, path.name)) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        if lock is not None:
            lock.release()


def _aside(path: Path, why: str) -> Path:
    return path.with_name(f".{why}-{path.name}-{secrets.token_hex(4)}")


def _made_aside(path: Path) -> tuple[Path, Lock | None]:
    """A new hidden folder with its lock; None where folders have no locks, and where `_sweep` then removes none."""
    while True:
        aside = _aside(path, "new")
        aside.mkdir()
        try:
            lock = hold_folder(aside)
        except FileNotFoundError:
            continue  # swept away before it was locked
        except OSError:
            return aside, None
        if lock is not None:
            return aside, lock


def _sweep(root: Path) -> None:
    """Removes the folders that killed processes left of runs which they made or deleted."""
    with suppress(OSError), os.scandir(root) as entries:
        for one in [Path(entry) for entry in entries if _ASIDE.fullmatch(entry.name)]:
            with suppress(OSError):
                lock = hold_folder(one) if one.name.startswith(".new") else None
                if lock is not None or one.name.startswith(".deleted"):
                    shutil.rmtree(one, ignore_errors=True)
                if lock is not None:
                    lock.release()


def shown(root: Path) -> str:
    """The folder as a person reads it: relative to the working directory where it lies below it."""
    try:
        return f"{root.absolute().relative_to(Path.cwd())}/"
    except (ValueError, OSError):
        return str(root)


def check_name(name: str) -> str:
    """The name, if it can name a run: letters, digits, '.', '_' and '-'. Raises RunError in one sentence if not."""
    if not _NAME.fullmatch(str(name)) or name.endswith(".") or _RESERVED.fullmatch(name):
        raise RunError(
            f"a run cannot be called {name!r}: use letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit, at most 80"
        )
    return name


def name_from(typed: str) -> str:
    """`my drawings!` → `my-drawings`: what a name cannot hold becomes a dash. What would be a path, or holds nothing
    else, stays as it is, for `check_name` to refuse.
    """
    if re.search(r"[/\\]|^\s*\.", typed):
        return typed
    signs = "".join(sign for sign in unicodedata.normalize("NFKD", typed) if not unicodedata.combining(sign))
    return re.sub(r"[^A-Za-z0-9._-]+", "-", signs).strip("-._")[:80].rstrip("-._") or typed


def new_name(config: Any, preset: str | None = None, root: Path | None = None) -> str:
    """A name that no run has, of data set, preset and a random part: `mnist-default-3f2a`; without a preset the
    algorithm stands in its place: `mnist-pcd5-3f2a`.
    """
    fields = _fields(config)
    kind = preset or f"{fields.get('algorithm', 'run')}{fields.get('k', '')}"
    words = [_slug(Path(str(fields.get("dataset", "run"))).name), _slug(kind)]
    root = runs_root() if root is None else root
    while True:
        name = check_name("-".join([*words, secrets.token_hex(2)]))
        if not is_taken(root, name):
            return name


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:32] or "run"


def _fields(config: Any) -> dict[str, Any]:
    """The fields of a RunConfig, or of a dict of them."""
    return dict(config) if isinstance(config, Mapping) else dict(config.model_dump(mode="json"))


def create_run(
    root: Path,
    name: str,
    config: Any,
    *,
    preset: str | None = None,
    origin: Mapping[str, Any] | None = None,
    begin: Callable[[Path], None] | None = None,
) -> Path:
    """Makes the folder of a run to be trained and returns it; it appears whole or not at all.

    config: a RunConfig or a dict of its fields. origin: {"run", "step"}, a snapshot in the same store whose
    parameters the new run starts from; it is copied, so that the new run does not depend on the old one. begin: writes
    what else belongs to the new run into its folder before that appears; what it raises is raised here.
    Raises RunError if the name is taken or not allowed, SnapshotError if there is no such snapshot or it does not fit,
    ConfigError if its trainer would refuse what the environment says.
    """
    forced_precision()
    root, fields = Path(root), _fields(config)
    path = root / check_name(name)
    if is_taken(root, name):
        raise RunError(f"{taken(root, name)}, or resume it")
    source = _origin_file(root, origin, fields) if origin is not None else None
    now = time.time()
    described = {
        "schema": SCHEMA,
        "name": name,
        "created": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
        "config": fields,
        "preset": preset,
        "versions": None,
        "device": None,
        "precision": None,
        "data": None,
        "origin": dict(origin) if origin is not None else None,
    }
    try:
        with appearing(path) as aside:
            (aside / "snapshots").mkdir()
            write_json(aside / "config.json", described)
            write_json(aside / "status.json", {"state": "starting", "heartbeat": now, "message": "starting"})
            if source is not None:
                write_bytes(aside / "origin.safetensors", read_bytes(source))
            if begin is not None:
                begin(aside)
    except OSError as error:
        raise RunError(explain(error, path)) from error
    return path


def _origin_file(root: Path, origin: Mapping[str, Any], fields: Mapping[str, Any]) -> Path:
    """The snapshot file an origin names, once it is known to be whole and to fit the new run."""
    run, step = resolve(root, str(origin["run"])), int(origin["step"])
    RunReader(run).snapshot(step)
    file = snapshot_file(run, step)
    n_hidden = read_snapshot(file).W.shape[1]
    if fields.get("n_hidden", n_hidden) != n_hidden:
        raise SnapshotError(
            f"the snapshot of run {run.name!r} at step {step} has {n_hidden} hidden units, "
            f"so a run that starts from it cannot have {fields['n_hidden']}"
        )
    return file


def resolve(root: Path, name: str) -> Path:
    """The folder of the run called so; RunError says which runs there are."""
    path = Path(root) / check_name(name)
    path = _shipped(root).get(name, path)
    if not _is_run(path):
        names = [info.name for info in list_runs(root)]
        there = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        raise RunError(f"no run {name!r} in {shown(Path(root))}; there are: {there or 'none yet'}")
    return path


def to_change(root: Path, name: str) -> Path:
    """`resolve`, for who will write into the run: one of a wheel is first copied into the store.

    What a person notes or measures thus lies among the own runs and outlives another version of the package.
    """
    path = resolve(root, name)
    if path != _shipped(root).get(name):
        return path
    own = Path(root) / name
    try:
        with appearing(own) as aside:
            shutil.copytree(path, aside, dirs_exist_ok=True)
    except (OSError, RunError) as error:
        if not _is_run(own):  # else another process was faster
            raise RunError(explain(error, own) if isinstance(error, OSError) else str(error)) from error
    return own


def resumable(path: Path) -> dict[str, Any]:
    """The status of a run that can go on; nothing is changed.

    Raises RunError in one sentence if the run is being trained, is finished, has diverged, since a resumed run would
    diverge again, bit for bit, or if its saved state is damaged.
    """
    reader = RunReader(path)
    reader.config()
    status = reader.status()
    state = status["state"]
    if state in LIVE_STATES:
        raise RunError(f"run {path.name!r} is already being trained (it is {state})")
    if state in ("finished", "diverged"):
        done = "is finished" if state == "finished" else "has diverged"
        raise RunError(f"run {path.name!r} {done}; to train on, start a new run from one of its snapshots")
    check_resume(path)
    return status


def rename_run(root: Path, name: str, new: str) -> Path:
    """Gives the run another name and returns its folder; its record is otherwise untouched.

    Raises RunError in one sentence if the new name is taken or not allowed, if the run is being trained, and for the
    shipped run.
    """
    root, path = Path(root), resolve(root, name)
    target = root / check_name(new)
    if is_taken(root, new) and not _same_folder(path, target):
        raise RunError(taken(root, new))
    _take_away(path, target, "renamed")
    try:
        described = read_object(target / "config.json")
        write_json(target / "config.json", {**described, "name": new})
    except (RunError, FileNotFoundError):
        pass  # the folder's name is what counts; a damaged config.json stays as it is
    return target


def delete_run(root: Path, name: str) -> None:
    """Removes the run and everything recorded in it, for good.

    It leaves the list in one step, before its files are removed one by one. Raises RunError in one sentence if the run
    is being trained, for the shipped run, and where files cannot be removed.
    """
    path = resolve(root, name)
    aside = _aside(path, "deleted")
    _take_away(path, aside, "deleted")
    _sweep(path.parent)
    try:
        shutil.rmtree(aside)  # says why it is still there
    except FileNotFoundError:
        pass
    except OSError as error:
        raise RunError(
            f"run {name!r} is gone from the list, but {aside} could not be removed: {error.strerror or error}"
        ) from error


def _take_away(path: Path, target: Path, done: str) -> None:
    """Renames a run's folder while its lock is held, so that no trainer can begin on it meanwhile."""
    if path.name in SHIPPED_RUNS:
        raise RunError(f"run {path.name!r} comes with RBM Observatory and cannot be {done}")
    try:
        living = RunReader(path).status()["state"] in LIVE_STATES
    except RunError:  # a damaged run can be renamed and deleted like any other
        living = False
    lock = None if living else hold_lock(path, timeout=0.2)
    if lock is None:
        raise RunError(f"run {path.name!r} is being trained, so it cannot be {done}; stop it first")
    try:
        if os.name == "nt":  # Windows does not rename a folder that holds an open file
            lock.release()
        put_in_place(path, target)
    except OSError as error:
        raise RunError(explain(error, path / "config.json")) from error
    finally:
        lock.release()


def _same_folder(path: Path, target: Path) -> bool:
    """Whether both are one folder: `demo` and `Demo` are, on a disk that ignores case."""
    return path.name != target.name and target.exists() and path.samefile(target)


def _is_run(path: Path) -> bool:
    return any((path / content).exists() for content in _CONTENT)


_readers: dict[Path, RunReader] = {}
_readers_guard = threading.Lock()


def list_runs(root: Path) -> list[RunInfo]:
    """Every run in the store, newest first; one that cannot be read is listed with its error.

    Called again, it costs two stats a run, and a look at the lock of each that lives.
    """
    root = Path(root)
    try:
        with os.scandir(root) as entries:
            names = [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    except FileNotFoundError:
        names = []
    except OSError as error:
        raise RunError(f"the runs in {root} cannot be listed: {error.strerror or error}") from error
    paths = [*(root / name for name in names), *_shipped(root).values()]
    infos = [info for path in paths if (info := _info(path)) is not None]
    with _readers_guard:
        for path in [path for path in _readers if path.parent == root and path.name not in names]:
            del _readers[path]
    return sorted(infos, key=_age)


def reader_of(path: Path) -> RunReader:
    """The run's reader, one for the whole process: what it has read serves every page and the list of runs."""
    with _readers_guard:
        reader = _readers.get(path)
        if reader is None:
            reader = _readers[path] = RunReader(path)
        return reader


def _info(path: Path) -> RunInfo | None:
    reader = reader_of(path)
    try:
        config = reader.config()
        status = reader.status()
    except RunError as error:
        return RunInfo(path.name, path, error=str(error)) if _is_run(path) else None
    return RunInfo(
        name=path.name,
        path=path,
        state=status["state"],
        step=int(status["step"]),
        n_steps=int(status["n_steps"]),
        created=str(config.get("created", "")),
        dataset=str(config["config"].get("dataset", "")),
        preset=config.get("preset"),
        message=status["message"],
    )


def _age(info: RunInfo) -> tuple[float, str]:
    """Sorts newest first; what has no date by when its folder changed."""
    made = _timestamp(info.created)
    if made is None:
        try:
            made = info.path.stat().st_mtime
        except OSError:
            made = 0.0
    return -made, info.name


@lru_cache(maxsize=4096)
def _timestamp(created: str) -> float | None:
    try:
        return datetime.fromisoformat(created).timestamp()
    except (ValueError, OverflowError, OSError):  # as the year has it
        return None
