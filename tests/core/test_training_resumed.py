"""A run that was killed or stopped and then resumed equals, bit for bit, one that was never interrupted."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from rbm_core.runs import RunReader, files
from rbm_core.runs.recorder import Recorder
from rbm_core.training import process as training_process
from tests.core.training_runs import final_state, make_run, wait_for

WALL_CLOCK = {"seconds", "time", "steps_per_s"}


def assert_same_run(path: Path, reference: Path) -> None:
    """Bit for bit, and the record too: every row but its wall-clock columns, every scheduled snapshot."""
    (tensors, meta), (expected, expected_meta) = final_state(path), final_state(reference)
    for state in (meta, expected_meta):
        del state["precision_note"]  # it holds the times that were measured
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


class Process:
    """A real trainer process, which saves its state every 0.1 s and rests 2 ms an update, so that a signal finds it."""

    program = """
        import sys, time
        from rbm_core import training
        from rbm_core.training import process as training_process, report
        training_process.SAVE_S = report.SHOW_S = 0.1
        update = training.Training.update
        training.Training.update = lambda self: (update(self), time.sleep(0.002))[0]
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
        _, said = self.child.communicate(timeout=240)
        return self.child.returncode, said


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
    code, said = process(killed).end()
    assert (code, said) == (0, "")
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
    code, said = started.end(signal.SIGTERM)
    assert code == 0
    assert said == "Stopped by SIGTERM; Resume goes on from here.\n"
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
