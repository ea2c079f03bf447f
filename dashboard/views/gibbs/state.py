"""What the Gibbs page remembers from run to run of its script, and its settings."""

from dataclasses import dataclass, field
from typing import Any

from dashboard.ui.page_state import state_of
from dashboard.ui.settings import Settings
from rbm_core.runs import Snapshot

PLAYER = "gibbs.player"
PLACE = ("frame", "chain", "show", "layer")  # settings without a widget: where in the film the player stands


@dataclass
class Gibbs:
    """taken: the run and the snapshot whose chains are shown, kept while the run goes on training.

    drawing: the pad for a start of the reader's own. opened: whether a film was shown in this tab before. per: how many
    chains a group of the last one had. narrow: whether the window is so narrow that its sidebar is shut at first.
    page_anew: the player asked for a run of the whole page. with_page: the player is being run with the page, not by
    itself. asked, failed: versions of the films whose map and nearest training images the player asked for, and could
    not be made.
    """

    settings: Settings = field(default_factory=lambda: Settings("gibbs"))
    taken: tuple[tuple[str, int], Snapshot] | None = None
    drawing: "Pad" = field(default_factory=lambda: Pad())
    opened: bool = False
    per: int = 1
    narrow: bool = False
    page_anew: bool = False
    with_page: bool = False
    asked: str = ""
    failed: str = ""


@dataclass
class Pad:
    """upload: the hash of the file that was read last. complaint: why the drawing cannot be used, in one sentence.

    version: another one replaces the strokes on the pad. blob: what the pad of this version, with these
    words below it, was first sent.
    """

    version: str = "first"
    upload: str = ""
    complaint: str = ""
    blob: dict[tuple[str, str], bytes] = field(default_factory=dict)


def gibbs() -> Gibbs:
    """This tab's state of the page."""
    return state_of(Gibbs)


def settings() -> Settings:
    """The page's settings in this tab."""
    return gibbs().settings


def use_all(chosen: dict[str, Any]) -> dict[str, Any]:
    """Takes all values as settings, and gives them back."""
    settings().use_all(chosen)
    return chosen
