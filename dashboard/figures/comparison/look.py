"""The look of a run's line: each run has a colour and a dash of its own, by its place among those compared."""

from dashboard.figures import plotly_look

COLOURS = ("blue", "vermillion", "green", "purple", "orange", "sky", "yellow", "grey")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid", "dash")
MOST_RUNS = len(COLOURS)


def colour_of(place: int, dark: bool) -> str:
    """The colour of the run at this place, from 0, on this ground."""
    return plotly_look.lines(dark)[COLOURS[place % MOST_RUNS]]


def dash_of(place: int) -> str:
    return DASHES[place % MOST_RUNS]
