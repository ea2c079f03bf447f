"""Block Gibbs chains: pure functions (rbm, chain, rng) -> chain, one half step at a time.

A half step draws one layer given the other; a sweep is v → h → v.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from rbm_core.compute import Rng
from rbm_core.flips import HiddenSums, flip_sweeps, flipped_rows
from rbm_core.rbm import RBM, ShapeError

__all__ = [
    "Chain",
    "Clamp",
    "from_bernoulli_noise",
    "from_gaussian_noise",
    "from_images",
    "half_step",
    "mean_field_sweep",
    "sweep",
]

# Sweeps that are worth transposing W for, which takes about as long as a sweep by products.
_WORTH_FLIPPING = 4

Clamp = tuple[Tensor, Tensor]
"""(which pixels are held (V,) bool, the values they are held at (V,) or (B, V))."""


@dataclass(frozen=True)
class Chain:
    """B chains side by side, after some half steps.

    v: (B, V) and h: (B, H), the states; h is all zeros before the first half step. mean_v, mean_h: what the newest
    draw of each layer was drawn from (None before the first). sweep: whole sweeps done. half: the layer drawn last.
    """

    v: Tensor
    h: Tensor
    mean_v: Tensor | None = None
    mean_h: Tensor | None = None
    sweep: int = 0
    half: Literal["v", "h"] = "v"


def from_images(rbm: RBM, v: Tensor) -> Chain:
    """Chains that start at these images. v: (B, V), finite. Raises ShapeError otherwise."""
    if not isinstance(v, Tensor):
        raise ShapeError(
            f"images must be a torch tensor of shape (chains, {rbm.n_visible}), got {type(v).__name__}; "
            "torch.tensor makes one"
        )
    if v.dim() != 2 or v.shape[1] != rbm.n_visible or len(v) == 0:
        raise ShapeError(f"images must have shape (chains, {rbm.n_visible}), got {tuple(v.shape)}")
    if not torch.isfinite(v).all():
        raise ShapeError("images hold numbers that are not finite; a chain needs finite pixels to start from")
    v = v.to(rbm.device, rbm.dtype)
    return Chain(v, torch.zeros(len(v), rbm.n_hidden, device=rbm.device, dtype=rbm.dtype))


def from_bernoulli_noise(rbm: RBM, n: int, rng: Rng, p: float = 0.5) -> Chain:
    """n chains from pixels that are 1 with probability p, independently; of labels each is as likely as another."""
    _check_count(n)
    if not 0 <= p <= 1:
        raise ValueError(f"p must lie in [0, 1], got {p}")
    if rbm.n_labels:
        mean = torch.full((rbm.n_visible,), p, device=rbm.device)
        return from_images(rbm, rbm.law.at_means(mean, n, rng))
    return from_images(rbm, (rng.uniform((n, rbm.n_visible)) < p).to(rbm.dtype))


def from_gaussian_noise(rbm: RBM, n: int, rng: Rng) -> Chain:
    """n chains from N(0, I) noise: no state of Bernoulli units, so that only the first half step uses it."""
    _check_count(n)
    return from_images(rbm, rng.normal((n, rbm.n_visible), dtype=rbm.dtype))


def _check_count(n: int) -> None:
    if n != int(n) or n < 1:
        raise ShapeError(f"the number of chains must be a whole number of at least 1, got {n}")


def _check_clamp(chain: Chain, clamp: Clamp) -> Clamp:
    held, values = clamp
    V = chain.v.shape[1]
    if held.dtype != torch.bool or held.shape != (V,):
        raise ShapeError(
            f"the clamp's mask must be bool of shape ({V},), got {held.dtype} of shape {tuple(held.shape)}"
        )
    if values.shape not in ((V,), chain.v.shape):
        raise ShapeError(
            f"the clamp's values must have shape ({V},) or {tuple(chain.v.shape)}, got {tuple(values.shape)}"
        )
    values = values.to(chain.v)
    if not torch.isfinite(values[..., held]).all():
        raise ShapeError("the clamp holds pixels at values that are not finite")
    return held.to(chain.v.device), values


def _check_beta(rbm: RBM, beta: float) -> None:
    if not 0 <= beta < math.inf:
        raise ValueError(f"beta must be finite and at least 0, got {beta}")
    if beta == 0 and rbm.law.units.variance:
        raise ValueError("beta must be above 0 for Gaussian visible units: their variance is σ²/β, got 0")


def half_step(rbm: RBM, chain: Chain, rng: Rng, *, beta: float = 1.0, clamp: Clamp | None = None) -> Chain:
    """Draw the layer that was not drawn last: h ~ p(h | v), or v ~ p(v | h) and a sweep is done.

    beta: inverse temperature; 1 is the model itself, 0 is coin tossing. clamp: pixels held at given values; the
    others are then drawn from the model's conditional law given them. Raises ValueError for a temperature or a clamp
    that cannot be.
    """
    _check_beta(rbm, beta)
    if clamp is not None:
        clamp = _check_clamp(chain, clamp)
    if chain.half == "v":
        logits = rbm.logits_h_from_v(chain.v)
        h = rbm.draw_h(logits, rng, beta)
        return Chain(chain.v, h, chain.mean_v, rbm.mean_h(logits, beta), chain.sweep, "h")
    return _with_new_v(rbm, chain, rng, rbm.logits_v_from_h(chain.h), beta, clamp)


def _with_new_v(rbm: RBM, chain: Chain, rng: Rng, logits: Tensor, beta: float, clamp: Clamp | None) -> Chain:
    """v drawn from b + hWᵀ (B, V), where no pixel is held; a checked clamp holds the others."""
    mean_v = rbm.law.mean(logits, beta)
    v = rbm.law.draw(logits, rng, sigma=rbm.sigma, beta=beta)
    if clamp is not None:
        held, values = clamp
        v = torch.where(held, values, v)
        mean_v = torch.where(held, values, mean_v)
    return Chain(v, chain.h, mean_v, chain.mean_h, chain.sweep + 1, "v")


def sweep(
    rbm: RBM, chain: Chain, rng: Rng, n: int = 1, *, beta: float = 1.0, clamp: Clamp | None = None
) -> Chain:
    """n sweeps v → h → v. A chain that stands between two half steps first completes its sweep, which counts as one.

    Raises ValueError unless n is a whole number of at least 0.
    """
    if n != int(n) or n < 0:
        raise ValueError(f"the number of sweeps must be a whole number of at least 0, got {n}")
    target = chain.sweep + n
    by_differences = n >= _WORTH_FLIPPING and (rbm.device.type, rbm.dtype) == ("cpu", torch.float32)
    if by_differences and not rbm.bitwise:
        return _following_h(rbm, chain, rng, target, beta, clamp)
    while (left := target - chain.sweep) > 0:
        if by_differences and left >= _WORTH_FLIPPING and _flips(chain, clamp):
            return _flipped(rbm, chain, rng, left, beta, clamp)
        chain = half_step(rbm, chain, rng, beta=beta, clamp=clamp)
    return chain


def _following_h(rbm: RBM, chain: Chain, rng: Rng, target: int, beta: float, clamp: Clamp | None) -> Chain:
    """Sweeps where not every visible unit is 0 or 1: products v → h, the rows of hidden units that changed h → v."""
    sums = HiddenSums(rbm.W.detach().contiguous(), len(chain.v))
    while chain.sweep < target:
        if chain.half == "v":
            chain = half_step(rbm, chain, rng, beta=beta, clamp=clamp)
        checked = None if clamp is None else _check_clamp(chain, clamp)
        logits = torch.empty(chain.v.shape)
        sums.of(chain.h, logits)
        chain = _with_new_v(rbm, chain, rng, logits.add_(rbm.vbias), beta, checked)
    return chain


def _flips(chain: Chain, clamp: Clamp | None) -> bool:
    """Whether flip-driven chains can go on from here: from 0/1 units, between sweeps. By NumPy, as `flip_sweeps`."""
    if chain.half != "v":
        return False
    states = [chain.v] if clamp is None else [chain.v, _check_clamp(chain, clamp)[1]]
    arrays = [v.detach().numpy() for v in states]
    return all(bool(((v == 0) | (v == 1)).all()) for v in arrays)


def _flipped(rbm: RBM, chain: Chain, rng: Rng, n: int, beta: float, clamp: Clamp | None) -> Chain:
    """n sweeps by the rows of W that changed; half steps would draw the same from the same numbers, up to rounding."""
    _check_beta(rbm, beta)
    held, values = (None, None) if clamp is None else _check_clamp(chain, clamp)
    v, h, mean_v, mean_h = flip_sweeps(
        flipped_rows(rbm.W),
        rbm.vbias,
        rbm.hbias,
        chain.v,
        n,
        rng,
        beta=beta,
        held=held,
        values=values,
    )
    if held is not None and values is not None:
        mean_v = torch.where(held, values, mean_v)
    return Chain(v, h, mean_v, mean_h, chain.sweep + n, "v")


def mean_field_sweep(rbm: RBM, chain: Chain, *, beta: float = 1.0, clamp: Clamp | None = None) -> Chain:
    """A sweep in which each layer takes its mean given the other in place of a draw: no randomness, no samples.

    h = p(h = 1 | v), then v = E[v | h]; both are real numbers. beta and clamp as in `half_step`.
    """
    h = rbm.mean_h_from_v(chain.v, beta)
    v = rbm.mean_v_from_h(h, beta)
    if clamp is not None:
        held, values = _check_clamp(chain, clamp)
        v = torch.where(held, values, v)
    return Chain(v, h, v, h, sweep=chain.sweep + 1)
