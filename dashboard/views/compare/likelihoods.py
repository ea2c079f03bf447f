"""The runs' log-likelihoods, as evaluated."""

import streamlit as st

from dashboard.figures.comparison import likelihoods as figures
from dashboard.figures.comparison.metrics import METRICS
from dashboard.ui.about import about
from dashboard.ui.charts import chart, is_dark
from dashboard.ui.texts import plain, sentence
from rbm_core.runs import RunError, RunReader


def draw(readers: dict[str, RunReader], at: int) -> None:
    """The newest estimate of each run up to the step compared. One made later is only named: it would be unfair."""
    estimates, later = [], []
    for name, reader in readers.items():
        try:
            rows = reader.likelihood()
        except RunError as error:
            st.warning(sentence(error))
            continue
        row = figures.best_likelihood(rows, at)
        estimates.append((name, row))
        if row is None and (made := figures.best_likelihood(rows)) is not None:
            later.append(f"{name} (at step {made['step']:,})")
    if any(row is not None for _, row in estimates):
        figure = figures.likelihood_figure(estimates, at, is_dark())
        chart(figure, "compare-likelihoods", "Log-likelihood of each run, with its standard error.")
        about(
            "the log-likelihoods",
            "Bars are one standard error of the estimate of $\\log Z$. Compare only runs on the same data with the "
            "same binarisation: another set of pixels is another question.",
            formula=r"\log p(v) = -F(v) - \log Z",
            source=METRICS["log_likelihood"].source,
        )
        words = "Not measured by Evaluate up to here"
        none = [name for name, row in estimates if row is None]
    else:
        words, none = f"No log-likelihood has been measured by Evaluate up to step {at:,}", list(readers)
    if none:
        words += f": {plain(', '.join(none))}."
        if later:
            words += f" Made later, so not fair to lay beside the others: {plain(', '.join(later))}."
        st.caption(
            f"{words} The curve above is the trainer's own rougher estimate; the Evaluate page measures any saved step."
        )
