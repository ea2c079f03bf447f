"""Features of an RBM before a logistic regression, against raw pixels and scikit-learn's class.

`python -m tests.benchmarks.features [seeds]` prints the README's table: 10,000 training digits of MNIST, all 10,000 for
test, the same settings for both classes (their defaults: 256 hidden units, 10 passes, batches of 10, learning rate
0.1), the seconds of `fit` for the RBM and for the regression, and the accuracy on test digits. Both are trained with
several seeds (3), since one seed moves an accuracy by about 0.3 %, and so does another order of the sums in a product.
"""

import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import BernoulliRBM as Theirs

from rbm_core import BernoulliRBM
from rbm_core.datasets import load
from rbm_core.datasets.dataset import Dataset
from rbm_core.machine import processor_name

N_TRAIN = 10_000


def measured(digits: Dataset, rbm: Any) -> tuple[float, float, float]:
    """(seconds of the RBM, seconds of the regression, test accuracy); rbm: None for raw pixels."""
    assert digits.train_labels is not None
    X, y, test = digits.train[:N_TRAIN], digits.train_labels[:N_TRAIN], digits.test
    start = time.perf_counter()
    features = X
    if rbm is not None:
        rbm.fit(X)
        features, test = rbm.transform(X), rbm.transform(digits.test)
    learned = time.perf_counter() - start
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        regression = LogisticRegression(max_iter=200).fit(features, y)
    seconds = time.perf_counter() - start
    return learned, seconds, float(np.mean(regression.predict(test) == digits.test_labels))


def main() -> None:
    digits, n_seeds = load("mnist"), int(sys.argv[1]) if len(sys.argv) > 1 else 3
    warm = BernoulliRBM(n_iter=1, random_state=0).fit(
        digits.train[:200]
    )  # compiles, or reads what is compiled
    warm.transform(digits.train[:10])
    print(f"{N_TRAIN:,} training digits, {processor_name()}, {n_seeds} seeds\n")
    print("| features | RBM, s | regression, s | test accuracy |\n|---|---|---|---|")
    kinds: tuple[tuple[str, Callable[[int], Any], int], ...] = (
        ("raw pixels", lambda _: None, 1),
        ("scikit-learn's BernoulliRBM", lambda seed: Theirs(random_state=seed), n_seeds),
        ("ours", lambda seed: BernoulliRBM(random_state=seed), n_seeds),
    )
    for name, made, n in kinds:
        found = np.array([measured(digits, made(seed)) for seed in range(n)])
        learned, seconds = np.median(found[:, :2], axis=0)
        mean, low, high = 100 * np.array([found[:, 2].mean(), found[:, 2].min(), found[:, 2].max()])
        spread = f" ({low:.1f} to {high:.1f})" if n > 1 else ""
        first = f"{learned:.1f}" if n > 1 else "–"
        print(f"| {name} | {first} | {seconds:.1f} | {mean:.1f} %{spread} |", flush=True)


if __name__ == "__main__":
    main()
