"""A run as a process: `python -m rbm_core.training.process FOLDER` trains the run there and obeys its commands.

Learning is in rbm_core.training.update and knows nothing of files; the record is in rbm_core.runs and knows nothing
of learning. Here both meet, together with what happens to a process: signals, a full disk, an end without
warning. Whatever happens, the folder says in one sentence how the run ended, and a run that has not come to
its end goes on from its last saved state when the same command is given again; its parameters are then, bit
for bit, those of a run that was never interrupted.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rbm_core.machine import hand_back_memory
from rbm_core.runs import control
from rbm_core.runs.files import RUN_LOCK, Lock, RunError, hold_lock, one_line, sentence
from rbm_core.runs.past_models import PastModels
from rbm_core.runs.reader import RunReader
from rbm_core.runs.recorder import Recorder, check_resume
from rbm_core.runs.snapshot import Snapshot
from rbm_core.streams import shielded
from rbm_core.training.begin import begun
from rbm_core.training.clock import Clock
from rbm_core.training.report import SHOW_S, OnProgress, Report, explained
from rbm_core.training.signals import signals_to

if TYPE_CHECKING:
    from rbm_core.training.ranks import Ranks
    from rbm_core.training.update import StepInfo, Training

__all__ = ["main", "run"]

POLL_S = 0.05  # s between two looks at commands and clocks: a command waits this long and one update at most
SAVE_S = 30.0  # s between two saved states: a killed run computes this much again


def run(
    path: Path | str,
    on_progress: OnProgress | None = None,
    *,
    download: bool = False,
    updates_per_second: float | None = None,
    lock: Lock | None = None,
    ranks: "Ranks | None" = None,
) -> str:
    """Trains the run in this folder until it ends; returns the state it ends in: finished, stopped (by
    command or signal), diverged or failed. status.json says the same, with a sentence where one is needed.

    Goes on from the saved state where there is one. download: fetch the data set if this computer lacks it.
    updates_per_second: the watch speed to begin with, as by the command "speed"; None: full speed. ranks: the processes
    that share the run, of which this one leads.
    Raises RunError if the folder holds no run, another process is training it, its saved state is damaged, or there is
    no such speed; nothing is changed then.
    """
    path = Path(path)
    speed = {"updates_per_second": updates_per_second}
    control.check("speed", speed)
    described = RunReader(path).config()
    held = lock or hold_lock(path)
    if held is None:
        pid = RunReader(path).status()["pid"]
        raise RunError(
            f"run {path.name!r} is already being trained{f' by process {pid}' if pid else ''}; "
            "watch that one, or stop it first"
        )
    trainer = None
    try:
        check_resume(path)
        trainer = _Trainer(path, held, on_progress, ranks)
        trainer.waiting.insert(0, {"command": "speed", "value": speed})
        return trainer.live(described, download)
    finally:
        (trainer.lock if trainer else held).release()


class _Stop(BaseException):
    """Ends a process that has not begun to train. It is no Exception, so that no library catches it."""


class _LostError(RunError):
    """Another process has begun to train the run, which is its own from now on."""


class _Diverged(Exception):
    """The run has diverged; the text is a sentence that says by which numbers."""


class _Trainer:
    """One process's work on one run: its life from start or saved state to its end, and the commands it obeys.

    allowance: updates until the next pause; 0: paused; None: no pause ahead. stopped_by: the signal or command that
    ends the run, "" while none has come.
    """

    def __init__(self, path: Path, lock: Lock, on_progress: OnProgress | None, ranks: "Ranks | None") -> None:
        self.path, self.lock, self.ranks = path, lock, ranks
        self.recorder = Recorder(path)
        self.clock = Clock()
        self.report = Report(self.recorder, self.clock, on_progress)
        self.last: StepInfo | None = None
        self.allowance: int | None = None
        self.stopped_by = ""
        self.interruptible = True  # until training begins a stop has nothing to save
        self.saved_step = self.shown_step = -1
        self.next_poll = 0.0
        self.next_save = time.perf_counter() + SAVE_S
        left = self._commands()
        self.waiting = left if self.report.announced else []

    # The life of a run

    def live(self, described: dict[str, Any], download: bool) -> str:
        """The whole life of the process; returns the final state, which status.json then holds too."""
        with signals_to(self._on_signal):
            try:
                self._starting("Loading the engine.")
                training, seconds = begun(
                    self.recorder,
                    described,
                    self._starting,
                    download=download,
                    on_download=self._on_download,
                    ranks=self.ranks,
                )
                self.interruptible = False
                self.report.describe(training)
                state, message = self._train(training, seconds)
            except _Stop:
                state, message = "stopped", f"Stopped by {self.stopped_by} before training began."
            except _LostError:
                raise
            except Exception as error:
                state, message = "failed", explained(error, self.path)
            self.interruptible = False
            self.report.write_last(state, message)
        return state

    def _train(self, training: "Training", seconds: float | None) -> tuple[str, str]:
        """Updates until the end; returns the final state and its sentence. seconds: trained before; None: never."""
        if seconds is not None:
            self.clock.go_on_from(seconds, training.step)
            self.saved_step = training.step
        self.clock.start()
        self.report.hasten()
        if seconds is None:
            self._log(training)
            self._keep(training)
        for entry in self.waiting:
            self._obey(training, entry)
        from rbm_core.training.compiled import when_compiling

        try:
            with when_compiling(self._compiling):
                return self._update_until_the_end(training)
        except _Diverged as found:
            # Nothing of the bad state is kept: the last snapshot and the last saved state are from before it.
            kept = RunReader(self.path).snapshot_steps()
            last = f" The last good snapshot is step {kept[-1]:,}." if kept else ""
            return "diverged", f"{sentence(found)}{last}"

    def _update_until_the_end(self, training: "Training") -> tuple[str, str]:
        """Updates until the run ends. After most of them it reads the clock once and compares a few numbers."""
        due = [step for step in reversed(training.snapshot_steps) if step > training.step]
        while training.step < training.n_steps:
            now = time.perf_counter()
            if now >= self.next_poll:
                self._look_around(training, now)
            if self.stopped_by:
                return self._stopped(training)
            if why := training.stopping.reason(training.step):
                return self._stopped_early(training, why)
            if self.allowance == 0:
                time.sleep(POLL_S)
                continue
            if self.clock.rest(POLL_S):
                continue
            self.last = training.update()
            training.observe()
            if self.clock.limit is not None and self.clock.limit * SHOW_S <= 1:
                self._show_soon()  # each update is seen
            if training.should_log() or training.step == training.n_steps:
                self._check(training.diverged(self.last))
                self._log(training)
            if training.step == due[-1]:
                due.pop()
                self._check(self._unsound(training))
                self._keep(training)
            if self.allowance is not None:
                self.allowance -= 1
                if self.allowance == 0:
                    self._pause(training)
        self._save(training)
        self.report.note(training)
        self.recorder.drop_live()
        return "finished", ""

    def _look_around(self, training: "Training", now: float) -> None:
        """Obeys commands, and writes what pages show and the saved state, as far as each is due."""
        self.next_poll = now + POLL_S
        for entry in self._commands():
            self._obey(training, entry)
        if now >= self.report.next_at:
            self._keep_lock()
            self._show(training)
            if now >= self.next_save:
                self._save(training)

    def _keep_lock(self) -> None:
        """Locks the run again where somebody removed the lock's file: without it another could begin to train."""
        folder = self.recorder.folder
        if self.lock.stands_at(folder / RUN_LOCK):
            return
        again = hold_lock(folder, timeout=0.2)
        if again is None:
            raise _LostError(
                f"{RUN_LOCK} of run {self.path.name!r} was removed, and another process trains the run by now; this "
                "one ends, and leaves the run to that one"
            )
        self.lock.release()
        self.lock = again

    def _stopped(self, training: "Training") -> tuple[str, str]:
        self._check(training.diverged())
        self._save(training)
        self._keep(training)
        self.recorder.drop_live()
        self.report.note(training)
        self.recorder.append_event(training.step, "stop", by=self.stopped_by)
        return "stopped", f"Stopped by {self.stopped_by}; Resume goes on from here."

    def _stopped_early(self, training: "Training", why: str) -> tuple[str, str]:
        """The run's end by itself, before its last update: the best moment and the newest stand in its snapshots."""
        self._check(self._unsound(training))
        self._save(training)
        self.recorder.keep_best(training.stopping.best_step)
        self._keep(training)
        self.recorder.drop_live()
        self.report.note(training)
        if self.last is not None:  # else the run had ended so before
            best = {"step": training.stopping.best_step, "nats": training.stopping.best}
            self.recorder.append_event(training.step, "stop early", best)
        return "finished", why

    def _unsound(self, training: "Training") -> str | None:
        """Why the state must not be kept, by the last update and by the parameters; None if it may be."""
        return (training.diverged(self.last) if self.last else None) or training.diverged()

    @staticmethod
    def _check(seen: str | None) -> None:
        if seen:
            raise _Diverged(f"{seen}; start again from a snapshot with a smaller learning rate")

    # What is written

    def _show(self, training: "Training") -> None:
        """Replaces status.json, and live.safetensors where an update was made since.

        It comes by the clock, so it looks only for what never heals: how long a run takes does not decide how it ends.
        """
        if training.step != self.shown_step:
            self._check(training.diverged())
            self.recorder.write_live(self._moment(training))
            self.shown_step = training.step
        self.report.note(training)
        self.report.write("paused" if self.allowance == 0 else "running", self.report.message)

    def _compiling(self) -> None:
        """Says why nothing moves for a while, and no pace: it stands still."""
        from rbm_core.training.compiled import COMPILING

        self.clock.keep_to(self.clock.limit)
        self.report.write("running", COMPILING)

    def _log(self, training: "Training") -> None:
        """Measures and appends a row of the curves, also one that is on file: measuring moves a random stream on."""
        row = training.metrics()
        self.report.row = {
            **row,
            "seconds": round(self.clock.seconds(), 4),
            "time": round(time.time(), 3),
            "steps_per_s": self.clock.rate,
        }
        self.recorder.append_metrics(self.report.row)
        if training.stopping.improves(training.step, row.get("log_likelihood_valid")):
            self.recorder.write_best(self._moment(training))

    def _moment(self, training: "Training") -> Snapshot:
        """The state to show or keep, with the seconds of training it took."""
        fields = training.snapshot()
        return Snapshot(**{**fields, "meta": {**fields["meta"], "seconds": self.clock.seconds()}})

    def _keep(self, training: "Training") -> None:
        """Keeps a snapshot for the time slider, and the past models that have become rungs."""
        self.recorder.write_snapshot(self._moment(training))
        if models := training.new_past_models():
            self.recorder.write_past_models(PastModels(**models))

    def _save(self, training: "Training", *, again: bool = False) -> None:
        """Saves the state for a resume. again: also if this step is saved already, since a setting was changed."""
        self.next_save = time.perf_counter() + SAVE_S
        if training.step == self.saved_step and not again:
            return
        tensors, meta = training.state_dict()
        self.recorder.write_resume(tensors, {"training": meta, "seconds": self.clock.seconds()})
        self.saved_step = training.step
        del tensors  # a copy of the whole state
        hand_back_memory()

    # Commands and signals

    def _commands(self) -> list[dict[str, Any]]:
        """The commands that came since the last call; why one was dropped becomes the sentence status.message."""
        folder = self.recorder.folder
        try:
            return control.take(folder, self._complain)
        except RunError as error:  # a damaged control.json is gone now; the next command will be whole
            self._complain(str(error))
            return []

    def _complain(self, text: str) -> None:
        self.report.message = sentence(text)
        self.report.hasten()

    def _obey(self, training: "Training", entry: dict[str, Any]) -> None:
        """Obeys a command; why one cannot be obeyed becomes the sentence status.message."""
        command, value = entry["command"], entry.get("value")
        self.report.hasten()  # whoever gave the command sees its effect at once
        self.report.message = ""
        if command == "stop":
            self.stopped_by = "command"
            return
        try:
            changed = self._carry_out(training, command, value)
        except RunError:
            raise  # the record cannot be written
        except ValueError as error:
            self.report.message = f"Not done: {one_line(error)}."
            return
        if changed:
            self.recorder.append_event(training.step, command, value, entry.get("by"))
        if command == "set" and not self._unsound(training):
            self._save(training, again=True)

    def _carry_out(self, training: "Training", command: str, value: Any) -> bool:
        """Whether the command changed anything; to pause a paused run does not."""
        if command == "pause":
            if self.allowance == 0:
                return False
            self._pause(training)
        elif command == "resume":
            if self.allowance is None:
                return False
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
        elif command == "speed":
            limit = value["updates_per_second"]
            if limit == self.clock.limit:
                return False
            self.clock.keep_to(limit)
        return True

    def _pause(self, training: "Training") -> None:
        """Holds the updates, with the state saved if it is sound, and shown at the next turn of the loop."""
        self.allowance = 0
        self.clock.stop()
        if not self._unsound(training):
            self._save(training)
        self._show_soon()

    def _show_soon(self) -> None:
        """Has the next turn of the loop write what pages show."""
        self.next_poll = 0.0
        self.report.hasten()

    def _on_signal(self, name: str) -> None:
        self.stopped_by = self.stopped_by or name
        if self.interruptible:
            self.interruptible = False
            raise _Stop

    def _starting(self, message: str) -> None:
        self.report.write("starting", message)

    def _on_download(self, name: str, done: int, total: int) -> None:
        if time.perf_counter() < self.report.next_at:
            return
        size = f"{done / 1e6:.1f} of {total / 1e6:.1f} MB" if total else f"{done / 1e6:.1f} MB"
        self._starting(f"Downloading {name}: {size}.")
        if any(entry["command"] == "stop" for entry in self._commands()):
            self.stopped_by = "command"
            raise _Stop


def main(arguments: list[str] | None = None) -> int:
    """The process: 0 if the run finished or was stopped, 1 if it failed or diverged, 2 if it could not be
    begun.
    """
    parser = argparse.ArgumentParser(
        prog="python -m rbm_core.training.process", description="Train the run in a folder."
    )
    parser.add_argument("path", type=Path, help="the run's folder, e.g. checkpoints/mnist-default-3f2a")
    parser.add_argument("--download", action="store_true", help="fetch the data set if this machine lacks it")
    parser.add_argument("--lock", type=int, help="the run's lock, as a descriptor")
    asked = parser.parse_args(arguments)
    shielded()
    try:
        lock = None if asked.lock is None else Lock.inherited(asked.lock)
        state = run(asked.path, download=asked.download, lock=lock)
        message = RunReader(asked.path).status()["message"]
    except RunError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if message:
        sys.stderr.write(f"{message}\n")
    return 1 if state in ("failed", "diverged") else 0


if __name__ == "__main__":
    sys.exit(main())
