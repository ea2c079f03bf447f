"""`python -m rbm_core import`: a model of another program, or another installation's run, as a run here."""

from pathlib import Path
from typing import Annotated

import typer

from rbm_core.cli.console import Runs, app, examples, out
from rbm_core.cli.train import settings_of
from rbm_core.config import ConfigError, RunConfig
from rbm_core.runs import store


@app.command(
    "import",
    epilog=examples(
        "import model.npz --name theirs",
        "import weights.pt --name theirs --dataset mnist",
        "import run.zip --name from-the-lab",
    ),
)
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            help="A model (.npz, .safetensors, .pt, .mat, .h5; weights and biases under any usual names), or a run "
            "bundle (.zip) that 'export' wrote."
        ),
    ],
    name: Annotated[str, typer.Option(help="Name of the new run.")],
    dataset: Annotated[
        str | None,
        typer.Option(help="What the model learned from; default the first data set with as many pixels."),
    ] = None,
    preset_name: Annotated[
        str | None, typer.Option("--preset", help="How training would go on; default 'default'.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help=f"Any setting: {', '.join(RunConfig.model_fields)}."
        ),
    ] = None,
    download: Annotated[bool, typer.Option(help="Fetch the data set if this machine lacks it.")] = False,
    runs: Runs = None,
) -> None:
    """Make a run of a model that another program trained, or open a bundle of a whole run."""
    root = runs or store.runs_root()
    if file.suffix.lower() == ".zip":
        from rbm_core.exchange.bundle import open_bundle

        given = {"--dataset": dataset, "--preset": preset_name, "--set": set_, "--download": download or None}
        if ignored := [option for option, value in given.items() if value is not None]:
            raise ConfigError(
                f"{file.name} is a bundle of a whole run with its settings, so {', '.join(ignored)} would be ignored; "
                f"leave that out; 'train --from {name}' then starts a new run from it with the settings you want"
            )
        path = open_bundle(file, root, name)
        out.say(f"Run {name} in {store.shown(root)}: {len(list((path / 'snapshots').iterdir()))} snapshots")
        return
    from rbm_core.exchange.importing import import_model
    from rbm_core.runs.reader import RunReader

    path, notes = import_model(
        file,
        name,
        root=root,
        dataset=dataset,
        preset=preset_name or "default",
        settings=settings_of(set_ or []),
        download=download,
    )
    snapshot = RunReader(path).snapshot(0)
    V, H = snapshot.W.shape
    out.say(f"Run {name} in {store.shown(root)}: {V} visible and {H} hidden units")
    for note in notes:
        out.say(f"Note: {note}")
