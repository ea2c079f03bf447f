"""Adding rows of one matrix to rows of another, each only where a bit says so.

A product with a matrix of zeros and ones is a sum of rows. Its speed is decided by memory: here a strip of 96 columns
of one row is loaded into twelve vector registers once and added to every total that wants it, while the strips of up
to 64 totals stay in the first-level cache. The rows themselves are read once, in order. Every element of a total is
summed in the order of the rows, so that a total does not depend on which others are summed beside it.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from rbm_core.kernels.primitives import inner

__all__ = ["add_rows"]

_LANES = 8  # float32 numbers in a vector of 256 bits; LLVM splits it where vectors are shorter
_VECTORS = 12  # of a strip: with the totals' one they fit the 16 registers of AVX2
_STRIP = _LANES * _VECTORS

_I1, _I32, _I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)
_VECTOR, _MASK = ir.VectorType(ir.FloatType(), _LANES), ir.VectorType(_I1, _LANES)
_VECTOR_POINTER = ir.PointerType(_VECTOR)


class _Strip:
    """Emits the code that loads `vectors` vectors of a row; of the last one only the lanes in `mask`."""

    def __init__(self, builder: ir.IRBuilder, vectors: int, mask: ir.Value) -> None:
        self.builder, self.vectors, self.mask = builder, vectors, mask

    def at(self, start: ir.Value, vector: int) -> ir.Value:
        return self.builder.bitcast(self.builder.gep(start, [_I64(_LANES * vector)]), _VECTOR_POINTER)

    def load(self, start: ir.Value) -> list[ir.Value]:
        build, last = self.builder, self.vectors - 1
        whole = [build.load(self.at(start, i), align=4) for i in range(last)]
        masked_load = cgutils.get_or_insert_function(
            build.module,
            ir.FunctionType(_VECTOR, [_VECTOR_POINTER, _I32, _MASK, _VECTOR]),
            f"llvm.masked.load.v{_LANES}f32.p0",
        )
        nothing = ir.Constant(_VECTOR, [0.0] * _LANES)
        return [*whole, build.call(masked_load, [self.at(start, last), _I32(4), self.mask, nothing])]

    def for_every_bit(self, bits: ir.Value, totals: ir.Value, stride: ir.Value, row: list, add: str) -> None:
        """totals[i · stride:] becomes the sum (or difference) with the row, for every bit i that is set in `bits`."""
        build = self.builder
        before, head = build.block, build.append_basic_block()
        body, after = build.append_basic_block(), build.append_basic_block()
        build.branch(head)
        build.position_at_end(head)
        left = build.phi(_I64)
        left.add_incoming(bits, before)
        build.cbranch(build.icmp_unsigned("!=", left, _I64(0)), body, after)
        build.position_at_end(body)
        total = build.gep(totals, [build.mul(build.cttz(left, _I1(1)), stride)])
        for i, vector in enumerate(row):
            place = self.at(total, i)
            build.store(getattr(build, add)(build.load(place, align=4), vector), place, align=4)
        left.add_incoming(build.and_(left, build.sub(left, _I64(1))), body)
        build.branch(head)
        build.position_at_end(after)


def _lanes_below(builder: ir.IRBuilder, count: ir.Value) -> ir.Value:
    """The mask of the lanes 0 … count − 1."""
    wide = ir.VectorType(_I64, _LANES)
    first = builder.insert_element(ir.Constant(wide, ir.Undefined), count, _I32(0))
    everywhere = builder.shuffle_vector(
        first, ir.Constant(wide, ir.Undefined), ir.Constant(ir.VectorType(_I32, _LANES), [0] * _LANES)
    )
    return builder.icmp_signed("<", ir.Constant(wide, list(range(_LANES))), everywhere)


@intrinsic
def _add_strip(typing_context, totals, rows, row, first, width, plus, minus):
    """totals[i, first : first + width] += rows[row, …] for the bits i of plus, −= for those of minus.

    1 ≤ width ≤ 96. A total's memory must reach to the next multiple of 8 columns; what lies there is kept.
    """
    signature = types.void(totals, rows, *[types.int64] * 3, types.uint64, types.uint64)

    def codegen(context, build, signature, args):
        arrays = [
            context.make_array(t)(context, build, a) for t, a in zip(signature.args, args[:2], strict=False)
        ]
        row, first, width, plus, minus = args[2:]
        stride, row_length = (cgutils.unpack_tuple(build, array.shape, 2)[1] for array in arrays)
        totals = build.gep(arrays[0].data, [first])
        source = build.gep(arrays[1].data, [build.add(build.mul(row, row_length), first)])
        vectors = build.sdiv(build.add(width, _I64(_LANES - 1)), _I64(_LANES))
        mask = _lanes_below(build, build.sub(width, build.mul(build.sub(vectors, _I64(1)), _I64(_LANES))))
        end = build.append_basic_block()
        choice = build.switch(vectors, end)
        for n in range(1, _VECTORS + 1):
            case = build.append_basic_block()
            choice.add_case(_I64(n), case)
            build.position_at_end(case)
            strip = _Strip(build, n, mask)
            loaded = strip.load(source)
            strip.for_every_bit(plus, totals, stride, loaded, "fadd")
            strip.for_every_bit(minus, totals, stride, loaded, "fsub")
            build.branch(end)
        build.position_at_end(end)
        return context.get_dummy_value()

    return signature, codegen


@inner
def add_rows(totals, n, rows, plus, minus):
    """totals[i, :n] += Σ rows[r, :n] over the r with bit i set in plus[r], less those with it set in minus[r].

    totals: (up to 64, at least n rounded up to a multiple of 8) float32. rows: (R, n) float32. plus, minus: (R,)
    uint64.
    """
    for first in range(0, n, _STRIP):
        width = min(_STRIP, n - first)
        for r in range(rows.shape[0]):
            if plus[r] | minus[r]:
                _add_strip(totals, rows, r, first, width, plus[r], minus[r])
