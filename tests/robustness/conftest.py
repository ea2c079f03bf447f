"""How many cases hypothesis throws: a few hundred a test with `make test`, thousands with `make soak`; and how long
one case may wait.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from rbm_core.runs import create_run
from rbm_core.runs import notes as run_notes
from rbm_core.training import process as training_process
from tests.core.conftest import fake, run
from tests.core.run_record import CONFIG
from tests.core.training_runs import make_run
from tests.dashboard.conftest import _installed_components, no_trials
from tests.small_run import train_small

__all__ = ["_installed_components", "calm", "fake", "no_trials", "run", "shared_run", "trained"]

_SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
# A fixed seed: `make test` fails on what was written last, not by chance.
settings.register_profile(
    "test", max_examples=100, deadline=None, derandomize=True, suppress_health_check=_SHARED
)
settings.register_profile("soak", max_examples=1500, deadline=None, suppress_health_check=_SHARED)
settings.load_profile("soak" if os.environ.get("RBM_SOAK") else "test")


HANGS_AFTER_S = 600 if "RBM_SOAK" not in os.environ else 7200


@pytest.fixture(autouse=True)
def alarm() -> Iterator[None]:
    """A test that waits for a lock or a pipe uses no processor time, and would wait for ever: it fails instead."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def rung(number: int, frame: object) -> None:
        pytest.fail(f"it has not ended after {HANGS_AFTER_S} s")  # no Exception, which a test may expect

    before = signal.signal(signal.SIGALRM, rung)
    signal.setitimer(signal.ITIMER_REAL, HANGS_AFTER_S)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def shared_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that the cases of one test write into, one after another."""
    return create_run(tmp_path_factory.mktemp("store"), "shared", CONFIG)


@pytest.fixture(scope="session")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `training_runs.TINY` that nothing happened to."""
    run = make_run(tmp_path_factory.mktemp("calm"), "calm")
    assert training_process.run(run) == "finished"
    return run


@pytest.fixture
def trained(runs_root: Path) -> Path:
    """A finished run of 8 hidden units, with a note."""
    run = train_small(
        runs_root, "trained", dataset="bars-and-stripes", n_hidden=8, epochs=40, n_valid=0, max_snapshots=4
    )
    run_notes.write_notes(run, run_notes.Notes((), "before"))
    return run
