"""The answer on top of the page: the best log-likelihood that is known, and whether to believe it."""

from typing import Any

import streamlit as st

from dashboard.ui.texts import plain, sentence
from dashboard.views.evaluate.texts import is_number, nats, title
from rbm_core.runs import RunError, RunReader
from rbm_core.visible import VisibleUnits


def headline(reader: RunReader, units: VisibleUnits, asked: bool) -> dict[str, Any] | None:
    """The newest believable answer, in one line a stranger can read; returns its row.

    asked: whether an answer is already on its way.
    """
    try:
        rows = [row for row in reader.likelihood() if is_number(row.get("test_nats"))]
    except RunError as error:
        st.error(sentence(error))
        return None
    if not rows:
        begun = (
            "The first answer is on its way"
            if asked
            else "Nobody has asked yet. Press **Evaluate** for an answer"
        )
        st.markdown(
            f"{begun}: the log-likelihood of the test data, in nats per image (higher is better), with an error bar "
            "and a verdict whether to believe it."
        )
        return None
    best = max(rows, key=weight)
    left, right = st.columns([1, 2], vertical_alignment="center")
    left.metric(
        "Test log-likelihood, nats per image",
        f"{nats(best['test_nats'])} ± {float(best.get('stderr') or 0.0):.2f}",
        help="The mean of log p(v) over all test images: higher, that is nearer to zero, is better. ± is one "
        "standard error of the estimate of log Z.",
    )
    with right:
        verdict(best)
        train = best.get("train_nats")
        beside = f"Training images get {nats(train)}. " if is_number(train) else ""
        if units.real:
            values = "standardised grey values" if units.standardised else "grey values"
            beside += f"A density of {values}: not comparable with on-off pixels. "
        st.caption(f"{beside}{plain(title(best))}, step {best['step']:,}.")
    return best


def weight(row: dict[str, Any]) -> tuple[float, ...]:
    """The rank of an answer for the top of the page: by newest step, then trusted, then exact, then newest."""
    return (
        float(row.get("step", 0)),
        row.get("trusted") is True,
        row.get("estimator") == "exact",
        float(row.get("time", 0.0)),
    )


def verdict(row: dict[str, Any]) -> None:
    """Whether to believe the answer, as the estimator judged."""
    text = plain(row.get("verdict", ""))
    if row.get("trusted") is True:
        st.success(text, icon=":material/verified:")
    elif row.get("trusted") is False:
        st.error(text, icon=":material/report:")
    elif text:
        st.warning(text, icon=":material/help:")
