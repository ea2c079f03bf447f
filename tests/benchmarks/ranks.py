"""How an update scales with the number of ranks: python -m tests.benchmarks.ranks [2 4 …]

Strong: the same batch and chains shared among the ranks. Weak: as many cases and chains a rank. One thread a rank,
784 × 500, PCD-5, random pixels, 200 cases and chains and 1,000. Printed are updates a second, the best of three times
20, their ratios to one rank (strong N and weak 1 would be perfect), and the processor time that rank 0 takes for
an update of the strong kind, which other work on the machine changes less. More ranks than cores measure nothing.
"""

import multiprocessing
import os
import socket
import sys
import time
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch

from rbm_core.config import RunConfig
from rbm_core.datasets import Dataset
from rbm_core.training import Training
from rbm_core.training.ranks import Ranks, connected

CASES, UPDATES, REPEATS = (200, 1000), 20, 3


def _training(cases: int, ranks: Ranks | None) -> Training:
    rng = np.random.default_rng(0)
    images = (rng.random((2000, 784)) < 0.13).astype(np.float32)
    data = Dataset("random", images, None, images[:100], None, images[:100], None, (28, 28), "random")
    config = RunConfig(
        n_hidden=500, k=5, batch_size=cases, n_chains=cases, updates=10_000, precision="differences"
    )
    return Training(config, data, device="cpu", ranks=ranks)


def _rate(cases: int, ranks: Ranks | None) -> tuple[float, float]:
    """(updates a second, ms of processor time that rank 0 takes for one); the best of REPEATS each."""
    training = _training(cases, ranks)
    if ranks is not None and ranks.rank:
        ranks.follow(training)
        return 0.0, 0.0
    clock, processor = [], []
    for _ in range(REPEATS + 1):  # the first compiles
        start, before = time.perf_counter(), time.process_time()
        for _ in range(UPDATES):
            training.update()
        clock.append(time.perf_counter() - start)
        processor.append(time.process_time() - before)
    if ranks is not None:
        ranks.tell("end")
    return UPDATES / min(clock), 1000 * min(processor) / UPDATES


def _one(rank: int, size: int, port: int, answers: Any) -> None:
    os.environ |= {
        "RANK": str(rank),
        "WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    torch.set_num_threads(1)
    with connected() if size > 1 else nullcontext() as ranks:
        rates = [(_rate(cases, ranks), _rate(cases * size, ranks)) for cases in CASES]
    if rank == 0:
        answers.put(rates)


def measured(size: int) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """What `_rate` says of this many ranks for each of CASES: (as many in all, as many a rank)."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    all_ = [context.Process(target=_one, args=(n, size, port, answers)) for n in range(size)]
    for process in all_:
        process.start()
    rates = answers.get(timeout=600)
    for process in all_:
        process.join()
    return rates


def main() -> None:
    sizes = [int(text) for text in sys.argv[1:]] or [2]
    alone = [one for one, _ in measured(1)]
    print(f"{'ranks':>6}{'cases':>7}{'updates/s':>11}{'strong':>9}{'weak':>8}{'processor, ms':>15}")
    for cases, (one, ms) in zip(CASES, alone, strict=True):
        print(f"{1:>6}{cases:>7}{one:>11.1f}{1:>9.2f}{1:>8.2f}{ms:>15.1f}")
    for size in sizes:
        for cases, (one, _), ((strong, ms), (weak, _)) in zip(CASES, alone, measured(size), strict=True):
            print(f"{size:>6}{cases:>7}{strong:>11.1f}{strong / one:>9.2f}{weak / one:>8.2f}{ms:>15.1f}")


if __name__ == "__main__":
    main()
