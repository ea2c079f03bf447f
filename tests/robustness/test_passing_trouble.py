"""What keeps a file from being read or written for a moment is said and then forgotten: no descriptor is left, a
permission is missing, a disk stumbles.
"""

import errno
import os
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rbm_core.cli import main
from rbm_core.evaluation import evaluate
from rbm_core.runs import RunError, RunReader, control, files, list_runs
from rbm_core.runs import notes as run_notes
from rbm_core.runs.evaluation_record import list_evaluations
from rbm_core.runs.past_models import read_past_models
from rbm_core.runs.recorder import Recorder
from tests.dashboard.opened import open_page
from tests.live import App, until
from tests.robustness.after import fingerprint
from tests.robustness.damage import one_sentence
from tests.tab import Tab

PASSING = (errno.EMFILE, errno.ENFILE, errno.EACCES, errno.EIO, errno.ENOMEM, errno.ESTALE)
READS: dict[str, Callable[[RunReader], Any]] = {
    "config": RunReader.config,
    "status": RunReader.status,
    "metrics": RunReader.metrics,
    "latest": RunReader.latest,
    "events": RunReader.events,
    "likelihood": RunReader.likelihood,
    "probe": RunReader.probe,
    "steps": RunReader.snapshot_steps,
    "snapshot": lambda reader: reader.snapshot(0),
    "live": RunReader.live,
    "past models": lambda reader: read_past_models(reader.path),
    "notes": lambda reader: run_notes.read_notes(reader.path),
    "evaluations": lambda reader: list_evaluations(reader.path),
    "list": lambda reader: list_runs(reader.path.parent),
}


@pytest.fixture
def whole(trained: Path) -> Path:
    """A run with every file that these readers read."""
    evaluate(trained, estimator="exact")
    Recorder(trained).write_live(RunReader(trained).snapshot(0))
    return trained


def settle(run: Path) -> None:
    """Makes every file one of long ago, so that nothing but the trouble gives a reason to read again."""
    for file in run.rglob("*"):
        os.utime(file, (1e9, 1e9))


def same(found: Any, expected: Any) -> bool:
    """Whether two readings agree, arrays by their values."""
    if isinstance(found, np.ndarray):
        return bool(np.array_equal(found, expected, equal_nan=found.dtype.kind == "f"))
    if isinstance(found, dict):
        return found.keys() == expected.keys() and all(same(found[key], expected[key]) for key in found)
    if isinstance(found, list | tuple):
        return len(found) == len(expected) and all(map(same, found, expected))
    if hasattr(found, "__dataclass_fields__"):
        return same(vars(found), vars(expected))
    return bool(found == expected)


@pytest.mark.parametrize("number", PASSING, ids=lambda number: errno.errorcode[number])
@pytest.mark.parametrize("what", READS)
def test_what_could_not_be_read_for_a_moment_is_read_afterwards(
    whole: Path, what: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(whole)
    read, reader = READS[what], RunReader(whole)
    expected, trouble, true = read(RunReader(whole)), [False], os.open

    def opened(path: Any, *args: Any, **options: Any) -> int:
        if trouble[0] and not args[0] & os.O_CREAT:
            raise OSError(number, os.strerror(number), path)
        return true(path, *args, **options)

    monkeypatch.setattr(os, "open", opened)
    for _ in range(2):
        trouble[0] = True
        try:
            read(reader)
        except RunError as error:
            said = str(error)
        else:
            said = "nothing was wrong"  # it was read before, or what cannot be read is left out
        assert one_sentence(said)
        trouble[0] = False
        assert same(read(reader), expected)


@contextmanager
def descriptors_left(n: int) -> Iterator[None]:
    """This process can open n more files and no more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(map(int, os.listdir("/proc/self/fd"))) + 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + n, hard))
    taken: list[int] = []
    try:
        with suppress(OSError):  # those below the highest that is used
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        for handle in taken[len(taken) - n :]:
            os.close(handle)
        del taken[len(taken) - n :]
        yield
    finally:
        for handle in taken:
            os.close(handle)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


CHANGES: dict[str, Callable[[Path], object]] = {
    "notes": lambda run: run_notes.write_notes(run, run_notes.Notes((), "new")),
    "a command": lambda run: control.send(run, "pause"),
    "the status": lambda run: Recorder(run).write_status({"state": "running"}),
    "a row": lambda run: Recorder(run).append_metrics({"step": 10**6}),
    "an event": lambda run: Recorder(run).append_event(1, "pause"),
    "a likelihood": lambda run: Recorder(run).append_likelihood({"step": 1}),
    "the lock": lambda run: files.hold_lock(run, timeout=0.0),
}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
@pytest.mark.parametrize("n", range(5))
def test_without_descriptors_every_reading_and_every_change_is_whole_or_a_sentence(
    whole: Path, n: int
) -> None:
    lock = files.hold_lock(whole)  # as a living trainer
    assert lock is not None
    Recorder(whole).write_status({**RunReader(whole).status(), "state": "running"})
    for act in [*READS.values(), *(lambda reader, act=act: act(reader.path) for act in CHANGES.values())]:
        settle(whole)
        reader, before, error = RunReader(whole), fingerprint(whole), None
        reader.status()  # is known: whether its trainer lives is all that is asked
        with descriptors_left(n):
            try:
                found = act(reader)
            except RunError as refused:
                error = str(refused)
        if error is not None:
            assert one_sentence(error)
            assert fingerprint(whole) == before
            assert not list(whole.rglob(".*.tmp"))
        elif isinstance(found, dict) and "state" in found:
            assert found["state"] == "running", "a living trainer looks dead"
    lock.release()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
@pytest.mark.parametrize("command", ["runs", "doctor", "export", "evaluate"])
def test_a_command_without_descriptors_costs_lines_of_text(
    whole: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], command: str
) -> None:
    arguments = {
        "runs": ["runs"],
        "doctor": ["doctor", "trained"],
        "export": ["export", "trained", "--out", str(tmp_path / "model.npz")],
        "evaluate": ["evaluate", "trained", "--estimator", "pseudo"],
    }[command]
    assert main(arguments) == 0  # what a command imports is there
    (tmp_path / "model.npz").unlink(missing_ok=True)
    before = fingerprint(whole)
    for n in range(6):
        with descriptors_left(n):
            code = main(arguments)
        captured = capfd.readouterr()
        assert "Traceback" not in captured.out + captured.err
        assert code in (0, 1, 2)
        if code:
            assert one_sentence(captured.err.strip().splitlines()[-1])
            assert not list(tmp_path.glob("*.npz"))
            after = fingerprint(whole)  # an evaluation that failed may say so in its own folder
            assert all(after[name] == before[name] for name in before if not name.startswith("evaluations/"))
        else:
            (tmp_path / "model.npz").unlink(missing_ok=True)
            before = fingerprint(whole)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux")
@pytest.mark.slow
def test_a_server_without_descriptors_keeps_its_tabs_and_lets_new_ones_in_afterwards(
    whole: Path, tmp_path: Path
) -> None:
    with (
        App(tmp_path / "log", {"RBM_RUNS_DIR": str(whole.parent)}) as app,
        Tab(app.port, run="trained") as tab,
    ):
        pid, before = app.process.pid, fingerprint(whole)
        room = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        began = app.output()
        for left in (0, 1, 4):
            highest = max(map(int, os.listdir(f"/proc/{pid}/fd")))
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 1 + left, room[1]))
            with ExitStack() as waiting:

                def one_more_is_refused(waiting: ExitStack = waiting) -> bool:
                    waiting.enter_context(socket.create_connection(("127.0.0.1", app.port)))
                    return "No new tab gets in" in app.output()

                if left == 0:
                    until(one_more_is_refused, 20, "nobody says so")
                tab.rerun()
                assert tab.errors == []
            resource.prlimit(pid, resource.RLIMIT_NOFILE, room)
            with Tab(app.port, "inspect", run="trained") as new:
                assert new.errors == []
            tab.rerun()
            assert tab.errors == []
        assert fingerprint(whole) == before
        assert len(app.output()) - len(began) < 3000, app.output()[len(began) : len(began) + 3000]


@pytest.mark.parametrize("page", ["train", "compare", "learn"])
def test_a_store_that_cannot_be_listed_costs_a_sentence_on_the_page(
    whole: Path, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path) == whole.parent:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return true(path)

    monkeypatch.setattr(os, "scandir", scandir)
    app = open_page(page)
    assert not app.exception
    (said,) = (error.value for error in app.error)
    assert "cannot be listed" in said
