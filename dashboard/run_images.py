"""Images of a run's own data, for pages that show what a machine answers to."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from rbm_core import datasets, pixels
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
    kept = pixels.as_bytes(data.train[:MOST_IMAGES])
    labels = None if data.train_labels is None else data.train_labels[:MOST_IMAGES].copy()
    first = f"the first {len(kept):,} of " if len(kept) < len(data.train) else ""
    return Pictures(
        kept, labels, f"{first}{len(data.train):,} training images of {data.name}"
    ), data.fingerprint


def as_seen(images: np.ndarray, fields: dict[str, Any], probe: Probe | None) -> np.ndarray:
    """(N, V) float32: the images as states of the run's visible units."""
    return pixels.visible_states(images, fields, probe.scale if probe else None)


def as_shown(v: np.ndarray, fields: dict[str, Any], probe: Probe | None) -> np.ndarray:
    """The other way round: states or means of the visible units as pixels from 0 to 1."""
    return pixels.grey_values(v, probe.scale if probe and fields.get("visible") == "gaussian" else None)
