"""The Train page shows the recorded moment that the link or the slider names, and stays there."""

from pathlib import Path

import numpy as np
import pytest

from dashboard.ui import new_run
from dashboard.views.train import figures
from rbm_core.runs import RunReader
from tests.dashboard.opened import fed, open_page
from tests.dashboard.small_train import RUN, live, text
from tests.small_run import train_small


@pytest.fixture
def run(runs_root: Path) -> Path:
    return train_small(runs_root, RUN)


def test_every_picture_belongs_to_the_moment_the_link_names(run: Path) -> None:
    reader = RunReader(run)
    step = reader.snapshot_steps()[-2]
    snapshot = reader.snapshot(step)
    app = open_page(run=RUN, step=str(step))
    assert not app.exception
    assert f"step **{step:,}**" in text(app)
    assert "A restricted Boltzmann machine (RBM) learns strokes" in text(app), (
        "the page does not say what it is"
    )
    _, arrays = fed(app, "filters")
    assert np.allclose(arrays["facts"][:, 1], snapshot.hbias)
    assert fed(app, "particles")[1]["bits"].shape == snapshot.particles_v[:100].shape
    assert np.array_equal(fed(app, "particles")[1]["bits"] > 0, snapshot.particles_v[:100] > 0)
    assert np.array_equal(fed(app, "activity")[1]["mean"], snapshot.mean_hidden)
    assert fed(app, "histograms")[1]["counts3"].sum() == snapshot.increment_counts[0].sum()
    assert fed(app, "curves")[0]["cursor"] == step
    assert fed(app, "timeline")[0]["shown"] == step


def test_a_finished_run_is_shown_at_its_end(run: Path) -> None:
    reader = RunReader(run)
    header, _ = fed(open_page(run=RUN), "timeline")
    assert header["shown"] == reader.snapshot_steps()[-1]
    assert header["steps"] == reader.snapshot_steps()
    assert header["follows"]
    assert not header["alive"]


def test_new_data_do_not_move_a_page_that_looks_at_the_past(run: Path) -> None:
    _, second, *_ = RunReader(run).snapshot_steps()
    late = RunReader(run).snapshot_steps()[-1]
    hidden = run / "snapshots" / f"{late:09d}.safetensors"
    aside = run / "aside"
    hidden.rename(aside)
    app = open_page(run=RUN, step=str(second))
    aside.rename(hidden)
    app.run()
    header, _ = fed(app, "timeline")
    assert header["steps"][-1] == late, "the slider does not know the new snapshot"
    assert header["shown"] == second


@pytest.mark.parametrize("step", ["soon", "-4", "1e3", "∞"])
def test_a_step_that_is_none_falls_back_and_says_so(run: Path, step: str) -> None:
    app = open_page(run=RUN, step=step)
    assert not app.exception
    assert "must be live or a step" in app.warning[0].value
    assert fed(app, "timeline")[0]["follows"]


def test_a_step_without_a_snapshot_shows_the_nearest_and_says_so(run: Path) -> None:
    steps = RunReader(run).snapshot_steps()
    app = open_page(run=RUN, step=str(steps[-1] - 1))
    assert not app.exception
    assert f"Showing step {steps[-1]:,} instead" in app.warning[0].value
    assert fed(app, "timeline")[0]["shown"] == steps[-1]


def test_only_a_run_that_moves_is_marked_as_moving(run: Path) -> None:
    for state, moving in (("running", True), ("paused", False)):
        lock = live(run, state=state, steps_per_s=100.0)
        header, _ = fed(open_page(run=RUN), "timeline")
        assert header["alive"]
        assert header["moving"] is moving
        lock.release()


def test_the_head_is_never_behind_the_pictures(run: Path) -> None:
    reader = RunReader(run)
    last = reader.snapshot_steps()[-1]
    lock = live(run, state="running", steps_per_s=100.0, step=last - 3, epoch=1.5)
    app = open_page(run=RUN)
    assert f"step **{last:,}**" in next(e.value for e in app.markdown if "steps/s" in e.value)
    lock.release()


def test_resuming_leaves_the_moment_alone_and_a_single_step_says_that_it_moves_it(run: Path) -> None:
    _, second, *_ = RunReader(run).snapshot_steps()
    lock = live(run, state="paused", steps_per_epoch=40)
    app = open_page(run=RUN, step=str(second))
    app.button(key="train.do_resume_").click().run()
    assert fed(app, "timeline")[0]["shown"] == second
    app = open_page(run=RUN, step=str(second))
    app.button(key="train.do_step_10").click().run()
    assert fed(app, "timeline")[0]["follows"]
    assert "follows the newest" in app.toast[0].value
    lock.release()


@pytest.mark.parametrize("open_", [False, True])
def test_pictures_go_out_before_a_closed_form_and_after_an_open_one(
    run: Path, monkeypatch: pytest.MonkeyPatch, open_: bool
) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(figures, "filters", lambda *_: drawn.append("filters"))
    monkeypatch.setattr(new_run, "sidebar", lambda _: drawn.append("form"))
    monkeypatch.setattr(new_run, "is_open", lambda: open_)
    assert not open_page(run=RUN).exception
    assert drawn == (["form", "filters"] if open_ else ["filters", "form"])
