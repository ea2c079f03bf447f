"""A run as a process: `python -m rbm_core.training.process FOLDER` trains the run there and obeys its commands.

Training is in rbm_core.training.state and knows nothing of files; the record is in rbm_core.runs and knows nothing
of training. Here both meet, together with what happens to a process: signals, a full disk, an end without
warning. Whatever happens, the folder says in one sentence how the run ended, and a run that has not come to
its end goes on from its last saved state when the same command is given again; its parameters are then, bit
for bit, those of a run that was never interrupted.
"""

import argparse
import importlib.metadata
import os
import platform
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rbm_core
from rbm_core.config import make_config
from rbm_core.runs import control
from rbm_core.runs.files import LOG_FILE, RunError, SnapshotError, hold_lock, one_line
from rbm_core.runs.reader import RunReader
from rbm_core.runs.recorder import Recorder
from rbm_core.runs.snapshot import Snapshot, read_snapshot
from rbm_core.runs.vocabulary import LIVE_STATES

if TYPE_CHECKING:
    from rbm_core.config import RunConfig
    from rbm_core.datasets import Dataset
    from rbm_core.rbm import RBM
    from rbm_core.training.update import StepInfo, Training

OnProgress = Callable[[dict[str, Any], dict[str, Any]], None]
"""Called twice a second and at the end: (the content of status.json, the last row of metrics.jsonl)."""

POLL_S = 0.05  # how often commands and clocks are looked at: a command waits this long and an update at most
SHOW_S = 0.5  # how often status.json and live.safetensors are replaced
SAVE_S = 30.0  # how often the state is saved: as much as a killed run computes again


def run(path: Path | str, on_progress: OnProgress | None = None, *, download: bool = False) -> str:
    """Trains the run in this folder until it ends; returns the state it ends in: finished, stopped (by
    command or signal), diverged or failed. status.json says the same, with a sentence where one is needed.

    Goes on from the saved state where there is one. download: fetch the data set if this machine lacks it.
    RunError if the folder holds no run or another process is training it; nothing is changed then.
    """
    path = Path(path)
    described = RunReader(path).config()
    lock = hold_lock(path)
    if lock is None:
        pid = RunReader(path).status()["pid"]
        raise RunError(
            f"run {path.name!r} is already being trained{f' by process {pid}' if pid else ''}; "
            "watch that one, or stop it first"
        )
    try:
        return _Trainer(path, described, on_progress, download).run()
    finally:
        lock.release()


class _Stop(BaseException):
    """Ends the work of a process that has not begun to train. No Exception: no library may swallow it."""


class _Trainer:
    """One process's work on one run, from its start or its saved state to its end."""

    def __init__(
        self, path: Path, described: dict[str, Any], on_progress: OnProgress | None, download: bool
    ) -> None:
        self.path = path
        self.described = described
        self.on_progress = on_progress
        self.download = download
        self.recorder = Recorder(path)
        self.row: dict[str, Any] = {}
        self.last: StepInfo | None = None
        self.allowance: int | None = None  # updates until the next pause; 0: paused; None: no pause ahead
        self.stopped_by = ""
        self.beginning = True
        self.fresh = True
        self.message = ""
        self.clock = _Clock()
        self.saved_step = self.shown_step = -1
        now = time.perf_counter()
        self.next_poll = self.next_show = now
        self.next_save = now + SAVE_S
        try:
            before = RunReader(path).status()
        except RunError:
            before = {}
        # Commands left to a trainer that died before it read them are not meant for this one; those given
        # since this one was announced are.
        announced = float(before["heartbeat"]) if before.get("state") == "starting" else time.time()
        self.waiting = [entry for entry in self._commands() if entry.get("time", 0.0) >= announced]
        # What the run had come to stays: a resumed run does not show step 0 while it starts.
        self.status: dict[str, Any] = {**before, "pid": os.getpid(), "pid_started": time.time()}

    def run(self) -> str:
        """The whole life of the process; returns the final state, which status.json then holds too."""
        with _signals(self._on_signal):
            try:
                self._report("starting", "Loading the engine.")
                training = self._begin()
                self.beginning = False
                state, message = self._train(training)
            except _Stop:
                state, message = "stopped", f"Stopped by {self.stopped_by} before training began."
            except Exception as error:
                state, message = "failed", self._explain(error)
            self.beginning = False
            self._last_word(state, message)
        return state

    # --- before the first update ---

    def _begin(self) -> "Training":
        """Data, model, saved state, and the facts that config.json lacks."""
        self.recorder.clean()
        config = make_config(**self.described["config"])
        self.recorder.max_snapshots = config.max_snapshots
        from rbm_core import datasets

        self._report("starting", f"Loading {config.dataset}.")
        dataset = datasets.load(
            config.dataset, n_valid=config.n_valid, download=self.download, progress=self._on_download
        )
        self._check_data(dataset)
        self._report("starting", "Preparing the first update.")
        from rbm_core.training import Training

        device = None
        if known := self.described.get("device"):
            # What "auto" chose at the first start stays chosen: anything else would be another run.
            device = known["kind"] if config.device == "auto" else None
            config = config.model_copy(update={"precision": self.described["precision"]})
        if self.recorder.has_resume():
            training = Training(config, dataset, device=device)
            tensors, meta = self.recorder.read_resume()
            training.load_state_dict(tensors, meta["training"])
            self.clock = _Clock(float(meta["seconds"]), training.step)
            self.saved_step = training.step
            self.fresh = False
            self.recorder.append_event(training.step, "continue")
        else:
            training = Training(config, dataset, device=device, initial=self._origin(config))
            self._describe(training, dataset)
            self.recorder.write_probe(training.probe_arrays())
            self.recorder.append_event(0, "start")
        self.status |= {
            "n_steps": training.n_steps,
            "n_epochs": config.epochs,
            "steps_per_epoch": training.steps_per_epoch,
        }
        return training

    def _check_data(self, dataset: "Dataset") -> None:
        """RunError if a run that was begun would go on with other data."""
        known = self.described.get("data")
        if known and known["fingerprint"] != dataset.fingerprint:
            raise RunError(
                f"the data {dataset.name!r} have changed since this run began (fingerprint "
                f"{known['fingerprint']}, now {dataset.fingerprint}); put them back or start a new run"
            )

    def _origin(self, config: "RunConfig") -> "RBM | None":
        """The parameters to start from, where the run continues another one's snapshot."""
        if self.described.get("origin") is None:
            return None
        from rbm_core.rbm import RBM

        try:
            start = read_snapshot(self.path / "origin.safetensors")
        except FileNotFoundError:
            raise SnapshotError(
                f"run {self.path.name!r} has lost origin.safetensors, the parameters it starts from"
            ) from None
        visible = start.meta.get("visible", "bernoulli")
        if visible != config.visible:
            raise SnapshotError(
                f"the parameters this run starts from are for {visible} visible units, not {config.visible}"
            )
        return RBM.from_numpy(start.W, start.vbias, start.hbias, visible=visible, log_var=start.log_var)

    def _describe(self, training: "Training", dataset: "Dataset") -> None:
        from rbm_core.compute import device_name

        self.recorder.complete_config(
            versions={
                "python": platform.python_version(),
                "torch": importlib.metadata.version("torch"),
                "numpy": importlib.metadata.version("numpy"),
                "rbm_core": rbm_core.__version__,
            },
            device={"name": device_name(training.device), "kind": training.device.type},
            precision=training.state.precision,
            precision_note=training.state.precision_note,
            data={
                "name": dataset.name,
                "fingerprint": dataset.fingerprint,
                "n_train": len(dataset.train),
                "n_valid": len(dataset.valid),
                "n_test": len(dataset.test),
                "image_shape": list(dataset.image_shape),
            },
        )

    def _on_download(self, name: str, done: int, total: int) -> None:
        if time.perf_counter() >= self.next_show:
            size = f"{done / 1e6:.1f} of {total / 1e6:.1f} MB" if total else f"{done / 1e6:.1f} MB"
            self._report("starting", f"Downloading {name}: {size}.")
            if any(entry["command"] == "stop" for entry in self._commands()):
                self.stopped_by = "command"
                raise _Stop

    # --- the loop ---

    def _train(self, training: "Training") -> tuple[str, str]:
        """Updates until the end; returns the final state and its sentence.

        Most updates are followed by one look at the clock and a few comparisons, and nothing else.
        """
        due = [step for step in reversed(training.snapshot_steps) if step > training.step]
        self.clock.start()
        self.next_show = 0.0
        if self.fresh:
            self._log(training)
            self._keep(training)
        for entry in self.waiting:
            self._obey(training, entry)
        while training.step < training.n_steps:
            now = time.perf_counter()
            if now >= self.next_poll:
                self.next_poll = now + POLL_S
                if seen := self._look_around(training, now):
                    return self._diverged(seen)
            if self.stopped_by:
                if seen := self._unsound(training):
                    return self._diverged(seen)
                self._save(training)
                self._keep(training)
                self.recorder.drop_live()
                self._note(training)
                self.recorder.append_event(training.step, "stop", by=self.stopped_by)
                return "stopped", f"Stopped by {self.stopped_by}; Resume goes on from here."
            if self.allowance == 0:
                time.sleep(POLL_S)
                continue
            self.last = training.update()
            if training.should_log() or training.step == training.n_steps:
                if seen := training.diverged(self.last):
                    return self._diverged(seen)
                self._log(training)
            if training.step == due[-1]:
                due.pop()
                if seen := self._unsound(training):
                    return self._diverged(seen)
                self._keep(training)
            if self.allowance is not None:
                self.allowance -= 1
                if self.allowance == 0 and (seen := self._pause(training)):
                    return self._diverged(seen)
        self._save(training)
        self._note(training)
        self.recorder.drop_live()
        return "finished", ""

    def _look_around(self, training: "Training", now: float) -> str | None:
        """What the clock asks for, every POLL_S: commands, the page's view, the saved state. Says if it
        diverged.
        """
        for entry in self._commands():
            self._obey(training, entry)
        if now >= self.next_show:
            if seen := self._show(training):
                return seen
            if now >= self.next_save:
                self._save(training)
        return None

    def _unsound(self, training: "Training") -> str | None:
        """Why the state must not be kept, if so."""
        return (training.diverged(self.last) if self.last else None) or training.diverged()

    def _show(self, training: "Training") -> str | None:
        """Replaces status.json, and live.safetensors where an update was made since; says if it diverged."""
        if training.step != self.shown_step:
            if seen := self._unsound(training):
                return seen
            self.recorder.write_live(self._moment(training))
            self.shown_step = training.step
        self._note(training)
        self._report("paused" if self.allowance == 0 else "running", self.message)
        return None

    def _log(self, training: "Training") -> None:
        """A row of the curves; worked out even where it is on file already, since that draws numbers."""
        row = training.metrics()
        self.row = {
            **row,
            "seconds": round(self.clock.seconds(), 4),
            "time": round(time.time(), 3),
            "steps_per_s": self.clock.rate,
        }
        self.recorder.append_metrics(self.row)

    def _moment(self, training: "Training") -> Snapshot:
        """The state to show or keep, with the seconds of training it took."""
        fields = training.snapshot()
        return Snapshot(**{**fields, "meta": {**fields["meta"], "seconds": self.clock.seconds()}})

    def _keep(self, training: "Training") -> None:
        """A snapshot for the time slider."""
        self.recorder.write_snapshot(self._moment(training))

    def _save(self, training: "Training") -> None:
        """The state for a resume, unless it is saved already."""
        self.next_save = time.perf_counter() + SAVE_S
        if training.step == self.saved_step:
            return
        self._save_anyway(training)

    def _save_anyway(self, training: "Training") -> None:
        tensors, meta = training.state_dict()
        self.recorder.write_resume(tensors, {"training": meta, "seconds": self.clock.seconds()})
        self.saved_step = training.step

    def _diverged(self, seen: str) -> tuple[str, str]:
        """Nothing of the bad state is kept: the last snapshot and the last saved state are from before it."""
        kept = RunReader(self.path).snapshot_steps()
        last = f" The last good snapshot is step {kept[-1]:,}." if kept else ""
        return "diverged", f"{seen[:1].upper()}{seen[1:].rstrip('.')}.{last}"

    # --- commands ---

    def _commands(self) -> list[dict[str, Any]]:
        try:
            return control.take(self.path)
        except RunError as error:  # a damaged control.json is gone now; the next command will be whole
            self.message = str(error)
            return []

    def _obey(self, training: "Training", entry: dict[str, Any]) -> None:
        """Does what a command asks. One that cannot be obeyed becomes a sentence in status.message."""
        command, by = entry["command"], entry.get("by")
        value: Any = entry.get("value")
        self.next_show = 0.0  # whoever asked sees the answer at once
        self.message = ""
        if command == "stop":
            self.stopped_by = "command"
            return
        try:
            control.check(command, value)
            if command == "pause":
                if self.allowance == 0:
                    return
                self._pause(training)
            elif command == "resume":
                if self.allowance is None:
                    return
                self.allowance = None
                self.clock.start()
            elif command == "step":
                self.allowance = value["n"]
                self.clock.start()
            elif command == "snapshot":
                if seen := self._unsound(training):
                    raise ValueError(seen)
                self._keep(training)
            elif command == "set":
                training.set(value["name"], value["value"])
        except RunError as error:
            if isinstance(error.__cause__, OSError):
                raise
            self.message = str(error)
            return
        except ValueError as error:
            self.message = f"Not done: {one_line(error)}."
            return
        self.recorder.append_event(training.step, command, value, by)
        if command == "set" and not self._unsound(training):
            self._save_anyway(training)

    def _pause(self, training: "Training") -> str | None:
        """Holds the updates, with the state saved and shown; says if it diverged."""
        self.allowance = 0
        self.clock.stop()
        if seen := self._unsound(training):
            return seen
        self._save(training)
        self.next_poll = self.next_show = 0.0
        return None

    def _on_signal(self, name: str) -> None:
        self.stopped_by = self.stopped_by or name
        if self.beginning:
            self.beginning = False
            raise _Stop

    # --- what is told ---

    def _note(self, training: "Training") -> None:
        """Brings the numbers of the status up to this step."""
        self.clock.measure(training.step)
        self.status |= {
            "step": training.step,
            "epoch": training.epoch,
            "seconds": self.clock.seconds(),
            "learning_rate": training.learning_rate(),
        }

    def _report(self, state: str, message: str) -> None:
        """Replaces status.json and tells who is waiting in this process; forced to the disk where the state
        is new.
        """
        self.next_show = time.perf_counter() + SHOW_S
        new = state != self.status.get("state")
        running = state == "running"
        self.status |= {
            "state": state,
            "message": message,
            "heartbeat": time.time(),
            "steps_per_s": self.clock.rate or 0.0 if running else 0.0,
        }
        self.recorder.write_status(self.status, durable=new and state not in LIVE_STATES)
        if self.on_progress is not None:
            self.on_progress(dict(self.status), self.row)

    def _last_word(self, state: str, message: str) -> None:
        """The final status. On a full disk it fits once the disposable view is gone; RunError with the
        sentence itself if it still cannot be written.
        """
        try:
            self._report(state, message)
        except RunError:
            try:
                self.recorder.drop_live()
                self._report(state, message)
            except (RunError, OSError) as error:
                raise RunError(message or one_line(error)) from error

    def _explain(self, error: Exception) -> str:
        """One sentence for a person; the traceback goes to trainer.log unless the sentence says it all."""
        text = one_line(error)
        no_memory = "out of memory" in text.lower() or "can't allocate memory" in text.lower()
        if no_memory or isinstance(error, MemoryError):
            self._log_traceback()
            return "Not enough memory for this run: choose fewer hidden units, chains or images a batch."
        # Of the packages' own errors every one is a sentence for the user.
        if isinstance(error, ValueError) and type(error).__module__.startswith("rbm_core."):
            return f"{text[:1].upper()}{text[1:].rstrip('.')}."
        self._log_traceback()
        return f"The trainer failed with {type(error).__name__}: {text[:300]} (details in {LOG_FILE})."

    def _log_traceback(self) -> None:
        try:
            with open(self.path / LOG_FILE, "a", encoding="utf-8") as log:
                log.write(traceback.format_exc())
        except OSError:
            sys.stderr.write(traceback.format_exc())


class _Clock:
    """Seconds of training, pauses excluded, and the speed over about the last two seconds."""

    def __init__(self, seconds: float = 0.0, step: int = 0) -> None:
        self._before = seconds
        self._since: float | None = None
        self._mark = (seconds, step)
        self.rate: float | None = None

    def start(self) -> None:
        if self._since is None:
            self._since = time.perf_counter()

    def stop(self) -> None:
        self._before, self._since = self.seconds(), None

    def seconds(self) -> float:
        return self._before + (0.0 if self._since is None else time.perf_counter() - self._since)

    def measure(self, step: int) -> None:
        """Takes the speed since the last measure into the mean, in updates a second."""
        seconds, done = self.seconds() - self._mark[0], step - self._mark[1]
        if seconds < 0.2 or done <= 0:
            return
        share = min(1.0, seconds / 2.0) if self.rate is not None else 1.0
        self.rate = (1 - share) * (self.rate or 0.0) + share * done / seconds
        self._mark = (self.seconds(), step)


@contextmanager
def _signals(on_signal: Callable[[str], None]) -> Iterator[None]:
    """Inside, an interrupt, a request to end and a closed terminal call on_signal with the signal's name.

    Only the main thread can be asked; elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: object) -> None:
        on_signal(signal.Signals(number).name)

    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), handle) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


def main(arguments: list[str] | None = None) -> int:
    """The process: 0 if the run finished or was stopped, 1 if it failed or diverged, 2 if it could not be
    begun.
    """
    parser = argparse.ArgumentParser(
        prog="python -m rbm_core.training.process", description="Train the run in a folder."
    )
    parser.add_argument("path", type=Path, help="the run's folder, e.g. checkpoints/mnist-default-3f2a")
    parser.add_argument("--download", action="store_true", help="fetch the data set if this machine lacks it")
    asked = parser.parse_args(arguments)
    try:
        state = run(asked.path, download=asked.download)
        message = RunReader(asked.path).status()["message"]
    except RunError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if message:
        sys.stderr.write(f"{message}\n")
    return 1 if state in ("failed", "diverged") else 0


if __name__ == "__main__":
    sys.exit(main())
