"""`RBMClassifier`: a classifier for scikit-learn that can also draw what a class looks like."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import gen_batches
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from rbm_core import gibbs
from rbm_core.compute import Rng, resolve_device
from rbm_core.datasets.dataset import MOST_LABELS, Dataset
from rbm_core.estimator.rows import RowBatches, as_byte_rows, repeated
from rbm_core.estimator.settings import WAY_OUT, checked, config_of, random_of
from rbm_core.labels import given_label, log_p_label
from rbm_core.rbm import RBM
from rbm_core.training import Training

__all__ = ["RBMClassifier"]

_AT_ONCE = 5000  # rows that are classified together


class RBMClassifier(ClassifierMixin, BaseEstimator):
    """A binary RBM with a softmax group of label units beside its features, trained by centred persistent CD.

    The model is p(v, y) of rows and classes together (Larochelle & Bengio 2008), so that it names a row's class, by
    p(y | v), which is exact, and draws rows of a class, by Gibbs sampling with the label held.

    Parameters
    ----------
    n_components : number of hidden units.
    discriminative : the share of each step that goes up log p(y | v) and not log p(v, y): 0 learns what classes look
        like, 1 only tells them apart, and a little of the one helps the other.
    learning_rate : step size of an update, at its beginning; it falls linearly to zero over n_iter passes.
    batch_size : rows averaged for one update; a last incomplete batch of a pass is left out.
    n_iter : passes over X; 0 leaves the random model.
    random_state : None, an int or a RandomState. The same int gives the same model on one computer.
    k : Gibbs sweeps per update.
    n_chains : persistent chains that stand for the model.
    out_of_range : what becomes of values below 0 or above 1: "clip" takes them as 0 or 1, "raise" refuses them.
    device : "auto", "cpu", "cuda" or "cuda:N".

    Values of X between 0 and 1 are probabilities: every update draws zeros and ones anew.

    Attributes
    ----------
    classes_ : (n_classes,), the classes in the order of `predict_proba`'s columns.
    rbm_ : the engine's model on the CPU in float32; its last visible units are the label's.
    """

    def __init__(
        self,
        n_components: int = 256,
        *,
        discriminative: float = 0.5,
        learning_rate: float = 0.3,
        batch_size: int = 20,
        n_iter: int = 20,
        random_state: Any = None,
        k: int = 1,
        n_chains: int = 100,
        out_of_range: Literal["clip", "raise"] = "clip",
        device: str = "auto",
    ) -> None:
        self.n_components = n_components
        self.discriminative = discriminative
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.random_state = random_state
        self.k = k
        self.n_chains = n_chains
        self.out_of_range = out_of_range
        self.device = device

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        # The check of scores has two standardised features, of which units of 0 and 1 see four states.
        tags.classifier_tags.poor_score = True
        return tags

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        callback: Callable[[Training], None] | None = None,
    ) -> "RBMClassifier":
        """Trains a new model on X (n_samples, n_features), dense or sparse, with classes y (n_samples,) of any kind.

        sample_weight: as for `BernoulliRBM.fit`. callback: called with the training after every pass. Raises ValueError
        in one sentence for settings, values and classes that cannot be used, and if training diverges.
        """
        X, y = checked(self, X, reset=True, y=y)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if not 2 <= len(self.classes_) <= MOST_LABELS:
            raise ValueError(f"y must hold 2 to {MOST_LABELS} classes, got {len(self.classes_)} class(es)")
        config, rng = (
            config_of(self, labels=True, discriminative=self.discriminative),
            random_of(self.random_state),
        )
        seed = int(rng.randint(2**31 - 1))
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        rows, labels = as_byte_rows(X), labels.astype(np.int64)
        order = repeated(rows, sample_weight, rng)
        size = {"batch_size": min(config.batch_size, len(order)), "seed": seed, "precision": "float32"}
        device, n_classes = resolve_device(self.device), len(self.classes_)
        config = config.model_copy(update=size)
        batches = RowBatches(config, rows, order, device, labels, n_classes)
        few, told = batches.first.astype(np.float32) / 255, labels[order[: len(batches.first)]]
        shape = (1, X.shape[1])
        data = Dataset("X", few, told, few, told, few, told, shape, "")
        training = Training(config, data, batches=batches)
        for _ in range(self.n_iter):
            for _ in range(training.steps_per_epoch):
                info = training.update()
            if reason := training.diverged(info) or training.diverged():
                raise ValueError(f"training diverged: {reason}; {WAY_OUT}")
            if callback:
                callback(training)
        self._model = training.rbm.to("cpu")
        return self

    @property
    def rbm_(self) -> RBM:
        """The engine's model, on the CPU in float32."""
        check_is_fitted(self, "_model")
        return self._model

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """log p(y | v) of each row of X and each class, (n_samples, n_classes), exact."""
        check_is_fitted(self, "_model")
        X, rbm = checked(self, X), self.rbm_
        found = []
        for part in gen_batches(X.shape[0], _AT_ONCE):
            rows = X[part].toarray() if sp.issparse(X) else X[part]
            found.append(log_p_label(rbm, torch.from_numpy(rows.astype(np.float32))).numpy())
        return np.concatenate(found)

    def predict_proba(self, X: Any) -> np.ndarray:
        """p(y | v) of each row of X and each class, (n_samples, n_classes), in the order of `classes_`."""
        return np.exp(self.predict_log_proba(X))

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each row of X, (n_samples,)."""
        best = self.predict_log_proba(X).argmax(1)
        return self.classes_[best]

    def sample(
        self, label: Any, n: int = 1, *, n_sweeps: int = 1000, random_state: int = 0, means: bool = False
    ) -> np.ndarray:
        """n rows of this class, (n, n_features): chains from noise, n_sweeps Gibbs sweeps with the label held.

        means: p(v = 1 | h) of the last sweep in place of the zeros and ones. Raises ValueError for an unknown class.
        """
        check_is_fitted(self, "_model")
        places = np.flatnonzero(self.classes_ == label)
        if not len(places):
            known = ", ".join(map(repr, self.classes_.tolist()[:20]))
            raise ValueError(f"there is no class {label!r}; the classes are {known}")
        model, rng = given_label(self.rbm_, int(places[0])), Rng(random_state, "chains")
        chain = gibbs.sweep(model, gibbs.from_bernoulli_noise(model, n, rng), rng, n_sweeps)
        shown = chain.mean_v if means and chain.mean_v is not None else chain.v
        return shown.numpy()
