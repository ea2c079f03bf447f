"""What the tests of robustness throw: damaged JSON, damaged files of every kind, and what a sentence is."""

import json
import math
from pathlib import Path
from typing import Any

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


def damaged(content: bytes) -> dict[str, bytes]:
    """The ways a file goes bad, by name. A file that is to be missing is not among them."""
    ways = {
        "empty": b"",
        "half": content[: len(content) // 2],
        "random bytes": bytes((7 * i * i + 31 * i) % 256 for i in range(max(64, len(content) % 5000))),
        "deep": DEEP,
        "a list": b"[1, 2]\n",
        "null": b"null\n",
        "huge": b"\0" * (40 << 20),
    }
    for name, value in (("NaN", b"NaN"), ("1e999", b"1e999"), ("400 digits", DIGITS), ("text", b'"text"')):
        if (spoilt := numbers_replaced(content, value)) is not None:
            ways[name] = spoilt
    return ways


def numbers_replaced(content: bytes, value: bytes) -> bytes | None:
    """Every number of a JSON text, or of lines of it, replaced by this one; None for what is no JSON."""
    try:
        lines = [json.loads(line) for line in content.splitlines()] if b"}\n{" in content else None
        whole = None if lines is not None else json.loads(content)
    except ValueError:
        return None
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


def files_of(run: Path) -> list[Path]:
    return sorted(path for path in run.rglob("*") if path.is_file() and not path.name.endswith(".lock"))
