"""A data set in memory: three parts of one kind of case, and how cases become one."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from rbm_core.pixels import from_bytes

__all__ = ["MOST_LABELS", "Cases", "Dataset", "DatasetError", "assembled", "fingerprint", "shuffled", "split"]

MOST_LABELS = 255
"""Classes that label units can stand for; films keep a label in a byte, whose last value means none."""

_SMALLEST_SPLIT = 20  # cases; fewer are too few to set any aside


class DatasetError(ValueError):
    """Data that are missing or not usable; the message is one sentence with the way out, whatever names it quotes."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


@dataclass(frozen=True, eq=False)
class Dataset:
    """Three parts of one kind of image. Raises DatasetError if an image is not finite or leaves [0, 1].

    train, valid, test: (N, V) in [0, 1], V = height × width; labels (N,) int64, or None where there are none. The
    fields `train_kept` and the like are what was given: those numbers, or with `in_bytes` 255 times them as uint8, a
    quarter of the memory. Getting it is most of what loading takes, so `train` and the like are made when asked for.
    fingerprint: the first 16 hex digits of the sha256 of all images and labels as they were found, before any
    split, so two runs with the same fingerprint and n_valid saw the same data. columns, ranges, classes: as of Cases.
    """

    name: str
    train_kept: np.ndarray
    train_labels: np.ndarray | None
    valid_kept: np.ndarray
    valid_labels: np.ndarray | None
    test_kept: np.ndarray
    test_labels: np.ndarray | None
    image_shape: tuple[int, int]
    fingerprint: str
    columns: tuple[str, ...] | None = None
    ranges: np.ndarray | None = None
    classes: tuple[str, ...] | None = None
    in_bytes: bool = False

    @cached_property
    def train(self) -> np.ndarray:
        """The training cases in [0, 1]."""
        return self._in_unit_range(self.train_kept)

    @cached_property
    def valid(self) -> np.ndarray:
        """The validation cases in [0, 1]."""
        return self._in_unit_range(self.valid_kept)

    @cached_property
    def test(self) -> np.ndarray:
        """The test cases in [0, 1]."""
        return self._in_unit_range(self.test_kept)

    def _in_unit_range(self, kept: np.ndarray) -> np.ndarray:
        return from_bytes(kept) if self.in_bytes else kept

    def __post_init__(self) -> None:
        n_pixels = self.image_shape[0] * self.image_shape[1]
        for part in ("train", "valid", "test"):
            images, labels, what = (
                getattr(self, f"{part}_kept"),
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
            if self.in_bytes:
                continue
            if images.dtype == np.uint8:  # zeros and ones: a byte stands for 1/255 elsewhere
                object.__setattr__(self, f"{part}_kept", images.astype(np.float32))
            low, high = float(images.min()), float(images.max())
            if not (low >= 0 and high <= 1):  # also refuses NaN, which min and max pass on
                raise DatasetError(
                    f"{what} must be finite and in [0, 1], got {low:g} to {high:g}: scale it first"
                )

    @property
    def n_labels(self) -> int:
        """How many classes the labels of all parts number, from 0. Raises DatasetError where label units cannot learn
        them: no labels, one class, or more than MOST_LABELS.
        """
        found = [self.labels_in(part) for part in ("train", "valid", "test")]
        n = 1 + max(int(labels.max()) for labels in found)
        low = min(int(labels.min()) for labels in found)
        if low < 0 or not 2 <= n <= MOST_LABELS:
            raise DatasetError(
                f"label units need 2 to {MOST_LABELS} classes numbered from 0, and the labels of {self.name!r} run "
                f"from {low} to {n - 1}; choose other data, or train without labels"
            )
        return n

    def check_labels(self) -> None:
        """Raises DatasetError where label units cannot learn the labels."""
        _ = self.n_labels

    def labels_in(self, part: str) -> np.ndarray:
        """The labels (N,) int64 of a part. Raises DatasetError where there are none."""
        labels: np.ndarray | None = getattr(self, f"{part}_labels")
        if labels is None:
            raise DatasetError(
                f"label units need data with a label a case, and {self.name!r} has none; choose mnist-5k or digits-8, "
                "name the column or the folders of your own data's classes, or train without labels"
            )
        return labels

    @property
    def class_names(self) -> tuple[str, ...]:
        """What a person calls each label."""
        return self.classes or tuple(map(str, range(self.n_labels)))


class Cases(NamedTuple):
    """images: (N, height, width), uint8 grey values or float32 in [0, 1]. labels: (N,) int64, or None.

    classes: the name of each label, where it has another than its number. columns: the names of the width's values
    where a case is a row of a table, which has height 1. ranges: (2, width)
    float64, each column's lowest and highest value, which stand at 0 and 1; None where values are in [0, 1] by nature.
    """

    images: np.ndarray
    labels: np.ndarray | None
    columns: tuple[str, ...] | None = None
    ranges: np.ndarray | None = None
    classes: tuple[str, ...] | None = None

    def take(self, index: np.ndarray | slice) -> "Cases":
        """The cases of these numbers, (M,), in their order."""
        labels = None if self.labels is None else self.labels[index]
        return self._replace(images=self.images[index], labels=labels)


def shuffled(cases: Cases) -> Cases:
    """The cases in a fixed order, the same on every machine."""
    # RandomState's stream is the same in all releases of numpy; Generator's may change with one (NEP 19).
    return cases.take(np.random.RandomState(0).permutation(len(cases.images)))


def n_train_of(n: int, n_valid: int) -> int:
    """How many of n cases `split` leaves to train."""
    return n if n < _SMALLEST_SPLIT else n - n // 10 - min(n_valid, n // 10)


def split(name: str, cases: Cases, n_valid: int) -> Dataset:
    """A tenth of the cases to test, at most another tenth to validate; fewer than 20 are not split."""
    n = len(cases.images)
    if n < _SMALLEST_SPLIT:
        return assembled(name, cases, cases, 0, fingerprint(cases))
    mixed = shuffled(cases)
    train, test = mixed.take(np.s_[: n - n // 10]), mixed.take(np.s_[n - n // 10 :])
    return assembled(name, train, test, min(n_valid, n // 10), fingerprint(cases))


def assembled(name: str, train: Cases, test: Cases, n_valid: int, fingerprint: str) -> Dataset:
    """The data set whose validation part is the last n_valid of the training cases; the test part if that is 0."""
    n_train = len(train.images) - n_valid
    valid = train.take(np.s_[n_train:]) if n_valid else test
    train = train.take(np.s_[:n_train])
    height, width = train.images.shape[1:]
    in_bytes = all(part.images.dtype == np.uint8 for part in (train, valid, test))
    flat = [part.images.reshape(len(part.images), -1) for part in (train, valid, test)]
    if not in_bytes:
        flat = [from_bytes(images).astype(np.float32) for images in flat]
    return Dataset(
        name,
        flat[0],
        train.labels,
        flat[1],
        valid.labels,
        flat[2],
        test.labels,
        (height, width),
        fingerprint,
        train.columns,
        train.ranges,
        train.classes,
        in_bytes,
    )


def fingerprint(*parts: Cases) -> str:
    """The first 16 hex digits of the sha256 of images and labels."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(repr(part.images.shape).encode())
        digest.update(np.ascontiguousarray(part.images).data)
        if part.labels is not None:
            digest.update(part.labels.astype("<i8").tobytes())
    return digest.hexdigest()[:16]
