"""Passes over a row of what an update reads and writes: hidden means; centring, a step of W, rounding, and their sums.

Written out in vectors: numba's loops over so many arrays are not vectorised for fear that they overlap, and in sums of
theirs the addresses of the arrays can decide the order. Arrays that are as long as a row of W are padded with zeros to
whole vectors. W itself is not: what is left over at the end of its rows goes through a vector on the stack.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from rbm_core.kernels.rows import for_each
from rbm_core.kernels.vectors import LANES, VECTOR, WHOLE, call, constant, splat

__all__ = ["centre_row", "mean_row", "round_row", "step_row"]

_F32, _I16, _I32, _I64 = ir.FloatType(), ir.IntType(16), ir.IntType(32), ir.IntType(64)
_ZERO = constant(0.0)


class _Row:
    """A row of an array of float32 or int16, or all of one with one axis, in vectors of LANES numbers."""

    def __init__(
        self, context: Any, build: ir.IRBuilder, kind: types.Array, array: Any, row: ir.Value
    ) -> None:
        made = context.make_array(kind)(context, build, array)
        self.build, self.whole = build, kind.dtype == types.int16
        self.n = cgutils.unpack_tuple(build, made.shape)[-1]
        self.start = build.gep(made.data, [build.mul(row, self.n)]) if kind.ndim == 2 else made.data

    def at(self, column: ir.Value) -> ir.Value:
        kind = ir.VectorType(_I16 if self.whole else _F32, LANES)
        return self.build.bitcast(self.build.gep(self.start, [column]), ir.PointerType(kind))

    def load(self, column: ir.Value) -> ir.Value:
        """16 numbers as float32."""
        value = self.build.load(self.at(column), align=2)
        return self.build.sitofp(value, VECTOR) if self.whole else value

    def store(self, value: ir.Value, column: ir.Value) -> None:
        """value in the row's type, float32 rounded to the nearest whole number where it has those."""
        if self.whole:
            value = self.build.fptosi(call(self.build, "rint", value), ir.VectorType(_I16, LANES))
        self.build.store(value, self.at(column), align=2)

    def add(self, value: ir.Value, column: ir.Value) -> None:
        self.store(self.build.fadd(self.load(column), value), column)


def _of_lanes(build: ir.IRBuilder, vector: ir.Value, join: Callable[..., ir.Value]) -> ir.Value:
    """One number of all lanes, in an order that is always the same."""
    n = LANES
    while n > 1:
        n //= 2
        halves = [
            build.shuffle_vector(
                vector, vector, ir.Constant(ir.VectorType(_I32, n), list(range(first, first + n)))
            )
            for first in (0, n)
        ]
        vector = join(*halves)
    return build.extract_element(vector, _I32(0))


def _over(
    build: ir.IRBuilder, row: _Row, sums: list[ir.Value], work: Callable[..., list[ir.Value]]
) -> list[ir.Value]:
    """work(column, place, sums) for every vector of a row that is not padded; place: where its 16 numbers are."""
    whole = build.sdiv(row.n, _I64(LANES))

    def in_place(i: ir.Value, sums: list[ir.Value]) -> list[ir.Value]:
        column = build.mul(i, _I64(LANES))
        return work(column, row.at(column), sums)

    sums = for_each(build, _I64(0), whole, sums, in_place)
    column = build.mul(whole, _I64(LANES))
    left = build.sub(row.n, column)
    rest = cgutils.alloca_once(build, VECTOR)
    numbers, end = build.bitcast(rest, ir.PointerType(_F32)), build.gep(row.start, [column])

    def copied(source: ir.Value, target: ir.Value) -> Callable[..., list[ir.Value]]:
        def copy(i: ir.Value, sums: list[ir.Value]) -> list[ir.Value]:
            build.store(build.load(build.gep(source, [i])), build.gep(target, [i]))
            return []

        return copy

    def at_the_end(_: ir.Value, sums: list[ir.Value]) -> list[ir.Value]:
        build.store(_ZERO, rest)
        for_each(build, _I64(0), left, [], copied(end, numbers))
        sums = work(column, rest, sums)
        for_each(build, _I64(0), left, [], copied(numbers, end))
        return sums

    some = build.zext(build.icmp_signed(">", left, _I64(0)), _I64)
    return for_each(build, _I64(0), some, sums, at_the_end)


def _centred(
    build: ir.IRBuilder, rows: list[_Row], scalars: list[ir.Value], column: ir.Value, total: ir.Value
) -> tuple[ir.Value, ir.Value]:
    """(16 numbers of the centred gradient, the total of their products with λ); those with μ are added up."""
    x, h_difference, h_offset, mu_grad = rows
    mu, difference = scalars
    offset = h_offset.load(column)
    own = build.fadd(build.fmul(mu, h_difference.load(column)), build.fmul(difference, offset))
    g = build.fsub(x.load(column), own)
    mu_grad.add(build.fmul(mu, g), column)
    return g, build.fadd(total, build.fmul(g, offset))


def _rounded(
    build: ir.IRBuilder, w: ir.Value, rows: list[_Row], per_unit: ir.Value, column: ir.Value, totals: list
) -> list[ir.Value]:
    """16 weights go into their panels' type and into the sums of columns; [Σ w, Σ |w|] of the row after them."""
    some, sums, sizes = rows
    some.store(build.fmul(per_unit, w), column)
    if not some.whole:
        return totals
    size = call(build, "fabs", w)
    sums.add(w, column)
    sizes.add(size, column)
    return [build.fadd(t, more) for t, more in zip(totals, (w, size), strict=True)]


# exp by Cephes' expf, as `primitives._exp` has it: relative error below 2e-7.
_LOG2_E, _LN2_HIGH, _LN2_LOW = 1.4426950408889634, 0.693359375, -2.12194440e-4
_EXP = (
    1.9875691500e-4,
    1.3981999507e-3,
    8.3334519073e-3,
    4.1665795894e-2,
    1.6666665459e-1,
    5.0000001201e-1,
)


def _exp_of_negative(build: ir.IRBuilder, y: ir.Value) -> ir.Value:
    """exp(y) of 16 numbers from −80 to 0."""
    k = call(build, "rint", build.fmul(y, constant(_LOG2_E)))
    g = call(build, "fmuladd", k, constant(-_LN2_HIGH), y)
    g = call(build, "fmuladd", k, constant(-_LN2_LOW), g)
    p = constant(_EXP[0])
    for coefficient in _EXP[1:]:
        p = call(build, "fmuladd", p, g, constant(coefficient))
    e = call(build, "fmuladd", build.fmul(p, g), g, build.fadd(g, constant(1.0)))
    exponent = build.add(build.fptosi(k, WHOLE), constant(127, WHOLE))
    power = build.bitcast(build.shl(exponent, constant(23, WHOLE)), VECTOR)
    return build.fmul(e, power)


@intrinsic
def mean_row(typing_context, x, i, scale, shift, share, h, first, last):
    """h[j] = share · σ(z) with z = scale · x[i, j] + shift[j], j from `first` to `last`, 512 at most, whole vectors.

    Returns (Σ max(z, 0), ∏ (1 + exp(−|z|))), of which the first and the logarithm of the other make Σ softplus(z).
    """
    signature = types.UniTuple(types.float64, 2)(
        x, types.int64, types.float32, shift, types.float32, h, types.int64, types.int64
    )

    def codegen(context, build, signature, args):
        kinds = signature.args
        sums, bias, means = (_Row(context, build, kinds[at], args[at], args[1]) for at in (0, 3, 5))
        scale, share = splat(build, args[2]), splat(build, args[4])
        one, wide = constant(1.0), ir.VectorType(ir.DoubleType(), LANES)

        def work(number, totals):
            column = build.mul(number, _I64(LANES))
            z = call(build, "fmuladd", scale, sums.load(column), bias.load(column))
            # Selects and not LLVM's minimum and maximum, which make a number of what is none.
            size, most = call(build, "fabs", z), constant(80.0)
            size = build.select(build.fcmp_ordered(">", size, most), most, size)
            positive = build.select(build.fcmp_ordered("<", z, _ZERO), _ZERO, z)
            e = _exp_of_negative(build, build.fneg(size))
            growth = build.fadd(e, one)
            on = build.fcmp_unordered(">=", z, _ZERO)
            p = build.fdiv(build.fmul(share, build.select(on, one, e)), growth)
            means.store(p, column)
            return [build.fadd(totals[0], positive), build.fmul(totals[1], growth)]

        begin, end = (build.sdiv(args[at], _I64(LANES)) for at in (6, 7))
        positive, product = (build.fpext(t, wide) for t in for_each(build, begin, end, [_ZERO, one], work))
        both = _of_lanes(build, positive, build.fadd), _of_lanes(build, product, build.fmul)
        return cgutils.pack_array(build, both)

    return signature, codegen


@intrinsic
def centre_row(typing_context, x, i, h_difference, h_offset, mu_grad, block, mu, difference):
    """x[i] −= μ Δ⟨h⟩ + Δ⟨v⟩ λ, and mu_grad[block] += μ x[i]; returns x[i] · λ. All as long as a row of x."""
    signature = types.float32(
        x, types.int64, h_difference, h_offset, mu_grad, types.int64, types.float32, types.float32
    )

    def codegen(context, build, signature, args):
        kinds = signature.args
        rows = [
            _Row(context, build, kinds[at], args[at], args[row])
            for at, row in ((0, 1), (2, 1), (3, 1), (4, 5))
        ]
        scalars = [splat(build, value) for value in args[6:]]

        def work(number, sums):
            column = build.mul(number, _I64(LANES))
            g, total = _centred(build, rows, scalars, column, sums[0])
            rows[0].store(g, column)
            return [total]

        vectors = build.sdiv(rows[0].n, _I64(LANES))
        return _of_lanes(build, for_each(build, _I64(0), vectors, [_ZERO], work)[0], build.fadd)

    return signature, codegen


@intrinsic
def step_row(
    typing_context, x, row, h_difference, h_offset, mu_grad, block, mu, difference, W, i, rate, decay, some,
    per_unit, sums, sizes,
):  # fmt: skip
    """`centre_row` of x[row] without a change of it, W[i] += rate · (that − decay · W[i]), and `round_row` of W[i].

    Returns (x[row] · λ, Σ W[i], Σ |W[i]|).
    """
    signature = types.UniTuple(types.float32, 3)(
        x, types.int64, h_difference, h_offset, mu_grad, types.int64, types.float32, types.float32, W, types.int64,
        types.float32, types.float32, some, types.float32, sums, sizes,
    )  # fmt: skip

    def codegen(context, build, signature, args):
        kinds = signature.args
        centring = [
            _Row(context, build, kinds[at], args[at], args[row])
            for at, row in ((0, 1), (2, 1), (3, 1), (4, 5))
        ]
        scalars = [splat(build, value) for value in args[6:8]]
        weights = _Row(context, build, kinds[8], args[8], args[9])
        rate, decay, per_unit = (splat(build, args[at]) for at in (10, 11, 13))
        rounding = [
            _Row(context, build, kinds[at], args[at], args[row]) for at, row in ((12, 1), (14, 5), (15, 5))
        ]

        def work(column, place, totals):
            g, total = _centred(build, centring, scalars, column, totals[0])
            w = build.load(place, align=4)
            w = build.fadd(w, build.fmul(rate, build.fsub(g, build.fmul(decay, w))))
            build.store(w, place, align=4)
            return [total, *_rounded(build, w, rounding, per_unit, column, totals[1:])]

        totals = _over(build, weights, [_ZERO] * 3, work)
        return cgutils.pack_array(build, [_of_lanes(build, t, build.fadd) for t in totals])

    return signature, codegen


@intrinsic
def round_row(typing_context, W, i, some, row, per_unit, sums, sizes, block):
    """some[row] = per_unit · W[i] in its type. Of int16, sums[block] += W[i] and sizes[block] += |W[i]|.

    Returns (Σ W[i], Σ |W[i]|), 0 where nothing is rounded.
    """
    signature = types.UniTuple(types.float32, 2)(
        W, types.int64, some, types.int64, types.float32, sums, sizes, types.int64
    )

    def codegen(context, build, signature, args):
        kinds = signature.args
        weights = _Row(context, build, kinds[0], args[0], args[1])
        rows = [_Row(context, build, kinds[at], args[at], args[row]) for at, row in ((2, 3), (5, 7), (6, 7))]
        per_unit = splat(build, args[4])

        def work(column, place, totals):
            return _rounded(build, build.load(place, align=4), rows, per_unit, column, totals)

        totals = _over(build, weights, [_ZERO] * 2, work)
        return cgutils.pack_array(build, [_of_lanes(build, t, build.fadd) for t in totals])

    return signature, codegen
