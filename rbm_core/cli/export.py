"""`python -m rbm_core export`: a run for other programs, for other installations, and for people without either."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from rbm_core.cli.console import RunName, Runs, Step, app, check_writable, examples, model_of, out
from rbm_core.config import ConfigError
from rbm_core.pixels import PixelScale
from rbm_core.runs import store
from rbm_core.runs.files import RunError
from rbm_core.runs.reader import RunReader

ENDINGS = {
    ".npz": "the parameters W, vbias, hbias (and how Gaussian pixels were scaled) as NumPy arrays",
    ".safetensors": "the same for torch and others",
    ".onnx": "both conditionals, p(h | v) and E[v | h], as two ONNX models",
    ".csv": "the curves",
    ".zip": "the whole run, which 'import' opens elsewhere",
    ".html": "timelapse, curves and a Gibbs film as one page that needs nothing else",
    ".png": "one moment as a still for a slide",
    ".gif": "the training as an animation",
    ".webp": "the same with every pixel exact",
}
SUBJECTS = ("both", "filters", "fantasies")
_PICTURES = (".html", ".png", ".gif", ".webp")


@app.command(
    epilog=examples(
        "export mnist-default --out model.npz",
        "export mnist-default --step 446 --out early.safetensors",
        "export mnist-default --out mnist-default.html",
        "export mnist-default --out slide.png --subject both",
        "export mnist-default --out training.gif --subject filters",
    )
)
def export(
    run: RunName,
    out_file: Annotated[
        Path,
        typer.Option(
            "--out", help="File to write: " + "; ".join(f"{e}: {w}" for e, w in ENDINGS.items()) + "."
        ),
    ] = Path("model.npz"),
    step: Step = None,
    subject: Annotated[
        str,
        typer.Option(help="Of stills and animations: filters, fantasies (the run's own chains), or both."),
    ] = "filters",
    runs: Runs = None,
) -> None:
    """Write a run's parameters, curves or pictures, or the whole run, to a file; its ending says which."""
    ending = out_file.suffix.lower()
    if ending not in ENDINGS:
        raise ConfigError(f"--out must end in {', '.join(ENDINGS)}, got {str(out_file)!r}")
    if subject not in SUBJECTS:
        raise ConfigError(f"--subject must be {', '.join(SUBJECTS)}, got {subject!r}")
    if step is not None and ending in (".csv", ".zip", ".html", ".gif", ".webp"):
        raise ConfigError(f"--step would be ignored: a {ending} file is of the whole run")
    check_writable(out_file)
    path = store.resolve(runs or store.runs_root(), run)
    if ending == ".zip":
        from rbm_core.exchange.bundle import write_bundle

        _say(out_file, f"{write_bundle(path, out_file)} files; 'import {out_file.name} --name NAME' opens it")
    elif ending in _PICTURES:
        _drawn(path, out_file, subject, step)
    else:
        _numbers(run, runs, out_file, ending, step)


def _numbers(run: str, runs: Path | None, out_file: Path, ending: str, step: int | None) -> None:
    from rbm_core.exchange import exporting

    if ending == ".csv":
        metrics = RunReader(store.resolve(runs or store.runs_root(), run)).metrics()
        exporting.write(out_file, exporting.metrics_csv(metrics))
        _say(out_file, f"{len(metrics.get('step', ()))} rows of {len(metrics)} columns, run {run}")
        return
    reader, snapshot, rbm = model_of(run, step, runs)
    probe = reader.probe()
    scale = None if probe is None else probe.scale
    of = f"run {run}, step {snapshot.meta['step']:,}"
    if ending == ".onnx":
        for name, content in exporting.onnx_models(rbm, _of_own_values(reader, scale)).items():
            target = out_file.with_name(f"{out_file.stem}.{name}.onnx")
            exporting.write(target, content)
            _say(target, of)
        return
    arrays = exporting.parameters(rbm, scale)
    exporting.write(out_file, (exporting.npz if ending == ".npz" else exporting.safetensors)(arrays))
    _say(out_file, f"{', '.join(f'{name} {array.shape}' for name, array in arrays.items())}, {of}")


def _drawn(path: Path, out_file: Path, subject: str, step: int | None) -> None:
    """Pictures are the app's: a process of its own draws them, so that the engine knows nothing of the app."""
    wish = [str(path), str(out_file.absolute()), "--subject", subject]
    wish += [] if step is None else ["--step", str(step)]
    home = str(Path(__file__).resolve().parents[2])  # wherever one stands
    places = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, "-m", "dashboard.export", *wish],
        env={**os.environ, "PYTHONPATH": places},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        words = done.stderr.strip().splitlines()
        if "No module named" in done.stderr:
            raise RunError(
                "pictures are drawn by the app, and there is no package dashboard beside rbm_core here"
            )
        raise RunError(
            words[-1] if words else f"the pictures could not be drawn (exit code {done.returncode})"
        )
    _say(out_file, done.stdout.strip())


def _say(file: Path, words: str) -> None:
    out.say(f"{file}: {words}")


def _of_own_values(reader: RunReader, scale: PixelScale | None) -> PixelScale | None:
    """How Gaussian units stand for a table's own values, or for a picture's grey values."""
    ranges = (reader.config().get("data") or {}).get("ranges")
    return scale if scale is None or not ranges else scale.of_values(*ranges)
