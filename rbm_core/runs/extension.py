"""A run made longer than it was begun."""

from pathlib import Path

from rbm_core.config import ConfigError, make_config
from rbm_core.runs.files import RunError, hold_lock, read_object, write_json
from rbm_core.runs.reader import RunReader
from rbm_core.runs.recorder import Recorder

__all__ = ["extend"]


def extend(path: Path, epochs: int | str) -> str:
    """Gives the run this many epochs in all, to be trained by the next resume; returns a sentence that says how.

    A constant learning rate goes on as it is, and one that falls in steps goes on falling in them: the updates so far
    are those of a run that was begun with as many epochs. A rate that falls in a straight line to zero has
    reached it at the run's own end, so such a run cannot be made longer. Raises ConfigError or RunError.
    """
    lock = hold_lock(path)
    if lock is None:
        raise RunError(f"run {path.name!r} is being trained; stop it first, then resume it with more epochs")
    try:
        described = read_object(path / "config.json")
        config = make_config(**described["config"])
        if config.updates:  # the same length in epochs, the last of which may end early
            per_epoch = max(1, int(RunReader(path).status()["steps_per_epoch"] or 1))
            config = config.model_copy(update={"updates": 0, "epochs": -(-config.updates // per_epoch)})
        longer = make_config(**{**described["config"], "updates": 0, "epochs": epochs})
        if longer.epochs == config.epochs:
            return f"Run {path.name} has {config.epochs} epochs already."
        if longer.epochs < config.epochs:
            raise ConfigError(
                f"run {path.name!r} is planned for {config.epochs} epochs, and --epochs {longer.epochs} would cut it; "
                "resume it without --epochs and stop it where you like"
            )
        if config.lr_schedule == "linear":
            raise ConfigError(
                f"run {path.name!r} lowers its learning rate in a straight line to zero at epoch {config.epochs}, so "
                f"there is nothing left to learn with up to epoch {longer.epochs}; start a new run at its newest "
                f"parameters: train --from {path.name} --epochs {longer.epochs - config.epochs}"
            )
        write_json(path / "config.json", {**described, "config": longer.model_dump(mode="json")})
        status = RunReader(path).status()
        if status["state"] == "finished":
            message = f"Extended to {longer.epochs} epochs; Resume goes on from here."
            write_json(path / "status.json", {**status, "state": "stopped", "message": message})
        Recorder(path).append_event(
            int(status["step"]), "extend", {"epochs": longer.epochs}, by="command line"
        )
    finally:
        lock.release()
    rate = "the learning rate stays constant"
    if config.lr_schedule == "step":
        every = f"every {config.lr_step_epochs} epochs"
        rate = f"the learning rate goes on falling by a factor of {config.lr_gamma:g} {every}"
    return f"Run {path.name} goes on from epoch {config.epochs} of its plan to {longer.epochs}: {rate}."
