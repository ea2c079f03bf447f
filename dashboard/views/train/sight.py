"""Which of Train's pictures somebody sees: while a run trains the others are made seldom."""

import time

from dashboard.views.train import state
from dashboard.views.train.recorded import Run

# Out of sight a picture is renewed for those who print the page or have it read to them.
SELDOM_S = 30.0


def rests(run: Run, key: str) -> bool:
    """Whether the picture `key` may stay as this tab has it: the browser says that it is out of sight, the run goes on
    training, and the picture is no older than SELDOM_S. Its first look is worth the newest state: the browser says at
    once what comes near.
    """
    watched, now = state.watched(), time.monotonic()
    trains = run.status["state"] == "running" and watched.step == "live"
    if not trains or key.rpartition(".")[2] not in watched.away:
        return False
    if now - watched.made_at.get(key, -SELDOM_S) >= SELDOM_S:
        watched.made_at[key] = now
        return False
    return True
