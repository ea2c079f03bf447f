"""Commands to a running trainer: any process appends them to control.json, and the trainer removes them."""

import math
import os
import secrets
import time
from pathlib import Path
from typing import Any

from filelock import AcquireReturnProxy, FileLock, Timeout

from rbm_core.runs.files import RunError, explain, of_run, read_object, write_json
from rbm_core.runs.reader import RunReader
from rbm_core.runs.vocabulary import COMMANDS, LIVE_STATES, SETTABLE


def send(path: Path, command: str, value: Any = None, *, by: str | None = None) -> None:
    """Appends a command for the run's trainer, which obeys it between two updates, within a second.

    pause, resume, stop and snapshot take no value; set takes {"name": ..., "value": ...} for a setting in
    SETTABLE; step takes {"n": updates}, makes that many updates and pauses; speed takes {"updates_per_second": number},
    or None in its place, and holds the trainer back to it, or no longer. by: who sent it, for the record.
    Raises RunError in one sentence for an unknown command, an invalid value, and a run that no process trains.
    """
    path = Path(path)
    check(command, value)
    status = RunReader(path).status()
    if status["state"] not in LIVE_STATES:
        raise RunError(f"run {path.name!r} is not being trained (it is {status['state']}); resume it first")
    entry = {"id": secrets.token_hex(4), "time": time.time(), "command": command}
    if value is not None:
        entry["value"] = value
    if by is not None:
        entry["by"] = by
    with _locked(path):
        try:
            waiting = _waiting(path)
        except RunError:  # The file is damaged: its commands are lost, and it must not block this one.
            waiting = []
        write_json(path / "control.json", {"commands": [*waiting, entry]}, durable=False)


def take(path: Path) -> list[dict[str, Any]]:
    """Removes and returns the waiting commands, oldest first.

    Without any, control.json does not exist, and the call costs one failed stat, about 2 µs. A damaged
    file is removed and raises RunError.
    """
    file = path / "control.json"
    try:
        os.stat(file)
    except OSError:
        return []
    with _locked(path):
        try:
            return _waiting(path)
        finally:
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                raise RunError(explain(error, file)) from error


def _waiting(path: Path) -> list[dict[str, Any]]:
    file = path / "control.json"
    try:
        commands = read_object(file).get("commands")
    except FileNotFoundError:
        return []
    if not isinstance(commands, list) or not all(
        isinstance(entry, dict) and isinstance(entry.get("command"), str) for entry in commands
    ):
        raise RunError(f"{of_run(file)} is damaged: it should hold a list of commands")
    return commands


def _locked(path: Path) -> AcquireReturnProxy:
    """A context that locks control.json while it is read, changed and written back: less than a millisecond."""
    try:
        return FileLock(path / "control.lock").acquire(timeout=5.0, poll_interval=0.005)
    except Timeout:
        raise RunError(f"another process keeps {path / 'control.lock'} locked; try again") from None
    except OSError as error:
        raise RunError(explain(error, path / "control.lock")) from error


def check(command: str, value: Any) -> None:
    """Raises RunError in one sentence if there is no such command or it does not take this value."""
    if command not in COMMANDS:
        raise RunError(f"no command {command!r}; there are: {', '.join(COMMANDS)}")
    if command == "set":
        if not isinstance(value, dict) or value.get("name") not in SETTABLE:
            raise RunError(f"set changes one of {', '.join(SETTABLE)} while training, not {value!r}")
        number = value.get("value")
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not math.isfinite(number):
            raise RunError(f"{value['name']} must be a number, got {number!r}")
    elif command == "step":
        n = value.get("n") if isinstance(value, dict) else None
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise RunError(f'step needs {{"n": a number of updates, at least 1}}, got {value!r}')
    elif command == "speed":
        if not isinstance(value, dict) or not _is_speed(value.get("updates_per_second", 0)):
            raise RunError(
                'speed needs {"updates_per_second": a number above 0, at most 1,000,000, or null for full speed}, '
                f"got {value!r}"
            )
    elif value is not None:
        raise RunError(f"{command} takes no value, got {value!r}")


def _is_speed(value: Any) -> bool:
    """Whether a trainer can be held to so many updates a second; None stands for full speed."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value is None or (number and 0 < value <= 1e6)
