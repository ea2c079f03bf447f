"""Models without hidden units, against plain loops and against exact sums."""

import math

import numpy as np
import pytest

from rbm_core.yardsticks import coin_toss_nats, independent_nats


def test_coin_tosses_cost_a_bit_a_pixel() -> None:
    assert coin_toss_nats(784) == pytest.approx(-543.4, abs=0.05)


def test_independent_pixels_agree_with_loops_that_leave_each_image_out() -> None:
    images = np.random.default_rng(0).random((7, 5))
    for n, found in enumerate(independent_nats(images)):
        nats = 0.0
        for i in range(5):
            mean = (sum(images[m, i] for m in range(7) if m != n) + 0.5) / 7
            nats += images[n, i] * math.log(mean) + (1 - images[n, i]) * math.log(1 - mean)
        assert found == pytest.approx(nats)


def test_independent_gaussian_pixels_agree_with_the_density() -> None:
    images = np.random.default_rng(1).normal(size=(6, 3))
    for n, found in enumerate(independent_nats(images, real=True)):
        means = np.delete(images, n, axis=0).mean(axis=0)
        density = np.exp(-0.5 * (images[n] - means) ** 2) / math.sqrt(2 * math.pi)
        assert found == pytest.approx(float(np.log(density).sum()))


def test_independent_pixels_come_to_the_entropy_of_what_drew_them() -> None:
    """20,000 images: the mean is the negative entropy within four standard errors."""
    p = np.linspace(0.05, 0.95, 10)
    images = (np.random.default_rng(2).random((20_000, 10)) < p).astype(np.uint8)
    nats = independent_nats(images)
    entropy = float(-(p * np.log(p) + (1 - p) * np.log(1 - p)).sum())
    assert abs(nats.mean() + entropy) < 4 * nats.std() / math.sqrt(len(nats))
