"""Figures of one hidden unit for the Inspect page: arrays in, pictures out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboard.figures import moment, plotly_look
from dashboard.figures.dissection.parts import image_tiles, log_places, tiles_of_units
from dashboard.figures.moment import Blob
from rbm_core.rbm_numpy import cosines
from rbm_core.runs import Snapshot
from rbm_core.runs.files import rounded

BINS = 20


def unit_mosaic(snapshot: Snapshot, shape: tuple[int, int], sort: str, unit: int) -> Blob:
    """All filters, to pick one from; the unit looked at is framed."""
    order = moment.order_of_units(sort, snapshot, None)
    header, arrays = moment.filters(snapshot, shape, order)
    place = np.flatnonzero(arrays["units"] == unit)
    header |= {
        "title": "All hidden units",
        "note": "Each tile is one unit's weights, all on one scale.",
        "hint": "Click one to open it.",
        "opens": True,
        "chosen": int(place[0]) if len(place) else None,
        "sort": sort,
        "sorts": [pair for pair in moment.SORTS if pair[0] != "change"],
    }
    return header, arrays


def history(snapshots: Sequence[Snapshot], shape: tuple[int, int], unit: int, at: int) -> Blob:
    """One unit's filter at every kept moment, on one scale, with its norm, bias and mean activation."""
    cells = np.stack([s.W[:, unit] for s in snapshots]).astype(np.float32)
    curves = np.stack(
        [
            np.sqrt((cells.astype(np.float64) ** 2).sum(axis=1)),
            [s.hbias[unit] for s in snapshots],
            [100 * s.mean_hidden[unit] for s in snapshots],
        ]
    ).astype(np.float32)
    arrays = {
        "cells": cells,
        "names": np.arange(cells.shape[1], dtype=np.int32),
        "curves": curves,
        "x": log_places(np.array([s.step for s in snapshots])),
    }
    return _history_header(snapshots, shape, unit, at), arrays


def _history_header(
    snapshots: Sequence[Snapshot], shape: tuple[int, int], unit: int, at: int
) -> dict[str, Any]:
    steps = [s.step for s in snapshots]
    scale = max(moment.common_scale(snapshots[-1].W), 1e-6)
    return {
        "key": f"unit {unit}",
        "title": f"Unit {unit}: its filter",
        "note": "Red pixels switch the unit on, blue ones off; the page's own colour is no influence. The norm is the "
        "length of all its weights, the bias the input it starts from.",
        "shape": shape,
        "signed": True,
        "low": -scale,
        "high": scale,
        "unit": "weight",
        "noun": "pixel",
        "name": f"unit-{unit}-filter",
        "height": 336,
        "picks": True,
        "picks_words": "click to open this pixel",
        "marked": None,
        "frames": [frame_words(s) for s in snapshots],
        "steps": steps,
        "at": at,
        "moves": True,
        "play_words": "Play this unit's training",
        "curves": [
            {"name": "Norm ‖Wⱼ‖", "unit": "", "colour": "blue"},
            {"name": "Bias cⱼ", "unit": "", "colour": "orange"},
            {"name": "On for", "unit": "%", "colour": "green"},
        ],
        "ends": [f"step {steps[0]:,}", f"step {steps[-1]:,} (log scale)"],
    }


def frame_words(snapshot: Snapshot) -> str:
    epoch = snapshot.meta.get("epoch")
    return f"step {snapshot.step:,}" + (
        f" · epoch {rounded(epoch)}" if isinstance(epoch, (int, float)) else ""
    )


def class_counts(p: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(classes (C,), counts (C, BINS)): the histogram of p(h = 1 | v) over the images of each class."""
    classes = np.unique(labels)
    place = np.minimum((p * BINS).astype(int), BINS - 1)
    counts = np.stack([np.bincount(place[labels == c], minlength=BINS) for c in classes])
    return classes, counts


def activation_by_class(p: np.ndarray, labels: np.ndarray | None, unit: int, dark: bool) -> go.Figure:
    """Histograms of p(hⱼ = 1 | v), one row for each class; a bar's height is the square root of its share."""
    labels = np.zeros(len(p), int) if labels is None else labels
    classes, counts = class_counts(p, labels)
    share = counts / counts.sum(axis=1, keepdims=True)
    centre = (np.arange(BINS) + 0.5) / BINS
    rows = np.repeat(np.arange(len(classes)), BINS)
    colour = plotly_look.lines(dark)["blue"]
    figure = go.Figure(
        go.Bar(
            x=np.tile(centre, len(classes)),
            y=0.86 * np.sqrt(share).ravel(),
            base=len(classes) - 1 - rows,
            width=0.9 / BINS,
            marker={"color": colour, "line": {"width": 0}},
            customdata=np.stack([classes[rows], counts.ravel(), 100 * share.ravel()], axis=1),
            hovertemplate="class %{customdata[0]:.0f}, p near %{x:.2f}:<br>%{customdata[1]:,.0f} images, "
            "%{customdata[2]:.1f} % of the class<extra></extra>",
        )
    )
    figure.update_xaxes(
        range=[0, 1.16],
        tickvals=[0, 0.25, 0.5, 0.75, 1],
        title_text=f"p(h<sub>{unit}</sub> = 1 | v)",
    )
    single = len(classes) == 1
    figure.update_yaxes(
        tickvals=len(classes) - 0.95 - np.arange(len(classes)),
        ticktext=["all" if single else str(c) for c in classes],
        range=[-0.06, len(classes)],
        title_text="" if single else "class",
        zeroline=False,
        showgrid=False,
    )
    _write_means(figure, [float(p[labels == c].mean()) for c in classes])
    title = "How sure it is" if single else "Class by class"
    return plotly_look.dress(figure, dark, 190 + 24 * len(classes), title_text=title, bargap=0)


def _write_means(figure: go.Figure, means: list[float]) -> None:
    """Writes each row's mean at its right end, in per cent, under the head "mean"."""
    for row, mean in enumerate(means):
        figure.add_annotation(
            x=1.03,
            y=len(means) - 0.7 - row,
            xanchor="left",
            text=f"{100 * mean:.0f} %",
            showarrow=False,
            font={"size": 13},
        )
    figure.add_annotation(
        x=1.03, y=len(means) - 0.06, xanchor="left", text="mean", showarrow=False, font={"size": 12}
    )


def extremes(p: np.ndarray, logits: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the n images with the unit's largest logits, and of the n with its least; p itself saturates."""
    order = np.argsort(-logits, kind="stable")
    return order[:n], order[::-1][:n]


def exciting(
    pictures: np.ndarray,
    labels: np.ndarray | None,
    shape: tuple[int, int],
    p: np.ndarray,
    which: np.ndarray,
    most: bool,
) -> Blob:
    facts = [("p(h=1|v)", p[which])]
    if labels is not None:
        facts.insert(0, ("class", labels[which]))
    title = "Excite it most" if most else "Excite it least"
    low, high = float(p[which].min()), float(p[which].max())
    if low > 0.999 or high < 0.001:
        odds = "above 0.999" if low > 0.999 else "below 0.001"
    else:
        odds = f"from {low:.3f} to {high:.3f}"
    note = f"p(h=1|v) {odds} for these."
    header, arrays = image_tiles(pictures[which], shape, facts, title, note)
    header |= {"opens": True, "chosen": None}
    arrays |= {"units": which.astype(np.int32)}
    return header, arrays


def neighbours(snapshot: Snapshot, shape: tuple[int, int], unit: int, n: int = 18) -> tuple[Blob, np.ndarray]:
    """(the units nearest by the cosine of their weights, then the two most opposed; the cosine of every unit)."""
    cosine = cosines(snapshot.W, unit)
    others = np.delete(np.arange(len(cosine)), unit)
    ranked = others[np.argsort(-cosine[others], kind="stable")]
    chosen = ranked if len(ranked) <= n else np.concatenate([ranked[: n - 2], ranked[-2:]])
    facts: list[tuple[str, np.ndarray]] = [
        ("cosine", cosine[chosen]),
        ("on for", snapshot.mean_hidden[chosen]),
    ]
    note = (
        "The closest by the cosine between weights (1: the same direction, 0: nothing in common, −1: opposite), then "
        "the two most opposed."
    )
    return tiles_of_units(snapshot, shape, chosen, facts, "Nearest units", note), cosine
