"""A run as a process: killed, stopped, paused, out of disk or out of luck, its record stays whole and
exact.
"""

import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from rbm_core.config import RunConfig, make_config
from rbm_core.runs import RunError, RunReader, control, create_run, files
from rbm_core.runs.recorder import Recorder
from rbm_core.runs.snapshot import read_snapshot, snapshot_file
from rbm_core.training import process as training_process
from rbm_core.training import snapshot_schedule

TINY = {
    "dataset": "bars-and-stripes",
    "n_hidden": 12,
    "batch_size": 2,
    "n_chains": 10,
    "k": 2,
    "epochs": 60,
    "precision": "float32",
    "log_every": 50,
    "max_snapshots": 12,
}
WALL_CLOCK = {"seconds", "time", "steps_per_s"}


def make_run(root: Path, name: str, **changes: Any) -> Path:
    return create_run(root, name, make_config(**{**TINY, **changes}))


def final_state(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Parameters, optimiser, chains, random streams: all of it, in full precision."""
    tensors, meta = Recorder(path).read_resume()
    return tensors, meta["training"]


def assert_same_run(path: Path, reference: Path) -> None:
    """Bit for bit, and the record too: every row but its wall-clock columns, every scheduled snapshot."""
    (tensors, meta), (expected, expected_meta) = final_state(path), final_state(reference)
    for state in (meta, expected_meta):
        del state["precision_note"]  # it tells what was timed
    assert meta == expected_meta
    assert set(tensors) == set(expected)
    for name, tensor in expected.items():
        assert torch.equal(tensors[name], tensor), name
    read, reference_read = RunReader(path), RunReader(reference)
    columns, expected_columns = read.metrics(), reference_read.metrics()
    assert set(columns) == set(expected_columns)
    for name in set(columns) - WALL_CLOCK:
        assert_array_equal(columns[name], expected_columns[name], err_msg=name)
    for step in set(read.snapshot_steps()) & set(reference_read.snapshot_steps()):
        assert_array_equal(read.snapshot(step).particles_v, reference_read.snapshot(step).particles_v)


def wait_for(what: Callable[[], Any], seconds: float = 240.0) -> Any:
    """What it returns once that is true; fails after the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.005)
    raise AssertionError(f"still not so after {seconds} s")


class Process:
    """A real trainer process, which saves its state every 0.1 s and rests 1 ms an update."""

    program = """
        import sys, time
        from rbm_core import training
        from rbm_core.training import process as training_process, report
        training_process.SAVE_S = report.SHOW_S = 0.1
        update = training.Training.update
        training.Training.update = lambda self: (update(self), time.sleep(0.001))[0]
        sys.exit(training_process.main())
    """

    def __init__(self, path: Path) -> None:
        self.read = RunReader(path)
        self.child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(self.program), str(path)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"},
        )

    def wait_until_step(self, step: int) -> None:
        def passed() -> bool:
            status = self.read.status()
            return status["step"] >= step or self.child.poll() is not None

        wait_for(passed)

    def end(self, number: int | None = None) -> tuple[int, str]:
        """(exit code, what it said on stderr), after this signal if one is given."""
        if number is not None:
            self.child.send_signal(number)
        _, told = self.child.communicate(timeout=240)
        return self.child.returncode, told


@pytest.fixture
def process() -> Iterator[Callable[[Path], Process]]:
    processes: list[Process] = []

    def begin(path: Path) -> Process:
        processes.append(Process(path))
        return processes[-1]

    yield begin
    for started in processes:
        if started.child.poll() is None:
            started.child.kill()
            started.child.communicate()


# --- killed and resumed ---


@pytest.mark.slow
def test_run_killed_at_any_moment_and_resumed_equals_one_never_interrupted(
    runs_root: Path, process: Callable[[Path], Process]
) -> None:
    recipe = {"momentum": 0.5, "averaging": 0.1, "precision": "bfloat16", "sparsity_cost": 0.01}
    reference = make_run(runs_root, "reference", **recipe)
    assert training_process.run(reference) == "finished"
    n_steps = RunReader(reference).status()["n_steps"]

    killed = make_run(runs_root, "killed", **recipe)
    rng = np.random.default_rng(int(time.time()))  # any moment will do, and a different one each time
    kills = 0
    for share in (0.0, 0.25, 0.6):
        started = process(killed)
        started.wait_until_step(int(share * n_steps))
        wait_for((killed / "resume.safetensors").exists)
        time.sleep(float(rng.uniform(0, 0.2)))
        code, _ = started.end(signal.SIGKILL)
        if code == -signal.SIGKILL:
            kills += 1
            assert started.read.status()["state"] == "interrupted"
    assert kills >= 2
    code, told = process(killed).end()
    assert (code, told) == (0, "")
    assert RunReader(killed).status()["state"] == "finished"
    assert [event["command"] for event in RunReader(killed).events()].count("continue") >= 2
    assert_same_run(killed, reference)


@pytest.mark.slow
def test_run_stopped_by_a_signal_and_resumed_equals_one_never_interrupted(
    runs_root: Path, process: Callable[[Path], Process]
) -> None:
    recipe = {"algorithm": "cd", "optimizer": "adam", "learning_rate": 1e-3, "centred": False}
    reference = make_run(runs_root, "reference", **recipe)
    assert training_process.run(reference) == "finished"

    stopped = make_run(runs_root, "stopped", **recipe)
    started = process(stopped)
    started.wait_until_step(200)
    code, told = started.end(signal.SIGTERM)
    assert code == 0
    assert told == "Stopped by SIGTERM; Resume goes on from here.\n"
    read = RunReader(stopped)
    status = read.status()
    assert status["state"] == "stopped"
    assert read.snapshot_steps()[-1] == status["step"] == final_state(stopped)[1]["step"]
    assert 200 <= status["step"] < status["n_steps"]
    assert training_process.run(stopped) == "finished"
    assert_same_run(stopped, reference)


def test_second_trainer_on_a_run_refuses_in_one_sentence(
    runs_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_run(runs_root, "busy")
    lock = files.hold_lock(path)
    assert lock is not None
    Recorder(path).write_status({"state": "running", "pid": 4711, "step": 5})
    status = (path / "status.json").read_bytes()
    assert training_process.main([str(path)]) == 2
    assert capsys.readouterr().err == (
        "run 'busy' is already being trained by process 4711; watch that one, or stop it first\n"
    )
    assert (path / "status.json").read_bytes() == status
    lock.release()


def test_folder_without_a_run_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert training_process.main([str(tmp_path / "nothing")]) == 2
    assert capsys.readouterr().err == f"there is no run 'nothing' in {tmp_path}\n"


# --- the real training, in this process ---


def test_record_of_a_run_is_complete(runs_root: Path) -> None:
    path = make_run(runs_root, "whole", epochs=30)
    seen: list[tuple[str, int]] = []
    assert (
        training_process.run(path, lambda status, row: seen.append((status["state"], row.get("step", -1))))
        == "finished"
    )
    read = RunReader(path)
    status, config = read.status(), read.config()
    assert (status["step"], status["n_steps"], status["epoch"], status["n_epochs"]) == (480, 480, 30.0, 30)
    assert status["steps_per_epoch"] == 16
    assert config["data"]["image_shape"] == [4, 4]
    assert config["data"]["n_train"] == 32
    assert config["device"]["kind"] in ("cpu", "cuda")
    assert config["precision"] in ("float32", "bfloat16")
    assert set(config["versions"]) == {"python", "torch", "numpy", "rbm_core"}
    assert (read.snapshot_steps()[0], read.snapshot_steps()[-1]) == (0, 480)
    assert len(read.snapshot_steps()) <= TINY["max_snapshots"]
    rows = read.metrics()
    assert (rows["step"][0], rows["step"][-1]) == (0, 480)
    assert (np.diff(rows["step"]) > 0).all()
    assert (np.diff(rows["seconds"]) >= 0).all()
    probe = read.probe()
    assert probe is not None
    assert probe.v.shape[0] == read.snapshot(480).probe_hidden.shape[0]
    assert read.live() is None, "the last snapshot is the newest view of a finished run"
    assert seen[0][0] == "starting"
    assert seen[-1] == ("finished", 480)
    last = read.snapshot(480)
    parameters = final_state(path)[0]
    assert_array_equal(last.W, parameters["parameter.0"].numpy().astype(np.float16).astype(np.float32))


def test_run_trained_to_its_end_has_nothing_left_to_do(runs_root: Path) -> None:
    path = make_run(runs_root, "done", epochs=5)
    assert training_process.run(path) == "finished"
    rows = (path / "metrics.jsonl").read_bytes()
    assert training_process.run(path) == "finished"
    assert (path / "metrics.jsonl").read_bytes() == rows


def test_run_that_starts_from_a_snapshot_has_its_parameters_and_new_settings(runs_root: Path) -> None:
    first = make_run(runs_root, "first", epochs=10)
    assert training_process.run(first) == "finished"
    start = RunReader(first).snapshot(160)
    fork = create_run(
        runs_root,
        "fork",
        make_config(**{**TINY, "epochs": 3, "learning_rate": 0.001, "algorithm": "cd", "k": 1}),
        origin={"run": "first", "step": 160},
    )
    assert training_process.run(fork) == "finished"
    read = RunReader(fork)
    begun = read.snapshot(0)
    for name in ("W", "vbias", "hbias"):
        assert_array_equal(getattr(begun, name), getattr(start, name), err_msg=name)
    assert read.metrics()["learning_rate"][0] == 0.001
    assert np.abs(read.snapshot(48).W - start.W).max() > 0


def test_run_does_not_go_on_with_other_data(runs_root: Path) -> None:
    path = make_run(runs_root, "changed", epochs=5)
    assert training_process.run(path) == "finished"
    config = RunReader(path).config()
    Recorder(path).complete_config(data={**config["data"], "fingerprint": "0123456789abcdef"})
    assert training_process.run(path) == "failed"
    assert "have changed since this run began" in RunReader(path).status()["message"]


def test_missing_data_is_one_sentence_in_the_status(runs_root: Path, tmp_path: Path) -> None:
    path = make_run(runs_root, "no-data", dataset=str(tmp_path / "pictures"))
    assert training_process.run(path) == "failed"
    message = RunReader(path).status()["message"]
    assert "pictures" in message
    assert "\n" not in message
    assert not (path / "trainer.log").exists(), "a sentence for the user needs no traceback"


# --- what happens to a process: with a training that costs nothing ---


class FakeTraining:
    """The face that the trainer sees of rbm_core.training.Training; an update takes `cost` seconds."""

    cost = 0.0
    bad_from: int | None = None  # the step from which parameters are not finite
    on_update: Callable[["FakeTraining"], None] | None = None
    size = (16, 4)

    def __init__(self, config: RunConfig, dataset: Any, *, device: Any = None, initial: Any = None) -> None:
        self.config, self.device = config, torch.device("cpu")
        self.state = SimpleNamespace(precision="float32", precision_note="float32")
        self.step, self.n_steps, self.steps_per_epoch = 0, config.epochs * 16, 16
        self.snapshot_steps = snapshot_schedule(self.n_steps, config.max_snapshots)
        self.rate = config.learning_rate
        self.updating = 0.0  # CPU seconds inside updates
        V, H = self.size
        self.arrays = {
            "W": np.zeros((V, H), np.float32),
            "vbias": np.zeros(V, np.float32),
            "hbias": np.zeros(H, np.float32),
            "log_var": None,
            "particles_v": np.zeros((9, V), np.uint8),
            "particles_h": np.zeros((9, H), np.uint8),
            "probe_hidden": np.zeros((3, H), np.uint8),
            "mean_hidden": np.zeros(H, np.float32),
            "increment_counts": np.zeros((3, 64), np.int32),
            "increment_edges": np.zeros((3, 65), np.float32),
        }

    epoch = property(lambda self: self.step / self.steps_per_epoch)

    def update(self) -> int:
        before = time.thread_time()
        if self.on_update is not None:
            type(self).on_update(self)  # type: ignore[misc]
        end = time.perf_counter() + self.cost
        while time.perf_counter() < end:
            pass
        self.step += 1
        self.updating += time.thread_time() - before
        return self.step

    def should_log(self) -> bool:
        return self.step % self.config.log_every == 0

    def metrics(self) -> dict[str, Any]:
        return {"step": self.step, "learning_rate": self.rate}

    def learning_rate(self) -> float:
        return self.rate

    def snapshot(self) -> dict[str, Any]:
        return {**self.arrays, "step": self.step, "meta": {"epoch": self.epoch, "visible": "bernoulli"}}

    def probe_arrays(self) -> dict[str, np.ndarray]:
        return {"v": np.zeros((3, self.size[0]), np.uint8)}

    def set(self, name: str, value: float) -> None:
        if value <= 0:
            raise ValueError(f"{name} must be greater than 0, got {value}")
        self.rate = value

    def state_dict(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        return {"x": torch.tensor([self.step])}, {"step": self.step, "rate": self.rate}

    def load_state_dict(self, tensors: dict[str, torch.Tensor], meta: dict[str, Any]) -> None:
        self.step, self.rate = meta["step"], meta["rate"]

    def diverged(self, info: int | None = None) -> str | None:
        if self.bad_from is not None and self.step >= self.bad_from:
            return f"parameters are no longer finite at step {self.step}; try a smaller learning rate"
        return None


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeTraining]:
    """Training is replaced by the fake; a class of its own for each test."""

    class Fake(FakeTraining):
        pass

    monkeypatch.setattr("rbm_core.training.Training", Fake)
    return Fake


class Watcher:
    """Progress callback that does something at given moments of a run in this process, and keeps what it
    saw.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.states: list[str] = []
        self.plan: list[tuple[Callable[[dict[str, Any]], bool], Callable[[], None]]] = []

    def when(self, condition: Callable[[dict[str, Any]], bool], act: Callable[[], None]) -> None:
        self.plan.append((condition, act))

    def __call__(self, status: dict[str, Any], row: dict[str, Any]) -> None:
        self.states.append(status["state"])
        if self.plan and self.plan[0][0](status):
            self.plan.pop(0)[1]()


def test_commands_are_obeyed_in_turn_and_recorded(runs_root: Path, fake: type[FakeTraining]) -> None:
    fake.cost = 0.001
    path = make_run(runs_root, "obedient", epochs=100_000, log_every=1000)
    read, watcher, saw = RunReader(path), Watcher(path), {}

    def note(name: str, *commands: tuple[Any, ...]) -> Callable[[], None]:
        def act() -> None:
            saw[name] = read.status()
            for command in commands:
                control.send(path, *command)

        return act

    def paused(status: dict[str, Any]) -> bool:
        return status["state"] == "paused"

    watcher.when(lambda status: status["step"] > 0, note("ran", ("pause",)))
    watcher.when(paused, note("paused"))
    watcher.when(paused, note("still paused", ("step", {"n": 1})))
    watcher.when(lambda s: paused(s) and s["step"] > saw["paused"]["step"], note("one", ("step", {"n": 10})))
    watcher.when(lambda s: paused(s) and s["step"] > saw["one"]["step"], note("ten", ("snapshot",)))
    watcher.when(paused, note("kept", ("set", {"name": "learning_rate", "value": 0.007})))
    watcher.when(
        lambda s: s["learning_rate"] == 0.007, note("set", ("set", {"name": "learning_rate", "value": -1}))
    )
    watcher.when(lambda s: bool(s["message"]), note("refused", ("resume",)))
    watcher.when(lambda s: s["state"] == "running", note("resumed", ("stop",)))
    assert training_process.run(path, watcher) == "stopped"
    assert saw["still paused"]["step"] == saw["paused"]["step"]
    assert saw["still paused"]["heartbeat"] > saw["paused"]["heartbeat"], "also while paused"
    assert saw["still paused"]["seconds"] == saw["paused"]["seconds"], "pauses do not count as training"
    assert saw["one"]["step"] == saw["paused"]["step"] + 1
    assert saw["ten"]["step"] == saw["paused"]["step"] + 11
    assert saw["ten"]["step"] in read.snapshot_steps()
    assert saw["refused"]["message"] == "Not done: learning_rate must be greater than 0, got -1."
    assert saw["refused"]["learning_rate"] == 0.007
    assert [event["command"] for event in read.events()] == [
        *("start", "pause", "step", "step", "snapshot", "set", "resume", "stop")
    ]
    assert read.events()[5]["value"] == {"name": "learning_rate", "value": 0.007}
    assert read.status()["step"] == read.snapshot_steps()[-1]


def test_setting_changed_by_hand_is_saved_at_once(runs_root: Path, fake: type[FakeTraining]) -> None:
    """A run killed right after goes on with the new value, as its record says."""
    path = make_run(runs_root, "set", epochs=100_000)
    watcher = Watcher(path)
    watcher.when(
        lambda status: status["state"] == "running",
        lambda: control.send(path, "set", {"name": "learning_rate", "value": 0.02}),
    )

    def die() -> None:
        raise KeyboardInterrupt  # as good as a kill: nothing below catches it

    watcher.when(lambda status: status["learning_rate"] == 0.02, die)
    with pytest.raises(KeyboardInterrupt):
        training_process.run(path, watcher)
    assert final_state(path)[1]["rate"] == 0.02


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_cleanly_with_the_last_state_saved(
    runs_root: Path, fake: type[FakeTraining], number: signal.Signals
) -> None:
    path = make_run(runs_root, "signal", epochs=100_000, log_every=10_000)
    before = signal.getsignal(number)

    def interrupt(training: FakeTraining) -> None:
        if training.step == 333:
            os.kill(os.getpid(), number)

    fake.on_update = interrupt
    assert training_process.run(path) == "stopped"
    assert signal.getsignal(number) is before
    read = RunReader(path)
    status = read.status()
    assert status["state"] == "stopped"
    assert number.name in status["message"]
    assert status["step"] == read.snapshot_steps()[-1] == final_state(path)[1]["step"]
    assert 334 <= status["step"] <= 336
    assert read.live() is None


def test_signal_while_starting_stops_before_training(runs_root: Path, fake: type[FakeTraining]) -> None:
    path = make_run(runs_root, "early")
    watcher = Watcher(path)
    watcher.when(lambda status: "Loading" in status["message"], lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert training_process.run(path, watcher) == "stopped"
    status = RunReader(path).status()
    assert (status["state"], status["message"]) == ("stopped", "Stopped by SIGTERM before training began.")


@pytest.mark.parametrize("bad_from", [1, 7, 100, 101, 155, 1600])
def test_diverged_run_keeps_only_what_was_good(
    runs_root: Path, fake: type[FakeTraining], bad_from: int
) -> None:
    fake.bad_from = bad_from
    path = make_run(runs_root, "diverged", epochs=100, log_every=50, max_snapshots=40)
    assert training_process.run(path) == "diverged"
    read = RunReader(path)
    status = read.status()
    assert status["state"] == "diverged"
    assert status["message"].startswith("Parameters are no longer finite at step")
    assert f"The last good snapshot is step {read.snapshot_steps()[-1]:,}." in status["message"]
    assert "smaller learning rate" in status["message"]
    assert max(read.snapshot_steps()) < bad_from
    live = read.live()
    assert live is None or live.step < bad_from
    assert not (path / "resume.safetensors").exists() or final_state(path)[1]["step"] < bad_from


def test_unforeseen_failure_is_a_sentence_with_the_traceback_in_the_log(
    runs_root: Path, fake: type[FakeTraining], capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(training: FakeTraining) -> None:
        if training.step == 40:
            raise IndexError("list index\nout of range")

    fake.on_update = fail
    path = make_run(runs_root, "broken")
    assert training_process.main([str(path)]) == 1
    status = RunReader(path).status()
    assert status["state"] == "failed"
    assert status["message"] == (
        "The trainer failed with IndexError: list index out of range (details in trainer.log)."
    )
    assert "Traceback" in (path / "trainer.log").read_text()
    assert capsys.readouterr().err == status["message"] + "\n"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory.\nTried to allocate 9 GiB"),
        RuntimeError("can't allocate memory"),
    ],
)
def test_lack_of_memory_says_what_to_choose_smaller(
    runs_root: Path, fake: type[FakeTraining], error: Exception
) -> None:
    def fail(training: FakeTraining) -> None:
        raise error

    fake.on_update = fail
    path = make_run(runs_root, "huge")
    assert training_process.run(path) == "failed"
    assert RunReader(path).status()["message"].startswith("Not enough memory for this run: choose fewer")


def test_full_disk_fails_in_one_sentence_and_goes_on_once_there_is_room(
    runs_root: Path, fake: type[FakeTraining], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_run(runs_root, "full", epochs=100, log_every=10)
    fsync = os.fsync

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fill(training: FakeTraining) -> None:
        if training.step == 400:
            monkeypatch.setattr(files.os, "fsync", full)

    fake.on_update = fill
    assert training_process.run(path) == "failed"
    message = RunReader(path).status()["message"]
    assert message.startswith("The disk is full: 0")
    assert message.endswith("of run 'full' could not be written; free some space, then resume the run.")
    monkeypatch.setattr(files.os, "fsync", fsync)
    fake.on_update = None
    assert training_process.run(path) == "finished"
    assert_array_equal(RunReader(path).metrics()["step"], np.arange(0, 1601, 10))


def test_last_word_finds_room_where_the_disposable_view_was(
    runs_root: Path, fake: type[FakeTraining], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_run(runs_root, "full", epochs=100_000, log_every=10)
    write = files.write_bytes
    seen = []

    def nearly_full(file: Path, data: bytes, *, durable: bool = True) -> None:
        if (path / "live.safetensors").exists():
            seen.append(file.name)
            raise RunError(files.explain(OSError(errno.ENOSPC, ""), file)) from OSError(errno.ENOSPC)
        write(file, data, durable=durable)

    monkeypatch.setattr(files, "write_bytes", nearly_full)
    monkeypatch.setattr("rbm_core.runs.recorder.write_bytes", nearly_full)
    assert training_process.run(path) == "failed"
    assert seen
    status = RunReader(path).status()
    assert status["state"] == "failed"
    assert status["message"].startswith("The disk is full")


def test_folder_without_write_permission_is_one_sentence(
    runs_root: Path,
    fake: type[FakeTraining],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = make_run(runs_root, "locked")

    def refuse(*_: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(files.os, "replace", refuse)
    assert training_process.main([str(path)]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"No permission to write in {path}")
    assert told.count("\n") == 1


def test_commands_left_to_a_dead_trainer_are_not_obeyed_by_the_next(
    runs_root: Path, fake: type[FakeTraining]
) -> None:
    path = make_run(runs_root, "stale", epochs=2)
    control.send(path, "stop")
    Recorder(path).write_status({"state": "running", "heartbeat": time.time()})
    assert training_process.run(path) == "finished"


def test_command_given_while_starting_is_obeyed(runs_root: Path, fake: type[FakeTraining]) -> None:
    path = make_run(runs_root, "eager", epochs=100_000)
    control.send(path, "stop")
    assert training_process.run(path) == "stopped"
    assert RunReader(path).status()["step"] == 0


def test_live_view_and_status_follow_the_wall_clock(runs_root: Path, fake: type[FakeTraining]) -> None:
    fake.cost = 0.001
    path = make_run(runs_root, "live", epochs=100_000, log_every=100_000)
    read = RunReader(path)
    seen: list[tuple[float, int, int]] = []

    def look(status: dict[str, Any], row: dict[str, Any]) -> None:
        live = read.live()
        seen.append((time.monotonic(), status["step"], live.step if live else -1))
        if len(seen) == 8:
            control.send(path, "stop")

    assert training_process.run(path, look) == "stopped"
    shown = seen[4:8]
    assert all(step == live for _, step, live in shown)
    gaps = np.diff([moment for moment, _, _ in shown])
    assert (gaps < 1.0).all()
    assert (gaps > 0.4).all()


def test_between_logged_steps_an_update_costs_hardly_more_than_itself(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch, fake: type[FakeTraining]
) -> None:
    """At 500 updates a second, 784 × 500: commands, clocks, status and live view take under 2 %.

    CPU seconds beside the updates, by the wall clock that they are spread over: on a busy machine an update
    takes longer, and twice a second stays twice a second.
    """
    fake.cost, fake.size = 0.002, (784, 500)
    path = make_run(runs_root, "lean", epochs=100_000, log_every=10**6, max_snapshots=4)
    spent: dict[str, float] = {}

    def measure(training: FakeTraining) -> None:
        if training.step == 50:
            spent["begin"], training.updating = time.thread_time(), 0.0
            spent["wall"] = time.perf_counter()
        if training.step == 1050:
            spent["all"], spent["updates"] = time.thread_time() - spent["begin"], training.updating
            spent["wall"] = time.perf_counter() - spent["wall"]
            control.send(path, "stop")

    fake.on_update = measure
    assert training_process.run(path) == "stopped"
    assert spent["all"] - spent["updates"] < 0.02 * spent["wall"], spent


def test_state_is_saved_every_half_minute(
    runs_root: Path, fake: type[FakeTraining], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_process, "SAVE_S", 0.6)
    fake.cost = 0.001
    path = make_run(runs_root, "saved", epochs=100_000, log_every=10**6)
    watcher = Watcher(path)
    saved: list[int] = []
    watcher.when(
        lambda status: (path / "resume.safetensors").exists(),
        lambda: control.send(path, "stop") or saved.append(final_state(path)[1]["step"]),  # type: ignore
    )
    assert training_process.run(path, watcher) == "stopped"
    assert 0 < saved[0] <= RunReader(path).status()["step"]


def test_snapshots_stand_where_the_schedule_says_also_after_a_resume(
    runs_root: Path, fake: type[FakeTraining]
) -> None:
    reference = make_run(runs_root, "reference", epochs=100)
    assert training_process.run(reference) == "finished"
    path = make_run(runs_root, "resumed", epochs=100)

    def stop(training: FakeTraining) -> None:
        if training.step == 700:
            os.kill(os.getpid(), signal.SIGINT)

    fake.on_update = stop
    assert training_process.run(path) == "stopped"
    fake.on_update = None
    assert training_process.run(path) == "finished"
    expected = set(RunReader(reference).snapshot_steps())
    steps = RunReader(path).snapshot_steps()
    assert len(set(steps) - expected) == 1, "the one more is that of the stop"
    assert expected <= set(steps)
    assert read_snapshot(snapshot_file(path, 1600)).step == 1600
