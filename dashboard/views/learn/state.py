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
PLAYER = "learn.player"


@dataclass
class Learn:
    """`command`: what the player is to do next, until it has done it; see lessons.Lesson."""

    settings: Settings = field(default_factory=lambda: Settings("learn"))
    command: dict[str, Any] | None = None


def learn() -> Learn:
    """This tab's state of the page."""
    return state_of(Learn)
