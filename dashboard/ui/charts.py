"""Plotly figures on a page, the format in which they are saved, and the tables behind them."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard.figures import plotly_look
from dashboard.ui import run_choice
from dashboard.ui.page_state import state_of

_CAMERA = "charts.camera"


@dataclass
class _Charts:
    camera: str = plotly_look.CAMERAS[0]


def is_dark() -> bool:
    """Whether the reader's page is dark."""
    return st.context.theme.type == "dark"


def choose_format() -> None:
    """What the camera button of every chart writes; stands in the sidebar of pages that have charts."""
    # Streamlit forgets the control's value on pages without it, and would draw it with nothing chosen afterwards.
    st.session_state[_CAMERA] = state_of(_Charts).camera
    st.sidebar.segmented_control(
        "Charts save as",
        list(plotly_look.CAMERAS),
        key=_CAMERA,
        required=True,
        format_func=str.upper,
        on_change=lambda: setattr(state_of(_Charts), "camera", st.session_state[_CAMERA]),
        help="What the camera button above a chart writes: SVG stays sharp at any size, PNG goes anywhere. "
        "The other pictures have their own PNG and CSV buttons.",
    )


def chart(figure: Any, key: str, alt: str, file: str = "") -> None:
    """A figure whose camera button saves it as `file`, or as its key, in the format chosen.

    alt says in one sentence what it shows, for those who cannot see it.
    """
    camera = state_of(_Charts).camera
    if run_choice.table() is not None:
        figure, alt = plotly_look.worded(figure, run_choice.said), run_choice.said(alt)
    st.plotly_chart(figure, key=key, config=plotly_look.config(camera, file or key), alt=alt)


def file_name(*parts: object) -> str:
    """`mnist-default-step-66000-energy`: the parts that are not empty, in characters that every file system takes."""
    return "-".join(re.sub(r"[^\w.-]+", "-", str(part)) for part in parts if part not in (None, ""))


def plain_number(digits: int) -> Callable[[float | None], str]:
    """How a table writes numbers: a true minus, commas at thousands, and a dash where there is none."""
    return lambda x: "–" if x is None or x != x else f"{x:,.{digits}f}".replace("-", "−")


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
        f":small[{label} as CSV]",
        text,
        file_name=f"{file}.csv",
        mime="text/csv",
        icon=":material/table:",
        type="tertiary",
        on_click="ignore",
        key=f"csv-{file}",
    )
