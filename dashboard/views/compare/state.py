"""What the Compare page remembers."""

from dataclasses import dataclass

from dashboard.ui.answers import Answer


@dataclass
class Compare:
    """ticked: the runs compared, None until the page has proposed some. changed: what became of the last change."""

    ticked: list[str] | None = None
    changed: Answer | None = None
