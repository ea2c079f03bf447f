"""The scikit-learn face of the engine: an RBM as a transformer, for pipelines and grid searches."""

from rbm_core.estimator.bernoulli import BernoulliRBM

__all__ = ["BernoulliRBM"]
