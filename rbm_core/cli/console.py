"""What the commands share: the app, the two consoles, common options, examples in the help, and durations."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from rbm_core.runs import store
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


def examples(*lines: str) -> str:
    """Command lines as the epilog of a command's help. typer joins lines unless a blank line lies between them."""
    return "\n\n".join(["[bold]Examples[/bold]", *(f"  python -m rbm_core {line}" for line in lines)])


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def model_of(run: str, step: int | None, runs: Path | None) -> tuple[Any, Any, Any]:
    """The run's reader, its snapshot at `step` (None: the newest), and its model. Raises RunError if there is none."""
    from rbm_core.rbm import RBM
    from rbm_core.runs.reader import RunReader
    from rbm_core.visible import units_of

    reader = RunReader(store.resolve(runs or store.runs_root(), run))
    steps = reader.snapshot_steps()
    if not steps:
        raise RunError(f"run {run!r} has no snapshot yet; wait for its first seconds of training")
    snapshot = reader.snapshot(steps[-1] if step is None else step)
    rbm = RBM.from_numpy(
        snapshot.W,
        snapshot.vbias,
        snapshot.hbias,
        visible=units_of(snapshot.meta).name,
        log_var=snapshot.log_var,
    )
    return reader, snapshot, rbm
