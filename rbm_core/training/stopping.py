"""Early stopping: a run ends once its validation likelihood has stopped rising, and its best moment is kept."""

import math
from typing import Any

__all__ = ["EarlyStopping"]


class EarlyStopping:
    """The best validation log-likelihood so far, and whether it lies too far back.

    patience: updates without a better one after which the run ends; 0: it never does. best: nats; best_step: where.

    The likelihood is that of the curves: a mean over the same cases in every row, so that its rise and fall are the
    model's own. Only log Z is estimated, and its error is shared by the rows between two annealings.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.best: float | None = None
        self.best_step = 0

    def improves(self, step: int, nats: float | None) -> bool:
        """Takes the likelihood after this step, if there is one; whether it is the best so far, and is to be kept."""
        if not self.patience or nats is None or not math.isfinite(nats):
            return False
        if self.best is not None and nats <= self.best:
            return False
        self.best, self.best_step = nats, step
        return True

    def reason(self, step: int) -> str | None:
        """Why the run ends after this step, in one sentence; None while it goes on."""
        if self.best is None or step - self.best_step < self.patience:
            return None
        best = f"{self.best:.1f}".replace("-", "−")
        return (
            f"Stopped early: the validation likelihood was best at step {self.best_step:,}, {best} nats, and "
            f"has not risen in {step - self.best_step:,} updates since. That moment is kept as a snapshot."
        )

    def state(self) -> dict[str, Any]:
        """What `load` needs, ready for JSON."""
        return {"best": self.best, "best_step": self.best_step}

    def load(self, state: dict[str, Any]) -> None:
        """Continues from what `state` returned; {}, of a run saved by an older version, begins anew."""
        self.best, self.best_step = state.get("best"), state.get("best_step", 0)
