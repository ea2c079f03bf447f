"""Log-likelihoods of models without hidden units, in nats an image: what a trained model has to beat."""

import numpy as np

__all__ = ["coin_toss_nats", "independent_nats"]

_AT_ONCE = 1000  # images at a time: memory for temporaries of all takes longer to get than to fill
_SEEN = 0.5  # images added to each side of a pixel's count (Krichevsky & Trofimov 1981)


def coin_toss_nats(n_visible: int) -> float:
    """−V log 2: every pixel is a fair coin, and every image is equally probable."""
    return -n_visible * float(np.log(2))


def independent_nats(images: np.ndarray, *, real: bool = False) -> np.ndarray:
    """(N,) log p of each image under independent pixels that have the means of the other images.

    images: (N, V), N at least 2. Bernoulli pixels, values in [0, 1]: Σᵢ xᵢ log mᵢ + (1 − xᵢ) log(1 − mᵢ), the
    expectation over coins where a grey value is the odds of a coin, mᵢ = (Σ others + ½) / N. real: standardised values
    of Gaussian pixels with unit variance: −½ Σᵢ (xᵢ − mᵢ)² − V/2 log 2π, mᵢ the mean of the others.
    """
    n, n_visible = images.shape
    total = images.sum(axis=0, dtype=np.float64)
    nats = np.empty(n)
    for some in (slice(first, first + _AT_ONCE) for first in range(0, n, _AT_ONCE)):
        x = images[some].astype(np.float64)
        others = total - x
        if real:
            nats[some] = -0.5 * ((x - others / (n - 1)) ** 2).sum(axis=1) - 0.5 * n_visible * np.log(
                2 * np.pi
            )
        else:
            mean = (others + _SEEN) / (n - 1 + 2 * _SEEN)
            nats[some] = (x * np.log(mean) + (1 - x) * np.log1p(-mean)).sum(axis=1)
    return nats
