"""The curves of a run: a canvas chart that keeps zoom, legend and hover while rows stream in."""

from dashboard import components

MODULES = ("lib/table", "groups", "rows", "scales", "plot", "legend", "marks", "curves")
mount = components.load("curves", *MODULES)
