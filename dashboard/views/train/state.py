"""What the Train page remembers in a browser tab: about the run that it shows, and about presses of its buttons."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import streamlit as st

from dashboard.components.messages import heard
from dashboard.processes import timelapse
from dashboard.ui.answers import Answer
from dashboard.ui.page_state import state_of
from rbm_core import doctor

SPEEDS = {"1/s": 1.0, "10/s": 10.0, "100/s": 100.0, "full speed": None}
"""The watch speeds, in updates a second, by the words on their buttons."""

CHANGE, CHANGE_WHAT = "train.change", "train.change_what"
"""The keys of the form that changes a setting while the run trains, and of the setting chosen in it."""

DOCTOR = "train.doctor_report"
"""The key of the doctor's report, open or closed."""

TIMELINE = "train.timeline"
"""The key of the time slider, through which the browser also tells of presses and asks for an export."""


@dataclass(frozen=True)
class Underway:
    """A command passed on at `since` (time.monotonic()) whose effect the run's state does not show yet."""

    command: str
    since: float


@dataclass(frozen=True)
class Speed:
    """A watch speed asked for at `since` (time.monotonic()): updates a second, or None for full speed."""

    limit: float | None
    since: float


@dataclass(frozen=True, eq=False)
class Order:
    """The hidden units, (n,) int64, sorted by `sort` from the state with the key `made`, a model of n_hidden units."""

    sort: str
    n_hidden: int
    units: np.ndarray
    made: str


@dataclass(frozen=True)
class Examination:
    """What the doctor found at `at` (time.monotonic()), and each finding in words for the page.

    caption: the same of the fantasies, for their curve.
    """

    at: float
    findings: list[doctor.Finding]
    words: list[str]
    caption: str


@dataclass
class Change:
    """The open form that changes a setting while the run trains.

    begun: the value that each setting had when the reader first chose it. made: how many settings have been changed.
    sent: how many had been when the reader's own change was passed on; None before that.
    """

    begun: dict[str, float] = field(default_factory=dict)
    made: int = 0
    sent: int | None = None


@dataclass
class Watched:
    """What the page remembers while it shows one run."""

    run: str | None = None
    alive: bool = False  # when the page was last run as a whole, which sets how often it is refreshed

    period: float = 0.0  # seconds between two refreshes, as the page was last run
    told: str = ""  # the group of curves that the words below them are about

    step: int | str = "live"  # where the time slider stands
    moved_at: float = 0.0  # time.monotonic() of the slider's last move
    answers: str | None = None  # the name of the move that this refresh answers
    frames_wanted: bool = False  # the browser asks for the timelapse that plays by itself

    sort: str = "index"
    order: Order | None = None
    base: str = (
        "0"  # "since 1200": the filters show what changed since step 1,200; "0": they show the weights
    )
    unit_to_inspect: int | None = None

    away: list[str] = field(default_factory=list)  # the pictures out of sight, as the browser said last
    made_at: dict[str, float] = field(default_factory=dict)  # time.monotonic() of pictures made out of sight

    curves_sent: tuple[str, int] | None = None  # version of the rows that the tab has, and their number
    examination: Examination | None = None

    underway: Underway | None = None
    speed: Speed | None = None
    complaint: Answer | None = None
    change: Change | None = None

    export: timelapse.Export | None = None
    export_wanted: bool = False  # the browser asks for the finished file
    export_refused: dict[str, Any] | None = None  # of an export that could not begin: its number, and why


@dataclass
class Train:
    """The page's state. presses: the browser's names of the last presses obeyed, oldest first; "" has none."""

    watched: Watched = field(default_factory=Watched)
    presses: list[str] = field(default_factory=list)


def page() -> Train:
    return state_of(Train)


def watched() -> Watched:
    """What the page remembers about the run that it shows."""
    return state_of(Train).watched


def change_key(setting: str) -> str:
    """The key of the field for this setting's new value."""
    return f"{CHANGE}_{setting}"


def wish() -> dict[str, Any] | None:
    """What the open form is to change: {"name", "value"}, as its fields stand now; None where it is shut."""
    what = st.session_state.get(CHANGE_WHAT)
    value = st.session_state.get(change_key(str(what)))
    return None if value is None else {"name": what, "value": int(value) if what == "k" else value}


def said(message: str) -> Any:
    """What the time slider's view in the browser sent last under this name; None where it sent nothing yet."""
    return heard(TIMELINE, message)
