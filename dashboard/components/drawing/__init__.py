"""A pad on which a start is drawn, or the pixels are marked that a chain must not change."""

from dashboard import components

mount = components.load("drawing", "brush", "drawing")
