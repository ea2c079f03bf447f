"""The data a run learns from: the MNIST family, digits that come along, bars and stripes, and data of one's own.

Cases are float32 in [0, 1], one flattened image or row of a table each; whether they become 0/1 is the run's choice.
No torch here: torchvision, which knows where the MNIST family is published, is imported for a download alone.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from rbm_core.datasets import published, small
from rbm_core.datasets.dataset import (
    Dataset,
    DatasetError,
    assembled,
    fingerprint,
    n_train_of,
    shuffled,
    split,
)
from rbm_core.datasets.published import Progress

__all__ = [
    "NAMES",
    "Dataset",
    "DatasetError",
    "Progress",
    "available",
    "brought_in",
    "data_dir",
    "describe",
    "is_file",
    "load",
    "most_values",
    "n_train",
    "sizes",
]

_SENTENCES = {
    "mnist": "Handwritten digits, 28 × 28: 60,000 to train and 10,000 to test.",
    "fashion-mnist": "Pieces of clothing, 28 × 28: 60,000 to train and 10,000 to test.",
    "kmnist": "Cursive Japanese characters, 28 × 28: 60,000 to train and 10,000 to test.",
    "emnist-letters": "Handwritten letters of both cases, 28 × 28: 124,800 to train and 20,800 to test.",
    "mnist-5k": "5,000 of MNIST's digits, 28 × 28, shipped with the packages: needs no network.",
    "digits-16": "The same 5,000 digits at 16 × 16, the size of USPS: needs no network.",
    "digits-8": "1,797 digits of scikit-learn, 8 × 8: needs no network, and learns in seconds.",
    "bars-and-stripes": "Whole columns or rows lit, 4 × 4, all 32 cases: small enough to be exact.",
    "bars-and-stripes-3": "Whole columns or rows lit, 3 × 3, all 16 cases: small enough to be exact.",
}
NAMES = tuple(_SENTENCES)
_N_PUBLISHED = {"emnist-letters": 124_800}  # training images; 60,000 of the others


def load(
    name: str,
    *,
    n_valid: int = 5000,
    download: bool = False,
    progress: Progress | None = None,
    root: str | Path | None = None,
) -> Dataset:
    """The dataset `name`: one of NAMES, a name that `brought_in` gave, or the path of a file or folder of one's own.

    The training images stand in a fixed shuffled order, the same on every machine, and the last n_valid of
    them are the validation set; with n_valid = 0 the test set is the validation set too.
    - mnist, fashion-mnist, kmnist, emnist-letters: with the published test set. Looked for under root, laid out as
      torchvision does, and fetched there if `download` allows it.
    - mnist-5k, digits-16, digits-8 and data of one's own: a tenth is the test set, and the validation set is at most
      another tenth. Fewer than 20 cases are not split: all of them train, validate and test.
    - bars-and-stripes: all 2^(side+1) cases train, validate and test.

    root: default data_dir(). Raises DatasetError, saying what to do, if the data are missing or not usable.
    """
    if n_valid != int(n_valid) or n_valid < 0:
        raise DatasetError(f"n_valid must be a whole number of at least 0, got {n_valid}")
    if name in published.PUBLISHED:
        train, test = published.read_published(name, data_dir(root), download, progress)
        if n_valid >= len(train.images):
            raise DatasetError(
                f"n_valid must be less than the {len(train.images)} training cases, got {n_valid}"
            )
        return assembled(name, shuffled(train), test, n_valid, fingerprint(train, test))
    if name in small.BARS_AND_STRIPES:
        cases = small.bars_and_stripes(name)
        return assembled(name, cases, cases, 0, fingerprint(cases))
    if name in small.BUNDLED:
        return split(name, small.bundled(name), n_valid)
    from rbm_core.datasets import look, own

    if own.is_kept(name, data_dir(root)):
        return split(name, own.kept(name, data_dir(root)), n_valid)
    return split(name, own.cases(look.look(_existing(name))), n_valid)


def brought_in(
    path: str | Path,
    *,
    labels: str | None = None,
    say: Callable[[str], None] | None = None,
    root: str | Path | None = None,
) -> str:
    """Keeps what a file of one's own holds below the data folder; returns the name by which `load` finds it.

    labels: the column of a table with the classes; None: the one called label, class or target. say: gets what was
    understood of the file, in sentences. Raises DatasetError in one sentence for a file that cannot be used.
    """
    from rbm_core.datasets import look, own

    choices = look.Choices(labels=labels)
    found = look.look(_existing(str(path)), choices)
    if labels is not None and found.columns is None:
        raise DatasetError(f"{Path(path).name} is no table, so it has no column {labels!r}")
    made = own.cases(found, choices)
    if say is not None:
        say(f"{Path(path).name}: {own.said(found, choices)}")
    return own.keep(found.title, made, data_dir(root))


def is_file(name: str) -> bool:
    """Whether this is the path of a file of one's own, and no name of data that are known."""
    try:
        return name not in NAMES and _existing(name).is_file()
    except DatasetError:
        return False


def available(name: str, *, root: str | Path | None = None) -> bool:
    """Whether load(name) would find its data without the network."""
    if name in published.PUBLISHED:
        return published.is_there(name, data_dir(root))
    if name in small.BARS_AND_STRIPES or name in small.BUNDLED:
        return small.is_there(name)
    from rbm_core.datasets import look, own

    if own.is_kept(name, data_dir(root)):
        return True
    try:
        return look.may_hold_data(_existing(name))
    except DatasetError:
        return False


def sizes(name: str, n_valid: int) -> tuple[int, int] | None:
    """(training cases, values of each) that load(name) would give; None for the path of a file or folder of one's own,
    which would have to be read, and for kept data that cannot be.
    """
    if name in published.PUBLISHED:
        return _N_PUBLISHED.get(name, 60_000) - n_valid, 784
    if name in small.BARS_AND_STRIPES:
        return small.sizes(name)
    if name in small.BUNDLED:
        n, pixels = small.sizes(name)
        return n_train_of(n, n_valid), pixels
    from rbm_core.datasets import own

    try:
        if own.is_kept(name, data_dir()):
            n, pixels = own.size_kept(name, data_dir())
            return n_train_of(n, n_valid), pixels
    except DatasetError:
        pass
    return None


def most_values(name: str, n_valid: int) -> tuple[int, int] | None:
    """As `sizes`, also for a path: its file is read, but no picture, and a folder's are at most as large as any can be.

    None for data that cannot be read.
    """
    if size := sizes(name, n_valid):
        return size
    from rbm_core.datasets import look, own

    try:
        path = _existing(name)
        if path.is_dir():
            n, pixels = look.count(path), own.LARGEST_OWN_SIZE
        else:
            n, pixels = own.n_and_values(look.look(path))
    except DatasetError:
        return None
    return n_train_of(n, n_valid), pixels


def n_train(name: str, n_valid: int) -> int | None:
    """Training cases that load(name) would give; None for data that cannot be read."""
    if size := sizes(name, n_valid):
        return size[0]
    from rbm_core.datasets import look

    try:
        return n_train_of(look.count(_existing(name)), n_valid)
    except DatasetError:
        return None


def describe(name: str) -> str:
    """One sentence for a person who chooses. Raises DatasetError for a name neither known nor a file or folder."""
    if name in _SENTENCES:
        return _SENTENCES[name]
    from rbm_core.datasets import look, own

    if own.is_kept(name, data_dir()):
        cases = own.kept(name, data_dir())
        height, width = cases.images.shape[1:]
        kind = f"a table of {width:,} columns" if cases.columns else f"pictures, {width} × {height}"
        return f"Your own data, kept in {data_dir()}: {len(cases.images):,} cases, {kind}."
    path = _existing(name)
    return f"Your own data in {path}: {own.said(look.look(path))}"


def data_dir(root: str | Path | None = None) -> Path:
    """Where downloaded data lie: root, else RBM_DATA_DIR, else rbm-observatory in the user's cache folder."""
    chosen = root or os.environ.get("RBM_DATA_DIR")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        caches = Path("~/Library/Caches")
    elif sys.platform == "win32":
        caches = Path(os.environ.get("LOCALAPPDATA") or "~/AppData/Local")
    else:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    return caches.expanduser() / "rbm-observatory"


def _existing(name: str) -> Path:
    """The file or folder of this path. Raises DatasetError if there is none."""
    path = Path(name).expanduser()
    try:
        there = bool(name) and path.exists()
    except (OSError, ValueError):  # a path too long, or with a zero byte in it
        there = False
    if not there:
        raise DatasetError(
            f"no dataset {name!r}; there are: {', '.join(NAMES)}, or the path of a file or folder of your own"
        )
    return path
