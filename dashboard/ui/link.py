"""The query parameters of a link: FIELDS gives each its default, its parser and its bounds.

`field("step")` reads a value; `remember("step", 1200)` writes one, so that the URL reproduces the view. A value that
cannot be read is replaced by the default, and `complaints()` returns one sentence about it for the page to show.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dashboard.ui.page_state import state_of


@dataclass(frozen=True)
class Field:
    """One query parameter: `parse` turns its text into a value or raises ValueError naming the bounds."""

    default: Any
    parse: Callable[[str], Any]
    expects: str

    def text(self, value: Any) -> str:
        return ("1" if value else "0") if isinstance(value, bool) else str(value)


def words(default: str = "") -> Field:
    """Any text: a name that is looked up elsewhere."""
    return Field(default, str, "a name")


def choice(default: str, options: Sequence[str]) -> Field:
    def parse(text: str) -> str:
        if text not in options:
            raise ValueError(text)
        return text

    return Field(default, parse, "one of " + ", ".join(options))


def whole(default: int, low: int, high: int) -> Field:
    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError(text)
        return value

    return Field(default, parse, f"a whole number from {low} to {high}")


def number(default: float, low: float, high: float) -> Field:
    def parse(text: str) -> float:
        value = float(text)
        if not (math.isfinite(value) and low <= value <= high):
            raise ValueError(text)
        return value

    return Field(default, parse, f"a number from {low:g} to {high:g}")


def switch(default: bool) -> Field:
    def parse(text: str) -> bool:
        if text not in ("0", "1"):
            raise ValueError(text)
        return text == "1"

    return Field(default, parse, "0 or 1")


def automatic(field: Field) -> Field:
    """The same field with "auto" as its default: the page works the value out."""
    return Field(
        "auto", lambda text: text if text == "auto" else field.parse(text), f"auto or {field.expects}"
    )


def brief(default: str = "") -> Field:
    """Words typed by a reader, at most 200 characters."""

    def parse(text: str) -> str:
        if len(text) > 200:
            raise ValueError(text)
        return text

    return Field(default, parse, "at most 200 characters")


def _step(text: str) -> int | str:
    if text == "live":
        return text
    value = int(text)
    if not 0 <= value < 2**53:
        raise ValueError(text)
    return value


def _base64(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,8192}", text):
        raise ValueError(text)
    return text


def place(word: str) -> Field:
    """A whole number from 0, or `word`, by which the page chooses one."""

    def parse(text: str) -> int | str:
        if text == word:
            return text
        value = int(text)
        if not 0 <= value < 2**31:
            raise ValueError(text)
        return value

    return Field(word, parse, f"{word} or a whole number from 0")


def or_any(field: Field) -> Field:
    """The same field, which takes "any" too."""
    return Field(
        field.default, lambda text: text if text == "any" else field.parse(text), f"any or {field.expects}"
    )


CURVE_GROUPS = (
    "energy",
    "likelihood",
    "reconstruction",
    "weights",
    "activity",
    "labels",
    "layer",
    "ladder",
    "pace",
)
CURVE_AXES = ("step", "epoch", "time")
FILTER_ORDERS = ("index", "norm", "activity", "change", "similarity", "groups")

MODES = 32

GIBBS_STARTS = ("noise", "gaussian", "digits", "particles", "drawing")
GIBBS_SHOWS = ("both", "grid", "one")
GIBBS_LAYERS = ("pv", "v", "ph", "h")

LOOKS = ("unit", "pixel", "image", "drawing", "label")

EVALUATE_CARES = ("1000", "adaptive", "salakhutdinov-murray")

LEARN_MACHINES = ("pair", "3x3", "4x4")
LEARN_METHODS = ("exact", "cd1", "cd10", "pcd")
LEARN_VIEWS = ("distribution", "energies", "hand", "update", "gradients", "landscape")
LESSONS = 24

FIELDS: dict[str, Field] = {
    "run": words(),
    # Train: the moment looked at, and how it is drawn.
    "step": Field("live", _step, "live or a step"),
    "curves": choice("energy", CURVE_GROUPS),
    "axis": choice("step", CURVE_AXES),
    "sort": choice("index", FILTER_ORDERS),
    # The two modes of the weights on which data and fantasies are projected.
    "mode": whole(1, 1, MODES),
    "mode2": whole(2, 1, MODES),
    # Gibbs: the chains and where they begin.
    "start": choice("noise", GIBBS_STARTS),
    "particles_of": words(),
    "digit": choice("any", ("any", *map(str, range(10)))),
    # Gibbs: the label that is held, or "any"; Inspect: the label whose weights are shown.
    "label": or_any(whole(0, 0, 254)),
    "chains": whole(25, 1, 100),
    "sweeps": whole(200, 1, 2000),
    "drawing": Field("", _base64, "a picture as base64"),
    "held": Field("", _base64, "pixels as base64"),
    "corrupt": whole(0, 0, 100),
    "temperature": number(1.0, 0.05, 20.0),
    "hot": number(0.0, 0.0, 20.0),
    "rule": choice("sample", ("sample", "mean")),
    "seed": whole(7, 0, 2**32 - 1),
    "beside": choice("nothing", ("nothing", "ages", "whatif", "ladder")),
    "rounds": whole(200, 10, 2000),
    "fork": whole(0, 0, 2000),
    "if_temperature": number(1.5, 0.05, 20.0),
    "if_seed": switch(False),
    "if_step": Field("same", lambda text: text if text == "same" else _step(text), "same or a step"),
    # Gibbs: what of the film is looked at. A film of S sweeps has frames 0 to 2S. These four stand last among Gibbs's
    # fields: the player writes them too, see components/lib/link.js.
    "frame": whole(0, 0, 4000),
    "chain": whole(1, 1, 200),
    "show": choice("both", GIBBS_SHOWS),
    "layer": choice("pv", GIBBS_LAYERS),
    # Inspect: what is opened.
    "look": choice("unit", LOOKS),
    "unit": place("strongest"),
    "pixel": place("middle"),
    "image": place("first"),
    # Evaluate: what is asked, how carefully, and the evaluation that is shown.
    "estimator": words("bracket"),
    "care": choice("salakhutdinov-murray", EVALUATE_CARES),
    "evaluation": words(),
    # Compare: the words searched, the order, the runs compared (names joined by commas), and how the curve is drawn.
    "find": brief(),
    "order": words("newest"),
    "runs": words(),
    "metric": words(),
    "smooth": number(0.0, 0.0, 0.98),
    "log": switch(False),
    # Learn: the lesson, the tiny machine, how it learns, and where in its learning one looks.
    # View, update and guess stand last: the player writes them too, see components/lib/link.js.
    "lesson": whole(1, 1, LESSONS),
    "machine": choice("pair", LEARN_MACHINES),
    "method": choice("exact", LEARN_METHODS),
    "hidden": automatic(whole(1, 1, 12)),
    "rate": automatic(number(0.5, 0.01, 5.0)),
    "view": choice("distribution", LEARN_VIEWS),
    "update": whole(0, 0, 2000),
    # The option predicted in the lesson, from 1; 4 where the reader only wanted to see.
    "guess": whole(0, 0, 4),
}


@dataclass
class _Complaints:
    sentences: tuple[str, ...] = ()


def complaints() -> tuple[str, ...]:
    """The sentences about unreadable values met since the script started; reading empties the list."""
    state = state_of(_Complaints)
    sentences, state.sentences = state.sentences, ()
    return sentences


@dataclass
class _Written:
    """What this tab wrote into its link and the browser may not have heard of yet.

    now: what each parameter says now, None where it is left out. before: all that it said since the browser was last
    known to have heard. run, page: the run of a page's script that wrote last.
    """

    now: dict[str, str | None] = dataclass_field(default_factory=dict)
    before: dict[str, set[str | None]] = dataclass_field(default_factory=dict)
    run: object = None
    page: str = ""


def query() -> dict[str, str]:
    """The link's parameters as text.

    A question that the browser asked before it heard of a new link brings the one of before, and often comes right
    after what changed it: a stroke that ended, a number that was typed. So what was written holds until the browser
    is known to have heard of it, was led elsewhere, or goes back.
    """
    said, written, context = st.query_params.to_dict(), state_of(_Written), get_script_run_ctx()
    if context is None or context.cursors is written.run:
        return said
    for key, now in list(written.now.items()):
        if (
            context.is_history_navigation
            or context.page_script_hash != written.page
            or said.get(key) not in written.before[key]
        ):
            del written.now[key], written.before[key]
        elif now is None:
            said.pop(key, None)
        else:
            said[key] = now
    return said


def _write(after: dict[str, str]) -> None:
    """Makes these the link's parameters."""
    before, written, context = query(), state_of(_Written), get_script_run_ctx()
    for key in before.keys() | after.keys():
        if before.get(key) != after.get(key):
            written.now[key] = after.get(key)
            written.before.setdefault(key, set()).add(before.get(key))
            written.before[key].discard(after.get(key))
    if context is not None:
        written.run, written.page = context.cursors, context.page_script_hash
    st.query_params.from_dict(after)


def only(values: Mapping[str, Any]) -> None:
    """Makes a link of these values and nothing else."""
    _write({key: FIELDS[key].text(value) for key, value in values.items()})


def field(key: str) -> Any:
    """The value in the URL, or the default where there is none or it cannot be read."""
    spec = FIELDS[key]
    text = query().get(key)
    if text is None:
        return spec.default
    try:
        return spec.parse(text)
    except ValueError:
        return _fallen_back(key, text, spec.expects, spec.default)


def among(key: str, options: Sequence[str], otherwise: str) -> str:
    """The value in the URL if it is one of the options that the page has now; `otherwise` where there is none."""
    value = field(key)  # leaves out of the link what cannot be read
    if key not in query():
        return otherwise
    return value if value in options else _fallen_back(key, value, "one of " + ", ".join(options), otherwise)


def _fallen_back(key: str, text: str, expects: str, instead: Any) -> Any:
    sentence = f"The link says {key}={text[:40]!r}, but {key} must be {expects}; showing {instead!r}."
    state_of(_Complaints).sentences += (sentence,)
    _write({name: text for name, text in query().items() if name != key})
    return instead


def remember(key: str, value: Any) -> None:
    """Write the value into the URL; the default is left out, so that links stay short."""
    remember_all({key: value})


def remember_all(values: Mapping[str, Any]) -> None:
    """Write the values into the URL in one step of the browser's history; a link that says them already stays.

    Streamlit makes a history entry of every change of the query: two values written one after the other would cost
    a reader two presses of Back. For the same reason nothing is written by the run of the page that Back or Forward
    causes: a value kept by the page would be a new entry, from which Back leads to where it was pressed.
    The parameters stand in the order of FIELDS, so that equal views have equal links.
    """
    if gone_back():
        return
    before = query()
    after = dict(before)
    for key, value in values.items():
        spec = FIELDS[key]
        if _meant(key, before) == value:
            continue
        if value == spec.default:
            del after[key]
        else:
            after[key] = spec.text(value)
    if after != before:
        known = {key: after[key] for key in FIELDS if key in after}
        _write({**known, **after})


def _meant(key: str, query: Mapping[str, str]) -> Any:
    """The value that this query gives the field; None where its text cannot be read."""
    if key not in query:
        return FIELDS[key].default
    try:
        return FIELDS[key].parse(query[key])
    except ValueError:
        return None


def can_say(key: str, value: Any) -> bool:
    """Whether a link can give the field this value: for values that came from elsewhere."""
    return bool(_meant(key, {key: FIELDS[key].text(value)}) == value)


def bound(page: str, key: str, value: Any = None) -> dict[str, Any]:
    """`key=` and `on_change=` of a widget of `page` that shows this field of the link, and writes into it.

    value: what the widget shows, where that is not simply `field(key)`.
    """
    widget = f"{page}.{key}"
    st.session_state[widget] = field(key) if value is None else value
    return {"key": widget, "on_change": lambda: remember(key, st.session_state[widget])}


def gone_back() -> bool:
    """Whether the browser's Back or Forward caused this run of the page.

    The link then decides alone: what a page keeps beside it is dropped at the page's beginning, as
    `Settings.follow_link` does, and nothing is written into it.
    """
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation
