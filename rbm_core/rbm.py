"""The Restricted Boltzmann Machine: parameters, energies and conditionals; no learning, no files.

Notation: v (B, V), h (B, H), W (V, H), vbias b (V,), hbias c (H,); energies in nats.

Bernoulli visible units:  E(v, h) = −b·v − c·h − vᵀWh

Gaussian visible units:   E(v, h) = Σᵢ (vᵢ − bᵢ)² / 2σᵢ² − c·h − (v/σ²)ᵀWh,  with σ = 1 unless log_var is given

Ordered hidden units (`penalty` given) take part one after the other, by a z that is drawn too: see `ordered.py`.

Label units stand behind the pixels as the last visible units: a softmax group of which exactly one is on. Their rows
of W are the labels' weights U, their part of b the labels' biases d; `labels.py` has what follows.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from rbm_core import ordered
from rbm_core.compute import Rng, resolve_device
from rbm_core.laws import LAWS, Law, with_labels
from rbm_core.machine import lacks_memory
from rbm_core.visible import Visible

__all__ = ["RBM", "ShapeError"]


class ShapeError(ValueError):
    """Arrays that do not fit together, or numbers that no model can have."""


@dataclass(frozen=True)
class RBM:
    """The parameters of one model, and everything that follows from them in closed form.

    W: (V, H). vbias: (V,). hbias: (H,). visible: the law of the visible units. log_var: (V,), log σ² of Gaussian
    visible units, None for unit variance. n_labels: how many of the visible units, the last ones, are the label's, 0
    for a model without. penalty: P > 1 of ordered hidden units, None for a layer of which every unit takes part. Raises
    ShapeError for shapes, devices or dtypes that do not agree, and for anything but floating-point tensors.
    """

    W: Tensor
    vbias: Tensor
    hbias: Tensor
    visible: Visible = "bernoulli"
    log_var: Tensor | None = None
    n_labels: int = 0
    penalty: float | None = None

    def __post_init__(self) -> None:
        if self.visible not in tuple(LAWS):  # a tuple, because what was passed need not be hashable
            known = " or ".join(repr(name) for name in LAWS)
            raise ShapeError(f"visible must be {known}, got {self.visible!r}")
        named = {"W": self.W, "vbias": self.vbias, "hbias": self.hbias, "log_var": self.log_var}
        given = {name: t for name, t in named.items() if t is not None}
        for name, t in given.items():
            if not isinstance(t, Tensor) or not t.is_floating_point():
                raise ShapeError(
                    f"{name} must be a floating-point torch tensor, got {_kind(t)}; "
                    "RBM.from_numpy takes arrays and lists of any kind"
                )
        self._check_shapes()
        places = {f"{t.device}/{t.dtype}" for t in given.values()}
        if len(places) > 1:
            raise ShapeError(
                f"all parameters must share one device and one dtype, got {', '.join(sorted(places))}"
            )

    def _check_shapes(self) -> None:
        W, vbias, hbias, log_var = self.W, self.vbias, self.hbias, self.log_var
        if W.dim() != 2 or 0 in W.shape:
            raise ShapeError(f"W must have shape (visible, hidden), both at least 1, got {tuple(W.shape)}")
        if vbias.shape != W.shape[:1] or hbias.shape != W.shape[1:]:
            raise ShapeError(
                f"W {tuple(W.shape)} needs vbias ({W.shape[0]},) and hbias ({W.shape[1]},), "
                f"got {tuple(vbias.shape)} and {tuple(hbias.shape)}"
            )
        if self.n_labels and not (2 <= self.n_labels < W.shape[0]):
            raise ShapeError(
                f"n_labels must be at least 2 and leave a pixel among the {W.shape[0]} visible units, "
                f"got {self.n_labels}"
            )
        if self.n_labels and LAWS[self.visible].units.real:
            raise ShapeError(f"label units stand beside pixels of 0 and 1, not beside {self.visible} ones")
        self._check_penalty()
        if log_var is None:
            return
        if not self.law.units.variance:
            raise ShapeError(
                f"log_var belongs to Gaussian visible units only; leave it out for {self.visible} ones"
            )
        if log_var.shape != vbias.shape:
            raise ShapeError(f"log_var must have shape {tuple(vbias.shape)}, got {tuple(log_var.shape)}")

    def _check_penalty(self) -> None:
        if self.penalty is None:
            return
        if not 1 < self.penalty < math.inf:
            raise ShapeError(
                f"the penalty of ordered hidden units must be finite and above 1, got {self.penalty}"
            )
        if self.n_labels or LAWS[self.visible].units.real:
            beside = "label units" if self.n_labels else f"{self.visible} units"
            raise ShapeError(f"ordered hidden units belong to pixels of 0 and 1 alone, not to {beside}")

    def check_finite(self) -> None:
        """Raises ShapeError if a parameter is NaN or infinite: such a model has no log Z, and no sample."""
        for name in ("W", "vbias", "hbias", "log_var"):
            t = getattr(self, name)
            if t is not None and (bad := int(t.numel() - torch.isfinite(t).sum())):
                raise ShapeError(_not_finite(name, bad))

    @property
    def law(self) -> Law:
        """The law of the visible units."""
        return with_labels(self.n_labels) if self.n_labels else LAWS[self.visible]

    @property
    def n_visible(self) -> int:
        """V: pixels, and behind them the label units."""
        return self.W.shape[0]

    @property
    def n_pixels(self) -> int:
        """The visible units that are no label units."""
        return self.W.shape[0] - self.n_labels

    @property
    def n_hidden(self) -> int:
        """H."""
        return self.W.shape[1]

    @property
    def bitwise(self) -> bool:
        """Whether every unit of a layer is 0 or 1 and drawn by itself: what compiled kernels and flips are made for."""
        return self.law.binary and self.penalty is None

    @property
    def in_use(self) -> int:
        """How many hidden units have learned: of ordered ones the place of the last with a parameter, else all."""
        return self.n_hidden if self.penalty is None else ordered.in_use(self.W, self.hbias)

    def narrowed(self) -> "RBM":
        """The same model of v without the columns of ordered units that are not in use; itself if there are none."""
        n = max(self.in_use, 1)
        return (
            self if n == self.n_hidden else replace(self, W=self.W[:, :n].contiguous(), hbias=self.hbias[:n])
        )

    @property
    def device(self) -> torch.device:
        """Where all parameters lie."""
        return self.W.device

    @property
    def dtype(self) -> torch.dtype:
        """The number format of all parameters."""
        return self.W.dtype

    @classmethod
    def from_numpy(
        cls,
        W: np.ndarray,
        vbias: np.ndarray,
        hbias: np.ndarray,
        *,
        visible: Visible = "bernoulli",
        log_var: np.ndarray | None = None,
        n_labels: int = 0,
        penalty: float | None = None,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> "RBM":
        """A model of copies of these arrays. Raises ShapeError for wrong shapes or non-finite numbers, DeviceError for
        a device that is not there.
        """
        place = resolve_device(str(device))
        arrays = {"W": W, "vbias": vbias, "hbias": hbias, "log_var": log_var}
        tensors: dict[str, Tensor | None] = {}
        for name, given in arrays.items():
            if given is None:
                tensors[name] = None
                continue
            try:
                # A tensor is taken too, also one that requires grad.
                array = np.asarray(given.detach() if hasattr(given, "detach") else given, np.float64)
            except (TypeError, ValueError):
                raise ShapeError(f"{name} must be an array of numbers, got {_kind(given)}") from None
            if not np.isfinite(array).all():
                raise ShapeError(_not_finite(name, int(array.size - np.isfinite(array).sum())))
            tensors[name] = torch.tensor(array, dtype=dtype, device=place)
        return cls(**tensors, visible=visible, n_labels=n_labels, penalty=penalty)  # type: ignore[arg-type]

    def to_numpy(self) -> dict[str, np.ndarray]:
        """Copies of the parameters by name, W (V, H), vbias (V,), …; float32, or float64 where the model is."""
        wide = torch.float64 if self.dtype == torch.float64 else torch.float32
        named = {"W": self.W, "vbias": self.vbias, "hbias": self.hbias, "log_var": self.log_var}
        return {name: t.to("cpu", wide).numpy().copy() for name, t in named.items() if t is not None}

    def to(self, device: str | torch.device | None = None, dtype: torch.dtype | None = None) -> "RBM":
        """The same model elsewhere or in another precision. Raises DeviceError for a device that is not there."""
        device, dtype = self.device if device is None else resolve_device(str(device)), dtype or self.dtype
        return replace(
            self,
            W=self.W.to(device, dtype),
            vbias=self.vbias.to(device, dtype),
            hbias=self.hbias.to(device, dtype),
            log_var=None if self.log_var is None else self.log_var.to(device, dtype),
        )

    @classmethod
    def initial(
        cls,
        n_visible: int,
        n_hidden: int,
        rng: Rng,
        *,
        weight_std: float = 0.01,
        data_mean: Tensor | None = None,
        visible: Visible = "bernoulli",
        n_labels: int = 0,
        penalty: float | None = None,
    ) -> "RBM":
        """W ~ N(0, weight_std²), c = 0, and b from the data's means: log p/(1 − p), or the mean itself if Gaussian.

        Ordered hidden units begin at W = 0: none is in use.

        data_mean: (V,) or None for b = 0. Raises ShapeError for sizes below 1 or beyond memory, and for a spread or
        means that no weights can have. Source: Hinton 2010, §8.
        """
        for name, n in (("n_visible", n_visible), ("n_hidden", n_hidden)):
            if n < 1:
                raise ShapeError(f"{name} must be at least 1, got {n}")
        if not 0 <= weight_std < math.inf:
            raise ShapeError(f"weight_std must be finite and at least 0, got {weight_std}")
        if data_mean is not None and not torch.isfinite(data_mean).all():
            raise ShapeError("data_mean holds numbers that are not finite; biases need finite means")
        try:
            W = rng.normal((n_visible, n_hidden)) * (weight_std if penalty is None else 0.0)
        except Exception as error:
            if not lacks_memory(error):
                raise
            raise ShapeError(
                f"{n_visible:,} × {n_hidden:,} weights need {n_visible * n_hidden * 4 / 2**30:,.1f} GiB, which is "
                "more than this machine has free; ask for fewer hidden units"
            ) from None
        hbias = torch.zeros(n_hidden, device=W.device)
        if data_mean is None:
            vbias = torch.zeros(n_visible, device=W.device)
        else:
            law = with_labels(n_labels) if n_labels else LAWS[visible]
            vbias = law.bias_of(data_mean.to(W))
        return cls(W, vbias, hbias, visible, n_labels=n_labels, penalty=penalty)

    def _check(self, x: Tensor, units: int, name: str) -> Tensor:
        if not isinstance(x, Tensor):
            raise ShapeError(
                f"{name} must be a torch tensor of shape (cases, {units}), got {_kind(x)}; torch.tensor makes one"
            )
        if x.dim() != 2 or x.shape[1] != units:
            raise ShapeError(f"{name} must have shape (cases, {units}), got {tuple(x.shape)}")
        if x.device != self.device:
            raise ShapeError(f"{name} is on {x.device} and the model on {self.device}; move one of them")
        return x if x.dtype == self.dtype else x.to(self.dtype)

    @property
    def inverse_var(self) -> Tensor | None:
        """1/σ² (V,) of Gaussian visible units with learned variances, else None."""
        return None if self.log_var is None else torch.exp(-self.log_var)

    @property
    def sigma(self) -> Tensor | None:
        """σ (V,) of visible units with learned variances, else None."""
        return None if self.log_var is None else torch.exp(self.log_var / 2)

    def logits_h_from_v(self, v: Tensor) -> Tensor:
        """c + vW, or c + (v/σ²)W: the logits of the hidden units. v: (B, V). Returns (B, H)."""
        v = self._check(v, self.n_visible, "v")
        scaled = v if self.inverse_var is None else v * self.inverse_var
        return torch.addmm(self.hbias, scaled, self.W)

    def hidden_sum(self, logits: Tensor, beta: float = 1.0) -> Tensor:
        """log Σ_h exp(βh·x) of hidden logits x: Σⱼ softplus(βxⱼ), of ordered units `ordered.total`. (…, H) -> (…)."""
        if self.penalty is not None:
            return ordered.total(logits, self.hbias, self.penalty, beta)
        return softplus(beta * logits).sum(-1)

    def mean_h(self, logits: Tensor, beta: float = 1.0) -> Tensor:
        """p(h = 1 | v) of hidden logits x: σ(βx), of ordered units times p(z ≥ j | v). (…, H) -> (…, H)."""
        mean = torch.sigmoid(beta * logits)
        return mean if self.penalty is None else mean * self.reached(logits, beta)

    def draw_h(self, logits: Tensor, rng: Rng, beta: float = 1.0) -> Tensor:
        """h ~ p(h | v) of hidden logits (B, H): (B, H) of zeros and ones."""
        if self.penalty is None:
            return rng.bernoulli(logits, scale=beta)
        return ordered.draw(logits, self.reached(logits, beta), rng, beta)[0]

    def reached(self, logits: Tensor, beta: float = 1.0) -> Tensor:
        """p(z ≥ j | v), the chance that unit j takes part; 1 but for ordered units. (…, H) -> (…, H)."""
        if self.penalty is None:
            return torch.ones_like(logits)
        return ordered.reached(ordered.log_weights(logits, self.hbias, self.penalty, beta))

    def mean_h_from_v(self, v: Tensor, beta: float = 1.0) -> Tensor:
        """p(h = 1 | v) = σ(β(c + vW)), of ordered units times p(z ≥ j | v). v: (B, V). Returns (B, H)."""
        return self.mean_h(self.logits_h_from_v(v), beta)

    def sample_h_from_v(self, v: Tensor, rng: Rng, beta: float = 1.0) -> Tensor:
        """h ~ p(h | v) at inverse temperature β. v: (B, V). Returns (B, H) of zeros and ones."""
        return self.draw_h(self.logits_h_from_v(v), rng, beta)

    def logits_v_from_h(self, h: Tensor) -> Tensor:
        """b + hWᵀ: the logits of Bernoulli visible units, the means of Gaussian ones. h: (B, H). Returns (B, V)."""
        return torch.addmm(self.vbias, self._check(h, self.n_hidden, "h"), self.W.T)

    def mean_v_from_h(self, h: Tensor, beta: float = 1.0) -> Tensor:
        """E[v | h]: σ(β(b + hWᵀ)), or b + hWᵀ for Gaussian units (at any β). h: (B, H). Returns (B, V)."""
        return self.law.mean(self.logits_v_from_h(h), beta)

    def sample_v_from_h(self, h: Tensor, rng: Rng, beta: float = 1.0) -> Tensor:
        """v ~ p(v | h) at inverse temperature β; Gaussian units have variance σ²/β. h: (B, H). Returns (B, V)."""
        return self.law.draw(self.logits_v_from_h(h), rng, sigma=self.sigma, beta=beta)

    def visible_energy(self, v: Tensor) -> Tensor:
        """The part of the energy that v has by itself. (B, V) -> (B,)."""
        return self.law.own_energy(v, self.vbias, self.inverse_var)

    def energy(self, v: Tensor, h: Tensor) -> Tensor:
        """E(v, h) in nats, by the formulas at the head of this module; of ordered units −log Σ_z exp(−E(v, h, z)).

        v: (B, V), h: (B, H). Returns (B,).
        """
        v, h = self._check(v, self.n_visible, "v"), self._check(h, self.n_hidden, "h")
        if len(v) != len(h):
            raise ShapeError(f"v and h must hold the same number of cases, got {len(v)} and {len(h)}")
        _check_finite(v, "v")
        _check_finite(h, "h")
        energy = self.visible_energy(v) - (self.logits_h_from_v(v) * h).sum(1)
        if self.penalty is None:
            return energy
        return energy - torch.logsumexp(ordered.log_weights_beyond(h, self.hbias, self.penalty), 1)

    def free_energy(self, v: Tensor) -> Tensor:
        """F(v) = −b·v − Σⱼ softplus(cⱼ + (vW)ⱼ), in nats; p(v) = exp(−F(v)) / Z. v: (B, V). Returns (B,).

        Gaussian units have Σᵢ (vᵢ − bᵢ)²/2σᵢ² in place of −b·v, ordered hidden ones log Σ_z exp S_z in place of Σⱼ.
        """
        v = self._check(v, self.n_visible, "v")
        _check_finite(v, "v")
        return self.visible_energy(v) - self.hidden_sum(self.logits_h_from_v(v))


def _check_finite(x: Tensor, name: str) -> None:
    if not torch.isfinite(x).all():
        bad = int(x.numel() - torch.isfinite(x).sum())
        raise ShapeError(f"{name} holds {bad} numbers that are not finite; they have no energy")


def _not_finite(name: str, bad: int) -> str:
    return f"{name} has {bad} numbers that are not finite; a model needs finite parameters"


def _kind(x: object) -> str:
    """The type of what a caller passed, and its dtype if it has one, for an error message."""
    dtype = getattr(x, "dtype", None)
    return type(x).__name__ if dtype is None else f"{type(x).__name__} of {dtype}"
