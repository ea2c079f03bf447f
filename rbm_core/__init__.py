"""The engine of RBM Observatory: train, sample and measure Restricted Boltzmann Machines on CPU or CUDA.

A name is imported at its first use, so that reading a run folder does not wait for torch.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "RBM": "rbm_core.rbm",
    "Rng": "rbm_core.compute",
    "RunConfig": "rbm_core.config",
    "PRESETS": "rbm_core.config",
    "preset": "rbm_core.config",
    "Training": "rbm_core.training",
    "BernoulliRBM": "rbm_core.estimator",
    "RBMClassifier": "rbm_core.estimator",
}

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'rbm_core' has no attribute {name!r}")
