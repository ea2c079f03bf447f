"""A trainer that compiles says so, and one that finds everything compiled does not."""

from pathlib import Path

import numba
import pytest

from rbm_core.config import make_config
from rbm_core.runs import store
from rbm_core.training import process
from rbm_core.training.compiled import COMPILING, when_compiling
from rbm_core.training.update import StepInfo, Training


def test_it_is_said_once_when_something_is_compiled_and_never_of_what_is_compiled() -> None:
    one, other = (numba.njit(lambda x, n=n: x + n) for n in (1, 2))
    said: list[str] = []
    with when_compiling(lambda: said.append("compiling")):
        one(1)
        other(1)
    assert said == ["compiling"]
    with when_compiling(lambda: said.append("again")):
        one(2)
    numba.njit(lambda x: x)(1)
    assert said == ["compiling"]


def test_the_status_says_that_the_first_update_is_compiling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = Training.update

    def compiling(self: Training) -> StepInfo:
        if self.step == 0:
            numba.njit(lambda x: x)(1)
        return update(self)

    monkeypatch.setattr(Training, "update", compiling)
    config = make_config(dataset="bars-and-stripes", n_hidden=4, epochs=2, device="cpu")
    seen: list[tuple[str, str]] = []
    process.run(
        store.create_run(tmp_path, "run", config),
        lambda status, row: seen.append((status["state"], status["message"])),
    )
    assert ("running", COMPILING) in seen
    assert seen[-1] == ("finished", "")
