"""`BernoulliRBM`: the class for scikit-learn."""

import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
import torch
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import gen_batches
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from rbm_core import gibbs
from rbm_core.compute import Rng, resolve_device
from rbm_core.config import RunConfig
from rbm_core.datasets import Dataset
from rbm_core.estimator import judgement
from rbm_core.estimator.rows import RowBatches, as_byte_rows, binary_rows, is_binary, repeated
from rbm_core.estimator.settings import WAY_OUT, checked, config_of, random_of
from rbm_core.gradient import gradient
from rbm_core.likelihood.pseudo import stochastic_pseudo_log_likelihood
from rbm_core.rbm import RBM
from rbm_core.training import Training

__all__ = ["BernoulliRBM"]

_AT_ONCE = 10_000  # rows whose free energies are worked out together
_KEPT = 500  # training rows kept as zeros and ones, where evidence about log Z begins


def _packed(odds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows of bytes, 255 times the odds of a 1, as drawn zeros and ones: eight of them a byte."""
    return np.packbits(255 * rng.random(odds.shape) < odds, axis=1)


class BernoulliRBM(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """A binary RBM trained by centred persistent contrastive divergence, in the place of scikit-learn's BernoulliRBM.

    It takes the same settings and has the same methods, with these differences:
    - Values of X between 0 and 1 are probabilities: every update draws zeros and ones anew.
    - The learning rate of `fit` falls linearly to zero over n_iter passes over X, and both layers are centred.
    - `score_samples` is log p(v) in nats, not a pseudo-likelihood, so that models of different kinds compare.

    Parameters
    ----------
    n_components : number of hidden units.
    learning_rate : step size of an update, at its beginning for `fit`.
    batch_size : rows averaged for one update of `fit`; a last incomplete batch of a pass is left out.
    n_iter : passes over X; 0 leaves the random model.
    verbose : above 0, a line after each pass, with the pseudo-likelihood.
    random_state : None, an int or a RandomState. The same int gives the same model on one computer.
    k : Gibbs sweeps per update.
    n_chains : persistent chains that stand for the model.
    out_of_range : what becomes of values below 0 or above 1: "clip" takes them as 0 or 1, so that a MinMaxScaler
        before this step may meet unseen data; "raise" refuses them.
    device : "auto", "cpu", "cuda" or "cuda:N".

    Attributes
    ----------
    components_ : (n_components, n_features), intercept_hidden_ : (n_components,), intercept_visible_ : (n_features,),
        all in the number format of X.
    h_samples_ : (n_chains, n_components), the hidden units of the chains.
    rbm_ : the same parameters as the engine's model.
    log_z_, log_z_stderr_ : log Z in nats and its standard error, once `score_samples` has needed them.
    """

    def __init__(
        self,
        n_components: int = 256,
        *,
        learning_rate: float = 0.1,
        batch_size: int = 10,
        n_iter: int = 10,
        verbose: int = 0,
        random_state: Any = None,
        k: int = 1,
        n_chains: int = 100,
        out_of_range: Literal["clip", "raise"] = "clip",
        device: str = "auto",
    ) -> None:
        self.n_components = n_components
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.verbose = verbose
        self.random_state = random_state
        self.k = k
        self.n_chains = n_chains
        self.out_of_range = out_of_range
        self.device = device

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    # Learning

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        callback: Callable[[Training], None] | None = None,
    ) -> "BernoulliRBM":
        """Trains a new model on X (n_samples, n_features), dense or sparse; a sparse X is never unpacked as a whole.

        sample_weight: (n_samples,); whole numbers count rows, others are shares (see `rows.repeated`). callback: called
        with the training after every pass. Warns with ConvergenceWarning if the model ends worse than independent
        pixels. Raises ValueError in one sentence for settings and values that cannot be used, and if training diverges.
        """
        X = self._checked(X, reset=True)
        config, rng = config_of(self), random_of(self.random_state)
        seed = int(rng.randint(2**31 - 1))
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        rows = as_byte_rows(X)
        order = repeated(rows, sample_weight, rng)
        device = resolve_device(self.device)
        config = config.model_copy(
            update={
                "batch_size": min(config.batch_size, len(order)),
                "seed": seed,
                # Not timed, as "auto" is: the same seed must give the same model.
                "precision": "differences" if device.type == "cpu" else "float32",
            }
        )
        batches = RowBatches(config, rows, order, device)
        few = batches.first.astype(np.float32) / 255
        shape = (1, X.shape[1])
        training = Training(config, Dataset("X", few, None, few, None, few, None, shape, ""), batches=batches)
        self._run(training, callback)
        self._keep(training.rbm, X.dtype)
        self.h_samples_ = training.state.phases.chains_h.cpu().float().numpy().astype(X.dtype)
        self.random_state_ = rng
        self._seen = len(order)
        self._offsets = (batches.mean, training.state.h_offset.cpu().numpy())
        self._rows = _packed(batches.first[:_KEPT], np.random.default_rng(seed))
        self._warn_if_useless(training)
        return self

    def _run(self, training: Training, callback: Callable[[Training], None] | None) -> None:
        """n_iter passes; raises ValueError if they diverge."""
        begun = time.perf_counter()
        for number in range(1, self.n_iter + 1):
            for _ in range(training.steps_per_epoch):
                info = training.update()
            if reason := training.diverged(info) or training.diverged():
                raise ValueError(f"training diverged: {reason}; {WAY_OUT}")
            if self.verbose:
                v, rng = training.monitor.train, Rng(training.config.seed, "verbose", training.device)
                pseudo = float(stochastic_pseudo_log_likelihood(training.rbm, v, rng).mean())
                now = time.perf_counter()
                sys.stdout.write(
                    f"[{type(self).__name__}] Iteration {number}, pseudo-likelihood = {pseudo:.2f}, "
                    f"time = {now - begun:.2f}s\n"
                )
                begun = now
            if callback:
                callback(training)

    def partial_fit(self, X: Any, y: Any = None) -> "BernoulliRBM":
        """One update with all rows of X as its batch, from the model and the chains as they are.

        The learning rate does not fall here. Begins with a random model where there is none.
        """
        first = not hasattr(self, "components_")
        X = self._checked(X, reset=first)
        config_of(self)
        if not hasattr(self, "random_state_"):
            self.random_state_ = random_of(self.random_state)
        rng = Rng(int(self.random_state_.randint(2**31 - 1)), "partial-fit")
        rows: Any = as_byte_rows(X)
        odds = torch.from_numpy(np.ascontiguousarray(rows.toarray() if sp.issparse(rows) else rows))
        mean = odds.float().mean(0) / 255
        if first:
            self._seen = 0
            self._offsets = (mean.numpy(), np.full(self.n_components, 0.5, np.float32))
            self._keep(RBM.initial(X.shape[1], self.n_components, rng, data_mean=mean), X.dtype)
            self.h_samples_ = (
                rng.bernoulli(torch.zeros(self.n_chains, self.n_components)).numpy().astype(X.dtype)
            )
        self._update(odds, mean, rng)
        newest = _packed(odds[:_KEPT].numpy(), np.random.default_rng(self._seen))
        self._rows = newest if first else np.concatenate([newest, self._rows])[:_KEPT]
        return self

    def _update(self, odds: torch.Tensor, mean: torch.Tensor, rng: Rng) -> None:
        """One centred step of persistent contrastive divergence. odds: (B, V) bytes. mean: (V,), theirs."""
        rbm, dtype = self.rbm_, self.components_.dtype
        v = rng.binarise(odds, torch.arange(len(odds)), torch.empty(odds.shape))
        h = torch.from_numpy(self.h_samples_.astype(np.float32))
        chain = gibbs.Chain(torch.zeros(len(h), rbm.n_visible), h, half="h")
        chain = gibbs.sweep(rbm, chain, rng, self.k)
        self._seen += len(v)
        v_offset, h_offset = (torch.from_numpy(offset) for offset in self._offsets)
        v_offset = v_offset + (mean - v_offset) * (len(v) / self._seen)
        step = gradient(rbm, v, chain.v, v_offset=v_offset, h_offset=h_offset)
        h_offset = h_offset + RunConfig().centring_rate * (rbm.mean_h_from_v(v).mean(0) - h_offset)
        rate = self.learning_rate
        rbm = RBM(rbm.W + rate * step.W, rbm.vbias + rate * step.vbias, rbm.hbias + rate * step.hbias)
        if not all(torch.isfinite(p).all() for p in (rbm.W, rbm.vbias, rbm.hbias)):
            raise ValueError(f"training diverged: the parameters are no longer finite; {WAY_OUT}")
        self._keep(rbm, dtype)
        self.h_samples_ = gibbs.half_step(rbm, chain, rng).h.numpy().astype(dtype)
        self._offsets = (v_offset.numpy(), h_offset.numpy())

    def _checked(self, X: Any, *, reset: bool = False) -> Any:
        """X as float64 or float32 in [0, 1], a CSR matrix where it is sparse."""
        return checked(self, X, reset=reset)

    def _keep(self, rbm: RBM, dtype: Any) -> None:
        """Takes over a new model, and forgets what was known of the last one."""
        arrays = rbm.to_numpy()
        self.components_ = np.ascontiguousarray(arrays["W"].T).astype(dtype)
        self.intercept_visible_ = arrays["vbias"].astype(dtype)
        self.intercept_hidden_ = arrays["hbias"].astype(dtype)
        self._n_features_out = len(self.components_)
        for name in ("log_z_", "log_z_stderr_"):
            if hasattr(self, name):
                delattr(self, name)

    def _warn_if_useless(self, training: Training) -> None:
        """Warns where the model explains its own data worse than independent pixels do.

        The annealing behind this takes at most about a tenth of the sweeps of the fit, so that a fit stays quick.
        """
        steps = min(max(200, self.n_iter * training.steps_per_epoch * self.k // 30), 500)
        z, error = judgement.quick_log_z(
            self.rbm_, self._offsets[0], self.h_samples_, steps=steps, seed=training.config.seed
        )
        v = training.monitor.train.cpu()
        nats = float(-self.rbm_.free_energy(v).double().mean()) - z
        alone = judgement.independent_nats(v.numpy().astype(np.float64), self._offsets[0], self._seen)
        if nats + 2 * min(error, 1.0) + 0.05 < alone:
            warnings.warn(
                f"the fit ended worse than independent features: about {nats:.1f} nats a row, which they reach at "
                f"{alone:.1f}; {WAY_OUT}",
                ConvergenceWarning,
                stacklevel=3,
            )

    # What a fitted model answers

    @property
    def rbm_(self) -> RBM:
        """The parameters as the engine's model, on the CPU in float32."""
        check_is_fitted(self, "components_")
        return RBM.from_numpy(self.components_.T, self.intercept_visible_, self.intercept_hidden_)

    def transform(self, X: Any) -> np.ndarray:
        """p(h = 1 | v) of each row of X, (n_samples, n_components), in the number format of X."""
        check_is_fitted(self)
        return self._mean_hiddens(self._checked(X))

    def _mean_hiddens(self, v: Any) -> np.ndarray:
        return expit(self._logits(v))

    def _logits(self, v: Any) -> np.ndarray:
        return safe_sparse_dot(
            v, self.components_.T.astype(v.dtype, copy=False)
        ) + self.intercept_hidden_.astype(v.dtype, copy=False)

    def inverse_transform(self, H: Any) -> np.ndarray:
        """E[v | h] = σ(b + hW) of hidden states or probabilities H (n_samples, n_components)."""
        check_is_fitted(self)
        H = np.atleast_2d(np.asarray(H))
        H = H if H.dtype == np.float32 else H.astype(np.float64)
        if H.ndim != 2 or H.shape[1] != len(self.components_):
            raise ValueError(f"hidden states must have {len(self.components_)} columns, got shape {H.shape}")
        return expit(H @ self.components_.astype(H.dtype) + self.intercept_visible_.astype(H.dtype))

    def gibbs(self, v: Any, n_sweeps: int = 1, seed: int | None = None) -> np.ndarray:
        """The states of chains that start at the rows of v, after n_sweeps Gibbs sweeps, (n_samples, n_features).

        seed: None goes on with the estimator's own random numbers, so that `v = rbm.gibbs(v)` in a loop is a chain; a
        number gives the same states at each call.
        """
        check_is_fitted(self)
        v = self._checked(v)
        if seed is None:
            if not hasattr(self, "random_state_"):
                self.random_state_ = random_of(self.random_state)
            seed = int(self.random_state_.randint(2**31 - 1))
        start = torch.from_numpy((v.toarray() if sp.issparse(v) else v).astype(np.float32))
        chain = gibbs.sweep(self.rbm_, gibbs.from_images(self.rbm_, start), Rng(seed, "chains"), n_sweeps)
        return chain.v.numpy().astype(v.dtype)

    def free_energy(self, X: Any) -> np.ndarray:
        """F(v) = −b·v − Σⱼ softplus(cⱼ + (vW)ⱼ) of each row of X in nats, (n_samples,)."""
        check_is_fitted(self)
        return self._free_energy(self._checked(X))

    def _free_energy(self, v: Any) -> np.ndarray:
        b = self.intercept_visible_.astype(np.float64)
        energies = [
            -safe_sparse_dot(v[part], b) - np.logaddexp(0, self._logits(v[part])).sum(1, dtype=np.float64)
            for part in gen_batches(v.shape[0], _AT_ONCE)
        ]
        return np.concatenate(energies)

    def score_samples(self, X: Any) -> np.ndarray:
        """log p(v) of each row of X in nats, (n_samples,).

        log Z is estimated once after a fit, by annealed importance sampling from several bases and back from several
        kinds of states, as `rbm_core.likelihood.judge` does, and counted for small models; ConvergenceWarning says
        where these estimates contradict one another. A row with values between 0 and 1 has no probability in a model
        of zeros and ones: it is scored by zeros and ones drawn with these values as odds, the same for the same row,
        and a UserWarning says so.
        """
        check_is_fitted(self)
        X = self._checked(X)
        if not is_binary(X):
            warnings.warn(
                "X holds values between 0 and 1, which have no probability in a model of zeros and ones; each row is "
                "scored by zeros and ones drawn with its values as odds (X > 0.5 would cut them instead)",
                UserWarning,
                stacklevel=2,
            )
            X = binary_rows(X)
        return -self._free_energy(X) - self._log_z()

    def _log_z(self) -> float:
        if not hasattr(self, "log_z_"):
            rows = np.unpackbits(self._rows, axis=1, count=self.n_features_in_).astype(np.float32)
            self.log_z_, self.log_z_stderr_, doubt = judgement.judged_log_z(
                self.rbm_, torch.from_numpy(rows), self.h_samples_, seed=0
            )
            if doubt:
                warnings.warn(
                    f"do not trust the scores of this fit: {doubt}. Its chains mix badly; {WAY_OUT}",
                    ConvergenceWarning,
                    stacklevel=3,
                )
        return self.log_z_

    def score(self, X: Any, y: Any = None) -> float:
        """The mean log p(v) of the rows in nats. Higher is better, as grid searches expect."""
        return float(self.score_samples(X).mean())
