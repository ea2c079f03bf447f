"""A reader's drawings and image files, turned into images like those that a run is trained on."""

import base64
import binascii

import numpy as np
from PIL import Image

from rbm_core import picture_files

PAD_SIDE = 140
_MOST_PIXELS = 9_000_000  # a screen of 3,840 × 2,160; decoding more of a PNG takes seconds
_MNIST_SIDE, _MNIST_BOX = 28, 20


class DrawingError(ValueError):
    """Why a drawing or an upload cannot start a chain, in one sentence."""


def bits_from_pad(text: str, shape: tuple[int, int], as_mnist: bool) -> tuple[str, str]:
    """(bits, complaint): the pad's base64 as the bits of an image of this shape, as `bits_to_text` writes them.

    "" for an empty pad, and for what is no drawing, of which the complaint tells.
    """
    try:
        picture = _picture_from_pad(text)
    except DrawingError as error:
        return "", str(error)
    return bits_to_text(placed(picture, shape, as_mnist)) if picture.max() > 0 else "", ""


def _picture_from_pad(text: str) -> np.ndarray:
    """(140, 140) float32 in [0, 1]. Raises DrawingError."""
    raw = _bytes(text)
    if len(raw) != PAD_SIDE**2:
        raise DrawingError(
            f"a drawing has {PAD_SIDE**2} grey values, got {len(raw)}; clear the pad and draw again"
        )
    return np.frombuffer(raw, np.uint8).reshape(PAD_SIDE, PAD_SIDE).astype(np.float32) / 255


def picture_from_file(content: bytes) -> np.ndarray:
    """(h, w) float32 in [0, 1], ink 1, from an image file; dark ink on light paper is turned round.

    Raises DrawingError for a file that is no picture, or too large to be decoded while other readers wait.
    """
    try:
        grey = picture_files.grey(content, within=1024, most_pixels=_MOST_PIXELS).astype(np.float32) / 255
    except picture_files.PictureError as error:
        raise DrawingError(f"this file cannot be read as a picture: {error}") from error
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ink = 1 - grey if np.median(border) > 0.5 else grey
    # Paper is not all of one colour: a pixel that differs little from it is no ink.
    low, high = np.median(np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]])), ink.max()
    if high - low < 0.1:
        raise DrawingError(
            "the image is all of one shade; use one with dark strokes on light paper, or the reverse"
        )
    return np.clip((ink - low) / (high - low) * 1.25 - 0.25, 0, 1)


def words(shape: tuple[int, int], as_mnist: bool) -> str:
    """What `placed` does to a drawing, as a clause."""
    done = (
        "shrunk and centred first, as MNIST's digits are"
        if as_mnist
        else f"shrunk to {shape[1]} × {shape[0]} pixels"
    )
    return f"The drawing is {done}."


def placed(picture: np.ndarray, shape: tuple[int, int], as_mnist: bool) -> np.ndarray:
    """The picture as an image of this shape, (h · w,) of zeros and ones.

    as_mnist: laid out in 28 × 28 as MNIST is: the ink's bounding box fits 20 × 20, and its centre of mass lies in the
    middle (LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/). Else the shape is filled from edge to edge.
    Raises DrawingError if there is no ink.
    """
    rows, columns = np.flatnonzero(picture.max(1) > 0.2), np.flatnonzero(picture.max(0) > 0.2)
    if len(rows) == 0:
        raise DrawingError("the drawing is empty; draw something on the pad first")
    if not as_mnist:
        return (_resized(picture, shape[1], shape[0]) > 0.5).astype(np.float32).ravel()
    ink = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = _MNIST_BOX / max(ink.shape)
    small = _resized(ink, max(1, round(ink.shape[1] * scale)), max(1, round(ink.shape[0] * scale)))
    weights = small / small.sum()
    middle = (_MNIST_SIDE - 1) / 2
    top = round(middle - float(weights.sum(1) @ np.arange(small.shape[0])))
    left = round(middle - float(weights.sum(0) @ np.arange(small.shape[1])))
    top = min(max(top, 0), _MNIST_SIDE - small.shape[0])
    left = min(max(left, 0), _MNIST_SIDE - small.shape[1])
    image = np.zeros((_MNIST_SIDE, _MNIST_SIDE), np.float32)
    image[top : top + small.shape[0], left : left + small.shape[1]] = small
    # A thin stroke fades when a large picture is shrunk, so its darkest parts are kept as ink.
    return (image > min(0.5, 0.5 * float(image.max()))).astype(np.float32).ravel()


def _resized(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    image = Image.fromarray(np.round(255 * picture).astype(np.uint8))
    return np.asarray(image.resize((width, height), Image.Resampling.BOX), np.float32) / 255


def bits_to_text(bits: np.ndarray) -> str:
    """Zeros and ones as URL-safe base64, for a link."""
    return base64.urlsafe_b64encode(np.packbits(bits.astype(bool)).tobytes()).decode().rstrip("=")


def bits_from_text(text: str, n: int) -> np.ndarray:
    """(n,) bool from base64, URL-safe or not. Raises DrawingError if it does not hold n bits."""
    raw = _bytes(text)
    if len(raw) != -(-n // 8):
        raise DrawingError(f"a picture of {n} pixels takes {-(-n // 8)} bytes, got {len(raw)}")
    return np.unpackbits(np.frombuffer(raw, np.uint8), count=n).astype(bool)


def _bytes(text: str) -> bytes:
    plain = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise DrawingError("a drawing travels as base64, and this is something else; draw again") from error
