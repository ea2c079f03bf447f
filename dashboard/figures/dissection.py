"""What the Inspect page draws of one hidden unit, one pixel, one image; pure."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboard.figures import moment, plotly_look
from dashboard.figures.moment import Blob
from rbm_core.rbm_numpy import BuildUp, EnergyTerms, Parameters, cosines
from rbm_core.runs import Snapshot

BINS = 20


def parameters(snapshot: Snapshot) -> Parameters:
    """The model of a snapshot, for the closed forms."""
    gaussian = snapshot.meta.get("visible") == "gaussian"
    return Parameters(snapshot.W, snapshot.vbias, snapshot.hbias, gaussian, snapshot.log_var)


def signed_number(x: float, digits: int = 3) -> str:
    """`−0.123`, with a true minus sign."""
    return f"{x:.{digits}g}".replace("-", "−")


# --- one hidden unit ---


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
    steps = np.array([s.step for s in snapshots])
    scale = max(moment.common_scale(snapshots[-1].W), 1e-6)
    header = {
        "key": f"unit {unit}",
        "title": f"Unit {unit}: its filter",
        "note": "Red pixels switch the unit on, blue ones off; the paper's colour is no influence. The norm is the "
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
        "steps": steps.tolist(),
        "at": at,
        "moves": True,
        "play_words": "Play this unit's training",
        "curves": [
            {"name": "Norm ‖Wⱼ‖", "unit": "", "colour": "blue"},
            {"name": "Bias cⱼ", "unit": "", "colour": "orange"},
            {"name": "On for", "unit": "% of images", "colour": "green"},
        ],
        "ends": [f"step {steps[0]:,}", f"step {steps[-1]:,} (log scale)"],
    }
    arrays = {
        "cells": cells,
        "names": np.arange(cells.shape[1], dtype=np.int32),
        "curves": curves,
        "x": log_places(steps),
    }
    return header, arrays


def frame_words(snapshot: Snapshot) -> str:
    epoch = snapshot.meta.get("epoch")
    return f"step {snapshot.step:,}" + (f" · epoch {epoch:.3g}" if isinstance(epoch, (int, float)) else "")


def log_places(steps: np.ndarray) -> np.ndarray:
    """The steps' places from 0 to 1 on a logarithmic axis of step + 1: early moments are dense."""
    places = np.log1p(steps.astype(np.float64) - steps[0])
    return (places / max(places[-1], 1e-12)).astype(np.float32)


def class_counts(p: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(classes (C,), counts (C, BINS)): how many images of each class give which p(h = 1 | v)."""
    classes = np.unique(labels)
    place = np.minimum((p * BINS).astype(int), BINS - 1)
    counts = np.stack([np.bincount(place[labels == c], minlength=BINS) for c in classes])
    return classes, counts


def activation_by_class(p: np.ndarray, labels: np.ndarray | None, unit: int, dark: bool) -> go.Figure:
    """A histogram of p(hⱼ = 1 | v) for every class, one row each; heights are square roots of shares."""
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
    means = [float(p[labels == c].mean()) for c in classes]
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
    for row, mean in enumerate(means):
        figure.add_annotation(
            x=1.03,
            y=len(classes) - 0.7 - row,
            xanchor="left",
            text=f"{100 * mean:.0f} %",
            showarrow=False,
            font={"size": 13},
        )
    figure.add_annotation(
        x=1.03, y=len(classes) - 0.06, xanchor="left", text="mean", showarrow=False, font={"size": 12}
    )
    title = "How sure it is" if single else "Class by class"
    return plotly_look.dress(figure, dark, 190 + 24 * len(classes), title_text=title, bargap=0)


def image_tiles(
    images: np.ndarray, shape: tuple[int, int], facts: Sequence[tuple[str, np.ndarray]], title: str, note: str
) -> Blob:
    """Grey images of the data as a mosaic. images (n, V) uint8; facts: a name and a number for each image."""
    header = {
        "kind": "particles",
        "shape": shape,
        "range": 1.0,
        "scale": 1.0,
        "order": None,
        "title": title,
        "noun": "image",
        "unit": "grey value",
        "note": note,
        "hint": "Click one to take it apart.",
        "facts": [[name, ""] for name, _ in facts],
    }
    table = np.stack([values for _, values in facts], axis=1) if facts else np.zeros((len(images), 0))
    return header, {"tiles": np.ascontiguousarray(images), "facts": table.astype(np.float32)}


def extremes(p: np.ndarray, logits: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(indices of the n images that excite the unit most, and least): by logit, which never saturates."""
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
    """(the nearest units by the cosine of their weights, then the most opposite two; every unit's cosine)."""
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


def tiles_of_units(
    snapshot: Snapshot,
    shape: tuple[int, int],
    units: np.ndarray,
    facts: Sequence[tuple[str, np.ndarray]],
    title: str,
    note: str,
) -> Blob:
    """Some units' filters on the scale of all of them, to click on."""
    scale = moment.common_scale(snapshot.W)
    kept = snapshot.W[:, units]
    full = max(float(np.abs(kept).max(initial=0.0)), scale)
    header: dict[str, Any] = {
        "kind": "filters",
        "shape": shape,
        "range": full,
        "scale": scale,
        "order": None,
        "title": title,
        "noun": "unit",
        "unit": "",
        "note": note,
        "hint": "Click one to open it.",
        "facts": [[name, ""] for name, _ in facts],
        "opens": True,
        "chosen": None,
    }
    arrays: dict[str, np.ndarray] = {
        "tiles": np.ascontiguousarray(np.rint(kept * (127.0 / full)).astype(np.int8).T),
        "units": units.astype(np.int32),
        "facts": np.stack([values for _, values in facts], axis=1).astype(np.float32),
    }
    return header, arrays


# --- one pixel ---


def pixel_map(means: np.ndarray, shape: tuple[int, int], pixel: int, what: str) -> Blob:
    """A picture to pick a pixel from: how bright each is in the data."""
    high = float(means.max(initial=0.0))
    header = _still(
        "Pick a pixel",
        f"{what} Click any pixel, or move with the arrow keys and press Enter.",
        shape,
        signed=False,
        low=0.0,
        high=high if high > 0 else 1.0,
    )
    header |= {
        "key": "pixels",
        "unit": "mean",
        "noun": "pixel",
        "name": "pixel-means",
        "picks": True,
        "picks_words": "click to open this pixel",
        "marked": pixel,
    }
    return header, {
        "cells": means[None].astype(np.float32),
        "names": np.arange(len(means), dtype=np.int32),
    }


def incoming(snapshot: Snapshot, pixel: int, shape: tuple[int, int]) -> Blob:
    """The pixel's weights to every hidden unit, one cell a unit, in the units' order."""
    weights = snapshot.W[pixel]
    columns = int(np.ceil(np.sqrt(len(weights) * 1.25)))
    rows = -(-len(weights) // columns)
    scale = moment.common_scale(snapshot.W)
    where = f"row {pixel // shape[1]}, column {pixel % shape[1]}"
    header = _still(
        "Its weights",
        f"One cell a unit, {columns} to a row, for the pixel in {where}: red, they switch each other on; "
        "blue, off. Click a cell to open that unit.",
        (rows, columns),
        signed=True,
        low=-scale,
        high=scale,
    )
    header |= {
        "key": "incoming",
        "unit": "weight",
        "noun": "unit",
        "name": f"pixel-{pixel}-weights",
        "picks": True,
        "picks_words": "click to open this unit",
        "marked": None,
    }
    return header, {"cells": weights[None], "names": np.arange(len(weights), dtype=np.int32)}


def kinship(snapshot: Snapshot, pixel: int, shape: tuple[int, int]) -> Blob:
    """Which pixels the machine wires like this one: the cosine between rows of W."""
    header = _still(
        "Pixels wired like it",
        "Cosine between this pixel's weights and each other pixel's. Neighbours in a stroke are wired alike, "
        "though nothing told the machine which pixels are neighbours.",
        shape,
        signed=True,
        low=-1.0,
        high=1.0,
    )
    header |= {
        "key": "kinship",
        "unit": "cosine",
        "noun": "pixel",
        "name": f"pixel-{pixel}-kinship",
        "picks": True,
        "picks_words": "click to open this pixel",
        "marked": pixel,
    }
    cells = cosines(np.ascontiguousarray(snapshot.W.T), pixel)
    return header, {"cells": cells[None].astype(np.float32), "names": np.arange(len(cells), dtype=np.int32)}


def strongest_at(snapshot: Snapshot, pixel: int, shape: tuple[int, int], n: int = 20) -> Blob:
    """The units with the largest weights to the pixel, either sign, positive first."""
    weights = snapshot.W[pixel]
    largest = np.argsort(-np.abs(weights), kind="stable")[:n]
    chosen = largest[np.argsort(-weights[largest], kind="stable")]
    facts = [("weight", weights[chosen]), ("on for", snapshot.mean_hidden[chosen])]
    note = "The filters with the largest weights at this pixel, from most positive to most negative."
    return tiles_of_units(snapshot, shape, chosen, facts, "Who drives this pixel", note)


def _still(
    title: str, note: str, shape: Sequence[int], *, signed: bool, low: float, high: float
) -> dict[str, Any]:
    return {
        "title": title,
        "note": note,
        "shape": list(shape),
        "signed": signed,
        "low": low,
        "high": high,
        "height": 336,
        "frames": None,
        "at": 0,
        "moves": False,
        "curves": [],
        "ends": ["", ""],
    }


# --- one image ---


def build_up_film(
    built: BuildUp,
    shown: np.ndarray,
    original: np.ndarray,
    shape: tuple[int, int],
    key: str,
    words: str,
    gaussian: bool = False,
) -> Blob:
    """The reconstruction after 0, 1, 2, … of the strongest units, beside the image.

    shown (n, V): its frames as pixels; original (V,): the image; words: what it is.
    """
    n, mean = len(built.order), "E[v|h]" if gaussian else "p(v=1|h)"
    frames = ["biases alone, no unit yet"]
    for count in built.counts[1:]:
        last = built.order[count - 1]
        frames.append(f"{count} of {n} units · last added: unit {last}")
    header = _still(
        "What the units add up to",
        f"Left: {words}. Right: {mean} when its strongest units are added one after the other, each with "
        "its probability.",
        shape,
        signed=False,
        low=0.0,
        high=1.0,
    )
    places = np.log1p(built.counts.astype(np.float64))
    header |= {
        "key": key,
        "unit": mean,
        "noun": "pixel",
        "picks": False,
        "marked": None,
        "height": 252,
        "beside": True,
        "frames": frames,
        "at": len(frames) - 1,
        "play_words": "Add the units one by one",
        "curves": [
            {"name": "Mean squared error", "unit": "per pixel", "colour": "blue"},
            {"name": "That unit's p(h=1|v)", "unit": "", "colour": "orange"},
        ],
        "ends": ["no units", f"all {n} units (log scale)"],
    }
    added = np.concatenate([[np.nan], built.p[built.order[built.counts[1:] - 1]]])
    arrays = {
        "cells": shown.astype(np.float32),
        "names": np.arange(shown.shape[1], dtype=np.int32),
        "beside": original.astype(np.float32),
        "curves": np.stack([built.error, added]).astype(np.float32),
        "x": (places / max(places[-1], 1e-12)).astype(np.float32),
    }
    return header, arrays


def answering(snapshot: Snapshot, built: BuildUp, shape: tuple[int, int], n: int = 20) -> Blob:
    """The units that shape this image most, strongest first."""
    chosen = built.order[:n]
    facts = [("p(h=1|v)", built.p[chosen]), ("push p‖W‖", built.strength[chosen])]
    on = int((built.p > 0.5).sum())
    note = f"The strongest by p(h=1|v) · ‖W‖; {on} of {len(built.p)} units are more likely on than off."
    return tiles_of_units(snapshot, shape, chosen, facts, "Which units answer", note)


def energy_figure(terms: EnergyTerms, gaussian: bool, dark: bool) -> go.Figure:
    """From the energy's terms to the free energy, each bar standing on the one before."""
    colours = plotly_look.lines(dark)
    visible = "visible ½‖v − b‖²/σ²" if gaussian else "visible −b·v"
    parts = [
        (visible, terms.visible),
        ("hidden −c·p", terms.hidden),
        ("pairs −vᵀWp", terms.pairs),
        ("mean energy", None),
        ("− entropy of h", -terms.entropy),
        ("free energy F(v)", None),
    ]
    names, bases, heights, fill, texts, total = [], [], [], [], [], 0.0
    for name, value in parts:
        names.append(name)
        bases.append(0.0 if value is None else total)
        heights.append(total if value is None else value)
        total += value or 0.0
        sign = colours["grey"] if value is None else colours["blue"] if value < 0 else colours["vermillion"]
        fill.append(sign)
        texts.append(f"{heights[-1]:,.1f}".replace("-", "−"))
    figure = go.Figure(
        go.Bar(
            y=names,
            x=heights,
            base=bases,
            orientation="h",
            marker={"color": fill},
            text=texts,
            textposition="outside",
            cliponaxis=False,
            textfont={"size": 13},
            hovertemplate="%{y}: %{text} nats<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed")
    ends = np.concatenate([bases, np.add(bases, heights)])
    # The numbers stand at the bars' ends, and in a narrow window take a third of it.
    room = 0.34 * max(float(np.ptp(ends)), 1e-9)
    figure.update_xaxes(
        title_text="nats; further left is likelier", range=[ends.min() - room, ends.max() + room]
    )
    return plotly_look.dress(figure, dark, 300, title_text="Term by term", bargap=0.28)


def softplus_figure(terms: EnergyTerms, dark: bool, n: int = 40) -> go.Figure:
    """How much each unit lowers the free energy: −softplus(cⱼ + (vW)ⱼ), the largest first."""
    order = np.argsort(-terms.softplus, kind="stable")
    shown, rest = order[:n], order[n:]
    remainder = float(terms.softplus[rest].sum())
    figure = go.Figure(
        go.Bar(
            x=np.arange(len(shown)),
            y=-terms.softplus[shown],
            customdata=shown,
            marker={"color": plotly_look.lines(dark)["blue"]},
            hovertemplate="unit %{customdata}: %{y:.2f} nats<extra></extra>",
        )
    )
    every = max(1, len(shown) // 10)
    figure.update_xaxes(
        tickvals=np.arange(0, len(shown), every),
        ticktext=[str(unit) for unit in shown[::every]],
        title_text=f"hidden unit; the other {len(rest):,} together {signed_number(-remainder)} nats"
        if len(rest)
        else "hidden unit",
        tickangle=0,
    )
    figure.update_yaxes(title_text="−softplus, nats")
    return plotly_look.dress(
        figure, dark, 300, title_text="What each unit takes off the free energy", bargap=0.2
    )


def standing(this: float, data: np.ndarray, fantasies: np.ndarray, dark: bool, source: str) -> go.Figure:
    """The image's free energy among those of other data and of the model's own fantasies."""
    colours = plotly_look.lines(dark)
    everything = np.concatenate([data, fantasies, [this]])
    edges = np.histogram_bin_edges(everything, bins=48)
    centre = (edges[1:] + edges[:-1]) / 2
    figure = go.Figure()
    for name, values, colour in (("data", data, "blue"), ("fantasies", fantasies, "green")):
        if not len(values):
            continue
        counts = np.histogram(values, edges)[0]
        figure.add_bar(
            x=centre,
            y=100 * counts / len(values),
            name=f"{name}, {len(values):,}",
            marker={"color": plotly_look.soft(colours[colour], 0.55)},
            hovertemplate=f"{name}: %{{y:.1f}} % near F = %{{x:.0f}} nats<extra></extra>",
        )
    figure.add_vline(
        x=this,
        line={"color": plotly_look.ink(dark), "width": 2},
        annotation={
            "text": f" this image: {signed_number(this, 4)}",
            "font": {"size": 13},
            "bgcolor": plotly_look.soft(plotly_look.paper(dark), 0.75),
            "yshift": 2,
        },
    )
    figure.update_xaxes(title_text="free energy F(v), nats; further left is likelier")
    figure.update_yaxes(title_text="% of the images")
    return plotly_look.dress(
        figure,
        dark,
        300,
        title_text="Where it stands",
        barmode="overlay",
        bargap=0,
        showlegend=True,
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.0, "yanchor": "bottom"},
        margin={"l": 8, "r": 8, "t": 72, "b": 8},
    )
