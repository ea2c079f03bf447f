"""metrics.jsonl as columns of bounded size: a record of two million rows takes as much memory as one of 30,000.

A new row costs the same however long the record is. Above MOST_ROWS rows the older ones are thinned: of each 2s rows
two points stay, in which every column has its smallest and its largest value of the 2s, in the order in which they
came. A picture narrower than MOST_ROWS / 2 pixels so shows every peak. The first and the last rows are never thinned.
"""

import os
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pydantic_core

from rbm_core.runs import inside
from rbm_core.runs.files import RunError, of_run, one_line, unreadable
from rbm_core.runs.lines import Tail

__all__ = ["MOST_ROWS", "Columns", "extremes", "latest"]

MOST_ROWS = 1 << 15
_FIRST, _LAST = 1 << 10, 1 << 11  # rows that stay as they are, at the beginning and at the end
_MOST_COLUMNS = 100
_AT_ONCE = 1 << 12  # rows parsed and kept before the room is looked at again
_GLANCE = 1 << 14
_WIDE = ("step", "epoch", "seconds", "time")  # axes: float32 would round them
_LARGEST_STEP = 2.0**53
_LARGEST = float(np.finfo(np.float32).max)


class Columns:
    """The columns of one run's metrics.jsonl.

    thinned: how often older rows were thinned; rows given out before the last time are void.
    """

    def __init__(self, path: Path) -> None:
        self._tail = Tail(path)
        self.thinned = 0
        self._clear()

    def _clear(self) -> None:
        self._n = 0
        self._stride = 1  # rows that a point stands for, between _FIRST and _points
        self._points = _FIRST
        self._room: dict[str, np.ndarray] = {}
        self._shown: dict[str, np.ndarray] = {}

    def get(self) -> dict[str, np.ndarray]:
        """Every column, all of one length. Raises RunError that names the first line that is damaged."""
        void, more = self._tail.look()
        if void:
            self._clear()
            self.thinned += 1
        if more:
            n, thinned = self._n, self.thinned
            try:
                for lines in self._tail.blocks():
                    self._take(lines)
            finally:
                if (n, thinned) != (self._n, self.thinned) or void:
                    self._show()
        return self._shown

    def _take(self, lines: list[bytes]) -> None:
        for first in range(0, len(lines), _AT_ONCE):
            self._add(self._columns(lines[first : first + _AT_ONCE], first))
            if self._n > MOST_ROWS:
                self._thin()

    def _columns(self, lines: list[bytes], first: int) -> dict[str, np.ndarray]:
        """The lines' numbers by column; first: the place of the first line in its block."""
        places = [n for n, line in enumerate(lines, first) if line.strip()]
        written = lines if len(places) == len(lines) else [lines[n - first] for n in places]
        try:
            rows = pydantic_core.from_json(b"[" + b",".join(written) + b"]", allow_inf_nan=False)
            sound = len(rows) == len(written) and all(type(row) is dict for row in rows)
        except ValueError:
            sound = False
        if not sound:  # One of them is damaged: parsed one by one, they say which.
            rows = [self._tail.parsed(line, n) for line, n in zip(written, places, strict=True)]
        names = dict.fromkeys(chain.from_iterable(rows))
        if len({*names, *self._room}) > _MOST_COLUMNS:
            raise self._tail.damaged(first, f"the rows have more than {_MOST_COLUMNS} columns")
        columns = {name: _numbers([row.get(name) for row in rows]) for name in names}
        for name, column in columns.items():
            wrong = np.isinf(column)
            if name == "step":
                wrong |= ~((column >= 0) & (column <= _LARGEST_STEP) & (column == np.floor(column)))
            if wrong.any():
                place = places[int(np.argmax(wrong))]
                raise self._tail.damaged(place, f"{name} is no number that can be")
        if rows and "step" not in columns:
            raise self._tail.damaged(places[0], "it names no step")
        return columns

    def _add(self, columns: dict[str, np.ndarray]) -> None:
        if not columns:
            return
        first, self._n = self._n, self._n + len(columns["step"])
        for name in columns:
            if name not in self._room:
                self._room[name] = np.full(0, np.nan, np.float64 if name in _WIDE else np.float32)
        for name, room in list(self._room.items()):
            if len(room) < self._n:
                larger = np.full(max(256, 2 * self._n), np.nan, room.dtype)
                larger[: len(room)] = room
                self._room[name] = room = larger
            added = columns.get(name)
            room[first : self._n] = np.nan if added is None else np.clip(added, -_LARGEST, _LARGEST)

    def _thin(self) -> None:
        """Brings the rows to three quarters of MOST_ROWS or fewer."""
        self._reduce(self._points, self._n - _LAST, 2 * self._stride)
        while self._n > MOST_ROWS * 3 // 4:
            self._stride *= 2
            end, self._points = self._points, _FIRST
            self._reduce(_FIRST, end, 4)
            # What the points left over, fewer than four, is thinned with the rows after them.
        self.thinned += 1

    def _reduce(self, begin: int, end: int, size: int) -> None:
        """Replaces each `size` rows between begin and end by two points; fewer than `size` at the end stay."""
        groups = max(0, end - begin) // size
        self._points = begin + 2 * groups
        if size == 2:
            return
        taken = begin + groups * size
        for name, room in self._room.items():  # new arrays: what was given out stays as it was
            thin = extremes(room[begin:taken].reshape(groups, size)).ravel()
            self._room[name] = np.concatenate([room[:begin], thin, room[taken : self._n]])
        self._n -= taken - self._points

    def _show(self) -> None:
        self._shown = {}
        for name, room in self._room.items():
            column = room[: self._n].astype(np.int64) if name == "step" else room[: self._n]
            column.flags.writeable = False
            self._shown[name] = column


def latest(path: Path) -> dict[str, float]:
    """The last number of each column of a metrics.jsonl, as far as its last 16 kB (some 17 rows) tell.

    Reads no more of the file, so that a table of 2,000 runs is drawn in seconds. Raises FileNotFoundError if there is
    none, RunError if a line of that part is damaged.
    """
    try:
        with os.fdopen(inside.open_to_read(path), "rb") as file:
            begin = max(0, file.seek(0, os.SEEK_END) - _GLANCE)
            file.seek(begin)
            lines = file.read(_GLANCE).split(b"\n")[1 if begin else 0 : -1]
        rows = pydantic_core.from_json(b"[" + b",".join(filter(None, lines)) + b"]", allow_inf_nan=False)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RunError(unreadable(error, path)) from error
    except ValueError as error:
        raise RunError(f"{of_run(path)} is damaged near its end: {one_line(error)}") from error
    if not all(type(row) is dict for row in rows):
        raise RunError(f"{of_run(path)} is damaged near its end: a line holds no JSON object")
    found: dict[str, float] = {}
    for row in reversed(rows):
        for name, cell in row.items():
            if name not in found and type(cell) in (int, float) and -_LARGEST <= cell <= _LARGEST:
                found[name] = float(cell)
    return found


def extremes(values: np.ndarray) -> np.ndarray:
    """Of each row of (n, size) its smallest and its largest number, in the order in which they stand: (n, 2).

    NaN where a row has no number.
    """
    known = np.isfinite(values)
    low = np.argmin(np.where(known, values, np.inf), axis=1)
    high = np.argmax(np.where(known, values, -np.inf), axis=1)
    places = np.sort(np.stack([low, high], axis=1), axis=1)
    found = np.take_along_axis(values, places, axis=1)
    found[~known.any(axis=1)] = np.nan
    return found


def _numbers(cells: Sequence[Any]) -> np.ndarray:
    """The cells as float64: NaN for null, for a missing cell and for text; infinity for a number out of bounds."""
    try:
        column = np.array(cells, np.float64)
    except (TypeError, ValueError, OverflowError):
        column = None
    if column is None or column.ndim != 1:  # lists of one length would be rows of a table
        column = np.array([_number(cell) for cell in cells], np.float64)
    return column


def _number(cell: Any) -> float:
    try:
        return float(cell) if isinstance(cell, (int, float)) else float("nan")
    except OverflowError:
        return float("inf")
