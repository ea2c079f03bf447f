"""The published data sets that a computer fetches once: MNIST and its kin.

torchvision knows where they are published and their checksums; it is imported for a download alone, since it brings
torch, and its own download has no timeout and prints a progress bar beside the caller's.
"""

import gzip
import hashlib
import http.client
import io
import math
import os
import tempfile
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from rbm_core.datasets.dataset import Cases, DatasetError

__all__ = ["PUBLISHED", "RAW_FILES", "Progress", "idx_array", "is_there", "read_published", "write_whole"]

Progress = Callable[[str, int, int], None]
"""Called while downloading: (file name, bytes so far, bytes in all or 0 where the server does not say)."""

PUBLISHED = {  # name: torchvision's class, which is also its folder's name; title
    "mnist": ("MNIST", "MNIST"),
    "fashion-mnist": ("FashionMNIST", "Fashion-MNIST"),
    "kmnist": ("KMNIST", "Kuzushiji-MNIST"),
    "emnist-letters": ("EMNIST", "EMNIST's letters"),
}
CLASSES = {
    "fashion-mnist": (
        *("T-shirt", "trousers", "pullover", "dress", "coat"),
        *("sandal", "shirt", "sneaker", "bag", "boot"),
    ),
    "emnist-letters": tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
}
"""What their labels stand for, where it is not the number itself."""
RAW_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_TIMEOUT = 20.0  # seconds without an answer


def raw_folder(name: str, root: Path) -> Path:
    """Where the four files of a published data set lie, as torchvision lays them."""
    return root / PUBLISHED[name][0] / "raw"


def files_of(name: str) -> tuple[str, ...]:
    """The names of its four files: images and labels to train, images and labels to test."""
    if name == "emnist-letters":
        return tuple(
            f"emnist-letters-{part}-{what}"
            for part in ("train", "test")
            for what in ("images-idx3-ubyte", "labels-idx1-ubyte")
        )
    return RAW_FILES


def is_there(name: str, root: Path) -> bool:
    """Whether its four files lie under root; not where that may not be looked into."""
    return all(os.path.isfile(raw_folder(name, root) / file) for file in files_of(name))


def read_published(name: str, root: Path, download: bool, progress: Progress | None) -> tuple[Cases, Cases]:
    """(training cases, test cases), fetched first if need be and allowed. Raises DatasetError in one sentence."""
    title, raw = PUBLISHED[name][1], raw_folder(name, root)
    if not is_there(name, root):
        if not download:
            raise DatasetError(
                f"{title} is not in {root}: allow its download (--download, or download=True), set "
                "RBM_DATA_DIR to a folder that holds it, or choose mnist-5k, which needs no network"
            )
        _download(name, raw, progress)
    files, parts = files_of(name), []
    for images_file, labels_file in (files[:2], files[2:]):
        images, labels = _read_idx(raw / images_file, ndim=3), _read_idx(raw / labels_file, ndim=1)
        if len(images) != len(labels):
            raise DatasetError(
                f"{raw / images_file} has {len(images)} images but {labels_file} has {len(labels)} labels: "
                "delete both and download them again"
            )
        if name == "emnist-letters":  # published lying on their side, and numbered from 1
            images, labels = np.ascontiguousarray(images.transpose(0, 2, 1)), labels - 1
        parts.append(Cases(images, labels.astype(np.int64), classes=CLASSES.get(name)))
    return parts[0], parts[1]


def _read_idx(path: Path, ndim: int) -> np.ndarray:
    try:
        raw = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error.strerror}") from error
    array = idx_array(raw)
    if array is None or array.ndim != ndim:
        raise DatasetError(f"{path} is damaged ({raw.size:,} bytes): delete it and download it again")
    return array


def idx_array(raw: np.ndarray) -> np.ndarray | None:
    """The uint8 array in the bytes of an idx file: 0, 0, type 8, ndim, the shape as big-endian uint32, the values.

    None if they are not one, whole and without a byte more.
    """
    if raw.size < 4 or raw[:3].tolist() != [0, 0, 8] or not 1 <= raw[3] <= 3:
        return None
    start = 4 + 4 * int(raw[3])
    shape = raw[4:start].view(">u4").astype(int).tolist() if raw.size >= start else []
    if not shape or raw.size != start + math.prod(shape):
        return None
    return raw[start:].reshape(shape)


def _download(name: str, raw: Path, progress: Progress | None) -> None:
    """Lay the four files where torchvision would, from the places and with the checksums it knows."""
    from torchvision import datasets as published

    title, source = PUBLISHED[name][1], getattr(published, PUBLISHED[name][0])
    try:
        raw.mkdir(parents=True, exist_ok=True)
        if name == "emnist-letters":
            _lay_letters(raw, _fetched([source.url], source.md5, progress))
            return
        for archive, md5 in source.resources:
            target = raw / archive.removesuffix(".gz")
            if not target.is_file():
                write_whole(
                    target, gzip.decompress(_fetched([m + archive for m in source.mirrors], md5, progress))
                )
    except (OSError, http.client.HTTPException, EOFError, zlib.error, zipfile.BadZipFile, KeyError) as error:
        reason = getattr(error, "reason", error)
        reason = getattr(reason, "strerror", None) or reason
        raise DatasetError(
            f"cannot download {title} to {raw} ({reason}): try again with a network and a folder that can be "
            f"written, put {', '.join(files_of(name))} there yourself, or choose mnist-5k, which needs no network"
        ) from error


def _lay_letters(raw: Path, archive: bytes) -> None:
    """The four files of the letters, out of the archive that holds every part of EMNIST."""
    with zipfile.ZipFile(io.BytesIO(archive)) as whole:
        for file in files_of("emnist-letters"):
            write_whole(raw / file, gzip.decompress(whole.read(f"gzip/{file}.gz")))


def _fetched(addresses: list[str], md5: str, progress: Progress | None) -> bytes:
    """What the first address sends that sends the archive with this checksum."""
    for address in addresses:
        try:
            archive = _get(address, progress)
            if hashlib.md5(archive, usedforsecurity=False).hexdigest() != md5:
                raise OSError(f"what {address} sent is not the published file")
            return archive
        except (OSError, http.client.HTTPException):
            if address == addresses[-1]:
                raise
    raise AssertionError("torchvision lists no address")


def _get(address: str, progress: Progress | None) -> bytes:
    content = io.BytesIO()
    with urllib.request.urlopen(address, timeout=_TIMEOUT) as answer:
        total = int(answer.headers.get("Content-Length") or 0)
        while block := answer.read(1 << 16):
            content.write(block)
            if progress is not None:
                progress(address.rsplit("/", 1)[-1], content.tell(), total)
    return content.getvalue()


def write_whole(path: Path, content: bytes) -> None:
    """Writes another file and renames it, so that a download killed or done twice at once leaves no half file."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as aside:
        try:
            aside.write(content)
            aside.close()
            os.chmod(aside.name, 0o644)
            os.replace(aside.name, path)
        except BaseException:
            Path(aside.name).unlink(missing_ok=True)
            raise
