"""What the tests of robustness throw: damaged JSON, damaged files of every kind, and what a sentence is."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

DEEP = b"[" * 10_000 + b"]" * 10_000
DIGITS = b"9" * 400

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from([10**400, 2**63, 2**64, -1, 1e308, math.inf, -math.inf, math.nan]),
)
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def one_sentence(text: str) -> bool:
    return bool(text) and "\n" not in text and len(text) < 500 and "Traceback" not in text


REPLACED = {"NaN": b"NaN", "1e999": b"1e999", "400 digits": DIGITS, "text": b'"text"'}


def damaged(content: bytes, way: str) -> bytes:
    """What becomes of the content of a file that goes bad in this way."""
    match way:
        case "empty":
            return b""
        case "half":
            return content[: len(content) // 2]
        case "random bytes":
            return bytes((7 * i * i + 31 * i) % 256 for i in range(max(64, len(content) % 5000)))
        case "deep":
            return DEEP
        case "a list":
            return b"[1, 2]\n"
        case "null":
            return b"null\n"
        case "huge":
            return b"\0" * (40 << 20)
    return numbers_replaced(content, REPLACED[way])


def numbers_replaced(content: bytes, value: bytes) -> bytes:
    """Every number of a JSON text, or of lines of it, replaced by this one."""
    lines = [json.loads(line) for line in content.splitlines()] if b"}\n{" in content else None
    whole = None if lines is not None else json.loads(content)
    mark = "@number@"

    def replaced(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: replaced(below) for key, below in item.items()}
        if isinstance(item, list):
            return [replaced(below) for below in item]
        return mark if isinstance(item, (int, float)) and not isinstance(item, bool) else item

    items = [whole] if lines is None else lines
    text = "\n".join(json.dumps(replaced(item)) for item in items) + "\n"
    return text.encode().replace(f'"{mark}"'.encode(), value)


def wrong_types(content: bytes) -> bytes:
    """The JSON object, or lines of them, with every value replaced by one of another type."""
    lines = content.splitlines() if b"}\n{" in content else [content]
    spoilt = [
        {key: "x" if isinstance(value, list) else [1] for key, value in json.loads(line).items()}
        for line in lines
    ]
    return "".join(json.dumps(row) + "\n" for row in spoilt).encode()


WRONG: tuple[Any, ...] = (None, True, -1, 0, 1e300, 2**60, "", "x", [], [1], [[]], {}, {"x": 1})


def one_wrong(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[str, Any]]:
    """(what is wrong, the JSON value) with one entry at a time missing or of another kind, those within entries too;
    of a list the first and the whole.
    """
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value[:1])):
        where = (*path, key)
        rest = (
            {name: one for name, one in value.items() if name != key}
            if isinstance(value, dict)
            else value[1:]
        )
        for wrong in WRONG:
            if wrong != inner or type(wrong) is not type(inner):
                yield f"{'.'.join(map(str, where))} = {wrong!r}", _with(value, key, wrong)
        yield f"no {'.'.join(map(str, where))}", rest
        if isinstance(inner, dict | list):
            yield from ((what, _with(value, key, spoilt)) for what, spoilt in one_wrong(inner, where))


def _with(value: Any, key: Any, inner: Any) -> Any:
    changed = value.copy()
    changed[key] = inner
    return changed


def one_array_wrong(arrays: dict[str, np.ndarray]) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """(what is wrong, the arrays) with one of them at a time missing, of another shape, kind or content."""
    for name, array in arrays.items():
        others = {
            "a number": array.reshape(-1)[:1].reshape(()) if array.size else np.zeros((), array.dtype),
            "empty": array[:0] if array.ndim else np.zeros(0, array.dtype),
            "longer": np.concatenate([array, array[-1:]]) if array.ndim and len(array) else array[None],
            "an axis more": array[None],
            "wider": np.concatenate([array, array[..., -1:]], -1)
            if array.ndim and array.size
            else array[None],
            "complex": array.astype(np.complex64),
            "float64": array.astype(np.float64),
            "int8": array.astype(np.int8) if array.dtype.kind != "f" else np.ones(array.shape, np.int8),
            "bool": np.ones(array.shape, bool),
        }
        if array.dtype.kind == "f":
            others["NaN"] = np.full_like(array, np.nan)
            others["huge"] = np.full_like(array, np.finfo(array.dtype).max)
        else:
            others["the largest"] = np.full_like(
                array, np.iinfo(array.dtype).max if array.dtype.kind in "iu" else 1
            )
        for what, other in others.items():
            yield f"{name} {what}", {**arrays, name: other}
        yield f"no {name}", {one: kept for one, kept in arrays.items() if one != name}


def files_of(run: Path) -> list[Path]:
    return sorted(path for path in run.rglob("*") if path.is_file() and not path.name.endswith(".lock"))
