"""Picture files as grey values: the one place that decodes files which others made.

Limits come before pixels: a file's bytes before it is opened, its width and height before it is decoded. Of an
animation the first frame is read, and no other is looked for; Pillow itself bounds the text chunks of a PNG (1 MB
each). Only the formats below are tried: others bring decoders that start programs or that nobody here needs. Pillow's
decoders raise errors of many types on damaged files: each becomes a PictureError.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

__all__ = ["MOST_PIXELS", "SUFFIXES", "PictureError", "grey", "size"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
_MOST_BYTES = 256_000_000
MOST_PIXELS = 64_000_000  # 8,000 × 8,000: decoded, a picture in colour takes 256 MB


class PictureError(ValueError):
    """Why a file cannot be read as a picture, as the end of a sentence about it."""


def size(file: Path | bytes) -> tuple[int, int]:
    """(width, height) as shown, from the file's head: a camera may store an upright photograph turned by 90°.

    Raises PictureError.
    """
    with _opened(file, MOST_PIXELS) as image:
        # Not image.getexif(), which of a PNG decodes every pixel first to look for a chunk behind them.
        turned = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1) >= 5
        turned = turned and image.format != "TIFF"  # Pillow turns the size of one as it opens it
        return (image.height, image.width) if turned else image.size


def grey(
    file: Path | bytes,
    *,
    within: int | None = None,
    most_pixels: int = MOST_PIXELS,
    channel: str = "luminance",
) -> np.ndarray:
    """(height, width) uint8, upright; what is transparent is laid on white, as viewers show it.

    channel: of a coloured picture: its luminance (ITU-R 601), or its red, green or blue alone.
    within: the longer side at most; a larger picture is made smaller. most_pixels: of the file; a JPEG that is made
    smaller is decoded smaller, and may have eight times as many. Raises PictureError.
    """
    with _opened(file, most_pixels, made_smaller=within is not None) as stored:
        if within is not None:
            stored.draft("L", (within, within))
        image: Image.Image = ImageOps.exif_transpose(stored)
        if image.mode.startswith(("I", "F")):
            image = _eight_bit(np.asarray(image, np.float64), 1.0 if image.mode == "F" else 65535.0)
        if image.has_transparency_data:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
        coloured = channel != "luminance" and image.mode not in ("L", "LA", "1")
        image = image.convert("RGB").getchannel(channel[0].upper()) if coloured else image.convert("L")
        if within is not None:
            image.thumbnail((within, within))
        return np.asarray(image)


@contextmanager
def _opened(file: Path | bytes, most_pixels: int, made_smaller: bool = False) -> Iterator[Image.Image]:
    """The picture, its head read and found within the limits; whatever is raised until it is closed is one error."""
    try:
        if isinstance(file, Path) and file.exists() and not file.is_file():
            raise PictureError("it is a pipe or a device and no plain file")
        n_bytes = len(file) if isinstance(file, bytes) else file.stat().st_size
        if n_bytes > _MOST_BYTES:
            raise PictureError(f"it has {n_bytes:,} bytes, and at most {_MOST_BYTES:,} are read")
        with Image.open(io.BytesIO(file) if isinstance(file, bytes) else file, formats=_FORMATS) as image:
            most = 8 * most_pixels if made_smaller and image.format in ("JPEG", "MPO") else most_pixels
            if image.width * image.height > most:
                raise PictureError(
                    f"it has {image.width:,} × {image.height:,} pixels, and at most {most:,} are read; make it "
                    "smaller first"
                )
            yield image
    except PictureError:
        raise
    except (
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:  # Pillow's own limit came first
        raise PictureError("it has more pixels than are read; make it smaller first") from error
    except Exception as error:
        raise PictureError("it is damaged, or no picture of a format that is read here") from error


def _eight_bit(pixels: np.ndarray, top: float) -> Image.Image:
    low, high = float(pixels.min()), float(pixels.max())
    if not (low >= 0 and high <= top):
        raise PictureError(
            f"its pixels must be finite and in [0, {top:g}], got {low:g} to {high:g}: scale them first"
        )
    return Image.fromarray(np.round(pixels * (255 / top)).astype(np.uint8))
