"""Grey values of pictures and states of visible units, each worked out from the other: the only copy of these rules.

A grey value x lies in [0, 1], 0 black and 1 white, and is stored as the byte round(255 x). Bernoulli visible units
are 0 or 1: a unit is 1 with its grey value as probability, or where the grey value is at least one half; or, where a
run is configured so, it takes the grey value itself.
Gaussian visible units hold standardised values v = (x − mean) / std. NumPy alone; no torch, no files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from rbm_core.visible import units_of

__all__ = ["PixelScale", "as_bytes", "cut", "from_bytes", "grey_values", "lit", "prepared", "visible_states"]

# Border pixels hardly vary. Divided by their own deviation, their noise would become as large as strokes.
_LEAST_STD = 0.1
# A column of a table, its lowest value at 0 and its highest at 1, may vary little because a few cases lie far out.
_LEAST_STD_OF_A_COLUMN = 0.001
_AT_ONCE = 1000  # images at a time: memory for copies of all of them takes longer to get than to fill


@dataclass(frozen=True, eq=False)
class PixelScale:
    """How the values of Gaussian visible units stand for grey values: x = mean + std · v. Both (V,) float32."""

    ARRAYS: ClassVar = ("pixel_mean", "pixel_std")
    """The names of mean and deviation in files, exports and films."""
    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def of(cls, images: np.ndarray, *, columns: bool = False) -> "PixelScale":
        """The pixels' means and standard deviations, the latter at least 0.1. images: (N, V), bytes or in [0, 1].

        columns: of a table, each scaled to [0, 1] by its own range; deviations are then at least 0.001.
        """
        total, squares = np.zeros(images.shape[1]), np.zeros(images.shape[1])
        # The bits of images.mean(0) and images.std(0) in float64, without a copy of all images.
        for first in range(0, len(images), _AT_ONCE):
            some = from_bytes(images[first : first + _AT_ONCE]).astype(np.float64)
            some[0] += total
            total = some.sum(0)
        mean = total / len(images)
        for first in range(0, len(images), _AT_ONCE):
            deviations = np.square(from_bytes(images[first : first + _AT_ONCE]) - mean)
            deviations[0] += squares
            squares = deviations.sum(0)
        std = np.maximum(np.sqrt(squares / len(images)), _LEAST_STD_OF_A_COLUMN if columns else _LEAST_STD)
        return cls(mean.astype(np.float32), std.astype(np.float32))

    @classmethod
    def found_in(cls, arrays: Mapping[str, np.ndarray]) -> "PixelScale | None":
        """The scale that `arrays()` gave; None where there is none, as for Bernoulli units."""
        mean, std = (arrays.get(name) for name in cls.ARRAYS)
        return None if mean is None or std is None else cls(mean, std)

    def of_values(self, low: Sequence[float], high: Sequence[float]) -> "PixelScale":
        """The scale of a table's own values, of which low stands at 0 and high at 1. low, high: (V,)."""
        span = np.subtract(high, low)
        span[span <= 0] = 1
        return PixelScale(
            (np.asarray(low) + span * self.mean).astype(np.float32), (span * self.std).astype(np.float32)
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Mean and deviation by their names in ARRAYS."""
        return dict(zip(self.ARRAYS, (self.mean, self.std), strict=True))

    def standardised(self, x: np.ndarray) -> np.ndarray:
        """(x − mean) / std. x: (..., V) grey values; returns float32."""
        return ((x - self.mean) / self.std).astype(np.float32)

    def grey(self, v: np.ndarray) -> np.ndarray:
        """mean + std · v, which may lie beyond black and white. v: (..., V)."""
        return self.mean + self.std * v


def as_bytes(x: np.ndarray) -> np.ndarray:
    """round(255 x) uint8, with x beyond [0, 1] taken as black or white."""
    return np.round(255 * np.clip(x, 0, 1)).astype(np.uint8)


def from_bytes(x: np.ndarray) -> np.ndarray:
    """x / 255 float32 where x is uint8; real grey values are returned as they are."""
    return np.divide(x, np.float32(255), dtype=np.float32) if x.dtype == np.uint8 else x


def lit(x: np.ndarray) -> np.ndarray:
    """Whether the grey value is at least one half. x: bytes or real numbers."""
    return from_bytes(x) >= 0.5


def cut(x: np.ndarray) -> np.ndarray:
    """1 where the grey value is at least one half, else 0; float32. x: bytes or real numbers."""
    return lit(x).astype(np.float32)


def prepared(x: np.ndarray, fields: Mapping[str, Any], scale: PixelScale | None) -> np.ndarray:
    """Grey values x (N, V) as training keeps them, by the fields "visible" and "binarisation" of a RunConfig. x: bytes,
    which are kept as they are where they are probabilities already, or real numbers.

    float32: states of the visible units (standardised, or grey where nothing is binarised). uint8: 255 times the
    probability that the unit is 1, from which states are drawn at every use; {0, 255} where grey values are cut.
    """
    units = units_of(fields)
    if units.standardised:
        assert scale is not None
        return scale.standardised(from_bytes(x))
    if units.real or fields["binarisation"] == "none":
        return np.ascontiguousarray(from_bytes(x), np.float32)
    if x.dtype == np.uint8 and fields["binarisation"] == "stochastic":
        return np.ascontiguousarray(x)
    odds = np.empty(x.shape, np.uint8)
    for some in (slice(first, first + _AT_ONCE) for first in range(0, len(x), _AT_ONCE)):
        odds[some] = as_bytes(cut(x[some]) if fields["binarisation"] == "threshold" else x[some])
    return odds


def visible_states(x: np.ndarray, fields: Mapping[str, Any], scale: PixelScale | None) -> np.ndarray:
    """Pictures as states of a run's visible units, without random numbers: (N, V) float32.

    x: (N, V) bytes or real grey values. fields: of the run's RunConfig. Bernoulli units: cut at one half, unless the
    run trained on grey values themselves. Gaussian units: standardised, or as they are where no scale is known.
    """
    x = from_bytes(x)
    units = units_of(fields)
    if units.standardised:
        return x if scale is None else scale.standardised(x)
    return x if units.real or fields.get("binarisation") == "none" else cut(x)


def grey_values(v: np.ndarray, scale: PixelScale | None = None) -> np.ndarray:
    """States or means of visible units as the data's grey values, 0 black to 1 white. v: (..., V).

    scale: of Gaussian units; None where a unit is the pixel itself. The scale is the data's own and the same for
    every picture, so that pictures compare; what lies beyond it is drawn black or white.
    """
    return np.clip(v if scale is None else scale.grey(v), 0, 1)
