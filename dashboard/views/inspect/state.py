"""What the Inspect page remembers."""

from dataclasses import dataclass, field

from dashboard.ui import link


@dataclass
class Inspect:
    """kept: what was opened last. images_page: which page of the images to pick from is shown, from 0."""

    kept: link.Kept = field(default_factory=link.Kept)
    images_page: int = 0
