"""The one reader of JSON that comes from files: bounded, finite, typed. Nothing else in the app parses a file's JSON,
except that the description of resume.safetensors may hold NaN (see recorder.py).

A file may be damaged, come from a stranger, or be written by another version. `parse` admits no NaN, no infinity
(neither by name nor as 1e999), no integer beyond 64 bits, no nesting deeper than 32 and no text that is not UTF-8;
`typed` then checks the shape that layout.py declares. What passes can be used without further checks.
"""

import math
from typing import Any, TypeVar

import pydantic_core
from pydantic import TypeAdapter, ValidationError

__all__ = ["DEEPEST", "DamagedError", "parse", "typed"]

DEEPEST = 32  # lists and objects within one another; the deepest file of a run has five
_WIDEST = 2**64  # seeds of evaluations reach up to here

T = TypeVar("T")


class DamagedError(ValueError):
    """What is wrong with a text that should be JSON, in a few words that can follow "is damaged: "."""


def parse(text: bytes) -> Any:
    """The JSON value. Raises DamagedError for text that is none, and for numbers and nesting out of bounds."""
    try:
        value = pydantic_core.from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise DamagedError(f"it is no JSON ({' '.join(str(error).split())})") from None
    _check(value, DEEPEST)
    return value


def typed(shape: TypeAdapter[T], value: Any) -> T:
    """The parsed value in the shape declared. Raises DamagedError with the first entry that is not of its type."""
    try:
        return shape.validate_python(value)
    except ValidationError as error:
        raise DamagedError(_first(error)) from None


def _check(value: Any, deeper: int) -> None:
    """Raises DamagedError for numbers out of bounds and for nesting. It looks at every number of every file, so it
    calls itself for lists and objects alone.
    """
    for item in value.values() if type(value) is dict else value if type(value) is list else (value,):
        kind = type(item)
        if kind is float:
            if not -math.inf < item < math.inf:
                raise DamagedError("it holds a number too large for 64 bits")
        elif kind is int:
            if not -_WIDEST < item < _WIDEST:
                raise DamagedError("it holds an integer too large for 64 bits")
        elif kind is list or kind is dict:
            if deeper == 0:
                raise DamagedError(f"it is nested more than {DEEPEST} levels deep")
            _check(item, deeper - 1)


def _first(error: ValidationError) -> str:
    """`step should be greater than or equal to 0, not -3`"""
    found = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in found["loc"])
    message = found["msg"].removeprefix("Input ").removeprefix("Value error, ")
    if found["type"] == "missing":
        return f"it holds no {where}"
    if found["type"] == "value_error":  # of a rule of layout.py, which says what it found
        return f"{where} {message}".lstrip()
    got = repr(found["input"])
    return f"{where or 'it'} {message}, not {got if len(got) <= 60 else got[:60] + '…'}"
