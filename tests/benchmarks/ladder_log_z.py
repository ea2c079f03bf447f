"""log Z along a run's own past, beside AIS: python -m tests.benchmarks.ladder_log_z [RUN]

The run's snapshots are the rungs of one ladder from independent pixels up, with more of them between two where they
stand too far apart. 20 ladders make 900 rounds of exchanges after 240 that settle them; the run's last five snapshots
are bracketed by forward and reverse AIS, 100 chains × 14,500 temperatures each way. RUN is the shipped run unless
given; the evaluations are made in a copy of it. About five minutes on one core.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import torch

from rbm_core import tempering
from rbm_core.compute import Rng
from rbm_core.evaluation import evaluate
from rbm_core.likelihood.ladder import ladder_log_z
from rbm_core.machine import processor_name
from rbm_core.rbm import RBM
from rbm_core.runs import store
from rbm_core.runs.reader import RunReader
from rbm_core.tempering import Ladder

SNAPSHOTS, LADDERS, SETTLE, ROUNDS = 5, 20, 240, 900


def main() -> None:
    path = store.resolve(store.runs_root(), sys.argv[1] if len(sys.argv) > 1 else "mnist-default")
    reader = RunReader(path)
    steps = [step for step in reader.snapshot_steps() if step > 0]
    models = [RBM.from_numpy(**reader.snapshot(step).parameters()) for step in steps]
    ladder, rungs = through(models)
    found = ladder_log_z(ladder, n_ladders=LADDERS, settle=SETTLE, rounds=ROUNDS)
    print(
        f"{processor_name()}, {torch.get_num_threads()} thread(s): {len(ladder)} rungs, least acceptance "
        f"{found.acceptance.min():.2f}, {found.round_trips} round trips\n\n| step | ladder | AIS, both ways | apart |"
        "\n|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory(prefix="rbm-ladder-") as root:
        copy = Path(shutil.copytree(path, Path(root) / path.name))
        for step, rung in list(zip(steps, rungs, strict=True))[-SNAPSHOTS:]:
            row = evaluate(copy, step=step)
            log_z, bar = found.log_z_rungs[rung], found.stderr_rungs[rung]
            print(
                f"| {step:,} | {log_z:.2f} ± {bar:.2f} | {row['log_z']:.2f} ± {row['stderr']:.2f} "
                f"| {log_z - row['log_z']:+.2f} |",
                flush=True,
            )


def through(models: list[RBM]) -> tuple[Ladder, list[int]]:
    """The rungs from independent pixels through these models, more of them where two stand too far apart; and which of
    them each model is.
    """
    along = tempering.trajectory_path(models)
    own = [(k + 1) / len(models) for k in range(len(models))]
    placed = tempering.place_rungs(along, Rng(0, "rungs"))
    places = sorted({*own, *(t for t in placed if all(abs(t - model) > 1e-6 for model in own))})
    return tuple(map(along, places)), [places.index(t) for t in own]


if __name__ == "__main__":
    main()
