"""Commands to a running trainer: any process appends them to control.json, and the trainer removes them."""

import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rbm_core.runs import json_input, layout
from rbm_core.runs.files import RunError, locked, of_run, read_object, remove, write_json
from rbm_core.runs.json_input import DamagedError
from rbm_core.runs.reader import RunReader
from rbm_core.runs.vocabulary import COMMANDS, LIVE_STATES, SETTABLE

LOCK = "control.lock"
_MOST_WAITING = 1000


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
        over = status["state"] in ("finished", "diverged")
        way = "start a new run from one of its snapshots" if over else "resume it first"
        raise RunError(f"run {path.name!r} is not being trained (it is {status['state']}); {way}")
    entry = {"id": secrets.token_hex(4), "time": time.time(), "command": command}
    if value is not None:
        entry["value"] = value
    if by is not None:
        entry["by"] = by
    with _locked(path, 5.0) as ours:
        if not ours:
            raise RunError(f"another process keeps {path / LOCK} locked; try again")
        try:
            waiting = _waiting(path)
        except RunError:  # The file is damaged: its commands are lost, and it must not block this one.
            waiting = []
        write_json(path / "control.json", {"commands": [*waiting, entry]}, durable=False)


def take(path: Path, complain: Callable[[str], None] = lambda sentence: None) -> list[dict[str, Any]]:
    """Removes and returns the waiting commands, oldest first; none while another process is writing one.

    What is no command, or has a value that it does not take, is dropped, and complain is called with a sentence about
    it: anybody may have written the file. Without any, control.json does not exist, and the call costs one failed
    stat, about 2 µs. A damaged file is removed and raises RunError.
    """
    file = path / "control.json"
    try:
        os.lstat(file)
    except OSError:
        return []
    with _locked(path, 0.01) as ours:
        if not ours:
            return []
        try:
            waiting = _waiting(path)
        finally:
            drop(path)
    commands = []
    for entry in waiting[:_MOST_WAITING]:
        try:
            command = json_input.typed(layout.COMMAND, entry)
            check(command["command"], command.get("value"))
            commands.append(command)
        except (DamagedError, RunError) as error:
            complain(f"a command was dropped: {error}")
    if len(waiting) > _MOST_WAITING:
        complain(
            f"{len(waiting):,} commands were waiting, and {_MOST_WAITING:,} are the most that are obeyed"
        )
    return commands


def drop(path: Path) -> None:
    """Removes the waiting commands, unread: those left to a trainer that died. RunError if that cannot be done."""
    remove(path / "control.json")


def _waiting(path: Path) -> list[Any]:
    file = path / "control.json"
    try:
        commands = read_object(file).get("commands")
    except FileNotFoundError:
        return []
    if not isinstance(commands, list):
        raise RunError(f"{of_run(file)} is damaged: it should hold a list of commands")
    return commands


@contextmanager
def _locked(path: Path, timeout: float) -> Iterator[bool]:
    """Whether control.json is locked for us, while it is read, changed and written back: less than a millisecond."""
    lock = locked(path / LOCK, timeout, poll_interval=0.005)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            lock.release()


def check(command: str, value: Any) -> None:
    """Raises RunError in one sentence if there is no such command or it does not take this value."""
    if command not in COMMANDS:
        raise RunError(f"no command {_brief(command)}; there are: {', '.join(COMMANDS)}")
    if command == "set":
        if not isinstance(value, dict) or value.get("name") not in SETTABLE:
            raise RunError(f"set changes one of {', '.join(SETTABLE)} while training, not {_brief(value)}")
        number = value.get("value")
        if not _is_number(number):
            raise RunError(f"{value['name']} must be a number, got {_brief(number)}")
    elif command == "step":
        n = value.get("n") if isinstance(value, dict) else None
        if not isinstance(n, int) or not _is_number(n) or n < 1:
            raise RunError(f'step needs {{"n": a number of updates, at least 1}}, got {_brief(value)}')
    elif command == "speed":
        if not isinstance(value, dict) or not _is_speed(value.get("updates_per_second", 0)):
            raise RunError(
                'speed needs {"updates_per_second": a number from 0.0001 to 1,000,000, or null for full speed}, '
                f"got {_brief(value)}"
            )
    elif value is not None:
        raise RunError(f"{command} takes no value, got {_brief(value)}")


def _is_speed(value: Any) -> bool:
    """Whether a trainer can be held to so many updates a second; None stands for full speed."""
    return value is None or (_is_number(value) and 1e-4 <= value <= 1e6)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -1e15 <= value <= 1e15


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"
