"""The time slider of a run: every kept snapshot, the newest state, and playing through them all."""

from dashboard import components

MODULES = ("presses", "saving", "landing", "sight", "timeline")
mount = components.load("timeline", *MODULES)
