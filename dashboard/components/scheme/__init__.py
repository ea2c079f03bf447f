"""Nothing to be seen: tells the page when the reader's colours are no longer those that it was drawn in."""

from dashboard import components

mount = components.load("scheme", "scheme")
