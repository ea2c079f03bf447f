"""Samples of a model as sheets of small grey images; arrays in, arrays out."""

import numpy as np

from dashboard.figures.animation import tiled


def sheet(v: np.ndarray) -> np.ndarray:
    """One square sheet of the images v (n, h, w), uint8; grey spans 0 to 1, or their own range where that is wider."""
    low, high = (0.0, 1.0) if v.min() >= 0 and v.max() <= 1 else (float(v.min()), float(v.max()))
    grey = np.round(255 * (v - low) / max(high - low, 1e-9)).astype(np.uint8)
    return tiled(grey, max(1, int(np.ceil(np.sqrt(len(v))))))


def beside(sheets: list[np.ndarray]) -> np.ndarray:
    """Sheets of one shape in a row, on white."""
    gap = np.full((len(sheets[0]), 8), 255, np.uint8)
    return np.hstack([part for one in sheets for part in (one, gap)][:-1])
