"""Data of one's own as cases to learn from, and a copy of them kept by its content.

`cases` makes of what `look` found what a run learns from, by choices that a person may change. `keep` puts that into
the data folder under a name that ends in its fingerprint, so that a run finds it again wherever the file has gone.
"""

import json
import math
import os
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from rbm_core import picture_files
from rbm_core.datasets.dataset import Cases, DatasetError, fingerprint
from rbm_core.datasets.look import AS_FOUND, MOST_BYTES, Choices, Found, decoded
from rbm_core.datasets.published import write_whole
from rbm_core.runs.json_input import parse, typed

__all__ = [
    "LARGEST_OWN_SIZE",
    "cases",
    "is_kept",
    "is_table",
    "keep",
    "kept",
    "n_and_values",
    "other_shapes",
    "said",
    "size_kept",
    "size_of",
]

LARGEST_OWN_SIZE = 64 * 64
"""Pixels: pictures of a common size beyond this are resized like any others."""


def cases(found: Found, choices: Choices = AS_FOUND) -> Cases:
    """What a run learns from: pictures in grey, or the rows of a table. Raises DatasetError in one sentence.

    Pictures of a common size of at most 64 × 64 keep it; others are cut to the shape and scaled, not squeezed, or
    keep all of themselves within a margin. Values in [0, 1] are taken as they are, bytes as 255ths. Other pictures are
    scaled by their lowest and highest value, other tables column by column; `ranges` then says what 0 and 1 stand for.
    """
    labels, order = None, {}
    if found.classes is not None:
        order = _in_order(set(found.classes))
        labels = np.array([order[name] for name in found.classes], np.int64)
    if found.values is None:
        images = _decoded(found, choices)
        made = Cases(images, labels)
    elif found.values.ndim == 2 and is_table(found, choices):
        made = _of_table(found, labels)
    else:
        made = Cases(_of_pictures(found.values, choices), labels)
    if choices.inverted:
        made = made._replace(images=255 - made.images if made.images.dtype == np.uint8 else 1 - made.images)
    return made._replace(classes=tuple(order) if list(order) != [str(k) for k in range(len(order))] else None)


def _in_order(names: set[str]) -> dict[str, int]:
    """Classes numbered by their names: whole numbers by value, others by letter."""
    numbers = all(re.fullmatch(r"\d{1,9}", name) for name in names)
    return {name: k for k, name in enumerate(sorted(names, key=int if numbers else str))}


def is_table(found: Found, choices: Choices) -> bool:
    """Whether rows of numbers are taken as a table, and not as square pictures."""
    if choices.table is not None:
        return choices.table
    assert found.values is not None
    side = math.isqrt(found.values.shape[1])
    named = found.columns is not None and not all(
        re.fullmatch(r"(?i)(column|pixel|px|p)?[ _]?\d+([x_]\d+)?", c) for c in found.columns
    )
    return named or side < 3 or side * side != found.values.shape[1]


def size_of(found: Found, choices: Choices) -> tuple[int, int]:
    """(width, height) that pictures get: the one chosen, their common one up to 64 × 64, or else 28 × 28."""
    if choices.size is not None:
        return choices.size
    if found.sizes is not None and len(found.sizes) == 1:
        (width, height) = next(iter(found.sizes))
        if width * height <= LARGEST_OWN_SIZE:
            return width, height
    return 28, 28


def _size(found: Found, choices: Choices) -> tuple[int, int]:
    """(width, height) that pictures get, whether they are decoded yet or not."""
    return size_of(found, choices) if found.values is None else _shape(found.values, choices)


def n_and_values(found: Found, choices: Choices = AS_FOUND) -> tuple[int, int]:
    """How many cases a run would learn from, and the values of each."""
    if found.values is not None and found.values.ndim == 2:
        return found.n, math.prod(choices.size or found.values.shape[1:])
    return found.n, math.prod(_size(found, choices))


def other_shapes(found: Found, choices: Choices) -> bool:
    """Whether some of the pictures have another shape, apart from their size, than they get."""
    if found.values is not None:
        width, height = _shape(found.values, replace(choices, size=None))
        sizes = [(width, height)]
    else:
        sizes = list(found.sizes or ())
    to_width, to_height = _size(found, choices)
    return any(width * to_height != height * to_width for width, height in sizes)


def _decoded(found: Found, choices: Choices) -> np.ndarray:
    """(N, height, width) uint8: every picture in grey and in one size."""
    assert found.picture is not None
    size = size_of(found, choices)
    _bounded(found.n * size[0] * size[1], found.title)
    images = np.empty((found.n, size[1], size[0]), np.uint8)
    for k in range(found.n):
        grey = decoded(partial(picture_files.grey, channel=choices.grey), found.picture(k), found.names[k])
        images[k] = _in_shape(np.asarray(grey), size, choices.whole)
    return images


def _in_shape(grey: np.ndarray, size: tuple[int, int], whole: bool) -> np.ndarray:
    """A picture (h, w) uint8 as (height, width) of size: cut to the shape, or whole in a margin of its edge's grey."""
    image = Image.fromarray(grey)
    if not whole:
        return np.asarray(ImageOps.fit(image, size))
    scale = min(size[0] / image.width, size[1] / image.height)
    inner = max(1, round(scale * image.width)), max(1, round(scale * image.height))
    # The median, not the mean: one line that runs to the edge does not tint the margin.
    margin = int(np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])))
    framed = Image.new("L", size, margin)
    framed.paste(
        image.resize(inner, Image.Resampling.BICUBIC), ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2)
    )
    return np.asarray(framed)


def _bounded(n_values: int, title: str) -> None:
    if 4 * n_values > MOST_BYTES:
        raise DatasetError(
            f"{title} would take {4 * n_values:,} bytes in memory, and at most {MOST_BYTES:,} are kept; take fewer "
            "cases or smaller pictures"
        )


def _of_pictures(values: np.ndarray, choices: Choices) -> np.ndarray:
    """(N, height, width), uint8 or float32 in [0, 1], of an array of pictures."""
    _bounded(values.size, "the array")
    if values.ndim == 2:
        side = math.isqrt(values.shape[1])
        if side * side != values.shape[1]:
            raise DatasetError(
                f"rows of {values.shape[1]} values are no square pictures; take them as a table"
            )
        values = values.reshape(-1, side, side)
    values = _unit_or_bytes(values)
    if values.ndim == 4:
        values = _in_grey(values, choices)
    if choices.size is not None and (values.shape[2], values.shape[1]) != choices.size:
        as_bytes = values if values.dtype == np.uint8 else np.round(255 * values).astype(np.uint8)
        values = np.stack([_in_shape(image, choices.size, choices.whole) for image in as_bytes])
    return values


def _in_grey(values: np.ndarray, choices: Choices) -> np.ndarray:
    """(N, height, width) of (N, height, width, channels); a fourth channel, the opacity, is left out."""
    if values.shape[3] == 1:
        return values[..., 0]
    if choices.grey != "luminance":
        return np.ascontiguousarray(values[..., ("red", "green", "blue").index(choices.grey)])
    luma = values[..., :3] @ np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R 601
    return (np.round(luma) if values.dtype == np.uint8 else luma).astype(values.dtype)


def _unit_or_bytes(values: np.ndarray) -> np.ndarray:
    """0/1, [0, 1] and 0 … 255 as what they are; anything else between its lowest and highest value."""
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1:
        return values.astype(np.float32)
    whole = values.dtype.kind in "iu" or bool((values == np.round(values)).all())
    if low >= 0 and high <= 255 and whole and high > 16:
        return values.astype(np.uint8)
    span = high - low
    if values.dtype == np.float16:  # whose differences can be infinite
        values = values.astype(np.float32)
    return ((values - low) / span if span else np.zeros_like(values, np.float64)).astype(np.float32)


def _of_table(found: Found, labels: np.ndarray | None) -> Cases:
    """Rows as pictures of height 1."""
    assert found.values is not None
    values = found.values.astype(np.float64)
    _bounded(values.size, found.title)
    columns = found.columns or tuple(f"column {k + 1}" for k in range(values.shape[1]))
    ranges = None
    if values.min() < 0 or values.max() > 1:
        ranges = np.stack([values.min(0), values.max(0)])
        span = ranges[1] - ranges[0]
        values = np.divide(values - ranges[0], span, out=np.zeros_like(values), where=span > 0)
    return Cases(values.astype(np.float32)[:, None, :], labels, columns, ranges)


def said(found: Found, choices: Choices = AS_FOUND) -> str:
    """What will be learned, in sentences for a person: how many, of what size, what is done to them."""
    n = f"{found.n:,}"
    if found.values is not None and found.values.ndim == 2 and is_table(found, choices):
        text = f"A table: {n} row{'s' * (found.n != 1)} of {found.values.shape[1]:,} columns."
        if found.row_names:
            text += " The first column has no name and names the rows: it is left out."
        if found.values.min() < 0 or found.values.max() > 1:
            text += (
                " Its values go beyond 0 and 1: each column is scaled between its lowest and highest value."
            )
    else:
        width, height = _size(found, choices)
        text = f"{n} picture{'s' * (found.n != 1)}, {width} × {height}, in grey."
        if found.sizes is not None and found.sizes != {(width, height): found.n}:
            most, count = found.sizes.most_common(1)[0]
            kinds = "" if len(found.sizes) == 1 else f" of {len(found.sizes):,} sizes"
            done = "cut to the shape, not squeezed,"
            if choices.whole:
                done = "kept whole, with a margin in the grey of its edge,"
            text += (
                f" They are{kinds} ({count:,} are {most[0]:,} × {most[1]:,}): each is {done} and scaled to "
                f"{width} × {height}."
            )
    if found.classes is not None:
        k = len(set(found.classes))
        text += f" {k:,} class{'es' if k != 1 else ''}."
    return text


def _shape(values: np.ndarray, choices: Choices) -> tuple[int, int]:
    if choices.size is not None:
        return choices.size
    side = math.isqrt(values.shape[1])
    return (side, side) if values.ndim == 2 else (values.shape[2], values.shape[1])


_MOST_KEPT = 16 << 30  # bytes: four for each pixel of the largest upload
_NAMES = TypeAdapter(list[str] | None)
_KEPT = re.compile(r"[a-z0-9][a-z0-9-]{0,40}-[0-9a-f]{8}")


def _place(name: str, root: Path) -> Path:
    return root / "own" / f"{name}.safetensors"


def is_kept(name: str, root: Path) -> bool:
    """Whether data of this name are kept below the data folder; not where that may not be looked into."""
    return bool(_KEPT.fullmatch(name)) and os.path.isfile(_place(name, root))


def keep(title: str, made: Cases, root: Path) -> str:
    """Keeps the cases below the data folder; returns their name: a short title and the fingerprint's first digits.

    The same content has the same name, and is kept once. Raises DatasetError if it cannot be written.
    """
    short = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40].strip("-") or "data"
    name = f"{short}-{fingerprint(made)[:8]}"
    arrays = {"images": np.ascontiguousarray(made.images)}
    if made.labels is not None:
        arrays["labels"] = made.labels
    if made.ranges is not None:
        arrays["ranges"] = made.ranges
    meta = {"columns": json.dumps(made.columns), "classes": json.dumps(made.classes), "title": title}
    path = _place(name, root)
    try:
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, save_tensors(arrays, metadata=meta))
    except OSError as error:
        raise DatasetError(f"cannot keep the data in {path.parent}: {error.strerror or error}") from error
    return name


def size_kept(name: str, root: Path) -> tuple[int, int]:
    """(cases, values of each) of what `keep` kept, by its header alone. Raises DatasetError if that is damaged."""
    path = _place(name, root)
    try:
        with safe_open(path, framework="np") as file:
            n, height, width = file.get_slice("images").get_shape()
    except (OSError, SafetensorError, ValueError) as error:
        raise DatasetError(f"{path} is damaged: bring the data in again") from error
    return n, height * width


def kept(name: str, root: Path) -> Cases:
    """The cases that `keep` kept. Raises DatasetError if they are damaged."""
    path = _place(name, root)
    try:
        if path.stat().st_size > _MOST_KEPT:
            raise ValueError(f"it has more than {_MOST_KEPT:,} bytes")
        data = path.read_bytes()
        arrays = load_tensors(data)
        described = parse(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
        made = Cases(
            arrays["images"],
            arrays.get("labels"),
            _names(described["columns"]),
            arrays.get("ranges"),
            _names(described.get("classes", "null")),
        )
        whole = made.images.ndim == 3 and fingerprint(made)[:8] == name[-8:]
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise DatasetError(f"{path} is damaged: bring the data in again") from error
    if not whole:
        raise DatasetError(
            f"{path} is damaged: its content is not what its name says; bring the data in again"
        )
    return made


def _names(text: str) -> tuple[str, ...] | None:
    names = typed(_NAMES, parse(text.encode()))
    return None if names is None else tuple(names)
