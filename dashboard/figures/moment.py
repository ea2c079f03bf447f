"""Figures of one snapshot for the Train page: filters, particles, activity, histograms.

A snapshot in, (header, arrays) for a canvas component out. All images have one common scale, which is in the header.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dashboard.figures import animation, palette
from rbm_core.pixels import grey_values
from rbm_core.rbm_numpy import norms
from rbm_core.runs import Probe, Snapshot
from rbm_core.strips import strips
from rbm_core.visible import units_of

Blob = tuple[dict[str, Any], dict[str, np.ndarray]]

# More tiles than this are too small to look at, and a refresh with them would take too long.
MOST_TILES = 1024
SORTS = (
    ("index", "in order"),
    ("norm", "by norm"),
    ("activity", "by mean activation"),
    ("change", "by recent change"),
    ("similarity", "by similarity"),
    ("groups", "like by like, in groups"),
)
BINS = 64
# The text, the formula and the source of each picture.
ABOUT = {
    "filters": {
        "text": "One tile is one hidden unit's weights: red pixels switch the unit on, blue ones off, the paper's "
        "colour has no say. All tiles share one scale, so that a weak unit looks weak; colours saturate at the "
        "value that 99.5 % of all weights stay below.",
        "formula": r"p(h_j = 1 \mid v) = \sigma\Bigl(c_j + \sum_i v_i W_{ij}\Bigr), \qquad "
        r"\sigma(x) = \frac{1}{1 + e^{-x}}",
        "source": "Hinton, *A Practical Guide to Training Restricted Boltzmann Machines* (2010), §15.",
    },
    "particles": {
        "text": "Gibbs chains that run on beside the training, each drawing hidden units from pixels and pixels from "
        "hidden units in turn. Learning lowers the energy of the data and raises the energy of what these chains "
        "have found, until the two cannot be told apart. Shown is each pixel's probability of being on, or a "
        "grey pixel's mean; *samples* shows the pixels as drawn.",
        "formula": r"p(v_i = 1 \mid h) = \sigma\Bigl(b_i + \sum_j W_{ij} h_j\Bigr), \qquad "
        r"\Delta W \propto \langle v h^\top \rangle_{\text{data}} - \langle v h^\top \rangle_{\text{fantasies}}",
        "source": "Tieleman (2008), persistent contrastive divergence; Hinton (2010), §15.",
    },
    "activity": {
        "text": "The same images throughout the run, sorted by class, one a row; one column is a hidden unit, in the "
        "order of the filters. A healthy picture looks like noise: a column all dark or all white is a unit that "
        "says nothing. Below, how often each unit is on over the training subset.",
        "formula": r"p(h_j = 1 \mid v) = \sigma\bigl(c_j + (vW)_j\bigr)",
        "source": "Hinton (2010), §11 and §15.",
    },
    "histograms": {
        "text": "The weights, both layers' biases, and what the last update added to each. Weights that run off to one "
        "side, or updates as wide as the weights themselves, say that the learning rate is too high; updates of about "
        "a thousandth of the weights are a healthy pace.",
        "formula": r"W \leftarrow W + \Delta W, \qquad b \leftarrow b + \Delta b, \qquad c \leftarrow c + \Delta c",
        "source": "Hinton (2010), §7 and §15.",
    },
}


def image_shape(n_visible: int, recorded: Sequence[int] | None) -> tuple[int, int]:
    """(height, width) of an image: as recorded, else square, else one row."""
    if recorded and len(recorded) == 2 and recorded[0] * recorded[1] == n_visible:
        return int(recorded[0]), int(recorded[1])
    side = round(n_visible**0.5)
    return (side, side) if side * side == n_visible else (1, n_visible)


def evenly(steps: list[int], most: int) -> list[int]:
    """At most this many of the steps, evenly spaced among them, with the first and the last."""
    if len(steps) <= most:
        return steps
    return [steps[round(i * (len(steps) - 1) / (most - 1))] for i in range(most)]


def common_scale(values: np.ndarray) -> float:
    """The value at which the colours saturate: 99.5 % of all values, of every unit together, are no larger.

    values (V, H): the columns at their end that are 0 belong to ordered units not yet in use, and do not count.
    """
    if values.size and not values[:, -1].any():
        learned = np.flatnonzero(values.any(axis=0))
        values = values[:, : learned[-1] + 1] if len(learned) else values
    some = values.ravel()
    if len(some) > 50_000:
        some = some[:: len(some) // 50_000]
    scale = _quantile(np.abs(some), 0.995) if len(some) else 0.0
    return scale if np.isfinite(scale) and scale > 0 else 1e-6


def _quantile(values: np.ndarray, share: float) -> float:
    """As np.quantile, which takes ten times as long for 50,000 numbers: a live page wants one twice a second."""
    place = share * (len(values) - 1)
    halved = np.partition(values, int(place))
    below, above = float(halved[int(place)]), float(halved[int(place) + 1 :].min(initial=np.inf))
    return below + (place - int(place)) * (above - below) if place > int(place) else below


def order_of_units(sort: str, snapshot: Snapshot, earlier: Snapshot | None) -> np.ndarray:
    """(min(H, MOST_TILES),) int64: the hidden units in the order asked for, largest first.

    change: by how far the unit's weights moved since `earlier`. similarity: a chain in which each unit is
    followed by the most similar one that is left (cosine of the weight vectors). groups: see _grouped.
    """
    W = snapshot.W
    if sort == "norm":
        order = np.argsort(-norms(W), kind="stable")
    elif sort == "activity":
        order = np.argsort(-snapshot.mean_hidden, kind="stable")
    elif sort == "change" and earlier is not None and earlier.W.shape == W.shape:
        order = np.argsort(-norms(W - earlier.W), kind="stable")
    elif sort == "similarity":
        order = _chain(W[:, :MOST_TILES])
    elif sort == "groups":
        order = _grouped(W[:, :MOST_TILES])
    else:
        order = np.arange(W.shape[1])
    return order[:MOST_TILES]


def _grouped(W: np.ndarray) -> np.ndarray:
    """(H,): the hidden units as the leaves of a tree, so that like stand by like and every group stays together.

    The tree joins the two groups that are most alike, again and again: average linkage of 1 − cosine between weight
    vectors (Sokal & Michener 1958). Of two groups that are joined the one with longer weights comes first; equal
    weights give equal orders.
    """
    from scipy.cluster.hierarchy import linkage  # takes 0.2 s to load

    H = W.shape[1]
    if H < 2:
        return np.arange(H)
    length = norms(W)
    units = (W / np.maximum(length, 1e-12)).T
    apart = np.maximum(1 - units @ units.T, 0)[np.triu_indices(H, 1)]
    groups = [[unit] for unit in range(H)]
    for first, second, *_ in linkage(apart, "average"):
        pair = [groups[int(first)], groups[int(second)]]
        pair.sort(key=lambda group: (-length[group].mean(), group[0]))
        groups.append(pair[0] + pair[1])
    return np.array(groups[-1], dtype=np.int64)


def _chain(W: np.ndarray) -> np.ndarray:
    """(H,): the hidden units from the one with the longest weights on, each followed by the most similar one left."""
    length = norms(W)
    units = W / np.maximum(length, 1e-12)
    cosine = units.T @ units
    now, order = int(np.argmax(length)), []
    left = np.ones(len(length), dtype=bool)
    for _ in range(len(length)):
        order.append(now)
        left[now] = False
        now = int(np.argmax(np.where(left, cosine[now], -2.0)))
    return np.array(order, dtype=np.int64)


def filters(
    snapshot: Snapshot, shape: tuple[int, int], order: np.ndarray, base: Snapshot | None = None
) -> Blob:
    """All filters on one common scale; with `base`, what changed in them since that snapshot.

    The tiles are int8, 127 = header["range"]; colours saturate at header["scale"], below it.
    """
    W = snapshot.W if base is None else snapshot.W - base.W
    total = W.shape[1]
    scale = common_scale(W)
    largest = float(max(W.max(initial=0.0), -W.min(initial=0.0)))
    full = min(2.5 * scale, max(largest, scale))
    kept = W if total <= MOST_TILES else W[:, np.sort(order)]
    units = np.arange(total) if total <= MOST_TILES else np.sort(order)
    quantised = kept * (127.0 / full)
    np.rint(np.clip(quantised, -127, 127, out=quantised), out=quantised)
    tiles = np.ascontiguousarray(quantised.astype(np.int8).T)
    facts = np.stack([units, norms(kept), snapshot.hbias[units], snapshot.mean_hidden[units]], axis=1)
    place = {int(unit): index for index, unit in enumerate(units)}
    shown = "All" if len(units) == total else f"{len(units):,} of"
    in_use = snapshot.in_use
    grown = "" if in_use == total and snapshot.meta.get("penalty") is None else _grown(in_use, total)
    what = "weight" if base is None else f"change since step {base.step:,}"
    header = {
        "kind": "filters",
        "shape": shape,
        "range": full,
        "scale": scale,
        "order": [place[int(unit)] for unit in order],
        "title": "Filters",
        "noun": "unit",
        "unit": "",
        "in_use": in_use,
        "note": f"{grown or f'{shown} {total:,} hidden units, a tile each'}; the largest {what} is {largest:.2g}.",
        "hint": "Click a tile.",
        "facts": [["norm", ""], ["bias", ""], ["on for", "of the training subset"]],
    }
    return header, {"tiles": tiles, "facts": facts[:, 1:].astype(np.float32), "units": units.astype(np.int32)}


def _grown(in_use: int, places: int) -> str:
    """How far a layer of ordered units has grown, in words."""
    if in_use == places:
        return f"The layer has grown to all of its {places:,} places, a tile each"
    return f"{in_use:,} hidden units in use; the layer grows into its {places - in_use:,} empty places"


def mean_visible(snapshot: Snapshot, most: int) -> np.ndarray:
    """E[v|h] of the first particles' hidden states, (most, V) float32; for Bernoulli units it is p(v=1|h)."""
    logits = snapshot.particles_h[:most].astype(np.float32) @ snapshot.W.T + snapshot.vbias
    return units_of(snapshot.meta).mean(logits)


def particles(
    snapshot: Snapshot, shape: tuple[int, int], most: int = 100, probe: Probe | None = None
) -> Blob:
    """The first chains as grey images: the probabilities they would draw next, and the drawn pixels.

    probe: the run's own, which says how Gaussian units stand for grey values.
    """
    means, drawn = mean_visible(snapshot, most), snapshot.particles_v[:most]
    header = {
        "kind": "particles",
        "shape": shape,
        "range": 1.0,
        "scale": 1.0,
        "order": None,
        "low": 0.0,
        "high": 1.0,
        "title": "Fantasies",
        "noun": "chain",
        "unit": units_of(snapshot.meta).mean_unit,
        "note": "Images that the model's own chains have reached.",
        "facts": [["mean pixel", ""], ["hidden units on", ""]],
    }
    means = _pixels(means, snapshot, probe)
    facts = np.stack([means.mean(axis=1), snapshot.particles_h[:most].sum(axis=1)], axis=1)
    return header, {
        "tiles": _shades(means),
        "bits": _shades(_pixels(drawn, snapshot, probe)),
        "facts": facts.astype(np.float32),
    }


def _pixels(v: np.ndarray, snapshot: Snapshot, probe: Probe | None) -> np.ndarray:
    """(N, V) in [0, 1]: values of the visible units as the data's grey values, on one scale for the whole run."""
    return grey_values(v, probe.scale if probe and units_of(snapshot.meta).standardised else None)


def _shades(x: np.ndarray) -> np.ndarray:
    """Bytes of values in [0, 1]. Bytes that are 0 and 1 already would be rounded as float16, which is slow."""
    return x * np.uint8(255) if x.dtype == np.uint8 else np.rint(x * 255).astype(np.uint8)


def timelapse_frame(
    snapshot: Snapshot,
    shape: tuple[int, int],
    subject: str,
    order: np.ndarray,
    scale: float,
    probe: Probe | None = None,
    columns: Sequence[str] | None = None,
) -> np.ndarray:
    """One frame of a timelapse: all filters in colour, uint8 (H, W, 3), or the first 100 fantasies in grey, (H, W).

    order: (n,) int, the hidden units shown, row by row. scale: the weight at which colours saturate. probe: see
    particles. columns: the names of a table's columns, whose rows are drawn as strips.
    """
    if subject == "fantasies":
        means = _pixels(mean_visible(snapshot, 100), snapshot, probe)
        shades = _shades(means)
        return _tiled(shades.reshape(-1, *shape)) if columns is None else strips(shades, columns)
    # In 31 shades: with more, most of the file would be noise about zero, which shows nothing.
    weights = np.rint(15 * np.clip(snapshot.W[:, order].T / scale, -1, 1)) / 15
    colours = palette.colour_table(palette.DIVERGING_LIGHT)[np.rint(127.5 + 127.5 * weights).astype(np.uint8)]
    return _tiled(colours.reshape(-1, *shape, 3)) if columns is None else strips(colours, columns)


def _tiled(tiles: np.ndarray) -> np.ndarray:
    """The tiles in a grid that is nearly a square."""
    height, width = tiles.shape[1:3]
    return animation.tiled(tiles, max(1, round((len(tiles) * height / width) ** 0.5)))


def activity(snapshot: Snapshot, order: np.ndarray, labels: np.ndarray | None) -> Blob:
    """Hidden probabilities of the probe images, images sorted by class, units in use in the filters' order."""
    in_use = max(snapshot.in_use, 1)
    order = order[order < in_use]
    hidden, rows = snapshot.probe_hidden, np.arange(len(snapshot.probe_hidden))
    if labels is not None and len(labels) == len(rows):
        rows = np.argsort(labels, kind="stable")
    header = {
        "order": order.tolist(),
        "labels": None if labels is None or len(labels) != len(rows) else labels[rows].tolist(),
    }
    return header, {
        "hidden": hidden[rows][:, order],
        "mean": snapshot.mean_hidden[:in_use].astype(np.float32),
    }


def histogram(values: np.ndarray, bins: int = BINS) -> tuple[np.ndarray, np.ndarray]:
    """(counts int32 (bins,), edges float32 (bins + 1,)) over the whole range of the finite values."""
    flat = values.ravel()
    low, high = float(flat.min()), float(flat.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        flat = flat[np.isfinite(flat)]
        low, high = (float(flat.min()), float(flat.max())) if len(flat) else (0.0, 0.0)
    if high <= low:
        low, high = low - 0.5, high + 0.5
    # About four times as fast as np.histogram: a live page makes three of these twice a second.
    index = ((flat - low) * np.float32(bins / (high - low))).astype(np.uint16)
    counts = np.bincount(np.minimum(index, bins - 1), minlength=bins)
    return counts.astype(np.int32), np.linspace(low, high, bins + 1, dtype=np.float32)


def histograms(snapshot: Snapshot) -> Blob:
    """Weights, both biases, of units in use, and the last increments of each (Hinton 2010, section 15)."""
    panels, arrays = [], {}
    in_use = max(snapshot.in_use, 1)
    states = (
        ("weights W", snapshot.W[:, :in_use]),
        ("visible biases b", snapshot.vbias),
        ("hidden biases c", snapshot.hbias[:in_use]),
    )
    for name, values in states:
        panels.append({"title": name, "unit": "nats", "colour": "blue"})
        arrays[f"counts{len(panels) - 1}"], arrays[f"edges{len(panels) - 1}"] = histogram(values)
    for row, name in enumerate(("ΔW", "Δb", "Δc")):
        panels.append({"title": f"last update {name}", "unit": "nats", "colour": "orange"})
        arrays[f"counts{len(panels) - 1}"] = snapshot.increment_counts[row].astype(np.int32)
        arrays[f"edges{len(panels) - 1}"] = snapshot.increment_edges[row].astype(np.float32)
    return {"panels": panels}, arrays
