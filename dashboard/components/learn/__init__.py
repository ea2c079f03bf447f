"""A tiny machine learning: its distribution, one update in slow motion, gradients, the energy landscape."""

from dashboard import components

mount = components.load("learn", "learn")
