"""The MNIST family comes whole, and is shuffled and split the same way everywhere; a damaged file is named."""

from pathlib import Path

import numpy as np
import pytest

from rbm_core.datasets import DatasetError, load
from tests.core.image_files import rows, write_idx


def test_full_mnist_has_its_published_size_and_range(full_mnist: Path) -> None:
    data = load("mnist", root=full_mnist)
    assert (data.train.shape, data.valid.shape, data.test.shape) == (
        (55_000, 784),
        (5_000, 784),
        (10_000, 784),
    )
    assert data.train.dtype == data.valid.dtype == data.test.dtype == np.float32
    assert (data.train.min(), data.train.max()) == (0.0, 1.0)
    assert data.image_shape == (28, 28)
    # The means of MNIST's 60,000 and 10,000 images, as published with torchvision's examples and elsewhere.
    everything = np.concatenate([data.train, data.valid])
    assert everything.mean(dtype=np.float64) == pytest.approx(0.1307, abs=5e-5)
    assert data.test.mean(dtype=np.float64) == pytest.approx(0.1325, abs=5e-5)
    counts = np.bincount(np.concatenate([data.train_labels, data.valid_labels]))
    assert counts.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


@pytest.mark.slow
def test_mnist_equals_what_torchvision_reads(full_mnist: Path) -> None:
    from torchvision.datasets import MNIST

    theirs = MNIST(full_mnist, train=False, download=False)
    ours = load("mnist", root=full_mnist, n_valid=0)
    assert np.array_equal(
        ours.test, theirs.data.reshape(-1, 784).numpy().astype(np.float32) / np.float32(255)
    )
    assert np.array_equal(ours.test_labels, theirs.targets.numpy())


def test_training_and_validation_cases_share_one_fixed_order(small_mnist: Path) -> None:
    one, four = (load("mnist", root=small_mnist, n_valid=n) for n in (1, 4))
    order = np.concatenate([one.train, one.valid])
    assert np.array_equal(order, np.concatenate([four.train, four.valid]))
    assert len(four.valid) == 4
    assert rows(order) == rows(
        np.repeat(np.arange(12, dtype=np.float32) / np.float32(255), 784).reshape(12, 784)
    )
    # numpy's legacy stream is frozen: these numbers hold on every machine and with every release.
    assert np.round(order[:, 0] * 255).astype(int).tolist() == [6, 11, 4, 10, 2, 8, 1, 7, 9, 3, 0, 5]


def test_labels_follow_their_images_through_the_shuffle(small_mnist: Path) -> None:
    data = load("mnist", root=small_mnist, n_valid=4)
    for images, labels in (
        (data.train, data.train_labels),
        (data.valid, data.valid_labels),
        (data.test, data.test_labels),
    ):
        assert labels is not None
        assert labels.dtype == np.int64
        assert np.array_equal(np.round(images[:, 0] * 255).astype(int) % 10, labels)


def test_without_validation_cases_the_test_set_validates(small_mnist: Path) -> None:
    data = load("mnist", root=small_mnist, n_valid=0)
    assert len(data.train) == 12
    assert np.array_equal(data.valid, data.test)
    assert np.array_equal(data.valid_labels, data.test_labels)


def test_the_fingerprint_belongs_to_the_data_not_to_the_split(small_mnist: Path) -> None:
    before = load("mnist", root=small_mnist, n_valid=1).fingerprint
    assert before == load("mnist", root=small_mnist, n_valid=5).fingerprint
    assert len(before) == 16
    path = small_mnist / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert load("mnist", root=small_mnist, n_valid=1).fingerprint != before


@pytest.mark.parametrize(("n_valid", "expected"), [(-1, "at least 0, got -1"), (12, "less than the 12")])
def test_a_validation_set_that_leaves_nothing_to_train_on_is_refused(
    small_mnist: Path, n_valid: int, expected: str
) -> None:
    with pytest.raises(DatasetError, match=expected):
        load("mnist", root=small_mnist, n_valid=n_valid)


@pytest.mark.parametrize("damage", ["cut", "type", "short", "grown"])
def test_a_damaged_file_is_named(small_mnist: Path, damage: str) -> None:
    path = small_mnist / "MNIST" / "raw" / "train-images-idx3-ubyte"
    content = path.read_bytes()
    path.write_bytes(
        {
            "cut": content[:-1],
            "type": content[:2] + b"\x09" + content[3:],
            "short": content[:7],
            "grown": content + b"\0",
        }[damage]
    )
    with pytest.raises(DatasetError, match=f"{path} is damaged"):
        load("mnist", root=small_mnist, n_valid=1)


def test_images_and_labels_of_different_number_are_refused(small_mnist: Path) -> None:
    write_idx(small_mnist / "MNIST" / "raw" / "train-labels-idx1-ubyte", np.zeros(11))
    with pytest.raises(DatasetError, match=r"has 12 images but train-labels-idx1-ubyte has 11 labels"):
        load("mnist", root=small_mnist, n_valid=1)
