"""The curves of a run: a canvas chart that keeps zoom, legend and hover while rows stream in."""

from dashboard import components

mount = components.load("curves", "groups", "rows", "scales", "plot", "legend", "marks", "curves")
