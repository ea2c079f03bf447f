"""Files that come in as runs and go out of them, each by one call of the command line in a process of its own."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dashboard.processes.trainers import REPO
from rbm_core.machine import QUIET
from rbm_core.runs import RunError, runs_root

__all__ = ["exported", "imported"]

_PATIENCE_S = 300.0


def imported(content: bytes, file_name: str, run: str, dataset: str | None) -> None:
    """Makes the run `run` of an uploaded file; its status says what was assumed on the way.

    Raises RunError with the sentence why there is none.
    """
    with _workplace("import") as folder:
        # Whatever the upload is called, it lies in this folder, under a name without anything that a path could obey.
        file = Path(folder) / (re.sub(r"[^A-Za-z0-9._-]+", "-", file_name).lstrip(".-")[-80:] or "file")
        file.write_bytes(content)
        data = [] if dataset is None else ["--dataset", dataset]
        _called("import", str(file), "--name", run, *data, "--runs", str(runs_root()))


def exported(run: str, ending: str) -> bytes:
    """The file of this ending that `export` writes of the run. Raises RunError with the sentence why there is none."""
    with _workplace("export") as folder:
        file = Path(folder) / f"{run}{ending}"
        _called("export", run, "--out", str(file), "--runs", str(runs_root()))
        return file.read_bytes()


@contextmanager
def _workplace(what: str) -> Iterator[str]:
    """A folder for one file on its way. Raises RunError in one sentence where it finds no room."""
    try:
        with tempfile.TemporaryDirectory(prefix=f"rbm-{what}-") as folder:
            yield folder
    except OSError as error:
        where = error.filename or tempfile.gettempdir()
        raise RunError(f"{what} found no place for its file: {where}: {error.strerror or error}") from error


def _called(*arguments: str) -> None:
    places = [str(REPO), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, **QUIET, "PYTHONPATH": os.pathsep.join(filter(None, places))}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "rbm_core", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment,
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RunError(
            f"{arguments[0]} took longer than {_PATIENCE_S / 60:.0f} minutes and was ended"
        ) from None
    except OSError as error:
        raise RunError(f"{arguments[0]} could not be started: {error.strerror or error}") from error
    if done.returncode:
        words = done.stderr.strip().splitlines() or [f"{arguments[0]} failed"]
        raise RunError(words[-1].removeprefix("Error: "))
