"""What a person can get wrong through Python is refused in one sentence that names the value, before any work."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from rbm_core import RBM, BernoulliRBM, gibbs
from rbm_core.compute import Rng
from rbm_core.config import make_config
from rbm_core.datasets import Dataset, load
from rbm_core.training import Training

V, H = 6, 4
RNG = Rng(0, "test")
CASES = (np.random.default_rng(0).random((20, 9)) > 0.5).astype(np.float32)
MASK, VALUES = torch.tensor([True] * 3 + [False] * 3), torch.zeros(V)


def arrays(**changes: Any) -> dict[str, Any]:
    return {"W": np.zeros((V, H)), "vbias": np.zeros(V), "hbias": np.zeros(H), **changes}


def model(**changes: Any) -> RBM:
    return RBM.from_numpy(**arrays(**changes))


def chain(**changes: Any) -> gibbs.Chain:
    return gibbs.from_bernoulli_noise(model(**changes), 3, RNG)


def fit(X: Any = CASES, **changes: Any) -> BernoulliRBM:
    return BernoulliRBM(**{"n_components": 4, "n_iter": 1, **changes}).fit(X)


def spoilt(value: float) -> np.ndarray:
    X = CASES.copy()
    X[3, 4] = value
    return X


def dataset(images: Any) -> Dataset:
    return Dataset("mine", images, None, images, None, images, None, (3, 3), "")


def train(images: Any = CASES, **changes: Any) -> Training:
    return Training(
        make_config(**{"dataset": "mine", "n_hidden": 4, "device": "cpu", **changes}), dataset(images)
    )


BAD: dict[str, tuple[Callable[[], object], str]] = {
    # the model
    "an array for a tensor": (
        lambda: RBM(**arrays()),
        "W must be a floating-point torch tensor, got ndarray",
    ),
    "whole numbers as weights": (
        lambda: model().to(dtype=torch.int32),
        "W must be a floating-point torch tensor, got Tensor of torch.int32",
    ),
    "words as weights": (lambda: model(W=[["a"]]), "W must be an array of numbers, got list"),
    "no GPU for a model": (lambda: RBM.from_numpy(**arrays(), device="cuda"), "device 'cuda' was asked for"),
    "no GPU to move to": (lambda: model().to("cuda"), "device 'cuda' was asked for"),
    "no such device": (lambda: model().to("gpu0"), "device must be auto, cpu or cuda, got 'gpu0'"),
    "no visible units": (lambda: RBM.initial(0, H, RNG), "n_visible must be at least 1, got 0"),
    "fewer than no hidden units": (lambda: RBM.initial(V, -1, RNG), "n_hidden must be at least 1, got -1"),
    "more hidden units than memory": (
        lambda: RBM.initial(784, 10**10, RNG),
        r"784 × 10,000,000,000 weights need 29,206.3 GiB, .* ask for fewer hidden units",
    ),
    "a spread below zero": (lambda: RBM.initial(V, H, RNG, weight_std=-1), "at least 0, got -1"),
    "a spread that is no number": (lambda: RBM.initial(V, H, RNG, weight_std=np.nan), "at least 0, got nan"),
    "means that are no numbers": (
        lambda: RBM.initial(V, H, RNG, data_mean=torch.full((V,), torch.nan)),
        "data_mean holds numbers that are not finite",
    ),
    "an array of images": (
        lambda: model().free_energy(np.zeros((2, V))),
        r"v must be a torch tensor of shape \(cases, 6\), got ndarray of float64",
    ),
    "an image that is no number": (
        lambda: model().free_energy(torch.tensor([[0.0, torch.nan, torch.inf, 1, 1, 1]])),
        "v holds 2 numbers that are not finite",
    ),
    "hidden states that are no numbers": (
        lambda: model().energy(torch.zeros(1, V), torch.full((1, H), torch.nan)),
        "h holds 4 numbers that are not finite",
    ),
    "more v than h": (
        lambda: model().energy(torch.zeros(2, V), torch.zeros(3, H)),
        "v and h must hold the same number of cases, got 2 and 3",
    ),
    # chains
    "an array to start from": (
        lambda: gibbs.from_images(model(), np.zeros((2, V))),  # type: ignore[arg-type]
        r"images must be a torch tensor of shape \(chains, 6\), got ndarray",
    ),
    "half a chain": (
        lambda: gibbs.from_gaussian_noise(model(), 1.5, RNG),  # type: ignore[arg-type]
        "whole number of at least 1, got 1.5",
    ),
    "no probability": (lambda: gibbs.from_bernoulli_noise(model(), 1, RNG, p=2), r"in \[0, 1\], got 2"),
    "sweeps backwards": (lambda: gibbs.sweep(model(), chain(), RNG, -1), "at least 0, got -1"),
    "half a sweep": (
        lambda: gibbs.sweep(model(), chain(), RNG, 1.5),  # type: ignore[arg-type]
        "whole number of at least 0, got 1.5",
    ),
    "no temperature": (
        lambda: gibbs.sweep(model(), chain(), RNG, beta=np.inf),
        "beta must be finite .*, got inf",
    ),
    "Gaussian units infinitely hot": (
        lambda: gibbs.sweep(RBM.from_numpy(**arrays(), visible="gaussian"), chain(), RNG, beta=0),
        "beta must be above 0 for Gaussian visible units",
    ),
    "a mask of another size": (
        lambda: gibbs.sweep(model(), chain(), RNG, clamp=(MASK[:5], VALUES)),
        r"mask must be bool of shape \(6,\), got torch.bool of shape \(5,\)",
    ),
    "a mask that is not yes or no": (
        lambda: gibbs.sweep(model(), chain(), RNG, clamp=(MASK.float(), VALUES)),
        "mask must be bool .* got torch.float32",
    ),
    "held values of another size": (
        lambda: gibbs.sweep(model(), chain(), RNG, clamp=(MASK, VALUES[:5])),
        r"values must have shape \(6,\) or \(3, 6\), got \(5,\)",
    ),
    "held values that are no numbers": (
        lambda: gibbs.sweep(model(), chain(), RNG, clamp=(MASK, VALUES * torch.nan)),
        "values that are not finite",
    ),
    # data and training
    "a list of images": (lambda: dataset(CASES.tolist()), "must be a numpy array of real numbers, got list"),
    "a tensor of images": (lambda: dataset(torch.tensor(CASES)), "real numbers, got torch.float32"),
    "words for images": (lambda: dataset(CASES.astype(str)), "must be a numpy array of real numbers, got <U"),
    "complex images": (lambda: dataset(CASES.astype(complex)), "real numbers, got complex128"),
    "grey values up to 255": (lambda: dataset(CASES * 255), r"in \[0, 1\], got 0 to 255: scale it first"),
    "a pixel that is no number": (lambda: dataset(spoilt(np.nan)), "must be finite and"),
    "half a validation image": (lambda: load("mnist-5k", n_valid=1.5), "whole number of at least 0, got 1.5"),  # type: ignore[arg-type]
    "no sweeps": (lambda: train(k=0), "k must be at least 1, got 0"),
    "training on no GPU": (
        lambda: train(device="cuda"),
        "device 'cuda' was asked for, but torch sees no CUDA GPU",
    ),
    # scikit-learn's face
    "no components": (lambda: fit(n_components=0), "^n_components must be at least 1, got 0$"),
    "half an iteration": (lambda: fit(n_iter=1.5), "^n_iter must be a whole number of at least 0, got 1.5$"),
    "a seed below zero": (lambda: fit(random_state=-1), "^random_state must be .* or a RandomState, got -1$"),
    "words for a seed": (
        lambda: fit(random_state="x"),
        "^random_state must be .* or a RandomState, got 'x'$",
    ),
    "a seed below zero for one pass": (
        lambda: BernoulliRBM(random_state=-1).partial_fit(CASES),
        "^random_state must be .*, got -1$",
    ),
    "no sweeps to fit": (lambda: fit(k=0), "^k must be at least 1, got 0$"),
    "a hole in X": (lambda: fit(spoilt(np.nan)), "^X holds 1 values that are NaN or inf"),
    "an infinite X": (lambda: fit(spoilt(np.inf)), "^X holds 1 values that are NaN or inf"),
    "X up to 255": (
        lambda: fit(CASES * 255, out_of_range="raise"),
        r"X must lie in \[0, 1\], got 0 … 255",
    ),
    "another width": (lambda: fit().transform(CASES[:, :5]), "X has 5 features"),
    "chains backwards": (lambda: fit().gibbs(CASES, -1), "at least 0, got -1"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_mistake_is_refused_in_one_sentence_that_names_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    call, said = BAD[name]
    with pytest.raises(ValueError, match=said) as refusal:
        call()
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("images", [CASES.astype(bool), CASES.astype(np.uint8), CASES.astype(np.float64)])
def test_zeros_and_ones_of_any_kind_can_be_learned_from(images: np.ndarray) -> None:
    assert np.isfinite(train(images).update().free_energy_data)
