"""From a run's folder to a training ready for its next update: data, model, saved state, and what config.json lacks."""

import importlib.metadata
import platform
import threading
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rbm_core
from rbm_core.config import make_config
from rbm_core.runs.files import RunError, SnapshotError, one_line
from rbm_core.runs.recorder import Recorder
from rbm_core.runs.snapshot import read_snapshot
from rbm_core.visible import units_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from rbm_core.config import RunConfig
    from rbm_core.datasets import Dataset, Progress
    from rbm_core.rbm import RBM
    from rbm_core.training.ranks import Ranks
    from rbm_core.training.update import Training

__all__ = ["begun"]


def begun(
    recorder: Recorder,
    described: dict[str, Any],
    say: "Callable[[str], None]",
    *,
    download: bool,
    on_download: "Progress",
    initial: "Callable[[Dataset], RBM] | None" = None,
    ranks: "Ranks | None" = None,
) -> "tuple[Training, float | None]":
    """(the run's training, the seconds it has trained so far or None before its first update).

    described: config.json. say: called with a sentence before each long step. initial: the parameters to start from,
    given the data; without it those of the run's origin, or random ones. ranks: the processes that share the run, of
    which this one leads. Raises RunError, ConfigError,
    DatasetError or DeviceError in one sentence where the run cannot begin or go on.
    """
    recorder.clean()
    config = make_config(**described["config"])
    recorder.max_snapshots = config.max_snapshots
    from rbm_core import datasets

    # Importing torch takes two seconds and one core; reading and checking the images takes one second on the other.
    engine = threading.Thread(target=_import_engine, name="import-engine")
    engine.start()
    say(f"Loading {config.dataset}.")
    dataset = datasets.load(config.dataset, n_valid=config.n_valid, download=download, progress=on_download)
    _check_data(described, dataset)
    say("Preparing the first update.")
    # Two threads that import numba at once can meet in a half-imported module: one fails and leaves LLVM's lock taken,
    # and the other waits for ever.
    engine.join()
    from rbm_core.training.compiled import COMPILING, when_compiling

    with when_compiling(lambda: say(COMPILING)):
        return _ready(recorder, described, config, dataset, initial, ranks)


def _ready(
    recorder: Recorder,
    described: dict[str, Any],
    config: "RunConfig",
    dataset: "Dataset",
    initial: "Callable[[Dataset], RBM] | None",
    ranks: "Ranks | None",
) -> "tuple[Training, float | None]":
    """The training at its beginning, or as it was saved."""
    from rbm_core.training import Training

    device = None
    if known := described.get("device"):
        # A resumed run keeps what "auto" chose at its first start: another choice would give another run.
        device = known["kind"] if config.device == "auto" else None
        config = config.model_copy(update={"precision": described["precision"]})
    if ranks is not None:
        device = str(ranks.own_device(device or config.device))
    if recorder.has_resume():
        training = Training(config, dataset, device=device, ranks=ranks)
        tensors, meta = recorder.read_resume()
        try:
            training.load_state_dict(tensors, meta["training"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise RunError(
                f"resume.safetensors of run {recorder.path.name!r} does not fit its settings ({one_line(error)}), "
                "so the run cannot go on; start a new run from its last snapshot"
            ) from error
        if ranks is not None:
            ranks.lead(training, dataset.fingerprint, None, (tensors, meta["training"]))
        recorder.append_event(training.step, "continue")
        return training, float(meta["seconds"])
    start = initial(dataset) if initial else _origin(recorder.path, described, config)
    training = Training(config, dataset, device=device, initial=start, ranks=ranks)
    if ranks is not None:
        ranks.lead(training, dataset.fingerprint, start, None)
    recorder.complete_config(**_facts(training, dataset))
    recorder.write_probe(training.probe_arrays())
    recorder.append_event(0, "start")
    return training, None


def _import_engine() -> None:
    with suppress(Exception):  # whoever imports it next gets the error too, and says it
        import_module("rbm_core.training.update")


def _check_data(described: dict[str, Any], dataset: "Dataset") -> None:
    """Raises RunError if a run that was begun would go on with other data."""
    known = described.get("data")
    if known and known["fingerprint"] != dataset.fingerprint:
        raise RunError(
            f"the data {dataset.name!r} have changed since this run began (fingerprint "
            f"{known['fingerprint']}, now {dataset.fingerprint}); put them back or start a new run"
        )


def _origin(run: Path, described: dict[str, Any], config: "RunConfig") -> "RBM | None":
    """The parameters of the snapshot from which the run starts; None for a run that starts from random ones."""
    if described.get("origin") is None:
        return None
    from rbm_core.rbm import RBM

    try:
        start = read_snapshot(run / "origin.safetensors")
    except FileNotFoundError:
        raise SnapshotError(
            f"run {run.name!r} has lost origin.safetensors, the parameters it starts from"
        ) from None
    visible = units_of(start.meta).name
    if visible != config.visible:
        raise SnapshotError(
            f"the parameters this run starts from are for {visible} visible units, not {config.visible}"
        )
    return RBM.from_numpy(**start.parameters())


def _facts(training: "Training", dataset: "Dataset") -> dict[str, Any]:
    """The entries of config.json about the computer, the packages and the data with which a run began."""
    from rbm_core.compute import device_name

    return {
        "versions": {
            "python": platform.python_version(),
            "torch": importlib.metadata.version("torch"),
            "numpy": importlib.metadata.version("numpy"),
            "rbm_core": rbm_core.__version__,
        },
        "device": {"name": device_name(training.device), "kind": training.device.type},
        "precision": training.state.precision,
        "precision_note": training.state.precision_note,
        "data": {
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            "n_train": len(dataset.train_kept),
            "n_valid": len(dataset.valid_kept),
            "n_test": len(dataset.test_kept),
            "image_shape": list(dataset.image_shape),
            **({} if dataset.columns is None else {"columns": list(dataset.columns)}),
            **({} if dataset.ranges is None else {"ranges": dataset.ranges.tolist()}),
            **({"classes": list(dataset.class_names)} if training.config.labels else {}),
        },
    }
