"""The phases of an update of ordered hidden units, and how their layer grows.

Only the units in use take part, and the next one, whose parameters are still 0. Where a chain draws a z that needs it,
it is in use from then on, and learns in the same update. So a layer that begins empty grows by one unit an update at
most, as long as more of them pay for their penalty (Côté & Larochelle 2016, §4). Columns beyond stay exactly 0.
"""

from typing import Literal

import torch
from torch import Tensor

from rbm_core import ordered
from rbm_core.compute import Rng
from rbm_core.gradient import Gradient, penalty_slope
from rbm_core.rbm import RBM

__all__ = ["GrowingPhases"]


class GrowingPhases:
    """`gradient.Phases` of ordered hidden units, by float32 products with the columns that are in use.

    model: the master parameters, W (V, H): H is the most units that there can be. batch_size B, n_chains N, rng and
    algorithm as there. units: how many are in use.
    """

    def __init__(
        self,
        model: RBM,
        batch_size: int,
        n_chains: int,
        *,
        rng: Rng,
        algorithm: Literal["cd", "pcd"] = "pcd",
    ) -> None:
        assert algorithm == "pcd" or n_chains == batch_size
        assert model.penalty is not None
        self.model, self.rng, self.algorithm, self.penalty = model, rng, algorithm, model.penalty
        self.batch_size, self.n_chains = batch_size, n_chains
        (V, H), device = model.W.shape, model.device
        self.v = torch.zeros(batch_size + n_chains, V, device=device)
        self.v_batch, self.v_chains = self.v[:batch_size], self.v[batch_size:]
        self.chains_h = torch.zeros(n_chains, H, device=device)
        self.v_mean_data, self.h_mean_data = torch.zeros(V, device=device), torch.zeros(H, device=device)
        self.grad = Gradient(*(torch.zeros_like(p) for p in (model.W, model.vbias, model.hbias)))
        self.recount()

    def recount(self) -> None:
        """Take up how many units are in use, after other parameters were put in place."""
        self.units = self.model.in_use

    def sync(self) -> None:
        """Nothing to bring up to date after a step: the products read the master weights themselves."""

    @property
    def _narrow(self) -> tuple[Tensor, Tensor]:
        """W and c of the units in use and of the next one."""
        n = min(self.units + 1, self.model.n_hidden)
        return self.model.W[:, :n], self.model.hbias[:n]

    def _seen(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """The logits of those columns at v, and log p(z | v) of them, unnormalised."""
        W, c = self._narrow
        x = torch.addmm(c, v, W)
        return x, ordered.log_weights(x, c, self.penalty)

    def _draw_h(self, x: Tensor, q: Tensor) -> Tensor:
        """chains_h ~ p(h | v) of these logits; returns which of their units took part in it."""
        n = x.shape[1]
        self.chains_h[:, n:] = 0
        self.chains_h[:, :n], used = ordered.draw(x, q, self.rng)
        return used

    def _draw_v(self) -> None:
        W, _ = self._narrow
        logits = torch.addmm(self.model.vbias, self.chains_h[:, : W.shape[1]], W.T)
        self.model.law.draw(logits, self.rng, out=self.v_chains)

    def run(self, k: int) -> None:
        """k sweeps of the chains, as `Phases.run`; then a unit more is in use if a chain drew a z that needs it."""
        for sweep in range(k):
            if sweep or self.algorithm == "cd":
                x, log_w = self._seen(self.v_chains if sweep else self.v_batch)
                self._draw_h(x, ordered.reached(log_w))
            self._draw_v()
        self._x, log_w = self._seen(self.v)
        self._total, self._q = torch.logsumexp(log_w, 1), ordered.reached(log_w)
        used = self._draw_h(self._x[self.batch_size :], self._q[self.batch_size :])
        if used.shape[1] > self.units and bool(used[:, self.units].any()):
            self.units += 1

    def gradient(self, v_offset: Tensor | None = None, h_offset: Tensor | None = None) -> Gradient:
        """The gradient of what `run` left behind, `gradient.gradient` for the units in use; reused each call."""
        B, n, grad, model = self.batch_size, self.units, self.grad, self.model
        x, q = self._x[:, :n], self._q[:, :n]
        h = torch.sigmoid(x).mul_(q)
        v_data, h_data = self.v_batch.mean(0), h[:B].mean(0)
        self.v_mean_data.copy_(v_data)
        self.h_mean_data[:n] = h_data
        slope = penalty_slope(model, q[:B].mean(0) - q[B:].mean(0))
        v_difference, c = v_data - self.v_chains.mean(0), h_data - h[B:].mean(0) - slope
        W = torch.mm(self.v_batch.T, h[:B]).div_(B).addmm_(self.v_chains.T, h[B:], alpha=-1 / self.n_chains)
        if v_offset is not None and h_offset is not None:
            lam = h_offset[:n]
            W.addr_(v_difference, lam, alpha=-1).addr_(v_offset, c, alpha=-1)
            v_difference -= W @ lam
            c = c - W.T @ v_offset
        grad.W[:, :n] = W
        grad.hbias[:n] = c
        grad.vbias.copy_(v_difference)
        return grad

    def free_energies(self) -> tuple[Tensor, Tensor]:
        """Mean F over the batch and over the particles, of the parameters the phases ran with; 0-dim tensors."""
        F = self.model.visible_energy(self.v) - self._total
        return F[: self.batch_size].mean(), F[self.batch_size :].mean()
