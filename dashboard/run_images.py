"""Images of a run's own data, for pages that show what a machine answers to."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from rbm_core import datasets
from rbm_core.runs import Probe, RunReader

# Enough to find what excites a unit, and 8 MB; the whole training set would be 190.
MOST_IMAGES = 10_000


@dataclass(frozen=True, eq=False)
class Pictures:
    """images (N, V) uint8 = round(255 x); labels (N,) or None; source says where they come from."""

    images: np.ndarray
    labels: np.ndarray | None
    source: str

    def __len__(self) -> int:
        return len(self.images)


def of(reader: RunReader) -> Pictures | None:
    """Training images of the run's data where this machine has the very same data, else the run's probe
    batch; None where it has neither.
    """
    config = reader.config()
    fields, recorded = config["config"], config.get("data") or {}
    found = _training_images(str(fields.get("dataset", "")), int(fields.get("n_valid") or 0))
    if found is not None and found[1] == recorded.get("fingerprint"):
        return found[0]
    probe = reader.probe()
    if probe is None:
        return None
    return Pictures(
        probe.v, probe.labels, f"the run's {len(probe.v)} probe images (its data are not on this machine)"
    )


@lru_cache(maxsize=3)
def _training_images(dataset: str, n_valid: int) -> tuple[Pictures, str] | None:
    """(the first training images, the data's fingerprint), or None where this machine does not have them."""
    try:
        data = datasets.load(dataset, n_valid=n_valid)
    except (ValueError, OSError):
        return None
    kept = np.rint(data.train[:MOST_IMAGES] * 255).astype(np.uint8)
    labels = None if data.train_labels is None else data.train_labels[:MOST_IMAGES].copy()
    first = f"the first {len(kept):,} of " if len(kept) < len(data.train) else ""
    return Pictures(
        kept, labels, f"{first}{len(data.train):,} training images of {data.name}"
    ), data.fingerprint


def as_seen(images: np.ndarray, fields: dict[str, Any], probe: Probe | None) -> np.ndarray:
    """(N, V) float32: the images as states of the run's visible units.

    Grey pixels are cut at one half unless the run was trained on grey values themselves; Gaussian units see
    standardised values.
    """
    x = images.astype(np.float32) / 255
    if fields.get("visible") == "gaussian":
        if probe is None or probe.pixel_mean is None or probe.pixel_std is None:
            return x
        return (x - probe.pixel_mean) / probe.pixel_std
    if fields.get("binarisation") == "none":
        return x
    return (x > 0.5).astype(np.float32)


def as_shown(v: np.ndarray, fields: dict[str, Any], probe: Probe | None) -> np.ndarray:
    """The other way round: states or means of the visible units as pixels from 0 to 1."""
    if fields.get("visible") != "gaussian" or probe is None:
        return grey_values(v)
    return grey_values(v, probe.pixel_mean, probe.pixel_std)


def grey_values(
    v: np.ndarray, pixel_mean: np.ndarray | None = None, pixel_std: np.ndarray | None = None
) -> np.ndarray:
    """(..., V) states or means of visible units -> the data's grey values, 0 black to 1 white.

    pixel_mean, pixel_std (V,): how a Gaussian unit stands for a pixel, x = mean + std · v; None where a unit is the
    pixel itself. The scale is the data's own and the same for every picture, so that pictures compare; what lies
    beyond it is drawn black or white.
    """
    if pixel_mean is not None and pixel_std is not None:
        v = pixel_mean + pixel_std * v
    return np.clip(v, 0, 1)
