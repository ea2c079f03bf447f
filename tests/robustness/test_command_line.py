"""The command line answers whatever it is given in lines of text: no markup, no traceback, no file half made."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbm_core.cli import main
from rbm_core.runs.reader import RunReader
from rbm_core.runs.recorder import Recorder
from tests.live import REPO
from tests.robustness.damage import one_sentence
from tests.small_run import train_small

COMMANDS = ("train", "sample", "runs", "export", "evaluate", "doctor")
TINY = ["--preset", "quick", "--dataset", "bars-and-stripes", "--n-hidden", "8", "--epochs", "2"]
STRANGE = [
    "[/bold]",
    "[link=https://example.org]x[/link]",
    "x" * 5000,
    "\udcff",
    "\x1b[2J",
    "a\nb",
    "\u202e",
    "",
]


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the command line that no test changes."""
    root = tmp_path_factory.mktemp("runs")
    assert main(["train", *TINY, "--name", "bars", "--runs", str(root)]) == 0
    return root / "bars"


@pytest.fixture
def own(bars: Path, runs_root: Path) -> Path:
    """A copy of it for the test to change."""
    shutil.copytree(bars, runs_root / "bars")
    return runs_root / "bars"


def said(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert "Traceback" not in captured.out + captured.err
    return captured.err


@pytest.mark.parametrize("text", STRANGE)
@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("train", "runs")])
def test_a_name_that_is_none_costs_one_line(
    own: Path, command: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, text]) in (1, 2)
    assert said(capsys).startswith("Error: ")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("ending", [".npz", ".csv", ".zip", ".html", ".png", ".gif"])
def test_nothing_is_written_into_a_pipe_whose_reader_may_never_come(
    own: Path, ending: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / f"out{ending}")
    for command in ("export", "sample") if ending == ".png" else ("export",):
        assert main([command, "bars", "--out", str(tmp_path / f"out{ending}")]) == 2
        assert "it is a pipe or a device; name a file" in " ".join(said(capsys).split())


@pytest.mark.parametrize("text", STRANGE)
def test_a_place_that_is_none_costs_one_line_and_leaves_nothing(
    own: Path, text: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for arguments in (
        ["train", *TINY, "--name", text or "-"],
        ["train", *TINY, "--dataset", text],
        ["train", *TINY, "--set", f"device={text}"],
        ["sample", "bars", "--sweeps", "1", "--out", str(tmp_path / "none" / f"{text}.png")],
        ["sample", "bars", "--start", text],
        ["export", "bars", "--out", str(tmp_path / "none" / f"{text}.npz")],
        ["evaluate", "bars", "--precision", text],
        ["evaluate", "bars", "--temperatures", text],
    ):
        assert main(arguments) in (1, 2), arguments
        assert said(capsys).count("Error: ") == 1
    assert [path.name for path in own.parent.iterdir()] == ["bars"]
    assert not (own / "evaluations").exists(), "a refused question leaves a folder"


def test_a_store_with_brackets_and_controls_in_its_name_is_printed_as_it_is(
    bars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "[bold]runs[/bold] \x1b[31m"
    shutil.copytree(bars, store / "bars")
    described = json.loads((store / "bars" / "config.json").read_text())
    described["config"]["dataset"] = "/data/[/red]\x1b]0;title\x07"
    (store / "bars" / "config.json").write_text(json.dumps(described))
    assert main(["runs", "--runs", str(store)]) == 0
    listed = capsys.readouterr().out
    assert "/data/[/red]" in listed
    assert "\x1b" not in listed
    assert main(["train", *TINY, "--name", "new", "--runs", str(store)]) == 0
    assert "[bold]runs[/bold]" in capsys.readouterr().err


def test_damaged_runs_are_a_line_each_in_the_list(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for n in range(5):
        (own.parent / f"broken-{n}").mkdir()
        (own.parent / f"broken-{n}" / "status.json").write_text("{" * 500)
    assert main(["runs"]) == 0
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 1 + 6
    assert len(captured.err.splitlines()) == 5


@pytest.mark.parametrize("command", COMMANDS)
def test_an_error_that_nobody_thought_of_is_one_line_and_exit_1(
    own: Path, command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a [bug]\nof two lines")

    monkeypatch.setattr("rbm_core.runs.store.resolve", broken)
    monkeypatch.setattr("rbm_core.runs.store.list_runs", broken)
    monkeypatch.setattr("rbm_core.runs.store.create_run", broken)
    arguments = [command, *({"train": TINY, "runs": []}.get(command, ["bars"]))]
    assert main(arguments) == 1
    assert said(capsys) == (
        "Error: ZeroDivisionError: a [bug] of two lines; python -m rbm_core --traceback … shows where\n"
    )
    assert main(["--traceback", *arguments]) == 1
    assert "in broken" in capsys.readouterr().err


def test_what_can_be_refused_is_refused_before_anything_is_written(
    own: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as environment:
        environment.setenv("RBM_PRECISION", "nonsense")
        assert main(["train", *TINY, "--name", "new"]) == 2
        assert "RBM_PRECISION must be int16, differences, float32 or bfloat16, got 'nonsense'" in said(capsys)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "one.png").write_bytes(b"no picture")
    assert main(["train", *TINY, "--dataset", str(tmp_path / "images"), "--name", "new"]) == 2
    assert main(["sample", "bars", "--sweeps", "1", "--out", str(tmp_path / "x.txt")]) == 2
    assert "--out must end in .png" in said(capsys)
    assert not (tmp_path / "x.txt").exists()
    assert [path.name for path in own.parent.iterdir()] == ["bars"]
    for endless in (
        ["sample", "bars", "--sweeps", "9" * 25, "--out", str(tmp_path / "x.png")],
        ["evaluate", "bars", "--estimator", "mixing", "--sweeps", "9" * 16],
        ["train", *TINY, "--updates-per-second", "1e-300"],
    ):
        assert main(endless) == 2, endless
        assert one_sentence(said(capsys).strip().splitlines()[-1])
    assert main(["train", *TINY, "--set", "n_hidden=9"]) == 2
    assert "n_hidden is given twice, by --set and by its own option" in said(capsys)
    assert [path.name for path in own.parent.iterdir()] == ["bars"]


def test_exact_on_a_large_model_and_a_damaged_record_are_refused_before_the_work(
    runs_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train_small(runs_root, "large", dataset="digits-8", n_hidden=40, epochs=1)
    assert main(["evaluate", "large", "--estimator", "exact"]) == 2
    assert "at most 28 units" in said(capsys)
    (run / "likelihood.jsonl").write_text("nonsense\n")
    assert main(["evaluate", "large", "--estimator", "pseudo"]) == 2
    assert "likelihood.jsonl of run 'large' is damaged at line 1" in said(capsys)
    assert not (run / "evaluations").exists()


def test_a_newer_schema_and_a_damaged_description_are_refused_by_every_command(
    own: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    whole = (own / "config.json").read_text()
    newer = json.dumps({**json.loads(whole), "schema": 2})
    for content, words in ((newer, "newer version"), (whole[:50], "config.json of run 'bars' is damaged")):
        (own / "config.json").write_text(content)
        for arguments in (
            ["export", "bars", "--out", str(tmp_path / "model.npz")],
            ["sample", "bars", "--sweeps", "1", "--out", str(tmp_path / "x.png")],
            ["evaluate", "bars"],
            ["doctor", "bars"],
            ["train", "--resume", "bars"],
        ):
            assert main(arguments) == 2, arguments
            assert words in said(capsys), arguments
    assert list(tmp_path.glob("*.*")) == []


def test_resuming_with_a_damaged_saved_state_changes_nothing(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = (own / "resume.safetensors").read_bytes()
    for state in ("finished", "stopped"):
        Recorder(own).write_status({**RunReader(own).status(), "state": state})
        for content in (saved[:-100], b"", b"\0" * 100, saved.replace(b"seconds", b"secundo")):
            (own / "resume.safetensors").write_bytes(content)
            before = (own / "status.json").read_bytes()
            assert main(["train", "--resume", "bars"]) == 2
            words = (
                "is finished; to train on"
                if state == "finished"
                else "start a new run from its last snapshot"
            )
            assert words in said(capsys)
            assert (own / "status.json").read_bytes() == before


def test_sentences_begin_with_a_name_as_it_is_written() -> None:
    from rbm_core.runs.files import sentence

    assert sentence("metrics.jsonl of run 'x' is damaged") == "metrics.jsonl of run 'x' is damaged."
    assert sentence("n_hidden must be at least 1, got 0") == "n_hidden must be at least 1, got 0."
    assert sentence("momentum must be less than 1") == "momentum must be less than 1."
    assert sentence("--out must end in .png") == "--out must end in .png."
    assert sentence("the disk is full: free some") == "The disk is full: free some."


def test_counts_of_one_are_in_the_singular(
    own: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["sample", "bars", "--chains", "1", "--sweeps", "1", "--out", str(tmp_path / "x.png")]) == 0
    assert "1 chain after 1 sweep," in capsys.readouterr().out


@pytest.mark.slow
def test_a_terminal_without_unicode_and_one_that_is_gone_get_no_traceback(own: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "rbm_core", "doctor", "bars"]
    told = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True)
    assert (told.returncode, "Traceback" in told.stderr) == (0, False), told.stderr
    for n in range(300):
        shutil.copytree(own, own.parent / f"copy-{n}")
    piped = f"{sys.executable} -m rbm_core runs | head -1"
    told = subprocess.run(piped, shell=True, cwd=REPO, env=environment, capture_output=True, text=True)
    assert "Traceback" not in told.stderr
    assert "BrokenPipe" not in told.stderr


words = st.one_of(
    st.sampled_from(
        [
            "--step",
            "--seed",
            "--out",
            "--runs",
            "--chains",
            "--sweeps",
            "--start",
            "--name",
            "--set",
            "--estimator",
            "--grid",
            "--dataset",
            "--preset",
            "--epochs",
        ]
    ),
    st.sampled_from(
        ["bars", "[bold]", "0", "-1", "1e999", "nan", str(10**30), "x=y", "--", "", "exact", "--help"]
    ),
    st.text(alphabet=st.characters(exclude_characters="\0"), max_size=12),
)


@settings(max_examples=60 if "RBM_SOAK" not in os.environ else 1500)
@given(st.sampled_from((*COMMANDS, "import", "sweep")), st.lists(words, max_size=5))
def test_whatever_options_are_given_the_answer_is_lines_of_text(
    bars: Path, tmp_path_factory: pytest.TempPathFactory, command: str, options: list[str]
) -> None:
    place = tmp_path_factory.getbasetemp()
    cheap = {
        "evaluate": ["--estimator", "pseudo"],
        "sample": ["--sweeps", "1", "--chains", "1"],
        # What is right with the other options would be trained for minutes: these data are refused.
        "train": ["--dataset", "no data"],
        "sweep": ["--dataset", "no data"],
    }.get(command, [])
    before, here = sorted(path.name for path in bars.parent.iterdir()), Path.cwd()
    os.chdir(place)  # where files without a folder in their names go
    try:
        code = main([command, *options, *cheap, "--runs", str(bars.parent)])
    finally:
        os.chdir(here)
    assert code in (0, 1, 2)
    assert sorted(path.name for path in bars.parent.iterdir()) == before
    assert one_sentence(f"exit code {code}")
