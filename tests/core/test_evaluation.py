"""Evaluating a recorded run: the right number, nothing lost on interruption, nothing disturbed while it trains."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rbm_core.evaluation import Interrupted, evaluate, job
from rbm_core.evaluation.__main__ import main
from rbm_core.evaluation.estimators import BY_NAME, _reverse_starts
from rbm_core.evaluation.subject import load_subject
from rbm_core.likelihood.evidence import starts_of
from rbm_core.likelihood.exact import exact_log_z
from rbm_core.rbm import RBM
from rbm_core.runs import RunError, RunReader, inside
from rbm_core.runs.evaluation_record import (
    ESTIMATORS,
    evaluation_folder,
    evaluation_id,
    list_evaluations,
    read_evaluation,
)
from rbm_core.runs.files import hold_lock, read_tensors, tensor_bytes
from rbm_core.runs.past_models import PastModels, encode, past_models_file
from rbm_core.runs.snapshot import snapshot_file
from tests.live import REPO, until
from tests.robustness.damage import one_array_wrong, one_wrong
from tests.small_run import train_small


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """16 pixels and 10 hidden units: quick to judge, and small enough to enumerate. Every test has its own copy."""
    return train_small(tmp_path, dataset="bars-and-stripes", n_hidden=10, batch_size=10, epochs=40)


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """Grey images of 784 pixels, binarised by chance, and ten hidden units."""
    return train_small(tmp_path, "digits", n_hidden=10, epochs=1)


def last_row(run: Path) -> dict[str, Any]:
    return RunReader(run).likelihood()[-1]


@pytest.mark.slow
def test_annealing_and_counting_agree_on_a_recorded_run(digits: Path) -> None:
    run = digits
    exact = evaluate(run, estimator="exact")
    both = evaluate(run, estimator="bracket", betas=1000)
    snapshot = RunReader(run).snapshot(exact["step"])
    assert exact["log_z"] == pytest.approx(
        exact_log_z(RBM.from_numpy(snapshot.W, snapshot.vbias, snapshot.hbias))
    )
    assert both["trusted"], both["verdict"]
    assert abs(both["log_z"] - exact["log_z"]) < 4 * both["stderr"] + 0.02
    for part in ("train", "valid", "test"):
        shift = exact["log_z"] - both["log_z"]
        assert both[f"{part}_nats"] == pytest.approx(exact[f"{part}_nats"] + shift, abs=1e-6)
    assert -300 < exact["test_nats"] < -80
    assert last_row(run)["id"] == both["id"]
    assert [row["estimator"] for row in RunReader(run).likelihood()] == ["exact", "bracket"]
    assert (evaluation_folder(run, both["id"]) / "progress.json").read_text().count("\n") == 1


@pytest.mark.parametrize("estimator", ["ais", "reverse"])
def test_one_direction_alone_is_marked_unconfirmed(run: Path, estimator: str) -> None:
    row = evaluate(run, estimator=estimator, betas=100)
    assert row["trusted"] is None
    assert row["verdict"].startswith("Unconfirmed")


def test_fewer_particles_than_chains_are_repeated_and_no_start_of_another_origin_stands_among_them(
    tmp_path: Path,
) -> None:
    run = train_small(tmp_path, n_hidden=10, n_chains=50, updates=50)
    reader = RunReader(run)
    subject = load_subject(run, reader.snapshot(reader.snapshot_steps()[-1]), reader.config()["config"])
    particles = subject.particles()
    joined = _reverse_starts(subject, {"n_chains": 100, "seed": 3})
    common: dict[str, Any] = {"base": subject.base, "data": subject.cases["train"], "seed": 3}
    others = [starts_of(subject.rbm, origin, 50, **common) for origin in ("annealed", "data")]
    assert len(particles) == 50
    torch.testing.assert_close(
        joined, starts_of(subject.rbm, "particles", 100, particles=particles, **common)
    )
    rows = [{row.numpy().tobytes() for row in v.float()} for v in (joined, *others)]
    assert len(rows[0]) == 100, "the second use of a particle has random numbers of its own"
    assert not rows[0] & (rows[1] | rows[2])


@pytest.mark.parametrize("name", ["ladder", "trajectory"])
def test_the_ladder_agrees_with_counting_and_says_how_often_it_was_walked(run: Path, name: str) -> None:
    exact, ladder = evaluate(run, estimator="exact"), evaluate(run, estimator=name, n_chains=20)
    assert abs(ladder["log_z"] - exact["log_z"]) < 5 * ladder["stderr"]
    assert 0 < ladder["stderr"] < 0.5
    assert len(ladder["acceptance"]) == ladder["rungs"] - 1
    assert ladder["trusted"] is (ladder["round_trips"] >= 20)
    assert f"{ladder['round_trips']:,} walks" in ladder["verdict"]
    along = read_evaluation(evaluation_folder(run, ladder["id"])).get("along")  # type: ignore[union-attr]
    if name == "ladder":
        assert along is None, "temperatures are no steps of the training"
    else:
        assert len(along) == ladder["rungs"] - 1
        assert along[-1]["step"] == ladder["step"]
        assert along[-1]["log_z"] == pytest.approx(ladder["log_z"], abs=1e-3)
        assert [one["step"] for one in along] == sorted(one["step"] for one in along)


@pytest.mark.parametrize("kept", [True, False])
def test_the_trajectory_leads_through_the_kept_rungs_and_else_through_the_snapshots(
    run: Path, kept: bool
) -> None:
    reader = RunReader(run)
    steps, last = reader.snapshot_steps(), reader.snapshot(reader.snapshot_steps()[-1])
    if kept:
        W = np.stack([share * last.W for share in (0.0, 0.5)]).astype(np.float16)
        rungs = PastModels((0, 7), W, np.stack([last.vbias] * 2), np.stack([last.hbias] * 2))
        past_models_file(run).write_bytes(encode(rungs))
    assert past_models_file(run).exists() is kept
    with pytest.raises(Interrupted):
        evaluate(run, estimator="trajectory", n_chains=20, should_stop=lambda: True)
    (state,) = run.glob("evaluations/*/state.safetensors")
    assert read_tensors(state)[1]["steps"] == ([0, 7] if kept else steps[:-1])
    exact, row = evaluate(run, estimator="exact"), evaluate(run, estimator="trajectory", n_chains=20)
    assert abs(row["log_z"] - exact["log_z"]) < 5 * row["stderr"]


def test_more_rounds_are_asked_for_by_name_and_are_another_question(run: Path) -> None:
    short, long = (evaluate(run, estimator="ladder", n_chains=4, rounds=rounds) for rounds in (20, 60))
    assert main([str(run), "--estimator", "ladder", "--chains", "4", "--rounds", "20"]) == 0
    assert [row["settings"]["rounds"] for row in RunReader(run).likelihood()] == [20, 60, 20]
    assert long["round_trips"] > short["round_trips"]
    assert short["id"] != long["id"]
    assert last_row(run)["log_z"] == short["log_z"]
    # As rows written before the rounds could be chosen have it: the question of the default is still theirs.
    assert (
        evaluation_id(40, "ladder", {"seed": 0, "n_chains": 100, "rounds": 500})
        == "000000040-ladder-992bdb92"
    )


@pytest.mark.slow
def test_pseudo_likelihood_and_mixing_are_recorded_without_a_log_z(digits: Path) -> None:
    run = digits
    pseudo = evaluate(run, estimator="pseudo")
    assert pseudo["log_z"] is None
    assert -300 < pseudo["pseudo_test_nats"] < -50
    mixing = evaluate(run, estimator="mixing", sweeps_max=100, n_chains=40)
    assert mixing["autocorrelation_time"] >= 1
    folder = evaluation_folder(run, mixing["id"])
    curve = json.loads((folder / "progress.json").read_text())["curve"]
    assert [point["sweeps"] for point in curve] == [0, 1, 2, 5, 10, 20, 50, 100]
    assert mixing["moments_best"] == min(point["moments"] for point in curve) < curve[0]["moments"] / 2
    assert mixing["moments_end"] == curve[-1]["moments"]
    assert curve[0]["aa_synthetic"] > 0.7, "samples are still noise and do not resemble data"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("estimator", "options"),
    [
        ("bracket", {"betas": 3000}),
        ("mixing", {"sweeps_max": 500, "n_chains": 20}),
        ("trajectory", {"n_chains": 10}),
    ],
)
def test_an_interrupted_evaluation_goes_on_to_the_same_answer(
    run: Path, estimator: str, options: dict[str, Any]
) -> None:
    whole = evaluate(Path(shutil.copytree(run, run.parent / "whole")), estimator=estimator, **options)
    looks = 0

    def stop() -> bool:
        nonlocal looks
        looks += 1
        return looks in (2, 6, 9, 120, 260)

    for _ in range(9):
        try:
            row = evaluate(run, estimator=estimator, should_stop=stop, **options)
            break
        except Interrupted:
            progress = list_evaluations(run)[0]
            assert progress["state"] == "interrupted"
            assert (evaluation_folder(run, progress["id"]) / "state.safetensors").exists()
    compared = ("log_z", "stderr", "test_nats", "aa_truth", "aa_synthetic", "autocorrelation_time", "verdict")
    assert {key: row[key] for key in compared if key in row} == {
        key: whole[key] for key in compared if key in whole
    }
    assert looks > 9, "it was interrupted three times or more"
    assert len(RunReader(run).likelihood()) == 1
    assert not (evaluation_folder(run, row["id"]) / "state.safetensors").exists()


def test_a_saved_state_has_the_names_that_every_version_has_written(run: Path) -> None:
    for options in ({"betas": 50}, {"estimator": "mixing", "sweeps_max": 5, "n_chains": 4}):
        with pytest.raises(Interrupted):
            evaluate(run, should_stop=lambda: True, **options)  # type: ignore[arg-type]
    states = [read_tensors(file) for file in sorted(run.glob("evaluations/*/state.safetensors"))]
    (annealed, annealed_meta), (mixed, mixed_meta) = states
    assert "starts" in annealed
    assert all(name == "starts" or name.startswith("ais.") for name in annealed)
    assert set(annealed_meta) == {"stage", "annealing", "progress"}
    assert set(mixed) == {"v", "image0"}
    assert {key: mixed_meta[key] for key in ("sweeps", "next", "n_images")} == {
        "sweeps": 1,
        "next": 1,
        "n_images": 1,
    }


def test_every_estimator_that_is_offered_can_be_computed() -> None:
    assert list(BY_NAME) == list(ESTIMATORS)


def test_a_damaged_saved_state_is_computed_again(run: Path) -> None:
    with pytest.raises(Interrupted):
        evaluate(run, betas=500, should_stop=lambda: True)
    folder = evaluation_folder(run, list_evaluations(run)[0]["id"])
    (folder / "state.safetensors").write_bytes(b"half of it")
    assert evaluate(run, betas=500)["log_z"] is not None


def stopped_after(looks: int) -> Callable[[], bool]:
    """For should_stop: true at this look and at every one after it."""
    left = iter([False] * (looks - 1))
    return lambda: next(left, True)


QUICK: dict[str, dict[str, Any]] = {
    "ais": {"betas": 60, "n_chains": 2},
    "bracket": {"betas": 20, "n_chains": 4},
    "mixing": {"sweeps_max": 5, "n_chains": 4},
    "trajectory": {"n_chains": 2},
}
STATES = {
    "ais": 12,
    "bracket": 3,
    "mixing": 2,
    "trajectory": 2,
}  # that `make test` tries: as many as take a second


def test_a_state_saved_among_the_rounds_that_count_can_be_read(run: Path) -> None:
    with pytest.raises(Interrupted):
        evaluate(run, estimator="trajectory", should_stop=stopped_after(30), **QUICK["trajectory"])
    (file,) = run.glob("evaluations/*/state.safetensors")
    assert read_tensors(file)[1]["rounds"] == 300


def foreign_states(name: str, arrays: dict[str, Any], meta: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """(what is wrong, the content) of saved states with one thing in them that is not of this evaluation."""
    for what, spoilt in one_array_wrong(arrays):
        with suppress(ValueError, TypeError):  # what no file can hold
            yield what, tensor_bytes(spoilt, meta)
    for what, described in one_wrong(meta):
        yield what, tensor_bytes(arrays, described)
    yield "another file", tensor_bytes({"v": np.zeros(3, np.float32)}, {})
    yield "no more than 7", tensor_bytes({"v": np.zeros(3, np.float32)}, {"progress": 7})
    yield "of another question", tensor_bytes(arrays, {**meta, "progress": {**meta["progress"], "id": name}})


@pytest.mark.parametrize("name", QUICK)
def test_whatever_a_saved_state_holds_the_evaluation_is_finished(run: Path, name: str) -> None:
    with pytest.raises(Interrupted):
        evaluate(run, estimator=name, should_stop=stopped_after(2), **QUICK[name])
    (folder,) = (run / "evaluations").iterdir()
    state, before = folder / "state.safetensors", (folder / "progress.json").read_bytes()
    states = list(foreign_states(name, *read_tensors(state)))
    sample = 1 if os.environ.get("RBM_SOAK") else len(states) // STATES[name]
    for what, content in [*states[::sample], *states[-3:]]:
        state.write_bytes(content)
        (folder / "progress.json").write_bytes(before)
        began = time.process_time()
        try:
            row = evaluate(run, estimator=name, **QUICK[name])
        except Exception as error:
            raise AssertionError(what) from error
        assert row["verdict"], what
        assert not state.exists(), what
        assert time.process_time() - began < 60, f"{what}: it works on what was never asked"


def test_a_damaged_progress_does_not_keep_an_evaluation_from_going_on(run: Path) -> None:
    with pytest.raises(Interrupted):
        evaluate(run, betas=50, should_stop=lambda: True)
    (folder,) = (run / "evaluations").iterdir()
    for content in (b"", b"{}", b"[1]", b'{"state": "finished"}'):
        (folder / "progress.json").write_bytes(content)
        with pytest.raises(Interrupted):
            evaluate(run, betas=50, should_stop=lambda: True)
        assert (read_evaluation(folder) or {})["state"] == "interrupted"


def states_of(run: Path) -> list[str]:
    return sorted(one["state"] for one in list_evaluations(run))


@pytest.mark.parametrize("name", ["exact", "mixing", "bracket"])
def test_asking_again_keeps_the_answer_until_there_is_another(run: Path, name: str) -> None:
    options = QUICK.get(name, {})
    evaluate(run, estimator=name, **options)
    (folder,) = (run / "evaluations").iterdir()
    answer = (folder / "progress.json").read_bytes()
    seen = []
    with pytest.raises(Interrupted):
        evaluate(
            run,
            estimator=name,
            should_stop=lambda: True,
            on_progress=lambda progress: seen.append(states_of(run)),
            **options,
        )
    assert seen[0] == ["finished", "running"]
    assert states_of(run) == ["finished", "interrupted"]
    assert (folder / "progress.json").read_bytes() == answer
    evaluate(run, estimator=name, **options)
    assert states_of(run) == ["finished"]
    assert (folder / "progress.json").read_bytes() != answer
    assert {file.name for file in folder.iterdir()} <= {"progress.json", "samples.safetensors", "run.lock"}
    assert len(RunReader(run).likelihood()) == 2


class Killed(BaseException):
    """No handler of the evaluation catches it, as none runs in a process that is killed."""


def test_a_kill_at_any_write_of_an_evaluation_asked_again_leaves_an_answer(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(run, estimator="ais", betas=10, n_chains=2)
    (folder,) = (run / "evaluations").iterdir()

    def changes(most: float) -> int:
        """How many files the evaluation wrote and removed when it was killed at that many."""
        made = 0

        def counted(call: Callable[..., object]) -> Callable[..., object]:
            def change(*given: Any, **named: Any) -> object:
                nonlocal made
                if made >= most:
                    raise Killed
                made += 1
                return call(*given, **named)

            return change

        with monkeypatch.context() as patch, suppress(Killed):
            for module, name in ((job, "write_json"), (job, "write_bytes"), (inside, "remove")):
                patch.setattr(module, name, counted(getattr(module, name)))
            for name in ("SAVE_S", "SHOW_S"):
                patch.setattr(job, name, 0.0)
            evaluate(run, estimator="ais", betas=10, n_chains=2)
        return made

    end = changes(math.inf)
    assert end > 20
    for at in (0, 1, 2, 3, end // 2, *range(end - 6, end)):
        assert changes(at) == at
        assert "finished" in states_of(run)
        assert (read_evaluation(folder) or {})["state"] == "finished"
        evaluate(run, estimator="ais", betas=10, n_chains=2)
        assert states_of(run) == ["finished"]


@pytest.mark.parametrize("name", ["exact", "pseudo", "mixing", "ais"])
def test_an_answer_is_recorded_once_though_its_process_is_killed_before_it_says_so(
    run: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = QUICK.get(name, {})

    def killed(*_: object) -> None:
        raise Killed

    for asked in (1, 2):
        for _ in range(2):
            with monkeypatch.context() as patch:
                patch.setattr(job.Job, "end", killed)
                with pytest.raises(Killed):
                    evaluate(run, estimator=name, **options)
            assert len(RunReader(run).likelihood()) == asked
        row = evaluate(run, estimator=name, **options)
        assert len(RunReader(run).likelihood()) == asked
        assert last_row(run)["id"] == row["id"]
        assert states_of(run) == ["finished"]


@pytest.mark.slow
def test_a_killed_process_leaves_an_evaluation_that_goes_on(run: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "rbm_core.evaluation",
        str(run),
        "--temperatures",
        "200000",
        "--chains",
        "50",
    ]
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    process = subprocess.Popen(command, cwd=REPO, env=environment)
    until(lambda: any(one.get("done", 0) > 0 for one in list_evaluations(run)), 300, "it annealed")
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 130
    (progress,) = list_evaluations(run)
    assert progress["state"] == "interrupted"
    assert RunReader(run).likelihood() == []
    again = subprocess.Popen(command, cwd=REPO, env=environment)
    folder = evaluation_folder(run, progress["id"])
    until(lambda: (read_evaluation(folder) or {}).get("done", 0) > progress["done"], 300, "it went on")
    again.kill()
    again.wait()
    after = read_evaluation(folder)
    assert after is not None
    assert after["state"] == "interrupted"
    assert after["done"] > progress["done"] > 0


def test_an_interrupted_evaluation_goes_on_though_its_snapshot_is_thinned_out_meanwhile(run: Path) -> None:
    step = RunReader(run).snapshot_steps()[1]
    with pytest.raises(Interrupted):
        evaluate(run, step=step, betas=300, should_stop=lambda: True)
    (folder,) = (run / "evaluations").iterdir()
    snapshot_file(run, step).unlink()
    row = evaluate(run, step=step, betas=300)
    assert row["step"] == step
    assert row["id"] == folder.name
    assert not (folder / "snapshot.safetensors").exists(), "a finished one needs it no more"
    with pytest.raises(RunError, match=f"no snapshot at step {step}"):
        evaluate(run, step=step, betas=301)


def test_the_same_question_is_not_worked_on_twice_at_once(run: Path) -> None:
    with pytest.raises(Interrupted):
        evaluate(run, betas=50, should_stop=lambda: True)
    folder = evaluation_folder(run, list_evaluations(run)[0]["id"])
    lock = hold_lock(folder)
    assert lock is not None
    try:
        with pytest.raises(RunError, match="already under way"):
            evaluate(run, betas=50)
    finally:
        lock.release()


def test_evaluating_holds_no_lock_of_the_run_and_changes_none_of_its_files(run: Path) -> None:
    lock = hold_lock(run)  # as a trainer does for life
    assert lock is not None
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    try:
        evaluate(run, betas=50)
    finally:
        lock.release()
    assert {p: p.read_bytes() for p in before} == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"estimator": "guess"}, "no estimator 'guess'; there are: bracket"),
        ({"step": 999}, "no snapshot at step 999"),
        ({"n_chains": 1}, "n_chains must be at least 2"),
        ({"estimator": "mixing", "n_chains": 0}, "n_chains must be at least 2 and at most 10,000, got 0"),
        ({"estimator": "mixing", "n_chains": 10**9}, "got 1,000,000,000"),
        ({"estimator": "mixing", "sweeps_max": 0}, "sweeps must be 1 to 1,000,000,000, got 0"),
        ({"estimator": "ladder", "rounds": 9}, "rounds must be 10 to 50,000 with 100 chains, got 9"),
        (
            {"estimator": "trajectory", "rounds": 60_000},
            "rounds must be 10 to 50,000 with 100 chains, got 60,000",
        ),
        ({"estimator": "pseudo", "seed": -1}, "seed must lie in 0 … 2.64 − 1, got -1"),
        ({"betas": 0}, "must lie in 1 … 10,000,000, got 0"),
        ({"betas": "fast"}, "got 'fast'"),
    ],
)
def test_a_wrong_question_gets_one_sentence(run: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(run, **options)
    assert list_evaluations(run) == []


def test_the_process_answers_a_wrong_question_on_one_line(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(run), "--estimator", "guess"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.slow
def test_thresholded_and_gaussian_runs_are_evaluated_on_their_own_terms(tmp_path: Path) -> None:
    threshold = train_small(tmp_path, "threshold", n_hidden=8, epochs=1, binarisation="threshold")
    assert evaluate(threshold, estimator="exact")["binarisation"] == "threshold"
    gaussian = train_small(
        tmp_path, "gaussian", n_hidden=8, epochs=1, visible="gaussian", learning_rate=0.001
    )
    exact = evaluate(gaussian, estimator="exact")
    both = evaluate(gaussian, betas=500)
    assert exact["binarisation"] == "none"
    assert np.isfinite(exact["test_nats"])
    assert abs(both["log_z"] - exact["log_z"]) < 4 * both["stderr"] + 0.05
