"""The compiled kernels of a run: `python -m rbm_core.training.compiled` has them compiled before the first run.

numba compiles a kernel when it is first called and keeps it beside the source; all that a run on the CPU calls take
about half a minute. `make setup` runs this module. A trainer that has to compile after all says so meanwhile.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from rbm_core import datasets, gibbs
from rbm_core.compute import Rng
from rbm_core.config import make_config
from rbm_core.kernels import event
from rbm_core.likelihood.ais import ais
from rbm_core.machine import processor_kind
from rbm_core.precision import pick_precision, unrounded
from rbm_core.training.update import Training

__all__ = ["COMPILING", "main", "when_compiling"]

COMPILING = "Compiling the engine for this processor: half a minute, once."


class _Listener(event.Listener):
    def __init__(self, say: Callable[[], None]) -> None:
        self._say, self._deep = say, 0

    def on_start(self, event: Any) -> None:
        if not self._deep:  # a kernel compiles those that it calls
            self._say()
        self._deep += 1

    def on_end(self, event: Any) -> None:
        self._deep -= 1


@contextmanager
def when_compiling(say: Callable[[], None]) -> Iterator[None]:
    """Calls say() before each kernel that is compiled; one that was compiled before is only read."""
    listener = _Listener(say)
    event.register("numba:compile", listener)
    try:
        yield
    finally:
        event.unregister("numba:compile", listener)


def main() -> None:
    """Calls every kernel that a run, its curves, samples and annealing call on the CPU.

    Those of bfloat16 where the processor multiplies it: elsewhere no run takes it unless it is told to.
    """
    data = datasets.load("bars-and-stripes")
    shades = ({"binarisation": "none"}, {"visible": "gaussian", "learning_rate": 0.01})
    dense = ("float32", "bfloat16")[: 1 + (processor_kind() == "bfloat16")]
    kinds: list[dict[str, Any]] = [{"precision": way} for way in ("int16", "differences", *dense)]
    kinds += [{"precision": "differences", **fields} for fields in shades]
    for fields in kinds:
        training = Training(make_config(dataset=data.name, n_hidden=8, device="cpu", **fields), data)
        training.update()
        training.metrics()
        training.snapshot()
        rbm, rng = training.rbm, Rng(0, "chains")
        ais(
            rbm, betas=200, n_chains=2, precision=unrounded(fields["precision"]) if rbm.bitwise else "float32"
        )
        gibbs.sweep(rbm, gibbs.from_bernoulli_noise(rbm, 2, rng), rng, 5)
    pick_precision(784, 500, 100, 5, torch.device("cpu"))


if __name__ == "__main__":
    main()
