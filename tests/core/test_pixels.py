"""Grey values and states of visible units follow from each other by one rule, with and without a scale."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from rbm_core.datasets import load
from rbm_core.pixels import PixelScale, as_bytes, cut, from_bytes, grey_values, prepared, visible_states

GREY = np.array([[0.0, 0.4, 0.5, 1.0]], np.float32)
SCALE = PixelScale(np.array([0.5, 0.5, 0.5, 1.0], np.float32), np.array([1.0, 2.0, 0.1, 1.0], np.float32))
GAUSSIAN = {"visible": "gaussian", "binarisation": "stochastic"}


def bernoulli(binarisation: str) -> dict[str, str]:
    return {"visible": "bernoulli", "binarisation": binarisation}


def test_bytes_come_back_as_they_were() -> None:
    every = np.arange(256, dtype=np.uint8)
    assert_array_equal(as_bytes(from_bytes(every)), every)


def test_a_value_beyond_black_or_white_is_stored_as_black_or_white() -> None:
    assert_array_equal(as_bytes(np.array([-3.0, 2.0])), [0, 255])


def test_one_half_is_cut_to_one_from_bytes_as_from_real_numbers() -> None:
    assert_array_equal(cut(GREY), [[0, 0, 1, 1]])
    assert_array_equal(cut(np.array([127, 128], np.uint8)), [0, 1])


def test_the_scale_is_the_data_s_mean_and_deviation_but_never_below_a_tenth() -> None:
    images = load("mnist-5k", n_valid=200).train
    scale = PixelScale.of(images)
    assert_allclose(scale.mean, images.mean(0, dtype=np.float64), atol=1e-7)
    assert_array_equal(scale.std, np.maximum(images.std(0, dtype=np.float64), 0.1).astype(np.float32))
    assert scale.std.min() == np.float32(0.1)
    wide = images.std(0, dtype=np.float64) > 0.1
    values = scale.standardised(images)
    assert values.dtype == np.float32
    assert_allclose(values[:, wide].std(0, dtype=np.float64), 1, atol=1e-3)


def test_standardised_values_become_the_same_grey_values_again() -> None:
    assert_allclose(SCALE.grey(SCALE.standardised(GREY)), GREY, atol=1e-6)
    assert_allclose(grey_values(SCALE.standardised(GREY), SCALE), GREY, atol=1e-6)


def test_pictures_are_drawn_between_black_and_white() -> None:
    assert_array_equal(grey_values(np.array([[9.0, -9.0, 0.0, 0.0]]), SCALE), [[1, 0, 0.5, 1]])
    assert_array_equal(grey_values(np.array([0.25, 1.5])), [0.25, 1])


def test_a_scale_is_found_where_it_was_put_and_nowhere_else() -> None:
    found = PixelScale.found_in(SCALE.arrays())
    assert found is not None
    assert_array_equal(found.std, SCALE.std)
    assert PixelScale.found_in({"v": GREY}) is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (bernoulli("stochastic"), np.array([[0, 102, 128, 255]], np.uint8)),
        (bernoulli("threshold"), np.array([[0, 0, 255, 255]], np.uint8)),
        (bernoulli("none"), GREY),
        (GAUSSIAN, np.array([[-0.5, -0.05, 0, 0]], np.float32)),
    ],
)
def test_training_keeps_odds_in_bytes_and_states_in_real_numbers(
    fields: dict[str, str], expected: np.ndarray
) -> None:
    kept = prepared(GREY, fields, SCALE)
    assert kept.dtype == expected.dtype
    assert_allclose(kept, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (bernoulli("stochastic"), [[0, 0, 1, 1]]),
        (bernoulli("threshold"), [[0, 0, 1, 1]]),
        (bernoulli("none"), GREY),
        (GAUSSIAN, [[-0.5, -0.05, 0, 0]]),
    ],
)
def test_units_see_a_picture_by_the_run_s_own_rule(fields: dict[str, str], expected: np.ndarray) -> None:
    assert_allclose(visible_states(GREY, fields, SCALE), expected, atol=1e-6)
