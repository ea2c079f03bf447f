"""The command line: python -m rbm_core train | sample | runs | export | evaluate."""

import signal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table

from rbm_core.config import PRESET_NOTES, PRESETS, ConfigError, RunConfig, preset
from rbm_core.runs import store
from rbm_core.runs.evaluation_record import ESTIMATORS
from rbm_core.runs.files import RunError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Train, sample and measure Restricted Boltzmann Machines. Every run is a folder that the dashboard "
    "(streamlit run dashboard/app.py) can watch, live or years later.",
)
out, err = Console(), Console(stderr=True)

Runs = Annotated[Path | None, typer.Option(help="Folder of runs; default $RBM_RUNS_DIR or checkpoints/.")]
RunName = Annotated[str, typer.Argument(help="Name of a run; 'runs' lists them.")]
Step = Annotated[int | None, typer.Option(help="Snapshot to take, by step; default the newest.")]
Seed = Annotated[int, typer.Option(min=0, help="Where all random numbers come from.")]


def _examples(*lines: str) -> str:
    """Examples as an epilog; typer keeps paragraphs apart only by blank lines."""
    return "\n\n".join(["[bold]Examples[/bold]", *(f"  python -m rbm_core {line}" for line in lines)])


def _settings(assignments: list[str]) -> dict[str, Any]:
    """{'momentum': '0.5'} from ['momentum=0.5']; pydantic turns text into numbers."""
    settings = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise ConfigError(f"--set takes NAME=VALUE, got {assignment!r}; for example --set momentum=0.5")
        settings[name.strip()] = value.strip()
    return settings


@app.command(
    epilog=_examples(
        "train --preset quick --dataset mnist-5k",
        "train --preset default --dataset mnist --download --name my-digits",
        "train --preset quick --epochs 10 --set momentum=0.5 --set k=5",
        "train --resume my-digits",
    )
)
def train(
    preset_name: Annotated[
        str, typer.Option("--preset", help="; ".join(f"{n}: {PRESET_NOTES[n]}" for n in PRESETS))
    ] = "default",
    dataset: Annotated[str | None, typer.Option(help=RunConfig.model_fields["dataset"].description)] = None,
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
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Go on with a run that stopped.")] = None,
    download: Annotated[bool, typer.Option(help="Fetch the data set if this machine lacks it.")] = False,
    runs: Runs = None,
) -> None:
    """Train a run, from a preset and whatever you change of it. Ctrl-C stops cleanly; --resume goes on."""
    root = runs or store.runs_root()
    if resume is not None:
        path = store.resolve(root, resume)
    else:
        named = {
            "dataset": dataset,
            "n_hidden": n_hidden,
            "epochs": epochs,
            "k": k,
            "learning_rate": learning_rate,
            "seed": seed,
            "device": device,
        }
        changes = _settings(set_ or []) | {
            field: value for field, value in named.items() if value is not None
        }
        config = preset(preset_name, **changes)
        _check_device(config.device)
        from rbm_core import datasets

        if not download:
            _known_data(config.dataset, datasets)
        path = store.create_run(
            root, name or store.new_name(config, preset_name, root), config, preset=preset_name
        )

    from rbm_core.training import process as training_process

    err.print(f"Run [bold]{path.name}[/bold] in {store.shown(path.parent)}")
    with _TrainingBar() as bar:
        state = training_process.run(path, on_progress=bar.show, download=download)
    status = bar.status
    if state in ("diverged", "failed"):
        raise RunError(
            status.get("message")
            or f"run {path.name!r} ended as {state}; see {path / training_process.LOG_FILE}"
        )
    err.print(
        f"{state} at step {status.get('step', 0):,} after {_duration(status.get('seconds', 0.0))}; "
        f"look at it with: streamlit run dashboard/app.py"
    )


def _check_device(device: str) -> None:
    if device.startswith("cuda"):
        from rbm_core.compute import resolve_device

        resolve_device(device)


def _known_data(name: str, datasets: Any) -> None:
    """Say at once, before a run folder is made, that data are missing."""
    if not datasets.available(name):
        datasets.load(name, download=False)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


class _TrainingBar:
    """Epoch, steps a second, free-energy gap and time left, redrawn as the trainer reports."""

    def __init__(self) -> None:
        self.status: dict[str, Any] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[numbers]}"),
            console=err,
            auto_refresh=False,  # drawn when the trainer reports: no thread beside the two that compute
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
            self._progress.update(self._task, description=status.get("message") or status.get("state", ""))
            return
        gap = row.get("free_energy_gap")
        left = _duration((n_steps - step) / rate) if rate else "–"
        numbers = f"{rate:,.0f} steps/s · gap {gap:+.2f} nats · {left} left" if gap is not None else ""
        epoch = min(int(status.get("epoch", 0)) + 1, status.get("n_epochs", 1))
        self._progress.update(
            self._task,
            description=f"{status.get('state')} · epoch {epoch}/{status.get('n_epochs')}",
            total=n_steps,
            completed=step,
            numbers=numbers,
        )
        self._progress.refresh()


@app.command(
    epilog=_examples(
        "sample mnist-default --out grid.png",
        "sample mnist-default --start gaussian --sweeps 5 --out notebook.png",
        "sample mnist-default --chains 64 --sweeps 1000 --seed 7 --states --out grid.png",
    )
)
def sample(
    run: RunName,
    out_file: Annotated[Path, typer.Option("--out", help="PNG to write.")] = Path("samples.png"),
    chains: Annotated[int, typer.Option(min=1, max=10000, help="Chains, each a tile of the picture.")] = 100,
    sweeps: Annotated[int, typer.Option(min=1, help="Gibbs sweeps of each chain.")] = 1000,
    start: Annotated[
        str,
        typer.Option(
            help="noise (coin tosses), gaussian (N(0, 1) noise), data, or particles (the run's own)."
        ),
    ] = "noise",
    states: Annotated[
        bool, typer.Option(help="Show the 0/1 states instead of the probabilities p(v | h).")
    ] = False,
    step: Step = None,
    seed: Seed = 0,
    runs: Runs = None,
) -> None:
    """Draw samples from a run's model by Gibbs sampling, as a grid of pictures."""
    starts = ("noise", "gaussian", "data", "particles")
    if start not in starts:
        raise ConfigError(f"--start must be {', '.join(starts[:-1])} or {starts[-1]}, got {start!r}")
    if not out_file.parent.is_dir():
        raise RunError(f"cannot write {out_file}: there is no folder {out_file.parent}")
    import numpy as np
    import torch
    from PIL import Image

    from rbm_core import gibbs
    from rbm_core.compute import Rng
    from rbm_core.pixels import as_bytes, from_bytes, grey_values

    reader, snapshot, rbm = _model(run, step, runs)
    probe = reader.probe()
    scale = probe.scale if probe else None
    begin = Rng(seed, "start")
    if start == "noise":
        chain = gibbs.from_bernoulli_noise(rbm, chains, begin)
    elif start == "gaussian":
        chain = gibbs.from_gaussian_noise(rbm, chains, begin)
    else:
        if start == "particles":
            source = snapshot.particles_v
        elif probe is None:
            raise RunError(f"run {run!r} keeps no data batch to start from; use --start noise")
        else:
            source = from_bytes(probe.v) if scale is None else scale.standardised(from_bytes(probe.v))
        v = torch.from_numpy(np.asarray(source, np.float32))[torch.arange(chains) % len(source)]
        chain = gibbs.from_images(rbm, v)
    chain = gibbs.sweep(rbm, chain, Rng(seed, "chains"), sweeps)
    shape = (reader.config().get("data") or {}).get("image_shape") or [1, rbm.n_visible]
    shown = (chain.v if states or chain.mean_v is None else chain.mean_v).numpy()
    pixels = as_bytes(grey_values(shown, scale)).reshape(chains, *shape)
    try:
        Image.fromarray(_tiled(pixels)).save(out_file, format="PNG")
    except OSError as error:
        raise RunError(f"cannot write {out_file}: {error.strerror or error}") from None
    out.print(
        f"{out_file}: {chains} chains after {sweeps} sweeps, run {run}, step {snapshot.meta['step']:,}, seed {seed}"
    )


def _tiled(pixels: "Any") -> "Any":
    """(n, height, width) tiles in a near-square grid, one grey pixel apart."""
    import numpy as np

    n, height, width = pixels.shape
    columns = int(np.ceil(np.sqrt(n)))
    rows = -(-n // columns)
    grid = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1), 128, np.uint8)
    for i, tile in enumerate(pixels):
        y, x = 1 + (i // columns) * (height + 1), 1 + (i % columns) * (width + 1)
        grid[y : y + height, x : x + width] = tile
    return grid


def _model(run: str, step: int | None, runs: Path | None) -> tuple[Any, Any, Any]:
    """(reader, snapshot, RBM) of a run; the newest snapshot unless a step is given."""
    from rbm_core.rbm import RBM
    from rbm_core.runs.reader import RunReader

    reader = RunReader(store.resolve(runs or store.runs_root(), run))
    steps = reader.snapshot_steps()
    if not steps:
        raise RunError(f"run {run!r} has no snapshot yet; wait for its first seconds of training")
    snapshot = reader.snapshot(steps[-1] if step is None else step)
    rbm = RBM.from_numpy(
        snapshot.W,
        snapshot.vbias,
        snapshot.hbias,
        visible=snapshot.meta.get("visible", "bernoulli"),
        log_var=snapshot.log_var,
    )
    return reader, snapshot, rbm


@app.command(epilog=_examples("runs", "runs --runs /data/experiments"))
def runs(runs: Runs = None) -> None:
    """List the runs, newest first."""
    root = runs or store.runs_root()
    infos = store.list_runs(root)
    if not infos:
        out.print(
            f"No run in {store.shown(root)} yet; start one with: python -m rbm_core train --preset quick"
        )
        return
    table = Table(box=None, pad_edge=False)
    for column, justify in (("run", "left"), ("state", "left"), ("step", "right"), ("of", "right")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    for column in ("data", "preset", "created"):
        table.add_column(column)
    for info in infos:
        if info.error:
            table.add_row(info.name, "unreadable", "", "", info.error, "", "")
            continue
        created = info.created[:16].replace("T", " ")
        table.add_row(
            info.name,
            info.state,
            f"{info.step:,}",
            f"{info.n_steps:,}",
            info.dataset,
            info.preset or "",
            created,
        )
    out.print(table)


@app.command(
    epilog=_examples(
        "export mnist-default --out model.npz", "export mnist-default --step 550 --out early.npz"
    )
)
def export(
    run: RunName,
    out_file: Annotated[Path, typer.Option("--out", help="File to write: .npz or .safetensors.")] = Path(
        "model.npz"
    ),
    step: Step = None,
    runs: Runs = None,
) -> None:
    """Write a run's parameters (W, vbias, hbias, and how Gaussian pixels were scaled) as arrays for other programs."""
    import numpy as np
    from safetensors.numpy import save_file

    reader, snapshot, rbm = _model(run, step, runs)
    arrays, probe = rbm.to_numpy(), reader.probe()
    if probe is not None and probe.scale is not None:
        arrays |= probe.scale.arrays()
    try:
        if out_file.suffix == ".npz":
            np.savez(out_file, **arrays)
        elif out_file.suffix == ".safetensors":
            save_file(arrays, out_file)
        else:
            raise ConfigError(f"--out must end in .npz or .safetensors, got {str(out_file)!r}")
    except OSError as error:
        raise RunError(f"cannot write {out_file}: {error.strerror or error}") from None
    shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
    out.print(f"{out_file}: {shapes}, run {run}, step {snapshot.meta['step']:,}")


@app.command(
    epilog=_examples(
        "evaluate mnist-default",
        "evaluate mnist-default --snapshot 550 --estimator ais --temperatures 2000",
        "evaluate mnist-default --estimator mixing --sweeps 10000",
    )
)
def evaluate(
    run: RunName,
    estimator: Annotated[
        str, typer.Option(help=" ".join(f"{name}: {says}" for name, says in ESTIMATORS.items()))
    ] = "bracket",
    snapshot: Annotated[
        int | None, typer.Option(help="Snapshot to judge, by step; default the newest.")
    ] = None,
    temperatures: Annotated[
        str, typer.Option(help="salakhutdinov-murray (14,500 steps), adaptive, or a number of equal steps.")
    ] = "salakhutdinov-murray",
    chains: Annotated[int, typer.Option(help="Chains, at least 2: their spread is the error bar.")] = 100,
    sweeps: Annotated[
        int, typer.Option(min=1, help="Estimator mixing: the longest sampling time.")
    ] = 100_000,
    precision: Annotated[
        str, typer.Option(help="How chains are swept: auto, differences, bfloat16, float32 or float64.")
    ] = "auto",
    seed: Seed = 0,
    runs: Runs = None,
) -> None:
    """Estimate a run's log-likelihood in nats, with its error bar. Ctrl-C keeps what is done; ask again to go on."""
    from rbm_core.evaluation import Interrupted
    from rbm_core.evaluation import evaluate as work

    path = store.resolve(runs or store.runs_root(), run)
    stop: dict[str, Any] = {"asked": False}
    previous = signal.signal(signal.SIGINT, lambda *_: stop.update(asked=True))
    try:
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[left]}"),
            console=err,
        ) as bar:
            task = bar.add_task(estimator, total=None, left="")

            def show(progress: dict[str, Any]) -> None:
                stop["step"] = progress["step"]
                left = progress.get("seconds_left")
                bar.update(
                    task,
                    description=progress.get("stage") or estimator,
                    total=progress.get("total") or None,
                    completed=progress.get("done", 0),
                    left="" if left is None else f"{_duration(left)} left",
                )

            row = work(
                path,
                step=snapshot,
                estimator=estimator,
                betas=int(temperatures) if temperatures.isdecimal() else temperatures,
                n_chains=chains,
                seed=seed,
                precision=precision,
                sweeps_max=sweeps,
                on_progress=show,
                should_stop=lambda: stop["asked"],
            )
    except Interrupted:
        named = "" if snapshot is not None else f" with --snapshot {stop['step']}"
        err.print(f"Interrupted; the same command{named} goes on from here.")
        raise typer.Exit(130) from None
    finally:
        signal.signal(signal.SIGINT, previous)
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in row.items():
        if name == "settings" or name == "time":
            continue
        parts = value.items() if isinstance(value, dict) else [("", value)]
        for part, number in parts:
            if isinstance(number, int | float | str):
                shown = f"{number:,.3f}" if isinstance(number, float) else str(number)
                table.add_row(f"{name} {part}".strip(), shown)
    out.print(table)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; one clear line on stderr and exit code 2 for what a user can cause."""
    try:
        app(arguments, standalone_mode=False)
    except (ConfigError, RunError, ValueError) as error:
        err.print(f"Error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    except typer.Exit as stop:
        return stop.exit_code
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        # click's own complaints about options, without its usage block.
        err.print(
            f"Error: {error.format_message()}", style="red", markup=False, highlight=False, soft_wrap=True
        )
        return 2
    except KeyboardInterrupt:
        return 130
    return 0
