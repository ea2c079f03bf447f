"""Opening, listing and removing the files of a run, inside its store.

A run's folder may come from a stranger, and a link in it may lead anywhere. No link is followed for writing or
deleting; for reading one is followed only if it ends inside the same store. The store itself may be reached by links:
whoever names it has chosen it. What is no plain file (a pipe, a device) is not read.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = [
    "LinkError",
    "make_folder",
    "names",
    "open_new",
    "open_to_append",
    "open_to_read",
    "parent_of",
    "read",
    "refuse_link",
    "refuse_shared",
    "remove",
    "run_of",
]

_EVALUATION = re.compile(r"\d{9,}-[a-z]+-[0-9a-f]{8}")
_AT = (
    os.open in os.supports_dir_fd
)  # False on Windows, where each part of a path is looked at before it is used
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_READ = (
    os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _NO_LINK
)  # a pipe that nobody writes to does not hold the reader
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)


class LinkError(OSError):
    """A link stands where a file or folder of a run should be; the text says which, in a few words."""


def run_of(path: Path) -> Path:
    """The folder of the run to which a file belongs, by its place: beside config.json, a snapshot, an evaluation's."""
    parts = ("", "", *path.parts)
    if parts[-2] == "snapshots":
        return path.parents[1]
    if parts[-3] == "evaluations" and _EVALUATION.fullmatch(parts[-2]):
        return path.parents[2]
    return path.parent


@contextmanager
def parent_of(path: Path, store: Path | None = None) -> Iterator[tuple[str, int | None]]:
    """(name, dir_fd) for the calls of `os`: the file in its folder, which is reached from the store without a link.

    store: the run's own unless named. Where `os` takes no dir_fd, the name is the whole path. Raises LinkError.
    """
    if store is None:
        store = run_of(path).parent
        parts = path.parts[
            len(store.parts) : -1
        ]  # store is one of its parents; 2,000 runs wait for relative_to
    else:
        parts = path.parent.relative_to(store).parts
    if ".." in (*parts, path.name):
        raise LinkError(errno.ELOOP, "leads out of its folder")
    if not _AT:
        for n in range(len(parts) + 1):
            refuse_link(store.joinpath(*parts[:n], *([path.name] if n == len(parts) else [parts[n]])))
        yield str(path), None
        return
    handle = os.open(store, _FOLDER)
    try:
        for n, part in enumerate(parts):
            try:
                below = os.open(part, _FOLDER | _NO_LINK, dir_fd=handle)
            except OSError:
                refuse_link(store.joinpath(*parts[: n + 1]))
                raise
            os.close(handle)
            handle = below
        yield path.name, handle
    finally:
        os.close(handle)


def open_to_read(path: Path, store: Path | None = None) -> int:
    """A descriptor of the plain file. Raises OSError: LinkError if a link leads to it from outside the store."""
    try:
        with parent_of(path, store) as (name, at):
            return _plain(os.open(name, _READ, dir_fd=at), path)
    except OSError as error:
        if not _led_by_link(error, path):
            raise
    return _plain(os.open(_real(path, run_of(path).parent if store is None else store), _READ), path)


def _real(path: Path, store: Path) -> Path:
    """Where the path leads. Raises LinkError if that is not below the store."""
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(os.path.realpath(store)):
        raise LinkError(errno.ELOOP, f"is a link to {real}, outside the folder of runs")
    return real


def _led_by_link(error: OSError, path: Path) -> bool:
    return isinstance(error, LinkError) or (error.errno in (errno.ELOOP, errno.EMLINK) and path.is_symlink())


def _plain(handle: int, path: Path) -> int:
    """The descriptor, if it is of a plain file."""
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    raise OSError(errno.EINVAL, "it is no plain file", os.fspath(path))


def read(path: Path, most: int, store: Path | None = None) -> bytes:
    """The file's content. Raises OSError if it cannot be read, EFBIG if it is longer than `most` bytes."""
    handle = open_to_read(path, store)
    with os.fdopen(handle, "rb") as file:
        size = os.fstat(handle).st_size
        if size > most:
            raise OSError(errno.EFBIG, f"it has {size:,} bytes, and {most:,} are the most", os.fspath(path))
        return file.read(
            size
        )  # not `most`: that much memory would be taken first, and be refused where it is bounded


def open_to_append(path: Path) -> int:
    """A descriptor to read the file and to append to it; it is made if need be. Raises OSError: LinkError."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | _NO_LINK
    with parent_of(path) as (name, at):
        try:
            handle = _plain(os.open(name, flags, 0o666, dir_fd=at), path)
        except OSError:
            refuse_link(path)
            raise
    try:
        refuse_shared(path)
    except LinkError:
        os.close(handle)
        raise
    return handle


def open_new(name: str, at: int | None) -> int:
    """A descriptor of a new file to write, in a folder that `parent_of` gave. Raises FileExistsError if it is there."""
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK, 0o666, dir_fd=at)


def refuse_link(path: Path) -> None:
    """Raises LinkError if the file or folder is a link: what is written to or replaced must be the run's own."""
    if path.is_symlink() or getattr(path, "is_junction", lambda: False)():
        raise LinkError(errno.ELOOP, "is a link, and nothing is written or deleted through links")


def refuse_shared(path: Path) -> None:
    """Raises LinkError if the file is a link or has another name: `cp -l` makes copies that are written together."""
    refuse_link(path)
    with suppress(FileNotFoundError):
        if os.stat(path).st_nlink > 1:
            raise LinkError(errno.EMLINK, "is one file with another (a hard link), and both would be written")


def make_folder(folder: Path, store: Path) -> None:
    """Makes the folder below the store where there is none; the one that it stands in is there already.

    Raises OSError: LinkError if a link leads to it.
    """
    with suppress(FileExistsError), parent_of(folder, store) as (name, at):
        os.mkdir(name, dir_fd=at)


def remove(path: Path) -> None:
    """Removes the file if it is there; a link goes, never what it leads to. Raises OSError: LinkError for a folder
    that is a link.
    """
    with suppress(FileNotFoundError), parent_of(path) as (name, at):
        os.unlink(name, dir_fd=at)


def names(folder: Path, store: Path) -> list[str]:
    """The names in a folder below the store. Raises OSError: LinkError if it is reached by a link out of the store."""
    return os.listdir(_real(folder, store))
