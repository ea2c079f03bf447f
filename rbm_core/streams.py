"""What a process prints, where it cannot be printed: a full disk behind `2>log`, a closed pipe, a closed stream."""

import errno
import io
import os
import sys
from contextlib import suppress
from typing import Any

__all__ = ["shielded"]


class _Shielded(io.RawIOBase):
    """A raw stream that leaves out what cannot be written, and keeps the error in `lost`."""

    def __init__(self, raw: Any, lost: list[OSError]) -> None:
        self._raw, self._lost = raw, lost

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        try:
            written = self._raw.write(data)
            if written is None:  # a pipe that does not wait for its reader is full
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        except OSError as error:
            self._lost.append(error)
            return len(data)
        return written

    def fileno(self) -> int:
        return self._raw.fileno()

    def isatty(self) -> bool:
        return self._raw.isatty()


_lost: list[OSError] = []  # of the standard output, since `shielded` was called last


def shielded() -> list[OSError]:
    """From here on no work of this process ends because a line about it cannot be printed; why the standard output
    could not be written is noted in the list that comes back. Streams that a program put in their place stay.

    Descriptors that were closed at the start (`2>&-`) lead to nowhere now. Else the next file that is opened, one of a
    run, would have that number, and libraries would write their warnings into it.
    """
    with suppress(OSError):  # without a descriptor left none of the three is free
        while (free := os.open(os.devnull, os.O_RDWR)) <= 2:
            os.set_inheritable(free, True)
        os.close(free)
    _lost.clear()
    for name, number, errors in (("stdout", 1, _lost), ("stderr", 2, [])):
        stream = getattr(sys, name)
        if stream is not getattr(sys, f"__{name}__"):
            continue
        raw = io.FileIO(number, "w", closefd=False) if stream is None else stream.buffer
        through = io.BufferedWriter(_Shielded(getattr(raw, "raw", raw), errors))
        encoding = "utf-8" if stream is None else stream.encoding
        setattr(sys, name, io.TextIOWrapper(through, encoding, "backslashreplace", line_buffering=True))
    return _lost
