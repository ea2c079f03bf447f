"""Runs that the tests of pages share, and the Gibbs page on one of them."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from dashboard.processes import trials
from tests.dashboard.opened import open_page
from tests.small_run import train_small


@pytest.fixture(scope="session", autouse=True)
def _installed_components() -> Iterator[None]:
    """What Streamlit finds by reading the metadata of every installed package, read once: AppTest asks at each start,
    and the reading took two thirds of its time.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests)
        )
        yield


@pytest.fixture(autouse=True)
def no_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The form of a new run begins no trial of this machine's pace, which would take the cores from the tests."""
    monkeypatch.setattr(trials, "under_way", lambda config: False)


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run that no test changes."""
    return train_small(tmp_path_factory.mktemp("gibbs") / "checkpoints")


@pytest.fixture
def open_gibbs(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """open_gibbs(**query) -> the Gibbs page on small_run, or on another store where the test sets RBM_RUNS_DIR."""
    monkeypatch.setenv("RBM_RUNS_DIR", str(small_run.parent))
    return lambda **query: open_page("gibbs", **query)


@pytest.fixture
def two_runs(runs_root: Path) -> Path:
    """A store with runs "one" and "two", which differ in size, length and learning rate, for a test to change."""
    train_small(runs_root, "one")
    train_small(runs_root, "two", n_hidden=20, epochs=1, learning_rate=0.1)
    return runs_root
