"""Start, resume and command trainer processes; each is detached, and is found again by its run alone.

A trainer outlives the page, the tab and the app that started it: it has a session of its own, no input, and a log in
the run's folder. No function here waits for it: the run's state is "starting" until the trainer writes its status. A
living trainer holds the run's lock (rbm_core.runs), so an app started later sees which trainers live.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dashboard.processes import capacity
from rbm_core.machine import QUIET
from rbm_core.runs import RunError, RunReader, control, inside, store
from rbm_core.runs.files import (
    LOG_FILE,
    explain,
    hold_lock,
    last_line,
    lock_for_child,
    read_object,
)
from rbm_core.runs.recorder import Recorder

REPO = Path(__file__).resolve().parents[2]


def start(
    config: Any,
    name: str | None = None,
    *,
    preset: str | None = None,
    origin: Mapping[str, Any] | None = None,
    download: bool = False,
    updates_per_second: float | None = None,
) -> str:
    """Makes a run and starts its trainer; returns the run's name at once, before the trainer has written a status.

    config: a RunConfig. origin: {"run", "step"}, a snapshot whose parameters it starts from. download: let
    the trainer fetch the data set. updates_per_second: the watch speed that it begins at; None: full
    speed. Raises RunError in one sentence if the run cannot be made; the run's status
    reports a later error.
    """
    root = store.runs_root()
    with capacity.one_at_a_time(root):
        capacity.check(config)
        name = store.new_name(config, preset, root) if name is None else name
        path = store.create_run(root, name, config, preset=preset, origin=origin)
    if updates_per_second is not None:
        control.send(path, "speed", {"updates_per_second": updates_per_second}, by="page")
    _launch(path, download)
    return name


def resume(name: str) -> None:
    """Starts a trainer on a run that was stopped or interrupted, from its last saved state.

    Raises RunError in one sentence if it cannot go on, as `store.resumable` says.
    """
    path = store.resolve(store.runs_root(), name)
    status = store.resumable(path)
    with capacity.one_at_a_time(path.parent):
        capacity.check(capacity.config_of(path))
        lock = hold_lock(path, timeout=0.2)
        if lock is None:
            raise RunError(f"run {name!r} is already being trained")
        try:
            control.drop(path)
            Recorder(path).write_status(
                {**status, "state": "starting", "heartbeat": time.time(), "message": "Starting."}
            )
        finally:
            lock.release()
    _launch(path, download=False)


def send(name: str, command: str, value: Any = None) -> None:
    """Sends the run's trainer a command, as rbm_core.runs.control.send describes; it is obeyed within a second."""
    control.send(store.resolve(store.runs_root(), name), command, value, by="page")


def _launch(path: Path, download: bool) -> None:
    """Starts the process, detached, and a thread that does nothing but wait for its end.

    The process is born with the run's lock, so that a run whose trainer is killed while it starts is seen to be dead.
    """
    lock = lock_for_child(path)
    command = [
        sys.executable,
        "-m",
        "rbm_core.training.process",
        str(path),
        *(["--download"] if download else []),
        *(["--lock", str(lock)] if lock is not None else []),
    ]
    # The working directory stays as it is: a data folder may be named relative to it.
    places = [str(REPO), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, **QUIET, "PYTHONPATH": os.pathsep.join(filter(None, places))}
    try:
        with os.fdopen(inside.open_to_append(path / LOG_FILE), "wb") as log:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                pass_fds=() if lock is None else (lock,),
                **_detached(),
            )
    except OSError as error:
        if lock is not None:
            os.close(lock)
            lock = None
        sentence = explain(error, path / LOG_FILE)
        _write_failed(path, f"The trainer could not be started: {sentence}.")
        raise RunError(f"the trainer could not be started: {sentence}") from error
    finally:
        if lock is not None:
            os.close(lock)  # the trainer has its own
    threading.Thread(target=_wait, args=(child, path), name=f"trainer-{path.name}", daemon=True).start()


def _detached() -> dict[str, Any]:
    """The options of Popen that keep an interrupt of the server, and the end of its terminal, from the trainer."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def _wait(child: subprocess.Popen[bytes], path: Path) -> None:
    """Waits for the child, so that no zombie stays; writes "failed" for one that gave up before its first status."""
    code = child.wait()
    try:
        if code > 0 and read_object(path / "status.json").get("state") == "starting":
            _write_failed(path, f"The trainer ended before it began (exit code {code}): {_last_line(path)}")
    except (RunError, FileNotFoundError):
        pass  # the folder is gone or damaged: there is no status to write


def _write_failed(path: Path, message: str) -> None:
    """Writes a failed status unless a living trainer holds the run."""
    lock = hold_lock(path, timeout=0.2)
    if lock is None:
        return
    try:
        status = RunReader(path).status()
        Recorder(path).write_status({**status, "state": "failed", "message": message}, durable=True)
    finally:
        lock.release()


def _last_line(path: Path) -> str:
    """The last line of the trainer's log, where Python puts the reason."""
    said = last_line(path / LOG_FILE)
    return f"{said} (details in {LOG_FILE})." if said else "it left nothing in its log."
