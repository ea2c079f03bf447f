"""The pictures for which an evaluation has numbers, each with its meaning."""

from typing import Any

import plotly.graph_objects as go
import streamlit as st

from dashboard import data
from dashboard.figures import likelihood as figures
from dashboard.figures.likelihood_words import WORDS
from dashboard.ui.about import about
from dashboard.ui.charts import chart, file_name, is_dark
from dashboard.views.evaluate import equilibrium, texts
from rbm_core.runs import RunError


def draw(run: str, config: dict[str, Any], one: dict[str, Any], key: str) -> None:
    """The figures of the evaluation, two to a row, then its samples."""
    drawn = [*along(run, one), *figures.available(one, config.get("k"), is_dark()).items()]
    for first in range(0, len(drawn), 2):
        for column, (what, figure) in zip(st.columns(2), drawn[first : first + 2], strict=False):
            words = WORDS[what]
            with column.container(border=True):
                chart(figure, f"{key}-{what}", words.caption, file_name(run, texts.file_words(one), what))
                st.caption(words.caption)
                about(words.picture, words.text, formula=words.formula, source=words.source, place=key)
    if one["estimator"] == "mixing" and one["state"] == "finished":
        equilibrium.draw(run, one, int(config.get("k", 1)), key)


def along(run: str, one: dict[str, Any]) -> list[tuple[str, go.Figure]]:
    """The ladder's log Z over the training, with what annealing or counting found at the run's snapshots."""
    if not one.get("along"):
        return []
    try:
        rows = data.reader(run).likelihood()
    except RunError:
        rows = []  # a damaged record: the page says so elsewhere
    others = [
        row
        for row in rows
        if row.get("estimator") in figures.ELSEWHERE
        and texts.is_number(row.get("log_z"))
        and texts.is_number(row.get("stderr"))
    ]
    return [("along", figures.along(one["along"], others, is_dark()))]
