"""The time slider of a run: every kept snapshot, the newest state, and playing through them all."""

from dashboard import components

mount = components.load("timeline", "presses", "saving", "timeline")
