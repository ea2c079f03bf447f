"""The spectrum of the weights over training, and data and fantasies projected on two of its modes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dashboard.figures.moment import Blob
from rbm_core.spectrum import Modes, projected

ABOUT: dict[str, Any] = {
    "text": "The 32 largest singular values of W, one line a mode. They start as those of a random matrix, close "
    "together; then the modes that the data have most of leave them one by one. Right: the run's probe images (amber) "
    "and the fantasies (blue), each a point at its overlap with two modes. Where the clouds do not cover each other, "
    "the model lacks something, or dreams what is not there. A click on a line draws its mode across; a click on a "
    "fantasy goes on with its chain in Gibbs.",
    "formula": r"W = \sum_\alpha \sigma_\alpha\, u_\alpha x_\alpha^\top, \qquad "
    r"m_\alpha = \tfrac{1}{\sqrt{V}}\, u_\alpha \cdot v",
    "source": "Decelle, Fissore and Furtlehner, *Spectral dynamics of learning in restricted Boltzmann machines* "
    "(2017), and *Thermodynamics of restricted Boltzmann machines and related learning dynamics* (2018).",
}


def spectrum(
    by_step: Mapping[int, np.ndarray],
    at: int,
    now: Modes,
    chosen: tuple[int, int],
    data: np.ndarray,
    fantasies: np.ndarray,
    shape: tuple[int, int],
) -> Blob:
    """The singular values at every step that is worked out, and both clouds on the chosen modes at step `at`.

    by_step: singular values by update, those of `now`, the modes at step `at`, among them. chosen: two
    modes, counted from 1. data, fantasies: (N, V) states.
    arrays: steps (n,) int32; values (n, k) float32, NaN where a moment has fewer; data and fantasies (N, 2) float32;
    images (2, V) float32: the chosen u_α as images.
    """
    steps = sorted(by_step)
    k = max(map(len, by_step.values()))
    values = np.full((len(steps), k), np.nan, np.float32)
    for row, step in enumerate(steps):
        values[row, : len(by_step[step])] = by_step[step]
    pair = [min(mode, now.left.shape[1]) for mode in chosen]
    images = now.left[:, [mode - 1 for mode in pair]]
    header = {"at": at, "chosen": pair, "k": now.left.shape[1], "shape": shape}
    return header, {
        "steps": np.array(steps, np.int32),
        "values": values,
        "data": projected(data, images).astype(np.float32),
        "fantasies": projected(fantasies, images).astype(np.float32),
        "images": np.ascontiguousarray(images.T).astype(np.float32),
    }
