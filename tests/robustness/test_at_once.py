"""Several tabs, apps and trainers do the same thing to one store at the same moment: one of them does it, the others
are refused in a sentence, and nothing half made is left.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from dashboard.processes import capacity, trainers
from rbm_core.config import make_config
from rbm_core.exchange.bundle import open_bundle, write_bundle
from rbm_core.runs import RunError, RunReader, control, create_run, files, list_runs, store
from rbm_core.runs import notes as run_notes
from rbm_core.runs.recorder import Recorder
from rbm_core.training import process as training_process
from tests.core.run_record import CONFIG
from tests.core.training_runs import FakeTraining, make_run
from tests.live import REPO, until
from tests.robustness.after import nothing_half_written
from tests.robustness.damage import one_sentence

N = 8  # who come at once


def at_once(act: Callable[[int], Any], n: int = N) -> tuple[list[Any], list[str]]:
    """(what came back, the sentences of those that were refused) of n threads that begin together."""
    together = threading.Barrier(n)

    def one(number: int) -> tuple[bool, Any]:
        together.wait(60)
        try:
            return True, act(number)
        except RunError as error:
            return False, str(error)

    with ThreadPoolExecutor(n) as pool:
        ends = list(pool.map(one, range(n)))
    refused = [said for done, said in ends if not done]
    assert all(map(one_sentence, refused)), refused
    return [made for done, made in ends if done], refused


@pytest.fixture
def nobody_looks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """All have looked whether the name is free before the first takes it."""
    monkeypatch.setattr(store, "is_taken", lambda root, name: False)


@pytest.mark.parametrize("way", ["create", "rename", "open a bundle"])
def test_of_many_who_want_one_name_one_gets_it(
    trained: Path, tmp_path: Path, nobody_looks_first: None, way: str
) -> None:
    root, bundle = trained.parent, tmp_path / "bundle.zip"
    write_bundle(trained, bundle)
    for n in range(N):
        Recorder(create_run(root, f"old-{n}", CONFIG)).write_status({"state": "stopped"})
    before = len(os.listdir(root))
    made, refused = at_once(
        lambda n: {
            "create": lambda: create_run(root, "wanted", CONFIG),
            "rename": lambda: store.rename_run(root, f"old-{n}", "wanted"),
            "open a bundle": lambda: open_bundle(bundle, root, "wanted"),
        }[way]()
    )
    assert made == [root / "wanted"]
    assert len(refused) == N - 1
    assert all("there is already a run 'wanted'" in said for said in refused), refused
    nothing_half_written(root / "wanted")
    assert len(os.listdir(root)) == before + (way != "rename"), "something half made is left"


def test_no_more_trainers_are_started_at_once_than_the_machine_bears(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainers, "_launch", lambda path, download: None)
    monkeypatch.setattr(capacity, "most_at_once", lambda: 3)
    monkeypatch.setattr(capacity, "bytes_free", lambda: None)
    made, refused = at_once(lambda n: trainers.start(make_config(dataset="bars-and-stripes", n_hidden=8)))
    assert len(made) == 3
    assert all("bears 3 trainers and evaluations at once" in said for said in refused)
    assert sorted(os.listdir(runs_root)) == sorted(made)


AN_APP = """
import sys, time
from dashboard.processes import capacity, trainers
from rbm_core.config import make_config
from rbm_core.runs import RunError, files
locks = []
trainers._launch = lambda path, download: locks.append(files.hold_lock(path))
capacity.most_at_once, capacity.bytes_free = lambda: 3, lambda: None
true = capacity.check
def check(config):
    true(config)
    time.sleep(0.3)  # as if the store were slow: the other app counts meanwhile
capacity.check = check
config = make_config(dataset="bars-and-stripes", n_hidden=8)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(3):
    try:
        print("started", trainers.start(config), flush=True)
    except RunError as error:
        print(error, flush=True)
sys.stdin.read()  # the trainers live on
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="apps are not counted together there")
def test_two_apps_on_one_store_start_no_more_trainers_together_than_the_machine_bears(
    runs_root: Path,
) -> None:
    with ExitStack() as ended:
        apps = []
        for _ in range(2):
            app = subprocess.Popen(
                [sys.executable, "-c", AN_APP],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=REPO,
            )
            ended.callback(app.communicate)
            apps.append((app.stdin, app.stdout))
        for _, out in apps:
            assert out is not None
            assert out.readline() == "ready\n"
        for wish, _ in apps:
            assert wish is not None
            wish.write("\n")
            wish.flush()
        said = [out.readline() for _, out in apps if out is not None for _ in range(3)]
    started = [line.split()[1] for line in said if line.startswith("started ")]
    assert all(said), "an app ended early"
    assert len(started) == 3
    assert all(
        "bears 3 trainers and evaluations at once" in line for line in said if not line.startswith("started ")
    )
    assert sorted(os.listdir(runs_root)) == sorted(started), "something beside the runs is left"


def test_of_many_trainers_of_one_run_one_trains_it(runs_root: Path, fake: type[FakeTraining]) -> None:
    run, others = make_run(runs_root, "shared", epochs=50, log_every=10), []

    def wait_for_the_others(training: FakeTraining) -> None:
        if training.step == 400:
            until(lambda: len(others) == N - 1, 20, "the others are not refused")

    def train(n: int) -> str:
        try:
            return training_process.run(run)
        except RunError:
            others.append(n)
            raise

    fake.on_update = wait_for_the_others
    ends, refused = at_once(train)
    assert ends == ["finished"]
    assert all("is already being trained" in said for said in refused)
    assert RunReader(run).metrics()["step"].tolist() == list(range(0, 801, 10))
    assert [event["command"] for event in RunReader(run).events()] == ["start"]
    nothing_half_written(run)


def test_of_many_who_delete_a_run_one_does_and_what_a_killed_one_left_goes_too(runs_root: Path) -> None:
    Recorder(create_run(runs_root, "doomed", CONFIG)).write_status({"state": "stopped"})
    left = runs_root / ".deleted-earlier-0123abcd"
    left.mkdir()
    (left / "resume.safetensors").write_bytes(b"x" * 1000)
    made, refused = at_once(lambda n: store.delete_run(runs_root, "doomed"))
    assert len(made) == 1
    assert len(refused) == N - 1
    assert os.listdir(runs_root) == []


def test_notes_of_many_tabs_are_those_of_one(run: Path) -> None:
    at_once(lambda n: run_notes.write_notes(run, run_notes.Notes((f"tag-{n}",), f"note {n} " * 500)))
    (tag,) = run_notes.read_notes(run).tags
    number = tag.removeprefix("tag-")
    assert run_notes.read_notes(run).note.split()[:2] == ["note", number]
    assert not list(run.glob(".*.tmp"))


def test_commands_to_a_run_that_is_being_renamed_reach_it_or_are_refused(runs_root: Path) -> None:
    run = make_run(runs_root, "a")
    names, sent, refused, done = ("a", "b"), [], [], threading.Event()
    lock = files.hold_lock(run)
    assert lock is not None
    taken: list[Any] = []

    def tell() -> None:
        number = 0
        while not done.is_set():
            number += 1
            for name in names:
                try:
                    control.send(runs_root / name, "step", {"n": number})
                    sent.append(number)
                except RunError as error:
                    refused.append(str(error))

    teller = threading.Thread(target=tell)
    teller.start()
    try:
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            for old, new in (names, names[::-1]):
                os.rename(runs_root / old, runs_root / new)
                taken += control.take(runs_root / new)
    finally:
        done.set()
        teller.join()
    taken += control.take(run)
    lock.release()
    assert os.listdir(runs_root) == ["a"], "a folder was made anew under the other name"
    assert sent, "no command got through"
    assert sorted(entry["value"]["n"] for entry in taken) == sorted(sent)
    assert all(map(one_sentence, refused))
    assert [info.error for info in list_runs(runs_root)] == [None]
