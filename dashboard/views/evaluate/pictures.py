"""The pictures for which an evaluation has numbers, each with its meaning."""

from typing import Any

import numpy as np
import streamlit as st

from dashboard.figures import animation, samples
from dashboard.figures import likelihood as figures
from dashboard.processes import evaluators
from dashboard.ui.about import about
from dashboard.ui.charts import chart, file_name, is_dark
from dashboard.views.evaluate import texts
from rbm_core.runs import RunError

SHEET, SHEET_WIDTH = 16, 108  # samples on each sheet, and its width in css pixels
TIMES = (0, 1, 100, 1000, 10_000, 100_000)  # sweeps after which samples are shown, beside the k of training


def draw(run: str, config: dict[str, Any], one: dict[str, Any], key: str) -> None:
    """The figures of the evaluation, two to a row, then its samples."""
    drawn = list(figures.available(one, config.get("k"), is_dark()).items())
    for first in range(0, len(drawn), 2):
        for column, (what, figure) in zip(st.columns(2), drawn[first : first + 2], strict=False):
            words = figures.WORDS[what]
            with column.container(border=True):
                chart(figure, f"{key}-{what}", words.caption, file_name(run, texts.file_words(one), what))
                st.caption(words.caption)
                about(words.picture, words.text, formula=words.formula, source=words.source)
    if one["estimator"] == "mixing" and one["state"] == "finished":
        sampled(run, one, int(config.get("k", 1)))


def sampled(run: str, one: dict[str, Any], k: int) -> None:
    """Samples from noise at growing sampling times, as rows of small images."""
    try:
        v, times = evaluators.images(run, one["id"])
    except (RunError, OSError, KeyError, TypeError):
        return  # drawn by a version that kept none, or on a run that lost its description
    wanted = [t for t in sorted({*TIMES, k}) if t in times]
    sheets = [samples.sheet(v[times.index(t)][:SHEET]) for t in wanted]
    with st.container(border=True):
        st.markdown("**Samples against sampling time**")
        with st.container(horizontal=True):
            for t, sheet in zip(wanted, sheets, strict=True):
                with st.container(width=SHEET_WIDTH):
                    st.image(sheet.repeat(3, 0).repeat(3, 1), width="stretch", output_format="PNG")
                    st.caption(texts.sweeps(t, k))
        st.caption(
            "The same sixteen chains from noise. A good model's samples get better with time and stay varied; if "
            "they turn blank or all alike long after k sweeps, the digits at k were an accident of the start."
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            about(
                "the samples",
                "Chains begin at noise and make Gibbs sweeps with the finished model. Training only ever looks as far "
                "as its own chains run; what comes after is the model's own, and only it counts for the likelihood.",
                formula=r"h^{(t)} \sim p(h \mid v^{(t)}), \qquad v^{(t+1)} \sim p(v \mid h^{(t)})",
                source=figures.WORDS["mixing"].source,
            )
            words = ", ".join(texts.sweeps(t, k) for t in wanted)
            save_sheets(run, one, sheets, words)


def save_sheets(run: str, one: dict[str, Any], sheets: list[np.ndarray], words: str) -> None:
    caption = f"{run}, step {one['step']:,}, seed {texts.seed(one)}: from noise, {words}"
    st.download_button(
        ":small[These samples as PNG]",
        lambda: animation.picture(samples.beside(sheets), caption),
        file_name(run, texts.file_words(one), "samples") + ".png",
        "image/png",
        icon=":material/image:",
        type="tertiary",
        on_click="ignore",
        key="csv-samples",
    )
