"""Learning: one parameter update and what it needs, and the process that applies it to a run folder.

A name is imported at its first use: the process reports that it is starting before it has loaded torch.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "StepInfo": "rbm_core.training.update",
    "Training": "rbm_core.training.update",
    "snapshot_schedule": "rbm_core.training.monitor",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'rbm_core.training' has no attribute {name!r}")
