"""The choice of the data to learn from, and how many passes over it a number of updates means."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.ui.new_run import bring_in
from dashboard.ui.new_run.state import key
from dashboard.ui.texts import plain, sentence
from rbm_core import datasets
from rbm_core.config import RunConfig
from rbm_core.runs.files import rounded

# These come with a training set of which the validation images are taken.
SPLIT = ("mnist", "fashion-mnist", "kmnist")
OWN_FILES = "my own files"
OWN_FOLDER = "a folder of images"
# More passes over the same images than this are offered with a word about overfitting: a caution, not a measured bound.
MOST_EPOCHS = 400


def choose(recipe: RunConfig, first: str | None, form: str) -> str | None:
    """The chosen data set's name or folder; None while no usable folder is named.

    first: the data set of the run that is the example, whose widgets are then `form`'s own.
    """
    names = [*datasets.NAMES, OWN_FILES, OWN_FOLDER]
    start = first or ("mnist" if datasets.available("mnist") else "mnist-5k")
    chosen = st.selectbox(
        "Data set",
        names,
        index=names.index(start if start in names else OWN_FOLDER),
        key=key(f"dataset_{form}" if first else "dataset"),
        help=RunConfig.model_fields["dataset"].description,
    )
    if chosen == OWN_FILES:
        return bring_in.offer()
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


def length(fields: Mapping[str, Any]) -> tuple[int, float, int] | None:
    """(updates, epochs, training images) of the run that these fields describe; None while its data are not known."""
    dataset, batch = fields["dataset"], fields["batch_size"]
    n = datasets.n_train(dataset, fields["n_valid"]) if dataset else None
    if not n or batch < 1:
        return None
    per_epoch = max(1, n // batch)
    updates = fields["updates"] or fields["epochs"] * per_epoch
    return updates, updates / per_epoch, n


def in_epochs(fields: Mapping[str, Any]) -> None:
    """A line that says the run's length in epochs too, and whether so many can overfit."""
    known = length(fields)
    if known is None:
        return
    _, epochs, n = known
    st.caption(f"{rounded(epochs)} epochs: passes over the {n:,} training images.")
    if epochs > MOST_EPOCHS and not fields["dataset"].startswith("bars") and not fields["patience"]:
        st.warning(
            f"So many passes over {n:,} images can **overfit**: these get likelier than new ones, which may at "
            "last get less likely again. *Stop early* ends the run if that begins."
        )
