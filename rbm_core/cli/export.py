"""`python -m rbm_core export`: a run's parameters as arrays for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from rbm_core.cli.console import RunName, Runs, Step, app, examples, model_of, out
from rbm_core.config import ConfigError
from rbm_core.runs.files import RunError


@app.command(
    epilog=examples("export mnist-default --out model.npz", "export mnist-default --step 550 --out early.npz")
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

    reader, snapshot, rbm = model_of(run, step, runs)
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
    out.say(f"{out_file}: {shapes}, run {run}, step {snapshot.meta['step']:,}")
