"""An RBM as a scikit-learn transformer, for pipelines and grid searches."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from rbm_core import gibbs
from rbm_core.compute import Rng
from rbm_core.config import ConfigError, make_config
from rbm_core.datasets import Dataset
from rbm_core.rbm import RBM
from rbm_core.training import Training

__all__ = ["BernoulliRBM"]


class BernoulliRBM(TransformerMixin, BaseEstimator):
    """A binary RBM trained by centred persistent contrastive divergence, with the methods of sklearn's BernoulliRBM.

    X: (n_samples, n_features) in [0, 1]; every update draws binary values anew with the grey values as probabilities.
    The learning rate falls linearly to zero over n_iter passes over X. Attributes after `fit`: components_
    (n_components, n_features), intercept_hidden_, intercept_visible_, and rbm_, the model.
    """

    def __init__(
        self,
        n_components: int = 256,
        *,
        learning_rate: float = 0.1,
        batch_size: int = 100,
        n_iter: int = 20,
        k: int = 1,
        n_chains: int = 100,
        random_state: int = 0,
        device: str = "auto",
    ) -> None:
        self.n_components = n_components
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.k = k
        self.n_chains = n_chains
        self.random_state = random_state
        self.device = device

    def fit(
        self, X: Any, y: Any = None, *, callback: Callable[[Training], None] | None = None
    ) -> "BernoulliRBM":
        """Trains a new model on X; callback(training) is called after every pass over X.

        Raises ValueError, in one sentence, for invalid settings, for values of X that are not in [0, 1], and if
        training diverges.
        """
        X = self._checked(X, reset=True)
        shape = (1, X.shape[1])
        dataset = Dataset("array", X, None, X, None, X, None, shape, "")
        try:
            config = make_config(
                dataset="array",
                n_hidden=self.n_components,
                learning_rate=self.learning_rate,
                batch_size=min(self.batch_size, len(X)),
                epochs=self.n_iter,
                k=self.k,
                n_chains=self.n_chains,
                seed=self.random_state,
                device=self.device,
            )
        except ConfigError as error:
            # The error names the engine's setting; the user knows it by scikit-learn's name.
            field, rest = str(error).split(maxsplit=1)
            own = {"n_hidden": "n_components", "epochs": "n_iter", "seed": "random_state"}
            name = field.removesuffix(":")
            raise ConfigError(f"{own.get(name, name)}{field[len(name) :]} {rest}") from None
        training = Training(config, dataset)
        while not training.finished:
            reason = training.diverged(training.update())
            if reason:
                raise ValueError(f"training diverged: {reason}")
            if callback and training.step % training.steps_per_epoch == 0:
                callback(training)
        self.rbm_: RBM = training.rbm.to("cpu")
        arrays = self.rbm_.to_numpy()
        self.components_ = arrays["W"].T
        self.intercept_visible_, self.intercept_hidden_ = arrays["vbias"], arrays["hbias"]
        return self

    def _checked(self, X: Any, *, reset: bool = False) -> np.ndarray:
        X = validate_data(self, X, dtype=np.float32, reset=reset, order="C", ensure_all_finite=False)
        if bad := int(X.size - np.isfinite(X).sum()):
            raise ValueError(f"X holds {bad} values that are NaN or inf; replace them by numbers in [0, 1]")
        if X.min() < 0 or X.max() > 1:
            raise ValueError(f"X must lie in [0, 1], got {X.min():g} … {X.max():g}; scale it first")
        return X

    def transform(self, X: Any) -> np.ndarray:
        """p(h = 1 | v) of each row of X, (n_samples, n_components)."""
        check_is_fitted(self)
        return self.rbm_.mean_h_from_v(torch.from_numpy(self._checked(X))).numpy()

    def free_energy(self, X: Any) -> np.ndarray:
        """F(v) of each row of X in nats, (n_samples,)."""
        check_is_fitted(self)
        return self.rbm_.free_energy(torch.from_numpy(self._checked(X))).numpy()

    def score_samples(self, X: Any) -> np.ndarray:
        """log p(v) of each row of X in nats; log Z is estimated once after fitting, by annealed importance sampling."""
        check_is_fitted(self)
        if not hasattr(self, "log_z_"):
            from rbm_core.likelihood import ais

            self.log_z_ = ais(self.rbm_, betas=2000, seed=self.random_state).log_z
        return -self.free_energy(X) - self.log_z_

    def score(self, X: Any, y: Any = None) -> float:
        """The mean log p(v) in nats. Higher is better, as grid searches expect."""
        return float(self.score_samples(X).mean())

    def gibbs(self, X: Any, n_sweeps: int = 1, seed: int = 0) -> np.ndarray:
        """The states of chains that start at the rows of X, after n_sweeps Gibbs sweeps, (n_samples, n_features)."""
        check_is_fitted(self)
        chain = gibbs.from_images(self.rbm_, torch.from_numpy(self._checked(X)))
        return gibbs.sweep(self.rbm_, chain, Rng(seed, "chains"), n_sweeps).v.numpy()
