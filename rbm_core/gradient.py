"""From data and chains to the gradient of the log-likelihood: CD-k, PCD-k, centring.

`gradient` is the formula, for any model in any precision. `Phases` computes the same numbers in memory that is
allocated once, which is what training uses; a test holds the two together.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from rbm_core.compute import Rng, as_array
from rbm_core.flips import HiddenSums
from rbm_core.kernels import draws
from rbm_core.rbm import RBM

__all__ = ["Gradient", "Phases", "gradient", "penalty_slope"]


@dataclass
class Gradient:
    """The direction in which the log-likelihood rises, per case: W (V, H), vbias (V,), hbias (H,), log_var (V,)."""

    W: Tensor
    vbias: Tensor
    hbias: Tensor
    log_var: Tensor | None = None

    def tensors(self) -> list[Tensor]:
        """Those that there are, in the order above."""
        return [t for t in (self.W, self.vbias, self.hbias, self.log_var) if t is not None]


def gradient(
    rbm: RBM,
    v_data: Tensor,
    v_model: Tensor,
    *,
    v_offset: Tensor | None = None,
    h_offset: Tensor | None = None,
) -> Gradient:
    """⟨−∂E/∂θ⟩ over the data less the same over the model's particles, centred if offsets are given.

    Hidden means, not samples, stand in both phases, each paired with the very v it follows from: a lower variance
    without bias. With offsets μ (V,) and λ (H,), after Melchior, Fischer & Wiskott 2016:
    ∇W = ⟨(v−μ)(h−λ)ᵀ⟩_data − ⟨…⟩_model,  ∇b = ⟨v⟩_data − ⟨v⟩_model − ∇W λ,  ∇c = ⟨h⟩_data − ⟨h⟩_model − ∇Wᵀμ.
    Gaussian units divide v by σ² in ∇W and ∇b. Ordered hidden units have `penalty_slope` subtracted from ∇c wherever it
    stands: centring changes variables, W without c. v_data: (B, V). v_model: (N, V).
    """
    mu = torch.zeros_like(rbm.vbias) if v_offset is None else v_offset
    lam = torch.zeros_like(rbm.hbias) if h_offset is None else h_offset
    precision = torch.ones_like(rbm.vbias) if rbm.inverse_var is None else rbm.inverse_var
    phases, reached = [], []
    for v in (v_data, v_model):
        logits = rbm.logits_h_from_v(v)
        h = rbm.mean_h(logits)
        W = ((v - mu) * precision).T @ (h - lam) / len(v)
        vbias = (v * precision).mean(0)
        log_var = None
        if rbm.log_var is not None:
            log_var = (((v - rbm.vbias) ** 2 / 2 - v * (h @ rbm.W.T)) * precision).mean(0)
        phases.append((W, vbias, h.mean(0), log_var))
        reached.append(rbm.reached(logits).mean(0))
    (W_data, v_data_mean, h_data_mean, var_data), (W_model, v_model_mean, h_model_mean, var_model) = phases
    slope = penalty_slope(rbm, reached[0] - reached[1])
    W = W_data - W_model + torch.outer(mu, slope)
    return Gradient(
        W,
        v_data_mean - v_model_mean - W @ lam,
        h_data_mean - h_model_mean - slope - W.T @ mu,
        None if var_data is None or var_model is None else var_data - var_model,
    )


def penalty_slope(rbm: RBM, reached: Tensor) -> Tensor:
    """P σ(cⱼ) Δqⱼ (n,), by which ∇c of ordered units is less than Δ⟨h⟩: P softplus(cⱼ) is paid where z ≥ j; else 0.

    reached: Δq (n,), ⟨p(z ≥ j | v)⟩ over the data less that over the particles, of the first n units.
    """
    if rbm.penalty is None:
        return torch.zeros_like(reached)
    return rbm.penalty * torch.sigmoid(rbm.hbias[: len(reached)]) * reached


class Phases:
    """The positive and the negative phase of one update, in preallocated memory.

    Rows 0 … B−1 of `v` are the batch and the others the model's particles, so that one matrix product makes both
    phases' hidden logits, and one more, with the model's half negated, the whole gradient.

    model: the master parameters (float32). batch_size B, n_chains N. dtype: of the products; states are exact in
    any. rng: the stream the chains draw from. algorithm: 'cd' starts every chain at the batch (N = B), 'pcd' goes
    on from the hidden states left by the last update. by_flips: take hWᵀ by the hidden units that flipped, on the CPU
    in float32, whatever the visible units are.
    """

    def __init__(
        self,
        model: RBM,
        batch_size: int,
        n_chains: int,
        *,
        dtype: torch.dtype,
        rng: Rng,
        algorithm: Literal["cd", "pcd"] = "pcd",
        by_flips: bool = False,
    ) -> None:
        assert algorithm == "pcd" or n_chains == batch_size
        self.model, self.rng, self.algorithm = model, rng, algorithm
        self.batch_size, self.n_chains = batch_size, n_chains
        total, (V, H), device = batch_size + n_chains, model.W.shape, model.device
        self.dtype = dtype
        self.W = model.W if dtype == model.dtype else model.W.to(dtype)
        self.v = torch.zeros(total, V, dtype=dtype, device=device)
        self.h = torch.zeros(total, H, dtype=dtype, device=device)
        self.v_batch, self.v_chains = self.v[:batch_size], self.v[batch_size:]
        self.chains_h = torch.zeros(n_chains, H, dtype=dtype, device=device)
        # Not v_chains itself: a kernel that reads and writes the same memory is not vectorised (0.5 ms, not 0.04).
        self._logits_v = torch.zeros(n_chains, V, dtype=dtype, device=device)
        self.softplus = torch.zeros(total, dtype=torch.float64, device=device)
        self.h_total_data = torch.zeros(H, device=device)
        self.h_total_model = torch.zeros(H, device=device)
        self.v_total_data = torch.zeros(V, device=device)
        self.v_total_model = torch.zeros(V, device=device)
        self.raw = torch.zeros(V, H, dtype=dtype, device=device)
        self.grad = Gradient(
            torch.zeros(V, H, device=device),
            torch.zeros(V, device=device),
            torch.zeros(H, device=device),
            None if model.log_var is None else torch.zeros(V, device=device),
        )
        self._hidden_sums = HiddenSums(model.W, n_chains) if by_flips else None
        self._no_offset_v = torch.zeros(V, device=device)
        self._no_offset_h = torch.zeros(H, device=device)
        self._on_cpu = device.type == "cpu"
        if self._on_cpu:
            self._views()

    def _views(self) -> None:
        """Numpy views for the compiled kernels, made once: making one costs as much as a small kernel."""
        B, c = self.batch_size, self.model
        self._np_vbias, self._np_hbias = c.vbias.numpy(), c.hbias.numpy()
        self._np_v_chains, self._np_chains_h = as_array(self.v_chains), as_array(self.chains_h)
        self._np_logits_v = as_array(self._logits_v)
        self._np_v_batch = as_array(self.v_batch)
        self._np_h_data, self._np_h_model = as_array(self.h[:B]), as_array(self.h[B:])
        softplus_ = self.softplus.numpy()
        self._np_softplus_data, self._np_softplus_model = softplus_[:B], softplus_[B:]

    @property
    def v_mean_data(self) -> Tensor:
        """⟨v⟩ (V,) over the batch of the last `gradient`."""
        return self.v_total_data / self.batch_size

    @property
    def h_mean_data(self) -> Tensor:
        """⟨p(h = 1 | v)⟩ (H,) over the batch of the last `gradient`."""
        return self.h_total_data / self.batch_size

    def sync(self) -> None:
        """Bring the products' copy of the weights up to date with the master weights."""
        if self.W is not self.model.W:
            self.W.copy_(self.model.W)

    def _scaled(self, v: Tensor) -> Tensor:
        """v as the hidden layer sees it: divided by σ² where variances are learned."""
        return v if self.model.inverse_var is None else v * self.model.inverse_var

    def _draw_h(self, logits: Tensor, source: np.ndarray | None) -> None:
        """chains_h ~ Bernoulli(σ(logits + c))."""
        if self._on_cpu:
            draws.draw_from_logits(
                source,
                self._np_hbias,
                np.float32(1.0),
                self._np_chains_h,
                *self.rng.next_counter(),
                self.rng.first_row,
            )
        else:
            self.rng.bernoulli(logits, self.model.hbias, out=self.chains_h)

    def _draw_v(self) -> None:
        """The particles given chains_h."""
        logits, model = self._logits_v, self.model
        if self._hidden_sums is None:
            torch.mm(self.chains_h, self.W.T, out=logits)
        else:
            self._hidden_sums.of(self.chains_h, logits)
        if self._on_cpu and model.bitwise:
            draws.draw_from_logits(
                self._np_logits_v,
                self._np_vbias,
                np.float32(1.0),
                self._np_v_chains,
                *self.rng.next_counter(),
                self.rng.first_row,
            )
        else:
            model.law.draw(logits, self.rng, bias=model.vbias, sigma=model.sigma, out=self.v_chains)

    def run(self, k: int) -> None:
        """k sweeps of the chains, leaving in `v` both phases' visible units and in `h` both phases' hidden logits.

        v_batch must hold the batch. The chains' hidden states are drawn afresh at the end: PCD goes on from there.
        """
        B = self.batch_size
        h_data, h_model = self.h[:B], self.h[B:]
        np_model = self._np_h_model if self._on_cpu else None
        if self._hidden_sums is not None:
            self._hidden_sums.restart()
        if self.algorithm == "cd":
            torch.mm(self._scaled(self.v_batch), self.W, out=h_data)
            self._draw_h(h_data, self._np_h_data if self._on_cpu else None)
        for sweep in range(k):
            if sweep:
                torch.mm(self._scaled(self.v_chains), self.W, out=h_model)
                self._draw_h(h_model, np_model)
            self._draw_v()
        if self.algorithm == "cd":
            torch.mm(self._scaled(self.v_chains), self.W, out=h_model)
        else:
            torch.mm(self._scaled(self.v), self.W, out=self.h)
            self._draw_h(h_model, np_model)

    def gradient(self, v_offset: Tensor | None = None, h_offset: Tensor | None = None) -> Gradient:
        """The gradient of what `run` left behind; overwrites the hidden logits. The result is reused each call."""
        mu = self._no_offset_v if v_offset is None else v_offset
        lam = self._no_offset_h if h_offset is None else h_offset
        self._statistics(lam)
        B, N, grad = self.batch_size, self.n_chains, self.grad
        if B == N:
            torch.mm(self.v.T, self.h, out=self.raw)
        else:
            torch.mm(self.v_batch.T, self.h[:B], out=self.raw)
            torch.addmm(self.raw, self.v_chains.T, self.h[B:], alpha=B / N, out=self.raw)
        h_difference = self.h_total_data / B - self.h_total_model / N
        torch.sub(self.v_total_data / B, self.v_total_model / N, out=grad.vbias)
        grad.hbias.copy_(h_difference)
        inverse_var = self.model.inverse_var
        if self._on_cpu and inverse_var is None:
            W_lam, mu_W = torch.empty_like(grad.vbias), torch.empty_like(grad.hbias)
            draws.finish_gradient(
                as_array(self.raw),
                np.float32(1.0 / B),
                mu.numpy(),
                h_difference.numpy(),
                lam.numpy(),
                grad.W.numpy(),
                W_lam.numpy(),
                mu_W.numpy(),
            )
        else:
            grad.W.copy_(self.raw).mul_(1.0 / B).addr_(mu, h_difference, alpha=-1.0)
            if inverse_var is not None:
                grad.W.mul_(inverse_var[:, None])
                grad.vbias.mul_(inverse_var)
            W_lam, mu_W = torch.mv(grad.W, lam), torch.mv(grad.W.T, mu)
        grad.vbias.sub_(W_lam)
        grad.hbias.sub_(mu_W)
        if grad.log_var is not None:
            self._log_var_gradient(grad.log_var, lam)
        return grad

    def _statistics(self, lam: Tensor) -> None:
        """h = ±(σ(logits + c) − λ), the sums over each phase, and the softplus sums that free energies need."""
        B, model = self.batch_size, self.model
        if self._on_cpu:
            offset, one = lam.numpy(), np.float32(1.0)
            for rows, sign, totals, softplus_ in (
                (self._np_h_data, one, self.h_total_data, self._np_softplus_data),
                (self._np_h_model, -one, self.h_total_model, self._np_softplus_model),
            ):
                draws.hidden_statistics(rows, self._np_hbias, offset, sign, rows, totals.numpy(), softplus_)
            draws.column_totals(self._np_v_batch, self.v_total_data.numpy())
            draws.column_totals(self._np_v_chains, self.v_total_model.numpy())
            return
        logits = self.h.float() + model.hbias
        self.softplus.copy_(softplus(logits).sum(1))
        means = torch.sigmoid(logits)
        torch.sum(means[:B], 0, out=self.h_total_data)
        torch.sum(means[B:], 0, out=self.h_total_model)
        means -= lam
        means[B:].neg_()
        self.h.copy_(means)
        torch.sum(self.v_batch, 0, dtype=torch.float32, out=self.v_total_data)
        torch.sum(self.v_chains, 0, dtype=torch.float32, out=self.v_total_model)

    def _log_var_gradient(self, out: Tensor, lam: Tensor) -> None:
        """⟨((v − b)²/2 − v ∘ hWᵀ)/σ²⟩ over data less model. `h` holds ±(means − λ)."""
        B, model = self.batch_size, self.model
        assert model.inverse_var is not None
        means = torch.cat([self.h[:B], -self.h[B:]]) + lam
        terms = ((self.v - model.vbias) ** 2 / 2 - self.v * (means @ model.W.T)) * model.inverse_var
        torch.sub(terms[:B].mean(0), terms[B:].mean(0), out=out)

    def free_energies(self) -> tuple[Tensor, Tensor]:
        """Mean F over the batch and over the particles, of the parameters the phases ran with; 0-dim tensors.

        Call after `gradient`. Costs next to nothing: the softplus sums fell out of the hidden means.
        """
        B, model = self.batch_size, self.model
        if model.law.linear:
            own_data = -(self.v_total_data @ model.vbias) / B
            own_model = -(self.v_total_model @ model.vbias) / self.n_chains
        else:
            own = model.visible_energy(self.v)
            own_data, own_model = own[:B].mean(), own[B:].mean()
        return own_data - self.softplus[:B].mean(), own_model - self.softplus[B:].mean()
