"""What follows from the law of the visible units without torch: how states are kept, means, energies, formulas.

One entry of `UNITS` a law. `laws.py` has the same laws' mathematics on torch; a new law needs an entry in each.
Notation: y = b + hWᵀ (V,) is what the hidden units send to the visible ones; energies in nats.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

__all__ = [
    "ORDERED_PART",
    "ORDERED_TOTAL",
    "UNITS",
    "Formulas",
    "Visible",
    "VisibleUnits",
    "sigmoid",
    "units_of",
]

Visible = Literal["bernoulli", "gaussian"]
"""The laws by the names that configurations and files use."""


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e⁻ˣ), without overflow at any x."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))


ORDERED_PART = r"\log\bigl(1 + e^{c_j + (vW)_j}\bigr) - P \log\bigl(1 + e^{c_j}\bigr)"
"""What an ordered hidden unit that takes part adds to −F(v), in TeX."""
ORDERED_TOTAL = rf"\log \textstyle\sum_z \exp \sum_{{j \le z}} \bigl[{ORDERED_PART}\bigr]"
"""What a layer of ordered hidden units adds to −F(v), in place of Formulas.softplus."""


@dataclass(frozen=True)
class Formulas:
    """The law in TeX: of v given h at temperature T, of v's part of the free energy in sums and in vectors, of what a
    hidden unit sees, and of E[v | h] where the argument of the mean stands at %s.
    """

    given_h: str
    own_energy: str
    own_energy_terms: str
    seen: str
    seen_sum: str
    softplus: str
    mean: str


@dataclass(frozen=True)
class VisibleUnits(ABC):
    """The facts of one law, and its mean and energy in NumPy.

    real: states are real numbers, kept in half precision; otherwise they are 0 and 1, kept as bits, and the law is the
    Bernoulli one, for which the compiled kernels are written. standardised: a grey value x is the state
    (x − mean) / std of its pixel over the training images; otherwise states and means are grey values themselves.
    variance: the units have a variance σ², which a run may learn.

    mean_symbol, mean_noun: what E[v | h] is called, as a symbol and in the plural. mean_of_unit: the same of one unit.
    mean_unit: what a mosaic writes beside a mean. energy_label: v's own part of the energy in a chart.
    """

    name: Visible
    real: bool
    standardised: bool
    variance: bool
    mean_symbol: str
    mean_noun: str
    mean_of_unit: str
    mean_unit: str
    energy_label: str
    tex: Formulas

    @abstractmethod
    def mean(self, y: np.ndarray, beta: float = 1.0) -> np.ndarray:
        """E[v | h] of y = b + hWᵀ at inverse temperature β. Any shape."""

    def own_energy(self, v: np.ndarray, vbias: np.ndarray, log_var: np.ndarray | None) -> np.ndarray:
        """The part of the energy that v has by itself: (..., V) -> (...), for linear laws −b·v."""
        return -(v @ vbias)


class Bernoulli(VisibleUnits):
    """p(v = 1 | h) = σ(βy)."""

    def mean(self, y: np.ndarray, beta: float = 1.0) -> np.ndarray:
        return sigmoid(beta * y)


class Gaussian(VisibleUnits):
    """v | h ~ N(y, σ²/β)."""

    def mean(self, y: np.ndarray, beta: float = 1.0) -> np.ndarray:
        return y

    def own_energy(self, v: np.ndarray, vbias: np.ndarray, log_var: np.ndarray | None) -> np.ndarray:
        """Σᵢ (vᵢ − bᵢ)² / 2σᵢ²."""
        square = (v - vbias) ** 2
        return 0.5 * (square if log_var is None else square * np.exp(-log_var)).sum(axis=-1)


UNITS: dict[Visible, VisibleUnits] = {
    "bernoulli": Bernoulli(
        "bernoulli",
        real=False,
        standardised=False,
        variance=False,
        mean_symbol="p(v|h)",
        mean_noun="probabilities",
        mean_of_unit="p(v=1|h)",
        mean_unit="p(v=1 | h)",
        energy_label="visible −b·v",
        tex=Formulas(
            given_h=r"p(v_i{=}1 \mid h) = \sigma\Big(\tfrac1T\big(b_i + \textstyle\sum_j W_{ij} h_j\big)\Big)",
            own_energy=r"-b\cdot v",
            own_energy_terms=r"-b\cdot v",
            seen="v",
            seen_sum=r"\textstyle\sum_i v_i W_{ij}",
            softplus=r"\textstyle\sum_j \log\big(1 + e^{c_j + (vW)_j}\big)",
            mean=r"\sigma%s",
        ),
    ),
    "gaussian": Gaussian(
        "gaussian",
        real=True,
        standardised=True,
        variance=True,
        mean_symbol="E(v|h)",
        mean_noun="means",
        mean_of_unit="E[v|h]",
        mean_unit="grey value",
        energy_label="visible ½‖v − b‖²/σ²",
        tex=Formulas(
            given_h=r"v_i \mid h \sim \mathcal N\Big(b_i + \textstyle\sum_j W_{ij} h_j,\; T\sigma_i^2\Big)",
            own_energy=r"\textstyle\sum_i (v_i - b_i)^2 / 2\sigma_i^2",
            own_energy_terms=r"\sum_i \frac{(v_i - b_i)^2}{2\sigma_i^2}",
            seen=r"(v/\sigma^2)",
            seen_sum=r"\textstyle\sum_i (v_i/\sigma_i^2)\, W_{ij}",
            softplus=r"\sum_j \log\Big(1 + e^{c_j + \sum_i (v_i/\sigma_i^2) W_{ij}}\Big)",
            mean="%s",
        ),
    ),
}


def units_of(record: Mapping[str, Any]) -> VisibleUnits:
    """The law that the field "visible" of a configuration, a snapshot's description or a film's header names.

    A record without the field, or with a name that is no law, is one of Bernoulli units.
    """
    name = record.get("visible")
    return next((units for units in UNITS.values() if units.name == name), UNITS["bernoulli"])
