"""The two phases of an update, its gradient and its step by rows of W instead of products: 0/1 units on the CPU.

The same numbers as `gradient.Phases` in float32 up to rounding, from the same random numbers. What is not computed:
everything that a unit which is off, or has not changed, would add. Chains and batch read W in float32, or rounded to
whole numbers of 16 bits: half the bytes to read and half the additions, whose sums are exact, so that the chains are
Gibbs chains of the rounded model. The model itself, its gradient and its step stay float32 either way.
"""

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from rbm_core.compute import Rng, Tossed
from rbm_core.flips import unit_for
from rbm_core.gradient import Gradient
from rbm_core.kernels import learning
from rbm_core.kernels.chains import Stream
from rbm_core.kernels.rows import in_panels, new_panels
from rbm_core.kernels.threads import group_size, on_all_threads
from rbm_core.rbm import RBM

__all__ = ["SparsePhases"]

_HELD: Tossed = (np.empty((0, 0), np.uint8), np.empty(0, np.int64), (0, 0, 0, 0, 0), 0)  # no batch to draw


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
        self._statistics = learning.Statistics(
            np.zeros((total, self._blocks), np.uint64),
            in_panels(np.zeros((total, H), np.float32)),
            np.zeros(total),
        )
        self._means = learning.Means(*(np.zeros(n, np.float32) for n in (V, V, H, H)))
        sizes = (V, H, V, H, V, (self._blocks, H))
        self._centring = learning.Centring(*(np.zeros(size, np.float32) for size in sizes))
        self._norms = learning.Norms(np.zeros((2, V), np.float32), np.zeros((self._blocks, 2, H), np.float32))
        self._gradient = Gradient(*(torch.zeros_like(t) for t in (model.W, model.vbias, model.hbias)))
        self._free_energies = (0.0, 0.0)
        self._computed = False  # whether it is that of the last step
        self._step = (0.0, 0.0)  # rate and weight decay of the last step
        self.sync()

    def sync(self) -> None:
        """Bring the panels up to date after W was changed by anything but `ascend`."""
        self._pass(0.0, 0.0, None, 0.0)

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
        model, B, N = self.model, self.batch_size, self.n_chains
        chains, cases = group_size(N), group_size(B)
        groups = -(-N // chains)
        persistent = self.algorithm == "pcd"
        on_all_threads(
            learning.both_phases,
            groups + (-(-B // cases) if persistent else 0),
            (chains, cases),
            persistent,
            (*self._panels, model.vbias.numpy(), model.hbias.numpy(), np.float32(self._unit)),
            k,
            Stream(*self.rng.next_calls(2 * k)),
            batch or _HELD,
            self.v_batch.numpy(),
            self.v_chains.numpy(),
            self.chains_h.numpy(),
            self._statistics,
        )
        self._free_energies = learning.phase_means(
            self.v_batch.numpy(),
            self.v_chains.numpy(),
            model.vbias.numpy(),
            self._statistics,
            self._means,
            self._centring,
        )
        self._computed = False

    def _centre_at(self, v_offset: Tensor | None, h_offset: Tensor | None) -> None:
        for kept, offset in ((self._centring.v_offset, v_offset), (self._centring.h_offset, h_offset)):
            kept[:] = 0.0 if offset is None else offset.numpy()

    def gradient(self, v_offset: Tensor | None = None, h_offset: Tensor | None = None) -> Gradient:
        """The gradient of what `run` left behind, centred if offsets are given."""
        self._centre_at(v_offset, h_offset)
        self._computed, self._step = False, (0.0, 0.0)
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
            self._gradient.vbias.zero_()
            self._gradient.hbias.zero_()
            self._step_biases(1.0, self._gradient.vbias, self._gradient.hbias)
            self._computed = True
            rate, decay = self._step
            if decay:
                before = (self.model.W - rate * W) / (1 - rate * decay)
                W.sub_(before, alpha=decay)
        return self._gradient

    def _step_biases(self, rate: float, vbias: Tensor, hbias: Tensor) -> None:
        """Moves the biases along their gradients, which the pass over the weights has left behind."""
        learning.step_biases(self._centring, np.float32(rate), vbias.numpy(), hbias.numpy())

    def ascend(
        self,
        rate: float,
        *,
        v_offset: Tensor | None = None,
        h_offset: Tensor | None = None,
        weight_decay: float = 0.0,
        average: Tensor | None = None,
        share: float = 0.0,
    ) -> None:
        """One step of the model along the gradient, less weight_decay · W, in place; the panels follow.

        average: (V, H), W's running average, which moves towards it by `share`.
        """
        self._centre_at(v_offset, h_offset)
        self._computed, self._step = False, (rate, weight_decay)
        self._pass(rate, weight_decay, average, share)
        self._step_biases(rate, self.model.vbias, self.model.hbias)

    def _pass(self, rate: float, weight_decay: float, average: Tensor | None, share: float) -> None:
        """`ascend` of the weights; once more with rate 0 if their sums ask for another unit than they were rounded to.

        So the unit follows from W alone, and a run that goes on from a file has the same.
        """
        W = self.model.W.numpy()
        on_all_threads(
            learning.ascend,
            self._blocks,
            self.batch_size,
            self._statistics,
            self._centring,
            W,
            self._panels,
            np.float32(0.0 if math.isnan(self._unit) else 1 / self._unit),
            self._norms,
            np.float32(rate),
            np.float32(weight_decay),
            W if average is None else average.numpy(),
            np.float32(0.0 if average is None else share),
        )
        if self._panels[0].dtype == np.int16:
            before, self._unit = self._unit, unit_for(learning.largest_sum(self._norms), max(W.shape))
            if self._unit != before and not math.isnan(self._unit):
                self._pass(0.0, 0.0, None, 0.0)

    def free_energies(self) -> tuple[float, float]:
        """Mean F over the batch and over the particles, of the parameters that `run` ran with, in nats."""
        return self._free_energies
