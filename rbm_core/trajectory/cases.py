"""Pictures that films need: test and training images of the run's data set, else the probe images it recorded."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from rbm_core import datasets
from rbm_core.compute import Rng
from rbm_core.pixels import cut, from_bytes, lit

__all__ = [
    "NO_LABEL",
    "Arrays",
    "Cases",
    "PackedCases",
    "binarised",
    "probe_cases",
    "sources",
    "training_bits",
]

Arrays = dict[str, np.ndarray]

PROBE_IMAGES = "the run's own probe images"
NO_LABEL = 255
MAPPED = 2000  # training images kept unpacked: the map is fitted to them


class Cases(NamedTuple):
    """images (N, V) float32 grey values in [0, 1], labels (N,) if there are any, and what they are, in words."""

    images: np.ndarray
    labels: np.ndarray | None
    source: str

    @property
    def small_labels(self) -> np.ndarray:
        """Labels as uint8, 255 where there are none."""
        n = len(self.images)
        return np.full(n, NO_LABEL, np.uint8) if self.labels is None else self.labels.astype(np.uint8)

    def counted(self, n: int) -> str:
        """`2,000 training images of mnist` or `the run's own 100 probe images`."""
        if self.source == PROBE_IMAGES:
            return PROBE_IMAGES.replace("probe", f"{n:,} probe")
        return f"{n:,} {self.source}"


class PackedCases(NamedTuple):
    """bits (N, ⌈V/8⌉): images cut at one half, np.packbits rows; labels (N,) uint8; what they are, in words."""

    bits: np.ndarray
    labels: np.ndarray
    source: str


@dataclass(frozen=True, eq=False)
class _DataSet:
    """The test images, some training images, and every training image packed."""

    test: Cases
    train: Cases
    packed: PackedCases
    fingerprint: str


def sources(meta: dict[str, Any], arrays: Arrays, part: str) -> Iterator[Cases]:
    """Images of part "test" or "train" of the run's data if they are on this computer, then its probe images."""
    n_visible = len(arrays["vbias"])
    if (data := _data_of(meta, n_visible)) is not None:
        yield data.test if part == "test" else data.train
    if (probe := probe_cases(arrays)) is not None and probe.images.shape[1] == n_visible:
        yield probe


def training_bits(meta: dict[str, Any], arrays: Arrays) -> PackedCases | None:
    """All training images of the run's data, else its probe images, else None."""
    n_visible = len(arrays["vbias"])
    if (data := _data_of(meta, n_visible)) is not None:
        return data.packed
    probe = probe_cases(arrays)
    if probe is None or probe.images.shape[1] != n_visible:
        return None
    missing = f"since its data ({meta['dataset']}) are not on this machine"
    words = f"{probe.counted(len(probe.images))}, {missing}"
    return PackedCases(_packed(probe.images), probe.small_labels, words)


def probe_cases(arrays: Arrays) -> Cases | None:
    """The probe images of a request; None where it has none."""
    if "probe" not in arrays:
        return None
    return Cases(from_bytes(arrays["probe"]), arrays.get("probe_labels"), PROBE_IMAGES)


def binarised(images: np.ndarray, binarisation: str, rng: Rng) -> np.ndarray:
    """Grey values (N, V) as training saw them: 1 with their own probability, cut at one half, or unchanged."""
    if binarisation == "stochastic":
        return (rng.uniform(images.shape).numpy() < images).astype(images.dtype)
    return cut(images) if binarisation == "threshold" else images


def _data_of(meta: dict[str, Any], n_visible: int) -> _DataSet | None:
    """The run's data set if this computer has exactly the same data, else None."""
    try:
        known = datasets.available(meta["dataset"])  # asked each time: what is missing may be fetched
        data = _loaded(meta["dataset"], meta["n_valid"]) if known else None
    except OSError:  # which may pass
        data = None
    if data is None or data.test.images.shape[1] != n_visible:
        return None
    return data if meta["fingerprint"] in ("", data.fingerprint) else None


@cache
def _loaded(name: str, n_valid: int) -> _DataSet | None:
    try:
        data = datasets.load(name, n_valid=n_valid)
    except ValueError:
        return None
    # Copies, so that the data set itself can be freed.
    some = slice(0, MAPPED)
    labels = None if data.train_labels is None else data.train_labels[some].copy()
    train = Cases(data.train[some].copy(), labels, f"training images of {data.name}")
    every = Cases(data.train, data.train_labels, train.source)
    return _DataSet(
        test=Cases(data.test.copy(), data.test_labels, f"test images of {data.name}"),
        train=train,
        packed=PackedCases(_packed(data.train), every.small_labels, every.counted(len(data.train))),
        fingerprint=data.fingerprint,
    )


def _packed(images: np.ndarray) -> np.ndarray:
    return np.packbits(lit(images), axis=1)
