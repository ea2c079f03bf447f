"""What the form remembers beside the values of its widgets."""

from dataclasses import dataclass, field
from typing import Any

from dashboard.ui.page_state import state_of


@dataclass
class NewRun:
    """folded: the settings made in each preset's folded part, which outlive its widgets. error: why Start failed."""

    folded: dict[str, dict[str, Any]] = field(default_factory=dict)
    error: str | None = None


def state() -> NewRun:
    return state_of(NewRun)


def key(widget: str) -> str:
    """The key of one of the form's widgets."""
    return f"new.{widget}"
