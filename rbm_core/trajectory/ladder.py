"""Makes the film of a ladder: replicas at a run's past models, their exchanges, and a plain chain of as many sweeps."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rbm_core import gibbs, tempering
from rbm_core.compute import Rng
from rbm_core.pixels import as_bytes
from rbm_core.rbm import RBM
from rbm_core.trajectory.cases import Arrays, sources
from rbm_core.trajectory.plane import plane_of
from rbm_core.trajectory.states import Scale

__all__ = ["ladder_film"]

Report = Callable[[int, int], None]
_MOST_RUNGS = 96
_CHAINS, _SWEEPS = 100, 10  # that place the rungs


def ladder_film(
    meta: dict[str, Any], arrays: Arrays, report: Report = lambda done, total: None
) -> tuple[dict[str, Any], Arrays]:
    """(header, arrays) of the film that a LadderRequest's fields ask for; a function of them alone.

    K rungs from independent pixels (0) to the last model (K − 1), placed by acceptance along the models, which are
    joined by straight lines in their parameters. A round is a sweep of every rung and an exchange between every second
    pair. For R rounds:

    - v_bits (R + 1, K, ⌈V/8⌉) or v_grey (R + 1, K, V) uint8: the states after each round; [0] is the start
    - origin (R + 1, K) uint8: the rung at which each state's walk began
    - proposed, accepted (R, K − 1) uint8: of each round, the pairs that were asked and those that exchanged
    - chance (R, K − 1) float32: the probability of each pair's exchange, whether it was asked or not
    - trips (R + 1,) uint16: walks from the first rung to the last and back that were completed
    - plain_bits (R + 1, ⌈V/8⌉) or plain_grey (R + 1, V): a plain chain of the last model, K sweeps a round: the
      sweeps of a whole ladder. It begins at the same state as the last rung.
    - map_points (N, 2), map_labels (N,), map_path (R + 1, 2, 2), where images are known: p(h|v) of training images, and
      of the states of the last rung and of the plain chain

    header["rungs"]: of each rung the model it is, or the two that it lies between; see `_named`.

    Raises ValueError, one sentence for the user, for models that need no ladder or one too long to show.
    """
    path, models = _path(meta, arrays)
    seed = meta["seed"]
    report(0, meta["rounds"])
    places = _placed(path, Rng(seed, "ladder page rungs"), meta["steps"][-1])
    ladder = tuple(map(path, places))
    rng, rows = Rng(seed, "ladder page"), tempering.kept_rows(ladder)
    own = torch.arange(len(ladder))  # a chain of its own climbs to each rung
    replicas = tempering.replicas_at(tempering.climbed(ladder, len(ladder), rng)[own, own][:, None])
    top, plain_rng = ladder[-1], Rng(seed, "ladder page plain")
    plain = gibbs.from_images(top, replicas.v[-1])
    recording = _Recording(top, meta, arrays, len(ladder))
    recording.keep(0, replicas, plain.v)
    for r in range(1, meta["rounds"] + 1):
        replicas, exchange = tempering.temper(ladder, replicas, rng, rows=rows)
        plain = gibbs.sweep(top, plain, plain_rng, len(ladder))
        recording.keep(r, replicas, plain.v, exchange)
        report(r, meta["rounds"])
    header = {
        "n_rounds": meta["rounds"],
        "n_visible": top.n_visible,
        "rungs": [_named(t, models, meta["steps"]) for t in places],
        "map": recording.words,
    }
    return header, recording.arrays()


def _path(meta: dict[str, Any], arrays: Arrays) -> tuple[tempering.Path, int]:
    """The path through the models, and how many they are."""
    log_var = arrays.get("log_var")
    models = [
        RBM.from_numpy(
            W.astype(np.float32),
            arrays["vbias"][m],
            arrays["hbias"][m],
            visible=meta["visible"],
            log_var=None if log_var is None else log_var[m],
            penalty=meta["penalty"],
        )
        for m, W in enumerate(arrays["W"])
    ]
    return tempering.trajectory_path(models), len(models)


def _placed(path: tempering.Path, rng: Rng, step: int) -> tuple[float, ...]:
    """Where the rungs stand along the path."""
    try:
        places = tempering.place_rungs(path, rng, n_chains=_CHAINS, sweeps=_SWEEPS, most=_MOST_RUNGS)
    except ValueError:
        raise ValueError(
            f"the ladder to step {step:,} needs more than {_MOST_RUNGS} rungs, too many to show; choose an earlier step"
        ) from None
    if len(places) < 4:
        raise ValueError(
            f"the model of step {step:,} has learned too little for a ladder: {len(places)} rungs lead to it from "
            "independent pixels; choose a later step, or a run that trained longer"
        )
    return places


def _named(t: float, models: int, steps: list[int]) -> dict[str, Any]:
    """The rung at t in words that a page turns into sentences: "from", "to": the updates of the models around it, None
    for independent pixels; "share": how far it lies from the first to the second, 0 for a model itself.
    """
    known = [None, *steps]
    place = min(int(t * models), models - 1)
    share = t * models - place
    if share > 1 - 1e-9:
        place, share = place + 1, 0.0
    return {"from": known[place], "to": known[min(place + 1, models)], "share": round(share, 3)}


class _Recording:
    """The record of a ladder's film, round by round."""

    def __init__(self, top: RBM, meta: dict[str, Any], request: Arrays, K: int) -> None:
        R, V = meta["rounds"], top.n_visible
        self._top, self._real, self._scale = top, top.law.units.real, Scale(top, request)
        width = V if self._real else -(-V // 8)
        self._v = np.empty((R + 1, K, width), np.uint8)
        self._plain = np.empty((R + 1, width), np.uint8)
        self._origin = np.empty((R + 1, K), np.uint8)
        self._trips = np.empty(R + 1, np.uint16)
        self._proposed, self._accepted = np.zeros((2, R, K - 1), np.uint8)
        self._chance = np.empty((R, K - 1), np.float32)
        known = next(sources(meta, {**request, "vbias": request["vbias"][-1]}, "train"), None)
        self._plane = plane_of(top, meta["binarisation"], self._scale, known) if known else None
        self._path = np.empty((R + 1, 2, 2), np.float32)

    @property
    def words(self) -> str | None:
        """What the map shows; None where the run's images are not known."""
        return None if self._plane is None else self._plane.words

    def keep(
        self,
        r: int,
        replicas: tempering.Replicas,
        plain: Tensor,
        exchange: tempering.Exchange | None = None,
    ) -> None:
        """The states after round r, and what the round saw; no exchange for the start."""
        v = replicas.v[:, 0]
        self._v[r], self._plain[r] = self._packed(v), self._packed(plain)[0]
        self._origin[r] = replicas.origin[:, 0].numpy()
        self._trips[r] = int(replicas.round_trips[0])
        if exchange is not None:
            self._proposed[r - 1] = exchange.proposed.numpy()
            self._accepted[r - 1] = exchange.accepted[:, 0].numpy()
            self._chance[r - 1] = (exchange.behind - exchange.ahead)[:, 0].clamp(max=0).exp().numpy()
        if self._plane is not None:
            self._path[r] = self._plane.place(self._top.mean_h_from_v(torch.cat([v[-1:], plain])))

    def _packed(self, v: Tensor) -> np.ndarray:
        return as_bytes(self._scale.picture(v)) if self._real else np.packbits(v.numpy() > 0.5, axis=1)

    def arrays(self) -> Arrays:
        kind = "grey" if self._real else "bits"
        out: Arrays = {
            f"v_{kind}": self._v,
            f"plain_{kind}": self._plain,
            "origin": self._origin,
            "trips": self._trips,
            "proposed": self._proposed,
            "accepted": self._accepted,
            "chance": self._chance,
        }
        if self._plane is not None:
            out |= {
                "map_points": self._plane.points,
                "map_labels": self._plane.labels,
                "map_path": self._path,
            }
        return out
