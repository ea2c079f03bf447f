"""Short annealings or the run's own ladder while it learns: python -m tests.benchmarks.ladder_online [RUN]

At each snapshot at which RUN annealed for its live likelihood: log Z by that annealing, made again; by the ladder of
the models that the run had passed by then, in as much processor time; and by AIS and reverse AIS, 100 chains × 14,500
temperatures each way, which both are held to. The ladder is favoured: placing its rungs and the 100 rounds that settle
its chains are not counted, as if they had been kept since the last snapshot. RUN is the shipped run unless given; the
evaluations are made in a copy of it. About ten minutes on two cores.
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from rbm_core import datasets
from rbm_core.config import make_config
from rbm_core.evaluation import evaluate
from rbm_core.likelihood.ladder import Tempered
from rbm_core.likelihood.online import OnlineLogZ
from rbm_core.machine import processor_name
from rbm_core.rbm import RBM
from rbm_core.runs import store
from rbm_core.runs.reader import RunReader
from rbm_core.tempering import Ladder
from rbm_core.training import Training
from tests.benchmarks.ladder_log_z import through

LADDERS, SETTLE = 10, 100
NOTHING_SEEN = {"_begun": None, "_passed": [], "_variance": 0.0, "_drift": 4.0}


def main() -> None:
    path = store.resolve(store.runs_root(), sys.argv[1] if len(sys.argv) > 1 else "mnist-default")
    reader = RunReader(path)
    config = make_config(**reader.config()["config"])
    online = Training(config, datasets.load(config.dataset, n_valid=config.n_valid)).monitor.online
    assert online is not None
    models = {s: RBM.from_numpy(**reader.snapshot(s).parameters()) for s in reader.snapshot_steps() if s > 0}
    print(
        f"{processor_name()}, {torch.get_num_threads()} thread(s)\n\n| step | AIS, both ways | short annealing, apart "
        "| processor time | ladder, apart | rungs | rounds | processor time |\n|---|---|---|---|---|---|---|---|"
    )
    off = []
    with tempfile.TemporaryDirectory(prefix="rbm-ladder-") as root:
        copy = Path(shutil.copytree(path, Path(root) / path.name))
        for step in (s for s in models if s in online.plan):
            particles = torch.from_numpy(reader.snapshot(step).particles_v).float()
            short, cost = annealed(online, step, models[step], particles)
            ladder, _ = through([model for s, model in models.items() if s <= step])
            climbed, rounds, own_cost = tempered(ladder, cost)
            row = evaluate(copy, step=step)
            off.append([abs(short - row["log_z"]), abs(climbed - row["log_z"])])
            print(
                f"| {step:,} | {row['log_z']:.2f} ± {row['stderr']:.2f} | {short - row['log_z']:+.2f} | {cost:.1f} s | "
                f"{climbed - row['log_z']:+.2f} | {len(ladder)} | {rounds} | {own_cost:.1f} s |",
                flush=True,
            )
    annealing, by_ladder = np.array(off).T
    print(
        f"\napart in the median and at most: short annealings {np.median(annealing):.2f}, {annealing.max():.2f} nats; "
        f"ladder {np.median(by_ladder):.2f}, {by_ladder.max():.2f}"
    )


def annealed(online: OnlineLogZ, step: int, model: RBM, particles: torch.Tensor) -> tuple[float, float]:
    """(log Z in nats, processor seconds) of the annealing that the run makes after this step, made again."""
    online.load({**NOTHING_SEEN, "_step": step - 1})
    begun = time.process_time()
    found = online.observe(
        model, 0.0, step, particles=particles
    )  # log Z is then what was annealed, and nothing else
    assert found is not None
    return found[0], time.process_time() - begun


def tempered(ladder: Ladder, cost: float) -> tuple[float, int, float]:
    """(log Z of the last rung in nats, rounds, processor seconds) of as many rounds as take this long."""
    work = Tempered(ladder, n_ladders=LADDERS, settle=SETTLE)
    work.advance(SETTLE)
    begun = time.process_time()
    while time.process_time() - begun < cost:
        work.advance(1)
    spent = time.process_time() - begun
    return work.result().log_z, work.rounds - SETTLE, spent


if __name__ == "__main__":
    main()
