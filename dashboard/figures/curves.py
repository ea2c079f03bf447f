"""The recorded metrics as the rows the curves component draws; pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

# The order is the order of the columns sent; x axes first.
COLUMNS = (
    "step",
    "epoch",
    "seconds",
    "free_energy_train",
    "free_energy_valid",
    "free_energy_fantasy",
    "free_energy_gap",
    "cd_loss_train",
    "pseudo_likelihood_train",
    "pseudo_likelihood_valid",
    "log_likelihood_train",
    "log_likelihood_valid",
    "log_z_stderr",
    "reconstruction_error",
    "weight_norm",
    "update_ratio",
    "mean_activation",
    "flips_per_sweep",
    "dead_units",
    "saturated_units",
    "learning_rate",
    "steps_per_s",
)


def rows_of(metrics: Mapping[str, np.ndarray], start: int = 0) -> np.ndarray:
    """(n, len(COLUMNS)) float64: the rows from `start` on; NaN where a row has no value."""
    n = len(metrics["step"]) if "step" in metrics else 0
    table = np.full((max(0, n - start), len(COLUMNS)), np.nan)
    for place, name in enumerate(COLUMNS):
        if name in metrics and len(metrics[name]) == n:
            table[:, place] = metrics[name][start:]
    return table


def estimates(likelihood: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """(m, 5) float64: step; training, validation and test nats; standard error, of every estimate recorded."""
    rows = []
    for row in likelihood:
        values = [row.get(key) for key in ("step", "train_nats", "valid_nats", "test_nats", "stderr")]
        rows.append([float(v) if isinstance(v, (int, float)) else np.nan for v in values])
    table = np.array(rows, dtype=np.float64).reshape(-1, 5)
    return table[np.argsort(table[:, 0], kind="stable")]


WORDS = {
    "pause": "paused",
    "resume": "resumed",
    "stop": "stopped",
    "snapshot": "snapshot taken",
    "step": "stepped by hand",
}


def marks(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What happened by hand, for the marks in the curves and on the time slider: {"step", "label"}."""
    found = []
    for event in events:
        value, label = event.get("value"), WORDS.get(str(event.get("command")))
        if event.get("command") == "set" and isinstance(value, Mapping):
            label = f"{str(value.get('name')).replace('_', ' ')} set to {value.get('value'):g}"
        step = event.get("step")
        if label is not None and isinstance(step, int):
            found.append({"step": step, "label": label})
    return found
