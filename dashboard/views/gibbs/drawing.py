"""A start of the reader's own: the pad that is drawn on, and the file that is uploaded."""

import hashlib
from functools import partial
from typing import Any

import numpy as np

from dashboard.components.drawing import mount as pad
from dashboard.components.drawing import own_drawing
from dashboard.components.messages import take_up
from dashboard.figures import drawings
from dashboard.ui import run_choice
from dashboard.ui.texts import sentence
from dashboard.views.gibbs.state import gibbs, settings

PAD = "gibbs.pad"
NOTE = "Draw; the chains start over at the end of each stroke."


def choose(shape: tuple[int, int], place: Any) -> str:
    """The drawing's bits as base64, empty where nothing is drawn; pad and upload stand in `place`."""
    own, as_mnist = gibbs().drawing, run_choice.digits()
    take_up(PAD, "picture", partial(_take_stroke, shape, as_mnist))
    laid_out = drawings.words(shape, as_mnist)
    pad_place, complaints = place.container(), place.container()
    uploaded = place.file_uploader(
        "Or a picture of yours",
        type="image",
        max_upload_size=5,  # MB
        key="gibbs.upload",
        help=f"Dark strokes on light paper or the reverse. {laid_out}",
        on_change=_forget_upload,
    )
    kept = settings().value("drawing")
    if uploaded is not None:
        kept = _read_upload(uploaded.getvalue(), shape, as_mnist, kept)
    bits = np.zeros(shape[0] * shape[1], bool)
    if kept:
        try:
            bits = drawings.bits_from_text(kept, len(bits))
        except drawings.DrawingError as error:
            kept, own.complaint = "", str(error)
    # A pad that is on the page keeps its own strokes: what it is sent must not change with each of them.
    sent = (own.version, laid_out)
    if sent not in own.blob:
        own.blob = {sent: own_drawing(bits.reshape(shape), f"{NOTE} {laid_out}", own.version)}
    with pad_place:
        pad(key=PAD, data=own.blob[sent], on_picture_change=lambda: None)
    if own.complaint:
        complaints.warning(sentence(own.complaint))
    return str(settings().use("drawing", kept))


def _read_upload(content: bytes, shape: tuple[int, int], as_mnist: bool, kept: str) -> str:
    """The bits of an uploaded picture; `kept` where it was read before, or is none."""
    own, mark = gibbs().drawing, hashlib.sha256(content).hexdigest()[:12]
    if own.upload == mark:
        return kept
    own.upload = mark
    try:
        bits = drawings.bits_to_text(drawings.placed(drawings.picture_from_file(content), shape, as_mnist))
    except drawings.DrawingError as error:
        own.complaint = str(error)
        return kept
    own.version, own.complaint = mark, ""
    return bits


def _forget_upload() -> None:
    gibbs().drawing.upload = ""


def _take_stroke(shape: tuple[int, int], as_mnist: bool, picture: str) -> None:
    """Makes what is on the pad, at the end of a stroke, the drawing."""
    bits, gibbs().drawing.complaint = drawings.bits_from_pad(picture, shape, as_mnist)
    settings().use("drawing", bits)
