"""One blob of bytes for a canvas component: a small JSON header and typed arrays.

Streamlit hands `bytes` to a component untouched, as a Uint8Array; a dict that holds bytes
would silently become its `str`. So everything a component is fed travels as one blob:

    uint32 little-endian   length of the header
    header                 JSON, padded with spaces so that the payload starts at a multiple of 8
    payload                the arrays one after another, each at a multiple of 8

`lib/blob.js` holds the other half, `unpack(bytes)`.
"""

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")


def pack(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray] | None = None) -> bytes:
    """The blob that `unpack` in lib/blob.js turns back into `{header, arrays}`.

    Raises TypeError for an array whose dtype JavaScript has no typed array for (float16, int64):
    the caller decides how to narrow it, because only the caller knows what may be lost.
    """
    entries, chunks, offset = [], [], 0
    for name, array in (arrays or {}).items():
        array = np.ascontiguousarray(array)
        if array.dtype.name == "bool":
            array = array.view(np.uint8)
        if array.dtype.name not in DTYPES:
            raise TypeError(
                f"array {name!r} is {array.dtype.name}; a component can be fed {', '.join(DTYPES)}"
            )
        entries.append({"name": name, "dtype": array.dtype.name, "shape": array.shape, "offset": offset})
        chunks.append(array.tobytes())
        padding = -array.nbytes % 8
        chunks.append(b"\0" * padding)
        offset += array.nbytes + padding
    text = json.dumps({**header, "arrays": entries}, allow_nan=False).encode()
    text += b" " * (-(len(text) + 4) % 8)
    return struct.pack("<I", len(text)) + text + b"".join(chunks)


def unpack(blob: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What `pack` was given; tests use it to read what a component would be shown."""
    (length,) = struct.unpack_from("<I", blob)
    header = json.loads(blob[4 : 4 + length])
    arrays = {}
    for entry in header.pop("arrays"):
        count = int(np.prod(entry["shape"]))
        start = 4 + length + entry["offset"]
        flat = np.frombuffer(blob, dtype=entry["dtype"], count=count, offset=start)
        arrays[entry["name"]] = flat.reshape(entry["shape"])
    return header, arrays
