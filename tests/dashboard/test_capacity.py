"""No more trainers than the machine bears, and none that would not fit in its memory: refused before a run is made."""

from pathlib import Path

import pytest

from dashboard.processes import capacity, trainers
from rbm_core.config import make_config
from rbm_core.runs import RunError, create_run, files

SMALL = make_config(dataset="bars-and-stripes", n_hidden=16)


@pytest.fixture(autouse=True)
def nothing_is_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainers, "_launch", lambda path, download: None)


def test_one_trainer_too_many_is_refused_with_the_names_of_the_others(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity, "most_trainers", lambda: 1)
    monkeypatch.setattr(capacity, "bytes_free", lambda: None)
    lock = files.hold_lock(create_run(runs_root, "first", SMALL))
    assert lock is not None
    with pytest.raises(RunError, match=r"bears 1 trainers at once, and as many are alive \(first\)"):
        trainers.start(SMALL, "second")
    assert not (runs_root / "second").exists(), "a run is left that nobody trains"
    monkeypatch.setattr(capacity, "most_trainers", lambda: 2)
    assert trainers.start(SMALL, "second") == "second"
    lock.release()


def test_a_run_that_would_not_fit_is_refused_before_it_begins(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity, "bytes_free", lambda: 2_000_000_000)
    with pytest.raises(RunError, match=r"about \d+\.\d GB of memory, and 2\.0 GB are free"):
        trainers.start(make_config(dataset="mnist-5k", n_hidden=60_000), "wide")
    assert not (runs_root / "wide").exists()
    trainers.start(make_config(dataset="mnist-5k", n_hidden=500), "usual")


def test_the_estimate_grows_with_the_model_and_the_free_memory_is_known_here() -> None:
    wide = capacity.bytes_needed(make_config(dataset="mnist-5k", n_hidden=50_000))
    assert wide > 784 * 50_000 * 4 * capacity.COPIES
    assert capacity.bytes_needed(SMALL) < 1e9
    free = capacity.bytes_free()
    assert free is None or free > 0
