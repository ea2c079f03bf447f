"""Annealed importance sampling of log Z, from the base model to the RBM and back again.

Salakhutdinov & Murray 2008 ("On the quantitative analysis of deep belief networks"): chains are drawn from a base
model without weights, whose Z is known, and carried through

    p_β(v) ∝ exp((1 − β) a·v + β b·v) ∏ⱼ (1 + exp β(cⱼ + (vW)ⱼ)),   β from 0 to 1,

by one Gibbs sweep at each temperature; each chain's weight is an unbiased estimate of Z. Run backwards from the
model's own samples (reverse AIS: Burda, Grosse & Salakhutdinov 2015) the same weights estimate 1/Z. Of the logarithms
the first errs downwards on average and the second upwards, so the two bracket log Z.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from rbm_core.compute import Rng, as_array, pick_precision
from rbm_core.likelihood import kernels
from rbm_core.rbm import RBM, ShapeError

__all__ = ["AISResult", "Annealing", "Betas", "ais", "base_rate", "prepare_ais", "temperatures"]

Betas = str | int | np.ndarray
Direction = Literal["forward", "reverse"]

# 0:.001:.5, .5:.0001:.9, .9:.00001:1, the 14,500 temperatures of Salakhutdinov & Murray 2008.
_SALAKHUTDINOV_MURRAY = ((0.0, 0.5, 500), (0.5, 0.9, 4000), (0.9, 1.0, 10000))
_SHOWN_EVERY = 100  # temperatures between two calls of progress


@dataclass(frozen=True)
class AISResult:
    """What a run of AIS says of log Z, and its raw material.

    log_z: in nats. stderr: its standard error by the delta method, from the spread of the weights: honest when ess
    is large, too small when few chains carry the weight. ess: (Σw)²/Σw², of len(log_weights) chains.
    log_weights: (N,) float64, each chain's own estimate of log Z. Forward, log Z is the logarithm of the mean of
    their exponentials and errs downwards; in reverse, 1/Z is averaged and log Z errs upwards.
    """

    log_z: float
    stderr: float
    ess: float
    log_weights: np.ndarray
    n_temperatures: int = 0
    direction: Direction = "forward"

    @classmethod
    def from_log_weights(
        cls, log_weights: np.ndarray, n_temperatures: int = 0, direction: Direction = "forward"
    ) -> "AISResult":
        sign = 1.0 if direction == "forward" else -1.0
        log_w = sign * np.asarray(log_weights, np.float64)
        top, n = log_w.max(), len(log_w)
        w = np.exp(log_w - top)
        mean = w.mean()
        stderr = math.inf if n < 2 else float(w.std(ddof=1) / (mean * math.sqrt(n)))
        return cls(
            sign * float(top + np.log(mean)),
            stderr,
            float(w.sum() ** 2 / (w**2).sum()),
            np.asarray(log_weights, np.float64),
            n_temperatures,
            direction,
        )


def temperatures(betas: Betas) -> np.ndarray:
    """The inverse temperatures (K,) that a name, a number of equal steps or an array stands for.

    "salakhutdinov-murray": 14,500 steps, dense towards 1. Raises ValueError unless they rise from 0 to 1.
    """
    if isinstance(betas, str):
        if betas != "salakhutdinov-murray":
            raise ValueError(f"betas must be 'salakhutdinov-murray', a number of steps or an array, got {betas!r}")
        parts = [np.linspace(a, b, n, endpoint=False) for a, b, n in _SALAKHUTDINOV_MURRAY]
        return np.concatenate([*parts, [1.0]])
    if isinstance(betas, (int, np.integer)):
        if betas < 1:
            raise ValueError(f"the number of temperature steps must be at least 1, got {betas}")
        return np.linspace(0.0, 1.0, int(betas) + 1)
    array = np.asarray(betas, np.float64)
    if array.ndim != 1 or len(array) < 2 or array[0] != 0 or array[-1] != 1 or not (np.diff(array) > 0).all():
        raise ValueError(
            "betas must rise strictly from 0 to 1, got "
            + (f"{array[0]:g} … {array[-1]:g}" if array.ndim == 1 and len(array) else f"shape {array.shape}")
        )
    return array


class Annealing:
    """Chains on their way along the temperatures. Can stop between any two, be saved, and go on bit for bit.

    betas: (K,), from 0 to 1 (forward) or from 1 to 0 (reverse). v: (N, V), draws from the model at betas[0].
    base_vbias: (V,), the biases a of the base model (the means, for Gaussian visible units, whose variances it
    shares). precision: 'auto' (times the products), 'bfloat16', 'float32' or 'float64'.

    The products round; so the path ends at a model of rounded arithmetic, and one last weight, taken in float64,
    leads from there to the RBM itself. What is estimated is log Z of the model as given, in any precision.
    """

    def __init__(
        self,
        rbm: RBM,
        betas: np.ndarray,
        base_vbias: Tensor,
        v: Tensor,
        *,
        seed: int = 0,
        stream: str = "ais",
        precision: str = "auto",
    ) -> None:
        if v.dim() != 2 or v.shape[1] != rbm.n_visible or len(v) == 0:
            raise ShapeError(f"chains must have shape (chains, {rbm.n_visible}), got {tuple(v.shape)}")
        self.rbm, self.betas = rbm, np.asarray(betas, np.float64)
        self.dtype = _pick_dtype(rbm, len(v), precision)
        self.rng = Rng(seed, stream, rbm.device)
        self.position = 0
        self.log_weights = torch.zeros(len(v), dtype=torch.float64, device=rbm.device)
        self._base = base_vbias.to(rbm.device, torch.float64)
        self._v = v.to(rbm.device, self.dtype).contiguous().clone()
        self._compiled = rbm.device.type == "cpu" and rbm.visible == "bernoulli" and self.dtype != torch.float64
        self._prepare()
        if self.direction == "reverse":
            self.log_weights += self._rounding()

    def _prepare(self) -> None:
        rbm, (V, H), n = self.rbm, self.rbm.W.shape, len(self._v)
        wide = {name: getattr(rbm, name).double() for name in ("W", "vbias", "hbias")}
        inverse_var = None if rbm.inverse_var is None else torch.exp(-rbm.log_var.double())  # type: ignore[union-attr]
        to_h = wide["W"] if inverse_var is None else wide["W"] * inverse_var[:, None]
        self._W = to_h.to(self.dtype).contiguous()
        self._W_back = self._W if inverse_var is None else rbm.W.to(self.dtype).contiguous()
        self._vbias, self._hbias = wide["vbias"], wide["hbias"]
        self._inverse_var = torch.ones_like(self._base) if inverse_var is None else inverse_var
        self._slope = (self._vbias - self._base) * self._inverse_var
        self._x = torch.empty(n, H, dtype=self.dtype, device=rbm.device)
        self._y = torch.empty(n, V, dtype=self.dtype, device=rbm.device)
        if self._compiled:
            self._np_x, self._np_v = as_array(self._x), as_array(self._v)
            self._np_hbias, self._np_slope = self._hbias.float().numpy(), self._slope.float().numpy()
            self._np_base, self._np_vbias = self._base.float().numpy(), self._vbias.float().numpy()
            self._np_weights = self.log_weights.numpy()
        self._field = self._fields()
        if self._compiled:
            self._np_field = self._field.numpy()

    def _fields(self) -> Tensor:
        """(b − a)·v, or for Gaussian units (‖v − a‖² − ‖v − b‖²)/2σ²: how log p_β of v's own part grows with β."""
        v = self._v.double()
        if self.rbm.visible == "bernoulli":
            return v @ self._slope
        squares = (v - self._base) ** 2 - (v - self._vbias) ** 2
        return 0.5 * (squares * self._inverse_var).sum(1)

    def _rounding(self) -> Tensor:
        """log p̃*(v) of the rounded arithmetic at β = 1, less log p*(v) in float64. (N,)."""
        z = torch.mm(self._v, self._W).double() + self._hbias.to(self.dtype if not self._compiled else torch.float32)
        exact = self._v.double() @ self.rbm.W.double().mul(self._inverse_var[:, None]) + self._hbias
        return softplus(z).sum(1) - softplus(exact).sum(1)

    @property
    def done(self) -> bool:
        return self.position == len(self.betas) - 1

    @property
    def beta(self) -> float:
        """The temperature the log-weights have reached."""
        return float(self.betas[self.position])

    def visible_states(self) -> Tensor:
        """The chains' states, (N, V) float32 (float64 where that is the precision)."""
        return self._v.to(torch.float64 if self.dtype == torch.float64 else torch.float32)

    @property
    def direction(self) -> Direction:
        return "forward" if self.betas[0] < self.betas[-1] else "reverse"

    @property
    def log_z_base(self) -> float:
        """log Z at β = 0: H log 2 and the base model's own, in closed form."""
        H = self.rbm.n_hidden * math.log(2.0)
        if self.rbm.visible == "bernoulli":
            return H + float(softplus(self._base).sum())
        return H + 0.5 * float((math.log(2 * math.pi) - torch.log(self._inverse_var)).sum())

    def advance(self, n: int) -> None:
        """Up to n temperatures on; after the last one nothing is left to do."""
        if self.done:
            return
        last = min(self.position + n, len(self.betas) - 1)
        move = self._move_compiled if self._compiled else self._move
        for k in range(self.position, last):
            move(float(self.betas[k]), float(self.betas[k + 1]), final=k + 2 == len(self.betas))
        self.position = last
        if self.done and self.direction == "forward":
            self.log_weights -= self._rounding()

    def _move_compiled(self, beta: float, following: float, final: bool) -> None:
        torch.mm(self._v, self._W, out=self._x)
        self.log_weights.add_(self._field, alpha=following - beta)
        kernels.anneal_hidden(
            self._np_x,
            self._np_hbias,
            np.float32(beta),
            np.float32(following),
            self._np_weights,
            self._np_x,
            *self.rng.next_counter(),
        )
        if final:
            return
        torch.mm(self._x, self._W.t(), out=self._v)
        bias = np.float32(1 - following) * self._np_base + np.float32(following) * self._np_vbias
        kernels.anneal_visible(
            self._np_v,
            bias,
            np.float32(following),
            self._np_slope,
            self._np_v,
            self._np_field,
            *self.rng.next_counter(),
        )

    def _move(self, beta: float, following: float, final: bool) -> None:
        z = torch.mm(self._v, self._W, out=self._x) + self._hbias.to(self.dtype)
        grown = softplus(following * z.double()) - softplus(beta * z.double())
        self.log_weights += (following - beta) * self._field + grown.sum(1)
        if final:
            return
        h = self.rng.bernoulli(z, scale=following)
        y = torch.mm(h, self._W_back.t(), out=self._y)
        if self.rbm.visible == "bernoulli":
            bias = (1 - following) * self._base + following * self._vbias
            self._v = self.rng.bernoulli(following * y + bias.to(self.dtype))
        else:
            mean = (1 - following) * self._base + following * (self._vbias + y)
            noise = self.rng.normal(tuple(y.shape), dtype=self.dtype) * self._inverse_var.to(self.dtype) ** -0.5
            self._v = mean.to(self.dtype) + noise
        self._field = self._fields()

    def result(self) -> AISResult:
        """The estimate of log Z at the temperature reached: the model's own once `done`."""
        log_w = self.log_weights.cpu().numpy()
        own = self.log_z_base + (log_w if self.direction == "forward" else -log_w)
        return AISResult.from_log_weights(own, len(self.betas) - 1, self.direction)

    def state_dict(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All that `load_state_dict` needs to go on bit for bit: (tensors on the CPU, JSON-able rest)."""
        tensors = {"v": self._v.to(torch.float32 if self._compiled else self.dtype), "field": self._field}
        tensors |= {"log_weights": self.log_weights, "betas": torch.from_numpy(self.betas)}
        meta = {
            "position": self.position,
            "rng": self.rng.state(),
            "precision": str(self.dtype).removeprefix("torch."),
        }
        return {name: t.detach().cpu().clone() for name, t in tensors.items()}, meta

    def load_state_dict(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken. Raises ValueError if it belongs to another path, shape or precision."""
        if tensors["v"].shape != self._v.shape or not np.array_equal(tensors["betas"].numpy(), self.betas):
            raise ValueError("the saved annealing has other chains or temperatures than this one")
        if meta["precision"] != str(self.dtype).removeprefix("torch."):
            raise ValueError(f"the saved annealing ran in {meta['precision']}, this one in {self.dtype}")
        self._v.copy_(tensors["v"])
        self._field.copy_(tensors["field"])
        self.log_weights.copy_(tensors["log_weights"])
        self.position = int(meta["position"])
        self.rng = Rng.from_state(meta["rng"], self.rbm.device)


def _pick_dtype(rbm: RBM, n_chains: int, precision: str) -> torch.dtype:
    names = {"bfloat16": torch.bfloat16, "float32": torch.float32, "float64": torch.float64}
    if precision not in ("auto", *names):
        raise ValueError(f"precision must be auto, {', '.join(names)}, got {precision!r}")
    if rbm.visible == "gaussian":
        # Real-valued states would be rounded; 0/1 ones are exact in any precision.
        if precision == "bfloat16":
            raise ValueError("precision bfloat16 rounds real-valued visible units; take float32 or float64")
        return names.get(precision, torch.float32)
    if precision != "auto":
        return names[precision]
    return pick_precision(rbm.n_visible, rbm.n_hidden, n_chains, rbm.device)[0]


def base_rate(rbm: RBM, data_mean: Tensor | np.ndarray | None = None, *, seed: int = 0) -> Tensor:
    """The biases (V,) of a base model: log-odds of the pixels' means, or the means themselves for Gaussian units.

    data_mean: (V,), the training data's; the closer to the model's own means the better the estimate. None takes
    the model's means as a short annealing from a base without any bias finds them, so that every mode is seen.
    """
    if data_mean is not None:
        mean = torch.as_tensor(data_mean, dtype=torch.float64, device=rbm.device)
        if mean.shape != rbm.vbias.shape or not torch.isfinite(mean).all():
            raise ShapeError(f"data_mean must be {rbm.n_visible} finite numbers, got shape {tuple(mean.shape)}")
    elif rbm.visible == "gaussian":
        mean = rbm.vbias.double()
    else:
        flat = torch.zeros(rbm.n_visible, dtype=torch.float64, device=rbm.device)
        pilot = _forward(rbm, np.linspace(0, 1, 201), 100, flat, seed, "ais-base", "auto")
        pilot.advance(len(pilot.betas))
        # Weighing the chains would be truer and, with weights as uneven as these, noisier.
        mean = pilot.visible_states().double().mean(0) * 0.98 + 0.01
    return mean if rbm.visible == "gaussian" else torch.logit(mean.clamp(1e-3, 1 - 1e-3))


def _forward(
    rbm: RBM, betas: np.ndarray, n: int, base: Tensor, seed: int, stream: str, precision: str
) -> Annealing:
    """Chains drawn from the base model, ready to be annealed."""
    start = Rng(seed, f"{stream}-start", rbm.device)
    if rbm.visible == "bernoulli":
        v = start.uniform((n, rbm.n_visible)) < torch.sigmoid(base.to(rbm.device)).float()
        return Annealing(rbm, betas, base, v, seed=seed, stream=stream, precision=precision)
    spread = 1.0 if rbm.log_var is None else torch.exp(rbm.log_var / 2)
    v = base.to(rbm.device) + start.normal((n, rbm.n_visible)) * spread
    return Annealing(rbm, betas, base, v, seed=seed, stream=stream, precision=precision)


def _check_chains(n_chains: int) -> None:
    if n_chains < 2:
        raise ValueError(f"n_chains must be at least 2, since their spread is the error bar; got {n_chains}")


def _run(annealing: Annealing, progress: Callable[[int, int], None] | None) -> AISResult:
    while not annealing.done:
        annealing.advance(_SHOWN_EVERY)
        if progress is not None:
            progress(annealing.position, len(annealing.betas) - 1)
    return annealing.result()


def prepare_ais(
    rbm: RBM,
    *,
    betas: Betas = "salakhutdinov-murray",
    n_chains: int = 100,
    base_vbias: Tensor | np.ndarray | None = None,
    seed: int = 0,
    precision: str = "auto",
) -> Annealing:
    """What `ais` runs, not yet advanced: for callers who stop, save and watch it."""
    _check_chains(n_chains)
    path = temperatures(betas)
    base = base_rate(rbm, seed=seed) if base_vbias is None else torch.as_tensor(base_vbias, dtype=torch.float64)
    return _forward(rbm, path, n_chains, base, seed, "ais", precision)


def ais(
    rbm: RBM,
    *,
    betas: Betas = "salakhutdinov-murray",
    n_chains: int = 100,
    base_vbias: Tensor | np.ndarray | None = None,
    seed: int = 0,
    precision: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> AISResult:
    """An estimate of log Z in nats by annealing from a base model to the RBM.

    Errs downwards on average, so likelihoods come out too high, and silently if a mode is missed: read it beside
    `reverse_ais`. betas: see `temperatures`. n_chains: at least 2; the error bar shrinks with their square root.
    base_vbias: (V,), the base model's biases, best the data's log-odds (`base_rate(rbm, data_mean)`); None asks the
    model itself. precision: of the products; the estimate is of the model as given in any. progress: called with
    (temperatures done, all).
    """
    prepared = prepare_ais(
        rbm, betas=betas, n_chains=n_chains, base_vbias=base_vbias, seed=seed, precision=precision
    )
    return _run(prepared, progress)
