"""Figures of the Evaluate page: the convergence of estimates of log Z, and mixing; arrays in, Plotly out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboard.figures.likelihood_words import WORDS
from dashboard.figures.numbers import minus
from dashboard.figures.plotly_look import dress, lines, soft

FORWARD, REVERSE = "forward: errs low", "reverse: errs high"
_COLOUR = {"forward": "blue", "reverse": "vermillion"}
_NAME = {"forward": FORWARD, "reverse": REVERSE}


def _dress(figure: go.Figure, dark: bool, what: str, **layout: Any) -> go.Figure:
    """The figure with its title, and below that its legend in a line of its own."""
    title = {"title_text": WORDS[what].title}
    legend = {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "xanchor": "left"}
    margin = {"l": 8, "r": 8, "t": 72, "b": 8}
    return dress(figure, dark, 350, showlegend=True, legend=legend, margin=margin, **title, **layout)


PUBLISHED = (
    ("published: mixture of<br>500 Bernoullis", -137.64),  # Salakhutdinov and Hinton 2009
    ("published: CD-25,<br>500 hidden units", -86.34),  # Salakhutdinov and Murray 2008
)
"""Models by others and their test log-likelihoods, nats an image, of MNIST with pixels of 0 and 1."""


def scale(
    coins: float | None, pixels: float, run: tuple[str, float], comparable: bool, dark: bool
) -> go.Figure:
    """The run's log-likelihood beside those of models that know nothing and, where comparable, published ones.

    coins: None where pixels are not 0 and 1. Points, not bars: nats have no zero from which a length would count.
    """
    rows = [("coin tosses", coins, "grey"), ("independent pixels", pixels, "grey"), (*run, "blue")]
    if comparable:
        rows += [(*one, "purple") for one in PUBLISHED]
    known = sorted(
        ((name, value, colour) for name, value, colour in rows if value is not None), key=lambda row: row[1]
    )
    least, most = (end(value for _, value, _ in known) for end in (min, max))
    colours, figure = lines(dark), go.Figure()
    figure.add_scatter(
        x=[value for _, value, _ in known],
        y=[name for name, _, _ in known],
        mode="markers+text",
        text=[minus(f"{value:,.1f}") for _, value, _ in known],
        # Towards the middle, so that no number is cut off at an edge of a narrow window.
        textposition=[f"middle {'left' if 2 * value > least + most else 'right'}" for _, value, _ in known],
        cliponaxis=False,
        marker={"size": 15, "color": [colours[colour] for _, _, colour in known]},
        hovertemplate="%{y}: %{text} nats<extra></extra>",
    )
    margin = 0.06 * (most - least or 1.0)
    figure.update_xaxes(title="nats per image; right is better", range=[least - margin, most + margin])
    figure.update_yaxes(autorange="reversed", title="model")
    return dress(figure, dark, 90 + 36 * len(known), title_text=WORDS["scale"].title, showlegend=False)


def convergence(rounds: Sequence[Mapping[str, Any]], log_z: float | None, dark: bool) -> go.Figure:
    """log Z from both directions, with ± 2 standard errors, against the number of temperatures (log axis)."""
    colours, figure = lines(dark), go.Figure()
    for direction, name in _NAME.items():
        points = [(one["n_temperatures"], one[direction]) for one in rounds if direction in one]
        if not points:
            continue
        x = [n for n, _ in points]
        y = [r["log_z"] for _, r in points]
        error = [None if r["stderr"] is None else 2 * r["stderr"] for _, r in points]
        figure.add_scatter(
            x=x,
            y=y,
            error_y={"type": "data", "array": error, "thickness": 1.5, "width": 5},
            name=name,
            mode="lines+markers",
            line={"color": colours[_COLOUR[direction]], "width": 2.5},
            marker={"size": 9},
            hovertemplate="%{x:,} temperatures<br>log Z %{y:.2f} nats<extra>" + name + "</extra>",
        )
    if log_z is not None:
        figure.add_hline(y=log_z, line={"dash": "dot", "width": 1.5, "color": colours["grey"]})
    lengths = [one["n_temperatures"] for one in rounds]
    figure.update_xaxes(
        title="temperatures on the way (more is better)",
        type="log",
        tickvals=lengths,
        ticktext=[f"{n:,}" for n in lengths],
    )
    figure.update_yaxes(title="estimate of log Z, nats")
    return _dress(figure, dark, "convergence")


def weights(log_weights: Mapping[str, Sequence[float]], log_z: float | None, dark: bool) -> go.Figure:
    """Histogram of every chain's own estimate of log Z, both directions over one another on one axis."""
    colours, figure = lines(dark), go.Figure()
    values = [np.asarray(v, float) for v in log_weights.values() if len(v)]
    if values:
        everything = np.concatenate(values)
        low, high = float(everything.min()), float(everything.max())
        size = max((high - low) / 40, 1e-3)
        for direction, name in _NAME.items():
            if direction not in log_weights:
                continue
            colour = colours[_COLOUR[direction]]
            figure.add_histogram(
                x=list(log_weights[direction]),
                xbins={"start": low - size, "end": high + size, "size": size},
                name=name,
                marker={"color": soft(colour, 0.55), "line": {"color": colour, "width": 1}},
                hovertemplate="log Z %{x}<br>%{y} chains<extra>" + name + "</extra>",
            )
    if log_z is not None:
        figure.add_vline(x=log_z, line={"dash": "dot", "width": 2, "color": colours["grey"]})
    figure.update_xaxes(title="one chain's own estimate of log Z, nats")
    figure.update_yaxes(title="chains")
    return _dress(figure, dark, "weights", barmode="overlay")


def spread(trace: Mapping[str, Mapping[str, Any]], dark: bool) -> go.Figure:
    """How far the chains' log-weights are apart on the way: 5–95 % and quartiles about their median."""
    colours, figure = lines(dark), go.Figure()
    for direction, name in _NAME.items():
        path = trace.get(direction) or {}
        if not path.get("beta"):
            continue
        beta = np.asarray(path["beta"], float)
        q = np.asarray(path["quantiles"], float)
        away = q - q[:, 2:3]
        if direction == "reverse":
            away = away[:, ::-1]
        colour = colours[_COLOUR[direction]]
        for inner, (a, b) in enumerate(((0, 4), (1, 3))):
            figure.add_scatter(
                x=np.concatenate([beta, beta[::-1]]).tolist(),
                y=np.concatenate([away[:, a], away[::-1, b]]).tolist(),
                fill="toself",
                fillcolor=soft(colour, 0.22),
                line={"width": 0},
                hoverinfo="skip",
                name=name,
                legendgroup=direction,
                showlegend=bool(inner),
            )
    figure.update_xaxes(title="the way β: 0 has no weights yet, 1 is this model", range=[0, 1])
    figure.update_yaxes(title="chains apart (log-weights), nats")
    return _dress(figure, dark, "spread")


ELSEWHERE = {
    "bracket": ("AIS, both sides", "blue", "circle"),
    "exact": ("counted", "green", "diamond"),
    "ladder": ("tempering by temperature", "purple", "square"),
}
"""Estimators of log Z that share nothing with a run's own past: their name, colour and marker beside its ladder."""


def along(rungs: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]], dark: bool) -> go.Figure:
    """log Z of the models on the ladder against their step, with ± 2 standard errors, and other estimates as points.

    rungs: step, log_z and stderr of each, in the order of learning. others: rows of the run's likelihood.jsonl by
    estimators named in ELSEWHERE.
    """
    colours, figure = lines(dark), go.Figure()
    x = [max(float(one["step"]), 0.5) for one in rungs]
    y = np.array([one["log_z"] for one in rungs], float)
    error = 2 * np.array([one["stderr"] for one in rungs], float)
    figure.add_scatter(
        x=x + x[::-1],
        y=np.concatenate([y + error, (y - error)[::-1]]).tolist(),
        fill="toself",
        fillcolor=soft(colours["orange"], 0.3),
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_scatter(
        x=x,
        y=y.tolist(),
        name="the ladder",
        mode="lines+markers",
        line={"color": colours["orange"], "width": 2.5},
        marker={"size": 5},
        customdata=(error / 2).tolist(),
        hovertemplate="step %{x:,.0f}<br>log Z %{y:.2f} ± %{customdata:.2f} nats<extra>the ladder</extra>",
    )
    for estimator, (name, colour, symbol) in ELSEWHERE.items():
        rows = [row for row in others if row["estimator"] == estimator]
        if not rows:
            continue
        figure.add_scatter(
            x=[max(float(row["step"]), 0.5) for row in rows],
            y=[row["log_z"] for row in rows],
            error_y={
                "type": "data",
                "array": [2 * row["stderr"] for row in rows],
                "thickness": 1.5,
                "width": 5,
            },
            name=name,
            mode="markers",
            marker={"size": 10, "symbol": symbol, "color": colours[colour]},
            hovertemplate="step %{x:,}<br>log Z %{y:.2f} nats<extra>" + name + "</extra>",
        )
    figure.update_xaxes(title="updates the model had seen", type="log", dtick=1)
    figure.update_yaxes(title="log Z, nats")
    return _dress(figure, dark, "along")


def free_energies(kinds: Mapping[str, Sequence[float]], dark: bool) -> go.Figure:
    """Histograms of F(v) of training and test cases, the model's own samples and noise."""
    colours, figure = lines(dark), go.Figure()
    shown = {
        "train": ("training", "blue"),
        "test": ("test", "orange"),
        "samples": ("samples", "green"),
        "noise": ("noise", "grey"),
    }
    near = [np.asarray(kinds[name], float) for name in shown if name != "noise" and kinds.get(name)]
    if near:
        everything = np.concatenate(near)
        low, high = float(everything.min()), float(everything.max())
        size = max((high - low) / 50, 1e-3)
        for name, (label, colour) in shown.items():
            if not kinds.get(name):
                continue
            bins = {"start": low - size, "size": size if name != "noise" else 4 * size}
            figure.add_histogram(
                x=list(kinds[name]),
                xbins={**bins, "end": max(high, max(kinds[name])) + 4 * size},
                histnorm="percent",
                name=label,
                marker={"color": soft(colours[colour], 0.5), "line": {"color": colours[colour], "width": 1}},
                hovertemplate="F %{x} nats<br>%{y:.1f} %<extra>" + label + "</extra>",
            )
        right = high + 0.15 * (high - low)
        figure.update_xaxes(range=[low - 0.05 * (high - low), right])
        noise = float(np.median(kinds["noise"])) if kinds.get("noise") else low
        if noise > right:
            # Noise lies so far off that on a common axis everything else would be one bar.
            figure.add_annotation(
                x=1,
                y=0.9,
                xref="paper",
                yref="paper",
                xanchor="right",
                showarrow=False,
                text=minus(f"noise: about {noise:,.0f} nats →"),
                font={"color": colours["grey"]},
            )
    figure.update_xaxes(title="free energy F(v), nats; left is likelier")
    figure.update_yaxes(title="share of the cases, %")
    return _dress(figure, dark, "free-energies", barmode="overlay")


def _sweeps_axis(figure: go.Figure, k: int | None, dark: bool) -> None:
    """A log axis of sweeps with the start at its left end; k sweeps, as in training, are a dashed line."""
    title = "sweeps"
    if k is not None:
        title += f" (dashed: k = {k} of training)"
        figure.add_vline(x=k, line={"dash": "dash", "width": 1.5, "color": lines(dark)["grey"]})
    figure.update_xaxes(title=title, type="log", dtick=1)


def mixing(curve: Sequence[Mapping[str, Any]], k: int | None, dark: bool) -> go.Figure:
    """Free energy of chains from noise and from test data against sampling time: median and 5–95 %."""
    colours, figure = lines(dark), go.Figure()
    x = [max(float(one["sweeps"]), 0.5) for one in curve]
    for name, label, colour in (
        ("noise", "begun at noise", "orange"),
        ("data", "begun at test data", "blue"),
    ):
        q = np.array([one[name] for one in curve], float).reshape(-1, 3)
        figure.add_scatter(
            x=x + x[::-1],
            y=np.concatenate([q[:, 0], q[::-1, 2]]).tolist(),
            fill="toself",
            fillcolor=soft(colours[colour], 0.2),
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
        )
        figure.add_scatter(
            x=x,
            y=q[:, 1].tolist(),
            name=label,
            mode="lines+markers",
            line={"color": colours[colour], "width": 2.5},
            hovertemplate="after %{x:,.0f} sweeps<br>F %{y:.1f} nats<extra>" + label + "</extra>",
        )
    _sweeps_axis(figure, k, dark)
    figure.update_yaxes(title="free energy of the chains, nats")
    if len(curve) > 2:
        # Noise begins hundreds of nats above everything else; the axis shows where the chains go after two points.
        later = np.array([one[name] for one in curve[2:] for name in ("noise", "data")], float)
        low, high = float(later.min()), float(later.max())
        figure.update_yaxes(range=[low - 0.08 * (high - low), high + 0.08 * (high - low)])
    return _dress(figure, dark, "mixing")


def accuracy(curve: Sequence[Mapping[str, Any]], k: int | None, dark: bool) -> go.Figure:
    """Both halves of the adversarial accuracy of samples from noise against sampling time; ½ is perfect."""
    colours, figure = lines(dark), go.Figure()
    x = [max(float(one["sweeps"]), 0.5) for one in curve]
    for name, label, colour in (
        ("aa_truth", "data near data", "purple"),
        ("aa_synthetic", "samples near samples", "green"),
    ):
        figure.add_scatter(
            x=x,
            y=[one[name] for one in curve],
            name=label,
            mode="lines+markers",
            line={"color": colours[colour], "width": 2.5},
            hovertemplate="after %{x:,.0f} sweeps<br>%{y:.2f}<extra>" + label + "</extra>",
        )
    figure.add_hline(y=0.5, line={"dash": "dot", "width": 1.5, "color": colours["grey"]})
    _sweeps_axis(figure, k, dark)
    figure.update_yaxes(title="share with a neighbour of their own kind", range=[-0.03, 1.03])
    return _dress(figure, dark, "accuracy")


def moments(
    curves: Mapping[str, Sequence[Mapping[str, Any]]], of_data: float | None, k: int | None, dark: bool
) -> go.Figure:
    """Distance of the samples' second moments from the data's against sampling time, a line a run.

    of_data: the same distance between two sets of as many test images.
    """
    colours, figure = lines(dark), go.Figure()
    order = ("orange", "blue", "green", "purple", "vermillion", "sky")
    for number, (name, curve) in enumerate(curves.items()):
        known = [one for one in curve if "moments" in one]
        figure.add_scatter(
            x=[max(float(one["sweeps"]), 0.5) for one in known],
            y=[one["moments"] for one in known],
            name=name,
            mode="lines+markers",
            line={"color": colours[order[number % len(order)]], "width": 2.5},
            hovertemplate="after %{x:,.0f} sweeps<br>%{y:.4f}<extra>" + name + "</extra>",
        )
    if of_data is not None:
        figure.add_hline(y=of_data, line={"dash": "dot", "width": 1.5, "color": colours["grey"]})
    _sweeps_axis(figure, k, dark)
    figure.update_yaxes(title="distance of second moments", type="log")
    return _dress(figure, dark, "moments")


def autocorrelation(found: Mapping[str, Sequence[float]], dark: bool) -> go.Figure:
    """Correlation of a chain's free energy with its own value some sweeps before."""
    figure = go.Figure()
    figure.add_scatter(
        x=[max(float(t), 0.5) for t in found["lag"]],
        y=list(found["free_energy"]),
        mode="lines",
        line={"color": lines(dark)["blue"], "width": 2.5},
        hovertemplate="%{x:,.0f} sweeps apart<br>%{y:.2f}<extra></extra>",
    )
    figure.add_hline(y=0, line={"width": 1, "color": lines(dark)["grey"]})
    figure.update_xaxes(title="sweeps apart", type="log", dtick=1)
    figure.update_yaxes(title="autocorrelation of the free energy", range=[-0.15, 1.05])
    return dress(figure, dark, 350, title_text=WORDS["autocorrelation"].title)


def available(one: Mapping[str, Any], k: int | None, dark: bool) -> dict[str, go.Figure]:
    """Every figure that the evaluation `one` has numbers for, by its name in WORDS, in the order of the page.

    one: its progress record. k: the sweeps a chain made between two updates of the training, if known.
    """
    log_z, drawn = (one.get("row") or {}).get("log_z"), {}
    if rounds := one.get("rounds"):
        drawn["convergence"] = convergence(rounds, log_z, dark)
    if log_weights := one.get("log_weights"):
        drawn["weights"] = weights(log_weights, log_z, dark)
    if trace := one.get("trace"):
        drawn["spread"] = spread(trace, dark)
    if curve := one.get("curve"):
        drawn["mixing"] = mixing(curve, k, dark)
        drawn["accuracy"] = accuracy(curve, k, dark)
    if found := one.get("autocorrelation"):
        drawn["autocorrelation"] = autocorrelation(found, dark)
    if kinds := one.get("free_energies"):
        drawn["free-energies"] = free_energies(kinds, dark)
    return drawn
