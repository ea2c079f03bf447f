"""A trainer's stand-in, for tests of pages: it obeys a run's commands at once and trains nothing."""

import os
import threading
import time
from pathlib import Path
from typing import Any

from rbm_core.runs import RunReader, control
from rbm_core.runs.files import hold_lock
from rbm_core.runs.recorder import Recorder


class StandIn:
    """Holds the run's lock, writes its status ten times a second and obeys pause, resume, stop, step and speed.

    `obeyed` lists the commands in the order obeyed. slow: s between taking a command and obeying it, as a trainer
    amid a long update. `with StandIn(path) as trainer:` begins paused.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reader, self._recorder = RunReader(path), Recorder(path)
        self.status: dict[str, Any] = {**self.reader.status(), "pid": os.getpid()}
        self.obeyed: list[str] = []
        self.slow = 0.0
        # One writer at a time, as the files of a run ask: the thread and the test that commands it.
        self._writing = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._obey, name="stand-in", daemon=True)

    def __enter__(self) -> "StandIn":
        lock = hold_lock(self.path)
        assert lock is not None, "somebody trains this run"
        self._lock = lock
        self.hold()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(10)
        self._lock.release()

    def hold(self) -> None:
        """Paused, with nothing obeyed yet: how every test begins."""
        control.take(self.path)
        self.obeyed.clear()
        self.slow = 0.0
        self._write(state="paused", updates_per_second=None)

    def advance(self, n: int) -> None:
        """n updates later."""
        self._write(step=self.status["step"] + n)

    def _write(self, **news: Any) -> None:
        with self._writing:
            self.status |= {**news, "heartbeat": time.time()}
            self._recorder.write_status(self.status)

    def _obey(self) -> None:
        states = {"pause": "paused", "resume": "running", "stop": "stopped"}
        while not self._ended.wait(0.02):
            commands = control.take(self.path)
            for entry in commands:
                self._ended.wait(self.slow)
                name = entry["command"]
                if name == "step":
                    self.advance(entry["value"]["n"])
                elif name == "speed":
                    self._write(**entry["value"])
                elif name in states:
                    self._write(state=states[name])
                self.obeyed.append(name)
            if time.time() - self.status["heartbeat"] > 0.1:
                self._write()
