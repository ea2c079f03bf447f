"""Start, stop and find the processes that evaluate runs; each is detached and outlives the page, as a trainer does."""

import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np

from dashboard.processes import capacity
from dashboard.processes.trainers import REPO
from rbm_core.machine import QUIET
from rbm_core.runs import RunError, RunReader, inside, store
from rbm_core.runs.evaluation_record import evaluation_folder, list_evaluations
from rbm_core.runs.files import last_line, read_tensors

LOG_FILE = "evaluation.log"
_started: dict[str, tuple[float, "subprocess.Popen[bytes]"]] = {}
"""By run, the evaluation started last by this app, and when: it shows no progress until its engine is loaded."""


def start(
    name: str,
    step: int,
    estimator: str,
    *,
    temperatures: str | int = "salakhutdinov-murray",
    n_chains: int = 100,
    sweeps: int = 100_000,
    rounds: int = 500,
    seed: int = 0,
) -> None:
    """Starts the process. The same question goes on where it was interrupted.

    Raises RunError in one sentence if it cannot be started, or if this machine does not bear one more; what goes wrong
    after that stands in its progress.
    """
    path = store.to_change(store.runs_root(), name)
    command = [sys.executable, "-m", "rbm_core.evaluation", str(path), "--snapshot", str(step)]
    command += ["--estimator", estimator, "--temperatures", str(temperatures), "--chains", str(n_chains)]
    command += ["--sweeps", str(sweeps), "--rounds", str(rounds), "--seed", str(seed)]
    places = [str(REPO), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, **QUIET, "PYTHONPATH": os.pathsep.join(filter(None, places))}
    detached: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        detached = {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    with capacity.one_at_a_time(path.parent):
        capacity.check(capacity.config_of(path))
        try:
            with os.fdopen(inside.open_to_append(path / LOG_FILE), "wb") as log:
                child = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, **detached
                )
        except OSError as error:
            raise RunError(f"the evaluation could not be started: {error.strerror or error}") from error
        capacity.evaluating.append((name, child))
    _started[name] = (time.time(), child)
    # Its end must be waited for, or it stays in the process table as a zombie.
    threading.Thread(target=child.wait, name=f"evaluation-{name}", daemon=True).start()


def started(name: str) -> float | None:
    """When the evaluation that this app started on the run began, while its process lives; seconds since 1970."""
    since, child = _started.get(name, (0.0, None))
    return since if child is not None and child.poll() is None else None


def interrupt(progress: dict[str, Any]) -> None:
    """Asks a running evaluation to save its state and end; start it again to go on.

    Raises RunError in one sentence if its process is gone or not this user's to end.
    """
    if progress.get("state") == "running" and progress.get("pid"):
        pid = int(progress["pid"])
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError as error:
            raise RunError(
                f"the evaluation was not interrupted: its process {pid} has ended, or works on another machine"
            ) from error
        except PermissionError as error:
            raise RunError(
                f"the evaluation was not interrupted: its process {pid} is another user's, who can end it"
            ) from error


def of_run(name: str) -> list[dict[str, Any]]:
    """Every evaluation begun on the run, newest first."""
    return list_evaluations(store.resolve(store.runs_root(), name))


def images(name: str, evaluation: str) -> tuple[np.ndarray, list[int]]:
    """What estimator "mixing" drew: (times, chains, height, width), and the sweeps before each.

    Raises RunError in one sentence where there is nothing that can be read.
    """
    run = store.resolve(store.runs_root(), name)
    arrays, _ = read_tensors(evaluation_folder(run, evaluation) / "samples.safetensors")
    shape = RunReader(run).config()["data"]["image_shape"]
    v, times = arrays.get("v"), arrays.get("sweeps")
    if v is None or times is None or times.ndim != 1 or v.shape[:1] != times.shape or not v.size:
        raise RunError(f"the samples of run {name!r} are not images after as many numbers of sweeps")
    try:
        with np.errstate(over="raise"):
            return v.reshape(len(v), -1, *shape).astype(np.float32), times.tolist()
    except (ValueError, FloatingPointError) as error:
        raise RunError(f"the samples of run {name!r} are not images of shape {shape}") from error


def running(name: str) -> dict[str, Any] | None:
    return next((one for one in of_run(name) if one["state"] == "running"), None)


def last_log_line(name: str, since: float) -> str | None:
    """The last line that a process wrote to the log after this moment: why one never showed any progress."""
    log = store.resolve(store.runs_root(), name) / LOG_FILE
    try:
        if log.stat().st_mtime < since:
            return None
    except OSError:
        return None
    return last_line(log)
