"""A model of another program as a run: it can be sampled, inspected, evaluated and trained on like any other."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rbm_core import datasets, gibbs
from rbm_core.config import preset as preset_of
from rbm_core.datasets import Dataset
from rbm_core.exchange.arrays import ExchangeError, read_arrays
from rbm_core.exchange.parameters import Parameters, of_object, understood
from rbm_core.pixels import PixelScale
from rbm_core.rbm import RBM
from rbm_core.runs import store
from rbm_core.runs.files import hold_lock, write_bytes
from rbm_core.runs.reader import RunReader
from rbm_core.runs.recorder import Recorder
from rbm_core.runs.snapshot import Snapshot, encode, snapshot_file
from rbm_core.training.begin import begun
from rbm_core.training.update import Training

__all__ = ["import_model"]

_SETTLE = 500  # sweeps of the run's chains, which begin as independent pixels


def import_model(
    source: Any,
    name: str,
    *,
    root: Path | None = None,
    dataset: str | None = None,
    preset: str = "default",
    settings: dict[str, Any] | None = None,
    download: bool = False,
) -> tuple[Path, list[str]]:
    """(the folder of a new run that begins with this model, what was assumed on the way, each a clause).

    source: a file that `read_arrays` reads, or an object that `of_object` understands. dataset: what the model learned
    from; without it the first data set at hand with as many pixels. preset, settings: of the training that may go on.
    Raises ExchangeError, RunError, ConfigError or DatasetError in one sentence; nothing is left behind then.
    """
    root = root or store.runs_root()
    store.check_name(name)
    settings = settings or {}
    if dataset is not None and datasets.is_file(dataset):
        dataset = datasets.brought_in(dataset)
    n_visible = None if dataset is None else datasets.load(dataset, download=download).train.shape[1]
    is_file = isinstance(source, (str, Path))
    found = understood(read_arrays(Path(source)), n_visible) if is_file else of_object(source, n_visible)
    notes = list(found.notes)
    if dataset is None:
        dataset = _likely_data(found)
        notes.append(f"its data were taken to be {dataset}, the first at hand with {len(found.W):,} pixels")
    config = preset_of(
        preset,
        **{
            "dataset": dataset,
            "n_hidden": found.W.shape[1],
            "visible": found.visible,
            "learn_variance": found.log_var is not None,
            "labels": found.label_W is not None,
            **({} if found.penalty is None else {"ordered": True, "penalty": found.penalty}),
            **settings,
        },
    )
    shown = Path(source).name if is_file else f"a {type(source).__name__}"
    said = "; ".join([f"Imported from {shown}", *notes])
    path = store.create_run(
        root, name, config, preset=preset, begin=lambda path: _begin(path, found, download, said, shown)
    )
    return path, notes


def _likely_data(found: Parameters) -> str:
    V = len(found.W)
    for name in datasets.NAMES:
        if datasets.available(name) and (datasets.sizes(name, 0) or (0, 0))[1] == V:
            return name
    raise ExchangeError(
        f"W {found.W.shape} has {V:,} visible units, and no data set at hand has as many pixels: name the data that "
        "the model learned from (--dataset, the path of a folder of pictures or of a file)"
    )


def _begin(path: Path, found: Parameters, download: bool, said: str, shown: str) -> None:
    """Records the run's first moment as a trainer would, with these parameters in place of random ones.

    said: where they come from and what was assumed, for the run's status. shown: the file's name.
    """
    lock = hold_lock(path)
    assert lock is not None, "a folder that was just made is locked by nobody"
    try:
        recorder, described = Recorder(path), RunReader(path).config()

        def initial(data: Dataset) -> RBM:
            return _on_scale_of(found, data).model()

        training, _ = begun(
            recorder,
            described,
            lambda _: None,
            download=download,
            on_download=lambda *_: None,
            initial=initial,
        )
        _settle(training)
        now = time.time()
        row = training.metrics() | {"seconds": 0.0, "time": round(now, 3), "steps_per_s": 0.0}
        recorder.append_metrics(row)
        fields = training.snapshot()
        first = Snapshot(**{**fields, "meta": {**fields["meta"], "seconds": 0.0, "exact": True}})
        write_bytes(snapshot_file(path, 0), encode(first))
        write_bytes(path / "origin.safetensors", encode(first))
        recorder.complete_config(origin={"file": shown})
        tensors, meta = training.state_dict()
        recorder.write_resume(tensors, {"training": meta, "seconds": 0.0})
        recorder.write_status(
            {
                "state": "stopped",
                "heartbeat": now,
                "step": 0,
                "n_steps": training.n_steps,
                "n_epochs": -(-training.n_steps // training.steps_per_epoch),
                "steps_per_epoch": training.steps_per_epoch,
                "learning_rate": training.learning_rate(),
                "message": f"{said}. Resume trains on from here.",
            },
            durable=True,
        )
    finally:
        lock.release()


def _settle(training: Training) -> None:
    """Lets the run's chains sweep in the model until they look like it."""
    state = training.state
    v = state.phases.v_chains.float()
    chain = gibbs.sweep(state.model, gibbs.from_images(state.model, v), state.streams.chains, _SETTLE)
    state.phases.v_chains.copy_(chain.v)
    state.phases.chains_h.copy_(gibbs.half_step(state.model, chain, state.streams.chains).h)


def _on_scale_of(found: Parameters, data: Dataset) -> Parameters:
    """The same law of the data's own grey values, for the standardisation x = m' + s'v' that the run will use.

    With v = av' + d, a = s'/s and d = (m' − m)/s: b' = (b − d)/a, σ' = σ/a, W' = W/a, c' = c + (d/σ²)W.
    """
    if found.scale is None:
        return found
    if len(found.scale.mean) != len(found.W) or not (found.scale.std > 0).all():
        raise ExchangeError(
            "pixel_mean and pixel_std must hold a number a visible unit, and deviations above 0"
        )
    ours = PixelScale.of(data.train, columns=data.ranges is not None)
    if np.allclose(ours.mean, found.scale.mean, atol=1e-6) and np.allclose(
        ours.std, found.scale.std, rtol=1e-6
    ):
        return found
    a, d = ours.std / found.scale.std, (ours.mean - found.scale.mean) / found.scale.std
    log_var = np.zeros_like(found.vbias) if found.log_var is None else found.log_var
    return replace(
        found,
        W=found.W / a[:, None],
        vbias=(found.vbias - d) / a,
        hbias=found.hbias + (d * np.exp(-log_var)) @ found.W,
        log_var=log_var - 2 * np.log(a),
        scale=ours,
    )
