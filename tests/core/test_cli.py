"""The command line does what its help says, and answers mistakes in one line with exit code 2."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rbm_core import doctor
from rbm_core.cli import app, main
from rbm_core.datasets import load
from rbm_core.machine import QUIET
from rbm_core.rbm import RBM
from rbm_core.runs import store
from rbm_core.runs.reader import RunReader

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"
TINY = ["--preset", "quick", "--dataset", "bars-and-stripes", "--n-hidden", "8", "--epochs", "30"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that the command line trained, the original of every test's copy."""
    root = tmp_path_factory.mktemp("runs")
    assert main(["train", *TINY, "--name", "bars", "--set", "n_chains=20", "--runs", str(root)]) == 0
    return root / "bars"


@pytest.fixture
def run(trained: Path, runs_root: Path) -> str:
    shutil.copytree(trained, runs_root / trained.name)
    return trained.name


def test_train_leaves_a_finished_run_with_the_settings_asked_for(run: str, runs_root: Path) -> None:
    reader = RunReader(store.resolve(runs_root, run))
    assert reader.status()["state"] == "finished"
    config = reader.config()["config"]
    assert (config["n_hidden"], config["n_chains"], config["epochs"]) == (8, 20, 30)
    assert reader.metrics()["step"][-1] == 30


def test_sample_writes_a_grid_of_the_chains_asked_for(run: str, tmp_path: Path) -> None:
    out = tmp_path / "grid.png"
    assert main(["sample", run, "--chains", "9", "--sweeps", "3", "--states", "--out", str(out)]) == 0
    grid = np.asarray(Image.open(out))
    assert grid.shape == (3 * 5 + 1, 3 * 5 + 1)  # 4 × 4 tiles, one grey pixel apart
    assert set(np.unique(grid)) <= {0, 128, 255}
    again = tmp_path / "again.png"
    assert main(["sample", run, "--chains", "9", "--sweeps", "3", "--states", "--out", str(again)]) == 0
    assert again.read_bytes() == out.read_bytes()


@pytest.mark.parametrize("start", ["gaussian", "data", "particles"])
def test_sample_starts_where_it_is_asked_to(run: str, tmp_path: Path, start: str) -> None:
    out = tmp_path / f"{start}.png"
    assert main(["sample", run, "--chains", "4", "--sweeps", "1", "--start", start, "--out", str(out)]) == 0
    assert out.is_file()


def test_a_gaussian_model_is_sampled_in_grey_values_of_its_data(runs_root: Path, tmp_path: Path) -> None:
    arguments = ["--set", "visible=gaussian", "--learning-rate", "0.001", "--name", "grey"]
    assert main(["train", *TINY, *arguments]) == 0
    out = tmp_path / "grey.png"
    assert (
        main(["sample", "grey", "--chains", "400", "--sweeps", "1", "--start", "data", "--out", str(out)])
        == 0
    )
    grid = np.asarray(Image.open(out))
    pixels = np.delete(np.delete(grid, np.s_[::5], 0), np.s_[::5], 1)
    # An almost untrained model gives back the data's mean, one half; standardised it would be 0, black.
    assert abs(pixels.mean() / 255 - 0.5) < 0.05


def test_export_writes_the_parameters_of_the_snapshot(run: str, runs_root: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.npz"
    assert main(["export", run, "--step", "0", "--out", str(out)]) == 0
    with np.load(out) as arrays:
        expected = RunReader(store.resolve(runs_root, run)).snapshot(0)
        np.testing.assert_array_equal(arrays["W"], expected.W)
        assert set(arrays) == {"W", "vbias", "hbias"}


def test_export_of_a_gaussian_run_says_how_its_pixels_were_scaled(runs_root: Path, tmp_path: Path) -> None:
    settings = [
        "--dataset",
        "bars-and-stripes",
        "--n-hidden",
        "4",
        "--epochs",
        "2",
        "--set",
        "visible=gaussian",
    ]
    assert main(["train", "--preset", "quick", *settings, "--name", "grey"]) == 0
    out = tmp_path / "grey.npz"
    assert main(["export", "grey", "--out", str(out)]) == 0
    with np.load(out) as arrays:
        assert set(arrays) == {"W", "vbias", "hbias", "pixel_mean", "pixel_std"}
        np.testing.assert_allclose(arrays["pixel_mean"], load("bars-and-stripes").train.mean(0), atol=1e-6)


def test_runs_lists_every_run_with_its_state(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(run))
    assert "finished" in line
    assert "bars-and-stripes" in line


def test_evaluate_appends_the_exact_likelihood_of_a_small_model(run: str, runs_root: Path) -> None:
    assert main(["evaluate", run, "--estimator", "exact"]) == 0
    reader = RunReader(store.resolve(runs_root, run))
    (row,) = reader.likelihood()
    snapshot = reader.snapshot(30)
    rbm = RBM.from_numpy(snapshot.W, snapshot.vbias, snapshot.hbias, dtype=torch.float64)
    images = (np.arange(2**16)[:, None] >> np.arange(16)) & 1
    log_z = float(torch.logsumexp(-rbm.free_energy(torch.tensor(images, dtype=torch.float64)), 0))
    train = torch.tensor(load("bars-and-stripes").train, dtype=torch.float64)
    assert row["log_z"] == pytest.approx(log_z, abs=1e-4)
    assert row["train_nats"] == pytest.approx(float(-rbm.free_energy(train).mean()) - log_z, abs=1e-3)


def test_doctor_prints_what_was_found_at_the_step_asked_for(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", run]) == 0
    assert capsys.readouterr().out.startswith("Run bars, step 30: 1 to look at; ")
    assert main(["doctor", "mnist-default", "--step", "107", "--runs", str(CHECKPOINTS)]) == 0
    assert capsys.readouterr().out.startswith(
        "Run mnist-default, step 107: too early to say; The checks begin"
    )
    assert main(["doctor", "mnist-default", "--step", "4904", "--runs", str(CHECKPOINTS)]) == 0
    lines = capsys.readouterr().out.splitlines()
    record = doctor.record_of(RunReader(CHECKPOINTS / "mnist-default"), 4904)
    headline, *rest = doctor.report(doctor.examine(record))
    assert lines == [f"Run mnist-default, step 4,904: {headline}", *rest]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "--learning-rate", "-1"], "learning_rate must be greater than 0, got -1"),
        (["train", "--n-hidden", "0"], "n_hidden must be at least 1, got 0"),
        (["train", "--preset", "best-ever"], "there is no preset 'best-ever'; the presets are: "),
        (["train", "--set", "momentum"], "--set takes NAME=VALUE, got 'momentum'"),
        (["train", "--set", "speed=9"], "there is no setting 'speed'; did you mean seed?"),
        (["train", "--set", "rate=9"], "there is no setting 'rate'; "),
        (["train", "--set", "zzz=9"], "there is no setting 'zzz'; 'train --help' lists them all"),
        (["train", "--dataset", "no/such/folder"], "no dataset 'no/such/folder'"),
        (["train", "--device", "abacus"], "device must be auto, cpu, cuda or cuda:N, got 'abacus'"),
        (["train", "--epochs", "many"], "--epochs"),
        (["train", "--resume", "ghost"], "no run 'ghost'"),
        (["train", *TINY, "--name", "../escape"], "'../escape'"),
        (["sample", "ghost"], "no run 'ghost'"),
        (
            ["sample", "bars", "--start", "tea"],
            "--start must be noise, gaussian, data or particles, got 'tea'",
        ),
        (["sample", "bars", "--chains", "0"], "--chains"),
        (["sample", "bars", "--step", "7777"], "7,?777"),
        (["export", "bars", "--out", "model.exe"], "--out must end in .npz, .safetensors, .*got 'model.exe'"),
        (
            ["evaluate", "bars", "--estimator", "crystal-ball"],
            "no estimator 'crystal-ball'; there are: bracket",
        ),
        (["evaluate", "bars", "--chains", "1"], "n_chains must be at least 2"),
        (
            ["evaluate", "bars", "--estimator", "mixing", "--chains", "0"],
            "n_chains must be at least 2 .*got 0",
        ),
        (["evaluate", "bars", "--estimator", "mixing", "--sweeps", "-5"], "--sweeps"),
        (["evaluate", "bars", "--temperatures", "-5"], "got '-5'"),
        (["evaluate", "bars", "--temperatures", "²"], "got '²'"),
        (["evaluate", "bars", "--seed", str(2**64)], "seed must lie in 0"),
        (["evaluate", "bars", "--precision", "float8"], "precision must be auto"),
        (["evaluate", "bars", "--snapshot", "99"], "99"),
        (["doctor", "ghost"], "no run 'ghost'"),
        (["doctor", "bars", "--step", "99"], "no snapshot at step 99"),
        (["fly"], "No such command 'fly'"),
    ],
)
def test_a_mistake_gets_one_line_on_stderr_and_exit_code_2(
    run: str, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], runs_root: Path
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert re.search(said, captured.err.replace("\n", " "))
    assert captured.err.count("Error") == 1
    assert "Traceback" not in captured.err
    assert [p.name for p in runs_root.iterdir() if not p.name.startswith(".")] == [
        "bars"
    ]  # nothing half-made


def test_every_command_has_help_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    names = [command.name or command.callback.__name__ for command in app.registered_commands]  # type: ignore[union-attr]
    assert names == ["train", "sweep", "sample", "runs", "import", "export", "evaluate", "doctor"]
    for name in names:
        assert main([name, "--help"]) == 0
        shown = capsys.readouterr().out
        assert f"python -m rbm_core {name}" in shown, f"{name} --help shows no example"


def test_the_readme_documents_every_command() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    for command in app.registered_commands:
        name = command.name or command.callback.__name__  # type: ignore[union-attr]
        assert f"python -m rbm_core {name}" in readme, f"README does not show {name}"


def test_threads_of_a_command_sleep_while_they_wait_unless_a_person_says_otherwise(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    assert main(["runs"]) == 0
    assert (os.environ["OMP_WAIT_POLICY"], os.environ["GOMP_SPINCOUNT"]) == ("active", "0")
    assert QUIET["OMP_WAIT_POLICY"] == "passive"


def test_a_command_loads_torch_only_when_it_runs() -> None:
    """What it says of threads must be said before torch is loaded."""
    code = "import sys, rbm_core.cli; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
