"""`python -m rbm_core sweep`: a run for every combination of a few settings."""

import hashlib
import json
from typing import Annotated, Any

import typer

from rbm_core.cli.console import Runs, app, counted, err, examples
from rbm_core.cli.train import settings_of
from rbm_core.config import PRESETS, ConfigError, RunConfig, no_setting
from rbm_core.runs import store
from rbm_core.runs.files import RunError
from rbm_core.runs.vocabulary import LIVE_STATES


@app.command(
    epilog=examples(
        "sweep --preset quick --grid learning_rate=0.05,0.1 --grid k=1,5 --jobs 2",
        "sweep --dataset bars-and-stripes --grid n_hidden=8,16,32 --name units",
    )
)
def sweep(
    grid: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=VALUE,VALUE…", help="A setting and its values; more than one --grid cross."
        ),
    ],
    preset_name: Annotated[str, typer.Option("--preset", help=f"One of {', '.join(PRESETS)}.")] = "quick",
    dataset: Annotated[str | None, typer.Option(help=RunConfig.model_fields["dataset"].description)] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting that all runs share."),
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=1, help="Runs trained at the same time; they divide the threads.")
    ] = 1,
    name: Annotated[
        str | None,
        typer.Option(help="The tag, and the beginning of the runs' names. Default made from the settings."),
    ] = None,
    download: Annotated[bool, typer.Option(help="Fetch the data set if this machine lacks it.")] = False,
    runs: Runs = None,
) -> None:
    """Train a run for every combination of the grid. After Ctrl-C the same command goes on; Compare shows the tag."""
    from rbm_core import datasets, sweeps

    root = runs or store.runs_root()
    fixed: dict[str, Any] = settings_of(set_ or [])
    if dataset is not None:
        fixed["dataset"] = datasets.brought_in(dataset, say=err.say) if datasets.is_file(dataset) else dataset
    values = _grid(grid)
    tag = store.check_name(name or _tag(preset_name, fixed, values))
    wanted = sweeps.points(preset_name, fixed, values, tag)
    for needed in {(point.config.dataset, point.config.n_valid) for point in wanted}:
        datasets.load(needed[0], n_valid=needed[1], download=download)
    states = sweeps.train_all(root, tag, preset_name, wanted, jobs, err.say)
    done = states.count("finished")
    err.say(
        f"{done} of {counted(len(states), 'run')} finished, with the tag {tag}; {store.app_command()}: Compare."
    )
    left = [state for state in states if state not in sweeps.ENDED]
    if "waiting" in left or "stopped" in left or "interrupted" in left:
        err.say("Interrupted; the same command goes on from here.")
        raise typer.Exit(130)
    if alive := [p.name for p, state in zip(wanted, states, strict=True) if state in LIVE_STATES]:
        raise RunError(
            f"still trained by another process: {', '.join(alive)}; call again when that has ended"
        )
    if failed := [point.name for point, state in zip(wanted, states, strict=True) if state != "finished"]:
        raise RunError(
            f"not finished: {', '.join(failed)}; rbm_core doctor {failed[0]} says what looks wrong"
        )


def _grid(assignments: list[str]) -> dict[str, list[str]]:
    """{'k': ['1', '5']} from ['k=1,5']. Raises ConfigError for a field that is unknown or given twice."""
    grid: dict[str, list[str]] = {}
    for assignment in assignments:
        name, equals, text = (part.strip() for part in assignment.partition("="))
        values = [value.strip() for value in text.split(",")]
        if not equals or not all(values):
            raise ConfigError(f"--grid takes NAME=VALUE,VALUE…, got {assignment!r}; for example --grid k=1,5")
        if name in grid:
            raise ConfigError(f"--grid {name} is given twice; write its values in one: --grid {name}=1,5")
        if name not in RunConfig.model_fields:
            raise ConfigError(no_setting(name))
        grid[name] = values
    return grid


def _tag(preset_name: str, fixed: dict[str, Any], grid: dict[str, list[str]]) -> str:
    """The same for the same sweep, so that a second call finds what the first one left."""
    text = json.dumps([preset_name, fixed, grid], sort_keys=True)
    return f"sweep-{hashlib.sha256(text.encode()).hexdigest()[:6]}"
