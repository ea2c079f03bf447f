"""The store of runs: names, the list, runs made and found."""

import errno
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from numpy.testing import assert_array_equal

from rbm_core.exchange.bundle import open_bundle, write_bundle
from rbm_core.runs import (
    RunError,
    RunReader,
    control,
    create_run,
    files,
    list_runs,
    new_name,
    resolve,
    store,
)
from rbm_core.runs import (
    runs_root as default_root,
)
from rbm_core.runs.files import write_bytes
from rbm_core.runs.recorder import Recorder
from rbm_core.runs.snapshot import encode, read_snapshot, snapshot_file
from tests.core.run_record import CONFIG, H, moment, one_sentence, running


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "a\\b",
        "/etc",
        ".hidden",
        "-rf",
        "a b",
        "a\n",
        "ä",
        "x" * 81,
        "con",
        "NUL.txt",
        "a.",
    ],
)
def test_names_that_could_mislead_are_refused(runs_root: Path, name: str) -> None:
    with pytest.raises(RunError, match="a run cannot be called") as error:
        create_run(runs_root, name, CONFIG)
    assert one_sentence(str(error.value))
    with pytest.raises(RunError):
        resolve(runs_root, name)
    assert list(runs_root.iterdir()) == []


@pytest.mark.parametrize("name", ["mnist-default-3f2a", "A", "7", "v1.2_final-b", "x" * 80])
def test_plain_names_are_taken(runs_root: Path, name: str) -> None:
    path = create_run(runs_root, name, CONFIG)
    assert resolve(runs_root, name) == path
    with pytest.raises(RunError, match="already a run"):
        create_run(runs_root, name, CONFIG)


def test_unknown_run_is_refused_with_the_runs_there_are(runs_root: Path) -> None:
    with pytest.raises(RunError, match=r"no run 'x' in .*; there are: none yet"):
        resolve(runs_root, "x")
    create_run(runs_root, "mnist-500", CONFIG)
    with pytest.raises(RunError, match=r"no run 'x' in .*; there are: mnist-500"):
        resolve(runs_root, "x")
    for n in range(12):
        create_run(runs_root, f"r{n}", CONFIG)
    with pytest.raises(RunError, match="and 5 more"):
        resolve(runs_root, "x")


@pytest.mark.parametrize(
    "typed, name",
    [
        ("my drawings!", "my-drawings"),
        ("  a  b ", "a-b"),
        ("Zürich été", "Zurich-ete"),
        ("run_1.5-b", "run_1.5-b"),
        ("../up", "../up"),
        ("a/b", "a/b"),
        (r"c:\x", r"c:\x"),
        (".hidden", ".hidden"),
        ("x" * 200, "x" * 80),
        ("???", "???"),
        ("", ""),
    ],
)
def test_what_a_person_types_becomes_a_name(typed: str, name: str) -> None:
    assert store.name_from(typed) == name
    if re.search(r"[a-z]", name) and not re.search(r"[/\\]|^\.", name):
        store.check_name(name)


def test_new_names_say_what_is_trained_and_are_free(runs_root: Path) -> None:
    assert re.fullmatch(r"bars-and-stripes-quick-[0-9a-f]{4}", new_name(CONFIG, "quick", runs_root))
    assert re.fullmatch(r"bars-and-stripes-pcd5-[0-9a-f]{4}", new_name(CONFIG, root=runs_root))
    own = {**CONFIG, "dataset": "/home/me/My Pictures (2)/"}
    assert re.fullmatch(r"my-pictures-2-pcd5-[0-9a-f]{4}", new_name(own, root=runs_root))
    assert len({new_name(CONFIG, "quick", runs_root) for _ in range(50)}) > 40


def test_runs_are_listed_newest_first(runs_root: Path) -> None:
    assert list_runs(runs_root / "nowhere") == []
    for name in ("c", "a", "b"):
        create_run(runs_root, name, CONFIG, preset="quick")
        time.sleep(0.003)
    (runs_root / "notes.txt").write_text("not a run")
    (runs_root / "empty").mkdir()
    (runs_root / ".new-d-1234").mkdir()
    infos = list_runs(runs_root)
    assert [info.name for info in infos] == ["b", "a", "c"]
    assert {(info.dataset, info.preset, info.state, info.error) for info in infos} == {
        ("bars-and-stripes", "quick", "starting", None)
    }


def test_deleted_and_remade_run_is_listed_as_it_is_now(runs_root: Path, run: Path) -> None:
    import shutil

    Recorder(run).write_status({"state": "finished", "step": 50})
    assert list_runs(runs_root)[0].step == 50
    shutil.rmtree(run)
    assert list_runs(runs_root) == []
    create_run(runs_root, "demo", {**CONFIG, "dataset": "mnist-5k"})
    (info,) = list_runs(runs_root)
    assert (info.dataset, info.step, info.state) == ("mnist-5k", 0, "starting")


def test_root_comes_from_the_environment(runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_root() == runs_root
    monkeypatch.delenv("RBM_RUNS_DIR")
    assert default_root() == Path(store.__file__).parents[2] / "checkpoints"


def test_run_that_starts_from_a_snapshot_holds_its_own_copy(runs_root: Path, run: Path) -> None:
    import shutil

    Recorder(run).write_snapshot(moment(5))
    fork = create_run(runs_root, "fork", CONFIG, origin={"run": "demo", "step": 5})
    shutil.rmtree(run)
    assert RunReader(fork).config()["origin"] == {"run": "demo", "step": 5}
    assert_array_equal(read_snapshot(fork / "origin.safetensors").hbias, moment(5).hbias)


def test_run_cannot_start_from_what_is_not_there_or_does_not_fit(runs_root: Path, run: Path) -> None:
    Recorder(run).write_snapshot(moment(5))
    for origin, change, sentence in (
        ({"run": "demo", "step": 6}, {}, "no snapshot at step 6"),
        ({"run": "../demo", "step": 5}, {}, "cannot be called"),
        ({"run": "other", "step": 5}, {}, "no run 'other'"),
        ({"run": "demo", "step": 5}, {"n_hidden": H + 1}, "has 6 hidden units"),
    ):
        with pytest.raises(RunError, match=sentence):
            create_run(runs_root, "fork", {**CONFIG, **change}, origin=origin)
    assert [path.name for path in runs_root.iterdir()] == ["demo"]


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), RunError("it is none"), ValueError()]
)
def test_a_run_appears_when_all_that_begins_it_is_written_or_not_at_all(
    runs_root: Path, error: Exception
) -> None:
    seen = []

    def begin(aside: Path) -> None:
        (aside / "origin.safetensors").write_bytes(b"half")
        seen.append((aside.is_dir(), list_runs(runs_root)))
        raise error

    with pytest.raises(type(error) if isinstance(error, ValueError) else RunError):
        create_run(runs_root, "begun", CONFIG, begin=begin)
    assert seen == [(True, [])], "it is seen before it is whole"
    assert not any(path.is_dir() for path in runs_root.iterdir())
    create_run(runs_root, "begun", CONFIG, begin=lambda aside: (aside / "more").touch())
    assert (runs_root / "begun" / "more").exists()


def test_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError) as error:
        create_run(tmp_path / "file" / "runs", "demo", CONFIG)
    assert one_sentence(str(error.value))


def milliseconds(work: Callable[[], Any], times: int = 50) -> float:
    """Of the fastest of a few calls: noise only ever adds."""
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return 1e3 * best


def test_asking_again_costs_far_less_than_a_millisecond(runs_root: Path, run: Path) -> None:
    record, read = Recorder(run), RunReader(run)
    for step in range(60):
        record.write_snapshot(moment(step))
        record.append_metrics({"step": step, "x": 1.0})
    record.write_live(moment(60))
    running(run)
    lock = files.hold_lock(run)
    time.sleep(0.1)
    work: dict[str, Callable[[], Any]] = {
        "status": read.status,
        "config": read.config,
        "metrics": read.metrics,
        "steps": read.snapshot_steps,
        "live": read.live,
        "commands": lambda: control.take(run),
    }
    costs = {name: milliseconds(call) for name, call in work.items()}
    for n in range(19):
        create_run(runs_root, f"other-{n}", CONFIG)
        Recorder(runs_root / f"other-{n}").write_status({"state": "finished"})
    time.sleep(0.1)
    list_runs(runs_root)
    costs["a run in the list"] = milliseconds(lambda: list_runs(runs_root), 20) / 20
    assert lock is not None
    lock.release()
    assert max(costs.values()) < 0.5, costs


def test_run_that_the_first_visit_plays_is_small_and_has_tiles_to_see() -> None:
    """Each file of it is in git for ever; a tile must be large enough to see strokes, and time must not jump."""
    root = Path(__file__).parents[2] / "checkpoints"
    folder = root / store.LANDING_RUN
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) <= 12e6
    reader = RunReader(folder)
    config, steps = reader.config()["config"], reader.snapshot_steps()
    assert 100 <= config["n_hidden"] <= 196
    assert len(steps) >= 48
    assert steps[-1] == config["updates"] == reader.status()["step"]
    assert all(reader.snapshot(step).W.shape == (784, config["n_hidden"]) for step in (steps[0], steps[-1]))


MAKER = """
import os, signal, sys
from pathlib import Path
from rbm_core.runs import store
from tests.core.run_record import CONFIG
def begin(folder):
    print("begun", flush=True)
    {then}
store.create_run(Path(sys.argv[1]), "made", CONFIG, begin=begin)
"""
BUNDLE = """
import os, signal, sys
from pathlib import Path
from rbm_core.exchange import bundle
bundle._check = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
bundle.open_bundle(Path(sys.argv[2]), Path(sys.argv[1]), "made")
"""
KILLED = "os.kill(os.getpid(), signal.SIGKILL)"


def maker(script: str, *arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )


def hidden(root: Path) -> list[str]:
    return [path.name for path in root.iterdir() if path.name.startswith(".")]


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no locks there")
@pytest.mark.parametrize("what", ["run", "bundle"])
@pytest.mark.parametrize("then", ["made", "imported", "deleted"])
def test_what_a_killed_maker_left_is_no_run_and_goes_with_the_next_change(
    tmp_path: Path, what: str, then: str
) -> None:
    root = tmp_path / "runs"
    other = create_run(root, "other", CONFIG)
    Recorder(other).write_status({"state": "stopped", "step": 0})
    write_bytes(snapshot_file(other, 0), encode(moment(0)))
    write_bundle(other, tmp_path / "other.zip")
    script = MAKER.format(then=KILLED) if what == "run" else BUNDLE
    with maker(script, root, tmp_path / "other.zip") as killed:
        assert killed.wait() == -signal.SIGKILL
    assert len(hidden(root)) == 1
    assert [info.name for info in list_runs(root)] == ["other"]
    assert not store.is_taken(root, "made")
    if then == "made":
        create_run(root, "made", CONFIG)
    elif then == "imported":
        open_bundle(tmp_path / "other.zip", root, "made")
    else:
        store.delete_run(root, "other")
    assert hidden(root) == []


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no locks there")
def test_a_folder_in_which_a_run_is_still_made_stays_and_what_is_no_such_folder_too(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "runs", tmp_path / "elsewhere"
    for folder in (root / ".new-ideas", root / ".new-wine-2026", elsewhere):
        folder.mkdir(parents=True)
    (root / ".new-link-01234567").symlink_to(elsewhere)
    (root / ".new-file-01234567").write_text("mine")
    before = set(hidden(root))
    with maker(MAKER.format(then="sys.stdin.read()"), root) as living:
        assert living.stdout is not None
        assert living.stdout.readline() == "begun\n"
        Recorder(create_run(root, "meanwhile", CONFIG)).write_status({"state": "stopped"})
        store.delete_run(root, "meanwhile")
        assert len(set(hidden(root)) - before) == 1
        living.communicate()
    assert living.returncode == 0
    assert [info.name for info in list_runs(root)] == ["made"]
    assert set(hidden(root)) == before
    assert elsewhere.is_dir()


def test_makers_at_the_same_moment_do_not_sweep_each_other_away(runs_root: Path) -> None:
    with ThreadPoolExecutor(8) as at_once:
        list(at_once.map(lambda n: create_run(runs_root, f"run-{n}", CONFIG), range(200)))
    assert len(list_runs(runs_root)) == 200
    assert hidden(runs_root) == []


def test_a_store_whose_folders_have_no_locks_takes_runs_and_sweeps_none(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> bool:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(files, "takes_lock", none)
    (runs_root / ".new-made-01234567").mkdir()
    create_run(runs_root, "made", CONFIG)
    assert hidden(runs_root) == [".new-made-01234567"]
