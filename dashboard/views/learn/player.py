"""The picture of the Learn page: a whole training of a tiny machine, played in the browser."""

import threading
import time
from functools import partial
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
from dashboard.views.learn import lessons
from dashboard.views.learn.state import PLAYER, learn

TRAININGS_KEPT = 16
AHEAD_AFTER_S = 5.0
PLAIN_LESSONS = 13  # the next one explains the score


def is_plain(chosen: dict[str, Any]) -> bool:
    """Whether the page leaves out words and controls that a later lesson explains."""
    lesson = st.session_state[learn().settings.widget("lesson")]
    return chosen["machine"] == "pair" and chosen["method"] == "exact" and lesson <= PLAIN_LESSONS


def shown_as(chosen: dict[str, Any]) -> str:
    """What the player says on its element while it shows a training of this machine by this method."""
    return f"{chosen['machine']}-{chosen['method']}"


def asks(chosen: dict[str, Any]) -> bool:
    """Whether the open lesson waits for a prediction about this training: its future is not drawn before."""
    number = learn().settings.value("lesson")
    lesson = lessons.LESSONS[number - 1]
    own = (chosen["machine"], chosen["method"]) == (lesson.machine, lesson.method)
    return own and not learn().guesses.get(number)


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
    note = {"command": page.command, "plain": is_plain(chosen), "asks": asks(chosen), **guess_note()}
    whole = {
        **header,
        **note,
        "version": version,
        "at": page.settings.value("update"),
        "view": page.settings.value("view"),
        "defaults": {name: link.FIELDS[name].default for name in ("view", "update", "guess")},
    }
    components.feed(
        component.mount,
        PLAYER,
        version,
        lambda: pack(whole, arrays),
        note,
        on_moment_change=lambda: rested(PLAYER),
        on_done_change=lambda: obeyed(PLAYER),
    )


@st.cache_resource(show_spinner=False)
def _trainings() -> Recent[figures.Blob]:
    return Recent(TRAININGS_KEPT)


@st.cache_resource(show_spinner=False)
def make_ahead() -> None:
    """Once a server, some seconds after Learn is first opened: the lessons' trainings are made in a thread, so that
    none is waited for. Each takes up to half a second of processor time, although what is drawn in it by chance was
    computed before; the first presses on the page are answered without it beside them.
    """
    timer = threading.Timer(AHEAD_AFTER_S, _make_all, args=(_trainings(),))
    timer.daemon = True
    timer.start()


def _make_all(kept: Recent[figures.Blob]) -> None:
    seed = link.FIELDS["seed"].default
    for machine, method in dict.fromkeys((one.machine, one.method) for one in lessons.LESSONS):
        plan = figures.MACHINES[machine]
        made = {
            "machine": machine,
            "method": method,
            "n_hidden": plan.n_hidden,
            "rate": plan.rate,
            "seed": seed,
        }
        kept.get(tuple(made.values()), partial(figures.training, **made))


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


def guess_note() -> dict[str, Any]:
    """What was predicted in the open lesson, for the component to write into the link; 0 before."""
    number = learn().settings.value("lesson")
    return {"guess": learn().guesses.get(number, 0)}


def rested(component: str) -> None:
    """The player or the network came to rest: where it stands and what was predicted goes into the link."""
    page, moment = learn(), heard(component, "moment")
    if page.command is not None and not _has_obeyed(component, page.command):
        return  # sent before the component got its command: where it rests will come in another message
    if not isinstance(moment, dict) or moment["guess"] != guess_note()["guess"]:
        return  # no message, or one from before the guess
    said = {
        name: moment[key]
        for name, key in (("view", "view"), ("update", "at"), ("guess", "guess"))
        if key in moment
    }
    if all(link.can_say(name, value) for name, value in said.items()):
        page.settings.use_all(said)
        page.settings.write_link()


def obeyed(component: str) -> None:
    """The component does its command now; a newer one may wait."""
    page = learn()
    if page.command is not None and _has_obeyed(component, page.command):
        page.command = None


def _has_obeyed(component: str, command: dict[str, Any]) -> bool:
    return bool(heard(component, "done") == command["nonce"])
