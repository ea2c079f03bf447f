"""Makes the film of a request: runs the chains, and records each state as it is drawn."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rbm_core import gibbs
from rbm_core.compute import Rng
from rbm_core.labels import free_energy_of_pixels, given_label, with_drawn_labels
from rbm_core.pixels import as_bytes, lit
from rbm_core.rbm import RBM
from rbm_core.trajectory.cases import Arrays, binarised, probe_cases, sources, training_bits
from rbm_core.trajectory.nearest import Nearest
from rbm_core.trajectory.plane import plane_of
from rbm_core.trajectory.start import Start, start_of
from rbm_core.trajectory.states import Layer, Scale, half

__all__ = ["film"]

Report = Callable[[int, int], None]
"""Called with (sweeps done, number of sweeps)."""


def film(
    meta: dict[str, Any], arrays: Arrays, report: Report = lambda done, total: None
) -> tuple[dict[str, Any], Arrays]:
    """(header, arrays) of the film that `meta` and `arrays`, a FilmRequest's fields, ask for; a function of them alone.

    The chains use the random stream "gibbs page" of the request's seed, so equal seeds meet different models with the
    same random numbers. Raises ValueError, one sentence for the user, for what cannot be started.
    """
    rbm = _model(meta, arrays)
    scale = Scale(rbm, arrays)
    start = start_of(given_label(rbm, 0) if rbm.n_labels else rbm, meta, arrays, scale)
    recording = _Recording(rbm, meta, arrays, scale, start)
    _run(rbm, meta, arrays, start, recording, report)
    return recording.header(_band(rbm, meta, arrays)), recording.arrays(report)


def _run(
    rbm: RBM, meta: dict[str, Any], arrays: Arrays, start: Start, recording: "_Recording", report: Report
) -> None:
    """Every sweep of the chains, by drawn states or by mean fields, with the fork where the request has one."""
    rng, betas, v = Rng(meta["seed"], "gibbs page"), arrays["betas"], start.v
    if rbm.n_labels:
        v = with_drawn_labels(rbm, v, Rng(meta["seed"], "gibbs page labels"))
    clamp = None
    if "held" in arrays:  # pixels; labels are free
        clamp = torch.zeros(rbm.n_visible, dtype=torch.bool), v
        clamp[0][: rbm.n_pixels] = torch.from_numpy(arrays["held"])
    recording.keep(0, rbm, v)
    chain = gibbs.from_images(rbm, v)
    for t, beta in enumerate(betas.tolist()):
        if t == meta["fork_at"]:
            rng = rng if meta["fork_seed"] is None else Rng(meta["fork_seed"], "gibbs page")
            rbm = _model(meta, arrays, "fork_") if "fork_W" in arrays else rbm
        if meta["mean_field"]:
            chain = gibbs.mean_field_sweep(rbm, chain, beta=beta, clamp=clamp)
        else:
            chain = gibbs.sweep(rbm, chain, rng, beta=beta, clamp=clamp)
        recording.keep(t + 1, rbm, chain.v, chain.h)
        report(t + 1, len(betas))


def _model(meta: dict[str, Any], arrays: Arrays, prefix: str = "") -> RBM:
    """The request's model; prefix "fork_": the one that takes over at the fork."""
    W, vbias, hbias = (arrays[f"{prefix}{name}"] for name in ("W", "vbias", "hbias"))
    if f"{prefix}label_W" not in arrays:
        log_var = arrays.get(f"{prefix}log_var")
        return RBM.from_numpy(
            W, vbias, hbias, visible=meta["visible"], log_var=log_var, penalty=meta["penalty"]
        )
    U, d = arrays[f"{prefix}label_W"], arrays[f"{prefix}label_bias"]
    return RBM.from_numpy(np.concatenate([W, U]), np.concatenate([vbias, d]), hbias, n_labels=len(U))


def _free_energy(rbm: RBM, pixels: Tensor) -> np.ndarray:
    """F(v) in nats of pixels (B, V), (B,); labels are summed out."""
    return (free_energy_of_pixels(rbm, pixels) if rbm.n_labels else rbm.free_energy(pixels)).numpy()


class _Recording:
    """The record of a film: states, free energies, distances, and positions on the map, sweep by sweep."""

    def __init__(self, rbm: RBM, meta: dict[str, Any], request: Arrays, scale: Scale, start: Start) -> None:
        self._rbm, self._meta, self._request, self._scale, self._start = rbm, meta, request, scale, start
        n, n_chains = len(request["betas"]) + 1, len(start.v)
        self._real_v = meta["mean_field"] or rbm.law.units.real
        self._v = Layer(n, n_chains, rbm.n_pixels, self._real_v)
        self._y = Layer(n, n_chains, rbm.n_labels, real=True)
        self._h = Layer(n - 1, n_chains, rbm.n_hidden, meta["mean_field"])
        self._free_energy = np.empty((n, n_chains), np.float32)
        self._distance = np.empty((n, n_chains), np.uint16)
        self._reference = lit(scale.picture(start.clean))
        # The data set is loaded only for a film that needs it, since loading it delays the first film of a visit.
        known = next(sources(meta, request, "train"), None) if meta["with_map"] else None
        self._plane = plane_of(rbm, meta["binarisation"], scale, known) if known else None
        self._path = np.empty((n, n_chains, 2), np.float32)
        packed = training_bits(meta, request) if meta["with_nearest"] else None
        self._nearest = Nearest(packed, n, n_chains) if packed else None

    def keep(self, t: int, rbm: RBM, v: Tensor, h: Tensor | None = None) -> None:
        """The states after t sweeps. rbm: the model that drew them. h: None for the start, which has none."""
        pixels = v[:, : rbm.n_pixels]
        self._v.keep(t, pixels)
        self._y.keep(t, v[:, rbm.n_pixels :])
        if h is not None:
            self._h.keep(t - 1, h)
        self._free_energy[t] = _free_energy(rbm, pixels)
        if self._plane is not None:
            self._path[t] = self._plane.place(rbm.mean_h_from_v(v))
        shown = lit(self._scale.picture(pixels))
        self._distance[t] = (shown != self._reference).sum(1)
        if self._nearest is not None:
            self._nearest.keep(t, shown)

    def header(self, band: dict[str, Any] | None) -> dict[str, Any]:
        return {
            "map": None if self._plane is None else self._plane.words,
            "nearest": None if self._nearest is None else self._nearest.words(),
            "n_chains": len(self._start.v),
            "n_sweeps": len(self._request["betas"]),
            "n_visible": self._rbm.n_pixels,
            "n_hidden": self._rbm.n_hidden,
            "visible": self._rbm.visible,
            "penalty": self._rbm.penalty,
            "mean_field": self._meta["mean_field"],
            "start_sentence": self._start.words,
            "band": band,
            "reference": self._start.reference,
        }

    def arrays(self, report: Report) -> Arrays:
        n_sweeps, start = len(self._request["betas"]), self._start
        out: Arrays = {
            **self._v.named("v"),
            **self._h.named("h"),
            "free_energy": self._free_energy,
            "distance": self._distance,
            "beta": self._request["betas"].astype(np.float32),
            "clean": as_bytes(self._scale.picture(start.clean)),
            **self._scale.arrays(),
        }
        if self._rbm.n_labels:
            out |= self._y.named("y")
        if not self._real_v and not bool((start.v == (start.v > 0.5)).all()):
            out["v_start"] = half(start.v)
        if "held" in self._request:
            out["held"] = np.packbits(self._request["held"])
        if self._plane is not None:
            out |= {
                "map_points": self._plane.points,
                "map_labels": self._plane.labels,
                "map_path": self._path,
            }
        if self._nearest is not None:
            out |= self._nearest.find(lambda: report(n_sweeps, n_sweeps))
        return out


def _band(rbm: RBM, meta: dict[str, Any], arrays: Arrays) -> dict[str, Any] | None:
    """Where the free energies of real data lie: 5 %, 50 % and 95 % of the probe cases; None for Gaussian units."""
    probe = probe_cases(arrays)
    if probe is None or probe.images.shape[1] != rbm.n_pixels or rbm.law.units.real:
        return None
    v = torch.from_numpy(binarised(probe.images, meta["binarisation"], Rng(0, "gibbs band")))
    low, middle, high = np.quantile(_free_energy(rbm, v), [0.05, 0.5, 0.95])
    return {
        "low": float(low),
        "middle": float(middle),
        "high": float(high),
        "label": f"{len(v)} images of the data",
    }
