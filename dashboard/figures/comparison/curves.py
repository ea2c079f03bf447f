"""One quantity of several runs, laid over one another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboard.figures import plotly_look
from dashboard.figures.comparison.likelihoods import nats_of
from dashboard.figures.comparison.look import colour_of, dash_of
from dashboard.figures.comparison.metrics import AXES, METRICS, Metric

Columns = Mapping[str, np.ndarray]  # of metrics.jsonl
Rows = Sequence[Mapping[str, Any]]  # of likelihood.jsonl

EVALUATED = "log_likelihood"  # the one metric whose points are estimates, made now and then
_X = {"step": "step", "epoch": "epoch", "time": "seconds"}


@dataclass(frozen=True)
class _Curve:
    """Points (x, y). error: standard errors of y, where known. sound: False for estimates not to be trusted."""

    x: np.ndarray
    y: np.ndarray
    error: np.ndarray | None = None
    sound: np.ndarray | None = None

    def where(self, kept: np.ndarray) -> "_Curve":
        """The points that `kept` marks."""
        error = None if self.error is None else self.error[kept]
        return _Curve(self.x[kept], self.y[kept], error, None if self.sound is None else self.sound[kept])


def overlay(
    runs: Sequence[tuple[str, Columns, Rows]],
    metric: str,
    axis: str,
    smoothing: float,
    log_x: bool,
    cursor: int | None,
    dark: bool,
) -> go.Figure:
    """One metric of every run, laid over one another by step, epoch or time.

    runs: name, metrics and likelihood rows of each. smoothing: the share of the past that each point keeps.
    cursor: the step compared below, drawn on a step axis.
    """
    told, figure = METRICS[metric], go.Figure()
    for place, (run, metrics, likelihood) in enumerate(runs):
        curve = _curve(metrics, likelihood, metric, axis)
        if log_x:
            curve = curve.where(curve.x > 0)
        curve = _Curve(curve.x, smoothed(curve.y, smoothing), curve.error, curve.sound)
        estimates = metric == EVALUATED
        if curve.error is not None and not estimates:  # too many points to have a bar each
            _add_band(figure, run, curve, colour_of(place, dark))
        _add_line(
            figure, run, curve, told, estimates, {"color": colour_of(place, dark), "dash": dash_of(place)}
        )
    if cursor is not None and axis == "step" and (cursor > 0 or not log_x):
        figure.add_vline(x=cursor, line={"color": plotly_look.ink(dark), "width": 1, "dash": "dot"})
    figure.update_xaxes(title_text=AXES[axis], type="log" if log_x else "linear")
    figure.update_yaxes(title_text=told.unit or "no unit")
    return plotly_look.dress(
        figure,
        dark,
        420,
        title_text=told.name,
        showlegend=True,
        hovermode="x unified",
        uirevision=f"{metric} {axis} {log_x}",
        margin={
            "l": 8,
            "r": 8,
            "t": 64,
            "b": 8,
        },  # the legend stands above: below, a low window would cut it off
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": {"size": 13}},
    )


def _add_band(figure: go.Figure, run: str, curve: _Curve, colour: str) -> None:
    """One standard error to either side, as a pale band without a name."""
    assert curve.error is not None
    figure.add_scatter(
        x=np.concatenate([curve.x, curve.x[::-1]]),
        y=np.concatenate([curve.y + curve.error, (curve.y - curve.error)[::-1]]),
        fill="toself",
        fillcolor=plotly_look.soft(colour, 0.18),
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        legendgroup=run,
    )


def _add_line(
    figure: go.Figure, run: str, curve: _Curve, told: Metric, estimates: bool, line: dict[str, str]
) -> None:
    """The run's line; `estimates` have marks and bars, hollow marks where an estimate is not to be trusted."""
    symbols = None if curve.sound is None else ["circle" if one else "circle-open" for one in curve.sound]
    bars = {"type": "data", "array": curve.error, "thickness": 1.5}
    figure.add_scatter(
        x=curve.x,
        y=curve.y,
        name=run,
        legendgroup=run,
        mode="lines+markers"
        if estimates or len(curve.x) < 10
        else "lines",  # a line of one point is not seen
        line={**line, "width": 2},
        marker={"size": 9, "symbol": symbols},
        error_y=bars if estimates else None,
        connectgaps=True,
        hovertemplate="%{y:.4g}" + (f" {told.unit}" if told.unit else "") + f"<extra>{run}</extra>",
    )


def smoothed(values: np.ndarray, share: float) -> np.ndarray:
    """An exponential moving average without its start-up bias; share 0 leaves values alone, NaN stays."""
    if share <= 0:
        return values
    out, total, weight = np.full(len(values), np.nan), 0.0, 0.0
    for i, value in enumerate(values):
        if np.isfinite(value):
            total, weight = share * total + (1 - share) * value, share * weight + (1 - share)
            out[i] = total / weight
    return out


def _curve(metrics: Columns, likelihood: Rows, metric: str, axis: str) -> _Curve:
    """The run's points of this metric; rows without a value are left out."""
    empty = np.zeros(0)
    where = np.asarray(metrics.get(_X[axis], empty), dtype=float)
    if metric == EVALUATED:
        return _evaluated(likelihood, np.asarray(metrics.get("step", empty), dtype=float), where, axis)
    y = np.asarray(metrics.get(metric, empty), dtype=float)
    if len(y) != len(where):
        return _Curve(empty, empty)
    bars = None
    if metric.startswith("log_likelihood_"):
        for column in ("log_z_stderr", f"{metric}_stderr"):  # older runs have only the first
            known = np.asarray(metrics.get(column, empty), dtype=float)
            if len(known) == len(y):
                bars = known if bars is None else np.where(np.isfinite(known), known, bars)
    return _Curve(where, y, bars).where(np.isfinite(y))


def _evaluated(likelihood: Rows, known: np.ndarray, where: np.ndarray, axis: str) -> _Curve:
    """The estimates of the log-likelihood; known, where: the steps of the metrics, and their places on the axis."""
    rows = sorted((row for row in likelihood if nats_of(row) is not None), key=lambda row: row.get("step", 0))
    steps = np.array([float(row.get("step", np.nan)) for row in rows])
    return _Curve(
        x=steps if axis == "step" or not len(known) else np.interp(steps, known, where),
        y=np.array([nats_of(row) for row in rows], dtype=float),
        error=np.array([float(row.get("stderr") or 0.0) for row in rows]),
        sound=np.array([row.get("trusted") is not False for row in rows], dtype=bool),
    )


def has(metrics: Columns, likelihood: Rows, metric: str) -> bool:
    """Whether the run has any value of the metric."""
    return len(_curve(metrics, likelihood, metric, "step").x) > 0


def first_metric(runs: Sequence[tuple[Columns, Rows]]) -> str | None:
    """What to show first of (metrics, likelihood rows): what most runs have; of several such, the first of METRICS."""
    having = {key: sum(has(*run, key) for run in runs) for key in METRICS}
    most = max(having.values(), default=0)
    return next((key for key, count in having.items() if count == most and count), None)
