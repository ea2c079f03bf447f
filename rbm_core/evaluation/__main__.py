"""`python -m rbm_core.evaluation FOLDER`: evaluate a snapshot of the run in a folder, as a process of its own."""

import argparse
import signal
import sys
from pathlib import Path
from typing import Any

from rbm_core.evaluation import Interrupted, evaluate
from rbm_core.machine import lacks_memory
from rbm_core.runs.files import one_line
from rbm_core.streams import shielded


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 when finished, 2 for a wrong question (one line on stderr), 130 when interrupted by a signal.

    SIGINT and SIGTERM save the state; the same command resumes.
    """
    parser = argparse.ArgumentParser(
        prog="python -m rbm_core.evaluation", description="Evaluate a snapshot of the run in a folder."
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--snapshot", type=int, default=None)
    parser.add_argument("--estimator", default="bracket")
    parser.add_argument("--temperatures", default="salakhutdinov-murray")
    parser.add_argument("--chains", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--sweeps", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=500)
    options = parser.parse_args(arguments)
    shielded()
    stopping = False

    def on_signal(number: int, frame: Any) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    try:
        evaluate(
            options.folder,
            step=options.snapshot,
            estimator=options.estimator,
            betas=int(options.temperatures) if options.temperatures.isdecimal() else options.temperatures,
            n_chains=options.chains,
            seed=options.seed,
            precision=options.precision,
            sweeps_max=options.sweeps,
            rounds=options.rounds,
            should_stop=lambda: stopping,
        )
    except Interrupted:
        return 130
    except ValueError as error:
        sys.stderr.write(f"{one_line(error)}\n")
        return 2
    except Exception as error:
        if not lacks_memory(error):
            raise
        sys.stderr.write(
            "not enough memory for this model and its data: stop other programs, or choose a smaller model\n"
        )
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
