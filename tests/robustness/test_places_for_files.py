"""Where a command is told to write: among the files of a run, where a store is a file, to a screen without width."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rbm_core.cli import main
from rbm_core.runs import RunError, store
from tests.core.run_record import CONFIG
from tests.live import REPO
from tests.small_run import train_small


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    train_small(root, "bars", dataset="bars-and-stripes", n_hidden=8, n_valid=0, epochs=1)
    return root


@pytest.mark.parametrize(
    "name",
    [
        *(
            "probe.safetensors",
            "resume.safetensors",
            "snapshots/000000000.safetensors",
            "new.npz",
            "a.zip",
            "a.png",
        ),
        *("evaluations/000000000-exact-01234567/state.safetensors", "a link.safetensors"),
    ],
)
def test_nothing_is_exported_among_the_files_of_a_run(
    runs: Path, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = runs / "bars" / name
    if name.startswith("evaluations"):
        out.parent.mkdir(parents=True)
    if name == "a link.safetensors":
        out = tmp_path / name
        out.symlink_to(runs / "bars" / "resume.safetensors")
    before = {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()}
    commands = ["export", "sample"] if name.endswith(".png") else ["export"]
    for command in commands:
        assert main([command, "bars", "--out", str(out), "--runs", str(runs)]) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert said.endswith("there are the files of run 'bars'; name another folder")
    assert {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_store_that_is_a_file_is_named_in_a_sentence(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RunError, match=r"file.* is no folder, so it holds no runs; name another with --runs"):
        store.create_run(tmp_path / "file" / below, "made", CONFIG)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("columns", ["0", "00", "x", ""])
def test_a_screen_of_no_width_is_written_to(runs: Path, columns: str) -> None:
    command = [sys.executable, "-m", "rbm_core", "runs", "--runs", str(runs)]
    done = subprocess.run(
        command, env={**os.environ, "COLUMNS": columns}, cwd=REPO, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "bars" in done.stdout
