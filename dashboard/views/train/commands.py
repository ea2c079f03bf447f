"""Commands from the page's buttons to the trainer, and what the page says until they show their effect."""

import time
from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard import data
from dashboard.processes import trainers
from dashboard.ui.answers import Answer
from dashboard.ui.texts import sentence
from dashboard.views.train import state
from rbm_core.runs import RunError

# The state that a command leads to, and what the page says until the run is in it.
UNDERWAY = {
    "pause": ("paused", "pausing"),
    "resume": ("running", "resuming"),
    "stop": ("stopped", "stopping"),
    "restart": ("running", "starting again"),
}
UNDERWAY_FOR_S = 20.0
# An idle trainer obeys within 0.1 s: a press and its effect are then shown by one refresh.
ANSWER_WITHIN_S = 0.3
PRESSES_KEPT = 32  # more than the browser names in one message


def key_of(command: str, value: dict[str, Any] | None) -> str:
    """The key of the command's button; the time slider's view reads the command from it."""
    return f"train.do_{command}_{value['n'] if value else ''}"


def pressed(name: str, command: str, value: Any) -> None:
    """A button was pressed, by Streamlit's own word for it; where the browser names presses, those are obeyed."""
    if state.said("press"):
        obey_named()
    else:
        send(name, command, value, press="")


def obey_named() -> None:
    """Obeys the presses that the browser names, oldest first, each once.

    Streamlit's own word for a press is no count of presses. It comes twice where the page's timer falls between a
    click and its sending, and not at all where a run of the whole page is asked for before the run for the press has
    begun, or while the tab has lost its connection. The time slider's view names a press until it is answered.
    """
    page = state.page()
    for press in state.said("press") or []:
        if press["name"] not in page.presses:
            command, _, word = press["command"].partition("_")
            send(press["run"], command, _value_of(command, word), press=press["name"])


def _value_of(command: str, word: str) -> dict[str, Any] | None:
    """What a press asks for beside its command: by the word in its button's name, or by the open form.

    None where there is nothing such: a command that needs it is then refused.
    """
    if command == "step" and word.isdecimal():
        return {"n": int(word)}
    if command == "speed" and word in state.SPEEDS:
        return {"updates_per_second": state.SPEEDS[word]}
    return state.wish() if command == "set" else None


def send(name: str, command: str, value: Any, press: str | None = None) -> None:
    """Passes the command on; a command that cannot be obeyed costs a sentence on the page.

    press: the name of the press that commands it, to be answered for. Streamlit may end this call at any look into the
    session's state: none stands between obeying a press and keeping its name.
    """
    page, watched, before = state.page(), state.watched(), None
    try:
        before = _pass_on(name, command, value, watched.speed)
    except ValueError as error:
        watched.complaint = Answer(sentence(error))
    if press is not None:
        page.presses = [*page.presses, press][-PRESSES_KEPT:]
    if command == "set" and watched.change is not None:
        watched.change.sent = watched.change.made
    if before is None or name != watched.run:  # refused, or pressed before the page changed to another run
        return
    if command == "step" and watched.step != "live":
        watched.step = "live"
        st.toast("The page follows the newest state again, to show the step.")
    if command in UNDERWAY:
        watched.underway = state.Underway(command, time.monotonic())
        _wait(name, lambda status: status["state"] == UNDERWAY[command][0])
    elif command == "step":
        _wait(name, lambda status: status["step"] > before["step"])
    elif command == "speed":
        watched.speed = state.Speed(value["updates_per_second"], time.monotonic())
        _wait(name, lambda status: status.get("updates_per_second") == value["updates_per_second"])


def _pass_on(name: str, command: str, value: Any, asked: state.Speed | None) -> dict[str, Any]:
    """Passes the command on, or raises ValueError in one sentence; returns the run's status before it.

    asked: the watch speed asked for just now. To ask for the speed that it has already is no command.
    """
    before = data.reader(name).status()
    kept_to = {"updates_per_second": asked.limit if asked else before.get("updates_per_second")}
    if command == "speed" and value == kept_to:
        return before
    if command == "restart":
        trainers.resume(name)
        if limit := before.get("updates_per_second"):
            trainers.send(name, "speed", {"updates_per_second": limit})
    else:
        trainers.send(name, command, value)
    return before


def _wait(name: str, done: Callable[[dict[str, Any]], bool]) -> None:
    """Waits ANSWER_WITHIN_S at most, so that this refresh shows the effect of the command."""
    until = time.monotonic() + ANSWER_WITHIN_S
    try:
        while time.monotonic() < until and not done(data.reader(name).status()):
            time.sleep(0.03)
    except RunError:
        pass  # the page says what became of the run


def underway(run_state: str) -> str | None:
    """The command that is passed on and has had no effect yet, as a word; None where there is none."""
    watched = state.watched()
    command = watched.underway
    if command is None:
        return None
    target, word = UNDERWAY[command.command]
    ended = run_state == target or run_state in ("finished", "failed", "diverged")
    if ended or time.monotonic() - command.since > UNDERWAY_FOR_S:
        watched.underway = None
        return None
    return f"{word} …"


def refusal(status: dict[str, Any]) -> str:
    """Why the last command was not obeyed, by the page or by the trainer; "" where nothing was refused."""
    complaint = state.watched().complaint
    if complaint is not None and complaint.fresh:
        return complaint.sentence
    return sentence(status["message"]) if status["message"] else ""
