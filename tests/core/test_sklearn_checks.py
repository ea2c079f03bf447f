"""scikit-learn's own checks of any estimator, and its own public tests of `BernoulliRBM`, run on ours."""

import pytest
from sklearn.neural_network.tests import test_rbm as published
from sklearn.utils.estimator_checks import parametrize_with_checks

from rbm_core import BernoulliRBM

# The checks feed noise of few rows, far outside [0, 1]: the warnings about such data have tests of their own.
pytestmark = [
    pytest.mark.filterwarnings("ignore:X holds values between 0 and 1"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


@parametrize_with_checks([BernoulliRBM(n_components=8, n_iter=3)])
def test_scikit_learn_accepts_the_estimator(estimator, check) -> None:
    check(estimator)


def _variants(name: str) -> list[dict]:
    """The arguments of a published test, one dict for each case of its parametrize marks."""
    cases: list[dict] = [{}]
    for mark in getattr(getattr(published, name), "pytestmark", []):
        if mark.name == "parametrize":
            names = [part.strip() for part in mark.args[0].split(",")]
            values = [dict(zip(names, v if len(names) > 1 else [v], strict=True)) for v in mark.args[1]]
            cases = [case | value for case in cases for value in values]
    return cases


# Published tests of something else than behaviour, and where ours tests what they are about.
NOT_BEHAVIOUR = {
    "test_fit": "a pseudo-likelihood of -21.0, where ours gives log p(v); here: learning raises the score",
    "test_partial_fit": "the same number; here: partial fits raise the score",
    "test_fit_gibbs": "the weights that one algorithm ends at; here: chains recreate the two rows learned",
    "test_sample_hiddens": "a private method; here: hidden units are sampled with their probabilities",
}
PUBLISHED = [name for name in dir(published) if name.startswith("test_")]


def test_every_exception_is_still_published() -> None:
    assert set(NOT_BEHAVIOUR) < set(PUBLISHED)


@pytest.mark.parametrize(
    "name, arguments", [(n, v) for n in PUBLISHED if n not in NOT_BEHAVIOUR for v in _variants(n)]
)
def test_scikit_learns_own_tests_of_its_class_pass(name, arguments, monkeypatch, request) -> None:
    monkeypatch.setattr(published, "BernoulliRBM", BernoulliRBM)
    test = getattr(published, name)
    needs = test.__code__.co_varnames[: test.__code__.co_argcount]
    fixtures = {n: request.getfixturevalue(n) for n in needs if n not in arguments}
    test(**arguments, **fixtures)
