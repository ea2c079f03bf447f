"""A filled-in form, the name of the run that it describes, and the start of that run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dashboard import data
from dashboard.processes import trainers
from dashboard.ui.texts import sentence
from rbm_core import datasets
from rbm_core.config import RunConfig, make_config
from rbm_core.runs import RunError

LIKE = "as this run"
"""The preset that is the run on the page."""

WATCHED_FIRST = 10.0
"""Updates a second at which `quick` begins: strokes appear within a minute, while one watches."""

AtStep = Callable[[], int | str]
"""Where the page's time slider stands: a step, or "live"."""


@dataclass(frozen=True)
class Wish:
    """fields: every field of RunConfig by name. fork: the run from whose weights it starts, or None."""

    preset: str
    recipe: RunConfig
    fields: dict[str, Any]
    fork: str | None = None

    @property
    def config(self) -> RunConfig:
        """Raises ConfigError in one sentence if these settings cannot be trained."""
        return make_config(**self.fields)

    @property
    def changed(self) -> bool:
        """Whether the run is another than the preset stands for."""
        config = self.config
        offered = self.recipe.model_copy(update={"dataset": config.dataset})
        return self.preset == LIKE or bool(self.fork) or config != offered

    @property
    def watched_at(self) -> float | None:
        """Updates a second that the run is held to at first, so that one sees it learn; None: full speed."""
        return WATCHED_FIRST if self.preset == "quick" and self.fork is None else None

    def new_name(self) -> str:
        """`mnist-quick-changed-3f9a`: data set, preset, what differs from it, and four characters drawn anew."""
        config = self.config
        kind = f"{config.algorithm}{config.k}" if self.preset == LIKE else self.preset
        differs = "-fork" if self.fork else "-changed" if self.preset != LIKE and self.changed else ""
        return data.new_name(config, kind + differs)

    def start(self, called: str, step: AtStep) -> str:
        """Starts the run's trainer; returns the run's name, which is `called` or a new one.

        step: the moment whose weights a fork starts from.
        """
        origin = _origin(self.fork, step()) if self.fork is not None else None
        config = self.config
        return trainers.start(
            config,
            called or self.new_name(),
            preset=None if self.changed else self.preset,
            origin=origin,
            download=not datasets.available(config.dataset),
            updates_per_second=self.watched_at,
        )


def misnamed(name: str) -> str | None:
    """Why no new run can have this name, in one sentence; None where it can, or where the name is left open."""
    if not name:
        return None
    try:
        data.check_new_name(name)
    except RunError as error:
        return sentence(error)
    return None


def _origin(run: str, step: int | str) -> dict[str, Any]:
    """The snapshot at the step, or the last before it; RunError where the run has none yet."""
    kept = [one for one in data.reader(run).snapshot_steps() if isinstance(step, str) or one <= step]
    if not kept:
        raise RunError(f"run {run!r} has no snapshot to start from yet; wait for its first")
    return {"run": run, "step": kept[-1]}
