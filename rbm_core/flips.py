"""The door to flip-driven chains: sweeps of Bernoulli models on the CPU by the rows of W whose units changed."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rbm_core.compute import Rng
from rbm_core.kernels.chains import Stream, follow_hidden, run_sweeps, transpose
from rbm_core.kernels.rows import in_panels, new_panels, padded
from rbm_core.kernels.threads import group_size, on_all_threads

__all__ = ["FlippedRows", "HiddenSums", "flip_sweeps", "flipped_rows", "unit_for"]


class FlippedRows(NamedTuple):
    """W (V, H) / unit and its transpose in the panels of `kernels.rows`: what flip-driven chains add from."""

    W: np.ndarray
    WT: np.ndarray
    unit: float


def flipped_rows(W: Tensor, dtype: torch.dtype = torch.float32) -> FlippedRows:
    """W and its transpose, for `flip_sweeps`. W: (V, H) on the CPU.

    dtype: float32, whose unit is 1, or int16, in whole numbers of a unit: see `unit_for`.
    """
    own, unit = np.ascontiguousarray(W.detach().numpy(), np.float32), 1.0
    if dtype == torch.int16:
        positive, negative = np.maximum(own, 0), np.maximum(-own, 0)
        largest = max(float(part.sum(axis).max()) for part in (positive, negative) for axis in (0, 1))
        unit = unit_for(largest, max(own.shape))
        own = np.rint(own * np.float32(1 / unit)).astype(np.int16)
    transposed = new_panels(own.shape[1], own.shape[0], dtype)
    _transpose(own, transposed)
    return FlippedRows(in_panels(own), transposed, unit)


def unit_for(largest: float, n: int) -> float:
    """The unit that weights are rounded to whole numbers of: the least power of two with which no sum leaves 16 bits.

    largest: as `kernels.learning.largest_sum` finds it, in float32. n: the weights of the longest sum, each of which
    rounding changes by half a unit; the other half is for what float32 leaves out of `largest`. NaN where `largest` is
    not finite: chains of such a model are nobody's.
    """
    if not math.isfinite(largest):
        return math.nan
    return 2.0 ** math.ceil(math.log2(max(largest, 1e-6) / (2**15 - 1 - n)))


def _transpose(W: np.ndarray, panels: np.ndarray) -> None:
    """panels = Wᵀ: 0.15 ms for 784 × 500 where NumPy takes 0.24."""
    on_all_threads(transpose, len(panels), W, panels)


def flip_sweeps(
    rows: FlippedRows,
    vbias: Tensor,
    hbias: Tensor,
    v: Tensor,
    n: int,
    rng: Rng,
    *,
    beta: float = 1.0,
    held: Tensor | None = None,
    values: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """n sweeps v → h → v of flip-driven chains at inverse temperature beta: (v, h, mean_v, mean_h) after them, float32.

    v: (N, V), zeros and ones of any type, kept. held: (V,) bool, the pixels that keep their values, (1 or N, V). mean_v
    and mean_h are what the newest draws were drawn from. Random numbers are those that 2n calls of `Rng.bernoulli`
    would use.

    NumPy copies what goes in and out: torch would share that among its threads, which then spin for milliseconds on the
    cores that the chains are to have.
    """
    v_bytes, h_bytes = v.detach().numpy().astype(np.uint8), np.zeros((len(v), len(hbias)), np.uint8)
    mean_v, mean_h = np.empty(v_bytes.shape, np.float32), np.empty(h_bytes.shape, np.float32)
    group = group_size(len(v))
    on_all_threads(
        run_sweeps,
        -(-len(v) // group),
        group,
        (rows.W, rows.WT, (beta * vbias).float().numpy(), (beta * hbias).float().numpy()),
        n,
        np.float32(beta * rows.unit),
        np.empty(0, np.bool_) if held is None else held.numpy(),
        np.empty((1, 0), np.uint8) if values is None else np.atleast_2d(values.numpy().astype(np.uint8)),
        Stream(*rng.next_calls(2 * n)),
        v_bytes,
        h_bytes,
        mean_v,
        mean_h,
    )
    new_v, new_h = (torch.from_numpy(x.astype(np.float32)) for x in (v_bytes, h_bytes))
    return new_v, new_h, torch.from_numpy(mean_v), torch.from_numpy(mean_h)


class HiddenSums:
    """hWᵀ of N chains by the hidden units that changed since the last call: for visible units that are not 0 or 1.

    W: (V, H) float32 on the CPU; `restart` takes up what it has become. Sums start anew then, and every 256 calls.
    """

    _RENEWED = 256

    def __init__(self, W: Tensor, n: int) -> None:
        (V, H), self._W = W.shape, W
        self._panels = new_panels(H, V)
        self._states = np.zeros((n, -(-H // 64)), np.uint64)
        self._sums = torch.zeros(n, padded.py_func(V, 4)).numpy()  # aligned to cache lines
        self.restart()

    def restart(self) -> None:
        """Go on from W as it is now."""
        _transpose(self._W.numpy(), self._panels)
        self._calls = 0

    def of(self, h: Tensor, out: Tensor) -> None:
        """out (N, V) = hWᵀ. h: (N, H) float32, each 0 or 1."""
        group, renew = group_size(len(h)), self._calls % self._RENEWED == 0
        pieces = -(-len(h) // group)
        arrays = (h.numpy(), self._states, self._sums, out.numpy())
        on_all_threads(follow_hidden, pieces, group, self._panels, renew, *arrays)
        self._calls += 1
