"""Files that are read again only after they changed."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from rbm_core.runs.files import RunError, unreadable

__all__ = ["Cached"]

# Two writes within one tick of the file system's clock (4 ms on Linux) can leave the same time stamp, so
# what was read this soon after a change is read again.
_SETTLED_NS = 50_000_000

T = TypeVar("T")


class Cached(Generic[T]):
    """What a file or folder holds, parsed again only after it changed. Its owner guards it against threads.

    `get` costs one stat while nothing changes, returns None where there is no file, and raises the RunError that
    parsing raised until the file changes; one that the system was the cause of is not kept.
    """

    def __init__(self, path: Path, parse: Callable[[Path], T]) -> None:
        self.path, self._parse = path, parse
        self._stamp: tuple[int, int, int] | None = None
        self._settled = False
        self._value: T | None = None
        self._error: RunError | None = None

    def get(self) -> T | None:
        """What the file holds now, read again only where it has changed; None where there is none."""
        try:
            found = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            self._stamp = None
            return None
        except OSError as error:
            raise RunError(unreadable(error, self.path)) from error
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
                if isinstance(error.__cause__, (OSError, MemoryError)):
                    self._stamp = None  # no word about the content: what kept it from being read may pass
                    raise
                self._error = error
        if self._error is not None:
            raise self._error.with_traceback(None)
        return self._value
