"""The picture of the Learn page: a whole training of a tiny machine, played in the browser."""

import time
from typing import Any

import streamlit as st

from dashboard import components
from dashboard.components import learn as component
from dashboard.components.blob import pack
from dashboard.components.messages import heard
from dashboard.figures import learn as figures
from dashboard.recent import Recent
from dashboard.ui import link
from dashboard.ui.texts import sentence
from dashboard.views.learn.state import PLAYER, learn

TRAININGS_KEPT = 16
PLAIN_LESSONS = 3


def is_plain(chosen: dict[str, Any]) -> bool:
    """Whether the page leaves out words and controls that a later lesson explains."""
    lesson = st.session_state[learn().settings.widget("lesson")]
    return chosen["machine"] == "pair" and chosen["method"] == "exact" and lesson <= PLAIN_LESSONS


@st.fragment
def show(chosen: dict[str, Any], place: Any) -> None:
    """The player with the training of these settings; `place` shows the progress while it is made."""
    try:
        header, arrays = _trainings().get(tuple(chosen.values()), lambda: _train(chosen, place))
    except ValueError as error:
        st.error(sentence(error))
        return
    page = learn()
    version = " ".join(map(str, chosen.values()))
    note = {"command": page.command, "plain": is_plain(chosen)}
    whole = {
        **header,
        **note,
        "version": version,
        "at": page.settings.value("update"),
        "view": page.settings.value("view"),
        "defaults": {name: link.FIELDS[name].default for name in ("view", "update")},
    }
    components.feed(
        component.mount,
        PLAYER,
        version,
        lambda: pack(whole, arrays),
        note,
        on_moment_change=_rested,
        on_done_change=_obeyed,
    )


@st.cache_resource(show_spinner=False)
def _trainings() -> Recent[figures.Blob]:
    return Recent(TRAININGS_KEPT)


def _train(chosen: dict[str, Any], place: Any) -> figures.Blob:
    """The training with these settings, its progress in `place`."""
    began = time.monotonic()
    title = figures.MACHINES[chosen["machine"]].title
    made = f"{title} learn by {figures.METHOD_NAMES[chosen['method']]}"
    bar = place.progress(0.0, made)

    def tell(done: int, total: int) -> None:
        passed = time.monotonic() - began
        if done and passed > 0.5:
            left = passed * (total - done) / done
            bar.progress(done / total, f"{made}: update {done:,} of {total:,}, {left:.0f} s left")

    try:
        return figures.training(**chosen, progress=tell)
    finally:
        place.empty()


def _rested() -> None:
    """The player came to rest: its view and its update go into the link."""
    page, moment = learn(), heard(PLAYER, "moment")
    if page.command is not None and not _has_obeyed(page.command):
        return  # sent before the player got its command: where it rests will come in another message
    if not isinstance(moment, dict):
        return
    if link.can_say("view", moment["view"]) and link.can_say("update", moment["at"]):
        page.settings.use_all({"view": moment["view"], "update": moment["at"]})
        page.settings.write_link()


def _obeyed() -> None:
    """The player does its command now; a newer one may wait."""
    page = learn()
    if page.command is not None and _has_obeyed(page.command):
        page.command = None


def _has_obeyed(command: dict[str, Any]) -> bool:
    return bool(heard(PLAYER, "done") == command["nonce"])
