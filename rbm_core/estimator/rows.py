"""The rows of a scikit-learn X as training takes them: bytes, dense or sparse, in an order of their own, with weights.

A value x in [0, 1] is kept as the byte round(255 x), the probability that its unit is 1; every update draws anew.
"""

import itertools
import zlib
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from rbm_core import pixels
from rbm_core.config import RunConfig
from rbm_core.training.batches import Batches, Order

__all__ = ["RowBatches", "as_byte_rows", "binary_rows", "is_binary", "repeated"]

Rows = Any
"""(N, V) uint8: a NumPy array or a CSR one; scipy ships no types to say so."""

_FEW = 1000  # rows that are looked at as a whole: those that are monitored


def as_byte_rows(X: Any) -> Rows:
    """round(255 x) of values in [0, 1] as uint8, sparse where X is. X: (N, V) dense, or CSR."""
    if not sp.issparse(X):
        return pixels.as_bytes(X)
    rows = sp.csr_array((pixels.as_bytes(X.data), X.indices, X.indptr), shape=X.shape)
    rows.sum_duplicates()
    return rows


def repeated(rows: Rows, weights: np.ndarray | None, rng: np.random.RandomState) -> np.ndarray:
    """Which row stands at each place of the training set (M,), in an order that follows from the rows alone.

    weights: (N,), at least 0, or None. A whole-numbered weight repeats its row that often, so that a weight of 2 and
    two equal rows are the same training set, and 0 leaves a row out. Other weights are first divided by their mean;
    each is then rounded up or down at random, with the odds that keep its mean.
    """
    n = rows.shape[0]
    order = np.argsort(_row_numbers(rows), kind="stable")
    if weights is None:
        return order
    counts = weights[order]
    if np.any(counts != np.floor(counts)):
        counts = counts * n / counts.sum()
        counts = np.floor(counts + rng.uniform(size=n))
    return np.repeat(order, counts.astype(np.int64))


def _row_numbers(rows: Rows) -> np.ndarray:
    """A number of each row, (N,) uint64, equal for equal rows: a checksum of its columns and one of its bytes."""
    if not sp.issparse(rows):
        rows = np.ascontiguousarray(rows)
        return np.fromiter((zlib.crc32(row) for row in rows), np.uint64, len(rows))
    columns, data, starts = rows.indices.astype("<i8"), rows.data, rows.indptr
    numbers = np.empty(rows.shape[0], np.uint64)
    for i, (first, last) in enumerate(itertools.pairwise(starts)):
        part = slice(first, last)
        numbers[i] = (zlib.crc32(columns[part].tobytes()) << 32) | zlib.crc32(data[part].tobytes())
    return numbers


class RowBatches(Batches):
    """The rows of X as batches of a training: dense rows as they are, sparse ones unpacked a batch at a time.

    rows: (N, V) uint8. order: (M,) int64, the row at each place of the training set. labels: (N,) int64 of n_labels
    classes, where the model has label units. On a GPU sparse rows are unpacked
    as a whole, since a captured graph cannot wait for them.
    """

    def __init__(
        self,
        config: RunConfig,
        rows: Rows,
        order: np.ndarray,
        device: torch.device,
        labels: np.ndarray | None = None,
        n_labels: int = 0,
    ) -> None:
        self.config, self.device, self.size = config, device, config.batch_size
        self._sparse: Rows | None = rows if sp.issparse(rows) and device.type == "cpu" else None
        counts = np.bincount(order, minlength=rows.shape[0]).astype(np.float64)
        grey = (np.asarray(counts @ rows).ravel() / (255.0 * len(order))).astype(np.float32)
        self.scale = pixels.PixelScale(grey, np.ones_like(grey))
        self.n_labels = n_labels
        self.labels = None if labels is None else self.labels_of(labels[order])
        self.mean = self._mean_of(grey)
        self.labels = self.labels_of(labels)
        dense = rows.toarray() if sp.issparse(rows) and self._sparse is None else rows
        self._places = order
        shown = dense[order[:_FEW]]
        self.first: np.ndarray = shown.toarray() if sp.issparse(shown) else shown
        self.images = torch.from_numpy(
            np.ascontiguousarray(self.first if self._sparse is not None else dense)
        )
        self.images = self.images.to(device)
        self.tossed, self.n = True, len(order)
        self.per_epoch = config.updates_per_epoch(self.n)
        self._order = (-1, order[:0])

    def rows(self, step: int) -> Order:
        """The rows of X, not the places of the training set, that update number step + 1 takes: (B,)."""
        places = super().rows(step)
        if isinstance(places, Tensor):
            return torch.from_numpy(self._places[places.cpu().numpy()])
        return self._places[places]

    def _odds(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        if self._sparse is None:
            return super()._odds(rows)
        return torch.from_numpy(self._sparse[rows.numpy()].toarray()), torch.arange(len(rows))


def is_binary(X: Any) -> bool:
    """Whether every value is 0 or 1."""
    values = X.data if sp.issparse(X) else X
    return bool(((values == 0) | (values == 1)).all())


def binary_rows(X: Any) -> Any:
    """A row of zeros and ones for each row of X, drawn with its values as probabilities; sparse where X is.

    The draw follows from the row alone: the same row gives the same zeros and ones wherever it stands, dense or sparse.
    """
    grey = sp.csr_array(X) if not sp.issparse(X) else sp.csr_array(X, copy=True)
    grey.sum_duplicates()
    numbers = np.repeat(_row_numbers(as_byte_rows(grey)), np.diff(grey.indptr))
    grey.data = (_uniform(numbers, grey.indices.astype(np.uint64)) < grey.data).astype(grey.dtype)
    return grey if sp.issparse(X) else grey.toarray()


def _uniform(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Numbers in [0, 1) that two whole numbers each stand for: splitmix64 (Steele, Lea & Flood 2014)."""
    with np.errstate(over="ignore"):
        z = a + (b + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53
