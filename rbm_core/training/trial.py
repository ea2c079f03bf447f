"""A trial of a second: `python -m rbm_core.training.trial STORE CONFIG` times updates and keeps their pace there.

STORE: a folder of runs. CONFIG: the fields of a RunConfig as JSON. Makes no run.
"""

import json
import sys
import time
from pathlib import Path

from rbm_core import datasets
from rbm_core.config import make_config
from rbm_core.pace import keep_trial

__all__ = ["main"]

_WARM_UP = 3  # updates; the first loads the compiled kernels
_TIMED_S = 1.0


def main(arguments: list[str]) -> None:
    """The process. arguments: STORE and CONFIG."""
    from rbm_core.training import Training

    root, config = Path(arguments[0]), make_config(**json.loads(arguments[1]))
    data = datasets.load(config.dataset, n_valid=config.n_valid)
    training = Training(config, data)
    for _ in range(_WARM_UP):
        training.update()
    begun, n = time.perf_counter(), 0
    while (seconds := time.perf_counter() - begun) < _TIMED_S or not n:
        training.update()
        n += 1
    keep_trial(
        root,
        {
            "config": config.model_dump(),
            "n_train": data.train_kept.shape[0],
            "n_visible": data.train_kept.shape[1],
            "seconds_per_update": seconds / n,
        },
    )


if __name__ == "__main__":
    main(sys.argv[1:])
