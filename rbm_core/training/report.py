"""A trainer's reports: status.json, the progress callback, and one sentence for every failure."""

import os
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rbm_core.machine import lacks_memory
from rbm_core.runs import inside
from rbm_core.runs.files import LOG_FILE, RunError, one_line, sentence
from rbm_core.runs.reader import RunReader
from rbm_core.runs.recorder import Recorder
from rbm_core.runs.vocabulary import LIVE_STATES
from rbm_core.training.clock import Clock

if TYPE_CHECKING:
    from rbm_core.training.update import Training

__all__ = ["OnProgress", "Report", "explained"]

OnProgress = Callable[[dict[str, Any], dict[str, Any]], None]
"""Called twice a second and at the end: (the content of status.json, the last row of metrics.jsonl)."""

SHOW_S = 0.5  # how often status.json is replaced


class Report:
    """status.json of one run, replaced while its trainer works.

    announced: whether commands that wait already are meant for this trainer. row: the last row of the curves. message:
    what the page shows while the run goes on. next_at: when (by perf_counter) the next report is due.
    """

    def __init__(self, recorder: Recorder, clock: Clock, on_progress: OnProgress | None) -> None:
        self._recorder, self._clock, self._on_progress = recorder, clock, on_progress
        self.row: dict[str, Any] = {}
        self.message = ""
        self.next_at = time.perf_counter()
        try:
            before = RunReader(recorder.path).status()
        except RunError:
            before = {}
        # Whoever announces a trainer drops what was left to one that died, so what waits now was given to this one;
        # times would not tell, since a clock may be set back.
        self.announced = before.get("state") == "starting"
        # The numbers of the run stay: a resumed run does not show step 0 while it starts.
        self._status: dict[str, Any] = {**before, "pid": os.getpid(), "pid_started": time.time()}

    def hasten(self) -> None:
        """Makes the next report due at once."""
        self.next_at = 0.0

    def describe(self, training: "Training") -> None:
        """Writes the run's length into the status."""
        self._status |= {
            "n_steps": training.n_steps,
            "n_epochs": -(-training.n_steps // training.steps_per_epoch),
            "steps_per_epoch": training.steps_per_epoch,
        }

    def note(self, training: "Training") -> None:
        """Brings the numbers of the status up to this step."""
        self._clock.measure(training.step)
        self._status |= {
            "step": training.step,
            "epoch": training.epoch,
            "seconds": self._clock.seconds(),
            "learning_rate": training.learning_rate(),
        }

    def write(self, state: str, message: str) -> None:
        """Replaces status.json and calls back; a new final state is forced to the disk, a heartbeat is not."""
        self.next_at = time.perf_counter() + SHOW_S
        final = state != self._status.get("state") and state not in LIVE_STATES
        self._status |= {
            "state": state,
            "message": message,
            "heartbeat": time.time(),
            "steps_per_s": self._clock.rate or 0.0 if state == "running" else 0.0,
            "steady": self._clock.steady,
            "updates_per_second": self._clock.limit,
        }
        self._recorder.write_status(self._status, durable=final)
        if self._on_progress is not None:
            self._on_progress(dict(self._status), self.row)

    def write_last(self, state: str, message: str) -> None:
        """The final status. On a full disk it fits once the disposable view is gone; RunError with the sentence
        itself if it still cannot be written.
        """
        try:
            self.write(state, message)
        except RunError:
            try:
                self._recorder.drop_live()
                self.write(state, message)
            except (RunError, OSError) as error:
                raise RunError(message or one_line(error)) from error


def explained(error: Exception, run: Path) -> str:
    """One sentence for a person; the traceback goes to trainer.log unless the sentence says it all."""
    text = one_line(error)
    if lacks_memory(error):
        _log_traceback(run)
        return f"Not enough memory for {_asked(run)}: choose fewer hidden units, chains or images a batch."
    # Every ValueError class that rbm_core defines carries a sentence for the user.
    if isinstance(error, ValueError) and type(error).__module__.startswith("rbm_core."):
        return sentence(text)
    _log_traceback(run)
    return f"The trainer failed with {type(error).__name__}: {text[:300]} (details in {LOG_FILE})."


def _asked(run: Path) -> str:
    """What of the run takes memory, as a person chose it."""
    try:
        config = RunReader(run).config()["config"]
        hidden, chains, batch = config["n_hidden"], config["n_chains"], config["batch_size"]
        return f"{hidden:,} hidden units, {chains:,} chains and {batch:,} images a batch"
    except (RunError, KeyError, MemoryError):
        return "this run"


def _log_traceback(run: Path) -> None:
    try:
        with os.fdopen(inside.open_to_append(run / LOG_FILE), "wb") as log:
            log.write(traceback.format_exc().encode(errors="replace"))
    except OSError:
        with suppress(
            OSError, AttributeError
        ):  # often the same log, on the same full disk; None where it is closed
            sys.stderr.write(traceback.format_exc())
