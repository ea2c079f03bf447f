"""The training images of a run, prepared once, and the order in which updates take them."""

import numpy as np
import torch
from torch import Tensor

from rbm_core import pixels
from rbm_core.compute import Rng, Tossed
from rbm_core.config import RunConfig
from rbm_core.datasets import Dataset
from rbm_core.labels import beside

__all__ = ["Batches", "Order"]

Order = np.ndarray | Tensor  # of numbers of cases


class Batches:
    """The training images on the run's device, and which of them each update takes.

    scale: how Gaussian units stand for grey values. images: (N, V) as `pixels.prepared` keeps them. tossed: whether
    they are probabilities in bytes, from which 0/1 states are drawn anew at every use. labels: (N,) where the model has
    label units, of which there are n_labels, else None. mean: of every visible unit over the training cases. n: cases
    of one pass over the data. per_epoch: its updates; a last incomplete batch is left out. Raises DatasetError if
    labels are to be learned that the data do not have.
    """

    def __init__(self, config: RunConfig, dataset: Dataset, device: torch.device) -> None:
        self.config, self.device, self.size = config, device, config.batch_size
        self.scale = pixels.PixelScale.of(dataset.train_kept, columns=dataset.ranges is not None)
        self.images = self.prepared(dataset.train_kept)
        self.tossed = self.images.dtype == torch.uint8
        self.n = len(self.images)
        self.n_labels = dataset.n_labels if config.labels else 0
        self.labels = self.labels_of(dataset.train_labels)
        self.mean = self._mean_of(self.scale.mean)
        self.per_epoch = config.updates_per_epoch(self.n)
        self._order: tuple[int, Order] = (-1, np.empty(0, np.int64))  # of one epoch: its number, rows

    def prepared(self, images: np.ndarray) -> Tensor:
        """Images (N, V), bytes or in [0, 1], as training keeps them: uint8 probabilities, or float32 states."""
        fields = {"visible": self.config.visible, "binarisation": self.config.binarisation}
        return torch.from_numpy(pixels.prepared(images, fields, self.scale)).to(self.device)

    def labels_of(self, labels: np.ndarray | None) -> Tensor | None:
        """Labels (N,) of the data as the model's label units count them; None for a model without label units."""
        return torch.from_numpy(labels).to(self.device) if self.n_labels and labels is not None else None

    def _mean_of(self, grey: np.ndarray) -> np.ndarray:
        """The mean of every visible unit, float32: the grey values' (V,), and behind it the labels' shares."""
        if self.labels is None:
            return grey
        shares = torch.bincount(self.labels, minlength=self.n_labels).float() / len(self.labels)
        return np.concatenate([grey, shares.cpu().numpy()])

    def states(self, prepared: Tensor, rng: Rng, labels: Tensor | None = None) -> Tensor:
        """All of these prepared cases as visible states (N, V) float32, drawn from rng where they are probabilities.

        labels: (N,), where the model has label units.
        """
        pixels = prepared
        if self.tossed:
            out = torch.empty(prepared.shape, device=self.device)
            pixels = rng.binarise(prepared, torch.arange(len(prepared), device=self.device), out)
        return pixels if labels is None else beside(pixels, labels, self.n_labels)

    def fill(self, rows: Tensor, rng: Rng, out: Tensor) -> None:
        """Writes visible states of the training cases `rows` (B,) into out (B, V), without leaving the device."""
        if self.labels is not None:
            pixels = torch.empty(len(rows), self.images.shape[1], dtype=out.dtype, device=self.device)
            self._fill_pixels(rows, rng, pixels)
            out.copy_(beside(pixels, self.labels[rows], self.n_labels))
        else:
            self._fill_pixels(rows, rng, out)

    def toss(self, rows: Tensor, rng: Rng) -> Tossed | None:
        """What a kernel makes of this call of `fill`, on the CPU; None where a kernel cannot."""
        return rng.tossed(*self._odds(rows)) if self.tossed and self.labels is None else None

    def _fill_pixels(self, rows: Tensor, rng: Rng, out: Tensor) -> None:
        if self.tossed:
            rng.binarise(*self._odds(rows), out)
        else:
            out.copy_(self.images[rows])

    def _odds(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities in bytes (N, V), and which rows of them are those of the cases `rows` (B,)."""
        return self.images, rows

    def rows(self, step: int) -> Order:
        """The training cases of update number step + 1: (B,) int64, an array on the CPU, a tensor on a GPU.

        Every epoch has its own order, which follows from the seed and the epoch's number alone, so that a resumed
        run needs no saved order. A data set smaller than a batch is repeated to fill it.
        """
        epoch, position = divmod(step, self.per_epoch)
        if self._order[0] != epoch:
            n, rng = self.n, Rng(self.config.seed, "order")
            rng.calls = epoch << 16
            repeats = -(-self.size // n)
            order = torch.cat([rng.permutation(n) for _ in range(repeats)]).to(self.device)
            self._order = (epoch, order.numpy() if self.device.type == "cpu" else order)
        return self._order[1][position * self.size : (position + 1) * self.size]
