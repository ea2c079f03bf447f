"""Judging recorded snapshots: estimators of the likelihood and of mixing, run as interruptible jobs."""

from rbm_core.evaluation.job import Interrupted
from rbm_core.evaluation.question import evaluate

__all__ = ["Interrupted", "evaluate"]
