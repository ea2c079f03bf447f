"""The view of the reader's own drawing: what the pad of the Gibbs page holds, taken apart like an image."""

from functools import partial

import numpy as np
import streamlit as st

from dashboard.components.drawing import mount as pad
from dashboard.components.drawing import own_drawing
from dashboard.components.messages import take_up
from dashboard.figures import drawings
from dashboard.ui import run_choice
from dashboard.ui.page_state import state_of
from dashboard.ui.texts import sentence
from dashboard.views.inspect import image
from dashboard.views.inspect.opened import Opened
from dashboard.views.inspect.state import Inspect

PAD = "inspect.pad"
NOTE = "What answers changes at the end of each stroke."


def show(opened: Opened) -> None:
    if run_choice.table() is not None:
        st.info("This run learns rows of a table, which cannot be drawn: choose a row of its data instead.")
        return
    state, as_mnist = state_of(Inspect), run_choice.digits()
    take_up(PAD, "picture", partial(_take_stroke, opened.shape, as_mnist))
    n = opened.shape[0] * opened.shape[1]
    bits = _bits(n)
    left, right = st.columns([4, 7], gap="large")
    with left:
        # A pad that is on the page keeps its own strokes: what it is sent must not change with each of them.
        if state.pad is None or state.pad[0] != opened.shape or PAD not in st.session_state:
            note = f"{NOTE} {drawings.words(opened.shape, as_mnist)}"
            state.pad = (opened.shape, own_drawing(bits.reshape(opened.shape), note, f"{opened.shape}"))
        pad(key=PAD, data=state.pad[1], on_picture_change=lambda: None)
        if state.complaint:
            st.warning(sentence(state.complaint))
    if not bits.any():
        right.info("Draw something on the pad: the hidden units that answer to it appear here.")
        return
    v = opened.seen(np.where(bits, 255, 0).astype(np.uint8)[None])[0]
    image.take_apart(opened, image.Subject(v, "your drawing", "your drawing", ("drawing",)), right)


def _bits(n: int) -> np.ndarray:
    """The drawing in the link, (n,) bool; empty where there is none, or it is of images of another size."""
    kept = state_of(Inspect).settings.value("drawing")
    if kept:
        try:
            return drawings.bits_from_text(kept, n)
        except drawings.DrawingError as error:
            st.warning(sentence(error))
            state_of(Inspect).settings.use("drawing", "")
    return np.zeros(n, bool)


def _take_stroke(shape: tuple[int, int], as_mnist: bool, picture: str) -> None:
    """Makes what is on the pad, at the end of a stroke, the drawing."""
    state = state_of(Inspect)
    bits, state.complaint = drawings.bits_from_pad(picture, shape, as_mnist)
    state.settings.use("drawing", bits)
    state.settings.write_link()
