"""Files of images: arrays as MNIST is published, and single pictures."""

from pathlib import Path

import numpy as np
from PIL import Image


def rows(images: np.ndarray) -> set[bytes]:
    return {image.tobytes() for image in images}


def write_idx(path: Path, values: np.ndarray) -> None:
    header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header + values.astype(np.uint8).tobytes())


def save(folder: Path, name: str, image: Image.Image) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


def grey(value: int, size: tuple[int, int] = (10, 8)) -> Image.Image:
    return Image.new("L", size, value)
