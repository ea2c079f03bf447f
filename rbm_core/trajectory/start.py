"""Where the chains of a film start: noise, images of the data, or pictures of the request, whole or spoilt."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rbm_core import gibbs
from rbm_core.compute import Rng
from rbm_core.rbm import RBM
from rbm_core.trajectory.cases import Arrays, binarised, sources
from rbm_core.trajectory.states import Scale

__all__ = ["Start", "start_of"]


@dataclass(frozen=True, eq=False)
class Start:
    """v (B, V): the first states. clean (B, V): what they were before pixels were inverted or let loose.

    words: one sentence about it. reference: what distances are measured from.
    """

    v: Tensor
    clean: Tensor
    words: str
    reference: str = "its own start"


def start_of(rbm: RBM, meta: dict[str, Any], arrays: Arrays, scale: Scale) -> Start:
    """The start of a request, by the random stream "gibbs start" of its seed. rbm: a model of pixels alone.

    Raises ValueError, one sentence for the user, if it asks for images that are not on this computer.
    """
    rng, n = Rng(meta["seed"], "gibbs start"), meta["n_chains"]
    chains = "one chain starts" if n == 1 else f"{n} chains start"
    if meta["start"] == "gaussian":
        v = gibbs.from_gaussian_noise(rbm, n, rng).v
        seen = "a value for each unit" if rbm.law.units.real else "which only the first half step sees"
        return Start(v, v, f"Start: {chains} from Gaussian noise N(0, 1), {seen}.")
    if meta["start"] == "bernoulli":
        v = scale.units(gibbs.from_bernoulli_noise(rbm, n, rng).v.numpy())
        return Start(v, v, f"Start: {chains} from noise, each pixel on or off by the toss of a fair coin.")
    if meta["start"] == "digits":
        images, source = _digits(meta, arrays)
        order = rng.permutation(len(images))[torch.arange(n) % len(images)]
        picture = images[order.numpy()]
    else:
        images, source = arrays["images"], meta["images_are"]
        picture = images[np.arange(n) % len(images)].astype(np.float32)
    clean = binarised(picture, "none" if rbm.law.units.real else meta["binarisation"], rng)
    return _spoilt(clean, f"Start: {chains} from {source}", meta, arrays, scale, rng)


def _spoilt(
    clean: np.ndarray, words: str, meta: dict[str, Any], arrays: Arrays, scale: Scale, rng: Rng
) -> Start:
    """The pictures with a share of their pixels inverted, and with noise in the pixels that are not held."""
    picture, reference = clean, "its own start"
    if meta["flipped"] > 0:
        flips = rng.uniform(clean.shape).numpy() < meta["flipped"]
        picture = np.where(flips, 1 - clean, clean)
        words += f", with {100 * meta['flipped']:.0f} % of the pixels inverted at random"
        reference = "the clean picture"
    if "held" in arrays:
        noise = (rng.uniform(clean.shape).numpy() < 0.5).astype(clean.dtype)
        picture = np.where(arrays["held"], picture, noise)
        words += f"; {int(arrays['held'].sum())} pixels are held fixed, the others begin as noise"
        reference = "the whole picture"
    return Start(scale.units(picture), scale.units(clean), f"{words}.", reference)


def _digits(meta: dict[str, Any], arrays: Arrays) -> tuple[np.ndarray, str]:
    """Test images of the run's data, else its probe images, of one class if the request names one; and their source."""
    digit = meta["digit"]
    for cases in sources(meta, arrays, "test"):
        if digit is None:
            return cases.images, cases.source
        if cases.labels is not None and (cases.labels == digit).any():
            return cases.images[cases.labels == digit], f"{cases.source}, class {digit}"
    of_class = "" if digit is None else f"of class {digit} "
    raise ValueError(
        f"there are no pictures {of_class}of this run's data on this machine; start from noise instead"
    )
