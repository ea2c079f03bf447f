"""`python -m rbm_core train`: start or resume a run in this process."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from rbm_core.cli.console import Runs, app, duration, err, examples, rank_and_number, shown
from rbm_core.config import OF_THE_MODEL, PRESET_NOTES, PRESETS, ConfigError, RunConfig, make_config, preset
from rbm_core.runs import control, store
from rbm_core.runs.files import LOG_FILE, RunError
from rbm_core.runs.reader import RunReader
from rbm_core.visible import UNITS


@app.command(
    epilog=examples(
        "train --preset quick --dataset mnist-5k",
        "train --preset default --dataset mnist --download --name my-digits",
        "train --preset quick --epochs 10 --set momentum=0.5 --set k=5",
        "train --preset quick --dataset mnist-5k --updates-per-second 10",
        "train --resume my-digits",
        "train --from my-digits --epochs 10 --name longer",
    )
    # Not by `examples`: the command is another one.
    + "\n\n  torchrun --nproc-per-node 2 -m rbm_core train --preset quick --dataset mnist-5k"
)
def train(
    preset_name: Annotated[
        str | None,
        typer.Option(
            "--preset", help=" ".join(f"{n}: {PRESET_NOTES[n]}" for n in PRESETS) + " Default: default."
        ),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help=RunConfig.model_fields["dataset"].description)] = None,
    label_column: Annotated[
        str | None,
        typer.Option(
            help="Of a table given as --dataset: the column that names each row's class; default the one called label, "
            "class or target."
        ),
    ] = None,
    n_hidden: Annotated[int | None, typer.Option(help=RunConfig.model_fields["n_hidden"].description)] = None,
    epochs: Annotated[int | None, typer.Option(help=RunConfig.model_fields["epochs"].description)] = None,
    k: Annotated[int | None, typer.Option(help=RunConfig.model_fields["k"].description)] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help=RunConfig.model_fields["learning_rate"].description)
    ] = None,
    seed: Annotated[int | None, typer.Option(help=RunConfig.model_fields["seed"].description)] = None,
    device: Annotated[str | None, typer.Option(help=RunConfig.model_fields["device"].description)] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help=f"Any setting: {', '.join(RunConfig.model_fields)}."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the new run; default made from the settings.")
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Go on with a run that stopped. With --epochs it becomes longer, where its learning rate allows.",
        ),
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="RUN", help="Start a new run at the newest parameters of this one, on its data."
        ),
    ] = None,
    tensorboard: Annotated[
        Path | None,
        typer.Option(help="Mirror scalars, histograms and filters into this folder for TensorBoard."),
    ] = None,
    download: Annotated[bool, typer.Option(help="Fetch the data set if this machine lacks it.")] = False,
    updates_per_second: Annotated[
        float | None,
        typer.Option(
            help="Watch speed: hold the trainer back to it; its numbers stay the same. Default: full speed."
        ),
    ] = None,
    runs: Runs = None,
) -> None:
    """Train a run from a preset, with the settings that you change. Ctrl-C stops cleanly; --resume goes on."""
    if rank_and_number()[0]:
        from rbm_core.training.ranks import follow

        follow()  # rank 0 obeys the command
        return
    root = runs or store.runs_root()
    control.check("speed", {"updates_per_second": updates_per_second})
    named = {
        "dataset": dataset,
        "n_hidden": n_hidden,
        "epochs": epochs,
        "k": k,
        "learning_rate": learning_rate,
        "seed": seed,
        "device": device,
    }
    given = {field: value for field, value in named.items() if value is not None}
    by_name = settings_of(set_ or [])
    if twice := sorted(given.keys() & by_name):
        raise ConfigError(f"{twice[0]} is given twice, by --set and by its own option; give it once")
    changes = by_name | given
    if resume is not None:
        path = store.resolve(root, resume)
        _check_ranks(make_config(**RunReader(path).config()["config"]))
        others = {
            "--name": name,
            "--preset": preset_name,
            "--from": from_,
            "--label-column": label_column,
        }
        _extend(path, changes, [option for option, value in others.items() if value is not None])
        store.resumable(path)
    else:
        origin = None if from_ is None else _origin(root, from_, changes)
        if "dataset" in changes or label_column is not None:
            changes["dataset"] = _known(changes.get("dataset", ""), label_column)
        path = _new_run(root, name, preset_name or "default", changes, download, origin)
    _train(path, download, updates_per_second, tensorboard)


def _extend(path: Path, changes: dict[str, Any], others: list[str]) -> None:
    """Makes a run that is to go on longer, if that is wished. Raises ConfigError for what would be ignored."""
    if ignored := others + [name for name in changes if name != "epochs"]:
        raise ConfigError(
            f"--resume goes on with the run's own settings, so {', '.join(ignored)} would be ignored; start a new run "
            f"at its newest parameters instead: train --from {path.name} with the settings you want"
        )
    if "epochs" in changes:
        from rbm_core.runs.extension import extend

        err.say(extend(path, changes["epochs"]))


def _origin(root: Path, name: str, changes: dict[str, Any]) -> dict[str, Any]:
    """{"run", "step"} of the newest snapshot; the data, the units and their law of that run become settings."""
    reader = RunReader(store.resolve(root, name))
    steps = reader.snapshot_steps()
    if not steps:
        raise RunError(f"run {name!r} has no snapshot yet; wait for its first seconds of training")
    own = reader.config()["config"]
    for field in ("dataset", "n_valid", "binarisation", *OF_THE_MODEL):
        if field in own:
            changes.setdefault(field, own[field])
    changes.setdefault("n_hidden", reader.snapshot(steps[-1]).W.shape[1])
    return {"run": name, "step": steps[-1]}


def _known(dataset: str, label_column: str | None) -> str:
    """The name of these data; a file is kept under one first, and what was understood of it is said."""
    from rbm_core import datasets

    if datasets.is_file(dataset):
        return datasets.brought_in(dataset, labels=label_column, say=err.say)
    if label_column is not None:
        raise ConfigError("--label-column names a column of a table, and --dataset names no file; give both")
    if Path(dataset).expanduser().is_dir():
        err.say(datasets.describe(dataset))
    return dataset


def _new_run(
    root: Path,
    name: str | None,
    preset_name: str,
    changes: dict[str, Any],
    download: bool,
    origin: dict[str, Any] | None = None,
) -> Path:
    """Makes the run's folder, once it is known that its device and data can be had."""
    from rbm_core import datasets

    config = preset(preset_name, **changes)
    _check_ranks(config)
    if config.device.startswith("cuda"):
        from rbm_core.compute import resolve_device

        resolve_device(config.device)
    if not download:
        # Data of one's own are read to the end; of the named sets it is enough that they are there.
        known = config.dataset in datasets.NAMES and datasets.available(config.dataset)
        if not known or config.labels:
            data = datasets.load(config.dataset, n_valid=config.n_valid, download=False)
            if config.labels:
                data.check_labels()
            if data.ranges is not None and not UNITS[config.visible].real:
                err.say(
                    "Note: units of 0 and 1 take these real values as odds; --set visible=gaussian learns the values"
                )
    return store.create_run(
        root, name or store.new_name(config, preset_name, root), config, preset=preset_name, origin=origin
    )


def _check_ranks(config: RunConfig) -> None:
    """Raises ConfigError, before anything is made or changed, if the ranks cannot share such a run."""
    if (ranks := rank_and_number()[1]) > 1:
        from rbm_core.training.ranks import check_shares

        check_shares(config, ranks)


def _train(
    path: Path, download: bool, updates_per_second: float | None, tensorboard: Path | None = None
) -> None:
    """Trains the run to its end in this process, with a progress bar. Raises RunError if it diverges or fails."""
    from rbm_core.training import process as training_process

    err.say(f"Run {path.name} in {store.shown(path.parent)}")
    with ExitStack() as watched:
        ranks = None
        if rank_and_number()[1] > 1:
            from rbm_core.training.ranks import connected

            ranks = watched.enter_context(connected())
        bar = watched.enter_context(_TrainingBar())
        watchers = [bar.show]
        if tensorboard is not None:
            from rbm_core.exchange.tensorboard import Mirror

            watchers.append(watched.enter_context(Mirror(path, tensorboard)).show)

        def show(status: dict[str, Any], row: dict[str, Any]) -> None:
            for watcher in watchers:
                watcher(status, row)

        state = training_process.run(
            path, on_progress=show, download=download, updates_per_second=updates_per_second, ranks=ranks
        )
    status = bar.status
    if state in ("diverged", "failed"):
        raise RunError(status.get("message") or f"run {path.name!r} ended as {state}; see {path / LOG_FILE}")
    err.say(
        f"{state} at step {status.get('step', 0):,} after {duration(status.get('seconds', 0.0))}; "
        f"look at it with: {store.app_command()}"
    )


class _TrainingBar:
    """Epoch, steps a second, free-energy gap and time left, drawn again at every report of the trainer."""

    def __init__(self) -> None:
        self.status: dict[str, Any] = {}
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[numbers]}", markup=False),
            console=err,
            auto_refresh=False,  # a thread of its own would take time from those that train
        )
        self._task = self._progress.add_task("starting", total=None, numbers="")

    def __enter__(self) -> "_TrainingBar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, status: dict[str, Any], row: dict[str, Any]) -> None:
        self.status = status
        n_steps, step, rate = status.get("n_steps"), status.get("step", 0), status.get("steps_per_s") or 0.0
        if not n_steps:
            self._progress.update(
                self._task, description=shown(status.get("message") or status.get("state", ""))
            )
            return
        gap = row.get("free_energy_gap")
        left = duration((n_steps - step) / rate) if rate else ""
        pace = [f"{rate:,.0f} steps/s", f"{left} left"] if rate else []  # none once the run has ended
        numbers = " · ".join([f"gap {gap:+.2f} nats", *pace]) if gap is not None else ""
        epoch = min(int(status.get("epoch", 0)) + 1, status.get("n_epochs", 1))
        self._progress.update(
            self._task,
            description=f"{status.get('state')} · epoch {epoch}/{status.get('n_epochs')}",
            total=n_steps,
            completed=step,
            numbers=numbers,
        )
        self._progress.refresh()


def settings_of(assignments: list[str]) -> dict[str, Any]:
    """{'momentum': '0.5'} from ['momentum=0.5']; RunConfig turns the text into a number."""
    settings = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise ConfigError(f"--set takes NAME=VALUE, got {assignment!r}; for example --set momentum=0.5")
        settings[name.strip()] = value.strip()
    return settings
