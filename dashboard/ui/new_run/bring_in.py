"""Data of one's own: dropped into the form, looked at, and kept, so that a run can learn from them."""

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import streamlit as st

from dashboard.figures.animation import tiled
from dashboard.ui.new_run.state import key, state
from dashboard.ui.texts import plain, sentence
from rbm_core import datasets
from rbm_core.datasets import DatasetError, look, own
from rbm_core.datasets.dataset import Cases
from rbm_core.datasets.look import Choices, Found, Grey
from rbm_core.strips import strips

MOST_MB = 200
SAMPLES = 20
_SIZES: dict[str, tuple[int, int] | None] = {
    "as found": None,
    "8 × 8": (8, 8),
    "16 × 16": (16, 16),
    "28 × 28": (28, 28),
    "32 × 32": (32, 32),
    "64 × 64": (64, 64),
}


@dataclass(frozen=True, eq=False)
class _Seen:
    found: Found
    cases: Cases
    said: str


def offer() -> str | None:
    """A button that opens the place to drop files, and what was kept last; the name of the data once they are kept."""
    kept = state().kept
    if st.button(
        "Choose files" if kept is None else "Choose other files",
        key=key("bring_in"),
        icon=":material/upload_file:",
        width="stretch",
        help="Pictures, a .zip of them, a .npy or .npz array, a .csv table or an idx file.",
    ):
        _dialog()
    if kept is None:
        return None
    name, said = kept
    st.caption(f"**{plain(name)}**: {plain(said)}")
    return name


@st.dialog("Your own data", width="large", icon=":material/upload_file:")
def _dialog() -> None:
    """Where files are dropped, looked at and kept."""
    files = st.file_uploader(
        "Drop pictures, a zip of them, or a file of numbers",
        type=[ending.lstrip(".") for ending in look.SUFFIXES],
        accept_multiple_files=True,
        max_upload_size=MOST_MB,
        key=key("files"),
        help=f"Any number of pictures, a .zip of them (its folders become classes), a .npy or .npz array, a .csv "
        f"table, or an idx file; at most {MOST_MB} MB. They are kept on the machine that runs this app, in "
        f"{plain(datasets.data_dir())}, and go nowhere else.",
    )
    if not files:
        st.caption("What you drop is shown here as the machine will see it, before anything is learned.")
        return
    left, right = st.columns([2, 3], gap="medium")
    with left:
        choices = _choices()
    try:
        seen = _seen(tuple(file.file_id for file in files), choices, files)
    except DatasetError as error:
        right.warning(sentence(error))
        return
    with right:
        st.markdown(plain(seen.said))
        _preview(seen.cases)
        if st.button("Use these", key=key("use"), type="primary", width="stretch"):
            _keep(seen)


def _choices() -> Choices:
    """How the files are read, each choice with its explanation."""
    size = st.selectbox(
        "Size",
        list(_SIZES),
        key=key("size"),
        help="Pictures of one size up to 64 × 64 keep it; others become 28 × 28. What has another shape is cut, "
        "not squeezed. Each pixel is a visible unit, so that time grows with the size.",
    )
    grey: Grey = st.selectbox(
        "Grey from",
        get_args(Grey),
        key=key("grey"),
        help="What of a coloured picture is learned: how bright it looks, or one of its channels.",
    )
    inverted = st.toggle(
        "Invert",
        key=key("inverted"),
        help="Black for white. Learning is easiest where most of a picture is black, as in MNIST.",
    )
    kind = st.selectbox(
        "Rows of numbers are",
        ["as they look", "pictures", "a table"],
        key=key("kind"),
        help="Rows without column names whose length is a square number look like pictures.",
    )
    labels = st.text_input(
        "Column of classes",
        key=key("labels"),
        help="Of a table: the column that names each row's class, which is not learned. Left open, it is the one "
        "called label, class or target.",
    ).strip()
    return Choices(
        size=_SIZES[size],
        grey=grey,
        inverted=inverted,
        labels=labels or None,
        table={"pictures": False, "a table": True}.get(kind),
    )


def _seen(ids: tuple[str, ...], choices: Choices, files: Any) -> _Seen:
    """What is made of the files; made once for the same files and choices. Raises DatasetError."""
    if state().seen[0] != (ids, choices):
        found = look.look_at([(file.name, file.getvalue()) for file in files], choices)
        state().seen = ((ids, choices), _Seen(found, own.cases(found, choices), own.said(found, choices)))
    seen = state().seen[1]
    assert isinstance(seen, _Seen)
    return seen


def _preview(cases: Cases) -> None:
    """Some cases as they are, and as the 0/1 states a run of Bernoulli units would draw from them."""
    images = cases.images[:SAMPLES]
    unit = images / np.float32(255) if images.dtype == np.uint8 else images
    drawn = np.random.default_rng(0).random(unit.shape) < unit
    low, high = float(unit.min()), float(unit.max())
    sheets = (
        (unit, f"As they are: from {low:.2g} to {high:.2g}, where 0 is black and 1 white."),
        (drawn.astype(np.float32), "As 0 and 1, drawn with these values as the odds."),
    )
    for place, (values, what) in zip(st.columns(2), sheets, strict=True):
        shades = np.round(255 * values).astype(np.uint8)
        if cases.columns is not None:
            grid = strips(shades[:, 0], cases.columns)
        else:
            grid = np.kron(tiled(shades, 5), np.ones((4, 4), np.uint8))
        place.image(grid, caption=what, width="stretch")
    if cases.columns is not None:
        st.caption(f"Columns from left to right: {plain(', '.join(cases.columns))}.")
    if cases.ranges is not None:
        st.caption("Their values are real numbers: choose **gaussian** visible units in the form.")


def _keep(seen: _Seen) -> None:
    """Keeps the cases and closes the dialog."""
    try:
        state().kept = (own.keep(seen.found.title, seen.cases, datasets.data_dir()), seen.said)
    except DatasetError as error:
        st.error(sentence(error))
        return
    st.rerun()
