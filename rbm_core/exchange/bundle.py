"""A run as one zip file that another installation opens.

What is opened was written by strangers. Only the files of a run are taken, by name; what is unpacked is bounded in
number, in size and against the archive's own words; and the run must be readable before it appears in the store.
"""

import os
import re
import shutil
import zipfile
from pathlib import Path

from rbm_core.exchange.arrays import ExchangeError
from rbm_core.exchange.outside import replacing
from rbm_core.runs import inside, store
from rbm_core.runs.files import RunError, explain, one_line, read_object, unreadable, write_json
from rbm_core.runs.reader import RunReader
from rbm_core.runs.vocabulary import LIVE_STATES

__all__ = ["open_bundle", "write_bundle"]

_FILES = re.compile(
    r"(config|status|notes)\.json|(metrics|events|likelihood)\.jsonl|"
    r"(probe|resume|origin|trajectory)\.safetensors|snapshots/\d{9,15}\.safetensors"
)
_MOST_FILES = 1100  # max_snapshots may be 1,000
_MOST_BYTES = 8 * 2**30
_BLOCK = 1 << 20


def write_bundle(run: Path, target: Path) -> int:
    """Writes the run's record into one zip file and returns the number of files in it.

    Raises RunError if the run is being trained, a link leads out of the store or the file cannot be written.
    """
    reader = RunReader(run)
    if reader.status()["state"] in LIVE_STATES:
        raise RunError(
            f"run {run.name!r} is being trained; stop it before it is bundled, so that it is whole"
        )
    snapshots = _names(run / "snapshots", run.parent)
    there = [*_names(run, run.parent), *(f"snapshots/{name}" for name in snapshots)]
    names = sorted(name for name in there if _FILES.fullmatch(name))
    with (
        replacing(target) as aside,
        zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive,
    ):
        for name in names:
            _pack(archive, run / name, f"{run.name}/{name}")
    return len(names)


def _names(folder: Path, store: Path) -> list[str]:
    try:
        return inside.names(folder, store)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(unreadable(error, folder)) from error


def _pack(archive: zipfile.ZipFile, file: Path, name: str) -> None:
    """Adds a file of a run, read as everything of a run is: what a link shows from elsewhere is not given away."""
    try:
        handle = inside.open_to_read(file)
    except OSError as error:
        raise RunError(unreadable(error, file)) from error
    with os.fdopen(handle, "rb") as source, archive.open(name, "w", force_zip64=True) as packed:
        shutil.copyfileobj(source, packed, _BLOCK)


def open_bundle(file: Path, root: Path, name: str) -> Path:
    """The folder of the run in the bundle, under this name in the store; it appears whole or not at all.

    Raises ExchangeError or RunError in one sentence for what is no bundle, damaged, or larger than it says.
    """
    path = root / store.check_name(name)
    if store.is_taken(root, name):
        raise RunError(store.taken(root, name))
    if file.exists() and not file.is_file():
        raise ExchangeError(f"{file} is not a file")
    try:
        with store.appearing(path) as aside:
            (aside / "snapshots").mkdir()
            with zipfile.ZipFile(file) as archive:
                for inner, member in _wanted(archive, file.name).items():
                    _unpack(archive, member, aside / inner, file.name)
            _check(aside, file.name, name)
    except (ExchangeError, RunError):
        raise
    except Exception as error:  # zipfile passes on whatever struct, zlib, bz2 and lzma make of damage
        if isinstance(error, OSError) and error.filename is not None and Path(error.filename) == file:
            raise ExchangeError(f"cannot read {file}: {error.strerror}") from error
        if isinstance(error, OSError) and error.errno is not None:  # bz2's has none
            raise RunError(explain(error, path / "config.json")) from error
        raise ExchangeError(
            f"{file.name} is no run bundle or is damaged; export it again as a .zip"
        ) from error
    return path


def _wanted(archive: zipfile.ZipFile, bundle: str) -> dict[str, zipfile.ZipInfo]:
    """The members that are files of a run, by their names in its folder; links and paths out of it never are."""
    members = archive.infolist()
    if len(members) > 4 * _MOST_FILES:
        raise ExchangeError(f"{bundle} holds {len(members):,} files; a run has at most {_MOST_FILES:,}")
    found = {}
    for member in members:
        parts = member.filename.split("/")
        inner = "/".join(parts[1:]) if len(parts) > 1 and parts[0] not in ("", ".", "..", "snapshots") else ""
        if not member.is_dir() and _FILES.fullmatch(inner):
            if inner in found:
                raise ExchangeError(f"{bundle} is damaged: it holds {inner} twice")
            found[inner] = member
    if "config.json" not in found or len(found) > _MOST_FILES:
        raise ExchangeError(
            f"{bundle} is no run bundle: it needs one folder with config.json and at most {_MOST_FILES:,} files; "
            "'export RUN --out run.zip' writes one"
        )
    if (total := sum(member.file_size for member in found.values())) > _MOST_BYTES:
        raise ExchangeError(
            f"{bundle} unpacks to {total / 2**30:.1f} GiB; at most {_MOST_BYTES / 2**30:.0f} are taken"
        )
    return found


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, bundle: str) -> None:
    """Writes a member, no more of it than the archive's list of contents promises."""
    left = member.file_size
    with archive.open(member) as source, open(target, "wb") as file:
        while block := source.read(_BLOCK):
            left -= len(block)
            if left < 0:
                break
            file.write(block)
    if left != 0:
        raise ExchangeError(f"{bundle} is damaged: {member.filename} has another size than it says")


def _check(folder: Path, bundle: str, name: str) -> None:
    """Raises ExchangeError unless the run can be read; gives it its new name, and a state without a trainer."""
    reader = RunReader(folder)
    try:
        reader.config()
        status = reader.status()
        reader.metrics(), reader.events(), reader.likelihood(), reader.probe()
        steps = reader.snapshot_steps()
        if not steps:
            raise ExchangeError(f"{bundle} holds no snapshot, so there is nothing to show")
        for step in steps:
            reader.snapshot(step)
        write_json(folder / "config.json", {**read_object(folder / "config.json"), "name": name})
    except (RunError, FileNotFoundError) as error:
        raise ExchangeError(
            f"{bundle} holds a run that cannot be read: {one_line(error).replace(folder.name, name)}"
        ) from error
    if status["state"] in (*LIVE_STATES, "interrupted"):
        write_json(folder / "status.json", {**status, "state": "stopped", "message": "Opened from a bundle."})
