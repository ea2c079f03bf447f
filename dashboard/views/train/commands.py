"""Commands from the page's buttons to the trainer, and what the page says until they show their effect."""

import time
from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard import data
from dashboard.processes import trainers
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
COMPLAINT_FOR_S = 8.0  # long enough to be read on a page that refreshes twice a second
PRESSES_KEPT = 16  # more presses than anyone makes between two refreshes


def key_of(command: str, value: dict[str, Any] | None) -> str:
    """The key of the command's button; the time slider's view finds the buttons by it."""
    return f"train.do_{_button(command, value)}"


def _button(command: str, value: dict[str, Any] | None) -> str:
    """The browser's name for the command's button."""
    return f"{command}_{value['n'] if value else ''}"


def pressed(name: str, command: str, value: Any) -> None:
    """A button was pressed. Streamlit may send one press twice: the browser names each, and a name is obeyed once."""
    page = state.page()
    press = (state.said("press") or {}).get(_button(command, value))
    if press is None or press not in page.presses:
        page.presses = [*page.presses, press][-PRESSES_KEPT:]
        send(name, command, value)


def send(name: str, command: str, value: Any) -> None:
    """Passes the command on; a command that cannot be obeyed costs a sentence on the page."""
    watched = state.watched()
    try:
        before = data.reader(name).status()
        if command == "restart":
            trainers.resume(name)
            if limit := before.get("updates_per_second"):
                trainers.send(name, "speed", {"updates_per_second": limit})
        else:
            trainers.send(name, command, value)
    except ValueError as error:
        complain(error)
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
        _wait(name, lambda status: status.get("updates_per_second") == value["updates_per_second"])


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


def complain(error: object) -> None:
    """Shows for COMPLAINT_FOR_S what could not be done."""
    state.watched().complaint = state.Complaint(sentence(error), time.monotonic())


def show_complaint() -> None:
    if said := _complaint():
        st.error(said)


def _complaint() -> str:
    complaint = state.watched().complaint
    fresh = complaint is not None and time.monotonic() - complaint.since < COMPLAINT_FOR_S
    return complaint.sentence if complaint is not None and fresh else ""


def refusal(status: dict[str, Any]) -> str:
    """Why the last command was not obeyed, by the page or by the trainer; "" where nothing was refused."""
    return _complaint() or (sentence(status["message"]) if status["message"] else "")
