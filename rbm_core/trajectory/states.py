"""How a film keeps states, and how visible states stand for grey values."""

import numpy as np
import torch
from torch import Tensor

from rbm_core.pixels import PixelScale
from rbm_core.rbm import RBM
from rbm_core.trajectory.cases import Arrays

__all__ = ["Layer", "Scale", "half"]

_MOST = float(np.finfo(np.float16).max)


class Layer:
    """The states of one layer in a film, packed one sweep at a time: as bits, or in half precision if they are real."""

    def __init__(self, n: int, n_chains: int, units: int, real: bool) -> None:
        self._real = real
        width, dtype = (units, np.float16) if real else (-(-units // 8), np.uint8)
        self._states = np.empty((n, n_chains, width), dtype)

    def keep(self, t: int, x: Tensor) -> None:
        """The states (B, units) of sweep t."""
        self._states[t] = _halved(x) if self._real else np.packbits(x.numpy() > 0.5, axis=1)

    def named(self, layer: str) -> Arrays:
        """The film's array for layer "v" or "h"."""
        if self._real:
            return {f"{layer}_half": self._states.view(np.uint16)}
        return {f"{layer}_bits": self._states}


class Scale:
    """Grey values of a request's visible units: by its PixelScale if it has one, else their own values."""

    def __init__(self, rbm: RBM, arrays: Arrays) -> None:
        self._scale = PixelScale.found_in(arrays) if rbm.law.units.standardised else None

    def picture(self, v: Tensor) -> np.ndarray:
        """(B, V) states -> grey values, float32, not limited to [0, 1]."""
        return v.numpy() if self._scale is None else self._scale.grey(v.numpy())

    def units(self, picture: np.ndarray) -> Tensor:
        """(B, V) grey values -> states."""
        return torch.from_numpy(picture if self._scale is None else self._scale.standardised(picture))

    def arrays(self) -> Arrays:
        """What a film needs to show grey values: `PixelScale.arrays`, or nothing."""
        return {} if self._scale is None else self._scale.arrays()


def half(x: Tensor) -> np.ndarray:
    """Half precision as its uint16 bit pattern; what is beyond ±65,504 stays there."""
    return _halved(x).view(np.uint16)


def _halved(x: Tensor) -> np.ndarray:
    return x.clamp(-_MOST, _MOST).numpy().astype(np.float16)
