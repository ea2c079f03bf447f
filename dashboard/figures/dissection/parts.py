"""Parts of the Inspect page's figures: mosaics of filters and of images, maps of cells, a logarithmic axis."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dashboard.figures import moment
from dashboard.figures.moment import Blob
from rbm_core.runs import Snapshot


def tiles_of_units(
    snapshot: Snapshot,
    shape: tuple[int, int],
    units: np.ndarray,
    facts: Sequence[tuple[str, np.ndarray]],
    title: str,
    note: str,
) -> Blob:
    """Filters of some units, which open on a click; their colour scale is that of all units."""
    scale = moment.common_scale(snapshot.W)
    kept = snapshot.W[:, units]
    full = max(float(np.abs(kept).max(initial=0.0)), scale)
    header: dict[str, Any] = {
        "kind": "filters",
        "shape": shape,
        "range": full,
        "scale": scale,
        "order": None,
        "title": title,
        "noun": "unit",
        "unit": "",
        "note": note,
        "hint": "Click one to open it.",
        "facts": [[name, ""] for name, _ in facts],
        "opens": True,
        "chosen": None,
    }
    arrays: dict[str, np.ndarray] = {
        "tiles": np.ascontiguousarray(np.rint(kept * (127.0 / full)).astype(np.int8).T),
        "units": units.astype(np.int32),
        "facts": np.stack([values for _, values in facts], axis=1).astype(np.float32),
    }
    return header, arrays


def image_tiles(
    images: np.ndarray, shape: tuple[int, int], facts: Sequence[tuple[str, np.ndarray]], title: str, note: str
) -> Blob:
    """A mosaic of grey images. images: (n, V) uint8. facts: names, each with a number for every image."""
    header = {
        "kind": "particles",
        "shape": shape,
        "range": 1.0,
        "scale": 1.0,
        "order": None,
        "title": title,
        "noun": "image",
        "unit": "grey value",
        "note": note,
        "hint": "Click one to take it apart.",
        "facts": [[name, ""] for name, _ in facts],
    }
    table = np.stack([values for _, values in facts], axis=1) if facts else np.zeros((len(images), 0))
    return header, {"tiles": np.ascontiguousarray(images), "facts": table.astype(np.float32)}


def still(
    title: str, note: str, shape: Sequence[int], *, signed: bool, low: float, high: float
) -> dict[str, Any]:
    """The header of one map of cells without frames or curves; the caller adds what the cells are."""
    return {
        "title": title,
        "note": note,
        "shape": list(shape),
        "signed": signed,
        "low": low,
        "high": high,
        "height": 336,
        "frames": None,
        "at": 0,
        "moves": False,
        "curves": [],
        "ends": ["", ""],
    }


def log_places(steps: np.ndarray) -> np.ndarray:
    """Places from 0 to 1 on a logarithmic axis of steps − steps[0] + 1, (n,) float32; the first steps lie far apart."""
    places = np.log1p(steps.astype(np.float64) - steps[0])
    return (places / max(places[-1], 1e-12)).astype(np.float32)
