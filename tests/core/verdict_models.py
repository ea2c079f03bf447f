"""Models whose exact log Z is known, with the data that they come with: ordinary trained ones, and ones that deceive.

What deceives has a mode that annealing from independent pixels seldom or never enters, and data that do.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rbm_core import datasets
from rbm_core.compute import Rng
from rbm_core.config import make_config
from rbm_core.datasets import Dataset
from rbm_core.likelihood.ais import sweeps
from rbm_core.likelihood.exact import exact_log_z
from rbm_core.rbm import RBM
from rbm_core.training import Training

__all__ = ["DECEIVING", "ORDINARY", "Case"]


class Case(NamedTuple):
    """A model that can be enumerated, its data (N, V), and the persistent chains of its training if there were any."""

    rbm: RBM
    data: Tensor
    particles: Tensor | None = None


# Ordinary models: trained, from little to long


def trained(dataset: Dataset, n_hidden: int, epochs: int, seed: int) -> Case:
    config = make_config(
        dataset=dataset.name,
        n_hidden=n_hidden,
        epochs=epochs,
        seed=seed,
        k=2,
        device="cpu",
        precision="differences",
    )
    training = Training(config, dataset)
    while not training.finished:
        training.update()
    rbm = RBM(*(t.clone() for t in (training.rbm.W, training.rbm.vbias, training.rbm.hbias)))
    data = training.batches.states(training.batches.images[:500], Rng(seed, "data"))
    return Case(rbm, data, training.state.phases.v_chains.float())


@cache
def _small_digits() -> Dataset:
    """The bundled digits at a quarter of their pixels."""
    whole = datasets.load("mnist-5k")

    def smaller(x: np.ndarray) -> np.ndarray:
        return x.reshape(len(x), 14, 2, 14, 2).mean((2, 4)).reshape(len(x), 196)

    parts = {f"{name}_kept": smaller(getattr(whole, name)) for name in ("train", "valid", "test")}
    return replace(whole, **parts, in_bytes=False, image_shape=(14, 14))


def _digits(n_hidden: int, epochs: int, seed: int) -> Callable[[], Case]:
    return lambda: trained(_small_digits(), n_hidden, epochs, seed)


def _stripes(n_hidden: int, epochs: int, seed: int) -> Callable[[], Case]:
    return lambda: trained(datasets.load("bars-and-stripes"), n_hidden, epochs, seed)


def _coupled(spread: float, n_hidden: int, seed: int) -> Callable[[], Case]:
    """Random weights, with data drawn from the model itself."""

    def made() -> Case:
        rng = np.random.default_rng(seed)
        W = rng.normal(0, spread, (50, n_hidden))
        rbm = RBM.from_numpy(W, rng.normal(-0.5, 0.5, 50), rng.normal(-1, 0.5, n_hidden))
        return Case(rbm, sweeps(rbm, (torch.from_numpy(rng.random((300, 50))) < 0.5).float(), 500, seed=seed))

    return made


ORDINARY: dict[str, Callable[[], Case]] = {
    **{
        f"digits {h} hidden, {e} epochs": _digits(h, e, h)
        for h, e in ((5, 2), (8, 5), (12, 5), (14, 10), (16, 10), (16, 20), (18, 10), (18, 30))
    },
    **{f"stripes {h} hidden, {e} epochs": _stripes(h, e, h + e) for h in (6, 10, 14, 18) for e in (20, 200)},
    **{f"random weights {s}, {h} hidden": _coupled(s, h, h) for s in (0.1, 0.3, 0.5) for h in (17, 20, 12)},
}


# Models that deceive


def _magnet(n: int, m: int, weight: float, *, tilt: float = 0.0) -> RBM:
    """All weights equal: nearly all units off, or nearly all on. tilt: nats by which the second mode is heavier.

    b and c are such that turning all units over changes no energy but by the tilt, which lies in the visible biases.
    """
    b, c = -weight * m / 2 + tilt / n, -weight * n / 2
    return RBM.from_numpy(np.full((n, m), weight), np.full(n, b), np.full(m, c))


def _both_modes(rbm: RBM, share: float = 0.5) -> Tensor:
    """400 states: this share of them swept from all units on, the others from all units off."""
    on = round(400 * share)
    first = torch.cat([torch.ones(on, rbm.n_visible), torch.zeros(400 - on, rbm.n_visible)])
    return sweeps(rbm, first, 50, seed=1)


def _transition(n: int, weight: float, tilt: float = 0.0) -> Callable[[], Case]:
    """A transition of first order on the way from independent pixels: few of n units on, or nearly all.

    All weights are equal, so that a state's probability follows from how many units are on. tilt: nats by which the
    mode of most units on is heavier.
    """

    def made() -> Case:
        k, hidden = np.arange(n + 1), -0.6 * weight * n
        ways = np.array([math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) for i in k])
        own = ways + 20 * np.logaddexp(0, hidden + weight * k)

        def heavier(visible: float) -> float:
            log_p = own + visible * k
            return float(np.logaddexp.reduce(log_p[n // 2 :]) - np.logaddexp.reduce(log_p[: n // 2]))

        low, high = -20.0, 20.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if heavier(middle) < tilt else (low, middle)
        rbm = RBM.from_numpy(np.full((n, 20), weight), np.full(n, low), np.full(20, hidden))
        return Case(rbm, _both_modes(rbm, 1 / (1 + math.exp(-tilt))))

    return made


def _scaled(n_hidden: int, factor: float) -> Callable[[], Case]:
    """A trained model whose parameters are all multiplied: the walls between its modes grow with them."""

    def made() -> Case:
        case = trained(_small_digits(), n_hidden, 20, 1)
        return Case(RBM(factor * case.rbm.W, factor * case.rbm.vbias, factor * case.rbm.hbias), case.data)

    return made


def _glued(parts: int, weight: float, tilt: float) -> Callable[[], Case]:
    """Magnets side by side that share no unit: 2^parts modes."""

    def made() -> Case:
        one = _magnet(24, 18 // parts, weight, tilt=tilt)
        W = torch.block_diag(*[one.W] * parts)
        rbm = RBM(W, one.vbias.repeat(parts), one.hbias.repeat(parts))
        share = float(torch.sigmoid(torch.tensor(tilt)))
        return Case(
            rbm,
            torch.cat([_both_modes(one, share)[Rng(i, "glue").permutation(400)] for i in range(parts)], 1),
        )

    return made


def _well(share: float, in_data: float) -> Callable[[], Case]:
    """A broad mode, and one picture with this share of the mass; a share in_data of the data is that picture."""

    def made() -> Case:
        rng = np.random.default_rng(3)
        n, picture = 60, rng.random(60) < 0.5
        broad = rng.normal(0, 0.15, (n, 16))
        deep = np.where(picture, 3.0, -3.0)[:, None]
        W, b = np.concatenate([broad, deep], 1), rng.normal(0, 0.2, n)
        others = RBM.from_numpy(broad, b, np.zeros(16))
        only = RBM.from_numpy(broad, b + deep[:, 0], np.zeros(16))  # the model where the deep unit is on
        # p(deep unit on) = share
        odds = np.log(share / (1 - share)) + exact_log_z(others) - exact_log_z(only)
        rbm = RBM.from_numpy(W, b, np.append(np.zeros(16), odds))
        wide = sweeps(others, torch.zeros(400, n), 100, seed=2)
        deep_ones = sweeps(only, torch.zeros(400, n), 100, seed=3)
        k = round(400 * in_data)
        return Case(rbm, torch.cat([deep_ones[:k], wide[k:]]))

    return made


DECEIVING: dict[str, Callable[[], Case]] = {
    "few or all on": _transition(60, 0.4),
    "few or all on, steeper": _transition(60, 0.6),
    "few or all on, of 90": _transition(90, 0.4),
    "few or all on, uneven": _transition(60, 0.4, 1.5),
    **{
        f"weights times {f}, {h} hidden": _scaled(h, f)
        for h, f in ((17, 2.0), (17, 3.0), (20, 2.0), (20, 4.0))
    },
    "two magnets": _glued(2, 0.6, 0.0),
    "two magnets, uneven": _glued(2, 0.6, 2.0),
    "three magnets": _glued(3, 0.8, 0.0),
    "three magnets, uneven": _glued(3, 0.8, -2.0),
    "a well with half of the mass": _well(0.5, 0.5),
    "a well with most of the mass": _well(0.9, 0.9),
    "a well with most of the mass and all data": _well(0.9, 1.0),
    "a well with little of the mass and all data": _well(0.01, 1.0),
}
