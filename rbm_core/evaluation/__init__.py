"""Evaluations of recorded snapshots: estimators of likelihood and of mixing, run as jobs that can be interrupted."""

from rbm_core.evaluation.job import Interrupted
from rbm_core.evaluation.question import evaluate

__all__ = ["Interrupted", "evaluate"]
