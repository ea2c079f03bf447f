"""What chains on a ladder are worth, and what they cost: python -m tests.benchmarks.tempering [SEED …]

The first table learns bars and stripes 4×4 (30 patterns; the best possible is −log 30 = −3.40 nats) by each kind of
negative chains at equal settings, and states exact likelihoods and the share of patterns that have at least half of
their probability. The second times a sweep and an exchange of neighbours at 784 × 500, 20 chains a rung. The seeds
are 0, 1 and 2 unless given. A run takes half a minute to two minutes.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from rbm_core import gibbs, tempering
from rbm_core.compute import Rng
from rbm_core.config import make_config
from rbm_core.datasets import load
from rbm_core.likelihood.exact import exact_log_z
from rbm_core.machine import processor_name
from rbm_core.rbm import RBM
from rbm_core.runs import store
from rbm_core.runs.reader import RunReader
from rbm_core.training import process as training_process

CHAINS = {
    "CD-1": ("cd", 1),
    "PCD-1": ("pcd", 1),
    "PCD-10": ("pcd", 10),
    "PT-1": ("pt", 1),
    "PTT-1": ("ptt", 1),
}
UPDATES, ROUNDS = 8000, 100


def main() -> None:
    seeds = [int(seed) for seed in sys.argv[1:]] or [0, 1, 2]
    print(f"{processor_name()}, {torch.get_num_threads()} thread(s)\n")
    print("| chains | nats, each seed | patterns covered | s a run |\n|---|---|---|---|")
    for name, (algorithm, k) in CHAINS.items():
        nats, covered, seconds = zip(*(learned(algorithm, k, seed) for seed in seeds), strict=True)
        print(
            f"| {name} | {' '.join(f'−{-x:.2f}' for x in nats)} | {' '.join(f'{x:.0%}' for x in covered)} "
            f"| {np.mean(seconds):.1f} |",
            flush=True,
        )
    print("\n| of 20 chains at 784 × 500, rungs from independent pixels up | ms |\n|---|---|")
    for what, milliseconds in costs().items():
        print(f"| {what} | {milliseconds:.2f} |")


def learned(algorithm: str, k: int, seed: int) -> tuple[float, float, float]:
    """(mean log p of the 30 patterns in nats, share of them with p ≥ 1/60, seconds of training)."""
    config = make_config(
        dataset="bars-and-stripes",
        n_hidden=20,
        algorithm=algorithm,
        k=k,
        n_chains=20,
        batch_size=30,
        updates=UPDATES,
        learning_rate=0.1,
        lr_schedule="constant",
        binarisation="threshold",
        n_valid=0,
        max_snapshots=4,
        device="cpu",
        seed=seed,
    )
    with tempfile.TemporaryDirectory(prefix="rbm-tempering-") as root:
        path = store.create_run(Path(root), f"{algorithm}-{k}", config)
        training_process.run(path)
        reader = RunReader(path)
        snapshot = reader.snapshot(reader.snapshot_steps()[-1])
        seconds = float(reader.status()["seconds"])
    rbm = RBM.from_numpy(**snapshot.parameters())
    patterns = torch.from_numpy(np.unique(load("bars-and-stripes", n_valid=0).train.round(), axis=0)).float()
    log_p = -rbm.free_energy(patterns).double() - exact_log_z(rbm)
    return float(log_p.mean()), float((log_p.exp() >= 0.5 / len(patterns)).double().mean()), seconds


def costs() -> dict[str, float]:
    """Milliseconds, by what was done with 20 chains: two snapshots of the shipped run are the neighbours."""
    reader, rng = RunReader(Path(__file__).parents[2] / "checkpoints" / "mnist-default"), Rng(0, "cost")
    lower, upper = (
        RBM.from_numpy(**reader.snapshot(step).parameters()) for step in reader.snapshot_steps()[-2:]
    )
    chain = gibbs.sweep(upper, gibbs.from_bernoulli_noise(upper, 20, rng), rng, 200)
    ladder = (lower, upper)
    rows = tempering.kept_rows(ladder)
    replicas = tempering.replicas_at(torch.stack([chain.v, chain.v]))
    work = {
        "a sweep of plain Gibbs": lambda: gibbs.sweep(upper, chain, rng),
        "an exchange between two neighbours": lambda: tempering.exchange(lower, upper, chain.v, chain.v, rng),
        "a round of two rungs: their sweeps, by flips, and the exchange": lambda: tempering.temper(
            ladder, replicas, rng, rows=rows
        ),
    }
    return {what: _milliseconds(once) for what, once in work.items()}


def _milliseconds(once: Callable[[], object]) -> float:
    """The median of ROUNDS calls."""
    once()
    spent = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        once()
        spent.append(time.perf_counter() - begun)
    return 1000 * float(np.median(spent))


if __name__ == "__main__":
    main()
