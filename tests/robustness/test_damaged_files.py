"""Every file of a run, damaged in every way: a sentence where it is needed, the other run as it was, and no hang.

`make test` throws each damage at the reader and at one command in turn, and a third of them at one page each, such
that every file, every way, every command and every page is among them; `make soak` throws each damage at every command
and every page.
"""

import errno
import io
import itertools
import os
import re
import shutil
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load

from dashboard.export import __main__ as drawing
from dashboard.ui import pages
from rbm_core import pace, sweeps
from rbm_core.cli import export as exporting
from rbm_core.cli import main
from rbm_core.config import RunConfig, preset
from rbm_core.evaluation import Interrupted, evaluate
from rbm_core.pace import TRIALS_FILE
from rbm_core.runs import RunError, RunReader, list_runs, store
from rbm_core.runs import notes as run_notes
from rbm_core.runs.evaluation_record import list_evaluations
from rbm_core.runs.files import split_meta, tensor_bytes
from rbm_core.runs.past_models import PastModels, read_past_models
from rbm_core.runs.recorder import Recorder
from tests.dashboard.opened import open_page
from tests.live import REPO
from tests.robustness.after import fingerprint
from tests.robustness.damage import damaged, one_sentence, wrong_types
from tests.small_run import train_small

SOAK = bool(os.environ.get("RBM_SOAK"))
PAGES = sorted(name for name, _, _ in pages.PAGES)
HANGS_S = 2.0  # of processor time: other processes may have the cores


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two runs that have every file a run can have."""
    root = tmp_path_factory.mktemp("whole")
    run = train_small(root, "hurt", dataset="bars-and-stripes", n_hidden=8, epochs=40, n_valid=0)
    evaluate(run, estimator="exact")
    evaluate(run, estimator="bracket", betas=200, n_chains=4)
    evaluate(run, estimator="mixing", sweeps_max=20, n_chains=4)
    for asked in ({"estimator": "exact"}, {"estimator": "ais", "betas": 10, "n_chains": 2}):
        with pytest.raises(Interrupted):
            evaluate(run, should_stop=lambda: True, **asked)  # type: ignore[arg-type]
    reader = RunReader(run)
    Recorder(run).write_live(reader.snapshot(reader.snapshot_steps()[-1]))
    Recorder(run).write_best(reader.snapshot(reader.snapshot_steps()[-1]))
    Recorder(run).append_event(3, "set", {"name": "k", "value": 2}, "page")
    run_notes.write_notes(run, run_notes.Notes(("a tag",), "a note"))
    (run / "control.json").write_text('{"commands": [{"command": "pause", "time": 1.0}]}')
    shutil.copy(run / "snapshots" / "000000000.safetensors", run / "origin.safetensors")
    for one in reader.snapshot_steps()[1:-1]:
        (run / "snapshots" / f"{one:09d}.safetensors").unlink()
    W = np.zeros((1, 16, 8), np.float16)
    Recorder(run).write_past_models(
        PastModels((0,), W, np.zeros((1, 16), np.float32), np.zeros((1, 8), np.float32))
    )
    for log in ("trainer.log", "evaluation.log"):
        (run / log).write_text("said by a process\n")
    pace.keep_trial(root, TRIAL)
    assert all(list(run.glob(pattern)) for pattern in FILES)
    shutil.copytree(run, root / "sound")
    return root


TRIAL = {"config": {"n_hidden": 8}, "n_train": 9, "n_visible": 16, "seconds_per_update": 0.5}


def ways() -> Iterator[str]:
    yield from ("missing", "empty", "half", "random bytes", "deep", "a list", "null", "huge")
    yield from ("NaN", "1e999", "400 digits", "text", "wrong types", "a folder", "a pipe", "a link out")


FILES = (
    *("config.json", "status.json", "metrics.jsonl", "events.jsonl", "likelihood.jsonl", "notes.json"),
    *("control.json", "probe.safetensors", "live.safetensors", "resume.safetensors", "origin.safetensors"),
    *("trajectory.safetensors", "snapshots/000000000.safetensors", "snapshots/*.safetensors"),
    *("best.safetensors", "evaluations/*/progress.json", "evaluations/*/again.json"),
    *("evaluations/*/state.safetensors", "evaluations/*/snapshot.safetensors"),
    *("evaluations/*/samples.safetensors", "trainer.log", "evaluation.log", f"../{TRIALS_FILE}"),
)
OF_JSON_ALONE = ("1e999", "400 digits", "text")


def exists(pattern: str, way: str) -> bool:
    """Whether a file of this kind can be damaged so."""
    if pattern.endswith(".safetensors"):
        return way not in OF_JSON_ALONE
    return pattern.endswith((".json", ".jsonl")) or way not in (*OF_JSON_ALONE, "NaN", "wrong types")


CASES = [case for case in itertools.product(FILES, ways()) if exists(*case)]


@pytest.fixture
def hurt(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the store; the run to damage in it."""
    shutil.copytree(whole, tmp_path / "store")
    monkeypatch.setenv("RBM_RUNS_DIR", str(tmp_path / "store"))
    return tmp_path / "store" / "hurt"


def damage(run: Path, pattern: str, way: str) -> None:
    """Damages the run's files of this name in this way."""
    for file in sorted(run.glob(pattern)) or [run / pattern]:
        content = file.read_bytes() if file.is_file() else b"{}"
        file.unlink(missing_ok=True)
        if way == "a folder":
            file.mkdir()
        elif way == "a pipe":
            os.mkfifo(file)
        elif way == "a link out":
            outside = run.parents[1] / f"outside-{file.name}"
            outside.write_bytes(content)
            file.symlink_to(outside)
        elif file.suffix == ".safetensors" and way in ("NaN", "wrong types"):
            file.write_bytes(tensors_spoilt(content, way))
        elif way == "wrong types":
            file.write_bytes(wrong_types(content))
        elif way != "missing":
            file.write_bytes(damaged(content, way))


def tensors_spoilt(content: bytes, way: str) -> bytes:
    """The tensors with numbers that are none, or as complex ones of another shape."""
    arrays, meta = load(content), split_meta(content)
    for name, array in arrays.items():
        if way == "wrong types":
            arrays[name] = np.zeros((2, 3), np.float64 if array.dtype.kind in "iu" else np.int8)
        elif array.dtype.kind == "f":
            arrays[name] = np.full_like(array, np.nan)
    return tensor_bytes(arrays, meta)


def complaint(read: Callable[[], object]) -> str:
    """Why it cannot be read, or that it can."""
    try:
        read()
    except RunError as error:
        return str(error)
    return "nothing is wrong"


@contextmanager
def nothing_else_happens(run: Path) -> Iterator[None]:
    """The other run stays as it is and is listed; no file outside is written; processor time is bounded."""
    sound, outside = run.parent / "sound", list(run.parents[1].glob("outside-*"))
    before = fingerprint(sound), {file: file.read_bytes() for file in outside}
    began = time.process_time()
    yield
    assert time.process_time() - began < HANGS_S, "it hangs"
    assert (fingerprint(sound), {file: file.read_bytes() for file in outside}) == before, "others are touched"
    errors = {info.name: info.error for info in list_runs(run.parent)}
    assert errors["sound"] is None


# With `make test` each damage meets one of COMMANDS, its neighbours among CASES the others, and every 48th of
# them one of OTHERS, which are slow. {0} is a folder, {1} the damaged file.
COMMANDS = (
    ["runs"],
    ["doctor", "hurt"],
    ["export", "hurt", "--out", "{0}/model.npz"],
    ["sample", "hurt", "--sweeps", "1", "--chains", "2", "--start", "data", "--out", "{0}/x.png"],
    ["evaluate", "hurt", "--estimator", "ais", "--temperatures", "10", "--chains", "2"],
    ["train", "--resume", "hurt"],
)
OTHERS = (
    *(["export", "hurt", "--out", f"{{0}}/out.{ending}"] for ending in ("zip", "html", "gif", "csv")),
    ["import", "{1}", "--name", "brought"],
    ["sweep", "--name", "hurt"],
)


def commands(n: int) -> tuple[list[str], ...]:
    """Those that case number n meets; `sweep` last, as it gives the run another name."""
    if SOAK:
        return *COMMANDS, *OTHERS
    return COMMANDS[n % 6], *([OTHERS[n // 48 % len(OTHERS)]] if n % 48 == 0 else ())


def drawn(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
    """What a process of `dashboard.export` answers, from this one: one that draws a picture begins for seconds."""
    assert command[1:3] == ["-m", "dashboard.export"]
    said, complained = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(complained):
        try:
            code = drawing.main(command[3:])
        except Exception:
            traceback.print_exc()
            code = 1
    return subprocess.CompletedProcess(command, code, said.getvalue(), complained.getvalue())


@pytest.fixture(scope="module")
def draws(whole: Path) -> Iterator[None]:
    """Pictures are drawn by this process, which has loaded what that takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting.subprocess, "run", drawn)
        for ending in ("html", "gif"):
            out_file = whole.parent / f"loaded.{ending}"
            assert main(["export", "sound", "--out", str(out_file), "--runs", str(whole)]) == 0
        yield


def no_process(*_: object, **__: object) -> None:
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def sweep_that_has(run: Path) -> list[str]:
    """What follows `sweep` for one whose only run has the settings of this one and, once renamed, its name."""
    settings, quick = RunReader(run).config()["config"], preset("quick").model_dump(mode="json")
    other = [f"{name}={value}" for name, value in settings.items() if value != quick[name] and name != "k"]
    return ["--grid", f"k={settings['k']}", *(part for one in other for part in ("--set", one))]


@pytest.mark.usefixtures("draws")
@pytest.mark.parametrize(("pattern", "way"), CASES)
def test_the_reader_and_every_command_say_what_is_wrong_and_touch_nothing_else(
    hurt: Path,
    pattern: str,
    way: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    damage(hurt, pattern, way)
    with nothing_else_happens(hurt):
        reader = RunReader(hurt)
        steps: list[int] = []
        for read in (
            *(reader.config, reader.status, reader.metrics, reader.latest, reader.events, reader.likelihood),
            *(reader.probe, reader.live, lambda: steps.extend(reader.snapshot_steps())),
            lambda: read_past_models(hurt),
            *(lambda: run_notes.read_notes(hurt), lambda: list_evaluations(hurt)),
            *(lambda: reader.snapshot(0), lambda: reader.snapshot(max(steps, default=0))),
            *(lambda: store.resumable(hurt), lambda: pace.estimate(hurt.parent, RunConfig())),
        ):
            assert one_sentence(complaint(read))
    n = CASES.index((pattern, way))
    file = next(iter(sorted(hurt.glob(pattern))), hurt / pattern)
    for command in commands(n):
        given = [part.format(tmp_path, file) for part in command]
        if command[0] == "sweep":
            hurt.rename(hurt.with_name("hurt-1"))
            given += sweep_that_has(hurt.with_name("sound"))
            monkeypatch.setattr(sweeps.subprocess, "Popen", no_process)
        elif command[0] == "import" and way == "a pipe":
            continue  # whoever names a pipe waits for what comes out of it
        with nothing_else_happens(hurt):
            code = main(given)
            captured = capsys.readouterr()
            assert code in (0, 2), f"{command}: {captured.err}"
            assert "Traceback" not in captured.out + captured.err


@pytest.mark.parametrize("name", ["snapshots", "evaluations"])
@pytest.mark.parametrize("way", ["empty", "a pipe", "a link out", "null"])
def test_a_folder_of_a_run_that_is_none_costs_a_sentence(
    hurt: Path, name: str, way: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shutil.rmtree(hurt / name)
    damage(hurt, name, way)
    for command in COMMANDS:
        if command[0] in ("runs", "doctor", "export", "evaluate"):
            with nothing_else_happens(hurt):
                code = main([part.format(tmp_path) for part in command])
            captured = capsys.readouterr()
            assert code in (0, 2), f"{command}: {captured.err}"
            assert "Traceback" not in captured.out + captured.err
    for page in PAGES:
        app = open_page(page, run="hurt")
        assert not app.exception, app.exception[0].value + str(app.exception[0].stack_trace)


def test_every_file_of_the_format_in_words_is_damaged() -> None:
    table = (REPO / "docs" / "run-format.md").read_text().split("## ")[0]
    rows = [row.split("|")[1:4] for row in table.splitlines() if row.startswith("| `")]
    told = {name for row in rows for name in re.findall(r"`([^`]+)`", row[0])}
    told |= {
        f"evaluations/<id>/{name}"
        for name in re.findall(r"`(\w+\.\w+)`", " ".join(r[2] for r in rows if "<id>" in r[0]))
    }
    patterns = {re.sub(r"<\w+>", "*", name) for name in told} - {"evaluations/*/", "run.lock", "*.lock"}
    assert patterns <= set(FILES)
    assert {one for one in FILES if not one.startswith(("..", "snapshots/0"))} <= patterns


SHOWN = [
    (pattern, way, page)
    for n, (pattern, way) in enumerate(CASES if SOAK else CASES[::3])
    for page in (PAGES if SOAK else [PAGES[n % len(PAGES)]])
]


def test_every_file_every_way_and_every_page_is_among_the_pages_shown() -> None:
    files, damages, shown = (set(column) for column in zip(*SHOWN, strict=True))
    assert (files, damages, shown) == (set(FILES), set(ways()), set(PAGES))


@pytest.fixture(scope="module")
def loaded(whole: Path) -> None:
    """What the first page of a process loads is loaded, and not counted as a page that hangs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RBM_RUNS_DIR", str(whole))
        open_page(PAGES[0], run="sound")


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(("pattern", "way", "page"), SHOWN)
def test_the_page_stands(hurt: Path, pattern: str, way: str, page: str) -> None:
    damage(hurt, pattern, way)
    with nothing_else_happens(hurt):
        app = open_page(page, run="hurt")
        assert not app.exception, app.exception[0].value + str(app.exception[0].stack_trace)
