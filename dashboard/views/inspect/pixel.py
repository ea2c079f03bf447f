"""The view of one pixel, or of one column of a table: its mean in the data, and its weights to the units."""

from typing import Any

import numpy as np
import streamlit as st

from dashboard.figures.dissection import pixel as figures
from dashboard.figures.numbers import significant
from dashboard.ui import run_choice
from dashboard.ui.about import about
from dashboard.ui.charts import table_button
from dashboard.views.inspect import texts
from dashboard.views.inspect.opened import Opened, choose, metrics, mount_map, mount_mosaic, number_of

ROW, COLUMN = "inspect.row", "inspect.column"


def show(opened: Opened) -> None:
    snapshot, shape = opened.snapshot, opened.shape
    middle = (shape[0] // 2) * shape[1] + shape[1] // 2
    pixel = number_of("pixel", len(snapshot.vbias), lambda: middle, "pixels")
    means, what = mean_picture(opened)
    head(opened, pixel, means, what)
    left, centre, right = st.columns(3, gap="large")
    with left:
        mount_map(opened, "pixels", figures.pixel_map(means, shape, pixel, what), "pixel")
        about("the map of pixels", **texts.PIXELS)
    with centre:
        mount_map(opened, "incoming", figures.incoming(snapshot, pixel, shape), "unit")
        about("the weights of one pixel", **texts.INCOMING)
    with right:
        mount_map(opened, "kinship", figures.kinship(snapshot, pixel, shape), "pixel")
        about("the pixels wired like it", **texts.KINSHIP)
    mount_mosaic(
        opened, "drivers", figures.strongest_at(snapshot, pixel, shape), f"pixel-{pixel}-units", "unit"
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        about("the units that drive it", **texts.DRIVERS)
        weights = snapshot.W[pixel]
        table_button(
            "Its weights",
            opened.file("pixel", pixel, "weights"),
            ("unit", "weight", "unit_bias", "unit_mean_activation"),
            lambda: zip(range(len(weights)), weights, snapshot.hbias, snapshot.mean_hidden, strict=True),
        )


def mean_picture(opened: Opened) -> tuple[np.ndarray, str]:
    """(mean of every pixel (V,), over what): over the data, or over the fantasies where there are no data."""
    if opened.pool is None:
        particles = opened.snapshot.particles_v.astype(np.float32)
        return particles.mean(axis=0), "Mean over the fantasy particles."
    return opened.pool.grey.mean(axis=0) / 255, run_choice.said(f"Mean grey value over {opened.pool.source}.")


def mean_of(table: dict[str, Any] | None, pixel: int, means: np.ndarray) -> float:
    """The mean of one pixel as a grey value, or of one column in its own unit."""
    share = float(means[pixel])
    return (
        share if table is None else table["low"][pixel] + share * (table["high"][pixel] - table["low"][pixel])
    )


def head(opened: Opened, pixel: int, means: np.ndarray, what: str) -> None:
    """Which pixel, how to get to another, and its numbers."""
    rows, columns = opened.shape
    table = run_choice.table()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.session_state[ROW], st.session_state[COLUMN] = divmod(pixel, columns)

        def typed() -> None:
            choose({"pixel": int(st.session_state[ROW]) * columns + int(st.session_state[COLUMN])})

        if table is not None:
            names = table["columns"]
            st.selectbox(
                "Column",
                range(columns),
                key=COLUMN,
                format_func=lambda column: names[column],
                on_change=typed,
                width=260,
                help="Or click one below.",
            )
        for label, count, key in (("Row", rows, ROW), ("Column", columns, COLUMN)) if table is None else ():
            st.number_input(
                f"{label}, 0 to {count - 1}", 0, count - 1, key=key, on_change=typed, width=150,
                help="Counted from the top left. Click in the picture below instead, if you like.",
            )  # fmt: skip
        weights = opened.snapshot.W[pixel]
        bias, norm = float(opened.snapshot.vbias[pixel]), float(np.linalg.norm(weights))
        wired = f"{int((weights > 0).sum())} / {int((weights < 0).sum())}"
        metrics(
            [
                ("Mean in the data", f"{mean_of(table, pixel, means):.4g}", what),
                (
                    "Bias",
                    significant(bias),
                    run_choice.said("bᵢ: how much the pixel wants to be on before any unit speaks."),
                ),
                (
                    "Norm of its weights",
                    significant(norm),
                    "‖Wᵢ‖: how strongly the hidden units can move it.",
                ),
                (
                    "Units for / against",
                    wired,
                    run_choice.said("How many units push the pixel on, and how many off."),
                ),
            ]
        )
