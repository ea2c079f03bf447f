"""A pad on which a start is drawn, or the pixels are marked that a chain must not change."""

import numpy as np

from dashboard import components
from dashboard.components.blob import pack
from dashboard.figures.drawings import PAD_SIDE

mount = components.load("drawing", "brush", "drawing")


def own_drawing(bits: np.ndarray, note: str, version: str) -> bytes:
    """What a pad for a drawing is sent: bits (rows, columns) as marks on its own, finer grid."""
    rows, columns = (np.arange(PAD_SIDE) * n // PAD_SIDE for n in bits.shape)
    header = {
        "mode": "draw",
        "rows": bits.shape[0],
        "columns": bits.shape[1],
        "title": "Your drawing",
        "note": note,
        "version": version,
    }
    return pack(header, {"marks": bits[rows][:, columns].astype(np.uint8) * 255})
