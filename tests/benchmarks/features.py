"""Features of an RBM before a logistic regression, against raw pixels and scikit-learn's class.

`python -m tests.benchmarks.features` prints the README's table: 10,000 training digits of MNIST, all 10,000 for test,
the same settings for both classes (their defaults: 256 hidden units, 10 passes, batches of 10, learning rate 0.1), and
the seconds of `fit` for the RBM and for the regression. Accuracy is on test digits.
"""

import time
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import BernoulliRBM as Theirs

from rbm_core import BernoulliRBM
from rbm_core.datasets import load
from rbm_core.machine import processor_name

N_TRAIN = 10_000


def main() -> None:
    digits = load("mnist")
    assert digits.train_labels is not None
    X, y = digits.train[:N_TRAIN], digits.train_labels[:N_TRAIN]
    warm = BernoulliRBM(n_iter=1, random_state=0).fit(
        X[:200]
    )  # compiled loops are read from their cache here
    warm.transform(X[:10])
    print(f"{N_TRAIN:,} training digits, {processor_name()}\n")
    print("| features | RBM, s | regression, s | test accuracy |\n|---|---|---|---|")
    for name, rbm in (
        ("raw pixels", None),
        ("scikit-learn's BernoulliRBM", Theirs(random_state=0)),
        ("ours", BernoulliRBM(random_state=0)),
    ):
        start = time.perf_counter()
        features, test = X, digits.test
        if rbm is not None:
            rbm.fit(X)
            features, test = rbm.transform(X), rbm.transform(digits.test)
        learned = time.perf_counter() - start
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            regression = LogisticRegression(max_iter=200).fit(features, y)
        seconds = time.perf_counter() - start
        accuracy = float(np.mean(regression.predict(test) == digits.test_labels))
        first = f"{learned:.1f}" if rbm is not None else "–"
        print(f"| {name} | {first} | {seconds:.1f} | {100 * accuracy:.1f} % |", flush=True)


if __name__ == "__main__":
    main()
