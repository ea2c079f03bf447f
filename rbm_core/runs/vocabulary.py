"""The words and constants of a run's record, each defined once: a trainer writes them, readers and pages use them.

No torch and no files here, so that the training mathematics, the pages and the doctor can all import it.
"""

from collections.abc import Mapping
from typing import Any

LIVE_STATES = ("starting", "running", "paused")
"""What status.json may say while a trainer's process holds the run's lock."""

STATES = (*LIVE_STATES, "finished", "stopped", "diverged", "failed", "interrupted")
"""Every state of a run. No trainer writes "interrupted": a reader infers it from a live state without a lock."""

COMMANDS = ("pause", "resume", "stop", "snapshot", "set", "step", "speed")
"""What control.json may ask of a living trainer."""

SETTABLE = ("learning_rate", "momentum", "weight_decay", "k")
"""The fields of a RunConfig that the command "set" may change while the run trains."""

MONITORED = 1000
"""At most this many training cases, and as many validation and test cases, stand behind a row of metrics.jsonl."""

PROBED = 100
"""At most this many validation cases form the probe batch, whose hidden probabilities every snapshot holds."""

DEAD, SATURATED = 0.01, 0.99
"""A hidden unit is dead if its mean probability over the monitored training cases is below the first bound, and
saturated if it is above the second: it then tells no two cases apart.
"""


def only_imported(described: Mapping[str, Any], step: int) -> bool:
    """Whether the run is a model that came in a file and that nothing here has trained: its settings say how it would
    go on, not how it learned. described: its config.json. step: where it stands.
    """
    return step == 0 and "file" in (described.get("origin") or {})
