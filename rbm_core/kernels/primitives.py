"""What every kernel is made of: bit patterns, exp and log1p that LLVM vectorises, and counter-based random numbers.

Random numbers come from Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): a pure
function of (key, counter), so a stream has no state but the number of calls made. Arrays of bfloat16 travel as their
uint16 bit patterns; float32 ones as they are.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import float32, int32, njit, types, uint32
from numba.core import cgutils
from numba.extending import intrinsic

from rbm_core.kernels.vectors import constant, splat

# Draws carry 23 random bits placed mid-cell, u = (r + 1/2) / 2²³, and compare in float32: a unit fires with a multiple
# of 2⁻²³ that lies within 2⁻²³ of its probability p (0.74 · 2⁻²³ at most was found). p below 2⁻²⁴ never fires.
DRAW_RESOLUTION = 2.0**-23

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)
_LANES = 64  # randoms are made in whole blocks of this many, so that no scalar remainder loop runs
_FAST = {"reassoc", "contract", "nsz"}

# For functions that only kernels call: without the wrappers for Python, each compiles in half the time.
INNER: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
inner = njit(**INNER)


@intrinsic
def _bits(typing_context, x):
    """The uint32 bit pattern of a float32."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(32))

    return types.uint32(types.float32), codegen


@intrinsic
def _from_bits(typing_context, x):
    """The float32 with this uint32 bit pattern."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.uint32), codegen


@intrinsic
def lowest_bit(typing_context, word):
    """The index of the lowest bit that is set in a uint64 other than 0."""

    def codegen(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), codegen


@intrinsic
def bits_set(typing_context, word):
    """How many bits of a uint64 are set."""
    return types.int64(types.uint64), lambda context, builder, signature, args: builder.ctpop(args[0])


@intrinsic
def _load(typing_context, x):
    """A float32 from an array element: float32 itself, or bfloat16 given as uint16 bits."""
    if x == types.float32:
        return types.float32(types.float32), lambda context, builder, signature, args: args[0]

    def codegen(context, builder, signature, args):
        wide = builder.zext(args[0], ir.IntType(32))
        return builder.bitcast(builder.shl(wide, ir.Constant(ir.IntType(32), 16)), ir.FloatType())

    return types.float32(types.uint16), codegen


@intrinsic
def _store(typing_context, like, x):
    """x (float32) in the element type of `like`: float32, bfloat16 bits rounded to nearest even, or a byte 0 or 1."""
    if like == types.float32:
        return types.float32(like, types.float32), lambda context, builder, signature, args: args[1]
    if like == types.uint8:
        byte = ir.IntType(8)
        return types.uint8(like, types.float32), lambda c, builder, s, args: builder.fptoui(args[1], byte)

    def codegen(context, builder, signature, args):
        i32 = ir.IntType(32)
        bits = builder.bitcast(args[1], i32)
        odd = builder.and_(builder.lshr(bits, ir.Constant(i32, 16)), ir.Constant(i32, 1))
        rounded = builder.add(bits, builder.add(odd, ir.Constant(i32, 0x7FFF)))
        return builder.trunc(builder.lshr(rounded, ir.Constant(i32, 16)), ir.IntType(16))

    return types.uint16(like, types.float32), codegen


@njit(inline="always")
def _exp(y):
    """exp(y) for |y| ≤ 80, relative error below 2e-7 (Cephes expf)."""
    k = np.floor(y * float32(1.4426950408889634) + float32(0.5))
    g = (y - k * float32(0.693359375)) - k * float32(-2.12194440e-4)
    p = float32(1.9875691500e-4)
    p = p * g + float32(1.3981999507e-3)
    p = p * g + float32(8.3334519073e-3)
    p = p * g + float32(4.1665795894e-2)
    p = p * g + float32(1.6666665459e-1)
    p = p * g + float32(5.0000001201e-1)
    e = p * g * g + g + float32(1.0)
    return e * _from_bits(uint32(int32(k) + int32(127)) << uint32(23))


@njit(inline="always")
def _log1p_unit(e):
    """log(1 + e) for e in [−½, 1], from 2·atanh(e / (2 + e)): absolute error below 1e-7."""
    s = e / (float32(2.0) + e)
    q = s * s
    p = float32(1.0 / 13.0)
    p = p * q + float32(1.0 / 11.0)
    p = p * q + float32(1.0 / 9.0)
    p = p * q + float32(1.0 / 7.0)
    p = p * q + float32(1.0 / 5.0)
    p = p * q + float32(1.0 / 3.0)
    p = p * q + float32(1.0)
    return float32(2.0) * s * p


@njit(inline="always")
def _clip(x):
    """Logits beyond ±80 act as ±80: p and 1 − p below 2e-35 cannot be told from 0 at the draws' resolution."""
    return min(max(x, float32(-80.0)), float32(80.0))


@njit(inline="always")
def _unit(r):
    """The mid-cell uniform of the draws, from 32 random bits."""
    return _from_bits(uint32((r >> uint32(9)) | uint32(0x3F800000))) - float32(1.0 - 2.0**-24)


@njit(inline="always")
def _fires(r, z):
    """Whether a unit with logit z fires, from 32 random bits: u < 1 / (1 + e⁻ᶻ), without the division."""
    u = _unit(r)
    return u + u * _exp(-_clip(z)) < float32(1.0)


@njit(fastmath=_FAST, **INNER)
def total_of(terms):
    """Σ terms in float32, in an order that is always the same.

    A loop that adds up and also writes is compiled twice, in vectors and one by one, and the addresses of its arrays
    decide which is run: the last bits of its sum would be those of chance. So sums are made where nothing is written.
    """
    total = float32(0.0)
    for i in range(terms.shape[0]):
        total += terms[i]
    return total


@inner
def copy_row(source, target):
    """target = source, one axis. Assigning a slice would compile for seconds to word an error that cannot occur."""
    for i in range(target.shape[0]):
        target[i] = source[i]


def _philox(build, lanes, first, key0, key1, c1, c2, c3):
    """The four words of `lanes` blocks side by side, whose counters begin with first, first + 1, …; the rest is alike.

    Lanes have 64 bits, of which the upper 32 hold what is left over: a multiplication takes the lower ones alone, so
    that a round is two of them, two shifts and four exclusive ors. What LLVM makes of the same in numba's loops, with
    lanes of 32 bits, takes twice as long.
    """
    i32, wide, whole = (
        ir.IntType(32),
        ir.VectorType(ir.IntType(64), lanes),
        ir.VectorType(ir.IntType(32), lanes),
    )

    def alike(x):
        return splat(build, build.zext(x, wide.element), lanes)

    low, half = constant(2**32 - 1, wide), constant(32, wide)
    a = build.zext(build.add(splat(build, first, lanes), ir.Constant(whole, list(range(lanes)))), wide)
    b, c, d = alike(c1), alike(c2), alike(c3)
    for turn in range(10):
        k0, k1 = (
            alike(build.add(key, i32(turn * int(step) % 2**32))) for key, step in ((key0, _W0), (key1, _W1))
        )
        m0, m1 = (build.mul(build.and_(x, low), constant(int(m), wide)) for x, m in ((a, _M0), (c, _M1)))
        a, c = (build.xor(build.xor(build.lshr(m, half), x), k) for m, x, k in ((m1, b, k0), (m0, d, k1)))
        b, d = m1, m0
    return [build.trunc(word, whole) for word in (a, b, c, d)]


@intrinsic
def philox_words(typing_context, first, key0, key1, c1, c2, c3):
    """The four random words of one block."""
    signature = types.UniTuple(types.uint32, 4)(*[types.uint32] * 6)

    def codegen(context, build, signature, args):
        words = [build.extract_element(word, ir.IntType(32)(0)) for word in _philox(build, 1, *args)]
        return cgutils.pack_array(build, words)

    return signature, codegen


@intrinsic
def _sixteen_blocks(typing_context, out, at, quarter, first, key0, key1, c1, c2, c3):
    """out[at + q · quarter + i] = word q of the block with the counter first + at + i, for 16 i.

    One block's rounds wait for each other, so many blocks go side by side.
    """
    signature = types.void(out, types.int64, types.int64, *[types.uint32] * 6)

    def codegen(context, build, signature, args):
        data = context.make_array(signature.args[0])(context, build, args[0]).data
        at, quarter, first = args[1:4]
        first = build.add(first, build.trunc(at, first.type))
        for word in _philox(build, 16, first, *args[4:]):
            place = build.bitcast(build.gep(data, [at]), ir.PointerType(word.type))
            build.store(word, place, align=4)
            at = build.add(at, quarter)
        return context.get_dummy_value()

    return signature, codegen


@njit(inline="always")
def _philox_row(out, first, key0, key1, c1, c2, c3):
    """Fill out (a multiple of 64 long) with uint32 random numbers from counters first, first + 1, …"""
    quarter = out.shape[0] // 4
    for i in range(0, quarter, 16):
        _sixteen_blocks(out, i, quarter, first, key0, key1, c1, c2, c3)
