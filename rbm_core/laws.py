"""The laws of the visible units on torch: everything in which one law differs from another.

One class a law, found by its name in `LAWS`; `visible.py` has what follows without torch. Notation: y = b + hWᵀ (B, V)
is what the hidden units send to the visible ones, β the inverse temperature, σ (V,) the deviations of units that have a
variance, None for σ = 1; energies in nats. The engine asks the law for what differs and does the rest itself, so that
chains, gradients, annealing and enumeration are written once for all laws.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from rbm_core.compute import Rng
from rbm_core.kernels.annealing import enumerate_rows
from rbm_core.visible import UNITS, Visible, VisibleUnits

__all__ = ["LAWS", "Law", "with_labels"]

_LOG_2PI = float(np.log(2 * np.pi))

HiddenSum = Callable[[Tensor], Tensor]
"""log Σ_h exp(h·x) of hidden logits x: (…, H) -> (…)."""

Block = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(states of the first units (S, n₁), of the others (T, n₂)) -> a number of every pair of them (S, T)."""


class Law(ABC):
    """One law of the visible units, whose own energy is −b·v unless it says otherwise.

    linear: the own energy is −b·v, so that its mean over cases follows from the mean of v. binary: every unit is 0 or 1
    and drawn by itself, for which the compiled kernels are written. conditional_points: states of one unit that
    `log_conditional` looks at, about.
    """

    units: VisibleUnits
    linear = True
    binary = False
    conditional_points = 1

    @abstractmethod
    def mean(self, y: Tensor, beta: float = 1.0) -> Tensor:
        """E[v | h] at β. (..., V) -> (..., V)."""

    @abstractmethod
    def draw(
        self,
        y: Tensor,
        rng: Rng,
        *,
        bias: Tensor | None = None,
        sigma: Tensor | None = None,
        beta: float = 1.0,
        out: Tensor | None = None,
    ) -> Tensor:
        """v ~ p(v | h) at β of y + bias. y: (B, V). bias: (V,). Returns out, of y's dtype; out is not y."""

    @abstractmethod
    def at_means(self, mean: Tensor, n: int, rng: Rng, sigma: Tensor | None = None) -> Tensor:
        """n states (n, V) of independent units with these means (V,)."""

    @abstractmethod
    def bias_of(self, mean: Tensor) -> Tensor:
        """The visible biases with which a model without weights has these means. (V,) -> (V,), finite."""

    def base_bias(self, vbias: Tensor) -> Tensor | None:
        """The biases of a base model where the model's own do; None where chains must first find its means."""
        return None

    def own_energy(self, v: Tensor, vbias: Tensor, inverse_var: Tensor | None) -> Tensor:
        """The part of the energy that v has by itself. (B, V) -> (B,)."""
        return -(v @ vbias)

    def growth(self, v: Tensor, base: Tensor, vbias: Tensor, inverse_var: Tensor) -> Tensor:
        """The own energy with the base model's biases less that with the model's: what log p_β of v's own part gains
        from β = 0 to 1. (B, V) -> (B,).
        """
        return v @ (vbias - base)

    @abstractmethod
    def log_z(self, bias: Tensor, inverse_var: Tensor) -> float:
        """log Z of independent visible units with these biases (V,)."""

    @abstractmethod
    def log_conditional(
        self,
        logits: Tensor,
        here: Tensor,
        W: Tensor,
        b: Tensor,
        sigma: Tensor | None,
        hidden_sum: HiddenSum,
    ) -> Tensor:
        """log p(vᵢ = here | the other units) of K units.

        logits: (1 or K, H), of the hidden units at v. here (K,), W (K, H), b (K,), sigma (K,): of these units.
        hidden_sum: of the model.
        """

    @abstractmethod
    def summed_out(self, W: np.ndarray, b: np.ndarray, c: np.ndarray, log_var: np.ndarray | None) -> Block:
        """log Σ_v exp(−E(v, h)), an integral for real units, of every h made of two halves. Float64."""


class BernoulliLaw(Law):
    """States 0 and 1, p(v = 1 | h) = σ(βy)."""

    units = UNITS["bernoulli"]
    binary = True

    def mean(self, y: Tensor, beta: float = 1.0) -> Tensor:
        return torch.sigmoid(beta * y)

    def draw(
        self,
        y: Tensor,
        rng: Rng,
        *,
        bias: Tensor | None = None,
        sigma: Tensor | None = None,
        beta: float = 1.0,
        out: Tensor | None = None,
    ) -> Tensor:
        return rng.bernoulli(y, bias, scale=beta, out=out)

    def at_means(self, mean: Tensor, n: int, rng: Rng, sigma: Tensor | None = None) -> Tensor:
        return (rng.uniform((n, len(mean))) < mean.float()).float()

    def bias_of(self, mean: Tensor) -> Tensor:
        """log p/(1 − p). A pixel that is never on in the data still gets a finite bias: −log 999 ≈ −6.9."""
        return torch.logit(mean.clamp(1e-3, 1 - 1e-3))

    def log_z(self, bias: Tensor, inverse_var: Tensor) -> float:
        return float(softplus(bias).sum())

    def log_conditional(
        self,
        logits: Tensor,
        here: Tensor,
        W: Tensor,
        b: Tensor,
        sigma: Tensor | None,
        hidden_sum: HiddenSum,
    ) -> Tensor:
        """−log(1 + exp(F(v) − F(v flipped)))."""
        change = 1 - 2 * here
        there = hidden_sum(logits + change[:, None] * W)
        return logsigmoid(hidden_sum(logits) - there - change * b)

    def summed_out(self, W: np.ndarray, b: np.ndarray, c: np.ndarray, log_var: np.ndarray | None) -> Block:
        """c·h + Σᵢ softplus(bᵢ + (Wh)ᵢ)."""

        def block(low: np.ndarray, high: np.ndarray) -> np.ndarray:
            n, out = low.shape[1], np.empty((len(low), len(high)))
            enumerate_rows(low @ W.T[:n] + b, high @ W.T[n:], low @ c[:n], high @ c[n:], out)
            return out

        return block


class LabelledLaw(BernoulliLaw):
    """Bernoulli pixels, then a softmax group of `n` label units, exactly one of which is on: p(k | h) ∝ exp(βyₖ).

    `log_conditional` is of a pixel, given the label among the rest. Source: Larochelle & Bengio 2008.
    """

    binary = False

    def __init__(self, n: int) -> None:
        self.n = n

    def mean(self, y: Tensor, beta: float = 1.0) -> Tensor:
        pixels, labels = y[..., : -self.n], y[..., -self.n :]
        return torch.cat([torch.sigmoid(beta * pixels), torch.softmax(beta * labels, -1)], -1)

    def draw(
        self,
        y: Tensor,
        rng: Rng,
        *,
        bias: Tensor | None = None,
        sigma: Tensor | None = None,
        beta: float = 1.0,
        out: Tensor | None = None,
    ) -> Tensor:
        out = torch.empty_like(y) if out is None else out
        pixel_bias = None if bias is None else bias[: -self.n]
        rng.bernoulli(y[:, : -self.n], pixel_bias, scale=beta, out=out[:, : -self.n])
        logits = y[:, -self.n :].float() + (0.0 if bias is None else bias[-self.n :].float())
        out[:, -self.n :] = self._one_of(beta * logits, rng)
        return out

    def _one_of(self, logits: Tensor, rng: Rng) -> Tensor:
        """One-hot draws from the softmax of the logits (B, n), as the largest of them plus Gumbel noise."""
        noise = rng.uniform(tuple(logits.shape)).clamp(min=1e-30)
        chosen = (logits - torch.log(-torch.log(noise))).argmax(1, keepdim=True)
        return torch.zeros_like(logits).scatter_(1, chosen, 1.0)

    def at_means(self, mean: Tensor, n: int, rng: Rng, sigma: Tensor | None = None) -> Tensor:
        pixels = super().at_means(mean[: -self.n], n, rng)
        labels = torch.log(mean[-self.n :].float()).expand(n, self.n)
        return torch.cat([pixels, self._one_of(labels, rng)], 1)

    def bias_of(self, mean: Tensor) -> Tensor:
        """log p/(1 − p) of pixels, log p of labels, each p no closer to 0 than 1/1000."""
        return torch.cat([super().bias_of(mean[: -self.n]), torch.log(mean[-self.n :].clamp(min=1e-3))])

    def log_z(self, bias: Tensor, inverse_var: Tensor) -> float:
        return float(softplus(bias[: -self.n]).sum() + torch.logsumexp(bias[-self.n :], 0))

    def summed_out(self, W: np.ndarray, b: np.ndarray, c: np.ndarray, log_var: np.ndarray | None) -> Block:
        """c·h + Σᵢ softplus(bᵢ + (Wh)ᵢ) + log Σₖ exp(dₖ + (Uh)ₖ), where U and d are the labels' rows of W and b."""
        pixels, U, d = super().summed_out(W[: -self.n], b[: -self.n], c, None), W[-self.n :], b[-self.n :]

        def block(low: np.ndarray, high: np.ndarray) -> np.ndarray:
            n = low.shape[1]
            labels = (low @ U.T[:n] + d)[:, None, :] + (high @ U.T[n:])[None, :, :]
            return pixels(low, high) + np.logaddexp.reduce(labels, axis=2)

        return block


@cache
def with_labels(n: int) -> Law:
    """The law of Bernoulli pixels beside a softmax group of n label units, the last of the visible ones."""
    return LabelledLaw(n)


class GaussianLaw(Law):
    """Real states, v | h ~ N(y, σ²/β). The own energy is Σᵢ (vᵢ − bᵢ)² / 2σᵢ²."""

    units = UNITS["gaussian"]
    linear = False
    conditional_points = 200

    def mean(self, y: Tensor, beta: float = 1.0) -> Tensor:
        return y

    def draw(
        self,
        y: Tensor,
        rng: Rng,
        *,
        bias: Tensor | None = None,
        sigma: Tensor | None = None,
        beta: float = 1.0,
        out: Tensor | None = None,
    ) -> Tensor:
        noise = rng.normal(tuple(y.shape), dtype=y.dtype) * beta**-0.5
        if sigma is not None:
            noise = noise * sigma
        return torch.add(y, noise if bias is None else noise.add_(bias), out=out)

    def at_means(self, mean: Tensor, n: int, rng: Rng, sigma: Tensor | None = None) -> Tensor:
        noise = rng.normal((n, len(mean)))
        return mean + (noise if sigma is None else noise * sigma)

    def bias_of(self, mean: Tensor) -> Tensor:
        return mean

    def base_bias(self, vbias: Tensor) -> Tensor | None:
        return vbias.double()

    def own_energy(self, v: Tensor, vbias: Tensor, inverse_var: Tensor | None) -> Tensor:
        square = (v - vbias) ** 2
        return 0.5 * (square if inverse_var is None else square * inverse_var).sum(1)

    def growth(self, v: Tensor, base: Tensor, vbias: Tensor, inverse_var: Tensor) -> Tensor:
        squares = (v - base) ** 2 - (v - vbias) ** 2
        return 0.5 * (squares * inverse_var).sum(1)

    def log_z(self, bias: Tensor, inverse_var: Tensor) -> float:
        """Σᵢ ½ log 2πσᵢ²."""
        return 0.5 * float((_LOG_2PI - torch.log(inverse_var)).sum())

    def log_conditional(
        self,
        logits: Tensor,
        here: Tensor,
        W: Tensor,
        b: Tensor,
        sigma: Tensor | None,
        hidden_sum: HiddenSum,
    ) -> Tensor:
        """By quadrature. In vᵢ alone p(v) is a mixture of Gaussians of variance σ² with means between b + the sum of
        the negative weights and b + that of the positive ones; the trapezoidal rule with spacing σ/2 integrates such a
        function to machine precision.
        """
        sigma = torch.ones_like(here) if sigma is None else sigma
        to_h = W / (sigma**2)[:, None]
        low, high = b + W.clamp(max=0).sum(1) - 8 * sigma, b + W.clamp(min=0).sum(1) + 8 * sigma
        n = int(torch.ceil((2 * (high - low) / sigma).max())) + 1
        grid = low[:, None] + 0.5 * sigma[:, None] * torch.arange(n, device=b.device, dtype=b.dtype)

        def log_p(x: Tensor) -> Tensor:
            """log of the unnormalised p at vᵢ = x (K, n)."""
            moved = logits[:, None, :] + (x - here[:, None])[:, :, None] * to_h[:, None, :]
            return hidden_sum(moved) - (x - b[:, None]) ** 2 / (2 * sigma[:, None] ** 2)

        return log_p(here[:, None])[:, 0] - torch.logsumexp(log_p(grid), 1) - torch.log(0.5 * sigma)

    def summed_out(self, W: np.ndarray, b: np.ndarray, c: np.ndarray, log_var: np.ndarray | None) -> Block:
        """∫ exp(−E) dv = exp(Σᵢ ½ log 2πσᵢ² + c·h + b·Wh/σ² + ‖Wh/σ‖²/2)."""
        inverse_var = np.ones(len(b)) if log_var is None else np.exp(-log_var)
        volume = 0.5 * float(np.sum(_LOG_2PI - np.log(inverse_var)))
        scaled = W * inverse_var[:, None]
        linear, quadratic = c + b @ scaled, W.T @ scaled

        def block(low: np.ndarray, high: np.ndarray) -> np.ndarray:
            out = np.empty((len(low), len(high)))
            for j, one in enumerate(high):
                h = np.concatenate([low, np.broadcast_to(one, (len(low), len(one)))], axis=1)
                out[:, j] = (
                    volume + h @ linear + 0.5 * np.einsum("si,ij,sj->s", h, quadratic, h, optimize=True)
                )
            return out

        return block


LAWS: dict[Visible, Law] = {law.units.name: law for law in (BernoulliLaw(), GaussianLaw())}
