"""Published exact likelihoods, reproduced: MNIST cut at ½, 16 hidden units, PCD-1, learning rate 0.01, 50 epochs.

    python -m tests.benchmarks.published_check [--seeds 3] [--epochs 50] [--weight-std 0.2]

Melchior, Fischer & Wiskott 2016 (PyDeep's tutorial) report −142.56 nats on the test set for the centred gradient and
−149.05 for the plain one; they do not report the initial weights. Here their standard deviation is 0.2, that of the
usual uniform ±4√(6/(V + H)); from 0.01 the plain gradient does better. log Z is the exact sum over all 2¹⁶ hidden
states; AIS and reverse AIS are printed beside it.
"""

import argparse
import time

import torch

from rbm_core.config import RunConfig
from rbm_core.datasets import load
from rbm_core.likelihood import Bracket, ais, base_rate, exact_log_likelihood, exact_log_z, reverse_ais
from rbm_core.pixels import cut
from rbm_core.training import Training

PUBLISHED = {True: -142.56, False: -149.05}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--weight-std", type=float, default=0.2)
    asked = parser.parse_args()
    data = load("mnist", n_valid=0)
    print(
        "centred  seed   test nats   train nats   published   log Z exact   AIS − exact   reverse − exact   took"
    )
    for centred in (True, False):
        for seed in range(asked.seeds):
            begun = time.perf_counter()
            config = RunConfig(
                dataset="mnist",
                n_valid=0,
                binarisation="threshold",
                n_hidden=16,
                k=1,
                learning_rate=0.01,
                lr_schedule="constant",
                epochs=asked.epochs,
                centred=centred,
                weight_std=asked.weight_std,
                seed=seed,
                log_every=10_000,
            )
            training = Training(config, data)
            while not training.finished:
                training.update()
            rbm, log_z = training.rbm, exact_log_z(training.rbm)
            train, test = (torch.from_numpy(cut(images)) for images in (data.train, data.test))
            base = base_rate(rbm, train.mean(0))
            bracket = Bracket(
                ais(rbm, base_vbias=base, seed=seed),
                reverse_ais(rbm, base_vbias=base, seed=seed),
            )
            print(
                f"{centred!s:7} {seed:5}   {exact_log_likelihood(rbm, test, log_z).mean():9.2f}"
                f"   {exact_log_likelihood(rbm, train, log_z).mean():10.2f}   {PUBLISHED[centred]:9.2f}   {log_z:11.3f}"
                f"   {bracket.forward.log_z - log_z:+.3f} ± {bracket.forward.stderr:.3f}"
                f"   {bracket.reverse.log_z - log_z:+.3f} ± {bracket.reverse.stderr:.3f}"
                f"   {time.perf_counter() - begun:6.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
