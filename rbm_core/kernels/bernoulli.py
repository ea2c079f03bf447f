"""Bernoulli draws from logits: 16 random bits decide nearly every unit, and what they leave open 16 more decide.

A unit with logit z fires where u < σ(z), with u made of 32 random bits as `primitives._fires` makes it. The upper 16
of them say which as a rule, even with an exponential that is wrong by 8 in 100,000: 5 units in 65,536 are left open.
Those get their lower 16 bits from a second call, whose number is 2⁴⁷ higher, and the exact comparison. So the outcome
is that of 32 bits for every unit, at half the random numbers and half the exponential.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import float32, njit, types, uint8, uint32, uint64
from numba.core import cgutils
from numba.extending import intrinsic

from rbm_core.kernels.primitives import INNER, _fires, _philox_row, inner, lowest_bit, philox_words
from rbm_core.kernels.vectors import LANES, VECTOR, WHOLE, call, constant, splat

__all__ = ["SECOND_CALL", "another_byte", "draw_row", "packed", "random_for", "unpack"]

SECOND_CALL = 2**47  # added to the number of a call for the lower bits of the units it left open
_I8, _I16, _I32, _I64 = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64)

# 2^f on [−½, ½] by a cubic: relative error below 8e-5, so σ is off by at most a quarter of it, 1.3 / 65,536; half a
# step of the 16 bits and float32 rounding come on top.
_CUBIC = (0.05517167, 0.24261113, 0.69326099, 0.99992807)
_OPEN = 2.5
_ROUND = (
    1.5 * 2.0**23
)  # x + _ROUND − _ROUND is x rounded, and the lowest bits of x + _ROUND are that whole number
_FARTHEST = 40.0  # logits beyond ± this act as it: their p and 1 − p are below the draws' resolution


def _lanes(build: ir.IRBuilder, data: ir.Value, start: ir.Value, kind: ir.VectorType, align: int) -> ir.Value:
    return build.load(build.bitcast(build.gep(data, [start]), ir.PointerType(kind)), align=align)


def _rough_growth(build: ir.IRBuilder, z: ir.Value) -> ir.Value:
    """1 + e⁻ᶻ as far as `_CUBIC` goes, z within ± `_FARTHEST`."""
    per_unit = constant(-1.4426950408889634)
    shifted = call(build, "fmuladd", z, per_unit, constant(_ROUND))
    whole = build.fsub(shifted, constant(_ROUND))
    f = call(build, "fmuladd", z, per_unit, build.fneg(whole))
    power = constant(_CUBIC[0])
    for coefficient in _CUBIC[1:]:
        power = call(build, "fmuladd", power, f, constant(coefficient))
    exponent = build.shl(build.bitcast(shifted, WHOLE), constant(23, WHOLE))
    return build.fadd(build.bitcast(build.add(build.bitcast(power, WHOLE), exponent), VECTOR), constant(1.0))


@intrinsic
def _decided(typing_context, x, shift, scale, random, word):
    """(which of the 64 units from 64 · word fire, which are left open), a bit each; x: float32 or int16; random:
    uint32, of which every unit takes half a word.
    """
    signature = types.UniTuple(types.uint64, 2)(x, shift, scale, random, types.int64)

    def codegen(context: Any, build: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        x, shift, random = (
            context.make_array(signature.args[i])(context, build, args[i]).data for i in (0, 1, 3)
        )
        random = build.bitcast(random, ir.PointerType(_I16))
        first = build.mul(args[4], _I64(64))
        scale = splat(build, args[2])
        fires, opens = [], []
        for i in range(64 // LANES):
            start = build.add(first, _I64(LANES * i))
            if signature.args[0].dtype == types.int16:
                sums = build.sitofp(_lanes(build, x, start, ir.VectorType(_I16, LANES), 2), VECTOR)
            else:
                sums = _lanes(build, x, start, VECTOR, 4)
            z = call(build, "fmuladd", scale, sums, _lanes(build, shift, start, VECTOR, 4))
            for limit, beyond in ((-_FARTHEST, "<"), (_FARTHEST, ">")):
                limits = constant(limit)
                z = build.select(build.fcmp_ordered(beyond, z, limits), limits, z)
            growth = _rough_growth(build, z)
            r = _lanes(build, random, start, ir.VectorType(_I16, LANES), 2)
            middle = build.fadd(build.uitofp(r, VECTOR), constant(0.5))
            rest = call(build, "fmuladd", build.fneg(middle), growth, constant(65536.0))
            fires.append(build.fcmp_ordered(">", rest, constant(0.0)))
            near = build.fmul(growth, constant(_OPEN))
            opens.append(build.fcmp_unordered("<", call(build, "fabs", rest), near))
        return cgutils.pack_array(build, [_joined(build, fires), _joined(build, opens)])

    return signature, codegen


def _joined(build: ir.IRBuilder, parts: list[ir.Value]) -> ir.Value:
    """Vectors of bits, one after the other, as one uint64."""
    while len(parts) > 1:
        length = 2 * parts[0].type.count
        order = ir.Constant(ir.VectorType(_I32, length), list(range(length)))
        parts = [build.shuffle_vector(a, b, order) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return build.bitcast(parts[0], _I64)


@intrinsic
def packed(typing_context, bytes_, word):
    """The bytes 64 · word … of zeros and others, as the bits of a uint64."""

    def codegen(context: Any, build: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        kind = ir.VectorType(_I8, 64)
        array = context.make_array(signature.args[0])(context, build, args[0])
        start = build.gep(array.data, [build.mul(args[1], _I64(64))])
        loaded = build.load(build.bitcast(start, ir.PointerType(kind)), align=1)
        return build.bitcast(build.icmp_unsigned("!=", loaded, ir.Constant(kind, [0] * 64)), _I64)

    return types.uint64(bytes_, types.int64), codegen


@intrinsic
def unpack(typing_context, words, row, word, bytes_):
    """The bytes 64 · word … of bytes_[row], 0 or 1, from the bits of words[row, word]."""
    signature = types.void(words, types.int64, types.int64, bytes_)

    def codegen(context: Any, build: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        bits, out = (context.make_array(signature.args[i])(context, build, args[i]) for i in (0, 3))
        n, m = (cgutils.unpack_tuple(build, array.shape)[1] for array in (bits, out))
        given = build.load(build.gep(bits.data, [build.add(build.mul(args[1], n), args[2])]))
        ones = build.zext(build.bitcast(given, ir.VectorType(ir.IntType(1), 64)), ir.VectorType(_I8, 64))
        start = build.add(build.mul(args[1], m), build.mul(args[2], _I64(64)))
        build.store(ones, build.bitcast(build.gep(out.data, [start]), ir.PointerType(ones.type)), align=1)
        return context.get_dummy_value()

    return signature, codegen


@inner
def random_for(n):
    """Room for the random numbers of a row of n units: half a word each, in whole blocks of 128 units."""
    return np.empty((n + 127) // 128 * 64, np.uint32)


@inner
def _second_look(number, key0, key1, c1, c2, c3):
    """The four random words of a unit in the call that settles what this one left open."""
    call = (uint64(c1) | (uint64(c2 & uint32(0xFFFF)) << uint64(32))) + uint64(SECOND_CALL)
    rank = c2 & uint32(0xFFFF0000)
    return philox_words(number, key0, key1, uint32(call), uint32(call >> uint64(32)) | rank, c3)


@inner
def another_byte(number, key0, key1, c1, c2, c3):
    """A random byte that is not 255, in place of one that was. number: of the unit in its call."""
    for word in _second_look(number, key0, key1, c1, c2, c3):
        for i in range(4):
            byte = uint8(word >> uint32(8 * i))
            if byte != 255:
                return byte
    return np.uint8(254)  # once in 10³⁸ times


@njit(fastmath={"contract"}, **INNER)
def draw_row(x, shift, scale, random, row, key0, key1, c1, c2, c3, fired):
    """fired, a bit a unit, = 1 with probability σ(scale · x[i] + shift[i]): the units of a row of a stream's call.

    x, float32 or int16, and shift, float32: whole words of 64 units long; a unit that is none has a shift of −1e9.
    random: `random_for` them. row: the number of the row in its call.
    """
    _philox_row(random, uint32(row * (random.shape[0] // 4)), key0, key1, c1, c2, c3)
    for w in range(fired.shape[0]):
        decided: tuple[int, int] = _decided(x, shift, scale, random, w)
        on, left = decided
        while left:
            bit = lowest_bit(left)
            i = 64 * w + bit
            upper = random[i // 2] >> uint32(16 * (i % 2)) & uint32(0xFFFF)
            lower = _second_look(uint32(2 * row * random.shape[0] + i), key0, key1, c1, c2, c3)[0]
            r = upper << uint32(16) | lower >> uint32(16)
            mask = uint64(1) << uint64(bit)
            on = on | mask if _fires(r, scale * float32(x[i]) + shift[i]) else on & ~mask
            left &= left - uint64(1)
        fired[w] = on
