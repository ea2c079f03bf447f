"""What chains on a ladder are worth and cost: python -m tests.benchmarks.tempering [SEED …] [--seconds S] [--few]

The first table learns three sets that fall into clusters, by each kind of negative chains with the same processor time
of one thread (40 s unless given), chains and constant rate, and states exact likelihoods and the
share of clusters that the model draws at least half as often as the data do:

- bars and stripes 4×4: 30 patterns, each a cluster; −log 30 = −3.40 nats is the best possible;
- the zeros and the ones of MNIST (`RBM_DATA_DIR`, or MNIST's file beside the bundled digits): two clusters;
- genomes made by `genomes`: four populations of unequal size, each with its own founders.

`--few` learns the zeros and ones alone by few chains, 20 and as many cases in a batch, at rates from 0.02 to 0.1.

The second table times a sweep, an exchange and a round of a ladder over temperatures at 784 × 500, ours and those of
rbms 0.5 (`rbms.sampling.pt`). Seeds 0 and 1 unless given; `--seconds 0` times these
alone.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from rbm_core import gibbs, tempering
from rbm_core.compute import Rng
from rbm_core.config import make_config
from rbm_core.datasets import load
from rbm_core.datasets.dataset import Dataset
from rbm_core.likelihood.exact import exact_log_likelihood, exact_samples
from rbm_core.machine import processor_name
from rbm_core.rbm import RBM
from rbm_core.runs.reader import RunReader
from rbm_core.training.update import Training

CHAINS = {
    "CD-1": ("cd", 1),
    "PCD-1": ("pcd", 1),
    "PCD-10": ("pcd", 10),
    "PT-1": ("pt", 1),
    "PTT-1": ("ptt", 1),
}
SAMPLES, ROUNDS = 10_000, 100
RUNGS = 13


@dataclass(frozen=True)
class Clusters:
    """Data that fall into clusters: dataset; of(v) gives the cluster of each row of v (N, V), −1 for none; share is
    how often each occurs; hidden units, learning rate and chains (as many as cases in a batch) to learn them with.
    """

    dataset: Dataset
    of: Callable[[np.ndarray], np.ndarray]
    share: np.ndarray
    n_hidden: int
    rate: float
    n_chains: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", nargs="*", type=int, default=[0, 1])
    parser.add_argument("--seconds", type=float, default=40.0, help="processor time of each training")
    parser.add_argument(
        "--few", action="store_true", help="zeros and ones alone, by 20 chains at three rates"
    )
    asked = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{processor_name()}, one thread, {asked.seconds:g} s of processor time a training\n")
    for algorithm, k in CHAINS.values():  # what is compiled at first use is not timed
        learned(bars(), algorithm, k, 0, 0.5)
    print("| data | chains | nats, each seed | clusters covered | updates |\n|---|---|---|---|---|")
    sets = {"bars and stripes": bars, "zeros and ones": zeros_and_ones, "genomes": genomes}
    if asked.few:
        sets = {
            f"zeros and ones, 20 chains at {rate:g}": partial(few_chains, rate) for rate in (0.02, 0.05, 0.1)
        }
    for name, make in sets.items() if asked.seconds else ():
        data = make()
        for chains, (algorithm, k) in CHAINS.items():
            runs = [learned(data, algorithm, k, seed, asked.seconds) for seed in asked.seeds]
            nats, covered, updates = zip(*runs, strict=True)
            print(
                f"| {name} | {chains} | {', '.join(f'−{-x:.2f}' for x in nats)} "
                f"| {', '.join(f'{x:.0%}' for x in covered)} | {np.mean(updates):,.0f} |",
                flush=True,
            )
    if asked.few:
        return
    print("\n| at 784 × 500 | chains a rung | ours, ms | rbms, ms |\n|---|---|---|---|")
    for n in (20, 100):
        for what, (ours, other) in costs(n).items():
            print(f"| {what} | {n} | {ours:.2f} | {other:.2f} |", flush=True)


def bars() -> Clusters:
    """Bars and stripes 4×4, every pattern a cluster."""
    dataset = load("bars-and-stripes", n_valid=0)
    patterns, counts = np.unique(dataset.train.round(), axis=0, return_counts=True)

    def of(v: np.ndarray) -> np.ndarray:
        same = (v[:, None, :] == patterns).all(axis=2)
        return np.where(same.any(axis=1), same.argmax(axis=1), -1)

    return Clusters(dataset, of, counts / counts.sum(), n_hidden=20, rate=0.02, n_chains=30)


def zeros_and_ones() -> Clusters:
    """The zeros and the ones of MNIST; a sample belongs to the class whose mean image is nearer."""
    mnist = load("mnist", n_valid=0)
    parts = {}
    for part in ("train", "test"):
        labels = getattr(mnist, f"{part}_labels")
        parts[part] = (getattr(mnist, part)[labels < 2] > 0.5).astype(np.float32), labels[labels < 2]
    return _by_nearest_mean("zeros and ones", *parts["train"], *parts["test"], (28, 28))


def few_chains(rate: float) -> Clusters:
    """The zeros and the ones, learned by 20 chains at this rate."""
    return replace(zeros_and_ones(), n_chains=20, rate=rate)


def genomes() -> Clusters:
    """3,000 + 1,000 genomes of 200 places, 0 or 1, from populations of 40, 30, 20 and 10 %.

    Each population has three founders, independent of all others, with a one at every place with probability 0.3. A
    genome copies one of its population's founders, changes to a random one of the three with probability 0.02 from a
    place to the next, and copies a place wrongly with probability 0.01.
    """
    rng = np.random.default_rng(0)
    founders = rng.random((4, 3, 200)) < 0.3
    population = rng.choice(4, size=4_000, p=[0.4, 0.3, 0.2, 0.1])
    copied = np.empty((4_000, 200), np.int64)
    copied[:, 0] = rng.integers(3, size=4_000)
    for place in range(1, 200):
        change = rng.random(4_000) < 0.02
        copied[:, place] = np.where(change, rng.integers(3, size=4_000), copied[:, place - 1])
    v = founders[population[:, None], copied, np.arange(200)] ^ (rng.random((4_000, 200)) < 0.01)
    v = v.astype(np.float32)
    return _by_nearest_mean("genomes", v[:3_000], population[:3_000], v[3_000:], population[3_000:], (1, 200))


def _by_nearest_mean(
    name: str,
    train: np.ndarray,
    labels: np.ndarray,
    test: np.ndarray,
    test_labels: np.ndarray,
    shape: tuple[int, int],
) -> Clusters:
    """Clusters that are classes: a sample belongs to the one whose mean is nearest."""
    classes = np.unique(labels)
    means = np.stack([train[labels == c].mean(axis=0) for c in classes])

    def of(v: np.ndarray) -> np.ndarray:
        return ((v[:, None, :] - means) ** 2).sum(axis=2).argmin(axis=1)

    share = np.bincount(of(test), minlength=len(classes)) / len(test)
    dataset = Dataset(name, train, labels, test, test_labels, test, test_labels, shape, "made here")
    return Clusters(dataset, of, share, n_hidden=16, rate=0.02, n_chains=100)


def learned(data: Clusters, algorithm: str, k: int, seed: int, seconds: float) -> tuple[float, float, int]:
    """(mean log p of the test cases in nats, exact; share of clusters covered; updates made)."""
    config = make_config(
        dataset="bars-and-stripes",
        n_hidden=data.n_hidden,
        algorithm=algorithm,
        k=k,
        n_chains=data.n_chains,
        batch_size=data.n_chains,
        updates=10**7,
        learning_rate=data.rate,
        lr_schedule="constant",
        binarisation="threshold",
        n_valid=0,
        device="cpu",
        seed=seed,
    )
    training = Training(config, data.dataset)
    begun = time.process_time()
    while time.process_time() - begun < seconds:
        training.update()
    rbm: RBM = training.rbm
    test = torch.from_numpy((data.dataset.test > 0.5).astype(np.float32))
    nats = float(exact_log_likelihood(rbm, test).mean())
    found = data.of(exact_samples(rbm, SAMPLES, Rng(seed, "samples")).numpy())
    drawn = np.bincount(found[found >= 0], minlength=len(data.share)) / SAMPLES
    return nats, float((drawn >= data.share / 2).mean()), training.step


def costs(n: int) -> dict[str, tuple[float, float]]:
    """Milliseconds, ours and those of rbms, by what was done with n chains a rung of RUNGS temperatures of the shipped
    run's model. rbms weights the free energy by the temperature, ours are the models at it; both make two free energies
    a neighbour where the model is one, ours four where rungs are models.
    """
    from rbms.bernoulli_bernoulli.classes import BBRBM
    from rbms.sampling.pt import swap_configurations

    reader, rng = RunReader(Path(__file__).parents[2] / "checkpoints" / "mnist-default"), Rng(0, "cost")
    rbm = RBM.from_numpy(**reader.snapshot(reader.snapshot_steps()[-1]).parameters())
    chain = gibbs.sweep(rbm, gibbs.from_bernoulli_noise(rbm, n, rng), rng, 200)
    betas = torch.linspace(0.9, 1, RUNGS)
    path = tempering.temperature_path(rbm, torch.zeros_like(rbm.vbias))
    ladder = tuple(path(float(beta)) for beta in betas)
    rows = tempering.kept_rows(ladder)
    replicas = tempering.replicas_at(chain.v.expand(RUNGS, -1, -1).clone())
    lower, upper, energy = *ladder[-2:], ladder[-2].free_energy(chain.v)

    theirs = BBRBM(rbm.W, rbm.vbias, rbm.hbias)
    alone = {**theirs.init_chains(n), "visible": chain.v}
    many = [{**theirs.init_chains(n), "visible": chain.v} for _ in betas]

    def round_of_theirs() -> None:
        for beta, chains in zip(betas, many, strict=True):
            theirs.sample_state(n_steps=1, chains=chains, beta=float(beta))
        swap_configurations(list(many), theirs, betas)

    work: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "a sweep": (
            lambda: gibbs.sweep(rbm, chain, rng),
            lambda: theirs.sample_state(n_steps=1, chains=alone),
        ),
        "an exchange between two neighbours": (
            lambda: tempering.exchange(lower, upper, chain.v, chain.v, rng, energy),
            lambda: swap_configurations(many[-2:], theirs, betas[-2:]),
        ),
        f"a round of {RUNGS} rungs": (
            lambda: tempering.temper(ladder, replicas, rng, rows=rows),
            round_of_theirs,
        ),
    }
    with torch.no_grad():
        return {what: (_milliseconds(ours), _milliseconds(other)) for what, (ours, other) in work.items()}


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
