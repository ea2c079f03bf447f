"""Sums of rows of a matrix, each row added or taken away where a list says so.

A product with a matrix of zeros and ones is a sum of rows. Its speed is decided by where the rows come from, so the
matrix is kept in panels of 32 columns: the rows of one panel lie side by side (W of 784 × 500: 100 KB), stay in the
first two caches while every total that wants some of them passes by, and the 32 columns of a total stay in four vector
registers meanwhile. Every total is summed in the order of its own list, so that it does not depend on which others are
summed beside it.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from llvmlite import ir
from numba import types, uint64
from numba.core import cgutils
from numba.extending import intrinsic

from rbm_core.kernels.primitives import copy_row, inner

__all__ = [
    "ALL",
    "PANEL",
    "Listed",
    "add_rows",
    "in_panels",
    "new_lists",
    "padded",
    "put_in_panels",
    "put_row",
    "put_transposed",
    "sum_rows",
]

PANEL = 32  # columns
ALL = -1  # in place of a count: the total is the sum of all rows that are on; `sum_rows` makes it
_LANES = 8  # float32 numbers in a vector of 256 bits; LLVM splits it where vectors are shorter

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_VECTOR = ir.VectorType(ir.FloatType(), _LANES)


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
def padded(n):
    """How long a total of n columns is kept: whole words of 64 units, and odd in cache lines, so that totals share no
    sets.
    """
    return (n + 63) // 64 * 64 + 16


def in_panels(matrix: np.ndarray) -> np.ndarray:
    """(R, n) float32 as panels (⌈n / 32⌉, R, 32), with zeros beyond the last column; aligned to cache lines."""
    rows, n = matrix.shape
    panels = torch.zeros(-(-n // PANEL), rows, PANEL).numpy()
    put_in_panels(matrix, panels)
    return panels


def put_in_panels(matrix: np.ndarray, panels: np.ndarray) -> None:
    """`in_panels` into memory that is there."""
    for first, panel in zip(range(0, matrix.shape[1], PANEL), panels, strict=True):
        columns = matrix[:, first : first + PANEL]
        panel[:, : columns.shape[1]] = columns


def _at(build: ir.IRBuilder, start: ir.Value, vector: int) -> ir.Value:
    return build.bitcast(build.gep(start, [_I64(_LANES * vector)]), ir.PointerType(_VECTOR))


def _load(build: ir.IRBuilder, start: ir.Value, vectors: int) -> list[ir.Value]:
    return [build.load(_at(build, start, i), align=4) for i in range(vectors)]


def _for_each(
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


@intrinsic
def _add_listed(typing_context, totals, panels, numbers, panel, total, plus, minus):
    """totals[total, 32 · panel :] += Σ panels[panel, r], r the first `plus` of numbers[total], − the last `minus`."""
    signature = types.void(totals, panels, numbers, *[types.int64] * 4)

    def codegen(context, build, signature, args):
        arrays = [
            context.make_array(t)(context, build, a) for t, a in zip(signature.args, args[:3], strict=False)
        ]
        shapes = [cgutils.unpack_tuple(build, array.shape) for array in arrays]
        panel, total, plus, minus = args[3:]
        start = build.add(build.mul(total, shapes[0][1]), build.mul(panel, _I64(PANEL)))
        place = build.gep(arrays[0].data, [start])
        source = build.gep(arrays[1].data, [build.mul(panel, build.mul(shapes[1][1], _I64(PANEL)))])
        length = shapes[2][1]
        listed = build.gep(arrays[2].data, [build.mul(total, length)])

        def with_row(operation):
            def work(number, sums):
                row = build.sext(build.load(build.gep(listed, [number])), _I64)
                values = _load(build, build.gep(source, [build.mul(row, _I64(PANEL))]), len(sums))
                return [operation(s, x) for s, x in zip(sums, values, strict=True)]

            return work

        sums = _load(build, place, PANEL // _LANES)
        sums = _for_each(build, _I64(0), plus, sums, with_row(build.fadd))
        sums = _for_each(build, build.sub(length, minus), length, sums, with_row(build.fsub))
        for i, s in enumerate(sums):
            build.store(s, _at(build, place, i), align=4)
        return context.get_dummy_value()

    return signature, codegen


@inner
def add_rows(totals, panels, lists):
    """totals[g] += Σ rows that its list gains, less those that it loses.

    totals: (G, padded(n)) float32. panels: (⌈n / 32⌉, R, 32), or its first few, for the columns that are wanted.
    """
    numbers, counts, _ = lists
    for panel in range(panels.shape[0]):
        for total in range(counts.shape[0]):
            _add_listed(totals, panels, numbers, panel, total, counts[total, 0], counts[total, 1])


@intrinsic
def _put_sums(typing_context, table, q, rows, first):
    """table[q, m] = Σ rows[first + 4q + i] over the bits i that are set in m, for the 16 m of 4 bits."""
    signature = types.void(table, types.int64, rows, types.int64)

    def codegen(context, build, signature, args):
        arrays = [context.make_array(signature.args[i])(context, build, args[i]).data for i in (0, 2)]
        table = build.gep(arrays[0], [build.mul(args[1], _I64(16 * PANEL))])
        rows = build.gep(arrays[1], [build.mul(build.add(args[3], build.mul(args[1], _I64(4))), _I64(PANEL))])
        for v in range(PANEL // _LANES):
            single = [build.load(_at(build, rows, i * PANEL // _LANES + v), align=4) for i in range(4)]
            sums = [ir.Constant(_VECTOR, [0.0] * _LANES)]
            for m in range(1, 16):
                top = m.bit_length() - 1
                rest = m - (1 << top)
                sums.append(build.fadd(sums[rest], single[top]) if rest else single[top])
            for m, total in enumerate(sums):
                build.store(total, _at(build, table, m * PANEL // _LANES + v), align=4)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def _add_sums(typing_context, totals, table, total, panel, bits):
    """totals[total, 32 · panel :] += Σ table[q, m] over the 8 groups q of 4 bits m in `bits`."""
    signature = types.void(totals, table, types.int64, types.int64, types.uint64)

    def codegen(context, build, signature, args):
        totals, table = (
            context.make_array(t)(context, build, a) for t, a in zip(signature.args, args[:2], strict=False)
        )
        total, panel, bits = args[2:]
        stride = cgutils.unpack_tuple(build, totals.shape)[1]
        place = build.gep(totals.data, [build.add(build.mul(total, stride), build.mul(panel, _I64(PANEL)))])
        sums = _load(build, place, PANEL // _LANES)
        for q in range(8):
            m = build.and_(build.lshr(bits, _I64(4 * q)), _I64(15))
            entry = build.gep(table.data, [build.mul(build.add(m, _I64(16 * q)), _I64(PANEL))])
            sums = [build.fadd(s, x) for s, x in zip(sums, _load(build, entry, len(sums)), strict=True)]
        for i, s in enumerate(sums):
            build.store(s, _at(build, place, i), align=4)
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
    table, last, rows = np.empty((8, 16, 32), np.float32), np.zeros((32, 32), np.float32), panels.shape[1]
    for panel in range(panels.shape[0] if n else 0):
        for r in range(rows // 32 * 32, rows):
            copy_row(panels[panel, r], last[r % 32])
        for block in range((rows + 31) // 32):
            for q in range(8):
                if 32 * block + 32 <= rows:
                    _put_sums(table, q, panels[panel], 32 * block)
                else:
                    _put_sums(table, q, last, 0)
            for total in wanted[:n]:
                _add_sums(totals, table, total, panel, states[total, block // 2] >> uint64(32 * (block % 2)))


@intrinsic
def _put_strip(typing_context, x, panels, panel, row):
    """panels[panel, row] = x[32 · panel : 32 · panel + 32]. numba's own loop would do it a number at a time."""
    signature = types.void(x, panels, types.int64, types.int64)

    def codegen(context, build, signature, args):
        source, target = (
            context.make_array(t)(context, build, a) for t, a in zip(signature.args, args[:2], strict=False)
        )
        panel, row = args[2:]
        height = cgutils.unpack_tuple(build, target.shape)[1]
        values = _load(build, build.gep(source.data, [build.mul(panel, _I64(PANEL))]), PANEL // _LANES)
        offset = build.mul(build.add(build.mul(panel, height), row), _I64(PANEL))
        place = build.gep(target.data, [offset])
        for i, value in enumerate(values):
            build.store(value, _at(build, place, i), align=4)
        return context.get_dummy_value()

    return signature, codegen


@inner
def put_row(x, row, panels):
    """A row of a matrix in panels becomes x, which is as long as whole panels."""
    for panel in range(panels.shape[0]):
        _put_strip(x, panels, panel, row)


@intrinsic
def _transpose_eight(typing_context, source, row, column, target, panel, at, first):
    """target[panel, at + j, first + i] = source[row + i, column + j] for i, j < 8."""
    signature = types.void(source, types.int64, types.int64, target, *[types.int64] * 3)

    def codegen(context, build, signature, args):
        rows = context.make_array(signature.args[0])(context, build, args[0])
        out = context.make_array(signature.args[3])(context, build, args[3])
        row, column = args[1:3]
        panel, at, first = args[4:]
        stride = cgutils.unpack_tuple(build, rows.shape)[1]
        height = cgutils.unpack_tuple(build, out.shape)[1]

        def shuffled(a, b, order):
            return build.shuffle_vector(a, b, ir.Constant(ir.VectorType(_I32, _LANES), order))

        lines = []
        for i in range(_LANES):
            offset = build.add(build.mul(build.add(row, _I64(i)), stride), column)
            lines += _load(build, build.gep(rows.data, [offset]), 1)
        # Thrice: lane l of line i changes places with lane l ± d of line i ± d, for d = 4, 2, 1.
        for d in (4, 2, 1):
            for i in (i for i in range(_LANES) if not i & d):
                a, b = lines[i], lines[i + d]
                lines[i] = shuffled(a, b, [lane if not lane & d else 8 + lane - d for lane in range(8)])
                lines[i + d] = shuffled(a, b, [lane + d if not lane & d else 8 + lane for lane in range(8)])
        for j, line in enumerate(lines):
            offset = build.mul(build.add(build.mul(panel, height), build.add(at, _I64(j))), _I64(PANEL))
            build.store(line, _at(build, build.gep(out.data, [build.add(offset, first)]), 0), align=4)
        return context.get_dummy_value()

    return signature, codegen


@inner
def put_transposed(source, panel, panels):
    """panels[panel, j, i] = source[i, j] for 32 rows i. source: (32, at least R) float32."""
    n = panels.shape[1]
    for j in range(0, n - 7, 8):
        for i in range(0, 32, 8):
            _transpose_eight(source, i, j, panels, panel, j, i)
    for j in range(n - n % 8, n):
        for i in range(32):
            panels[panel, j, i] = source[i, j]
