"""For starts that are pictures: a share of the pixels inverted, or some of them held while the rest goes free."""

from typing import Any

import numpy as np
import streamlit as st

from dashboard.components.blob import pack
from dashboard.components.drawing import mount as pad
from dashboard.components.messages import take_up
from dashboard.figures import drawings
from dashboard.ui import link, run_choice
from dashboard.views.gibbs.state import settings

PAD = "gibbs.hold_pad"


def choose(shape: tuple[int, int]) -> dict[str, Any]:
    """`corrupt`, per cent of the pixels, or `held`, the bits of the pixels that keep their value, as base64."""
    hold = settings().widget("hold")
    if hold not in st.session_state:
        st.session_state[hold] = bool(settings().value("held"))
    corrupt = _choose_share(resting=st.session_state[hold])
    holding = st.sidebar.toggle(
        run_choice.said("Hold some pixels (clamp)"),
        key=hold,
        help=run_choice.said(
            "Inpainting: the pixels you choose keep their value (the clamped units), the others begin as noise "
            "and are drawn by the chain, which completes the picture."
        ),
    )
    if holding:
        table = run_choice.table()
        held = _held(shape[0] * shape[1])
        return {
            "held": settings().use("held", held if table is None else _held_columns(table["columns"], held))
        }
    settings().use("held", "")
    return {"corrupt": corrupt}


def _choose_share(resting: bool) -> int:
    share = st.sidebar.slider(
        "Corrupt, off while holding" if resting else run_choice.said("Corrupt, % of pixels"),
        0,
        50,
        key=settings().key("corrupt"),
        disabled=resting,
        help=run_choice.said(
            "Each pixel of the start is inverted with this probability; watch the chain repair it. "
            "It knows nothing of the clean picture, so after the repair it wanders off to others: *repaired* is "
            "counted against the picture you started from, and another fine picture counts as damage."
        ),
    )
    return int(settings().use("corrupt", share))


def _held(n_pixels: int) -> str:
    """The held pixels of the link or of this session, the upper half at first."""
    take_up(PAD, "held", _paint)
    held = settings().value("held")
    try:
        if held:
            drawings.bits_from_text(held, n_pixels)
            return str(held)
    except drawings.DrawingError:
        st.sidebar.warning(
            "The held pixels in the link belong to pictures of another size; holding the upper half."
        )
    return drawings.bits_to_text(np.arange(n_pixels) < n_pixels // 2)


def _held_columns(names: list[str], held: str) -> str:
    """The columns of a table that keep their value, chosen by name."""
    key = "gibbs.hold_columns"
    if not all(column < len(names) for column in st.session_state.get(key, [len(names)])):
        st.session_state[key] = [int(i) for i in np.flatnonzero(drawings.bits_from_text(held, len(names)))]
    chosen = st.sidebar.multiselect(
        "Columns held",
        range(len(names)),
        key=key,
        format_func=lambda column: names[column],
        help="They keep the value of the row that the chain starts from; the chain fills in the others.",
    )
    return drawings.bits_to_text(np.isin(np.arange(len(names)), chosen))


def show_pad(place: Any, shape: tuple[int, int], held: str, clean: np.ndarray) -> None:
    """The pad that paints held pixels over the chosen chain's picture, one of clean (B, V)."""
    if run_choice.table() is not None:  # columns are chosen by name
        return
    bits = drawings.bits_from_text(held, shape[0] * shape[1])
    chain = (settings().value("chain") - 1) % len(clean)
    kept = f"{int(bits.sum())} of {len(bits)} keep their value, tinted here over the picture of chain {chain + 1}."
    header = {
        "mode": "hold",
        "rows": shape[0],
        "columns": shape[1],
        "title": "Held pixels",
        "note": kept if bits.any() else "None is held: the chains start from the whole picture.",
        "version": f"{shape}",
    }
    arrays = {"marks": bits.astype(np.uint8) * 255, "under": clean[chain]}
    with place:
        pad(key=PAD, data=pack(header, arrays), on_held_change=lambda: None)


def _paint(bits: str) -> None:
    text = bits.replace("+", "-").replace("/", "_").rstrip("=")
    if text and link.can_say("held", text):
        settings().use("held", text)
