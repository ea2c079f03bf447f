"""What the Train page cannot read costs one sentence, and the rest stays."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from rbm_core.runs import RunReader
from tests.dashboard.opened import as_read, fed, open_page
from tests.dashboard.small_train import RUN, text
from tests.small_run import train_small


@pytest.fixture
def run(runs_root: Path) -> Path:
    return train_small(runs_root, RUN)


def test_a_snapshot_removed_under_the_slider_leaves_the_page_alive(run: Path) -> None:
    steps = RunReader(run).snapshot_steps()
    app = open_page(run=RUN, step=str(steps[1]))
    (run / "snapshots" / f"{steps[1]:09d}.safetensors").unlink()
    shutil.copytree(run, run.parent / "copy")  # a run not yet cached
    app = open_page(run="copy", step=str(steps[1]))
    assert not app.exception
    assert "instead" in app.warning[0].value


def test_a_damaged_newest_snapshot_does_not_hide_the_others(run: Path) -> None:
    steps = RunReader(run).snapshot_steps()
    (run / "snapshots" / f"{steps[-1]:09d}.safetensors").write_bytes(b"half a snapsh")
    app = open_page(run=RUN)
    assert not app.exception
    assert fed(app, "timeline")[0]["shown"] == steps[-2]
    assert f"snapshot at step {steps[-1]:,} cannot be read" in app.warning[0].value


def test_a_run_without_snapshots_still_shows_its_curves(run: Path) -> None:
    shutil.rmtree(run / "snapshots")
    (run / "live.safetensors").unlink(missing_ok=True)
    app = open_page(run=RUN)
    assert not app.exception
    assert len(fed(app, "curves")[1]["rows"])
    assert "first pictures" in text(app)


def test_one_snapshot_is_enough(run: Path) -> None:
    for step in RunReader(run).snapshot_steps()[1:]:
        (run / "snapshots" / f"{step:09d}.safetensors").unlink()
    app = open_page(run=RUN)
    assert not app.exception
    assert fed(app, "timeline")[0]["shown"] == 0


def test_damaged_curves_leave_the_pictures(run: Path) -> None:
    (run / "metrics.jsonl").write_text('{"step": 0}\nnonsense\n{"step": 1}\n')
    app = open_page(run=RUN)
    assert not app.exception
    assert "damaged at line 2" in app.warning[0].value
    assert fed(app, "filters")[1]["tiles"].any()


@pytest.mark.parametrize("file", ["events.jsonl", "likelihood.jsonl"])
def test_damaged_marks_and_estimates_are_said_beside_the_curves(run: Path, file: str) -> None:
    (run / file).write_text('{"step": 0}\nnonsense\n')
    app = open_page(run=RUN)
    assert not app.exception
    assert [as_read(one.value) for one in app.warning if "damaged at line 2" in one.value]
    assert len(fed(app, "curves")[1]["rows"])


def test_a_run_deleted_while_watched_costs_one_sentence(run: Path) -> None:
    shutil.copytree(run, run.parent / "other")
    app = open_page(run=RUN)
    shutil.rmtree(run)
    app.run()
    assert not app.exception
    assert f"There is no run '{RUN}'" in as_read(app.warning[0].value)
    assert app.selectbox(key="app.run").value == "other"


READS = ("config", "status", "metrics", "events", "likelihood", "snapshot_steps", "snapshot", "probe")


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("times", [1, 2])
def test_a_run_deleted_between_any_two_reads_costs_a_sentence_and_no_more(
    run: Path, monkeypatch: pytest.MonkeyPatch, read: str, times: int
) -> None:
    true, seen = getattr(RunReader, read), []

    def deleted_first(self: RunReader, *args: Any) -> Any:
        seen.append(read)
        if len(seen) == times:
            shutil.rmtree(run, ignore_errors=True)
        return true(self, *args)

    monkeypatch.setattr(RunReader, read, deleted_first)
    app = open_page(run=RUN)
    assert seen, "the page never reads it"
    if len(seen) < times:
        pytest.skip(f"the page reads {read} only once")
    assert not app.exception
    for _ in range(2):  # the second refresh may be the one that finds it gone
        app.run()
        assert not app.exception
    assert app.warning or app.error or "no run to show" in text(app)
