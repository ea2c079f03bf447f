"""Samples against sampling time: their second moments and the samples themselves, of a run and others beside it."""

from typing import Any

import numpy as np
import streamlit as st

from dashboard import data
from dashboard.figures import animation, samples
from dashboard.figures import likelihood as figures
from dashboard.figures.likelihood_words import WORDS
from dashboard.processes import evaluators
from dashboard.ui.about import about
from dashboard.ui.charts import chart, file_name, is_dark
from dashboard.ui.texts import plain
from dashboard.views.evaluate import texts
from rbm_core.runs import RunError

BESIDE = "evaluate.beside"
SHEET, SHEET_WIDTH = 16, 108  # samples on each sheet, and its width in css pixels
TIMES = (
    0,
    1,
    10,
    100,
    1000,
    10_000,
    100_000,
)  # sweeps after which samples are shown, beside the k of training


def draw(run: str, one: dict[str, Any], k: int, key: str) -> None:
    """How far samples are from data as chains run on, and the samples; `one` is a finished evaluation of mixing."""
    beside = runs_beside(run)
    curves = {run: one, **beside}
    measured = {name: of["curve"] for name, of in curves.items() if has_moments(of)}
    if measured:
        words = WORDS["moments"]
        with st.container(border=True):
            drawn = figures.moments(measured, one.get("moments_of_data"), k, is_dark())
            chart(drawn, f"{key}-moments", words.caption, file_name(run, texts.file_words(one), "moments"))
            st.caption(plain(words.caption))
            about(words.picture, words.text, formula=words.formula, source=words.source)
    sampled(run, one, k, beside)


def runs_beside(run: str) -> dict[str, dict[str, Any]]:
    """The runs that the reader lays beside this one, and of each its newest finished evaluation of mixing."""
    known = {name: found for name in data.run_names() if name != run and (found := newest_mixing(name))}
    if not known:
        return {}
    st.session_state[BESIDE] = [name for name in st.session_state.get(BESIDE, []) if name in known]
    chosen = st.multiselect(
        "Lay runs beside this one",
        list(known),
        key=BESIDE,
        help="Other runs whose mixing was evaluated. All their chains begin at noise, as this run's do.",
    )
    return {name: known[name] for name in chosen}


def newest_mixing(name: str) -> dict[str, Any] | None:
    """The newest finished evaluation of a run's mixing; None where it has none, or went away."""
    try:
        found = evaluators.of_run(name)
    except (RunError, OSError):
        return None
    return next((e for e in found if e["estimator"] == "mixing" and e["state"] == "finished"), None)


def has_moments(one: dict[str, Any]) -> bool:
    """Whether the second moments were measured: earlier versions did not."""
    curve = one.get("curve") or []
    return bool(curve) and all("moments" in point for point in curve)


def sampled(run: str, one: dict[str, Any], k: int, beside: dict[str, dict[str, Any]]) -> None:
    """Samples from noise at growing sampling times, as rows of small images, a row a run."""
    ks = {run: k, **{name: k_of(name) for name in beside}}
    shown = {run: one, **beside}
    rows = {name: sheets_of(name, of, ks[name]) for name, of in shown.items()}
    sheets = rows[run]
    if not sheets:
        return
    with st.container(border=True):
        st.markdown("**Samples against sampling time**")
        for name, found in rows.items():
            if beside:
                st.markdown(f"{plain(name)}, step {shown[name]['step']:,}")
            with st.container(horizontal=True):
                for t, sheet in found.items():
                    with st.container(width=SHEET_WIDTH):
                        st.image(sheet.repeat(3, 0).repeat(3, 1), width="stretch", output_format="PNG")
                        st.caption(plain(texts.sweeps(t, ks[name])))
        st.caption(
            "The same sixteen chains from noise. A good model's samples get better with time and stay varied; if "
            "they turn blank or all alike long after k sweeps, the pictures at k were an accident of the start. They "
            "belong to this measurement and not to the run's fantasies, so none opens its chain in Gibbs."
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            about(
                "the samples",
                "Chains begin at noise and make Gibbs sweeps with the finished model. Training only ever looks as far "
                "as its own chains run; what comes after is the model's own, and only it counts for the likelihood.",
                formula=r"h^{(t)} \sim p(h \mid v^{(t)}), \qquad v^{(t+1)} \sim p(v \mid h^{(t)})",
                source=WORDS["mixing"].source,
            )
            save_sheets(run, one, list(sheets.values()), ", ".join(texts.sweeps(t, k) for t in sheets))


def k_of(name: str) -> int:
    """The sweeps an update of the run's training made; 0, which no label names, where the run went away."""
    try:
        return int(data.reader(name).config()["config"].get("k", 1))
    except RunError:
        return 0


def sheets_of(run: str, one: dict[str, Any], k: int) -> dict[int, np.ndarray]:
    """A sheet of sixteen chains by the sweeps from noise; empty where the samples cannot be read."""
    try:
        v, times = evaluators.images(run, one["id"])
    except (RunError, OSError, KeyError, TypeError):
        return {}  # drawn by a version that kept none, or on a run that lost its description
    wanted = [t for t in sorted({*TIMES, k}) if t in times]
    return {t: samples.sheet(v[times.index(t)][:SHEET]) for t in wanted}


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
