"""The scikit-learn face of the engine: an RBM as a transformer and as a classifier, for pipelines and grid searches."""

from rbm_core.estimator.bernoulli import BernoulliRBM
from rbm_core.estimator.classifier import RBMClassifier

__all__ = ["BernoulliRBM", "RBMClassifier"]
