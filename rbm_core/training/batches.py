"""The training images of a run, prepared once, and the order in which updates take them."""

import numpy as np
import torch
from torch import Tensor

from rbm_core import pixels
from rbm_core.compute import Rng
from rbm_core.config import RunConfig
from rbm_core.datasets import Dataset

__all__ = ["Batches"]


class Batches:
    """The training images on the run's device, and which of them each update takes.

    scale: how Gaussian units stand for grey values. images: (N, V) as `pixels.prepared` keeps them. tossed: whether
    they are probabilities in bytes, from which 0/1 states are drawn anew at every use. n: cases of one pass over the
    data. per_epoch: its updates; a last incomplete batch is left out.
    """

    def __init__(self, config: RunConfig, dataset: Dataset, device: torch.device) -> None:
        self.config, self.device, self.size = config, device, config.batch_size
        self.scale = pixels.PixelScale.of(dataset.train, columns=dataset.ranges is not None)
        self.images = self.prepared(dataset.train)
        self.tossed = self.images.dtype == torch.uint8
        self.n = len(self.images)
        self.per_epoch = config.updates_per_epoch(self.n)
        self._order: tuple[int, Tensor] = (
            -1,
            torch.empty(0, dtype=torch.int64),
        )  # of one epoch: its number, rows

    def prepared(self, images: np.ndarray) -> Tensor:
        """Images (N, V) in [0, 1] as training keeps them: uint8 probabilities, or float32 states."""
        fields = {"visible": self.config.visible, "binarisation": self.config.binarisation}
        return torch.from_numpy(pixels.prepared(images, fields, self.scale)).to(self.device)

    def states(self, prepared: Tensor, rng: Rng) -> Tensor:
        """All of these prepared cases as visible states (N, V) float32, drawn from rng where they are probabilities."""
        if not self.tossed:
            return prepared
        out = torch.empty(prepared.shape, device=self.device)
        return rng.binarise(prepared, torch.arange(len(prepared), device=self.device), out)

    def fill(self, rows: Tensor, rng: Rng, out: Tensor) -> None:
        """Writes visible states of the training cases `rows` (B,) into out (B, V), without leaving the device."""
        if self.tossed:
            rng.binarise(self.images, rows, out)
        else:
            out.copy_(self.images[rows])

    def rows(self, step: int) -> Tensor:
        """The training cases of update number step + 1: (B,) int64.

        Every epoch has its own order, which follows from the seed and the epoch's number alone, so that a resumed
        run needs no saved order. A data set smaller than a batch is repeated to fill it.
        """
        epoch, position = divmod(step, self.per_epoch)
        if self._order[0] != epoch:
            n, rng = self.n, Rng(self.config.seed, "order")
            rng.calls = epoch << 16
            repeats = -(-self.size // n)
            order = torch.cat([rng.permutation(n) for _ in range(repeats)])
            self._order = (epoch, order.to(self.device))
        return self._order[1][position * self.size : (position + 1) * self.size]
