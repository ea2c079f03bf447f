"""A sweep trains every combination once, goes on where it stopped, and refuses a bad grid in one sentence."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rbm_core import cli
from rbm_core.config import ConfigError
from rbm_core.runs import RunReader, control, list_runs
from rbm_core.runs.notes import read_notes
from rbm_core.sweeps import points
from tests.live import REPO, until

SMALL = [
    "--dataset",
    "bars-and-stripes",
    "--set",
    "n_hidden=6",
    "--set",
    "n_valid=0",
    "--set",
    "precision=float32",
]


def sweep(*arguments: str) -> int:
    return cli.main(["sweep", *SMALL, *arguments])


def test_points_are_the_product_of_the_grid_in_its_order() -> None:
    found = points("quick", {"n_hidden": 7}, {"learning_rate": ["0.05", "0.1"], "k": ["1", "5"]}, "mine")
    assert [p.name for p in found] == ["mine-1", "mine-2", "mine-3", "mine-4"]
    assert [(p.config.learning_rate, p.config.k) for p in found] == [(0.05, 1), (0.05, 5), (0.1, 1), (0.1, 5)]
    assert found[3].tags == ("learning_rate=0.1", "k=5")
    assert {p.config.n_hidden for p in found} == {7}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--grid", "colour=1,2"], "there is no setting 'colour'"),
        (["--grid", "k=1,none"], "k: "),
        (["--grid", "k=0,1"], "k must be at least 1, got '0'"),
        (["--grid", "k=1,1"], "the grid has the same settings twice: k=1 and k=1"),
        (["--grid", "learning_rate=0.1,1e-1"], "the same settings twice"),
        (["--grid", "k"], "--grid takes NAME=VALUE,VALUE…, got 'k'"),
        (["--grid", "k=1,,5"], "--grid takes NAME=VALUE,VALUE…"),
        (["--grid", "k=1", "--grid", "k=5"], "--grid k is given twice"),
        (["--grid", "n_hidden=4,5"], "n_hidden is both fixed and in the grid"),
        (["--grid", "k=1", "--jobs", "0"], "greater than or equal to 1"),
        (["--grid", "k=1", "--preset", "none"], "there is no preset 'none'"),
        (["--grid", "k=1", "--name", "../x"], "a run cannot be called '../x'"),
        (["--grid", "dataset=nowhere"], "both fixed"),
        ([], "grid"),
    ],
)
def test_a_bad_sweep_is_refused_in_one_sentence_and_makes_nothing(
    runs_root: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert sweep(*arguments) == 2
    said = capsys.readouterr().err.strip()
    assert sentence in said
    assert "\n" not in said
    assert list(runs_root.iterdir()) == []


def test_a_grid_of_more_runs_than_anybody_waits_for_is_refused_at_once() -> None:
    thousand = [str(n) for n in range(1, 1001)]
    with pytest.raises(ConfigError, match="at most 1,000 runs, and this grid has 1,000,000,000 combinations"):
        points("quick", {}, {"k": thousand, "seed": thousand, "batch_size": thousand}, "many")


def test_a_grid_without_values_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs a --grid"):
        points("quick", {}, {}, "x")


@pytest.mark.slow
def test_a_sweep_trains_each_run_with_its_tags_and_a_second_call_trains_none(
    runs_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = ["--set", "updates=12", "--grid", "k=1,2", "--jobs", "2", "--name", "two"]
    assert sweep(*wanted) == 0
    runs = {info.name: info for info in list_runs(runs_root)}
    assert {name: info.state for name, info in runs.items()} == {"two-1": "finished", "two-2": "finished"}
    assert read_notes(runs_root / "two-2").tags == ("two", "k=2")
    before = (runs_root / "two-1" / "metrics.jsonl").stat().st_mtime_ns
    capsys.readouterr()
    assert sweep(*wanted) == 0
    assert (runs_root / "two-1" / "metrics.jsonl").stat().st_mtime_ns == before
    assert "2 of 2 runs finished" in capsys.readouterr().err
    assert sweep("--set", "updates=13", "--grid", "k=1,2", "--name", "two") == 2
    assert "already a run 'two-1' with updates 12 and not 13" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="sends an interrupt as a terminal does")
def test_after_an_interrupt_the_same_command_goes_on(
    runs_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-m", "rbm_core", "sweep", *SMALL, "--set", "updates=1000"]
    command += ["--grid", "k=1,2", "--name", "long"]
    process = subprocess.Popen(command, cwd=REPO, stderr=subprocess.PIPE, text=True)
    first, second = (RunReader(runs_root / name) for name in ("long-1", "long-2"))
    until(lambda: first.path.exists() and first.status()["pid"], 60, "the first run does not begin")
    control.send(first.path, "step", {"n": 7})
    until(lambda: first.status()["state"] == "paused", 60, "the first run does not train")
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 130, said
    assert "goes on from here" in said
    assert first.status()["state"] == "stopped"
    assert not second.path.exists(), "a run was begun after the interrupt"
    assert cli.main(command[3:]) == 0
    assert "long-1 (k=1): goes on." in capsys.readouterr().err
    for reader in (first, second):
        assert (reader.status()["state"], reader.status()["step"]) == ("finished", 1000)
    begun_at = [event["step"] for event in first.events() if event["command"] in ("start", "continue")]
    assert begun_at == [0, 7]
