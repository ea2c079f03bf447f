"""Which of a file's arrays are the weights and the biases of an RBM, whatever they are called and however they lie."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rbm_core.config import MOST_PENALTY
from rbm_core.exchange.arrays import ExchangeError, Named
from rbm_core.exchange.exporting import parameters
from rbm_core.pixels import PixelScale
from rbm_core.rbm import RBM
from rbm_core.visible import Visible

__all__ = ["Parameters", "of_object", "understood"]

# Names as they are after lower case and without all but letters and digits.
_WEIGHTS = {"w", "weight", "weights", "weightmatrix", "vishid", "components", "rbmw", "wvh", "j"}
_VISIBLE = {
    *("vbias", "biasv", "bv", "vb", "visiblebias", "visiblebiases", "visbias", "visbiases", "biasvisible"),
    *("bvis", "bvisible", "biasesvisible", "interceptvisible", "visb", "vbiases"),
}
_HIDDEN = {
    *("hbias", "biash", "bh", "hb", "hiddenbias", "hiddenbiases", "hidbias", "hidbiases", "biashidden"),
    *("bhid", "bhidden", "biaseshidden", "intercepthidden", "hidb", "hbiases"),
}
_LABELS = {"labelw": "label_W", "labelbias": "label_bias"}
_PAIRS = (("a", "b"), ("b", "c"))  # Hinton's letters for the biases, and those of this project
_HIDDEN_FIRST = {"components"}  # scikit-learn's weights are (hidden, visible)
_OF_UNITS = {
    "logvar",
    *(re.sub(r"[^a-z0-9]", "", name) for name in PixelScale.ARRAYS),
}  # rows that are no biases


@dataclass(frozen=True)
class Parameters:
    """An RBM as it was found. W: (V, H). vbias: (V,). hbias: (H,). log_var, scale: of Gaussian units. label_W (K, H),
    label_bias (K,): of label units. penalty: of ordered hidden units.

    notes: what had to be assumed, each a clause for a person.
    """

    W: np.ndarray
    vbias: np.ndarray
    hbias: np.ndarray
    visible: Visible = "bernoulli"
    log_var: np.ndarray | None = None
    scale: PixelScale | None = None
    notes: tuple[str, ...] = field(default=())
    label_W: np.ndarray | None = None
    label_bias: np.ndarray | None = None
    penalty: float | None = None

    def model(self) -> RBM:
        """The engine's model of these parameters."""
        W, vbias, n_labels = self.W, self.vbias, 0
        if self.label_W is not None and self.label_bias is not None:
            W, vbias = np.concatenate([W, self.label_W]), np.concatenate([vbias, self.label_bias])
            n_labels = len(self.label_W)
        return RBM.from_numpy(
            W,
            vbias,
            self.hbias,
            visible=self.visible,
            log_var=self.log_var,
            n_labels=n_labels,
            penalty=self.penalty,
        )


def of_object(model: Any, n_visible: int | None = None) -> Parameters:
    """The parameters of an object in memory: an estimator like scikit-learn's, a torch module, a model, or a mapping.

    Raises ExchangeError in one sentence.
    """
    if hasattr(model, "components_"):
        names = ("components_", "intercept_visible_", "intercept_hidden_")
        return understood({n: np.asarray(getattr(model, n)) for n in names if hasattr(model, n)}, n_visible)
    if isinstance(model, RBM):
        return replace(understood(parameters(model, None), n_visible), visible=model.visible)
    if callable(state_dict := getattr(model, "state_dict", None)):
        model = state_dict()
    if not isinstance(model, Mapping):
        raise ExchangeError(
            f"a {type(model).__name__} holds no RBM that could be found; pass a mapping of arrays, a torch module, or "
            "an estimator with components_, which scikit-learn's BernoulliRBM has once it is fitted"
        )
    return understood({str(name): _plain(value) for name, value in model.items()}, n_visible)


def _plain(value: Any) -> np.ndarray:
    """A tensor or a list as an array; a Parameter that requires grad is detached."""
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)


def understood(arrays: Named, n_visible: int | None = None) -> Parameters:
    """The RBM among these arrays. n_visible: the visible units that it must have, where that is known.

    Biases may be (n,), (1, n) or (n, 1); a missing one is taken as 0; W may be (V, H) or (H, V). Raises ExchangeError,
    with the shapes that were found, where no reading fits or more than one does.
    """
    arrays = {name: array for name, array in arrays.items() if array.dtype.kind in "fiub"}
    names = {name: _key(name) for name in arrays}
    labels = {_LABELS[key]: arrays.pop(name) for name, key in names.items() if key in _LABELS}
    penalty = _penalty([arrays.pop(name) for name, key in names.items() if key == "penalty"])
    w_name = _weights_of(arrays, names)
    notes: list[str] = []
    W = arrays[w_name]
    rows = {n: _row(a) for n, a in arrays.items() if n != w_name and _is_row(a)}
    biases = _biases_of(rows, names)
    if names[w_name] == "weight" and "hidden" not in biases:
        # torch's Linear, from visible to hidden units: its weight is (hidden, visible), its bias that of its outputs.
        if of_outputs := [rows[n] for n in rows if names[n] == "bias" and len(rows[n]) == W.shape[0]]:
            biases["hidden"] = of_outputs[0]
    layouts = [] if names[w_name] in _HIDDEN_FIRST else [W]
    layouts += [W.T] if names[w_name] in _HIDDEN_FIRST or W.shape[0] != W.shape[1] else []
    fitting = [layout for layout in layouts if _fits(layout.shape, biases, n_visible)]
    if not fitting and names[w_name] in _HIDDEN_FIRST:
        fitting = [W] if _fits(W.shape, biases, n_visible) else []
    if not fitting:
        wanted = "" if n_visible is None else f" for {n_visible:,} visible units"
        raise ExchangeError(
            f"these arrays do not fit together as an RBM{wanted}: {_shapes(arrays)}; W (visible, hidden) needs a "
            "visible bias (visible,) and a hidden bias (hidden,)"
        )
    found = fitting[0]
    if names[w_name] not in _WEIGHTS:
        notes.append(f"{w_name} {W.shape} was taken for the weights, the only array that can be them")
    if found is not W:
        notes.append(f"{w_name} {W.shape} was read as (hidden, visible)")
    notes += _taken_by_length(rows, names, biases, found.shape)
    visible_bias, hidden_bias = (biases.get(side) for side in ("visible", "hidden"))
    for side, bias, n in zip(("visible", "hidden"), (visible_bias, hidden_bias), found.shape, strict=True):
        if bias is None:
            notes.append(f"no {side} biases were found, so the {n:,} of them are 0")
    unused = {
        name: arrays[name]
        for name, row in rows.items()
        if names[name] not in _OF_UNITS and not any(row is used for used in biases.values())
    }
    if len(biases) < 2 and unused:
        notes.append(f"left out, since no bias of this model has its shape: {_shapes(unused)}")
    by_key = {names[name]: array for name, array in arrays.items()}
    log_var = by_key.get("logvar")
    scale = PixelScale.found_in(
        {n: _row(by_key[k]).astype(np.float32) for n in PixelScale.ARRAYS if (k := _key(n)) in by_key}
    )
    return Parameters(
        _finite(w_name, found),
        _finite("visible biases", np.zeros(found.shape[0]) if visible_bias is None else visible_bias),
        _finite("hidden biases", np.zeros(found.shape[1]) if hidden_bias is None else hidden_bias),
        "bernoulli" if log_var is None and scale is None else "gaussian",
        None if log_var is None else _finite("log_var", _row(log_var)),
        scale,
        tuple(notes),
        **_label_units(labels, found.shape[1]),
        penalty=penalty,
    )


def _penalty(given: list[np.ndarray]) -> float | None:
    """The penalty of ordered hidden units, if there is one. Raises ExchangeError for one that no model can have."""
    if not given:
        return None
    value = float(given[0].reshape(-1)[0]) if given[0].size == 1 else np.nan
    if not 1 < value <= MOST_PENALTY:
        raise ExchangeError(
            f"penalty must be one number above 1 and at most {MOST_PENALTY:g}, got an array of shape "
            f"{given[0].shape} that begins with {given[0].reshape(-1)[:3].tolist()}; leave it out for hidden units "
            "without an order"
        )
    return value


def _label_units(labels: Named, n_hidden: int) -> dict[str, np.ndarray]:
    """label_W and label_bias, if there are label units. Raises ExchangeError if they do not fit."""
    if not labels:
        return {}
    W, bias = labels.get("label_W"), labels.get("label_bias")
    if W is None or bias is None or W.ndim != 2 or W.shape[1] != n_hidden or _row(bias).shape != W.shape[:1]:
        raise ExchangeError(
            f"label_W (labels, hidden) and label_bias (labels,) must fit {n_hidden:,} hidden units, got "
            f"{_shapes(labels)}; leave both out for a model without label units"
        )
    return {"label_W": _finite("label_W", W), "label_bias": _finite("label_bias", _row(bias))}


def _key(name: str) -> str:
    """The last part of a dotted name, in lower case, letters and digits alone: `module.rbm.v_bias` → `vbias`."""
    return re.sub(r"[^a-z0-9]", "", re.split(r"[./]", name)[-1].lower())


def _weights_of(arrays: Named, names: Mapping[str, str]) -> str:
    """The name of the weights: the one called so, else the only array with two long axes."""
    tables = [n for n, a in arrays.items() if a.ndim == 2 and min(a.shape) >= 1 and not (_is_row(a))]
    tables = tables or [n for n, a in arrays.items() if a.ndim == 2 and a.size and names[n] in _WEIGHTS]
    called = [n for n in tables if names[n] in _WEIGHTS]
    chosen = called or tables
    if len(chosen) != 1:
        found = _shapes(arrays) or "no array of numbers"
        problem = "none of them is" if not chosen else f"{len(chosen)} of them could be"
        raise ExchangeError(
            f"an RBM has one weight matrix W (visible, hidden), and {problem} it among: {found}; a file of one layer, "
            "with the names W, vbias and hbias, leaves no doubt"
        )
    return chosen[0]


def _biases_of(rows: Named, names: Mapping[str, str]) -> dict[str, np.ndarray]:
    """The vectors that are called visible or hidden biases, by side."""
    by_key = {names[n]: row for n, row in rows.items()}
    sides = {}
    for side, known in (("visible", _VISIBLE), ("hidden", _HIDDEN)):
        if match := [row for key, row in by_key.items() if key in known]:
            sides[side] = match[0]
    for visible, hidden in _PAIRS:
        if not sides and visible in by_key and hidden in by_key:
            sides = {"visible": by_key[visible], "hidden": by_key[hidden]}
    return sides


def _taken_by_length(
    rows: Named, names: Mapping[str, str], biases: dict[str, np.ndarray], shape: tuple[int, ...]
) -> list[str]:
    """Adds the biases that no name gave, where one row alone has their length; returns what that assumes."""
    notes = []
    for side, n in zip(("visible", "hidden"), shape, strict=True):
        known = _VISIBLE | _HIDDEN | _OF_UNITS
        like = [name for name, row in rows.items() if len(row) == n and names[name] not in known]
        if side not in biases and len(like) == 1 and shape[0] != shape[1]:
            biases[side] = rows[like[0]]
            notes.append(f"{like[0]} {biases[side].shape} was taken for the {side} biases, by its length")
    return notes


def _is_row(array: np.ndarray) -> bool:
    return array.ndim == 1 or (array.ndim == 2 and 1 in array.shape)


def _row(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1)


def _fits(shape: Iterable[int], biases: Mapping[str, np.ndarray], n_visible: int | None) -> bool:
    V, H = shape
    return (
        len(biases.get("visible", range(V))) == V
        and len(biases.get("hidden", range(H))) == H
        and n_visible in (None, V)
    )


def _shapes(arrays: Named) -> str:
    shown = [f"{name} {tuple(array.shape)}" for name, array in list(arrays.items())[:8]]
    return ", ".join(shown) + (f" and {len(arrays) - 8} more" if len(arrays) > 8 else "")


def _finite(name: str, array: np.ndarray) -> np.ndarray:
    """The array in float32. Raises ExchangeError for numbers that no model can have."""
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(array, np.float32)
    if bad := int(array.size - np.isfinite(array).sum()):
        raise ExchangeError(
            f"{name} has {bad} numbers that are not finite in 32 bits; no model can have those"
        )
    return array
