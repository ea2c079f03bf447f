"""The compiled kernels of a run: `python -m rbm_core.training.compiled` has them compiled before the first run.

numba compiles a kernel when it is first called and keeps it beside the source; all that a run on the CPU calls take
about half a minute. `make setup` runs this module. A trainer that has to compile after all says so meanwhile.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from numba.core import event

from rbm_core import datasets, gibbs
from rbm_core.compute import Rng
from rbm_core.config import make_config
from rbm_core.likelihood.ais import ais
from rbm_core.precision import pick_precision
from rbm_core.training.update import Training

__all__ = ["COMPILING", "main", "when_compiling"]

COMPILING = "Compiling the engine for this processor: half a minute, once."


class _Listener(event.Listener):
    def __init__(self, say: Callable[[], None]) -> None:
        self._say, self._said = say, False

    def on_start(self, event: Any) -> None:
        if not self._said:
            self._said = True
            self._say()

    def on_end(self, event: Any) -> None:
        pass


@contextmanager
def when_compiling(say: Callable[[], None]) -> Iterator[None]:
    """Calls say() when a kernel is compiled for the first time; one that was compiled before is only read."""
    listener = _Listener(say)
    event.register("numba:compile", listener)
    try:
        yield
    finally:
        event.unregister("numba:compile", listener)


def main() -> None:
    """Calls every kernel that a run, its curves, samples and annealing call on the CPU."""
    data = datasets.load("bars-and-stripes")
    for precision in ("differences", "float32"):
        config = make_config(dataset=data.name, n_hidden=8, precision=precision, device="cpu")
        training = Training(config, data)
        training.update()
        training.metrics()
        training.snapshot()
        ais(training.rbm, betas=200, n_chains=2, precision=precision)
        gibbs.sweep(
            training.rbm, gibbs.from_bernoulli_noise(training.rbm, 2, Rng(0, "chains")), Rng(0, "x"), 5
        )
    pick_precision(784, 500, 100, 5, torch.device("cpu"))


if __name__ == "__main__":
    main()
