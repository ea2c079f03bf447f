"""The run that Train shows, as its files say at one refresh."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dashboard import data
from dashboard.figures import moment as pictures
from rbm_core.runs import Probe, RunError, RunReader
from rbm_core.runs.vocabulary import LIVE_STATES, only_imported


@dataclass(frozen=True)
class Run:
    """config and status are read once a refresh. What else cannot be read is None or empty here."""

    name: str
    reader: RunReader
    config: dict[str, Any]
    status: dict[str, Any]

    @property
    def alive(self) -> bool:
        """Whether a trainer works on it."""
        return self.status["state"] in LIVE_STATES

    @property
    def settings(self) -> dict[str, Any]:
        """The fields of its RunConfig."""
        return self.config["config"]

    @property
    def only_imported(self) -> bool:
        """Whether it is a model of a file that nothing here has trained."""
        return only_imported(self.config, int(self.status["step"]))

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """Every command that was obeyed, oldest first."""
        try:
            return self.reader.events()
        except RunError:
            return []

    @cached_property
    def probe(self) -> Probe | None:
        try:
            return self.reader.probe()
        except RunError:
            return None

    def image_shape(self, n_visible: int) -> tuple[int, int]:
        return pictures.image_shape(n_visible, (self.config.get("data") or {}).get("image_shape"))


def read(name: str) -> Run:
    """Raises RunError in one sentence if there is no such run, or its config or status cannot be read."""
    reader = data.reader(name)
    return Run(name, reader, reader.config(), reader.status())


def alive(name: str) -> bool:
    """Whether a trainer works on the run; False where that cannot be read."""
    try:
        return data.reader(name).status()["state"] in LIVE_STATES
    except RunError:
        return False


def ordered(name: str) -> bool:
    """Whether the run's hidden units are ordered; False where that cannot be read."""
    try:
        return bool(data.reader(name).config()["config"].get("ordered"))
    except RunError:
        return False
