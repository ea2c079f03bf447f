"""`python -m rbm_core sample`: a grid of pictures from a run's model."""

from pathlib import Path
from typing import Annotated, Any

import typer

from rbm_core.cli.console import (
    RunName,
    Runs,
    Seed,
    Step,
    app,
    check_writable,
    counted,
    examples,
    model_of,
    out,
)
from rbm_core.config import ConfigError
from rbm_core.runs.evaluation_record import MOST_SWEEPS
from rbm_core.runs.files import RunError


@app.command(
    epilog=examples(
        "sample mnist-default --out grid.png",
        "sample digits-by-name --label 3 --out threes.png",
        "sample mnist-default --start gaussian --sweeps 5 --out notebook.png",
        "sample mnist-default --chains 64 --sweeps 1000 --seed 7 --states --out grid.png",
    )
)
def sample(
    run: RunName,
    out_file: Annotated[Path, typer.Option("--out", help="PNG to write.")] = Path("samples.png"),
    chains: Annotated[int, typer.Option(min=1, max=10000, help="Chains, each a tile of the picture.")] = 100,
    sweeps: Annotated[int, typer.Option(min=1, max=MOST_SWEEPS, help="Gibbs sweeps of each chain.")] = 1000,
    start: Annotated[
        str,
        typer.Option(
            help="noise (coin tosses), gaussian (N(0, 1) noise), data, or particles (the run's own)."
        ),
    ] = "noise",
    label: Annotated[
        str | None,
        typer.Option(
            help="Draw this class alone: a run with label units, its label held. A name or a number."
        ),
    ] = None,
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
    if out_file.suffix.lower() != ".png":
        raise ConfigError(f"--out must end in .png, got {str(out_file)!r}")
    check_writable(out_file)
    from PIL import Image

    from rbm_core import gibbs
    from rbm_core.compute import Rng
    from rbm_core.exchange.outside import replacing
    from rbm_core.labels import given_label
    from rbm_core.pixels import as_bytes, grey_values
    from rbm_core.strips import strips

    reader, snapshot, rbm = model_of(run, step, runs)
    probe = reader.probe()
    if label is not None:
        rbm = given_label(rbm, _number_of(label, rbm.n_labels, reader.class_names(), run))
    chain = _started(start, rbm, chains, seed, snapshot, probe, run)
    chain = gibbs.sweep(rbm, chain, Rng(seed, "chains"), sweeps)
    shape = (reader.config().get("data") or {}).get("image_shape") or [1, rbm.n_pixels]
    shown = (chain.v if states or chain.mean_v is None else chain.mean_v).numpy()[:, : rbm.n_pixels]
    pixels = as_bytes(grey_values(shown, probe.scale if probe else None))
    columns = (reader.config().get("data") or {}).get("columns")
    picture = strips(pixels, columns) if columns else _tiled(pixels.reshape(chains, *shape))
    with replacing(out_file) as aside:
        Image.fromarray(picture).save(aside, format="PNG")
    out.say(
        f"{out_file}: {counted(chains, 'chain')} after {counted(sweeps, 'sweep')}, run {run}, "
        f"step {snapshot.step:,}, seed {seed}" + ("" if label is None else f", label {label} held")
    )


def _number_of(label: str, n_labels: int, names: tuple[str, ...], run: str) -> int:
    """The label that a person means by its name or its number. Raises RunError if the run has none of that name."""
    if not n_labels:
        raise RunError(
            f"run {run!r} has no label units, so it cannot draw {label!r}; train one with --set labels=true"
        )
    if label in names:
        return names.index(label)
    if label.isdecimal() and int(label) < n_labels:
        return int(label)
    raise RunError(f"run {run!r} has no label {label!r}; its labels are: {', '.join(names)}")


def _started(start: str, rbm: Any, chains: int, seed: int, snapshot: Any, probe: Any, run: str) -> Any:
    """The chains before their first sweep. Raises RunError for a start from data that the run did not record."""
    import numpy as np
    import torch

    from rbm_core import gibbs
    from rbm_core.compute import Rng
    from rbm_core.labels import with_drawn_labels
    from rbm_core.pixels import from_bytes

    if start == "noise":
        return gibbs.from_bernoulli_noise(rbm, chains, Rng(seed, "start"))
    if start == "gaussian":
        return gibbs.from_gaussian_noise(rbm, chains, Rng(seed, "start"))
    if start == "particles":
        source = snapshot.particles()[:, : rbm.n_visible]
    elif probe is None:
        raise RunError(f"run {run!r} keeps no data batch to start from; use --start noise")
    else:
        grey = from_bytes(probe.v)
        source = grey if probe.scale is None else probe.scale.standardised(grey)
    v = torch.from_numpy(np.asarray(source, np.float32))[torch.arange(chains) % len(source)]
    if v.shape[1] < rbm.n_visible:
        v = with_drawn_labels(rbm, v, Rng(seed, "start"))
    return gibbs.from_images(rbm, v)


def _tiled(pixels: Any) -> Any:
    """The tiles (n, height, width) in a nearly square grid with grey lines of one pixel between them."""
    import numpy as np

    n, height, width = pixels.shape
    columns = int(np.ceil(np.sqrt(n)))
    rows = -(-n // columns)
    grid = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1), 128, np.uint8)
    for i, tile in enumerate(pixels):
        y, x = 1 + (i // columns) * (height + 1), 1 + (i % columns) * (width + 1)
        grid[y : y + height, x : x + width] = tile
    return grid
