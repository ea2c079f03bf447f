"""What the components' views in the browser send: the one door through which the pages hear it.

A browser tab can be made to send anything, so a message is a stranger's. `heard` gives it as its name's shape below, or
None where it is something else. Whether a number lies in a film, or a word among the choices of a page, is the page's
to check.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NotRequired

import streamlit as st
from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic takes no other before Python 3.12

Whole = Annotated[int, Field(ge=0, lt=2**53)]
Word = Annotated[str, Field(max_length=200)]
Base64 = Annotated[str, Field(max_length=30_000, pattern=r"^[A-Za-z0-9+/_-]*={0,2}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class At(TypedDict):
    """A move of the time slider: to a step, or to the newest state. nonce: the move's name."""

    step: Whole | Literal["live"]
    nonce: Word


class Press(TypedDict):
    """A press of one of the Train page's buttons: the run that it commands, its command, and the press's own name."""

    run: Word
    command: Word
    name: Word


class View(TypedDict):
    """The group of curves shown, and their axis."""

    group: Word
    axis: Word


class Export(TypedDict):
    """A wish for an animation or a still (subject, format, number), for the finished file (take), or its receipt (got).

    step: of the still; without it the newest state.
    """

    subject: NotRequired[Word]
    format: NotRequired[Word]
    step: NotRequired[Whole]
    number: NotRequired[Whole]
    take: NotRequired[Whole]
    got: NotRequired[Whole]


class Place(TypedDict):
    """Where in a Gibbs film its player stands; the chain is counted from 1."""

    frame: Whole
    chain: Whole
    show: Word
    layer: Word


class LearnMoment(TypedDict):
    """What the player of the Learn page shows, at which update; and what was predicted, which a network says alone."""

    view: NotRequired[Word]
    at: NotRequired[Whole]
    guess: Whole


SHAPES: dict[str, Any] = {
    "at": At,  # the time slider
    "away": Annotated[list[Word], Field(max_length=16)],  # the names of the pictures out of sight
    # Those that the app has not answered, oldest first.
    "press": Annotated[list[Press], Field(max_length=16)],
    "export": Export,
    "view": View,  # the curves
    "open": Whole,  # the unit, pixel or image that was clicked
    "sort": Word,
    "base": Word,
    "modes": Annotated[list[Whole], Field(min_length=2, max_length=2)],  # of the spectrum, counted from 1
    "moment": Whole | LearnMoment,  # where a timelapse, or the player of the Learn page, came to rest
    "done": Finite,  # the nonce of the command that the player does
    "fork": Whole,  # the sweep at which the chains fork
    "place": Place,
    "rest": Word,  # the version of the film whose map is wanted
    "slim": bool,  # whether the window is narrow
    "picture": Base64,
    "held": Base64,
}
_READERS = {name: TypeAdapter(shape) for name, shape in SHAPES.items()}


def heard(key: str, name: str) -> Any:
    """The last message `name` of the component `key` in its shape; None where there is none, or it has another."""
    said = st.session_state.get(key)
    return taken(name, said.get(name)) if isinstance(said, Mapping) else None


_TAKEN_UP = "components.taken_up"  # session state: (component key, name) → the message taken up last


def take_up(key: str, name: str, take: Callable[[Any], None]) -> None:
    """Gives the last message `name` of the component `key` to `take`, once: from the page, not from a callback.

    For what the browser says and goes on saying, such as a picture that was drawn. Streamlit ends a callback half-way
    where the browser has asked again meanwhile, and the next run finds nothing changed; a page is run again whole.
    """
    said, last = heard(key, name), st.session_state.setdefault(_TAKEN_UP, {})
    if said is not None and last.get((key, name)) != said:
        take(said)
        last[key, name] = said


def taken(name: str, message: object) -> Any:
    """The message as the shape of its name, without what the shape does not know; None where it has another."""
    try:
        return _READERS[name].validate_python(message, strict=True)
    except ValidationError:
        return None
