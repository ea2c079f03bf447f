"""What the Inspect page remembers."""

from dataclasses import dataclass, field

from dashboard.ui.settings import Settings


@dataclass
class Inspect:
    """settings: what is opened. images_page: which page of the images to pick from is shown, from 0.

    pad: what the pad was first sent, and for which size of image. complaint: why a drawing cannot be used.
    """

    settings: Settings = field(default_factory=lambda: Settings("inspect"))
    images_page: int = 0
    pad: tuple[tuple[int, int], bytes] | None = None
    complaint: str = ""
