"""The path from a base model to an RBM and back: chains that carry importance weights from temperature to
temperature.

The intermediate models, of Salakhutdinov & Murray 2008 ("On the quantitative analysis of deep belief
networks"):

    p_β(v) ∝ exp((1 − β) a·v + β b·v) ∏ⱼ (1 + exp β(cⱼ + (vW)ⱼ)),   β from 0 to 1,

with the base model's biases a. Gaussian visible units have −(1 − β)‖v − a‖²/2σ² − β‖v − b‖²/2σ² in the
exponent; ordered hidden units have Σ_z exp S_z at β in place of the product (`rbm_core.ordered`).
"""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from rbm_core.compute import Rng, as_array
from rbm_core.flips import flipped_rows
from rbm_core.kernels import annealing as kernels
from rbm_core.kernels.chains import Stream
from rbm_core.kernels.threads import group_size, on_all_threads, one_thread_of_torch
from rbm_core.precision import MOST_SWEEPS, PRECISIONS, pick_precision, torch_dtype
from rbm_core.rbm import RBM, ShapeError

__all__ = ["AISResult", "Annealing", "Direction", "sweep_precision"]

Direction = Literal["forward", "reverse"]


@dataclass(frozen=True)
class AISResult:
    """What a run of AIS says of log Z, and its raw material.

    log_z: in nats. stderr: its standard error by the delta method, from the spread of the weights: honest
    when ess is large, too small when few chains carry the weight. ess: (Σw)²/Σw², of len(log_weights) chains.
    log_weights: (N,) float64, each chain's own estimate of log Z. Forward, log Z is the logarithm of the mean
    of their exponentials and errs downwards; in reverse, 1/Z is averaged and log Z errs upwards.
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
        """The estimate that these weights (N,) make: log mean exp, and in reverse minus log mean exp of minus them."""
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


class Annealing:
    """Chains on their way along the temperatures. Can stop between any two, be saved, and go on bit for bit.

    betas: (K,), from 0 to 1 (forward) or from 1 to 0 (reverse). v: (N, V), draws from the model at betas[0].
    base_vbias: (V,), the biases a of the base model (the means, for Gaussian visible units, whose variances
    it shares). precision: 'auto' (times the products), 'bfloat16', 'float32' or 'float64'.

    The products round; so the path ends at a model of rounded arithmetic, and one last weight, taken in
    float64, leads from there to the RBM itself. What is estimated is log Z of the model as given, in any
    precision. Raises ShapeError for chains of another shape and for parameters that are not finite.
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
        rbm.check_finite()
        rbm = rbm.narrowed()
        self.rbm, self.betas = rbm, np.asarray(betas, np.float64)
        self.precision = sweep_precision(rbm, len(v), precision)
        self.dtype = torch_dtype(self.precision)
        self.seed, self.stream = seed, stream
        self.position = 0
        self._base = base_vbias.to(rbm.device, torch.float64)
        self._v = v.to(rbm.device, self.dtype).contiguous().clone()
        wide = {name: getattr(rbm, name).double() for name in ("W", "vbias", "hbias")}
        inverse_var = torch.ones_like(self._base) if rbm.inverse_var is None else rbm.inverse_var.double()
        self._W_wide = wide["W"] * inverse_var[:, None]  # as the hidden layer sees it
        self._W = self._W_wide.to(self.dtype).contiguous()
        self._W_back = self._W if rbm.log_var is None else rbm.W.to(self.dtype).contiguous()
        self._vbias, self._hbias, self._inverse_var = wide["vbias"], wide["hbias"], inverse_var
        self._sigma = None if rbm.log_var is None else inverse_var.rsqrt().to(self.dtype)
        self._slope = self._vbias - self._base
        self.log_weights = torch.zeros(len(v), dtype=torch.float64, device=rbm.device)
        with one_thread_of_torch():
            self._field = self._fields()
        if self.direction == "reverse":
            self.log_weights += self._rounding()
        self._parts = self._split()

    def _split(self) -> list["_Part"]:
        """On the CPU two halves, each with its own stream and a thread; elsewhere one part.

        Products this small gain more from that than from two threads inside each, and a busy core does not
        hold the other one up: 8 ms a product with torch's two threads beside another busy process, 0.2 ms
        with one.
        """
        n, (V, H) = len(self._v), self.rbm.W.shape
        if self.precision == "differences":
            return [_FlippedPart(self, slice(None), 0)]
        halves = 2 if self.rbm.device.type == "cpu" and n * V * H >= 1_000_000 else 1
        edges = [n * i // halves for i in range(halves + 1)]
        kind = _CompiledPart if self._compiled else _Part
        return [kind(self, slice(edges[i], edges[i + 1]), i) for i in range(halves)]

    @property
    def _compiled(self) -> bool:
        rbm = self.rbm
        on_cpu = rbm.device.type == "cpu" and rbm.bitwise
        return on_cpu and self.precision in ("float32", "bfloat16")

    def _fields(self, v: Tensor | None = None) -> Tensor:
        """How log p_β of v's own part grows with β (N,): (b − a)·v for Bernoulli units."""
        v = (self._v if v is None else v).double()
        return self.rbm.law.growth(v, self._base, self._vbias, self._inverse_var)

    def _rounding(self) -> Tensor:
        """log p̃*(v) of the rounded arithmetic at β = 1, less log p*(v) in float64. (N,)."""
        with one_thread_of_torch():
            z = torch.mm(self._v, self._W).double() + self._hbias
            exact = self._v.double() @ self._W_wide + self._hbias
            return self.rbm.hidden_sum(z) - self.rbm.hidden_sum(exact)

    @property
    def done(self) -> bool:
        """Whether the last temperature is reached."""
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
        """From the base model to the RBM, or back."""
        return "forward" if self.betas[0] < self.betas[-1] else "reverse"

    @property
    def log_z_base(self) -> float:
        """log Z at β = 0: H log 2, of ordered units their series, and the base model's own, in closed form."""
        hidden = float(self.rbm.hidden_sum(torch.zeros_like(self._hbias), 0.0))
        return hidden + self.rbm.law.log_z(self._base, self._inverse_var)

    def advance(self, n: int) -> None:
        """Up to n temperatures on; after the last one nothing is left to do."""
        if self.done:
            return
        last = min(self.position + n, len(self.betas) - 1)
        if self.rbm.device.type == "cpu" and self.precision != "differences":
            threads = torch.get_num_threads()
            try:
                with ThreadPoolExecutor(
                    len(self._parts), initializer=torch.set_num_threads, initargs=(1,)
                ) as pool:
                    list(pool.map(lambda part: part.advance(self.position, last), self._parts))
            finally:
                torch.set_num_threads(threads)  # new threads take over the number that was set last, anywhere
        else:
            self._parts[0].advance(self.position, last)
        self.position = last
        if last == len(self.betas) - 1 and self.direction == "forward":
            self.log_weights -= self._rounding()

    def result(self) -> AISResult:
        """The estimate of log Z at the temperature reached: the model's own once `done`."""
        log_w = self.log_weights.cpu().numpy()
        own = self.log_z_base + (log_w if self.direction == "forward" else -log_w)
        return AISResult.from_log_weights(own, len(self.betas) - 1, self.direction)

    def state_dict(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All that `load_state_dict` needs to go on bit for bit: (tensors on the CPU, JSON-able rest)."""
        tensors = {"v": self.visible_states(), "field": self._field}
        tensors |= {"log_weights": self.log_weights, "betas": torch.from_numpy(self.betas)}
        tensors |= self._parts[0].sums()
        meta = {
            "position": self.position,
            "rngs": [part.rng.state() for part in self._parts],
            "precision": self.precision,
        }
        return {name: t.detach().cpu().clone() for name, t in tensors.items()}, meta

    def load_state_dict(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken. Raises ValueError if it belongs to another path, shape or
        precision.
        """
        if tensors["v"].shape != self._v.shape or not np.array_equal(tensors["betas"].numpy(), self.betas):
            raise ValueError("the saved annealing has other chains or temperatures than this one")
        if meta["precision"] != self.precision:
            raise ValueError(f"the saved annealing ran in {meta['precision']}, this one in {self.precision}")
        if not 0 <= meta["position"] < len(self.betas):
            raise ValueError(f"the saved annealing is at temperature {meta['position']} of {len(self.betas)}")
        self._v.copy_(tensors["v"])
        self._field.copy_(tensors["field"])
        self.log_weights.copy_(tensors["log_weights"])
        for name, ours in self._parts[0].sums().items():
            ours.copy_(tensors[name])
        self.position = int(meta["position"])
        for part, state in zip(self._parts, meta["rngs"], strict=True):
            part.rng = Rng.from_state(state, self.rbm.device)


class _Part:
    """Some of an annealing's chains, with their own random numbers; writes into the annealing's tensors."""

    def __init__(self, whole: Annealing, rows: slice, number: int) -> None:
        self.whole = whole
        self.rng = Rng(whole.seed, whole.stream, whole.rbm.device, rank=number)
        self.v, self.field, self.log_weights = whole._v[rows], whole._field[rows], whole.log_weights[rows]
        n, (V, H) = len(self.v), whole.rbm.W.shape
        self.x = torch.empty(n, H, dtype=whole.dtype, device=whole.rbm.device)
        self.y = torch.empty(n, V, dtype=whole.dtype, device=whole.rbm.device)

    def sums(self) -> dict[str, Tensor]:
        """What has to be saved beside the visible states, by name."""
        return {}

    def advance(self, start: int, stop: int) -> None:
        betas = self.whole.betas
        for k in range(start, stop):
            self.weigh_and_draw_h(float(betas[k]), float(betas[k + 1]))
            if k + 2 < len(betas):  # the last temperature is only weighed
                self.draw_v(float(betas[k + 1]))

    def weigh_and_draw_h(self, beta: float, following: float) -> None:
        """The weights' step from β to β′, and the hidden half of the sweep at β′, from the same logits."""
        z = torch.mm(self.v, self.whole._W, out=self.x).add_(self.whole._hbias)
        wide = z.double()
        rbm = self.whole.rbm
        grown = rbm.hidden_sum(wide, following) - rbm.hidden_sum(wide, beta)
        self.log_weights += (following - beta) * self.field + grown
        z.copy_(rbm.draw_h(z, self.rng, following))

    def draw_v(self, beta: float) -> None:
        whole = self.whole
        y = torch.mm(self.x, whole._W_back.t(), out=self.y)
        bias = (1 - beta) * whole._base + beta * whole._vbias
        y.mul_(beta).add_(bias)
        whole.rbm.law.draw(y, self.rng, sigma=whole._sigma, out=self.v)
        self.field.copy_(whole._fields(self.v))


class _CompiledPart(_Part):
    """The same for Bernoulli units on the CPU, by kernels that read each layer once."""

    def __init__(self, whole: Annealing, rows: slice, number: int) -> None:
        super().__init__(whole, rows, number)
        # Numpy views, made once: making one costs as much as a small kernel.
        self.np_x, self.np_v = as_array(self.x), as_array(self.v)
        self.np_weights, self.np_field = self.log_weights.numpy(), self.field.numpy()
        narrow = (whole._hbias, whole._slope, whole._base, whole._vbias)
        self.np_hbias, self.np_slope, self.np_base, self.np_vbias = (t.float().numpy() for t in narrow)

    def weigh_and_draw_h(self, beta: float, following: float) -> None:
        torch.mm(self.v, self.whole._W, out=self.x)
        self.log_weights.add_(self.field, alpha=following - beta)
        kernels.anneal_hidden(
            self.np_x,
            self.np_hbias,
            np.float32(beta),
            np.float32(following),
            self.np_weights,
            self.np_x,
            *self.rng.next_counter(),
        )

    def draw_v(self, beta: float) -> None:
        torch.mm(self.x, self.whole._W.t(), out=self.v)
        kernels.anneal_visible(
            self.np_v,
            np.float32(1 - beta) * self.np_base + np.float32(beta) * self.np_vbias,
            np.float32(beta),
            self.np_slope,
            self.np_v,
            self.np_field,
            *self.rng.next_counter(),
        )


class _FlippedPart(_Part):
    """All of an annealing's chains by the rows of W that change: Bernoulli units on the CPU."""

    def __init__(self, whole: Annealing, rows: slice, number: int) -> None:
        super().__init__(whole, rows, number)
        self.h = torch.zeros(len(self.v), whole.rbm.n_hidden, dtype=torch.uint8)
        self.x.zero_()
        self.y.zero_()
        narrow = (t.float().numpy() for t in (whole._vbias, whole._hbias, whole._base))
        self.path = (*flipped_rows(whole._W)[:2], *narrow, whole._slope.numpy())

    def sums(self) -> dict[str, Tensor]:
        """The hidden states, and the sums vW and hWᵀ as rows added and subtracted have left them."""
        return {"h": self.h, "x": self.x, "y": self.y}

    def advance(self, start: int, stop: int) -> None:
        n, v = len(self.v), self.v.to(torch.uint8)
        group = group_size(n)
        # Two calls a temperature; the last temperature is only weighed.
        calls = 2 * (stop - start) - (stop == len(self.whole.betas) - 1)
        on_all_threads(
            kernels.anneal_chains,
            -(-n // group),
            group,
            self.path,
            self.whole.betas,
            start,
            stop,
            Stream(*self.rng.next_calls(calls)),
            v.numpy(),
            self.h.numpy(),
            self.y.numpy(),
            self.x.numpy(),
            self.log_weights.numpy(),
            self.field.numpy(),
        )
        self.v.copy_(v)


def sweep_precision(rbm: RBM, n_chains: int, precision: str) -> str:
    """The precision itself, or what 'auto' stands for with this model: who stops and goes on keeps it."""
    known = (*(name for name in PRECISIONS if name != "int16"), "float64")  # annealing measures W itself
    if precision not in ("auto", *known):
        raise ValueError(f"precision must be auto, {', '.join(known)}, got {precision!r}")
    if not rbm.bitwise:
        # Real-valued states would be rounded; 0/1 ones are exact in any precision.
        if precision in ("bfloat16", "differences"):
            kinds = {"ordered hidden units": rbm.penalty is not None, "models with label units": rbm.n_labels}
            which = next((kind for kind, it_is in kinds.items() if it_is), "real-valued ones")
            raise ValueError(
                f"precision {precision} is for units of 0 and 1 that are drawn one by one; take float32 or float64 "
                f"for {which}"
            )
        return "float32" if precision == "auto" else precision
    if precision == "differences" and rbm.device.type != "cpu":
        raise ValueError("precision differences runs on the CPU alone; take float32 or bfloat16 on a GPU")
    if precision != "auto":
        return precision
    # The sums last for hundreds of temperatures.
    return pick_precision(rbm.n_visible, rbm.n_hidden, n_chains, MOST_SWEEPS, rbm.device, learning=False)[0]
