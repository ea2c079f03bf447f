"""Memory is bounded (`ulimit -v`) or used up: one sentence that says what was asked for, and no traceback."""

import gzip
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from rbm_core.datasets.look import look_at
from rbm_core.evaluation.estimators import BY_NAME
from rbm_core.evaluation.question import Interrupted, evaluate
from rbm_core.runs import RunReader, inside
from rbm_core.runs.evaluation_record import list_evaluations
from rbm_core.runs.files import MOST_TENSOR_BYTES, RunError
from tests.live import REPO
from tests.small_run import train_small

# As torch, C++ and the loader of libraries say it.
WORDS = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
    "allocate 9000000000 bytes. Error code 12 (Cannot allocate memory)",
    "std::bad_alloc",
    "can't start new thread",
)
LIMITED = """
import resource, sys
from pathlib import Path
from rbm_core.cli import main

def bounded(room):
    # Beyond what the process has after loading and compiling.
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + room, resource.RLIM_INFINITY))
"""


def limited(script: str, runs: Path) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [sys.executable, "-c", LIMITED + script, str(runs)],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_reading_a_small_file_takes_no_more_memory_than_it(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "resume.safetensors").write_bytes(b"x" * 100)
    table = gzip.compress(b"a,b\n" + b"1,2\n" * 20)
    look_at([("table.csv.gz", table)])  # pandas is loaded
    tracemalloc.start()
    try:
        assert len(inside.read(run / "resume.safetensors", MOST_TENSOR_BYTES)) == 100
        look_at([("table.csv.gz", table)])
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS bounds nothing elsewhere")
def test_a_run_and_an_evaluation_that_do_not_fit_say_what_was_asked_for(tmp_path: Path) -> None:
    script = """
runs = ["--runs", sys.argv[1]]
small = ["--preset", "quick", "--dataset", "mnist-5k", "--set", "updates=20"]
assert main(["train", "--name", "small", *small, *runs]) == 0
assert main(["evaluate", "small", "--chains", "4", "--temperatures", "20", *runs]) == 0
bounded(96 << 20)
assert main(["train", "--name", "large", *small, "--set", "n_hidden=15000", *runs]) == 2
assert main(["evaluate", "small", "--chains", "10000", "--temperatures", "20", *runs]) == 2
assert main(["evaluate", "small", "--chains", "4", "--temperatures", "20", *runs]) == 0
"""
    done = limited(script, tmp_path)
    assert done.returncode == 0, done.stderr
    status = RunReader(tmp_path / "large").status()
    assert status["state"] == "failed"
    assert status["message"].startswith("Not enough memory for 15,000 hidden units, ")
    states = {one["settings"]["n_chains"]: one for one in list_evaluations(tmp_path / "small")}
    assert states[4]["state"] == "finished"
    assert states[10_000]["state"] == "failed"
    assert states[10_000]["message"].startswith(
        "not enough memory for estimator 'bracket' with 10,000 chains"
    )
    said = " ".join(done.stderr.split())
    assert status["message"] in said
    assert states[10_000]["message"] in said


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS bounds nothing elsewhere")
def test_a_kernel_that_cannot_be_compiled_for_want_of_memory_costs_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LLVM itself ends the process where it gets no memory."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "empty"))
    script = """
import rbm_core.training.compiled
runs = ["--runs", sys.argv[1], "--preset", "quick", "--dataset", "bars-and-stripes", "--n-hidden", "8"]
for room in (32, 48, 64, 80):
    bounded(room << 20)
    assert main(["train", "--name", f"room-{room}", *runs]) == 2
"""
    runs = tmp_path / "runs"
    done = limited(script, runs)
    assert done.returncode == 0, done.stderr
    assert len(os.listdir(runs)) == 4
    for run in runs.iterdir():
        status = RunReader(run).status()
        assert (status["state"], status["message"].split(":")[0]) == (
            "failed",
            "Not enough memory for 8 hidden units, 100 chains and 100 images a batch",
        )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS bounds nothing elsewhere")
def test_a_film_that_does_not_fit_costs_a_sentence_and_the_next_one_is_made(tmp_path: Path) -> None:
    script = """
import io, json
import numpy as np
from dashboard.processes import sampler_process
from dashboard.processes.sampler import FilmRequest, read_message

def asked(n_hidden):
    W, v, h = np.zeros((784, n_hidden), np.float32), np.zeros(784, np.float32), np.zeros(n_hidden, np.float32)
    return read_message(io.BytesIO(FilmRequest(W, v, h, "bernoulli", 100, np.ones(50), 0).message(1)))

def answer(request):
    answers = io.BytesIO()
    sampler_process._answer(*request, answers, set())
    answers.seek(0)
    while (message := read_message(answers)) is not None:
        last = message[0]
    return last

small, large = asked(50), asked(8000)
assert answer(small)["kind"] == "film"
bounded(8 << 20)
print(json.dumps([answer(large), answer(small)["kind"]]))
"""
    done = limited(script, tmp_path)
    assert done.returncode == 0, done.stderr
    error, then = json.loads(done.stdout)
    assert error["kind"] == "error"
    assert error["sentence"].startswith("there is not enough memory for this film: choose fewer")
    assert then == "film"


@pytest.mark.parametrize("words", WORDS)
def test_an_evaluation_without_memory_keeps_its_saved_state(
    tmp_path: Path, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train_small(tmp_path, dataset="bars-and-stripes", n_hidden=10, batch_size=10, epochs=5)
    with pytest.raises(Interrupted):
        evaluate(run, estimator="ais", betas=50, should_stop=lambda: True)
    (state,) = run.glob("evaluations/*/state.safetensors")
    before, whole = state.read_bytes(), BY_NAME["ais"]

    def resumed_and_failed(*given: object) -> None:
        given[2].saved()  # type: ignore[attr-defined]
        raise RuntimeError(words)

    monkeypatch.setitem(BY_NAME, "ais", resumed_and_failed)
    with pytest.raises(
        RunError, match="not enough memory for estimator 'ais' with 100 chains: ask for fewer"
    ):
        evaluate(run, estimator="ais", betas=50)
    assert state.read_bytes() == before
    monkeypatch.setitem(BY_NAME, "ais", whole)
    evaluate(run, estimator="ais", betas=50)
