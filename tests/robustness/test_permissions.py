"""A store that cannot be written to is shown as ever; every change is refused in a sentence."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dashboard.processes import evaluators, trainers
from dashboard.processes.sampler import Sampler, SamplerError
from rbm_core import datasets
from rbm_core.cli import main
from rbm_core.config import make_config
from rbm_core.evaluation import evaluate
from rbm_core.runs import RunError, RunReader, list_runs, store
from rbm_core.runs import notes as run_notes
from rbm_core.runs.recorder import Recorder
from rbm_core.training import process as training_process
from tests.core.training_runs import TINY
from tests.dashboard.opened import open_page as open_in_test
from tests.robustness.after import fingerprint, nothing_half_written
from tests.robustness.damage import one_sentence
from tests.small_run import train_small

ENDLESS = make_config(**{**TINY, "epochs": 100_000})


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """No file below the folder can be written, made or removed; root gives up its rights for it."""
    root, modes = os.geteuid() == 0, {path: path.stat().st_mode for path in [folder, *folder.rglob("*")]}
    for path, mode in modes.items():
        path.chmod(0o555 if stat.S_ISDIR(mode) else 0o444)
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for path, mode in modes.items():
            path.chmod(mode)


@pytest.fixture
def open_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A store in a place that every user of this machine can reach."""
    with tempfile.TemporaryDirectory(prefix="rbm-store-") as folder:
        Path(folder).chmod(0o755)
        root = Path(folder) / "store"
        root.mkdir()
        monkeypatch.setenv("RBM_RUNS_DIR", str(root))
        yield root


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="needs the rights of files as Unix has them")
def test_a_store_that_cannot_be_written_is_read_and_every_change_costs_a_sentence(
    open_store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sampler, "wake", lambda self: None)  # nor run the interpreter
    run = train_small(
        open_store, "kept", dataset="bars-and-stripes", n_hidden=8, epochs=40, n_valid=0, max_snapshots=4
    )
    Recorder(run).write_status({**RunReader(run).status(), "state": "stopped"})

    def pages_open() -> None:
        for page in ("", "evaluate", "compare"):
            app = open_in_test(page, run="kept")
            assert not app.exception, app.exception[0].value
        capsys.readouterr()  # what a page says in a test is no command's word

    pages_open()  # whoever gives up root's rights may not read the interpreter's own files any more
    before = fingerprint(run)
    with read_only(open_store):
        nothing_half_written(run)
        (info,) = list_runs(open_store)
        assert info.error is None
        for command in (["runs"], ["doctor", "kept"]):
            assert main(command) == 0
            capsys.readouterr()
        pages_open()
        for change in (
            lambda: trainers.resume("kept"),
            lambda: trainers.start(ENDLESS, "another"),
            lambda: store.rename_run(open_store, "kept", "renamed"),
            lambda: store.delete_run(open_store, "kept"),
            lambda: run_notes.write_notes(run, run_notes.Notes((), "a note")),
            lambda: training_process.run(run),
            lambda: evaluators.start("kept", 0, "exact"),
            lambda: evaluate(run, estimator="exact"),
        ):
            with pytest.raises(RunError, match=r"[Pp]ermission") as refused:
                change()
            assert one_sentence(str(refused.value))
        for command in (["train", "--resume", "kept"], ["evaluate", "kept", "--estimator", "exact"]):
            assert main(command) == 2
            said = capsys.readouterr().err
            assert "ermission" in said
            assert "Traceback" not in said, said
    assert fingerprint(run) == before
    assert os.listdir(open_store) == ["kept"]


@pytest.mark.slow
@pytest.mark.parametrize("page", ["", "gibbs", "inspect", "evaluate", "compare", "learn"])
def test_a_folder_of_data_that_may_not_be_looked_into_holds_none(
    open_store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.setattr(Sampler, "film", refused)
    train_small(open_store, "kept", dataset="bars-and-stripes", n_hidden=8, epochs=4, n_valid=0)
    data = open_store.parent / "data"
    (data / "MNIST").mkdir(parents=True)
    (data / "own").mkdir()
    monkeypatch.setenv("RBM_DATA_DIR", str(data))
    open_in_test(page, run="kept")  # as above
    data.chmod(0)
    with read_only(open_store):
        app = open_in_test(page, run="kept")
        assert not app.exception, app.exception[0].value
        for name in ("mnist", "emnist-letters", "mine-01234567"):
            assert not datasets.available(name)
            capsys.readouterr()
            assert main(["train", "--dataset", name]) == 2
            said = capsys.readouterr().err
            assert one_sentence(said.strip()), said
    data.chmod(0o755)


def refused(*_: object, **__: object) -> None:
    raise SamplerError("no film in this test")
