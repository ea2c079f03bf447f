"""Pictures and animations to save: frames of grey or colour with captions, encoded as PNG, GIF or WebP."""

import io
import itertools
from collections.abc import Sequence
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from rbm_core.strips import spelt

Format = Literal["gif", "webp"]
MOST_FRAMES = 600
MOST_PIXELS = 90_000_000  # of all frames together, captions included: about 5 s of work and a few megabytes
_SIDE = 560  # a smaller picture is enlarged by a whole number to about this many pixels
_NARROWEST = 280  # pixels; a caption is unreadable in less
_PAPER, _INK = 255, 40
_GREYS = 16  # greys of a caption: in a GIF of many colours the rest of the palette is the picture's


class AnimationError(ValueError):
    """Why no animation can be made, in one sentence."""


def animation(
    frames: Sequence[np.ndarray], *, fps: float, captions: str | Sequence[str], format: Format
) -> bytes:
    """The frames as one endlessly looping animation, a caption beneath each.

    frames: uint8 (h, w) grey or (h, w, 3) colour, all of one shape; a small frame is enlarged by a whole number.
    captions: one for all, or one a frame. format: "webp" keeps every pixel as it is; "gif" has one palette of 256
    colours for all frames, exact where 256 are enough, as they are for grey. fps: frames a second; a GIF rounds each
    frame's time to a hundredth of a second. Frames that look the same are stored once and shown for their sum.
    Raises AnimationError for no frame, for frames of different shapes, and beyond MOST_FRAMES or MOST_PIXELS.
    """
    if not 0 < fps <= 50:
        raise AnimationError(f"an animation runs at more than 0 and at most 50 frames a second, got {fps:g}")
    pages = _pages(frames, captions)
    unit = 10 if format == "gif" else 1
    ends = [round(1000 / fps * n / unit) * unit for n in range(len(pages) + 1)]
    durations = [end - begin for begin, end in itertools.pairwise(ends)]
    images = _indexed(pages) if format == "gif" else [Image.fromarray(page) for page in pages]
    options = (
        {"optimize": False, "disposal": 1}
        if format == "gif"
        else {"lossless": True, "quality": 0, "method": 0}
    )
    file = io.BytesIO()
    images[0].save(
        file, format, save_all=True, append_images=images[1:], duration=durations, loop=0, **options
    )
    return file.getvalue()


def picture(frame: np.ndarray, caption: str) -> bytes:
    """One frame, uint8 (h, w) or (h, w, 3), as a PNG with its caption beneath. Raises AnimationError as `animation`."""
    file = io.BytesIO()
    Image.fromarray(_pages([frame], caption)[0]).save(file, "png")
    return file.getvalue()


def tiled(tiles: np.ndarray, columns: int, gap: int = 1) -> np.ndarray:
    """uint8 (N, h, w) or (N, h, w, 3) tiles row by row in a grid of `columns`, a mid-grey gap between.

    Places left over are white. Returns (H, W) or (H, W, 3).
    """
    n, h, w = tiles.shape[:3]
    rows = -(-n // columns)
    out = np.full((rows * (h + gap) - gap, columns * (w + gap) - gap, *tiles.shape[3:]), 128, np.uint8)
    for k in range(n):
        top, left = k // columns * (h + gap), k % columns * (w + gap)
        out[top : top + h, left : left + w] = tiles[k]
    if n % columns:
        out[(rows - 1) * (h + gap) :, n % columns * (w + gap) :] = _PAPER
    return out


def _pages(frames: Sequence[np.ndarray], captions: str | Sequence[str]) -> list[np.ndarray]:
    """Each frame, enlarged, with its caption beneath: uint8 arrays of one shape."""
    if not len(frames):
        raise AnimationError("an animation needs at least one frame, got none")
    if len(frames) > MOST_FRAMES:
        raise AnimationError(
            f"an animation holds at most {MOST_FRAMES} frames, got {len(frames):,}; take every second one"
        )
    shape = frames[0].shape
    if len(shape) not in (2, 3) or any(frame.shape != shape for frame in frames):
        shapes = ", ".join(sorted({str(frame.shape) for frame in frames}))
        raise AnimationError(f"the frames of an animation have one shape, (h, w) or (h, w, 3), got {shapes}")
    words = [captions] * len(frames) if isinstance(captions, str) else list(captions)
    if len(words) != len(frames):
        raise AnimationError(
            f"an animation of {len(frames)} frames takes one caption or {len(frames)}, got {len(words)}"
        )
    zoom = max(1, round(_SIDE / max(shape[:2])))
    while zoom > 1 and _size(shape, zoom) * len(frames) > MOST_PIXELS:
        zoom -= 1
    if _size(shape, zoom) * len(frames) > MOST_PIXELS:
        raise AnimationError(
            f"an animation of {len(frames):,} frames of {shape[1]} × {shape[0]} pixels passes the "
            f"{MOST_PIXELS // 10**6} million pixels it may have in all; take fewer frames"
        )
    width = max(shape[1] * zoom, _NARROWEST)
    strips = _strips(words, width)
    return [_page(frame, zoom, width, strip) for frame, strip in zip(frames, strips, strict=True)]


def _size(shape: tuple[int, ...], zoom: int) -> int:
    """The pixels of a page whose caption has three lines."""
    return (shape[0] * zoom + 60) * max(shape[1] * zoom, _NARROWEST)


def _page(frame: np.ndarray, zoom: int, width: int, strip: np.ndarray) -> np.ndarray:
    large = frame.repeat(zoom, 0).repeat(zoom, 1)
    page = np.full((len(large) + len(strip), width, *frame.shape[2:]), _PAPER, np.uint8)
    left = (width - large.shape[1]) // 2
    page[: len(large), left : left + large.shape[1]] = large
    page[len(large) :] = strip if frame.ndim == 2 else strip[:, :, None]
    return page


def _strips(captions: list[str], width: int) -> list[np.ndarray]:
    """The captions as grey (height, width) pictures of one height, in lines that fit."""
    size = max(14, min(width // 40, 20), width // 60)
    font = ImageFont.load_default(size)
    known: dict[str, list[str]] = {text: _lines(text, font, width - size) for text in dict.fromkeys(captions)}
    height = round(size * 1.3)
    tall = height * max(len(lines) for lines in known.values()) + size
    drawn = {}
    for text, lines in known.items():
        strip = Image.new("L", (width, tall), _PAPER)
        pen = ImageDraw.Draw(strip)
        for n, line in enumerate(lines):
            pen.text((size // 2, size // 2 + n * height), line, fill=_INK, font=font)
        grey = np.asarray(strip)
        drawn[text] = np.round(np.round(grey / 255 * (_GREYS - 1)) * 255 / (_GREYS - 1)).astype(np.uint8)
    return [drawn[text] for text in captions]


def _lines(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        line = ""
        for word in spelt(paragraph).split():
            longer = f"{line} {word}".strip()
            if line and font.getlength(longer) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines


def _indexed(pages: list[np.ndarray]) -> list[Image.Image]:
    """The pages as indices into one palette that all share."""
    codes = [_code(page) for page in pages]
    seen, counts = np.zeros(1 << 24, bool), np.zeros(1 << 24, np.int64)
    for code in codes:
        seen[code] = True
        some, times = np.unique(code[::4, ::4], return_counts=True)  # a sixteenth is enough
        counts[some] += times
    colours = np.flatnonzero(seen)
    rgb = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], 1).astype(np.uint8)
    index = np.zeros(1 << 24, np.uint8)
    if len(colours) <= 256:
        palette = rgb
        index[colours] = np.arange(len(colours))
    else:
        # Each colour is repeated as often as it is used, so that the palette is most exact for what covers most.
        often = 1 + counts[colours] * 8 * len(colours) // counts.sum()
        row = Image.fromarray(rgb.repeat(often, 0)[None]).quantize(256, Image.Quantize.MEDIANCUT)
        palette = np.array(row.getpalette(), np.uint8).reshape(-1, 3)
        index[colours] = np.asarray(row)[0][often.cumsum() - 1]
    images = []
    for code in codes:
        image = Image.fromarray(index[code])
        image.putpalette(palette.tobytes())
        images.append(image)
    return images


def _code(page: np.ndarray) -> np.ndarray:
    """Each pixel's colour as one number, red foremost."""
    if page.ndim == 2:
        return page.astype(np.uint32) * 0x010101
    red, green, blue = (page[:, :, k].astype(np.uint32) for k in range(3))
    return red << 16 | green << 8 | blue
