"""A mosaic of small images on one common scale: filters of hidden units, or fantasy particles."""

from dashboard import components

MODULES = ("lib/scale", "lib/table", "tiles", "controls", "card", "mosaic")
mount = components.load("mosaic", *MODULES)
