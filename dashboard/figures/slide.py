"""The first screen as one picture for a slide: the filters and the fantasies side by side, each under its name."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_PAPER, _INK = 255, 40


def beside(panels: Sequence[tuple[str, np.ndarray]], side: int) -> np.ndarray:
    """The pictures in a row on white, uint8 (h, w, 3).

    panels: (title, picture) with pictures uint8 (h, w) or (h, w, 3); each fills a square of `side` pixels as far as
    its proportions allow.
    """
    gap, head = side // 20, side // 12
    page = Image.new("RGB", (len(panels) * (side + gap) + gap, head + side), (_PAPER,) * 3)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(side // 20)
    for n, (title, picture) in enumerate(panels):
        left = gap + n * (side + gap)
        pen.text((left, head // 2), title, fill=(_INK,) * 3, font=font, anchor="lm")
        page.paste(_fitted(picture, side), (left, head))
    return np.asarray(page)


def _fitted(picture: np.ndarray, side: int) -> Image.Image:
    """Enlarged by a whole number, then averaged down: a pixel stays a square, and none is wider than its neighbour."""
    share = side / max(picture.shape[:2])
    zoom = max(1, int(np.ceil(share)))
    large = Image.fromarray(picture.repeat(zoom, 0).repeat(zoom, 1))
    height, width = (max(1, round(share * length)) for length in picture.shape[:2])
    return large.resize((width, height), Image.Resampling.BOX)
