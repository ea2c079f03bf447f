"""A trainer that compiles says so, and one that finds everything compiled does not."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numba
import pytest

from rbm_core.config import make_config
from rbm_core.runs import store
from rbm_core.training import process
from rbm_core.training.compiled import COMPILING, when_compiling
from rbm_core.training.update import StepInfo, Training


def test_it_is_said_of_each_kernel_with_those_that_it_calls_and_never_of_what_is_compiled() -> None:
    called = numba.njit(lambda x: x)
    one, other = (numba.njit(lambda x, n=n: called(x) + n) for n in (1, 2))
    said: list[str] = []
    with when_compiling(lambda: said.append("compiling")):
        one(1)
        other(1)
    assert said == ["compiling"] * 2
    with when_compiling(lambda: said.append("again")):
        one(2)
    numba.njit(lambda x: x)(1)
    assert said == ["compiling"] * 2


@pytest.mark.parametrize("at", [0, 7])
def test_the_status_says_at_whatever_update_it_compiles_and_names_no_pace_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    update = Training.update

    def compiling(self: Training) -> StepInfo:
        if self.step in (0, at):
            numba.njit(lambda x: x)(1)
        time.sleep(0.1)  # so that the speed is known before the seventh
        return update(self)

    monkeypatch.setattr(Training, "update", compiling)
    config = make_config(dataset="bars-and-stripes", n_hidden=4, updates=12, device="cpu")
    seen: list[tuple[str, str, bool]] = []
    steps: list[int] = []

    def see(status: dict[str, Any], row: dict[str, Any]) -> None:
        seen.append((status["state"], status["message"], status["steps_per_s"] > 0))
        if status["message"] == COMPILING:
            steps.append(status["step"])

    process.run(store.create_run(tmp_path, "run", config), see)
    assert ("running", COMPILING, False) in seen
    assert ("running", COMPILING, True) not in seen
    assert len(steps) == len({0, at})
    assert seen[-1] == ("finished", "", False)


AFTERWARDS = """
import gc
from numba.core.dispatcher import Dispatcher
from rbm_core import datasets, gibbs
from rbm_core.compute import Rng
from rbm_core.config import make_config
from rbm_core.likelihood.ais import ais
from rbm_core.machine import processor_kind
from rbm_core.precision import unrounded
from rbm_core.training import Training, compiled

def kernels():
    mine = (d for d in gc.get_objects() if isinstance(d, Dispatcher) and d.py_func.__module__.startswith("rbm_core"))
    return {(d.py_func.__module__, d.py_func.__name__, str(s)) for d in mine for s in d.signatures}

compiled.main()
before, data = kernels(), datasets.load("digits-8", n_valid=50)
real = {"visible": "gaussian", "learning_rate": 0.01}
kinds = [{}, {"algorithm": "cd"}, {"algorithm": "ptt", "momentum": 0.5}, {"binarisation": "none"},
         {**real, "learn_variance": True}]
for precision in ("int16", "differences", "float32", "bfloat16")[: 3 + (processor_kind() == "bfloat16")]:
    for kind in kinds:
        if kind.keys() & {"int16": {"visible", "binarisation"}, "bfloat16": {"visible"}}.get(precision, set()):
            continue
        fields = {"dataset": data.name, "n_hidden": 20, "batch_size": 20, "n_chains": 30, "n_valid": 50}
        training = Training(make_config(**{**fields, **kind}, precision=precision, device="cpu"), data)
        for _ in range(5):
            training.update()
            training.observe()
        training.metrics(), training.snapshot()
        rbm, rng = training.rbm, Rng(0, "chains")
        way = unrounded(precision) if rbm.bitwise else "float32"
        ais(rbm, betas=50, n_chains=8, base_vbias=rbm.vbias, precision=way)
        gibbs.sweep(rbm, gibbs.from_bernoulli_noise(rbm, 8, rng), rng, 9)
        print(*(f"{precision} {kind}: {more}" for more in kernels() - before), sep="\\n", end="")
"""


@pytest.mark.slow
def test_a_run_finds_everything_compiled_that_setup_had_compiled() -> None:
    done = subprocess.run([sys.executable, "-c", AFTERWARDS], capture_output=True, text=True, check=True)
    assert done.stdout == ""
