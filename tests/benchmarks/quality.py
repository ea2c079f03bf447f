"""What a preset reaches: python -m tests.benchmarks.quality [PRESET] [SEED …]

Trains the preset once a seed on the full MNIST (RBM_DATA_DIR), as a run like any other, then brackets its
log-likelihood by AIS and reverse AIS. Five seeds of `default` take about half an hour on two cores.
"""

import sys
import tempfile
from pathlib import Path

from rbm_core import trainer
from rbm_core.config import preset
from rbm_core.evaluation import evaluate
from rbm_core.runs import store
from rbm_core.runs.reader import RunReader


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "default"
    seeds = [int(seed) for seed in sys.argv[2:]] or [1, 2, 3, 4, 5]
    root = Path(tempfile.mkdtemp(prefix="rbm-quality-"))
    print(f"preset {name}: log-likelihood in nats, forward and reverse AIS, 100 chains × 14,500 temperatures")
    for seed in seeds:
        path = store.create_run(root, f"{name}-{seed}", preset(name, seed=seed), preset=name)
        state = trainer.run(path)
        seconds = RunReader(path).status()["seconds"]
        row = evaluate(path)
        print(f"seed {seed}: {state} in {seconds:.0f} s; {summary(row)}", flush=True)


def summary(row: dict) -> str:
    sides = f"log Z forward {row['forward']['log_z']:.2f}, reverse {row['reverse']['log_z']:.2f}"
    nats = ", ".join(f"{part} {row[f'{part}_nats']:.2f}" for part in ("test", "valid", "train"))
    return f"{nats} (log Z ± {row['stderr']:.2f}; {sides}; ess {row['ess']:.0f} of 100): {row['verdict']}"


if __name__ == "__main__":
    main()
