"""A mosaic of small images on one common scale: filters of hidden units, or fantasy particles."""

from dashboard import components

mount = components.load("mosaic", "lib/scale", "tiles", "controls", "card", "mosaic")
