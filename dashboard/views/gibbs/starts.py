"""Where the chains begin: the choice of a start, and what belongs to each."""

from typing import Any

import streamlit as st

from dashboard import data
from dashboard.ui import run_choice
from dashboard.ui.texts import plain
from dashboard.views.gibbs import drawing, spoiling
from dashboard.views.gibbs.state import gibbs, settings
from rbm_core.runs import RunError, RunReader, Snapshot

STARTS = {
    "noise": "Noise",
    "gaussian": "Gaussian noise",
    "digits": "Images",
    "particles": "Fantasies",
    "drawing": "Drawing",
}
HELP = (
    "Where the chains begin. *Noise*: every pixel on or off by a fair coin. *Gaussian noise*: values "
    "drawn from N(0, 1), which are no picture; the first half step alone sees them. *Images*: test images of the "
    "data. *Fantasies*: the run's own chains, with which it was trained, where training left them, or those of "
    "another run. *Drawing*: a picture of your own."
)
PICTURES = (
    "digits",
    "particles",
    "drawing",
)  # starts that are pictures: they can be corrupted, and held in part


def choose(
    reader: RunReader, snapshot: Snapshot, shape: tuple[int, int], row: Any, pad_place: Any
) -> dict[str, Any]:
    """The part of gibbs_films.ChainSettings that says where the chains begin.

    row: takes the start, above the player; what belongs to it stands in the sidebar, the pad in `pad_place`.
    """
    chosen: dict[str, Any] = {"start": _choose_start(len(snapshot.particles_v) > 0, row)}
    if snapshot.n_labels:
        chosen["label"] = _choose_label(reader.class_names(), snapshot.n_labels, row)
    if chosen["start"] == "digits":
        chosen |= _choose_class(reader)
    elif chosen["start"] == "particles":
        chosen["particles_of"] = _choose_particles(reader, len(snapshot.vbias), row)
    elif chosen["start"] == "drawing":
        chosen["drawing"] = drawing.choose(shape, pad_place)
        if not chosen["drawing"]:
            where = "below" if gibbs().narrow else "in the sidebar"
            row.caption(
                f"Nothing is drawn yet: **draw on the black pad {where}**, and the chains start from your picture."
            )
    if chosen["start"] in PICTURES and chosen.get("drawing") != "":  # an empty picture cannot be corrupted
        chosen |= spoiling.choose(shape)
    return chosen


def _choose_start(has_particles: bool, row: Any) -> str:
    options = [name for name in STARTS if name != "particles" or has_particles]
    if run_choice.table() is not None:  # rows of a table cannot be drawn
        options.remove("drawing")
    key = settings().key("start")
    if st.session_state[key] not in options:
        asked, st.session_state[key] = STARTS[st.session_state[key]], options[0]
        row.warning(
            f"This run cannot start from {asked.lower()}; starting from {STARTS[options[0]].lower()}."
        )
    start = row.segmented_control(
        "Start from",
        options,
        required=True,
        key=key,
        format_func=lambda name: run_choice.said(STARTS[name]),
        help=run_choice.said(HELP)
        if run_choice.table() is None
        else run_choice.said(HELP.partition(" *Drawing*")[0]),
        wrap=True,
    )
    return str(settings().use("start", start))


def _choose_label(known: tuple[str, ...], n_labels: int, row: Any) -> int | None:
    """The label that is held, which the chains are to draw; None: labels are drawn with the pixels."""
    names = known or tuple(map(str, range(n_labels)))
    key = settings().key("label")
    if st.session_state[key] not in ("any", *range(len(names))):
        row.warning(f"This run has {len(names)} labels, numbered from 0; drawing {plain(names[0])}.")
        st.session_state[key] = 0
    label = row.segmented_control(
        "Draw me a",
        ["any", *range(len(names))],
        required=True,
        key=key,
        format_func=lambda k: "any" if k == "any" else plain(names[k]),
        help="The label that is held on while pixels and hidden units are drawn: the chains then draw images of this "
        "class. Its weights join the hidden units' biases: cⱼ + U_yj. *any*: no label is held; each sweep draws one "
        "with the pixels, y ~ p(y | h), so that a chain may wander from class to class.",
        wrap=True,
    )
    chosen = settings().use("label", label)
    return None if chosen == "any" else int(chosen)


def _choose_class(reader: RunReader) -> dict[str, Any]:
    """The class of the images; nothing where the run's images have no labels."""
    probe = reader.probe()
    if probe is None or probe.labels is None:
        return {}
    classes = sorted({int(label) for label in probe.labels})
    key = settings().key("digit")
    if st.session_state[key] != "any" and int(st.session_state[key]) not in classes:
        st.session_state[key] = "any"
    digit = st.sidebar.selectbox(
        "Class",
        ["any", *map(str, classes)],
        key=key,
        format_func=lambda name: "any" if name == "any" else f"only {name}",
        help=run_choice.said("Only pictures with this label, or all of them."),
    )
    return {"digit": settings().use("digit", digit)}


def _choose_particles(reader: RunReader, n_visible: int, row: Any) -> tuple[str, int] | None:
    """Another run with particles of as many pixels, and its newest step; None for this run's own."""
    others: dict[str, int] = {}
    for name in data.run_names():
        if name != reader.name and (step := _last_step(name, n_visible)) is not None:
            others[name] = step
    key = settings().key("particles_of")
    if st.session_state[key] not in ("", *others):
        asked, st.session_state[key] = st.session_state[key], ""
        row.warning(
            f"No run {plain(repr(asked))} has fantasies of this size; starting from those of {plain(reader.name)}."
        )
    name = st.sidebar.selectbox(
        "Fantasies of",
        ["", *others],
        key=key,
        format_func=lambda name: name or "this run",
        help="Whose fantasies the chains start from: a machine can go on from where another one was left.",
    )
    settings().use("particles_of", name)
    return (name, others[name]) if name else None


def _last_step(name: str, n_visible: int) -> int | None:
    """The newest snapshot of a run whose pictures have as many pixels; None where it has none."""
    try:
        other = data.reader(name)
        rows, columns = (other.config().get("data") or {}).get("image_shape") or (1, 0)
        steps = other.snapshot_steps()
    except (RunError, OSError):
        return None
    return steps[-1] if steps and rows * columns == n_visible else None
