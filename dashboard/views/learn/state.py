"""What the Learn page remembers from run to run of its script."""

from dataclasses import dataclass, field
from typing import Any

from dashboard.ui.page_state import state_of
from dashboard.ui.settings import Settings

SET_HERE = (
    "lesson",
    "machine",
    "method",
    "hidden",
    "rate",
    "seed",
)  # settings with a widget or a button of the page
PLAYER, NETWORK = "learn.player", "learn.network"


@dataclass
class Learn:
    """`command`: what the player or the network is to do next, until it has done it; see lessons.Lesson.

    guesses: by lesson, the option that was predicted, from 1. The player writes the guess of the open lesson into the
    link when it comes to rest, without a step of the browser's history. opened: whether this tab has shown the page.
    """

    settings: Settings = field(default_factory=lambda: Settings("learn"))
    command: dict[str, Any] | None = None
    guesses: dict[int, int] = field(default_factory=dict)
    opened: bool = False


def learn() -> Learn:
    """This tab's state of the page."""
    return state_of(Learn)
