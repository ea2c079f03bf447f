"""One image of cells on a colour scale: weights of a pixel over units, an image, or a sequence of either."""

from dashboard import components

mount = components.load("cellmap", "lib/scale", "lib/table", "charts", "cellmap")
