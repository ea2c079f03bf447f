"""Films of ladders: from a run's record to a request of the sampler, and its answer for the player."""

from typing import Any
from uuid import uuid4

import numpy as np

from dashboard.processes import sampler
from dashboard.processes.gibbs_films import Shown, image_shape
from rbm_core.runs import RunReader, Snapshot
from rbm_core.runs.past_models import read_past_models
from rbm_core.visible import units_of

_MOST_BYTES = 64_000_000  # of weights, in half precision


def make_ladder_film(
    reader: RunReader,
    snapshot: Snapshot,
    rounds: int,
    seed: int,
    on_progress: sampler.Progress | None = None,
) -> Shown:
    """The film of the ladder that leads to this snapshot. Raises SamplerError or RunError."""
    steps, models, source = _past(reader, snapshot)
    config, probe = reader.config(), reader.probe()
    fields = config["config"]
    request = sampler.LadderRequest(
        **models,
        steps=steps,
        rounds=rounds,
        seed=seed,
        visible=units_of(fields).name,
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
        "source": source,
        "of": {
            "run": reader.name,
            "step": snapshot.step,
            "seed": seed,
            "more": f"ladder · {rounds:,} rounds",
        },
    }
    return Shown(header, made.arrays)


def _past(reader: RunReader, snapshot: Snapshot) -> tuple[tuple[int, ...], dict[str, np.ndarray | None], str]:
    """The models that lead to this snapshot, in the order of learning: steps, parameters, and where they are kept.

    Those that the run recorded as rungs while it trained; the snapshots of a run that recorded none.
    """
    learned = read_past_models(reader.path)
    if learned is not None and (
        before := [k for k, step in enumerate(learned.steps) if step < snapshot.step]
    ):
        steps = [learned.steps[k] for k in before]
        rows = [
            {
                name: None if (array := getattr(learned, name)) is None else array[k]
                for name in ("W", "vbias", "hbias", "log_var")
            }
            for k in before
        ]
        source = "the models that the run kept as rungs while it trained"
    else:
        steps = [step for step in reader.snapshot_steps() if step < snapshot.step]
        steps = steps[:: -(-len(steps) * snapshot.W.size * 2 // _MOST_BYTES) or 1]
        rows = [vars(reader.snapshot(step)) for step in steps]
        source = "the run's snapshots"
    if len(steps) < 2:
        raise sampler.SamplerError(
            f"a ladder needs at least two earlier models of this run, and before step {snapshot.step:,} it kept "
            f"{len(steps) or 'none'}; choose a later step, or a run that trained longer"
        )
    rows.append(vars(snapshot))
    dtypes = {"W": np.float16, "vbias": np.float32, "hbias": np.float32, "log_var": np.float32}
    if max(float(np.abs(row["W"]).max()) for row in rows) > np.finfo(np.float16).max:
        dtypes["W"] = np.float32
    models: dict[str, np.ndarray | None] = {
        name: None if rows[-1][name] is None else np.stack([row[name] for row in rows]).astype(dtype)
        for name, dtype in dtypes.items()
    }
    return (*steps, snapshot.step), models, source
