"""What the estimators share: their settings as the engine's, their rows as it takes them, their random numbers."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from rbm_core.config import ConfigError, RunConfig, make_config

__all__ = ["WAY_OUT", "checked", "config_of", "random_of"]

WAY_OUT = "try a smaller learning_rate, more n_iter, or a larger k or n_chains"
_OWN_NAMES = {
    "n_hidden": "n_components",
    "epochs": "n_iter",
}  # the engine's setting: scikit-learn's name of it


def random_of(state: Any) -> np.random.RandomState:
    """The generator that a random_state stands for. Raises ValueError that names what stands for none."""
    try:
        return check_random_state(state)
    except ValueError:
        raise ValueError(
            f"random_state must be None, a whole number in [0, 2**32) or a RandomState, got {state!r}"
        ) from None


def config_of(estimator: Any, **more: Any) -> RunConfig:
    """The engine's settings. Raises ConfigError, a ValueError, that names a wrong setting as scikit-learn does."""
    if estimator.out_of_range not in ("clip", "raise"):
        raise ConfigError(f"out_of_range must be 'clip' or 'raise', got {estimator.out_of_range!r}")
    if not isinstance(estimator.n_iter, (int, np.integer)) or estimator.n_iter < 0:
        raise ConfigError(f"n_iter must be a whole number of at least 0, got {estimator.n_iter!r}")
    try:
        return make_config(
            dataset="X",
            n_hidden=estimator.n_components,
            learning_rate=estimator.learning_rate,
            batch_size=estimator.batch_size,
            epochs=max(1, estimator.n_iter),
            k=estimator.k,
            n_chains=estimator.n_chains,
            device=estimator.device,
            **more,
        )
    except ConfigError as error:
        field, rest = str(error).split(maxsplit=1)
        name = field.removesuffix(":")
        raise ConfigError(f"{_OWN_NAMES.get(name, name)}{field[len(name) :]} {rest}") from None


def checked(estimator: Any, X: Any, *, reset: bool = False, **more: Any) -> Any:
    """X as float64 or float32 in [0, 1], a CSR matrix where it is sparse; with y among `more`, both. reset: whether the
    number of features is learned here. Raises ValueError in one sentence for values that cannot be used.
    """
    found = validate_data(
        estimator,
        X,
        accept_sparse="csr",
        dtype=(np.float64, np.float32),
        reset=reset,
        ensure_all_finite=False,
        **more,
    )
    X, rest = (found[0], found[1:]) if isinstance(found, tuple) else (found, ())
    X = _in_range(X, estimator.out_of_range)
    return (X, *rest) if rest else X


def _in_range(X: Any, out_of_range: str) -> Any:
    values = X.data if sp.issparse(X) else X
    if bad := int(values.size - np.isfinite(values).sum()):
        raise ValueError(f"X holds {bad} values that are NaN or inf; replace them by numbers in [0, 1]")
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if low >= 0 and high <= 1:
        return X
    if out_of_range == "raise":
        raise ValueError(f"X must lie in [0, 1], got {low:g} … {high:g}; scale it first")
    if sp.issparse(X):
        return type(X)((np.clip(values, 0, 1), X.indices, X.indptr), shape=X.shape)
    return np.clip(X, 0, 1)
