"""The view of one label: the hidden units it leans on and those that speak against it, as rows of their filters."""

import numpy as np
import streamlit as st

from dashboard.figures.dissection.parts import tiles_of_units
from dashboard.figures.numbers import minus
from dashboard.ui.about import about
from dashboard.ui.charts import table_button
from dashboard.ui.page_state import state_of
from dashboard.ui.texts import plain
from dashboard.views.inspect import texts
from dashboard.views.inspect.opened import Opened, choose, mount_mosaic
from dashboard.views.inspect.state import Inspect

LABEL = "inspect.label"
SHOWN = 24  # units of each row, at most


def show(opened: Opened) -> None:
    U = opened.snapshot.label_W
    if U is None:
        st.info("This run has no label units. Start one with *labels* switched on, on the Train page.")
        return
    names = opened.reader.class_names() or tuple(map(str, range(len(U))))
    label = _pick(names)
    weights = U[label]
    order = np.argsort(-weights, kind="stable")
    name = plain(names[label])
    for kind, which in (
        ("for", order[weights[order] > 0]),
        ("against", order[::-1][weights[order[::-1]] < 0]),
    ):
        title = f"Units that speak {kind} {names[label]}"
        if not len(which):
            st.caption(f"No unit speaks {plain(kind)} {name}.")
            continue
        which = which[:SHOWN]
        facts = [("label weight", weights[which])]
        note = minus(
            f"The strongest first: label weights from {weights[which[0]]:+.2f} to {weights[which[-1]]:+.2f}."
        )
        blob = tiles_of_units(opened.snapshot, opened.shape, which, facts, title, note)
        mount_mosaic(opened, f"label-{kind}", blob, f"label-{label}-{kind}", "unit")
    with st.container(horizontal=True, vertical_alignment="center"):
        about(f"the weights of the label {name}", **texts.LABEL)
        table_button(
            "All units",
            opened.file("label", label, "weights"),
            ("unit", *names),
            lambda: zip(range(U.shape[1]), *U, strict=True),
        )


def _pick(names: tuple[str, ...]) -> int:
    """The label looked at."""
    settings = state_of(Inspect).settings
    asked = settings.value("label")
    label = settings.use("label", asked if asked in range(len(names)) else 0)
    if label != asked:
        st.warning(f"This run has {len(names)} labels, numbered from 0; showing {plain(names[label])}.")
    st.session_state[LABEL] = label
    st.segmented_control(
        "Label",
        range(len(names)),
        key=LABEL,
        required=True,
        format_func=lambda k: plain(names[k]),
        on_change=lambda: choose({"label": st.session_state[LABEL]}),
        help="Whose weights to the hidden units are shown.",
        wrap=True,
    )
    return int(label)
