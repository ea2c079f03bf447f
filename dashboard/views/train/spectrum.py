"""Train's spectrum of the weights: worked out once for each moment, older moments in a thread beside the page."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, partial
from weakref import WeakKeyDictionary

import numpy as np

from dashboard import components
from dashboard.components import spectrum as component
from dashboard.components.blob import pack
from dashboard.components.messages import heard
from dashboard.figures import spectrum as figures
from dashboard.figures.cases import dressed
from dashboard.recent import Recent
from dashboard.ui import fantasy, link
from dashboard.views.train import audience, sight, state
from dashboard.views.train.moment import Moment, source
from dashboard.views.train.recorded import Run
from rbm_core.pixels import visible_states
from rbm_core.runs import RunError, RunReader, SnapshotError
from rbm_core.spectrum import Modes, modes

SPECTRUM = "train.spectrum"
SHOWN_KEPT = 32  # the moments that tabs look at; the modes of one of 784 × 500 are 330 kB
MOST_POINTS = 500
# While a trainer works the modes of the newest state are worked out no more often: each time takes 13 ms of processor
# time for 784 × 500, and the page is refreshed twice a second.
LIVE_EVERY_S = 3.0


@cache
def _known() -> WeakKeyDictionary[RunReader, dict[int, np.ndarray]]:
    """Of each run, the singular values at the moments worked out so far, 32 numbers each, as many as it has snapshots.

    A run deleted and made again under its name has another reader.
    """
    return WeakKeyDictionary()


@cache
def _shown() -> Recent[Modes]:
    return Recent(SHOWN_KEPT)


@cache
def _newest() -> WeakKeyDictionary[RunReader, tuple[float, Moment]]:
    """Of each run that trains, the newest state that was worked out, and when."""
    return WeakKeyDictionary()


@cache
def _under_way() -> WeakKeyDictionary[RunReader, "Future[None]"]:
    return WeakKeyDictionary()


@cache
def _worker() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "spectrum")


def draw(run: Run, steps: list[int], shown: Moment) -> None:
    """The singular values of every moment worked out so far, and the projections at the one shown."""
    if run.alive and state.watched().step == "live":
        shown = lately(run, shown)
    earlier = _earlier(run, [step for step in steps if step != shown.step])
    chosen = (link.field("mode"), link.field("mode2"))
    version = f"{shown.key} {chosen} {len(earlier)}"

    def build() -> bytes:
        now = _shown().get((run.reader, shown.key), lambda: modes(shown.snapshot.W))
        shape = run.image_shape(shown.snapshot.W.shape[0])
        probe = run.probe
        seen = np.zeros((0, len(now.left)))
        if probe is not None:
            seen = visible_states(probe.v[:MOST_POINTS], run.settings, probe.scale)
        fantasies = shown.snapshot.particles_v[:MOST_POINTS].astype(np.float32)
        header, arrays = figures.spectrum(
            {shown.step: now.values} | earlier, shown.step, now, chosen, seen, fantasies, shape
        )
        header |= {"version": version, "of": source(run, shown), "opens": fantasy.MOST}
        return pack(dressed(header, run.config), arrays)

    drawn = partial(audience.drawn_once, SPECTRUM, version, build)
    opened = fantasy.opener(SPECTRUM, run.name, None if state.watched().step == "live" else shown.step)
    components.feed(
        component.mount,
        SPECTRUM,
        version,
        drawn,
        rests=sight.rests(run, SPECTRUM),
        on_modes_change=_chosen,
        on_open_change=opened,
    )


def lately(run: Run, shown: Moment) -> Moment:
    """The newest state, or one of the last LIVE_EVERY_S: the picture names the step that it shows."""
    at, before = _newest().get(run.reader, (0.0, None))
    if before is not None and time.monotonic() - at < LIVE_EVERY_S and before.step <= shown.step:
        return before
    _newest()[run.reader] = (time.monotonic(), shown)
    return shown


def _earlier(run: Run, steps: list[int]) -> dict[int, np.ndarray]:
    """The singular values at those of these steps that are worked out; the thread works the others out."""
    known = _known().setdefault(run.reader, {})
    missing = [step for step in steps if step not in known]
    under_way = _under_way()
    if missing and (run.reader not in under_way or under_way[run.reader].done()):
        under_way[run.reader] = _worker().submit(_work_out, run.reader, missing, known)
    return {step: known[step] for step in steps if step in known}


def _work_out(reader: RunReader, steps: list[int], known: dict[int, np.ndarray]) -> None:
    for step in steps:
        try:
            W = reader.snapshot(step).W  # once, and not kept: nobody asked to see this moment
        except (SnapshotError, RunError):
            continue  # the page says so where it shows this moment
        known[step] = modes(W).values


def _chosen() -> None:
    said = heard(SPECTRUM, "modes")
    if said is not None and all(
        link.can_say(name, mode) for name, mode in zip(("mode", "mode2"), said, strict=True)
    ):
        link.remember_all(dict(zip(("mode", "mode2"), said, strict=True)))
