"""What the Compare page draws of several runs side by side; pure."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboard.figures import moment, plotly_look
from dashboard.figures.moment import Blob
from rbm_core.runs import Snapshot

_GUIDE = "Hinton, *A Practical Guide to Training Restricted Boltzmann Machines* (2010)"
_SM = "Salakhutdinov and Murray, *On the quantitative analysis of deep belief networks* (2008)"
_BGS = "Burda, Grosse and Salakhutdinov, *Accurate and conservative estimates of MRF log-likelihood* (2015)"
_LOG_P = r"\log p(v) = -F(v) - \log Z"
_PSEUDO = r"\sum_i \log p(v_i \mid v_{-i}) = \sum_i \log \sigma\bigl(F(\tilde v^{(i)}) - F(v)\bigr)"
_FREE = r"F(v) = -b\cdot v - \sum_j \log\bigl(1 + e^{\,c_j + (vW)_j}\bigr)"
_MEAN = r"\bar p_j = \tfrac1N \sum_n p(h_j = 1 \mid v^{(n)})"


@dataclass(frozen=True)
class Metric:
    """A quantity that every run records: its name, its unit, what it tells, its formula and source."""

    name: str
    unit: str
    tells: str
    formula: str
    source: str


# by column of metrics.jsonl; "log_likelihood" is what the evaluations found
METRICS: dict[str, Metric] = {
    **{
        f"log_likelihood_{part}": Metric(
            f"Log-likelihood while training, {words}",
            "nats",
            "Estimated now and then while the run learned, too quickly to be exact, and carried on in between; the "
            "band is one standard error. The Evaluate page takes its time and knows better.",
            _LOG_P,
            f"{_SM}; {_BGS}.",
        )
        for part, words in (("valid", "validation"), ("test", "test"))
    },
    "log_likelihood": Metric(
        "Log-likelihood, as evaluated",
        "nats",
        "What all this is for, wherever it has been evaluated, on data held out; bars are one standard error of log "
        "Z, hollow marks are not to be trusted.",
        _LOG_P,
        f"{_SM}.",
    ),
    "free_energy_gap": Metric(
        "Free-energy gap (validation − training)",
        "nats",
        "Rises when the machine finds training images likelier than unseen ones, which is overfitting. Both have the "
        "same log Z, so their difference needs no estimate of it.",
        r"\bar F_{\text{validation}} - \bar F_{\text{training}} = "
        r"\langle \log p\rangle_{\text{training}} - \langle \log p\rangle_{\text{validation}}",
        f"{_GUIDE}, §6.",
    ),
    "pseudo_likelihood_valid": Metric(
        "Pseudo-likelihood, validation",
        "nats",
        "How well each pixel is foretold from all others; cheap, and comparable within one data set.",
        _PSEUDO,
        "Besag, *Statistical analysis of non-lattice data* (1975).",
    ),
    "pseudo_likelihood_train": Metric(
        "Pseudo-likelihood, training subset",
        "nats",
        "How well each pixel is foretold from all others, on images that were trained on.",
        _PSEUDO,
        "Besag, *Statistical analysis of non-lattice data* (1975).",
    ),
    "reconstruction_error": Metric(
        "Reconstruction error",
        "mean square per pixel",
        "Falls as mixing slows, too, and does not see divergence: a low value alone proves nothing.",
        r"\tfrac1V \bigl\lVert v - p(v = 1 \mid h)\bigr\rVert^2, \qquad h \sim p(h \mid v)",
        f"{_GUIDE}, §5.",
    ),
    **{
        f"free_energy_{part}": Metric(
            f"Free energy, {words}",
            "nats",
            "Comparable only within one run: log Z differs.",
            _FREE,
            f"{_GUIDE}, §6.",
        )
        for part, words in (("train", "training subset"), ("valid", "validation"), ("fantasy", "fantasies"))
    },
    "cd_loss_train": Metric(
        "Free energy, data − fantasies",
        "nats",
        "The loss whose gradient contrastive divergence follows; near zero when data and fantasies agree.",
        r"\bar F_{\text{data}} - \bar F_{\text{fantasies}}",
        "Hinton, *Training products of experts by minimizing contrastive divergence* (2002).",
    ),
    "weight_norm": Metric(
        "Norm of all weights ‖W‖",
        "",
        "Grows while the machine commits itself.",
        r"\lVert W \rVert = \Bigl(\sum_{ij} W_{ij}^2\Bigr)^{1/2}",
        f"{_GUIDE}, §10.",
    ),
    "update_ratio": Metric(
        "Update / weights ‖ΔW‖ / ‖W‖",
        "",
        "About a thousandth is a healthy pace.",
        r"\lVert \Delta W\rVert \,/\, \lVert W\rVert",
        f"{_GUIDE}, §7.",
    ),
    "mean_activation": Metric(
        "Mean hidden activation",
        "",
        "The share of hidden units that are on.",
        r"\tfrac1H \sum_j \bar p_j, \qquad " + _MEAN,
        f"{_GUIDE}, §11.",
    ),
    "dead_units": Metric(
        "Dead units",
        "units",
        "Hidden units that are almost never on.",
        r"\#\{j : \bar p_j < 0.01\}, \qquad " + _MEAN,
        f"{_GUIDE}, §11.",
    ),
    "saturated_units": Metric(
        "Saturated units",
        "units",
        "Hidden units that are almost always on.",
        r"\#\{j : \bar p_j > 0.99\}, \qquad " + _MEAN,
        f"{_GUIDE}, §11.",
    ),
    "flips_per_sweep": Metric(
        "Pixels flipped per sweep",
        "share",
        "How much one sweep changes the chains: mixing.",
        r"\tfrac{1}{NV} \sum_{n,i} \mathbf 1\bigl[v_i^{(n)}(t+1) \ne v_i^{(n)}(t)\bigr]",
        f"{_GUIDE}, §15.",
    ),
    "learning_rate": Metric(
        "Learning rate",
        "",
        "The size of a step.",
        r"W \leftarrow W + \varepsilon\, \bigl(\langle v h^{\mathsf T}\rangle_{\text{data}} - "
        r"\langle v h^{\mathsf T}\rangle_{\text{fantasies}}\bigr)",
        f"{_GUIDE}, §7.",
    ),
    "steps_per_s": Metric(
        "Speed",
        "updates/s",
        "Updates per second of training; what a machine makes of it, not the recipe.",
        r"\text{updates} \,/\, \text{seconds}",
        "the trainer's own clock, pauses excluded.",
    ),
}
ORDERS = {
    "newest": "newest first",
    "name": "name",
    "likelihood": "log-likelihood, best first",
    "pseudo": "pseudo-likelihood, best first",
    "gap": "gap, smallest first",
    "steps": "steps, most first",
    "time": "training time, shortest first",
}
AXES = {"step": "Parameter updates", "epoch": "Epochs", "time": "Training time, s"}
_X = {"step": "step", "epoch": "epoch", "time": "seconds"}
COLOURS = ("blue", "vermillion", "green", "purple", "orange", "sky", "yellow", "grey")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid", "dash")
MOST_RUNS = len(COLOURS)
DOUBT = " (not to be trusted)"
# Fields that say where a run was made, not what was trained.
_NOT_COMPARED = ("device", "log_every", "max_snapshots")


@dataclass(frozen=True)
class Record:
    """One run as the table shows it; a run that cannot be read has an error and nothing else."""

    name: str
    state: str = ""
    preset: str | None = None
    created: str = ""
    step: int = 0
    epoch: float = 0.0
    seconds: float = 0.0
    fields: Mapping[str, Any] = field(default_factory=dict)
    last: Mapping[str, float] = field(default_factory=dict)
    likelihood: tuple[float, float] | None = None  # nats, and their standard error
    trusted: bool | None = None  # the verdict on it; None where it was made from one side only
    tags: tuple[str, ...] = ()
    note: str = ""
    error: str | None = None


def as_trained(fields: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The run's settings; one that was changed while it trained is all it has been, as `0.05 → 0.5`."""
    been: dict[str, list[Any]] = {}
    for event in events:
        value = event.get("value")
        if event.get("command") == "set" and isinstance(value, Mapping):
            been.setdefault(str(value.get("name")), []).append(value.get("value"))
    told = {
        name: " → ".join(
            f"{one:g}" if isinstance(one, (int, float)) else str(one) for one in (fields.get(name), *values)
        )
        for name, values in been.items()
    }
    return {**fields, **told}


def differing(records: Sequence[Record]) -> tuple[list[str], dict[str, Any]]:
    """(settings in which the runs differ, the settings that all of them share)."""
    sound = [record.fields for record in records if record.error is None]
    names = [name for name in dict.fromkeys(key for f in sound for key in f) if name not in _NOT_COMPARED]
    apart = [name for name in names if len({repr(f.get(name)) for f in sound}) > 1]
    return apart, {name: sound[0].get(name) for name in names if name not in apart} if sound else {}


def comparable(records: Sequence[Record], run: str | None, n: int) -> list[str]:
    """The first n runs on the same data as `run`, that one first; the first n where it cannot be read."""
    sound = [record for record in records if record.error is None]
    this = next((record for record in sound if record.name == run), sound[0] if sound else None)
    if this is None:
        return []
    others = [record for record in sound if record is not this]
    alike = [record for record in others if record.fields.get("dataset") == this.fields.get("dataset")]
    return [record.name for record in [this, *alike]][:n]


def usual(records: Sequence[Record], name: str) -> str:
    """The setting's most frequent value, as text; empty where several are as frequent, as with two runs."""
    counts = Counter(repr(record.fields.get(name)) for record in records if record.error is None)
    most = max(counts.values(), default=0)
    found = [value for value, count in counts.items() if count == most]
    return found[0] if len(found) == 1 else ""


def ordered(records: Sequence[Record], by: str) -> list[Record]:
    """The runs sorted by one of ORDERS, the best first, or by a setting; those without a value come last."""
    if by == "newest":
        return list(records)

    def value(record: Record) -> Any:
        found = {
            "name": lambda: record.name.lower(),
            "likelihood": lambda: None if record.likelihood is None else -record.likelihood[0],
            "pseudo": lambda: -record.last.get("pseudo_likelihood_valid", np.nan),
            "gap": lambda: record.last.get("free_energy_gap"),
            "steps": lambda: -record.step,
            "time": lambda: record.seconds,
        }.get(by, lambda: record.fields.get(by))()
        return found if found is None or isinstance(found, (int, float)) else str(found)

    def key(record: Record) -> tuple[bool, bool, Any]:
        found = value(record)
        missing = record.error is not None or found is None or found != found
        return missing, isinstance(found, str), "" if missing else found

    return sorted(records, key=key)


def matches(record: Record, words: str) -> bool:
    """Whether every word is found in the run's name, state, data, preset, tags, note or `setting=value`."""
    text = " ".join(
        [
            record.name,
            record.state,
            str(record.preset or ""),
            *record.tags,
            record.note,
            *(f"{name}={value}" for name, value in record.fields.items()),
        ]
    ).lower()
    return all(word in text for word in words.lower().split())


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


def overlay(
    runs: Sequence[tuple[str, Mapping[str, np.ndarray], Sequence[Mapping[str, Any]]]],
    metric: str,
    axis: str,
    smoothing: float,
    log_x: bool,
    cursor: int | None,
    dark: bool,
) -> go.Figure:
    """One metric of every run, laid over one another by step, epoch or time.

    runs: (name, metric columns, likelihood rows) of each; cursor: the step compared below, on a step axis.
    """
    told = METRICS[metric]
    colours, figure = plotly_look.lines(dark), go.Figure()
    for place, (run, metrics, likelihood) in enumerate(runs):
        x, y, error, trusted = _curve(metrics, likelihood, metric, axis)
        colour = colours[COLOURS[place % MOST_RUNS]]
        line = {"color": colour, "width": 2, "dash": DASHES[place % MOST_RUNS]}
        if log_x:
            kept = x > 0
            x, y, error = x[kept], y[kept], None if error is None else error[kept]
            trusted = trusted if trusted is None else trusted[kept]
        y, points = smoothed(y, smoothing), metric == "log_likelihood"
        if error is not None and not points:  # too many to each have a bar
            figure.add_scatter(
                x=np.concatenate([x, x[::-1]]),
                y=np.concatenate([y + error, (y - error)[::-1]]),
                fill="toself",
                fillcolor=plotly_look.soft(colour, 0.18),
                line={"width": 0},
                mode="lines",
                hoverinfo="skip",
                showlegend=False,
                legendgroup=run,
            )
            error = None
        figure.add_scatter(
            x=x,
            y=y,
            name=run,
            legendgroup=run,
            mode="lines+markers" if points or len(x) < 10 else "lines",  # a line of one point cannot be seen
            line=line,
            marker={
                "size": 9,
                "symbol": None
                if trusted is None
                else ["circle" if one else "circle-open" for one in trusted],
            },
            error_y=None if error is None else {"type": "data", "array": error, "thickness": 1.5},
            connectgaps=True,
            hovertemplate="%{y:.4g}" + (f" {told.unit}" if told.unit else "") + f"<extra>{run}</extra>",
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
        legend={"orientation": "h", "y": -0.16, "yanchor": "top", "x": 0, "font": {"size": 13}},
    )


def _curve(
    metrics: Mapping[str, np.ndarray], likelihood: Sequence[Mapping[str, Any]], metric: str, axis: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
    """(x, y, standard errors or None, not to be distrusted or None); rows without a value are left out."""
    empty = np.zeros(0)
    where = np.asarray(metrics.get(_X[axis], empty), dtype=float)
    if metric == "log_likelihood":
        rows = sorted(
            (row for row in likelihood if nats_of(row) is not None), key=lambda row: row.get("step", 0)
        )
        steps = np.array([float(row.get("step", np.nan)) for row in rows])
        values = np.array([nats_of(row) for row in rows], dtype=float)
        errors = np.array([float(row.get("stderr") or 0.0) for row in rows])
        known = np.asarray(metrics.get("step", empty), dtype=float)
        x = steps if axis == "step" or not len(known) else np.interp(steps, known, where)
        return x, values, errors, np.array([row.get("trusted") is not False for row in rows], dtype=bool)
    y = np.asarray(metrics.get(metric, empty), dtype=float)
    if len(y) != len(where):
        return empty, empty, None, None
    kept = np.isfinite(y)
    if metric.startswith("log_likelihood_") and len(metrics.get("log_z_stderr", empty)) == len(y):
        return where[kept], y[kept], np.asarray(metrics["log_z_stderr"], dtype=float)[kept], None
    return where[kept], y[kept], None, None


def has(metrics: Mapping[str, np.ndarray], likelihood: Sequence[Mapping[str, Any]], metric: str) -> bool:
    """Whether the run has any value of the metric."""
    return len(_curve(metrics, likelihood, metric, "step")[0]) > 0


def first_metric(runs: Sequence[tuple[Mapping[str, np.ndarray], Sequence[Mapping[str, Any]]]]) -> str | None:
    """What to show first of (metrics, likelihood rows): what every run has, else what some have, by METRICS' order."""
    having = {key: sum(has(*run, key) for run in runs) for key in METRICS}
    most = max(having.values(), default=0)
    return next((key for key, count in having.items() if count == most and count), None)


def common_steps(kept: Sequence[Sequence[int]]) -> list[int]:
    """Every step at which some run has a snapshot, up to where the shortest run ends."""
    if not kept or not all(kept):
        return sorted({step for steps in kept for step in steps})
    end = min(steps[-1] for steps in kept)
    return sorted({step for steps in kept for step in steps if step <= end} | {end})


def snapshot_up_to(steps: Sequence[int], step: int) -> int | None:
    """The newest snapshot taken up to this step: what the run knew by then."""
    return max((known for known in steps if known <= step), default=None)


def strongest_filters(snapshot: Snapshot, shape: tuple[int, int], scale: float, n: int = 24) -> Blob:
    """The n filters with the largest norms, on a scale that several runs share."""
    order = moment.order_of_units("norm", snapshot, None)[:n]
    part = dataclasses.replace(
        snapshot,
        W=snapshot.W[:, order],
        hbias=snapshot.hbias[order],
        mean_hidden=snapshot.mean_hidden[order],
    )
    header, arrays = moment.filters(part, shape, np.arange(len(order)))
    total = snapshot.W.shape[1]
    header |= {
        "scale": scale,
        "note": f"{_how_many(len(order), total)} filters, largest norm first, on one scale for all runs.",
    }
    return header, {**arrays, "units": order.astype(np.int32)}


def _how_many(shown: int, total: int) -> str:
    return f"All {total:,}" if shown == total else f"{shown:,} of {total:,}"


def likelihood_figure(
    estimates: Sequence[tuple[str, Mapping[str, Any] | None]], step: int, dark: bool
) -> go.Figure:
    """Each run's estimate with its standard error; data trained on and data held out have symbols of their own.

    One that is not to be trusted is crossed out, and its run's name says so.
    """
    colours, figure = plotly_look.lines(dark), go.Figure()
    kinds = (
        ("train_nats", "training data", "square"),
        ("valid_nats", "validation", "diamond"),
        ("test_nats", "test data", "circle"),
    )
    for column, words, symbol in kinds:
        known = [
            (name, place, row)
            for place, (name, row) in enumerate(estimates)
            if row is not None and isinstance(row.get(column), (int, float))
        ]
        if not known:
            continue
        figure.add_scatter(
            x=[row[column] for _, _, row in known],
            y=[name for name, _, _ in known],
            error_x={
                "type": "data",
                "array": [float(row.get("stderr") or 0.0) for _, _, row in known],
                "color": plotly_look.ink(dark),
            },
            mode="markers",
            name=words,
            marker={
                "symbol": [
                    f"{symbol}-x-open" if row.get("trusted") is False else symbol for _, _, row in known
                ],
                "size": 12,
                "color": [colours[COLOURS[place % MOST_RUNS]] for _, place, _ in known],
                "line": {"width": 2},
            },
            customdata=[
                [
                    str(row.get("estimator", "")),
                    row.get("step", 0),
                    DOUBT if row.get("trusted") is False else "",
                ]
                for _, _, row in known
            ],
            hovertemplate="%{x:.2f} nats, %{customdata[0]} at step %{customdata[1]:,}%{customdata[2]}<extra>"
            + words
            + "</extra>",
        )
    aliases = {
        name: f"{name}<br>not to be trusted"
        for name, row in estimates
        if row is not None and row.get("trusted") is False
    }
    rows = [name for name, row in estimates if row is not None]
    figure.update_yaxes(
        categoryorder="array",
        categoryarray=rows[::-1],
        type="category",
        labelalias=aliases,
    )
    figure.update_xaxes(title_text="nats per image; further right is better")
    return plotly_look.dress(
        figure,
        dark,
        168 + 44 * len(rows),
        title_text=f"Log-likelihood up to step {step:,}",
        showlegend=True,
        # In black and below the axis: above it, in a run's colour, it was taken for a run's own marks.
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
