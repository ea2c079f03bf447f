"""The likelihoods of several runs: the estimate that counts for each, and all of them in one figure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboard.figures import plotly_look
from dashboard.figures.comparison.look import colour_of

DOUBT = " (not to be trusted)"
_KINDS = (  # column, words, symbol
    ("train_nats", "training data", "square"),
    ("valid_nats", "validation", "diamond"),
    ("test_nats", "test data", "circle"),
)


def best_likelihood(rows: Sequence[Mapping[str, Any]], at: int | None = None) -> Mapping[str, Any] | None:
    """The newest estimate, or the newest one up to a step; None where there is none.

    One whose verdict is "do not trust" counts only where there is no other; at one step a trusted one goes before
    one made from a single side.
    """
    usable = [row for row in rows if nats_of(row) is not None and isinstance(row.get("step"), (int, float))]
    if at is not None:
        usable = [row for row in usable if row["step"] <= at]
    return max(
        usable,
        key=lambda row: (row.get("trusted") is not False, row["step"], row.get("trusted") is True),
        default=None,
    )


def nats_of(row: Mapping[str, Any]) -> float | None:
    """The estimate on data not trained on: test where there is one, else validation, else training."""
    for name in ("test_nats", "valid_nats", "train_nats"):
        value = row.get(name)
        if isinstance(value, (int, float)) and np.isfinite(value):
            return float(value)
    return None


def likelihood_figure(
    estimates: Sequence[tuple[str, Mapping[str, Any] | None]], step: int, dark: bool
) -> go.Figure:
    """Each run's estimate with its standard error; data trained on and data held out have symbols of their own.

    One that is not to be trusted is crossed out, and its run's name says so.
    """
    figure = go.Figure()
    for column, words, symbol in _KINDS:
        known = [
            (name, colour_of(place, dark), row)
            for place, (name, row) in enumerate(estimates)
            if row is not None and isinstance(row.get(column), (int, float))
        ]
        if known:
            _add_estimates(figure, known, column, words, symbol, plotly_look.ink(dark))
    rows = [name for name, row in estimates if row is not None]
    figure.update_yaxes(
        categoryorder="array",
        categoryarray=rows[::-1],
        type="category",
        labelalias={
            name: f"{name}<br>not to be trusted"
            for name, row in estimates
            if row is not None and row.get("trusted") is False
        },
    )
    figure.update_xaxes(title_text="nats per image; further right is better")
    return plotly_look.dress(
        figure,
        dark,
        168 + 44 * len(rows),
        title_text=f"Log-likelihood up to step {step:,}",
        showlegend=True,
        # Below the axis: above it, in a run's colour, the legend was taken for a run's own marks.
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "yref": "container",
            "y": 0,
            "yanchor": "bottom",
        },
        margin={"l": 8, "r": 8, "t": 44, "b": 48},
    )


def _add_estimates(
    figure: go.Figure,
    known: Sequence[tuple[str, str, Mapping[str, Any]]],
    column: str,
    words: str,
    symbol: str,
    ink: str,
) -> None:
    """The estimates on one kind of data. known: name, colour and likelihood row of each run that has one."""
    doubtful = [row.get("trusted") is False for _, _, row in known]
    errors = [float(row.get("stderr") or 0.0) for _, _, row in known]
    figure.add_scatter(
        x=[row[column] for _, _, row in known],
        y=[name for name, _, _ in known],
        error_x={"type": "data", "array": errors, "color": ink},
        mode="markers",
        name=words,
        marker={
            "symbol": [f"{symbol}-x-open" if doubt else symbol for doubt in doubtful],
            "size": 12,
            "color": [colour for _, colour, _ in known],
            "line": {"width": 2},
        },
        customdata=[
            [str(row.get("estimator", "")), row.get("step", 0), DOUBT if doubt else ""]
            for (_, _, row), doubt in zip(known, doubtful, strict=True)
        ],
        hovertemplate="%{x:.2f} nats, %{customdata[0]} at step %{customdata[1]:,}%{customdata[2]}<extra>"
        + words
        + "</extra>",
    )
