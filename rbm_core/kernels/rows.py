"""Sums of rows of a matrix, each row added or taken away where a list says so.

A product with a matrix of zeros and ones is a sum of rows. Its speed is decided by where the rows come from, so the
matrix is kept in panels whose rows are 128 bytes long, 32 columns of float32 or 64 of int16: the rows of one panel lie
side by side (W of 784 × 500: 100 KB), stay in the first two caches while every total that wants some of them passes by,
and its columns stay in vector registers meanwhile. Every total is summed in the order of its own list, so that it does
not depend on which others are summed beside it. Sums of int16 wrap around: they are exact where the last one fits.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from rbm_core.kernels.primitives import copy_row, inner

__all__ = [
    "ALL",
    "Listed",
    "add_rows",
    "add_up_rows",
    "for_each",
    "in_panels",
    "new_lists",
    "new_panels",
    "new_totals",
    "padded",
    "put_row",
    "put_transposed",
    "sum_rows",
]

ALL = -1  # in place of a count: the total is the sum of all rows that are on; `sum_rows` makes it
_ROW, _LINE = 128, 64  # bytes of a row of a panel, and of a cache line
_WIDE, _NARROW = 64, 32  # bytes of a vector: LLVM splits the wide ones where the processor's are shorter

_I32, _I64 = ir.IntType(32), ir.IntType(64)


class Listed(NamedTuple):
    """Which rows each of G totals gains and loses.

    numbers: (G, R) int32, row numbers: those to add from the front, those to take away from the back. counts: (G, 2)
    int64, how many of each; `ALL` for a total that is to be summed by `sum_rows`. longest: a longer list should
    become `ALL`.
    """

    numbers: np.ndarray
    counts: np.ndarray
    longest: int


@inner
def new_lists(totals, rows, together):
    """Room for the lists of this many totals, of at most `rows` rows each; all empty.

    together: how many totals a call sums in all its pieces, on which it depends what is best for each.
    """
    longest = rows // 3 if together >= 32 else rows
    return Listed(np.empty((totals, rows), np.int32), np.zeros((totals, 2), np.int64), longest)


@inner
def padded(n, size):
    """How long a total of n columns of this many bytes is kept: whole words of 64 units, and odd in cache lines, so
    that totals share no sets.
    """
    return (n + 63) // 64 * 64 + _LINE // size


@inner
def aligned(size, like):
    """(size,) zeros of the type of the array `like`, which begin with a cache line: vectors that lie in two take twice
    as long.
    """
    line = _LINE // like.itemsize
    room = np.zeros(size + line, like.dtype)
    first = -(room.ctypes.data // like.itemsize) % line
    return room[first : first + size]


@inner
def new_totals(count, n, like):
    """(count, `padded`) zeros of the type of the array `like`: totals of n columns, each in cache lines of its own."""
    width = padded(n, like.itemsize)
    return aligned(count * width, like).reshape((count, width))


def new_panels(rows: int, n: int, dtype: torch.dtype = torch.float32) -> np.ndarray:
    """Panels (⌈n / columns⌉, rows, columns) of zeros, aligned to cache lines, for a matrix (rows, n)."""
    columns = _ROW // dtype.itemsize
    panels = torch.empty(-(-n // columns), rows, columns, dtype=dtype).numpy()
    panels[:] = 0  # by NumPy: torch would share it among threads that then spin
    return panels


def in_panels(matrix: np.ndarray) -> np.ndarray:
    """A matrix (R, n) in panels of its type, with zeros beyond the last column."""
    panels = new_panels(*matrix.shape, torch.from_numpy(matrix).dtype)
    width = panels.shape[2]
    for first, panel in zip(range(0, matrix.shape[1], width), panels, strict=True):
        columns = matrix[:, first : first + width]
        panel[:, : columns.shape[1]] = columns
    return panels


class _Cells:
    """Emits code for arrays of float32 or of int16: it loads, stores, adds and subtracts vectors of `size` bytes."""

    def __init__(self, build: ir.IRBuilder, array: types.Array, size: int = _WIDE) -> None:
        whole = array.dtype == types.int16
        assert whole or array.dtype == types.float32
        self.build, self.lanes, self.vectors = build, size // (2 if whole else 4), _ROW // size
        self.vector = ir.VectorType(ir.IntType(16) if whole else ir.FloatType(), self.lanes)
        self.add, self.subtract = (build.add, build.sub) if whole else (build.fadd, build.fsub)
        self.columns = self.vectors * self.lanes
        self.zero = ir.Constant(self.vector, [0 if whole else 0.0] * self.lanes)

    def at(self, start: ir.Value, vector: int) -> ir.Value:
        place = self.build.gep(start, [_I64(self.lanes * vector)])
        return self.build.bitcast(place, ir.PointerType(self.vector))

    def load(self, start: ir.Value, vectors: int | None = None) -> list[ir.Value]:
        return [self.build.load(self.at(start, i), align=2) for i in range(vectors or self.vectors)]

    def store(self, vectors: list[ir.Value], start: ir.Value) -> None:
        for i, value in enumerate(vectors):
            self.build.store(value, self.at(start, i), align=2)


def for_each(
    build: ir.IRBuilder, first: ir.Value, last: ir.Value, sums: list, work: Callable
) -> list[ir.Value]:
    """Emits a loop over first … last − 1; work(number, sums) gives the sums after a round. Returns those at its end."""
    before, head = build.block, build.append_basic_block()
    body, after = build.append_basic_block(), build.append_basic_block()
    build.branch(head)
    build.position_at_end(head)
    number = build.phi(_I64)
    carried = [build.phi(s.type) for s in sums]
    build.cbranch(build.icmp_signed("<", number, last), body, after)
    build.position_at_end(body)
    results = [build.add(number, _I64(1)), *work(number, carried)]
    for phi, start, result in zip([number, *carried], [first, *sums], results, strict=True):
        phi.add_incoming(start, before)
        phi.add_incoming(result, build.block)
    build.branch(head)
    build.position_at_end(after)
    return carried


def _listed_adder(together):
    @intrinsic
    def add_listed(typing_context, totals, panels, numbers, panel, start, total, plus, minus):
        """The columns of `together` panels of totals[total] = totals[start] + Σ panels[panel, r], r the first `plus` of
        numbers[total], − the last `minus`.
        """
        signature = types.void(totals, panels, numbers, *[types.int64] * 5)

        def codegen(context, build, signature, args):
            arrays = [
                context.make_array(t)(context, build, a)
                for t, a in zip(signature.args, args[:3], strict=False)
            ]
            shapes = [cgutils.unpack_tuple(build, array.shape) for array in arrays]
            panel, start, total, plus, minus = args[3:]
            cells = _Cells(build, signature.args[1])
            columns = _I64(cells.columns)
            before, place = (
                build.gep(arrays[0].data, [build.add(build.mul(g, shapes[0][1]), build.mul(panel, columns))])
                for g in (start, total)
            )
            height = build.mul(shapes[1][1], columns)
            sources = [
                build.gep(arrays[1].data, [build.mul(build.add(panel, _I64(i)), height)])
                for i in range(together)
            ]
            length = shapes[2][1]
            listed = build.gep(arrays[2].data, [build.mul(total, length)])

            def with_row(operation):
                def work(number, sums):
                    row = build.sext(build.load(build.gep(listed, [number])), _I64)
                    offset = build.mul(row, columns)
                    values = [x for s in sources for x in cells.load(build.gep(s, [offset]))]
                    return [operation(s, x) for s, x in zip(sums, values, strict=True)]

                return work

            n = together * cells.vectors
            sums = cells.load(before, n)
            sums = for_each(build, _I64(0), plus, sums, with_row(cells.add))
            sums = for_each(build, build.sub(length, minus), length, sums, with_row(cells.subtract))
            cells.store(sums, place)
            return context.get_dummy_value()

        return signature, codegen

    return add_listed


_add_to_one, _add_to_two = _listed_adder(1), _listed_adder(2)


@inner
def add_rows(totals, panels, lists):
    """totals[g] += Σ rows that its list gains, less those that it loses.

    totals: `new_totals`, of the panels' type. panels: or the first few, for the columns that are wanted.
    """
    _add_rows(totals, panels, lists, 0)


@inner
def add_up_rows(totals, panels, lists):
    """totals[g] = totals[g − 1] + Σ rows that its list gains, less those that it loses; totals[0] += its own."""
    _add_rows(totals, panels, lists, 1)


@inner
def _add_rows(totals, panels, lists, back):
    numbers, counts, _ = lists
    pairs = panels.shape[0] // 2 * 2
    for panel in range(0, pairs, 2):
        for g in range(counts.shape[0]):
            start = max(g - back, 0)
            _add_to_two(totals, panels, numbers, panel, start, g, counts[g, 0], counts[g, 1])
    for panel in range(pairs, panels.shape[0]):
        for g in range(counts.shape[0]):
            start = max(g - back, 0)
            _add_to_one(totals, panels, numbers, panel, start, g, counts[g, 0], counts[g, 1])


@intrinsic
def _put_sums(typing_context, table, q, rows, first):
    """table[q, m] = Σ rows[first + 4q + i] over the bits i that are set in m, for the 16 m of 4 bits."""
    signature = types.void(table, types.int64, rows, types.int64)

    def codegen(context, build, signature, args):
        arrays = [context.make_array(signature.args[i])(context, build, args[i]).data for i in (0, 2)]
        cells = _Cells(build, signature.args[2])
        row = build.add(args[3], build.mul(args[1], _I64(4)))
        table = build.gep(arrays[0], [build.mul(args[1], _I64(16 * cells.columns))])
        rows = build.gep(arrays[1], [build.mul(row, _I64(cells.columns))])
        for v in range(cells.vectors):
            single = [build.load(cells.at(rows, i * cells.vectors + v), align=2) for i in range(4)]
            sums = [cells.zero]
            for m in range(1, 16):
                top = m.bit_length() - 1
                rest = m - (1 << top)
                sums.append(cells.add(sums[rest], single[top]) if rest else single[top])
            for m, total in enumerate(sums):
                build.store(total, cells.at(table, m * cells.vectors + v), align=2)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _add_sums(typing_context, totals, table, total, panel, bits):
    """The columns of a panel of totals[total] += Σ table[q, m] over the 16 groups q of 4 bits m in `bits`."""
    signature = types.void(totals, table, types.int64, types.int64, types.uint64)

    def codegen(context, build, signature, args):
        totals, table = (
            context.make_array(t)(context, build, a) for t, a in zip(signature.args, args[:2], strict=False)
        )
        total, panel, bits = args[2:]
        cells = _Cells(build, signature.args[1])
        columns, stride = _I64(cells.columns), cgutils.unpack_tuple(build, totals.shape)[1]
        place = build.gep(totals.data, [build.add(build.mul(total, stride), build.mul(panel, columns))])
        sums = cells.load(place)
        for q in range(16):
            m = build.and_(build.lshr(bits, _I64(4 * q)), _I64(15))
            entry = build.gep(table.data, [build.mul(build.add(m, _I64(16 * q)), columns)])
            sums = [cells.add(s, x) for s, x in zip(sums, cells.load(entry), strict=True)]
        cells.store(sums, place)
        return context.get_dummy_value()

    return signature, codegen


@inner
def sum_rows(totals, panels, states, lists):
    """totals[g] += Σ rows that are on in states[g], bits, for the g whose list is `ALL`.

    The 16 sums of every four rows are made once for all totals, which then need one of them for four rows: less work
    than lists where more than a quarter of the rows is wanted, and no branch to guess.
    """
    wanted = np.empty(lists.counts.shape[0], np.int64)
    n = 0
    for total in range(wanted.shape[0]):
        if lists.counts[total, 0] == ALL:
            wanted[n] = total
            n += 1
    rows, columns = panels.shape[1:]
    bits = np.empty((states.shape[1], n), np.uint64)  # side by side, as they are read
    for i in range(n):
        for block in range(bits.shape[0]):
            bits[block, i] = states[wanted[i], block]
    table = aligned(16 * 16 * columns, panels).reshape((16, 16, columns))
    last = np.zeros((64, columns), panels.dtype)
    for panel in range(panels.shape[0] if n else 0):
        for r in range(rows // 64 * 64, rows):
            copy_row(panels[panel, r], last[r % 64])
        for block in range(bits.shape[0]):
            for q in range(16):
                if 64 * block + 64 <= rows:
                    _put_sums(table, q, panels[panel], 64 * block)
                else:
                    _put_sums(table, q, last, 0)
            for i in range(n):
                _add_sums(totals, table, wanted[i], panel, bits[block, i])


@intrinsic
def _put_strip(typing_context, x, panels, panel, row):
    """panels[panel, row] = the panel's columns of x. numba's own loop would do it a number at a time."""
    signature = types.void(x, panels, types.int64, types.int64)

    def codegen(context, build, signature, args):
        source, target = (
            context.make_array(t)(context, build, a) for t, a in zip(signature.args, args[:2], strict=False)
        )
        panel, row = args[2:]
        cells = _Cells(build, signature.args[0])
        columns, height = _I64(cells.columns), cgutils.unpack_tuple(build, target.shape)[1]
        values = cells.load(build.gep(source.data, [build.mul(panel, columns)]))
        offset = build.mul(build.add(build.mul(panel, height), row), columns)
        cells.store(values, build.gep(target.data, [offset]))
        return context.get_dummy_value()

    return signature, codegen


@inner
def put_row(x, row, panels):
    """A row of a matrix in panels becomes x, of their type and as long as they are together."""
    for panel in range(panels.shape[0]):
        _put_strip(x, panels, panel, row)


@intrinsic
def _transpose_square(typing_context, source, row, column, target, panel, at, first):
    """target[panel, at + j, first + i] = source[row + i, column + j] for i, j as many as a vector has lanes."""
    signature = types.void(source, types.int64, types.int64, target, *[types.int64] * 3)

    def codegen(context, build, signature, args):
        rows = context.make_array(signature.args[0])(context, build, args[0])
        out = context.make_array(signature.args[3])(context, build, args[3])
        row, column = args[1:3]
        panel, at, first = args[4:]
        cells = _Cells(build, signature.args[0], _NARROW)
        lanes = range(cells.lanes)
        stride = cgutils.unpack_tuple(build, rows.shape)[1]
        height = cgutils.unpack_tuple(build, out.shape)[1]

        def shuffled(a, b, order):
            return build.shuffle_vector(a, b, ir.Constant(ir.VectorType(_I32, cells.lanes), order))

        lines = []
        for i in lanes:
            offset = build.add(build.mul(build.add(row, _I64(i)), stride), column)
            lines += cells.load(build.gep(rows.data, [offset]), 1)
        # Again and again: lane l of line i changes places with lane l ± d of line i ± d, for d = (8,) 4, 2, 1.
        d = cells.lanes // 2
        while d:
            for i in (i for i in lanes if not i & d):
                a, b = lines[i], lines[i + d]
                lines[i] = shuffled(a, b, [n if not n & d else cells.lanes + n - d for n in lanes])
                lines[i + d] = shuffled(a, b, [n + d if not n & d else cells.lanes + n for n in lanes])
            d //= 2
        for j, line in enumerate(lines):
            entry = build.add(build.mul(panel, height), build.add(at, _I64(j)))
            offset = build.add(build.mul(entry, _I64(cells.columns)), first)
            cells.store([line], build.gep(out.data, [offset]))
        return context.get_dummy_value()

    return signature, codegen


@inner
def put_transposed(source, panel, panels):
    """panels[panel, j, i] = source[i, j] for as many rows i as a panel has columns. source: of their type."""
    n, columns = panels.shape[1:]
    lanes = columns * _NARROW // _ROW
    for j in range(0, n - lanes + 1, lanes):
        for i in range(0, columns, lanes):
            _transpose_square(source, i, j, panels, panel, j, i)
    for j in range(n - n % lanes, n):
        for i in range(columns):
            panels[panel, j, i] = source[i, j]
