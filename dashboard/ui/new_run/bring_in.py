"""Data of one's own: dropped into the form, looked at, and kept, so that a run can learn from them."""

from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
import streamlit as st

from dashboard.figures.animation import tiled
from dashboard.ui import answers
from dashboard.ui.answers import Answer
from dashboard.ui.new_run.state import key, state
from dashboard.ui.texts import plain, sentence
from rbm_core import datasets
from rbm_core.datasets import DatasetError, look, own
from rbm_core.datasets.dataset import Cases
from rbm_core.datasets.look import Choices, Found, Grey
from rbm_core.strips import strips

MOST_MB = 200
SAMPLES = 20
_TABLES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_CUT, _WHOLE = "cut to the shape", "whole, with a margin"
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
    asked = st.button(
        "Choose files" if kept is None else "Choose other files",
        key=key("bring_in"),
        icon=":material/upload_file:",
        width="stretch",
        help="Pictures, a .zip of them, a .npy or .npz array, a .csv table or an idx file.",
    )
    if asked:
        state().opened += 1
    # The page may run as a whole while the place is open: a trial or a run has ended. That alone would close it.
    if asked or _uploader() in st.session_state:
        _dialog()
    if kept is None:
        return None
    name, said = kept
    st.caption(f"**{plain(name)}**: {plain(said)}")
    return name


def _uploader() -> str:
    """The key of the place's uploader. What was dropped there before is not among what it holds."""
    return key(f"files_{state().opened}")


def _close() -> None:
    state().opened += 1


@st.dialog("Your own data", width="large", icon=":material/upload_file:", on_dismiss=_close)
def _dialog() -> None:
    """Where files are dropped, looked at and kept."""
    files = st.file_uploader(
        "Drop pictures, a zip of them, or a file of numbers",
        type=[ending.lstrip(".") for ending in look.SUFFIXES],
        accept_multiple_files=True,
        max_upload_size=MOST_MB,
        key=_uploader(),
        help=f"Any number of pictures, a .zip of them (its folders become classes), a .npy or .npz array, a .csv "
        f"table, or an idx file; at most {MOST_MB} MB. They are kept on the machine that runs this app, in "
        f"{plain(datasets.data_dir())}, and go nowhere else.",
    )
    if not files:
        st.caption("What you drop is shown here as the machine will see it, before anything is learned.")
        return
    left, right = st.columns([2, 3], gap="medium")
    ids = tuple(file.file_id for file in files)
    place, labels = left.container(), st.session_state.get(key("labels"), "").strip() or None
    try:
        found = _found(ids, files, labels)
    except DatasetError as error:
        if any(file.name.lower().endswith(_TABLES) for file in files):
            with place:  # the column of classes may be what is wrong
                _choose_labels()
        right.warning(sentence(error))
        return
    with place:
        choices = _choices(found, labels)
    try:
        seen = _seen(ids, choices, found)
    except DatasetError as error:
        right.warning(sentence(error))
        return
    with right:
        st.markdown(plain(seen.said))
        _preview(seen.cases)
        if st.button("Use these", key=key("use"), type="primary", width="stretch"):
            _keep(seen)
        answers.show(state().not_kept)


def _choices(found: Found, labels: str | None) -> Choices:
    """How the files are read, each choice with its explanation: those that make a difference for what was found."""
    table = None
    if found.values is not None and found.values.ndim == 2:
        kind = st.selectbox(
            "Rows of numbers are",
            ["as they look", "pictures", "a table"],
            key=key("kind"),
            help="Rows without column names whose length is a square number look like pictures.",
        )
        table = {"pictures": False, "a table": True}.get(kind)
        if found.columns is not None:
            _choose_labels()
        if own.is_table(found, Choices(table=table)):
            return Choices(labels=labels, table=table)
    return _choices_of_pictures(found, Choices(labels=labels, table=table))


def _choose_labels() -> None:
    st.text_input(
        "Column of classes",
        key=key("labels"),
        help="Of a table: the column that names each row's class, which is not learned. Left open, it is the one "
        "called label, class or target.",
    )


def _choices_of_pictures(found: Found, choices: Choices) -> Choices:
    size = _SIZES[
        st.selectbox(
            "Size",
            list(_SIZES),
            key=key("size"),
            help="Pictures of one size up to 64 × 64 keep it; others become 28 × 28. Each pixel is a visible unit, so "
            "that time grows with the size.",
        )
    ]
    whole = False
    if own.other_shapes(found, replace(choices, size=size)):
        whole = (
            st.radio(
                "Of another shape",
                [_CUT, _WHOLE],
                key=key("whole"),
                help="Nothing is squeezed: what a picture has beyond the shape is cut off, or the whole picture is "
                "made to fit and gets a margin in the grey of its own edge.",
            )
            == _WHOLE
        )
    grey: Grey = "luminance"
    if found.values is None or found.values.ndim == 4:
        grey = st.selectbox(
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
    return replace(choices, size=size, whole=whole, grey=grey, inverted=inverted)


def _found(ids: tuple[str, ...], files: Any, labels: str | None) -> Found:
    """What the files hold; looked at once for the same files and column of classes. Raises DatasetError."""
    if state().looked[0] != (ids, labels):
        contents = [(file.name, file.getvalue()) for file in files]
        state().looked = ((ids, labels), look.look_at(contents, Choices(labels=labels)))
    found = state().looked[1]
    assert isinstance(found, Found)
    return found


def _seen(ids: tuple[str, ...], choices: Choices, found: Found) -> _Seen:
    """What is made of the files; made once for the same files and choices. Raises DatasetError."""
    if state().seen[0] != (ids, choices):
        state().seen = ((ids, choices), _Seen(found, own.cases(found, choices), own.said(found, choices)))
    seen = state().seen[1]
    assert isinstance(seen, _Seen)
    return seen


def _preview(cases: Cases) -> None:
    """Some cases as they are, and as the 0/1 states a run of Bernoulli units would draw from them: spread over all of
    them, since files in the order of their names often begin with one class.
    """
    n = len(cases.images)
    images = cases.images[np.linspace(0, n - 1, min(n, SAMPLES)).round().astype(int)]
    unit = images / np.float32(255) if images.dtype == np.uint8 else images
    drawn = np.random.default_rng(0).random(unit.shape) < unit
    low, high = float(unit.min()), float(unit.max())
    sheets = (
        (unit, f"As they are: from {low:.2g} to {high:.2g}, where 0 is black and 1 white."),
        (drawn.astype(np.float32), "As 0 and 1, drawn with these values as the odds."),
    )
    for place, (values, what) in zip(st.columns(2), sheets, strict=True):
        shades = np.round(255 * values).astype(np.uint8)
        if cases.columns is not None:  # at its own size, at which the names are sharp
            place.image(strips(shades[:, 0], cases.columns), caption=what, width="content")
        else:
            place.image(np.kron(tiled(shades, 5), np.ones((4, 4), np.uint8)), caption=what, width="stretch")
    if cases.columns is not None:
        st.caption(f"Columns from left to right: {plain(', '.join(cases.columns))}.")
    if cases.ranges is not None:
        st.caption("Their values are real numbers: choose **gaussian** visible units in the form.")


def _keep(seen: _Seen) -> None:
    """Keeps the cases and closes the dialog."""
    try:
        state().kept = (own.keep(seen.found.title, seen.cases, datasets.data_dir()), seen.said)
    except DatasetError as error:
        state().not_kept = Answer(sentence(error))
        return
    _close()
    st.rerun()
