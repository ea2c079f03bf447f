"""Growing files of JSON lines, each line read once, in blocks of bounded size."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from rbm_core.runs import inside, json_input, layout
from rbm_core.runs.files import RunError, of_run, unreadable
from rbm_core.runs.json_input import DamagedError

__all__ = ["Lines", "Tail"]

_BLOCK = 4 << 20  # bytes read at once
_KNOWN_AGAIN = 256  # bytes: the end of a row, whose numbers no other has


class Tail:
    """The whole lines of a growing file that were not read before; a last line without its newline is not whole.

    n_read: lines read so far. size: of the file at the last look, in bytes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.forget()

    def forget(self) -> None:
        """Reads from the beginning at the next look."""
        self._stamp: tuple[int, int, int] | None = None
        self._offset = 0  # after the last newline read
        self._before = b""  # the bytes that stand before it
        self._error: RunError | None = None
        self._unread = False  # whether the reading that the last look began did not come to its end
        self.n_read = self.size = 0

    def look(self) -> tuple[bool, bool]:
        """(whether the file was replaced, so that lines read before are void; whether there may be more to read).

        One stat. Raises the RunError that reading raised, until the file changes.
        """
        try:
            found = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            void = self._stamp is not None
            self.forget()
            return void, False
        except OSError as error:
            raise RunError(unreadable(error, self.path)) from error
        stamp, before = (found.st_ino, found.st_size, found.st_mtime_ns), self._stamp
        if stamp == before:
            if self._error is not None:
                raise self._error.with_traceback(None)
            return False, self._unread
        # Appending makes a file longer and leaves what was read; whatever else happened to it, it is another file now.
        # One that was damaged is read anew, since it is not known how much of it was taken.
        replaced = before is not None and (
            stamp[0] != before[0] or stamp[1] <= before[1] or not self._goes_on()
        )
        void = replaced or self._error is not None
        if void:
            self.forget()
        self._stamp, self._error, self._unread, self.size = stamp, None, True, found.st_size
        return void, True

    def _goes_on(self) -> bool:
        """Whether what was read last still stands there: a file made anew may have the number of the one removed."""
        try:
            with os.fdopen(inside.open_to_read(self.path), "rb") as file:
                file.seek(self._offset - len(self._before))
                return file.read(len(self._before)) == self._before
        except OSError:
            return True  # reading it says why

    def blocks(self) -> Iterator[list[bytes]]:
        """The new whole lines, some 4 MB at a time. A block counts as read when the next one is asked for."""
        try:
            with os.fdopen(inside.open_to_read(self.path), "rb") as file:
                file.seek(self._offset)
                rest = b""
                while block := file.read(_BLOCK):
                    whole, newline, rest = (rest + block).rpartition(b"\n")
                    if len(rest) > layout.LONGEST_LINE:
                        raise self.damaged(whole.count(b"\n") + bool(newline))
                    if newline:
                        lines = whole.split(b"\n")
                        yield lines
                        self._offset += len(whole) + 1
                        self._before = whole[-_KNOWN_AGAIN:] + newline
                        self.n_read += len(lines)
                self._unread = False
        except FileNotFoundError:
            pass  # the next look finds what has become of it
        except OSError as error:
            raise RunError(unreadable(error, self.path)) from error

    def damaged(self, place: int, why: str = "") -> RunError:
        """What to raise for the line at this place of the block; it is raised again until the file changes."""
        said = f" ({why})" if why else ""
        self._error = RunError(
            f"{of_run(self.path)} is damaged at line {self.n_read + place + 1}{said}: "
            "remove that line to read the others"
        )
        return self._error

    def parsed(self, line: bytes, place: int) -> Any:
        """The JSON object of a line. Raises RunError that names the line."""
        if len(line) > layout.LONGEST_LINE:
            raise self.damaged(place, f"it has more than {layout.LONGEST_LINE:,} bytes")
        try:
            row = json_input.parse(line)
        except DamagedError as error:
            raise self.damaged(place, str(error)) from None
        if not isinstance(row, dict):
            raise self.damaged(place, "it holds no JSON object")
        return row


class Lines:
    """Every row of a file of JSON lines, in the shape that layout.py declares."""

    def __init__(self, path: Path, shape: TypeAdapter[dict[str, Any]]) -> None:
        self._tail, self._shape = Tail(path), shape
        self._rows: list[dict[str, Any]] = []

    def rows(self) -> list[dict[str, Any]]:
        """The rows so far, oldest first. Raises RunError that names the first line that is damaged."""
        void, more = self._tail.look()
        if void:
            self._rows.clear()
        if self._tail.size > layout.MOST_OF_LINES:
            raise RunError(
                f"{of_run(self._tail.path)} is damaged: it has more than {layout.MOST_OF_LINES:,} bytes, which "
                "nothing here writes"
            )
        if more:
            for lines in self._tail.blocks():
                self._rows += [self._typed(line, n) for n, line in enumerate(lines) if line.strip()]
        return list(self._rows)

    def _typed(self, line: bytes, place: int) -> dict[str, Any]:
        try:
            return json_input.typed(self._shape, self._tail.parsed(line, place))
        except DamagedError as error:
            raise self._tail.damaged(place, str(error)) from None
