"""Figures of one pixel for the Inspect page: arrays in, pictures out."""

import numpy as np

from dashboard.figures import moment
from dashboard.figures.dissection.parts import still, tiles_of_units
from dashboard.figures.moment import Blob
from rbm_core.rbm_numpy import cosines
from rbm_core.runs import Snapshot


def pixel_map(means: np.ndarray, shape: tuple[int, int], pixel: int, what: str) -> Blob:
    """A map of the pixels' brightness in the data, in which a reader picks a pixel."""
    high = float(means.max(initial=0.0))
    header = still(
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
    where = "" if shape[0] == 1 else f" in row {pixel // shape[1]}, column {pixel % shape[1]}"
    header = still(
        "Its weights",
        f"One cell a unit, {columns} to a row, for the pixel{where}: red, they switch each other on; "
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
    """A map of the cosines between this pixel's row of W and the other rows."""
    header = still(
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
