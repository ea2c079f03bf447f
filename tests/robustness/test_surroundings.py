"""What surrounds a run goes wrong: no room on the disk, no permission, a folder taken away, a clock set back, numbers
and locks of dead processes, copies, records of an older version, helpers and servers that end.
"""

import errno
import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Page

from dashboard.processes import evaluators, trainers
from dashboard.processes.sampler import Sampler, SamplerError
from rbm_core.cli import main
from rbm_core.config import make_config
from rbm_core.evaluation import evaluate
from rbm_core.runs import RunError, RunReader, control, create_run, files, list_runs, store
from rbm_core.runs import notes as run_notes
from rbm_core.runs.evaluation_record import list_evaluations
from rbm_core.runs.files import hold_lock, read_object, read_tensors, write_json
from rbm_core.runs.recorder import Recorder
from rbm_core.training import process as training_process
from rbm_core.training import report
from tests.core.run_record import CONFIG
from tests.core.training_runs import TINY, FakeTraining, Watcher, final_state, make_run
from tests.dashboard.gibbs_film import in_process, request
from tests.dashboard.opened import open_page as open_in_test
from tests.live import App, settle, until
from tests.robustness.damage import files_of, one_sentence
from tests.small_run import train_small

needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
ENDLESS = make_config(**{**TINY, "epochs": 100_000})


def fingerprint(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files_of(folder)
    }


def every_file_reads(run: Path) -> None:
    """The reader takes all there is; no half-written file is left under its name or beside it."""
    reader = RunReader(run)
    reader.config(), reader.status(), reader.metrics(), reader.events(), reader.likelihood(), reader.probe()
    for step in reader.snapshot_steps():
        reader.snapshot(step)
    for file in run.glob("*.safetensors"):
        if file.name != "resume.safetensors":  # which may hold what is not finite
            read_tensors(file)
    assert not list(run.rglob(".*.tmp")), "a half-written file takes room"


def same_end(run: Path, other: Path) -> None:
    (tensors, meta), (expected, expected_meta) = final_state(run), final_state(other)
    assert tensors.keys() == expected.keys()
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)
    assert meta == expected_meta
    assert RunReader(run).metrics()["step"].tolist() == RunReader(other).metrics()["step"].tolist()


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the tests' settings that nothing happened to."""
    run = make_run(tmp_path_factory.mktemp("calm"), "calm")
    assert training_process.run(run) == "finished"
    return run


# --- no space left ---


class Disk:
    """full(name): from the next write to a file of this name on, no write of any file finds room; `free` ends it."""

    def __init__(self) -> None:
        self.name: str | None = None
        self.is_full = False

    def full(self, name: str) -> None:
        self.name, self.is_full = name, False

    def free(self) -> None:
        self.name, self.is_full = None, False

    def refuses(self, handle: int) -> bool:
        if self.name is not None and self.name in Path(os.readlink(f"/proc/self/fd/{handle}")).name:
            self.is_full = True
        return self.is_full


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """A disk that fills up in the middle of a write: half of it is written, as the system does."""
    one, true_open = Disk(), os.fdopen

    class Cut:
        def __init__(self, file: Any) -> None:
            self.file = file

        def __enter__(self) -> "Cut":
            self.file.__enter__()
            return self

        def __exit__(self, *error: Any) -> Any:
            return self.file.__exit__(*error)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

        def write(self, data: bytes) -> int:
            if not one.refuses(self.file.fileno()):
                return self.file.write(data)
            written = self.file.write(data[: len(data) // 2])
            if isinstance(self.file, _RAW):
                return written  # the system writes what there is room for, and says how much that was
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def opened(handle: int, mode: str = "r", *args: Any, **options: Any) -> Any:
        file = true_open(handle, mode, *args, **options)
        return Cut(file) if mode in ("wb", "r+b") else file

    monkeypatch.setattr(os, "fdopen", opened)
    return one


with open(os.devnull, "r+b", buffering=0) as _raw:
    _RAW = type(_raw)

WRITTEN_BY_A_TRAINER = (
    *("config.json", "probe.safetensors", "status.json", "metrics.jsonl", "events.jsonl"),
    *("live.safetensors", "000000000.safetensors", "resume.safetensors"),
)


@needs_proc
@pytest.mark.parametrize("name", WRITTEN_BY_A_TRAINER)
def test_a_disk_that_fills_up_in_any_write_of_a_trainer_costs_a_sentence_and_no_row(
    runs_root: Path, disk: Disk, calm: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_process, "SAVE_S", 0.05)
    monkeypatch.setattr(report, "SHOW_S", 0.05)
    run = make_run(runs_root, "full")
    disk.full(name)
    try:
        assert training_process.run(run) == "failed"
        said = RunReader(run).status()["message"]
    except RunError as error:  # there was no room for the last status either
        said = files.sentence(error)
    assert disk.is_full, "the trainer never wrote it"
    assert one_sentence(said)
    assert "isk is full" in said
    every_file_reads(run)
    disk.free()
    assert not files.lock_is_held(run), "who resumes it is turned away"
    assert training_process.run(run) == "finished"
    same_end(run, calm)


@pytest.fixture
def trained(runs_root: Path) -> Path:
    """A finished run with every kind of file that others than trainers write."""
    run = train_small(
        runs_root, "trained", dataset="bars-and-stripes", n_hidden=8, epochs=40, n_valid=0, max_snapshots=4
    )
    run_notes.write_notes(run, run_notes.Notes((), "before"))
    return run


OTHER_WRITERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "an evaluation's progress": ("progress.json", lambda run: evaluate(run, estimator="exact")),
    "an evaluation's answer": ("likelihood.jsonl", lambda run: evaluate(run, estimator="exact")),
    "an evaluation's pictures": (
        "samples.safetensors",
        lambda run: evaluate(run, estimator="mixing", sweeps_max=20, n_chains=4),
    ),
    "notes": ("notes.json", lambda run: run_notes.write_notes(run, run_notes.Notes((), "after"))),
    "a new run": ("config.json", lambda run: create_run(run.parent, "new", CONFIG)),
    "a new run's start": (
        "origin.safetensors",
        lambda run: create_run(
            run.parent, "new", {**CONFIG, "n_hidden": 8}, origin={"run": run.name, "step": 0}
        ),
    ),
}


@needs_proc
@pytest.mark.parametrize("case", OTHER_WRITERS)
def test_a_disk_that_fills_up_under_another_writer_costs_a_sentence_and_changes_nothing(
    trained: Path, disk: Disk, case: str
) -> None:
    name, write = OTHER_WRITERS[case]
    before = fingerprint(trained)
    disk.full(name)
    with pytest.raises(RunError, match="disk is full") as refused:
        write(trained)
    assert disk.is_full
    assert one_sentence(str(refused.value))
    every_file_reads(trained)
    disk.free()
    # An evaluation's folder says how it failed; a first line that found no room leaves its file empty.
    after = {
        path: sha
        for path, sha in fingerprint(trained).items()
        if not path.startswith("evaluations/") and (trained / path).stat().st_size
    }
    assert after == before
    assert os.listdir(trained.parent) == ["trained"], "a half-made run is left"
    assert all(one["state"] in ("failed", "interrupted") for one in list_evaluations(trained))
    write(trained)


@needs_proc
def test_a_command_that_finds_no_room_is_refused_and_those_before_it_are_kept(
    runs_root: Path, disk: Disk
) -> None:
    run = make_run(runs_root, "live")
    lock = hold_lock(run)
    assert lock is not None
    control.send(run, "pause")
    disk.full("control.json")
    with pytest.raises(RunError, match="disk is full"):
        control.send(run, "resume")
    disk.free()
    assert [command["command"] for command in control.take(run)] == ["pause"]
    lock.release()


# --- a folder that cannot be written to ---


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

    pages_open()  # whoever gives up root's rights may not read the interpreter's own files any more
    before = fingerprint(run)
    with read_only(open_store):
        every_file_reads(run)
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


# --- a folder that is taken away under its trainer ---


def at_step(n: int, act: Callable[[], object]) -> Callable[[FakeTraining], None]:
    def look(training: FakeTraining) -> None:
        if training.step == n:
            act()

    return look


def ends_with_one_line(run: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What the trainer's process prints when it ends because it cannot write any more."""
    assert training_process.main([str(run)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert one_sentence(said.strip())
    return said


def test_a_folder_removed_under_its_trainer_ends_it_with_a_sentence_and_does_not_come_back(
    runs_root: Path, fake: type[FakeTraining], capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(runs_root, "gone", epochs=100, log_every=10)
    fake.on_update = at_step(400, lambda: shutil.rmtree(run))
    assert f"folder {run}" in ends_with_one_line(run, capsys)
    assert os.listdir(runs_root) == []
    assert list_runs(runs_root) == []


def test_a_run_renamed_under_its_trainer_goes_on_under_its_new_name(
    runs_root: Path, fake: type[FakeTraining], capsys: pytest.CaptureFixture[str]
) -> None:
    run, moved = make_run(runs_root, "before", epochs=100, log_every=10), runs_root / "after"
    fake.on_update = at_step(400, lambda: run.rename(moved))
    assert "is gone" in ends_with_one_line(run, capsys)
    assert os.listdir(runs_root) == ["after"]
    assert RunReader(moved).status()["state"] == "interrupted"
    every_file_reads(moved)
    fake.on_update = None
    assert training_process.run(moved) == "finished"
    assert RunReader(moved).metrics()["step"].tolist() == list(range(0, 1601, 10))


@pytest.mark.parametrize("away", ["renamed", "removed"])
def test_a_trainer_never_writes_into_another_run_that_took_its_folders_name(
    runs_root: Path, fake: type[FakeTraining], capsys: pytest.CaptureFixture[str], away: str
) -> None:
    run, other = make_run(runs_root, "name", epochs=100, log_every=10), {}

    def replace() -> None:
        if away == "renamed":
            run.rename(runs_root / "elsewhere")
        else:
            shutil.rmtree(run)
        make_run(runs_root, "name", epochs=7)
        control.send(run, "pause")  # for the trainer of the new run
        other.update(fingerprint(run))

    fake.on_update = at_step(400, replace)
    assert "another one stands in its place" in ends_with_one_line(run, capsys)
    assert fingerprint(run) == other


# --- the clock ---


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """clock(seconds) sets this process's clock back by so much."""
    true, back = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: true() - back[0])
    return lambda seconds: back.__setitem__(0, seconds)


def test_a_clock_set_back_during_a_run_changes_nothing(
    runs_root: Path, fake: type[FakeTraining], clock: Callable[[float], None]
) -> None:
    fake.cost = 0.001
    run = make_run(runs_root, "back", epochs=100_000, log_every=10)
    reader, watcher = RunReader(run), Watcher(run)
    seen: dict[str, Any] = {}

    def note(name: str, then: str) -> Callable[[], None]:
        def act() -> None:
            seen[name] = reader.status()
            control.send(run, then)

        return act

    watcher.when(lambda status: status["state"] == "running" and status["step"] > 0, lambda: clock(3600.0))
    watcher.when(lambda status: status["state"] == "running", note("running", "pause"))
    watcher.when(lambda status: status["state"] == "paused", note("paused", "resume"))
    watcher.when(lambda status: status["state"] == "running", note("resumed", "stop"))
    assert training_process.run(run, watcher) == "stopped"
    assert [seen[name]["state"] for name in ("running", "paused", "resumed")] == [
        "running",
        "paused",
        "running",
    ]
    assert 0 < seen["running"]["seconds"] <= seen["paused"]["seconds"] <= seen["resumed"]["seconds"] < 600
    every_file_reads(run)
    seconds = reader.metrics()["seconds"]
    assert (np.diff(seconds) >= 0).all()
    (info,) = list_runs(runs_root)
    assert (info.state, info.error) == ("stopped", None)


def test_commands_given_after_the_clock_was_set_back_are_obeyed_by_the_trainer_that_starts(
    runs_root: Path, fake: type[FakeTraining], clock: Callable[[float], None]
) -> None:
    run = make_run(runs_root, "eager", epochs=100_000)
    clock(3600.0)
    lock = hold_lock(run)  # as a trainer that is starting
    assert lock is not None
    control.send(run, "stop")
    lock.release()
    assert training_process.run(run) == "stopped"
    assert RunReader(run).status()["step"] == 0


def test_commands_left_to_a_dead_trainer_are_dropped_by_whoever_resumes_the_run(
    runs_root: Path, fake: type[FakeTraining], clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(runs_root, "left", epochs=2)
    lock = hold_lock(run)
    assert lock is not None
    control.send(run, "stop")
    lock.release()
    Recorder(run).write_status({"state": "running", "heartbeat": time.time()})
    clock(3600.0)
    monkeypatch.setattr(trainers, "_launch", lambda path, download: None)
    trainers.resume("left")
    assert training_process.run(run) == "finished"


# --- numbers and locks of processes that are dead ---


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A living process that has nothing to do with runs; a dead trainer's number is its number now."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def test_a_dead_trainers_number_that_another_process_has_keeps_nobody_away_and_ends_nobody(
    runs_root: Path, fake: type[FakeTraining], bystander: subprocess.Popen[bytes]
) -> None:
    run = make_run(runs_root, "dead", epochs=2)
    Recorder(run).write_status(
        {"state": "running", "pid": bystander.pid, "heartbeat": time.time(), "step": 3}
    )
    assert RunReader(run).status()["state"] == "interrupted"
    with pytest.raises(RunError, match="is not being trained"):
        trainers.send("dead", "stop")
    assert training_process.run(run) == "finished"
    store.delete_run(runs_root, "dead")
    assert bystander.poll() is None


def test_interrupting_an_evaluation_that_is_starting_again_ends_no_bystander(
    trained: Path, bystander: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the moment on at which it is shown as running, the number in its progress is its own."""
    evaluate(trained, estimator="exact")
    (folder,) = (trained / "evaluations").iterdir()
    progress = read_object(folder / "progress.json")
    write_json(folder / "progress.json", {**progress, "state": "running", "pid": bystander.pid})
    (folder / "state.safetensors").write_bytes(b"what it had saved")
    assert list_evaluations(trained)[0]["state"] == "interrupted"
    shown, killed = [], []
    monkeypatch.setattr(evaluators, "os", SimpleNamespace(kill=lambda pid, number: killed.append(pid)))
    true = files.write_bytes

    def watched(path: Path, data: bytes, **options: Any) -> None:
        true(path, data, **options)
        (one,) = list_evaluations(trained)
        shown.append(one["state"])
        evaluators.interrupt(one)

    for module in ("rbm_core.evaluation.job", "rbm_core.runs.files"):
        monkeypatch.setattr(f"{module}.write_bytes", watched)
    evaluate(trained, estimator="exact")
    assert "running" in shown
    assert set(killed) == {os.getpid()}


def test_locks_that_nobody_holds_hold_nobody_up(trained: Path) -> None:
    evaluate(trained, estimator="exact")
    (folder,) = (trained / "evaluations").iterdir()
    for name in ("run.lock", "control.lock", "likelihood.lock"):
        (trained / name).write_text("1234")
    (folder / "run.lock").write_text("1234")
    Recorder(trained).write_status({**RunReader(trained).status(), "state": "running"})
    began = time.monotonic()
    assert RunReader(trained).status()["state"] == "interrupted"
    (folder / "progress.json").unlink()
    evaluate(trained, estimator="exact")
    assert training_process.run(trained) == "finished"
    lock = hold_lock(trained)
    assert lock is not None
    Recorder(trained).write_status({**RunReader(trained).status(), "state": "running"})
    control.send(trained, "pause")
    assert [command["command"] for command in control.take(trained)] == ["pause"]
    lock.release()
    assert time.monotonic() - began < 60, "it waited for a lock"


# --- copies, and records of an older version ---


def test_a_run_copied_while_it_is_trained_is_a_run_of_its_own(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch, calm: Path
) -> None:
    monkeypatch.setattr(training_process, "SAVE_S", 0.05)
    run, copy = make_run(runs_root, "original"), runs_root / "copy"
    watcher = Watcher(run)
    copied: dict[str, Any] = {}

    def take_copy() -> None:
        shutil.copytree(run, copy)
        copied.update(RunReader(copy).status())
        control.send(run, "snapshot")

    watcher.when(lambda status: status["state"] == "running" and status["step"] > 0, take_copy)
    assert training_process.run(run, watcher) == "finished"
    assert copied["state"] == "interrupted", "nobody trains the copy"
    before = fingerprint(run)
    assert training_process.run(copy) == "finished"
    assert fingerprint(run) == before, "training the copy touched the original"
    for one in (run, copy):
        every_file_reads(one)
        same_end(one, calm)
    assert {info.name: info.error for info in list_runs(runs_root)} == {"original": None, "copy": None}
    store.delete_run(runs_root, "copy")
    assert fingerprint(run) == before


FIRST_SETTINGS = (  # those that the first version of the format had, as far as the tests' run sets them
    *(
        "dataset",
        "n_valid",
        "n_hidden",
        "algorithm",
        "k",
        "n_chains",
        "batch_size",
        "epochs",
        "learning_rate",
    ),
    *("seed", "device", "precision", "log_every", "max_snapshots"),
)


def test_a_record_of_an_older_version_opens_and_goes_on(
    runs_root: Path, fake: type[FakeTraining], capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the entries that came later it is read with their defaults, shown, and trained to its end."""
    run = make_run(runs_root, "older", epochs=100, log_every=10)
    watcher = Watcher(run)
    fake.cost = 0.0005
    watcher.when(lambda status: status["step"] > 50, lambda: control.send(run, "stop"))
    assert training_process.run(run, watcher) == "stopped"
    config, status = read_object(run / "config.json"), read_object(run / "status.json")
    kept = {name: config["config"][name] for name in FIRST_SETTINGS}
    few = ("schema", "name", "created", "data")
    write_json(run / "config.json", {**{name: config[name] for name in few}, "config": kept})
    write_json(run / "status.json", {name: status[name] for name in ("state", "pid", "heartbeat", "step")})
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    (run / "metrics.jsonl").write_text(
        "".join(
            json.dumps({"step": row["step"], "learning_rate": row["learning_rate"]}) + "\n" for row in rows
        )
    )
    (run / "events.jsonl").unlink()
    every_file_reads(run)
    assert RunReader(run).config()["config"]["patience"] == 0
    for command in (["runs"], ["doctor", "older"]):
        assert main(command) == 0
        assert "Traceback" not in "".join(capsys.readouterr())
    app = open_in_test(run="older")
    assert not app.exception, app.exception[0].value
    fake.cost = 0.0
    assert training_process.run(run) == "finished"
    assert RunReader(run).metrics()["step"].tolist() == list(range(0, 1601, 10))


@pytest.mark.parametrize("schema", [0, -1, "1", None, True, 2])
def test_a_schema_that_this_version_does_not_know_is_named_and_nothing_is_changed(
    trained: Path, schema: object
) -> None:
    create_run(trained.parent, "neighbour", CONFIG)
    write_json(trained / "config.json", {**read_object(trained / "config.json"), "schema": schema})
    before = fingerprint(trained)
    for act in (training_process.run, evaluate, store.resumable):
        with pytest.raises(RunError, match="schema") as refused:
            act(trained)
        assert one_sentence(str(refused.value))
    assert fingerprint(trained) == before
    assert {info.name: info.error is None for info in list_runs(trained.parent)} == {
        "neighbour": True,
        "trained": False,
    }


# --- the sampler and the server ---


@pytest.mark.slow
def test_a_sampler_killed_in_every_film_costs_a_sentence_and_the_next_film_is_whole() -> None:
    big = request(
        n_chains=100,
        betas=np.ones(2000),
        W=np.zeros((784, 64), np.float32),
        vbias=np.zeros(784, np.float32),
        hbias=np.zeros(64, np.float32),
    )
    helper, killed = Sampler(), set()
    listeners = {thread for thread in threading.enumerate() if thread.name == "sampler"}  # of other samplers

    def kill(done: int, total: int) -> None:
        pid = helper.pid
        if done and pid is not None and pid not in killed:
            killed.add(pid)
            os.kill(pid, signal.SIGKILL)

    try:
        with pytest.raises(SamplerError, match="stopped twice") as refused:
            helper.film(big, kill)
        assert one_sentence(str(refused.value))
        assert len(killed) == 2
        _, expected = in_process(request())
        arrays = helper.film(request()).arrays
        assert all(np.array_equal(arrays[name], expected[name]) for name in expected)
        now = {thread for thread in threading.enumerate() if thread.name == "sampler"}
        assert len(now - listeners) <= 1, "a listener is left"
    finally:
        helper.close()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_server_that_ends_takes_no_run_along_and_the_next_one_commands_it(
    runs_root: Path, start_app: Callable[..., App], open_page: Callable[..., Page], how: signal.Signals
) -> None:
    app = start_app()
    page = open_page(app.url)
    page.get_by_role("button", name="Start", exact=True).click()
    until(lambda: bool(list_runs(runs_root)), 20, "no run was started")
    (info,) = list_runs(runs_root)
    reader = RunReader(info.path)
    try:
        until(lambda: reader.status()["state"] == "running", 60, "the run is not running")
        app.process.send_signal(how)
        until(lambda: app.process.poll() is not None, 10, "the server does not end")
        step = reader.status()["step"]
        until(lambda: reader.status()["step"] > step, 10, "the run ended with its server")
        again = open_page(f"{start_app().url}/?run={info.name}")
        again.locator(".st-key-train-controls").get_by_role("button", name="Stop").click()
        until(lambda: reader.status()["state"] == "stopped", 10, "the next server's page does not stop it")
        settle(again)
    finally:
        with suppress(RunError):
            trainers.send(info.name, "stop")
        until(lambda: not files.lock_is_held(info.path), 30, "the trainer lives on")
