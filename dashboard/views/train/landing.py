"""The timelapse that plays by itself on a first visit: its frames, all in one blob, so that the browser plays them."""

import numpy as np

from dashboard import data
from dashboard.components.blob import pack
from dashboard.figures import moment as pictures
from dashboard.figures.cases import dressed
from dashboard.views.train import audience, moment, state
from dashboard.views.train.recorded import Run
from rbm_core.runs import Snapshot, SnapshotError

MOST_BYTES = 16_000_000  # of a blob: of a run that would take more, fewer snapshots are shown
_PARTS = ("tiles", "facts")


def plays(run: Run, steps: list[int]) -> bool:
    """Whether the page is one that plays by itself: the run that ships for it, at rest, at its end."""
    at_the_end = state.watched().step == "live" and not run.alive
    return run.name == data.LANDING_RUN and at_the_end and len(steps) > 1


def wished() -> None:
    state.watched().frames_wanted = True


def payload(run: Run, steps: list[int], shown: moment.Moment | None) -> dict[str, np.ndarray]:
    """The blob under "frames", once it is wanted; else nothing."""
    watched = state.watched()
    if not (watched.frames_wanted and shown and watched.order and plays(run, steps)):
        return {}
    watched.frames_wanted = False
    version = f"{shown.key} {len(steps)} {watched.order.made} {watched.order.sort}"
    shape, units = shown.snapshot.W.shape, watched.order.units
    blob = audience.drawn_once(
        "train.landing", version, lambda: _frames(run, _readable(run, steps, shape), units)
    )
    return {"frames": np.frombuffer(blob, dtype=np.uint8)}


def _frames(run: Run, snapshots: list[Snapshot], units: np.ndarray) -> bytes:
    """Each snapshot's filters and fantasies as their mosaics take them, without the pixels drawn.

    Header: steps, and for `filters` and `particles` a header a frame. Arrays: `filters_tiles` (frames, n, pixels) and
    the like.
    """
    shape = run.image_shape(snapshots[-1].W.shape[0])
    figures = {
        "filters": [pictures.filters(snapshot, shape, units) for snapshot in snapshots],
        "particles": [pictures.particles(snapshot, shape, probe=run.probe) for snapshot in snapshots],
    }
    for blobs in figures.values():
        for snapshot, (header, _) in zip(snapshots, blobs, strict=True):
            header["title"] += f" at step {snapshot.step:,}"
            header["of"] = {**moment.source(run, None), "step": snapshot.step}
    headers = {kind: [dressed(header, run.config) for header, _ in blobs] for kind, blobs in figures.items()}
    arrays = {
        f"{kind}_{part}": np.stack([arrays[part] for _, arrays in blobs])
        for kind, blobs in figures.items()
        for part in _PARTS
    }
    return pack({"steps": [snapshot.step for snapshot in snapshots], **headers}, arrays)


def _readable(run: Run, steps: list[int], shape: tuple[int, ...]) -> list[Snapshot]:
    """The snapshots that can be read and are of this shape of W; evenly as many as MOST_BYTES hold.

    A frame takes a byte a weight, and a byte a pixel of 100 fantasies.
    """
    snapshots = []
    for step in steps:
        try:
            snapshots.append(data.snapshot(run.name, step))
        except SnapshotError:
            continue
    alike = [snapshot for snapshot in snapshots if snapshot.W.shape == shape]
    n_visible, n_hidden = shape
    most = max(2, MOST_BYTES // (n_visible * (min(n_hidden, pictures.MOST_TILES) + 100)))
    return [alike[i] for i in pictures.evenly(list(range(len(alike))), most)]
