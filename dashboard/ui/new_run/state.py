"""What the form remembers beside the values of its widgets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dashboard.ui.answers import Answer
from dashboard.ui.page_state import state_of


@dataclass(frozen=True)
class Proposal:
    """A new run that something on the page advises: the settings of `run` but for `changes`.

    step: the snapshot whose weights it starts from; None: new weights.
    """

    run: str
    changes: Mapping[str, Any]
    step: int | None


@dataclass(frozen=True)
class Begins:
    """What a button of the page last began the form with. number: forms are counted, see `key_here`. open: None until
    it is known whether there is a run.
    """

    number: int = 0
    preset: str = "quick"
    open: bool | None = None
    fork: bool = False
    proposal: Proposal | None = None


@dataclass
class NewRun:
    """folded: the settings made in each preset's folded part, which outlive its widgets. refusal: why Start failed.

    looked: what files of one's own were last found to hold. seen: what was last made of them, by which choices. kept:
    the name of the data that were brought in last, and what they are. not_kept: why they could not be. opened: how
    often the place to drop files was opened or closed.
    """

    folded: dict[str, dict[str, Any]] = field(default_factory=dict)
    refusal: Answer | None = None
    begins: Begins = Begins()
    looked: tuple[Any, Any] = (None, None)
    seen: tuple[Any, Any] = (None, None)
    kept: tuple[str, str] | None = None
    not_kept: Answer | None = None
    opened: int = 0

    def proposed(self, run: str | None) -> Proposal | None:
        """The proposal, if it is one for this run."""
        asked = self.begins.proposal
        return asked if asked is not None and asked.run == run else None


def state() -> NewRun:
    return state_of(NewRun)


def key(widget: str) -> str:
    """The key of one of the form's widgets."""
    return f"new.{widget}"


def key_here(widget: str) -> str:
    """The key of a widget that belongs to one form alone: the next one that a button begins has another."""
    number = state().begins.number
    return key(f"{widget}_{number}" if number else widget)
