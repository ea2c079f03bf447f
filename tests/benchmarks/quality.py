"""What a recipe reaches: python -m tests.benchmarks.quality [PRESET] [SEED …] [--set NAME=VALUE …]

For each seed it trains the preset on the full MNIST (RBM_DATA_DIR) as a recorded run, brackets its log-likelihood by
AIS and reverse AIS, and prints what training took, by the clock and in processor time, which other work on the machine
changes least; when the live log-likelihood of the test images first stood above −86.3 nats, and the first snapshot from
then on of which the same annealings say so. Five seeds of `default` take about a quarter of an hour on two cores.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from rbm_core.config import preset
from rbm_core.evaluation import evaluate
from rbm_core.likelihood.online import OnlineLogZ
from rbm_core.runs import store
from rbm_core.runs.reader import RunReader
from rbm_core.training import process as training_process

MARK = -86.3  # nats: what CD-25 with 500 hidden units reaches, −86.34 (Salakhutdinov & Murray 2008)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("preset", nargs="?", default="default")
    parser.add_argument("seeds", nargs="*", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help="change a setting")
    asked = parser.parse_args()
    changes = dict(assignment.split("=", 1) for assignment in asked.set)
    root = Path(tempfile.mkdtemp(prefix="rbm-quality-"))
    print(f"{' '.join([asked.preset, *asked.set])}: nats, 100 chains × 14,500 temperatures each way; {root}")
    spent = timed_likelihood()
    for seed in asked.seeds:
        spent.clear()
        config = preset(asked.preset, **{**changes, "seed": seed})
        path = store.create_run(root, f"{asked.preset}-{seed}", config, preset=asked.preset)
        begun = time.process_time()
        state = training_process.run(path)
        used, seconds = time.process_time() - begun, RunReader(path).status()["seconds"]
        row = evaluate(path)
        share = f"{100 * sum(spent) / seconds:.1f} % of it for the live likelihood"
        took = f"{state} in {seconds:.0f} s, {used:.0f} of processor time"
        print(f"seed {seed}: {took}, {share}; {summary(row)}", flush=True)
        print(f"seed {seed}: {passed_the_mark(path)}", flush=True)


def passed_the_mark(path: Path) -> str:
    """When the live log-likelihood of the test images first stood above the mark, and when annealing says it did."""
    reader = RunReader(path)
    rows = reader.metrics()
    live, bar = rows["log_likelihood_test"], rows["log_likelihood_test_stderr"]
    above = np.flatnonzero(live > MARK)
    if not len(above):
        return f"the live log-likelihood never stood above {MARK}"
    at = above[0]
    seen = (
        f"live {live[at]:.2f} ± {bar[at]:.2f} at step {rows['step'][at]:,} after {rows['seconds'][at]:.0f} s"
    )
    for step in reader.snapshot_steps():
        if step >= rows["step"][at] and (annealed := evaluate(path, step=step))["test_nats"] > MARK:
            seconds = rows["seconds"][rows["step"] == step][0]
            nats = f"{annealed['test_nats']:.2f} ± {annealed['stderr']:.2f}"
            return f"{seen}; annealed {nats} at step {step:,} after {seconds:.0f} s"
    return f"{seen}; annealed never"


def timed_likelihood() -> list[float]:
    """A list to which each update of the live likelihood adds the seconds it took, from now on."""
    spent: list[float] = []
    observe = OnlineLogZ.observe

    def timed(*arguments: Any, **options: Any) -> Any:
        begun = time.perf_counter()
        try:
            return observe(*arguments, **options)
        finally:
            spent.append(time.perf_counter() - begun)

    OnlineLogZ.observe = timed  # type: ignore[method-assign]
    return spent


def summary(row: dict) -> str:
    sides = f"log Z forward {row['forward']['log_z']:.2f}, reverse {row['reverse']['log_z']:.2f}"
    nats = ", ".join(f"{part} {row[f'{part}_nats']:.2f}" for part in ("test", "valid", "train"))
    return f"{nats} (log Z ± {row['stderr']:.2f}; {sides}; ess {row['ess']:.0f} of 100): {row['verdict']}"


if __name__ == "__main__":
    main()
