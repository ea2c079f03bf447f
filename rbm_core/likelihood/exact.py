"""Exact quantities of models small enough to enumerate: log Z, p(v), samples, the likelihood's gradient.

All in float64 and in log space. One layer is enumerated (`enumerated_layer`), in chunks, so that memory stays flat;
the other is summed in closed form. Time doubles with every enumerated unit: 784 visible and 20 hidden units take a
second or two on one core, 25 hidden units a minute.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from rbm_core import ordered
from rbm_core.compute import Rng
from rbm_core.gradient import Gradient, penalty_slope
from rbm_core.laws import LAWS, Block
from rbm_core.rbm import RBM

__all__ = [
    "MAX_UNITS",
    "NotTractableError",
    "check_tractable",
    "enumerated_layer",
    "enumerated_units",
    "exact_gradient",
    "exact_log_likelihood",
    "exact_log_z",
    "exact_probabilities",
    "exact_samples",
]

MAX_UNITS = 28
_LOW_BITS = 8  # units of a state's first half: the rows of a block
_BLOCK = 64  # states of the second half in a block; a thread works on one block at a time
_TABLE_UNITS = 16  # the largest layer whose states' probabilities fit one table: 2¹⁶ rows


class NotTractableError(ValueError):
    """A model too large to enumerate."""


def enumerated_layer(rbm: RBM) -> Literal["v", "h"]:
    """The layer that is enumerated: the visible one if it is smaller and of 0/1 units alone, else the hidden one."""
    return "v" if rbm.law.binary and rbm.n_visible < rbm.n_hidden else "h"


def enumerated_units(rbm: RBM) -> int:
    """The number of units of the enumerated layer."""
    return rbm.n_visible if enumerated_layer(rbm) == "v" else rbm.n_hidden


def check_tractable(rbm: RBM) -> None:
    """Raises NotTractableError if the enumerated layer has more than 28 units."""
    if enumerated_units(rbm) > MAX_UNITS:
        raise NotTractableError(
            f"exact enumeration needs a layer of at most {MAX_UNITS} units, "
            f"got {rbm.n_visible} visible and {rbm.n_hidden} hidden; use AIS"
        )


def exact_log_z(rbm: RBM, *, progress: Callable[[int, int], None] | None = None) -> float:
    """log Z = log Σ_v Σ_h exp(−E(v, h)) in nats, by enumerating one layer (`enumerated_layer`).

    progress: called with (number of states done, number of states). Raises NotTractableError if that layer has more
    than 28 units, ShapeError for parameters that are not finite.
    """
    log_z = -np.inf
    for block in _blocks(rbm, progress):
        log_z = np.logaddexp(log_z, _logsumexp(block))
    return float(log_z)


def exact_log_likelihood(rbm: RBM, v: Tensor, log_z: float | None = None) -> Tensor:
    """log p(v) = −F(v) − log Z in nats (a density for Gaussian units). v: (B, V). Returns (B,) float64."""
    wide = rbm.to("cpu", torch.float64)
    return -wide.free_energy(v.to("cpu", torch.float64)) - (exact_log_z(rbm) if log_z is None else log_z)


def exact_probabilities(rbm: RBM) -> tuple[Tensor, Tensor]:
    """Every state of the enumerated layer and its marginal probability: p(v) or p(h), by `enumerated_layer`.

    Returns states (2ⁿ, n) and probabilities (2ⁿ,), float64. Raises NotTractableError if n is more than 16.
    """
    n = enumerated_units(rbm)
    if n > _TABLE_UNITS:
        raise NotTractableError(
            f"a table of all states needs a layer of at most {_TABLE_UNITS} units, "
            f"got {rbm.n_visible} visible and {rbm.n_hidden} hidden"
        )
    # (high, low) in blocks of high states: the flat order has the low bits fastest.
    log_p = np.concatenate([block.T.ravel() for block in _blocks(rbm, None, threads=1)])
    p = np.exp(log_p - _logsumexp(log_p))
    return torch.from_numpy(_states(n, 0, 1 << n)), torch.from_numpy(p / p.sum())


def exact_samples(rbm: RBM, n: int, rng: Rng) -> Tensor:
    """n independent draws from p(v), (n, V). Raises NotTractableError if the enumerated layer exceeds 16 units."""
    states, p = exact_probabilities(rbm)
    picked = torch.searchsorted(p.cumsum(0), rng.uniform((n,), dtype=torch.float64).cpu())
    chosen = states[picked.clamp(max=len(p) - 1)].to(rbm.device, rbm.dtype)
    return chosen if enumerated_layer(rbm) == "v" else rbm.sample_v_from_h(chosen, rng)


def exact_gradient(rbm: RBM, v_data: Tensor) -> Gradient:
    """The gradient of the mean log p(v) over v_data with respect to W, vbias, hbias (and log_var), in float64.

    It has no sampling noise: the model's expectations are sums over all states of the enumerated layer. v_data: (B, V).
    Raises NotTractableError if that layer exceeds 16 units.
    """
    wide = rbm.to("cpu", torch.float64)
    v = v_data.to("cpu", torch.float64)
    inverse_var = torch.ones_like(wide.vbias) if wide.inverse_var is None else wide.inverse_var
    h = wide.mean_h_from_v(v)
    states, p = exact_probabilities(rbm)
    if enumerated_layer(wide) == "v":
        v_states, h_states = states, wide.mean_h_from_v(states)
        reached = wide.reached(wide.logits_h_from_v(states))
    else:
        v_states, h_states = wide.mean_v_from_h(states), states
        reached = torch.ones_like(states)
        if wide.penalty is not None:
            reached = ordered.reached(ordered.log_weights_beyond(states, wide.hbias, wide.penalty))
    log_var = None
    if wide.log_var is not None:
        data = ((v - wide.vbias) ** 2 / 2 - v * (h @ wide.W.T)).mean(0)
        # Under the model ⟨(v − b)²/2 − v·hWᵀ⟩ given h is σ²/2 + (Wh)²/2 − (b + Wh)·Wh.
        field = states @ wide.W.T
        model = p @ (torch.exp(wide.log_var) / 2 + field**2 / 2 - (wide.vbias + field) * field)
        log_var = (data - model) * inverse_var
    return Gradient(
        inverse_var[:, None] * (v.T @ h / len(v) - (v_states * p[:, None]).T @ h_states),
        inverse_var * (v.mean(0) - p @ v_states),
        h.mean(0)
        - p @ h_states
        - penalty_slope(wide, wide.reached(wide.logits_h_from_v(v)).mean(0) - p @ reached),
        log_var,
    )


def _states(n: int, start: int, stop: int) -> np.ndarray:
    """States number start … stop − 1 of n binary units, (stop − start, n); unit 0 is the lowest bit."""
    return ((np.arange(start, stop)[:, None] >> np.arange(n)) & 1).astype(np.float64)


def _logsumexp(x: np.ndarray) -> float:
    top = float(x.max())
    return top + float(np.log(np.exp(x - top).sum())) if np.isfinite(top) else top


def _blocks(
    rbm: RBM, progress: Callable[[int, int], None] | None, threads: int | None = None
) -> Iterator[np.ndarray]:
    """log of the unnormalised marginal probability of every state of the enumerated layer, as blocks (low, high).

    A state is two halves: the first `_LOW_BITS` units (rows of a block) and the rest (columns, `_BLOCK` at a time).
    """
    rbm.check_finite()
    check_tractable(rbm)
    n = enumerated_units(rbm)
    low_bits = min(n, _LOW_BITS)
    high_bits = n - low_bits
    low = _states(low_bits, 0, 1 << low_bits)
    total = 1 << high_bits
    edges = range(0, total, _BLOCK)
    summed_out = _summed_out(rbm)

    def work(start: int) -> np.ndarray:
        return summed_out(low, _states(high_bits, start, min(start + _BLOCK, total)))

    done = 0
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        # Batches of a few blocks a thread keep the queue short and the memory flat.
        for first in range(0, len(edges), 64):
            for block in pool.map(work, edges[first : first + 64]):
                done += block.size
                yield block
            if progress is not None:
                progress(done, 1 << n)


def _summed_out(rbm: RBM) -> Block:
    """log of the unnormalised marginal probability of every state of the enumerated layer, in halves."""
    wide = {name: array.astype(np.float64) for name, array in rbm.to("cpu", torch.float64).to_numpy().items()}
    W, b, c, log_var = wide["W"], wide["vbias"], wide["hbias"], wide.get("log_var")
    if enumerated_layer(rbm) == "h":
        block = rbm.law.summed_out(W, b, c, log_var)
        return block if rbm.penalty is None else _with_penalties(block, c, rbm.penalty)
    if rbm.penalty is None:
        # The hidden units are the ones summed out, and they are Bernoulli units.
        return LAWS["bernoulli"].summed_out(W.T, c, b, log_var)
    return _ordered_summed_out(W, b, c, rbm.penalty)


def _ordered_summed_out(W: np.ndarray, b: np.ndarray, c: np.ndarray, penalty: float) -> Block:
    """b·v + log Σ_z exp S_z of visible states v."""
    biases = torch.from_numpy(c)

    def block(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        n, out = low.shape[1], np.empty((len(low), len(high)))
        x, own = low @ W[:n] + c, low @ b[:n]
        for j, one in enumerate(high):
            hidden = ordered.total(torch.from_numpy(x + one @ W[n:]), biases, penalty)
            out[:, j] = hidden.numpy() + own + one @ b[n:]
        return out

    return block


def _with_penalties(block: Block, c: np.ndarray, penalty: float) -> Block:
    """The block of an unordered layer and log Σ_z of the penalties, z from the last unit of h that is on."""
    H = len(c)
    last_on = torch.cat([torch.zeros(1, H), torch.eye(H)]).double()
    by_last = torch.logsumexp(ordered.log_weights_beyond(last_on, torch.from_numpy(c), penalty), 1).numpy()

    def last(states: np.ndarray) -> np.ndarray:
        return (states * np.arange(1, states.shape[1] + 1)).max(axis=1, initial=0).astype(int)

    def penalised(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        above = last(high)[None, :]
        place = np.where(above > 0, low.shape[1] + above, last(low)[:, None])
        return block(low, high) + by_last[place]

    return penalised
