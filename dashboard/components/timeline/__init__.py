"""The time slider of a run: every kept snapshot, the newest state, and the film of them all."""

from dashboard import components

mount = components.load("timeline")
