"""Plotly figures on pages at rest, and the tables behind them, to look at and to take away."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import streamlit as st

from dashboard.figures import plotly_look


def is_dark() -> bool:
    """Whether the reader's page is dark."""
    return st.context.theme.type == "dark"


def choose_format() -> None:
    """What the camera button of every chart writes."""
    if "camera" not in st.session_state:
        st.session_state.camera = plotly_look.CAMERAS[0]
    st.segmented_control(
        "Charts save as",
        list(plotly_look.CAMERAS),
        key="camera",
        required=True,
        format_func=str.upper,
        help="What the camera button of a chart writes: SVG stays sharp at any size, PNG goes anywhere.",
    )


def chart(figure: Any, key: str, alt: str) -> None:
    """A figure whose camera button saves it as `key` in the format chosen; alt is read out to the blind."""
    camera = st.session_state.get("camera", plotly_look.CAMERAS[0])
    st.plotly_chart(figure, key=key, config=plotly_look.config(camera, key), alt=alt)


def table_button(
    label: str, file: str, head: Sequence[str], rows: Callable[[], Iterable[Sequence[Any]]]
) -> None:
    """A button that saves a table as CSV, made only when it is pressed."""

    def text() -> str:
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(head)
        writer.writerows(rows())
        return out.getvalue()

    st.download_button(
        f"{label} as CSV",
        text,
        file_name=f"{file}.csv",
        mime="text/csv",
        icon=":material/table:",
        on_click="ignore",
        key=f"csv-{file}",
    )
