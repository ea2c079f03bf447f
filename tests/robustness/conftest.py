"""How many cases hypothesis throws: a few hundred a test with `make test`, thousands with `make soak`."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from rbm_core.runs import create_run
from tests.core.conftest import fake, run
from tests.core.run_record import CONFIG
from tests.dashboard.conftest import _installed_components, no_trials

__all__ = ["_installed_components", "fake", "no_trials", "run", "shared_run"]

_SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
# A fixed seed: `make test` fails on what was written last, not by chance.
settings.register_profile(
    "test", max_examples=150, deadline=None, derandomize=True, suppress_health_check=_SHARED
)
settings.register_profile("soak", max_examples=1500, deadline=None, suppress_health_check=_SHARED)
settings.load_profile("soak" if os.environ.get("RBM_SOAK") else "test")


@pytest.fixture(scope="module")
def shared_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that the cases of one test write into, one after another."""
    return create_run(tmp_path_factory.mktemp("store"), "shared", CONFIG)
