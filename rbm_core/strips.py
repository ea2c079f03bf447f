"""Rows of a table as a picture: strips below the names of the table's columns. NumPy and Pillow alone."""

import unicodedata
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

__all__ = ["spelt", "strips"]

# Pillow's own font has Latin letters, figures and the middle dot: other characters of a caption are spelt with them.
_SPELT = str.maketrans({"−": "-", "–": "-", "—": "-", "→": "->", "×": "x", "≈": "~"})
_PAPER, _INK = 255, 40
_NAME_SIZE = 11
_STRIP, _CELL = 12, 22  # pixels: a strip's height, a column's width where there is room
_WIDEST_STRIPS = 1400


def strips(rows: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """uint8 (N, V) or (N, V, 3) rows of a table as strips below the names of its columns, in blocks side by side.

    Returns (H, W) or (H, W, 3).
    """
    n, V = rows.shape[:2]
    cell = max(1, min(_CELL, _WIDEST_STRIPS // V))
    blocks = max(1, min(round((n * _STRIP / (cell * V)) ** 0.5), _WIDEST_STRIPS // (cell * V)))
    each = -(-n // blocks)
    head = _names(names, cell) if cell >= _NAME_SIZE else np.full((1, cell * V), _PAPER, np.uint8)
    if rows.ndim == 3:
        head = head[:, :, None].repeat(3, 2)
    parts = []
    for first in range(0, n, each):
        some = rows[first : first + each].repeat(cell, 1)
        lines = np.full((each * (_STRIP + 2), cell * V, *rows.shape[2:]), _PAPER, np.uint8)
        for k, row in enumerate(some):
            lines[k * (_STRIP + 2) : k * (_STRIP + 2) + _STRIP] = row
        parts += [
            np.vstack([head, lines]),
            np.full((len(head) + len(lines), 16, *rows.shape[2:]), _PAPER, np.uint8),
        ]
    return np.hstack(parts[:-1])


def _names(names: Sequence[str], cell: int) -> np.ndarray:
    """The names upright, each above its column of `cell` pixels: grey (height, cells)."""
    font = ImageFont.load_default(_NAME_SIZE)
    words = [spelt(name)[:28] for name in names]
    tall = round(max(font.getlength(word) for word in words)) + 6
    lying = Image.new("L", (tall, cell * len(words)), _PAPER)
    pen = ImageDraw.Draw(lying)
    for k, word in enumerate(words):
        pen.text((3, (k + 0.5) * cell), word, fill=_INK, font=font, anchor="lm")
    return np.asarray(lying.transpose(Image.Transpose.ROTATE_90))


def spelt(text: str) -> str:
    """The text in characters that the font has: accents are dropped, other unknown characters become question marks."""
    plain = "".join(
        c for c in unicodedata.normalize("NFKD", text.translate(_SPELT)) if not unicodedata.combining(c)
    )
    return "".join(c if c.isascii() or c in "·…" else "?" for c in plain)
