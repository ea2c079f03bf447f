"""What the Evaluate page remembers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.ui.answers import Answer


@dataclass(frozen=True)
class Question:
    """What was asked of a run: settings are the arguments of `evaluators.start` beside these and the seed.

    answered: the finished evaluation that answers it. seed: one that none of its answers has.
    """

    run: str
    step: int
    estimator: str
    settings: Mapping[str, Any]
    answered: str
    seed: int


@dataclass
class Evaluate:
    """The reader's question and the evaluation under way.

    run: the run shown last. care: how carefully to estimate, a key of texts.CARE. complaint: what could not be done.
    again: a question that has its answer, and was asked again. begun: (run, moment) of the evaluation started here
    that has not ended yet. drawn: (evaluation, tenths done) of the pictures drawn last while it was under way, and
    the progress they show.
    """

    run: str | None = None
    care: str = "salakhutdinov-murray"
    complaint: Answer | None = None
    begun: tuple[str, float] | None = None
    again: Question | None = None
    drawn: tuple[tuple[str, int], dict[str, Any]] | None = None

    def begun_on(self, run: str) -> float | None:
        """When the evaluation started here on this run began, if it has not ended yet; seconds since 1970."""
        return self.begun[1] if self.begun and self.begun[0] == run else None
