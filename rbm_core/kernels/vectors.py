"""Vectors of 16 numbers in the code that is written out by hand: what `bernoulli` and `steps` emit theirs with.

LLVM splits them where the processor's are shorter.
"""

from llvmlite import ir
from numba.core import cgutils

__all__ = ["LANES", "VECTOR", "WHOLE", "call", "constant", "splat"]

LANES = 16
_I32 = ir.IntType(32)
VECTOR, WHOLE = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(_I32, LANES)  # of float32, of int32


def constant(value: float, kind: ir.VectorType = VECTOR) -> ir.Constant:
    """The same number in every lane."""
    return ir.Constant(kind, [value] * kind.count)


def splat(build: ir.IRBuilder, x: ir.Value, lanes: int = LANES) -> ir.Value:
    """A scalar in every lane."""
    lone = build.insert_element(ir.Constant(ir.VectorType(x.type, lanes), ir.Undefined), x, _I32(0))
    return build.shuffle_vector(lone, lone, ir.Constant(ir.VectorType(_I32, lanes), [0] * lanes))


def call(build: ir.IRBuilder, name: str, *values: ir.Value) -> ir.Value:
    """LLVM's function of this name on vectors of float32."""
    kind = ir.FunctionType(VECTOR, [VECTOR] * len(values))
    return build.call(cgutils.get_or_insert_function(build.module, kind, f"llvm.{name}.v{LANES}f32"), values)
