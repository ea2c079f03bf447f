"""The reference notebook's table from a run of preset `reference`: python -m tests.benchmarks.reference_table RUN

Prints the mean over an epoch's batches of F(data) − F(sample), in nats, beside the numbers the notebook reports.
"""

import sys

import numpy as np

from rbm_core.runs import RunError, store
from rbm_core.runs.reader import RunReader

PUBLISHED = {
    1: (-92.90, -68.33),
    5: (-32.13, -29.95),
    10: (-15.65, -15.75),
    20: (-12.48, -12.70),
    30: (-11.18, -11.10),
}


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("name one finished run of preset reference: python -m tests.benchmarks.reference_table RUN")
    try:
        reader = RunReader(store.resolve(store.runs_root(), sys.argv[1]))
    except RunError as error:
        sys.exit(str(error))
    if reader.config()["config"]["algorithm"] != "cd":
        sys.exit(
            f"run {sys.argv[1]!r} records no F(data) − F(sample): its algorithm is not cd; train preset reference"
        )
    metrics, per_epoch = reader.metrics(), reader.status()["steps_per_epoch"]
    steps, losses = metrics["step"], metrics["cd_loss_train"]
    weights = np.diff(steps, prepend=0)  # a row's loss is the mean over the steps since the previous row
    print(f"{'epoch':>6}{'training':>12}{'published':>12}{'validation':>13}{'published':>12}")
    for epoch, (train, valid) in PUBLISHED.items():
        rows = (steps > (epoch - 1) * per_epoch) & (steps <= epoch * per_epoch)
        mean = np.average(losses[rows], weights=weights[rows])
        end = metrics["cd_loss_valid"][steps == epoch * per_epoch][0]
        print(f"{epoch:>6}{mean:>12.2f}{train:>12.2f}{end:>13.2f}{valid:>12.2f}")


if __name__ == "__main__":
    main()
