"""Films of ladders: from a run's record to a request of the sampler, and its answer for the player."""

from typing import Any
from uuid import uuid4

import numpy as np

from dashboard.processes import sampler
from dashboard.processes.gibbs_films import Shown, image_shape
from rbm_core.runs import RunReader, Snapshot
from rbm_core.runs.files import halved
from rbm_core.runs.past_models import PastModel, models_before
from rbm_core.visible import units_of

_KEPT, _SNAPSHOTS = "the models that the run kept as rungs while it trained", "the run's snapshots"
_MOST_BYTES = 64_000_000  # of weights, in half precision


def make_ladder_film(
    reader: RunReader,
    snapshot: Snapshot,
    rounds: int,
    seed: int,
    on_progress: sampler.Progress | None = None,
) -> Shown:
    """The film of the ladder that leads to this snapshot. Raises SamplerError or RunError."""
    if snapshot.n_labels:
        raise sampler.SamplerError(
            f"run {reader.name!r} has label units, and a ladder shows machines of pixels alone; choose another run"
        )
    past, kept = models_before(reader, snapshot.step, _MOST_BYTES)
    if len(past) < 2:
        raise sampler.SamplerError(
            f"a ladder needs at least two earlier models of this run, and before step {snapshot.step:,} it kept "
            f"{len(past) or 'none'}; choose a later step, or a run that trained longer"
        )
    models: list[PastModel | Snapshot] = [*past, snapshot]
    log_vars = [model.log_var for model in models if model.log_var is not None]
    config, probe = reader.config(), reader.probe()
    fields = config["config"]
    request = sampler.LadderRequest(
        W=halved(np.stack([model.W for model in models])),
        vbias=np.stack([model.vbias for model in models]).astype(np.float32),
        hbias=np.stack([model.hbias for model in models]).astype(np.float32),
        log_var=np.stack(log_vars).astype(np.float32) if len(log_vars) == len(models) else None,
        steps=tuple(model.step for model in models),
        rounds=rounds,
        seed=seed,
        visible=units_of(fields).name,
        penalty=snapshot.meta.get("penalty"),
        dataset=fields.get("dataset", ""),
        n_valid=int(fields.get("n_valid") or 0),
        fingerprint=str((config.get("data") or {}).get("fingerprint") or ""),
        binarisation=fields.get("binarisation", "none"),
        probe=None if probe is None else probe.v,
        probe_labels=None if probe is None else probe.labels,
        scale=None if probe is None else probe.scale,
    )
    made = sampler.SHARED.film(request, on_progress)
    header: dict[str, Any] = {
        **made.header,
        "version": uuid4().hex,
        "image_shape": image_shape(reader, snapshot),
        "source": _KEPT if kept else _SNAPSHOTS,
        "of": {
            "run": reader.name,
            "step": snapshot.step,
            "seed": seed,
            "more": f"ladder · {rounds:,} rounds",
        },
    }
    return Shown(header, made.arrays)
