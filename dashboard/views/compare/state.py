"""What the Compare page remembers."""

from dataclasses import dataclass


@dataclass
class Compare:
    """ticked: the runs compared, None until the page has proposed some. message: a sentence to show once, and whether
    it tells of an error.
    """

    ticked: list[str] | None = None
    message: str = ""
    failed: bool = False
