"""The choice of the data to learn from, and how many epochs of it a preset means."""

import streamlit as st

from dashboard.ui.new_run.state import key
from dashboard.ui.texts import plain, sentence
from rbm_core import datasets
from rbm_core.config import RunConfig

# These come with a training set of which the validation images are taken.
SPLIT = ("mnist", "fashion-mnist", "kmnist")
OWN_FOLDER = "a folder of images"
# Presets are made for MNIST's 55,000 training images. On a smaller set the same number of epochs would be
# too few updates to learn anything, so the form offers as many epochs as make about as many updates.
UPDATES_PER_EPOCH = {"mnist-5k": 40, "bars-and-stripes": 1, "bars-and-stripes-3": 1}
MNIST_UPDATES_PER_EPOCH = 550


def equivalent_epochs(recipe: RunConfig, dataset: str) -> int:
    """As many passes over `dataset` as make about as many updates as the recipe's over its own data set."""
    own = UPDATES_PER_EPOCH.get(recipe.dataset, MNIST_UPDATES_PER_EPOCH)
    return max(1, recipe.epochs * own // UPDATES_PER_EPOCH.get(dataset, MNIST_UPDATES_PER_EPOCH))


def choose(recipe: RunConfig, first: str | None, form: str) -> str | None:
    """The chosen data set's name or folder; None while no usable folder is named.

    first: the data set of the run that is the example, whose widgets are then `form`'s own.
    """
    names = [*datasets.NAMES, OWN_FOLDER]
    start = first or ("mnist" if datasets.available("mnist") else "mnist-5k")
    chosen = st.selectbox(
        "Data set",
        names,
        index=names.index(start if start in names else OWN_FOLDER),
        key=key(f"dataset_{form}" if first else "dataset"),
        help=RunConfig.model_fields["dataset"].description,
    )
    if chosen == OWN_FOLDER:
        return _folder(
            first if first and first not in names else "", key(f"folder_{form}" if first else "folder")
        )
    aside = (
        f" {recipe.n_valid:,} of the training images are set aside to validate." if chosen in SPLIT else ""
    )
    st.caption(plain(datasets.describe(chosen)) + aside)
    if not datasets.available(chosen):
        st.info(
            f"{chosen} is not on this machine yet: Start downloads it first, once, into "
            f"{plain(datasets.data_dir())}; or choose mnist-5k, which is bundled."
        )
    return chosen


def _folder(start: str, widget: str) -> str | None:
    folder = st.text_input(
        "Folder", value=start, key=widget, help="A folder on this machine with the images to learn from."
    ).strip()
    if not folder:
        return None
    try:
        st.caption(plain(datasets.describe(folder)))
    except datasets.DatasetError as error:
        st.warning(sentence(error))
        return None
    return folder
