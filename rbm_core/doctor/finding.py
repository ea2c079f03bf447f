"""What a rule answers: a finding, and the new runs that may do better."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["GUIDE", "Finding", "Remedy"]

GUIDE = "Hinton 2010"
"""The source of most rules: A Practical Guide to Training Restricted Boltzmann Machines."""

_COUNTS = {
    "n_chains": "chains",
    "updates": "updates",
    "epochs": "epochs",
    "batch_size": "images an update",
    "n_hidden": "hidden units",
}
_COSTS = {
    "l1": "L1 cost",
    "weight_decay": "weight decay",
    "sparsity_cost": "sparsity cost",
    "max_grad_norm": "bound on the gradient",
}
_CHOICES = {
    ("algorithm", "pcd"): "persistent chains",
    ("algorithm", "ptt"): "chains on the ladder of its past",
    ("lr_schedule", "linear"): "a rate that falls to zero",
    ("binarisation", "stochastic"): "pixels drawn as coins",
    ("centred", True): "the centred gradient",
}
_SHARES = {0.5: "half the rate", 0.1: "a tenth of the rate", 10.0: "ten times the rate"}


@dataclass(frozen=True)
class Remedy:
    """A new run with this run's settings but for `changes`.

    step: the snapshot whose weights it starts from; None: new weights. newest: whether that is the run's last one.
    label: what a button that starts it says, as "Start again from step 238 at half the rate".
    """

    changes: Mapping[str, Any]
    step: int | None = None
    newest: bool = False
    rate: float | None = None
    """The run's own learning rate, by which the label names the new one."""

    @property
    def label(self) -> str:
        """What the button says that starts such a run."""
        if self.step is None:
            begin = "Start afresh"
        else:
            begin = f"{'Go on' if self.newest else 'Start again'} from step {self.step:,}"
        others = [words for name, value in self.changes.items() if (words := _words(name, value))]
        rate = self.changes.get("learning_rate")
        if rate is not None:
            share = _SHARES.get(round(rate / self.rate, 6)) if self.rate else None
            begin += f" at {share or f'learning rate {rate:.3g}'}"
        return begin + (f" with {' and '.join(others)}" if others else "")


def _words(name: str, value: Any) -> str:
    """A changed setting as it stands in a label; the learning rate stands before the others."""
    if name == "learning_rate":
        return ""
    if name in _COUNTS:
        return f"{value:,} {_COUNTS[name]}"
    if name in _COSTS:
        return f"{_COSTS[name]} {value:.3g}" if value else f"no {_COSTS[name]}"
    if (name, value) in _CHOICES:
        return _CHOICES[name, value]
    if name == "patience":
        return "early stopping"
    what = {"weight_std": "first weights of", "k": "k ="}.get(name, name.replace("_", " "))
    return f"{what} {value:.3g}" if isinstance(value, float) else f"{what} {value}"


@dataclass(frozen=True)
class Finding:
    """A rule's answer. evidence: what was measured. healthy: the threshold. advice: what to try if it is not well.

    hint: well, and yet the advice is worth following: a run that ended early, for instance. remedies: the advice as
    runs that can be started.
    """

    rule: str
    well: bool
    evidence: str
    healthy: str
    advice: str
    source: str
    hint: bool = False
    remedies: tuple[Remedy, ...] = field(default=())
