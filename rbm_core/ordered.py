"""Ordered hidden units: how many are in use is drawn too, and units that are not yet in use cost nothing.

The infinite RBM: hidden units stand in an order without end, and z of them, the first ones, take part:

    E(v, h, z) = −b·v − Σ_{i ≤ z} (hᵢ xᵢ − P softplus(cᵢ)),   xᵢ = cᵢ + (vW)ᵢ,   hᵢ = 0 for i > z,   z = 1, 2, 3, …

P > 1 is the penalty. Only the first H units have parameters; beyond them, and wherever W and c are 0, a unit adds
softplus(0) − P softplus(0) = (1 − P) log 2 to the logarithm of the weight of every z that reaches it. So the weights of
z > H are a geometric series, whose sum is 1 / (2^(P−1) − 1) times the weight of z = H, and the infinite layer is exact
with H columns. With sᵢ = softplus(xᵢ) − P softplus(cᵢ) and S_z = s₁ + … + s_z:

    p(z | v) ∝ exp S_z        qᵢ = p(z ≥ i | v)        p(hᵢ = 1 | v) = qᵢ σ(xᵢ)        F(v) = −b·v − log Σ_z exp S_z

At inverse temperature β the parameters W, b and c are multiplied by β and P is not: at every β the series converges,
and at β = 0 it is Σ_z 2^((1−P)z).

Source: Côté & Larochelle 2016, "An infinite restricted Boltzmann machine", Neural Computation 28(7). Shapes: x (…, H)
hidden logits, c (H,) hidden biases; everything in nats.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from rbm_core.compute import Rng

__all__ = ["draw", "in_use", "log_tail", "log_weights", "log_weights_beyond", "reached", "total"]


def log_tail(penalty: float) -> float:
    """log Σ_{n ≥ 1} 2^((1−P)n) = −log(2^(P−1) − 1): the weight of every z > H together, over that of z = H."""
    return -math.log(math.expm1((penalty - 1) * math.log(2.0)))


def log_weights(x: Tensor, c: Tensor, penalty: float, beta: float = 1.0) -> Tensor:
    """log of the unnormalised p(z | v) for z = 1 … H, and last for all z > H together. (…, H) -> (…, H + 1)."""
    S = torch.cumsum(softplus(beta * x) - penalty * softplus(beta * c.to(x.dtype)), -1)
    return torch.cat([S, S[..., -1:] + log_tail(penalty)], -1)


def total(x: Tensor, c: Tensor, penalty: float, beta: float = 1.0) -> Tensor:
    """log Σ_z exp S_z, the part of −F(v) that is the hidden layer's. (…, H) -> (…)."""
    return torch.logsumexp(log_weights(x, c, penalty, beta), -1)


def reached(log_w: Tensor) -> Tensor:
    """qᵢ = p(z ≥ i) for i = 1 … H, of `log_weights`; the first is 1. (…, H + 1) -> (…, H)."""
    upwards = torch.softmax(log_w, -1).flip(-1).cumsum(-1).flip(-1)
    return upwards[..., :-1] / upwards[..., :1]


def draw(x: Tensor, q: Tensor, rng: Rng, beta: float = 1.0) -> tuple[Tensor, Tensor]:
    """(h, which units are in use), both (B, H), h of zeros and ones: z ~ p(z | v), then hᵢ ~ σ(βxᵢ) for i ≤ z.

    x: (B, H). q: (B, H), of `reached`. One uniform number a case draws its z: unit i is in use if it lies below qᵢ.
    """
    used = rng.uniform((len(x), 1), dtype=x.dtype) < q
    return rng.bernoulli(x, scale=beta) * used, used


def log_weights_beyond(h: Tensor, c: Tensor, penalty: float) -> Tensor:
    """log of the unnormalised p(z | h), as `log_weights`, −∞ for a z below the last unit of h that is on.

    h: (B, H) of zeros and ones. Its log-sum-exp is what the penalties add to −E(v, h) with z summed out: (B, H + 1).
    """
    S = -penalty * torch.cumsum(softplus(c), 0).to(h.dtype)
    S = torch.cat([S, S[-1:] + log_tail(penalty)])
    later = h.flip(-1).cumsum(-1).flip(-1) > 0  # whether a unit at i or behind it is on
    too_few = torch.cat([later[:, 1:], torch.zeros_like(later[:, :1]), torch.zeros_like(later[:, :1])], 1)
    return torch.where(too_few, -torch.inf, S)


def in_use(W: Tensor, c: Tensor) -> int:
    """How many units have learned: the place of the last with a parameter that is not 0. W (V, H), c (H,)."""
    learned = torch.nonzero((W != 0).any(0) | (c != 0))
    return int(learned[-1]) + 1 if len(learned) else 0
