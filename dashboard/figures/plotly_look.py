"""The look of all Plotly figures, and how their camera button saves them."""

from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go

from dashboard.figures import palette

CAMERAS = ("svg", "png")


def lines(dark: bool) -> dict[str, str]:
    """The line colours that are legible on a dark or a light page."""
    return palette.LINES_DARK if dark else palette.LINES_LIGHT


def ink(dark: bool) -> str:
    return "#E4E9EE" if dark else "#1F2933"


def paper(dark: bool) -> str:
    """The page's background. A saved figure keeps it, since pale lines would not be seen on white."""
    return "#11161C" if dark else "#FFFFFF"


def soft(colour: str, share: float) -> str:
    """The colour, `share` of it opaque."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share:g})"


def dress(figure: go.Figure, dark: bool, height: int, **layout: Any) -> go.Figure:
    """Sets paper, grid, margins and title of the figure, and returns it; `layout` is set last."""
    grid = soft(ink(dark), 0.14)
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 34, "b": 8},
        paper_bgcolor=paper(dark),
        plot_bgcolor=paper(dark),
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": soft(ink(dark), 0.55), "activecolor": ink(dark)},
        font={"color": ink(dark), "size": 13},
        hoverlabel={"font": {"size": 13}},
        showlegend=False,
        title={
            "font": {"size": 16, "weight": 600},
            "x": 0,
            "xref": "container",
            "y": 0.985,
            "yanchor": "top",
        },
    )
    for axis in (figure.update_xaxes, figure.update_yaxes):
        axis(gridcolor=grid, zerolinecolor=grid, automargin=True, title={"font": {"size": 13}})
    figure.update_layout(**layout)
    return figure


def config(camera: str, file: str) -> dict[str, Any]:
    """Plotly's config: few buttons, and a camera that saves `file` in this format at the size shown."""
    return {
        "displaylogo": False,
        "modeBarButtonsToRemove": [
            "select2d",
            "lasso2d",
            "autoScale2d",
            "zoom2d",
            "pan2d",
            "zoomIn2d",
            "zoomOut2d",
        ],
        "toImageButtonOptions": {"format": camera, "filename": file, "scale": 1 if camera == "svg" else 3},
    }


def worded(figure: go.Figure, said: Callable[[str], str]) -> go.Figure:
    """The figure with `said` of its titles, notes and names in place of them."""
    layout = figure.layout
    texts = [layout.title, layout.xaxis.title, layout.yaxis.title, *layout.annotations]
    for part in texts:
        if part.text:
            part.text = said(part.text)
    for trace in figure.data:
        for name in ("name", "hovertemplate"):
            if isinstance(getattr(trace, name, None), str):
                setattr(trace, name, said(getattr(trace, name)))
    return figure
