"""The two phases of an update, its gradient and its step by rows of W instead of products: 0/1 units on the CPU.

The same numbers as `gradient.Phases` in float32 up to rounding, from the same random numbers. What is not computed:
everything that a unit which is off, or has not changed, would add. Chains and batch read W in float32, or rounded to
whole numbers of 16 bits: half the bytes to read and half the additions, whose sums are exact, so that the chains are
Gibbs chains of the rounded model. The model itself, its gradient and its step stay float32 either way.
"""

import math
from collections.abc import Sequence
from operator import is_not
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from rbm_core.compute import Rng, Tossed
from rbm_core.flips import unit_for
from rbm_core.gradient import Gradient
from rbm_core.kernels import learning
from rbm_core.kernels.rows import in_panels, new_panels, padded
from rbm_core.kernels.threads import Standing, group_size, on_all_threads
from rbm_core.rbm import RBM

__all__ = ["SparsePhases"]

# More hidden means than this, 4 MB, come from beyond the second cache: each time for 128 pixels in place of 64.
_IN_CACHE = 2**20


class _Bound(NamedTuple):
    """The memory of others that an update reads or writes: see `SparsePhases.ascend`."""

    v_offset: Tensor
    h_offset: Tensor
    images: Tensor
    rows: Tensor
    averages: Sequence[Tensor]
    energies: Tensor
    loss_total: Tensor


class SparsePhases:
    """Both phases of one update in preallocated memory, and the step they lead to.

    model: the master parameters, float32 on the CPU, Bernoulli units. dtype: float32 or int16, what the phases read W
    in. batch_size B, n_chains N, rng and algorithm as in `gradient.Phases`. v_batch (B, V), v_chains (N, V), chains_h
    (N, H): uint8, the states; who changes v_chains or chains_h from outside decides where the next update goes on.
    """

    def __init__(
        self,
        model: RBM,
        batch_size: int,
        n_chains: int,
        *,
        rng: Rng,
        algorithm: Literal["cd", "pcd"] = "pcd",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        assert algorithm == "pcd" or n_chains == batch_size
        self.model, self.rng, self.algorithm = model, rng, algorithm
        self.batch_size, self.n_chains = batch_size, n_chains
        (V, H), total = model.W.shape, batch_size + n_chains
        self._panels, self._unit = (new_panels(V, H, dtype), new_panels(H, V, dtype)), 1.0
        self.v_batch = torch.zeros(batch_size, V, dtype=torch.uint8)
        self.v_chains = torch.zeros(n_chains, V, dtype=torch.uint8)
        self.chains_h = torch.zeros(n_chains, H, dtype=torch.uint8)
        self._blocks = -(-V // 64)
        self._pieces = -(-self._blocks // (2 if total * H > _IN_CACHE else 1))  # of the step of W
        self._statistics = learning.Statistics(
            np.zeros((total, self._blocks), np.uint64),
            in_panels(np.zeros((total, H), np.float32)),
            np.zeros(total),
        )
        v_data, v_model, h_data, h_model = (np.zeros(n, np.float32) for n in (V, V, H, H))
        self._means = learning.Means(v_data, v_model, h_data, h_model, np.zeros(2))
        width = padded.py_func(H, 4)
        sizes = (V, width, V, width, V, (self._blocks, width))
        self._centring = learning.Centring(*(np.zeros(size, np.float32) for size in sizes))
        self._gradient = Gradient(*(torch.zeros_like(t) for t in (model.W, model.vbias, model.hbias)))
        self._computed = False  # whether it is that of the last step
        self._stepped = (0.0, 0.0)  # rate and weight decay of the last step
        of_columns = (self._blocks, width)
        self._norms = learning.Norms(*(np.zeros(n, np.float32) for n in (V, V, of_columns, of_columns)))
        self._largest = np.zeros(1, np.float32)
        self._orders = np.zeros(1, learning.ORDER)
        self._own = _Bound(
            torch.zeros(V),
            torch.zeros(H),
            torch.zeros(0, V, dtype=torch.uint8),
            torch.zeros(0, dtype=torch.int64),
            (model.W, model.vbias, model.hbias),
            torch.zeros(2, dtype=torch.float64),
            torch.zeros((), dtype=torch.float64),
        )
        self._bind(self._own)
        self.sync()

    def _bind(self, bound: _Bound) -> None:
        """The kernel is to work in this memory, beside the own."""
        model, self._bound = self.model, bound
        W, vbias, hbias = (t.numpy() for t in (model.W, model.vbias, model.hbias))
        states = (self.v_batch, self.v_chains, self.chains_h)
        begin = (t.numpy() for t in (bound.v_offset, bound.h_offset, bound.images, bound.rows, *states))
        mean_W, mean_vbias, mean_hbias = (t.numpy() for t in bound.averages)
        others = (t.numpy() for t in (bound.h_offset, bound.energies, bound.loss_total))
        self._kernel = Standing(
            learning.learn,
            len(learning.STAGES),
            self._orders,
            learning.Chains(*self._panels, vbias, hbias, self.algorithm == "pcd", *begin),
            self._statistics,
            self._means,
            self._centring,
            learning.Step(
                W,
                vbias,
                hbias,
                self._panels,
                self._norms,
                self._largest,
                (mean_W, mean_vbias, mean_hbias),
                *others,
            ),
        )

    def sync(self) -> None:
        """Bring the panels up to date after W was changed by anything but `ascend`."""
        self._learn(weights=True)

    @property
    def v_mean_data(self) -> Tensor:
        """⟨v⟩ (V,) over the batch of the last `run`."""
        return torch.from_numpy(self._means.v_data)

    @property
    def h_mean_data(self) -> Tensor:
        """⟨p(h = 1 | v)⟩ (H,) over the batch of the last `run`."""
        return torch.from_numpy(self._means.h_data)

    def run(self, k: int, batch: Tossed | None = None) -> None:
        """k sweeps of the chains, and the statistics of both phases.

        batch: drawn into v_batch by the same threads; without it v_batch must hold the batch.
        """
        self._learn(k, batch)
        self._computed = False

    def _centre_at(self, v_offset: Tensor | None, h_offset: Tensor | None) -> None:
        for kept, offset in ((self._centring.v_offset, v_offset), (self._centring.h_offset, h_offset)):
            kept[: kept.size if offset is None else len(offset)] = 0.0 if offset is None else offset.numpy()

    def gradient(self, v_offset: Tensor | None = None, h_offset: Tensor | None = None) -> Gradient:
        """The gradient of what `run` left behind, centred if offsets are given."""
        self._centre_at(v_offset, h_offset)
        self._computed, self._stepped = False, (0.0, 0.0)
        return self.grad

    @property
    def grad(self) -> Gradient:
        """The gradient that made the last step, weight decay included: computed when it is first asked for.

        Always in the same memory.
        """
        if not self._computed:
            W = self._gradient.W
            on_all_threads(
                learning.weight_gradient,
                self._blocks,
                self.batch_size,
                self._statistics,
                self._centring,
                W.numpy(),
            )
            for bias in (self._gradient.vbias, self._gradient.hbias):
                bias.zero_()
            learning.step_biases(
                self._centring, np.float32(1.0), self._gradient.vbias.numpy(), self._gradient.hbias.numpy()
            )
            self._computed = True
            rate, decay = self._stepped
            if decay:
                before = (self.model.W - rate * W) / (1 - rate * decay)
                W.sub_(before, alpha=decay)
        return self._gradient

    def ascend(
        self,
        rate: float,
        *,
        k: int = 0,
        batch: Tossed | None = None,
        v_offset: Tensor | None = None,
        h_offset: Tensor | None = None,
        centring_rate: float = 0.0,
        weight_decay: float = 0.0,
        averages: Sequence[Tensor] | None = None,
        share: float = 0.0,
        energies: Tensor | None = None,
        loss_total: Tensor | None = None,
    ) -> None:
        """One step of the model along the gradient, less weight_decay · W, in place; the panels follow.

        k, batch: with k, `run` them first, in the same call of the threads. Then, in place: h_offset moves towards the
        batch's means by centring_rate, averages (of W, vbias, hbias) towards the model by `share`; energies (2,)
        becomes `free_energies`, whose difference is added to loss_total ().
        """
        if not k:
            self._centre_at(v_offset, h_offset)
        self._computed, self._stepped = False, (rate, weight_decay)
        own = self._own
        bound = _Bound(
            own.v_offset if v_offset is None else v_offset,
            own.h_offset if h_offset is None else h_offset,
            *self._bound[2:4],
            own.averages if averages is None else averages,
            own.energies if energies is None else energies,
            own.loss_total if loss_total is None else loss_total,
        )
        share = 0.0 if averages is None else share
        centring_rate = 0.0 if h_offset is None else centring_rate
        self._learn(k, batch, weights=True, step=(rate, weight_decay, share, centring_rate), bound=bound)

    def _learn(
        self,
        k: int = 0,
        batch: Tossed | None = None,
        *,
        weights: bool = False,
        step: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0),
        bound: _Bound | None = None,
    ) -> None:
        """The phases, where there are sweeps, and a step of the model or, without a rate, of its panels alone.

        Once more if the weights' sums ask for another unit than the panels were rounded to: so the unit follows from W
        alone, and a run that goes on from a file has the same.
        """
        bound = bound or self._bound
        if batch:
            bound = bound._replace(images=batch[0], rows=batch[1])
        if any(map(is_not, bound, self._bound)):
            self._bind(bound)
        chains, cases = group_size(self.n_chains), -(-group_size(self.batch_size) // 2)
        groups = -(-self.n_chains // chains)
        if self.algorithm == "pcd":
            groups += -(-self.batch_size // cases)
        phases = (groups, 1 + len(self._statistics.h)) if k else (0, 0)
        stream = self.rng.next_calls(2 * k) if k else (0,) * 6
        counter, row = batch[2:] if batch else ((0,) * 5, 0)
        unit = self._unit
        per_unit = 0.0 if math.isnan(unit) else 1 / unit
        last = (self._pieces, 1) if weights else (0, 0)
        self._orders[0] = (
            *phases, *last, chains, cases, k, *stream, batch is not None, *counter, row, unit, per_unit, *step
        )  # fmt: skip
        self._kernel.call(max(groups, self._pieces))
        if weights and self._panels[0].dtype == np.int16:
            largest, n = self._largest.item(), max(self.model.W.shape)
            full = unit * (2**15 - 1 - n)
            if 0.501 * full < largest < 0.999 * full:
                return  # the same unit for sure
            self._unit = unit_for(largest, n)
            if self._unit != unit and not math.isnan(self._unit):
                self._learn(weights=True)

    def free_energies(self) -> tuple[float, float]:
        """Mean F over the batch and over the particles, of the parameters that `run` ran with, in nats."""
        data, model = self._means.free_energy
        return float(data), float(model)
