"""Figures of one image for the Inspect page: arrays in, pictures out."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboard.figures import plotly_look
from dashboard.figures.dissection.parts import log_places, still, tiles_of_units
from dashboard.figures.moment import Blob
from dashboard.figures.numbers import minus, significant
from rbm_core.rbm_numpy import BuildUp, EnergyTerms
from rbm_core.runs import Snapshot


def build_up(
    built: BuildUp,
    shown: np.ndarray,
    original: np.ndarray,
    shape: tuple[int, int],
    key: str,
    words: str,
    mean: str,
) -> Blob:
    """The reconstruction from 0, 1, 2, … of the strongest units, beside the image.

    shown (n, V): the reconstructions as pixels. original (V,): the image. words: what the image is. mean: the symbol of
    E[v | h].
    """
    added = np.concatenate([[np.nan], built.p[built.order[built.counts[1:] - 1]]])
    arrays = {
        "cells": shown.astype(np.float32),
        "names": np.arange(shown.shape[1], dtype=np.int32),
        "beside": original.astype(np.float32),
        "curves": np.stack([built.error, added]).astype(np.float32),
        "x": log_places(built.counts),
    }
    return _build_up_header(built, shape, key, words, mean), arrays


def _build_up_header(
    built: BuildUp, shape: tuple[int, int], key: str, words: str, mean: str
) -> dict[str, Any]:
    n = len(built.order)
    frames = ["biases alone, no unit yet"]
    for count in built.counts[1:]:
        last = built.order[count - 1]
        frames.append(f"{count} of {n} units · last added: unit {last}")
    header = still(
        "What the units add up to",
        f"Left: {words}. Right: {mean} when its strongest units are added one after the other, each with "
        "its probability.",
        shape,
        signed=False,
        low=0.0,
        high=1.0,
    )
    return header | {
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


def answering(snapshot: Snapshot, built: BuildUp, shape: tuple[int, int], n: int = 20) -> Blob:
    """Filters of the n units that shape this image most, the strongest first."""
    chosen = built.order[:n]
    facts = [("p(h=1|v)", built.p[chosen]), ("push p‖W‖", built.strength[chosen])]
    on = int((built.p > 0.5).sum())
    note = f"The strongest by p(h=1|v) · ‖W‖; {on} of {len(built.p)} units are more likely on than off."
    return tiles_of_units(snapshot, shape, chosen, facts, "Which units answer", note)


def energy_figure(terms: EnergyTerms, energy_label: str, dark: bool) -> go.Figure:
    """From the energy's terms to the free energy, each bar on the one before. energy_label: of the visible term."""
    colours = plotly_look.lines(dark)
    parts = [
        (energy_label, terms.visible),
        ("hidden biases −c·p", terms.hidden),
        ("weights −vᵀWp", terms.pairs),
        *([("penalties of units", terms.penalty)] if terms.penalty else []),
        ("mean energy", None),
        ("− entropy of h, z" if terms.penalty else "− entropy of h", -terms.entropy),
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
        texts.append(minus(f"{heights[-1]:,.1f}"))
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
    # The numbers at the bars' ends take a third of the width of a narrow window.
    room = 0.34 * max(float(np.ptp(ends)), 1e-9)
    figure.update_xaxes(
        title_text="nats; further left is likelier", range=[ends.min() - room, ends.max() + room]
    )
    return plotly_look.dress(figure, dark, 300, title_text="Term by term", bargap=0.28)


def softplus_figure(terms: EnergyTerms, dark: bool, n: int = 40) -> go.Figure:
    """The part of the free energy that each unit contributes, −softplus(cⱼ + (vW)ⱼ), the largest first."""
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
        title_text=f"hidden unit; the other {len(rest):,} together {significant(-remainder)} nats"
        if len(rest)
        else "hidden unit",
        tickangle=0,
    )
    title = "penalty − softplus" if terms.penalty else "−softplus"
    figure.update_yaxes(title_text=f"{title}, nats")
    return plotly_look.dress(
        figure, dark, 300, title_text="What each unit takes off the free energy", bargap=0.2
    )


def standing(this: float, data: np.ndarray, fantasies: np.ndarray, dark: bool, source: str) -> go.Figure:
    """The image's free energy beside histograms of those of other images and of the run's fantasy particles."""
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
            "text": f" this image: {significant(this, 4)}",
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
