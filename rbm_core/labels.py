"""What a model with label units says of labels: p(y | v), p(v), and the gradient of log p(y | v), in closed form.

E(v, y, h) = −b·v − d_y − c·h − vᵀWh − U_y·h for pixels v (V,), a label y of K, and hidden units h (H,). U (K, H) and d
(K,) are the label units' rows of the model's W and their part of its visible biases. With x = c + vW and the score
s_y(v) = d_y + Σⱼ softplus(xⱼ + U_yj), in nats:

    log p(v, y) = b·v + s_y(v) − log Z        p(y | v) = softmax of s(v) over y        F(v) = −b·v − log Σ_y exp s_y(v)

Source: Larochelle & Bengio 2008, "Classification using discriminative restricted Boltzmann machines".
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from rbm_core.compute import Rng, means_and_softplus
from rbm_core.gradient import Gradient
from rbm_core.rbm import RBM, ShapeError

__all__ = [
    "beside",
    "discriminative_gradient",
    "free_energy_of_pixels",
    "given_label",
    "label_scores",
    "log_p_label",
    "set_apart",
    "with_drawn_labels",
]


def beside(pixels: Tensor, labels: Tensor, n_labels: int) -> Tensor:
    """The visible states of pixels (B, V) with these labels (B,) int64: (B, V + K), the label one-hot."""
    one_hot = torch.zeros(len(pixels), n_labels, dtype=pixels.dtype, device=pixels.device)
    return torch.cat([pixels, one_hot.scatter_(1, labels[:, None], 1.0)], 1)


def with_drawn_labels(rbm: RBM, pixels: Tensor, rng: Rng) -> Tensor:
    """The visible states of pixels (B, V), each with a label y ~ p(y | v): (B, V + K)."""
    up_to = torch.exp(log_p_label(rbm, pixels)).cumsum(1)
    drawn = (rng.uniform((len(pixels), 1), dtype=torch.float64) > up_to).sum(1)
    return beside(pixels, drawn.clamp(max=rbm.n_labels - 1), rbm.n_labels)


def given_label(rbm: RBM, label: int) -> RBM:
    """The model of the pixels given the label: an RBM like any other, whose hidden biases are c + U_y.

    Raises ShapeError if the model has no such label.
    """
    K = rbm.n_labels
    if not 0 <= label < K:
        raise ShapeError(
            f"label must be a number from 0 to {K - 1}, got {label}" if K else "this model has no label units"
        )
    V = rbm.n_pixels
    return replace(rbm, W=rbm.W[:V], vbias=rbm.vbias[:V], hbias=rbm.hbias + rbm.W[V + label], n_labels=0)


def label_scores(rbm: RBM, pixels: Tensor) -> Tensor:
    """s_y(v) of every label, (B, K) float64. pixels: (B, V)."""
    return (
        torch.stack([total for _, total in _of_each_label(rbm, pixels)], 1)
        + rbm.vbias[rbm.n_pixels :].double()
    )


def log_p_label(rbm: RBM, pixels: Tensor) -> Tensor:
    """log p(y | v) of every label, (B, K) float64. pixels: (B, V)."""
    return torch.log_softmax(label_scores(rbm, pixels), 1)


def free_energy_of_pixels(rbm: RBM, pixels: Tensor) -> Tensor:
    """F(v) = −log Σ_y Σ_h exp(−E(v, y, h)) in nats, (B,) float64. pixels: (B, V)."""
    own = pixels.double() @ rbm.vbias[: rbm.n_pixels].double()
    return -own - torch.logsumexp(label_scores(rbm, pixels), 1)


def discriminative_gradient(rbm: RBM, v: Tensor) -> Gradient:
    """The exact gradient of the mean log p(y | v) over cases v (B, V + K), the label one-hot in the last K columns.

    With a = (one-hot label − p(· | v)) / B and σ_y = σ(c + vW + U_y):
    ∇d = Σ a,  ∇c = Σ_y a_y σ_y,  ∇U_y = Σ a_y σ_y,  ∇W = Σ v (Σ_y a_y σ_y)ᵀ,  and ∇b = 0.
    """
    V = rbm.n_pixels
    pixels = v[:, :V].to(rbm.dtype)
    means, totals = zip(*_of_each_label(rbm, pixels), strict=True)
    p = torch.softmax(torch.stack(totals, 1) + rbm.vbias[V:].double(), 1)
    a = ((v[:, V:].double() - p) / len(v)).to(rbm.dtype)
    weighted = torch.stack([a[:, y, None] * mean for y, mean in enumerate(means)])  # (K, B, H)
    both = weighted.sum(0)
    return Gradient(
        torch.cat([pixels.T @ both, weighted.sum(1)]),
        torch.cat([torch.zeros_like(rbm.vbias[:V]), a.sum(0)]),
        both.sum(0),
    )


def set_apart(parameters: dict[str, np.ndarray], v: np.ndarray, n_labels: int) -> dict[str, Any]:
    """The fields of a runs.snapshot.Snapshot that a model's arrays and its chains (N, V + K) fill.

    n_labels: K, 0 for a model without label units.
    """
    if not n_labels:
        return {**parameters, "particles_v": v}
    W, vbias = parameters["W"], parameters["vbias"]
    return {
        **parameters,
        "W": W[:-n_labels],
        "vbias": vbias[:-n_labels],
        "label_W": W[-n_labels:],
        "label_bias": vbias[-n_labels:],
        "particles_v": v[:, :-n_labels],
        "particles_y": v[:, -n_labels:].argmax(1).astype(np.uint8),
    }


def _of_each_label(rbm: RBM, pixels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """p(h = 1 | v, y) (B, H), and Σⱼ softplus(cⱼ + (vW)ⱼ + U_yj) (B,) float64, label by label."""
    if pixels.dim() != 2 or pixels.shape[1] != rbm.n_pixels:
        raise ShapeError(f"pixels must have shape (cases, {rbm.n_pixels}), got {tuple(pixels.shape)}")
    V = rbm.n_pixels
    logits = pixels.to(rbm.dtype) @ rbm.W[:V]
    for U in rbm.W[V:]:
        bias = rbm.hbias + U
        if rbm.dtype == torch.float64:
            z = logits + bias
            yield torch.sigmoid(z), softplus(z).sum(1)
        else:
            yield means_and_softplus(logits, bias)
