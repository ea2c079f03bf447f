"""The form says how many updates a new run makes, how long they take on this machine, and by what evidence."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.processes import trials
from rbm_core.config import PRESETS, RunConfig, make_config
from rbm_core.machine import processor_name
from rbm_core.pace import estimate, keep_trial
from rbm_core.training import trial
from tests.dashboard.opened import open_page
from tests.dashboard.small_train import RUN
from tests.small_run import train_small


@pytest.fixture
def run(runs_root: Path) -> Path:
    """A run of 80 updates over 5,000 images, recorded as one of 800 that took 80 seconds: 0.1 s an update."""
    path = train_small(runs_root, RUN)
    change(path / "status.json", step=800, seconds=80.0)
    return path


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[RunConfig]:
    """The trials that the form would have begun, instead of processes; they never end."""
    asked: list[RunConfig] = []

    def under_way(config: RunConfig) -> bool:
        asked.append(config)
        return True

    monkeypatch.setattr(trials, "under_way", under_way)
    return asked


def change(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def form(preset: str) -> AppTest:
    app = open_page(run=RUN)
    app.session_state["new.open"] = True
    app.session_state["new.preset"] = preset
    return app.run()


def said(app: AppTest) -> str:
    assert not app.exception
    lines = (caption.value.replace("\\", "") for caption in app.sidebar.caption)
    return next(line for line in lines if re.match(r"[\d,]+ updates", line))


def test_a_run_of_the_same_shape_gives_its_pace(run: Path, begun: list[RunConfig]) -> None:
    app = form("as this run")
    per_epoch = json.loads((run / "status.json").read_text())["steps_per_epoch"]
    assert said(app).startswith(f"{2 * per_epoch:,} updates: about {round(0.2 * per_epoch)} s here")
    assert said(app).endswith(f"at the pace of run {RUN}.")
    assert not begun


def test_a_run_of_another_shape_is_scaled_by_its_work(run: Path, begun: list[RunConfig]) -> None:
    app = form("as this run")
    app.number_input(key=f"new.as this run_{RUN}_n_hidden").set_value(640).run()
    assert said(app).endswith(f"scaled from run {RUN}.")
    config = make_config(**json.loads((run / "config.json").read_text())["config"])
    wider, more = (config.model_copy(update=one) for one in ({"n_hidden": 640}, {"epochs": 4}))
    seconds = [found.seconds or 0.0 for c in (config, wider, more) if (found := estimate(run.parent, c))]
    assert len(seconds) == 3
    assert all(seconds)
    assert seconds[0] < seconds[1] < 10 * seconds[0], "an update costs something beside its products"
    assert seconds[2] == pytest.approx(2 * seconds[0])
    assert not begun


@pytest.mark.parametrize("other", ["another machine", "another way to sweep", "too few updates", "damaged"])
def test_what_says_nothing_of_this_machine_is_not_taken(
    run: Path, begun: list[RunConfig], other: str
) -> None:
    described = json.loads((run / "config.json").read_text())
    if other == "another machine":
        change(run / "config.json", device={"name": "some other processor", "kind": "cpu"})
    elif other == "too few updates":
        change(run / "status.json", step=20)
    elif other == "damaged":
        change(run / "config.json", data={"n_train": "many"})
    wanted = {"precision": "auto"} if other == "another way to sweep" else {}
    found = estimate(run.parent, make_config(**described["config"] | wanted))
    assert found is not None
    assert found.seconds is None
    assert found.updates > 0


def test_without_a_run_to_go_by_the_form_says_that_it_measures(run: Path, begun: list[RunConfig]) -> None:
    app = form("quick")
    app.selectbox(key="new.dataset").set_value("mnist-5k").run()
    assert said(app) == "2,750 updates: measuring this machine…"
    assert begun[-1].n_hidden == PRESETS["quick"].n_hidden


def test_a_trial_is_kept_and_serves_other_shapes(run: Path, begun: list[RunConfig]) -> None:
    config = make_config(**PRESETS["quick"].model_dump() | {"dataset": "mnist-5k"})
    keep_trial(
        run.parent,
        {"config": config.model_dump(), "n_train": 4000, "n_visible": 784, "seconds_per_update": 0.01},
    )
    app = form("quick")
    app.selectbox(key="new.dataset").set_value("mnist-5k").run()
    assert said(app).startswith(
        "2,750 updates: about 28 s here, at the pace of a short trial. It begins at 10 "
    )
    assert "4 min 35 s in all" in said(app), (
        "a run that is held back to be watched takes longer than it could"
    )
    app.selectbox(key="new.preset").set_value("default").run()
    assert said(app).endswith("scaled from a short trial."), "only quick is held back"


def test_data_that_are_not_here_are_counted_and_not_measured(
    run: Path, begun: list[RunConfig], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RBM_DATA_DIR", str(tmp_path / "nothing"))
    app = form("quick")
    app.selectbox(key="new.dataset").set_value("mnist").run()
    assert said(app) == "2,750 updates."
    assert "mnist" not in [config.dataset for config in begun]


def test_a_trial_times_updates_and_makes_no_run(tmp_path: Path) -> None:
    config = make_config(dataset="bars-and-stripes", n_hidden=8, batch_size=10, n_valid=0)
    trial.main([str(tmp_path), json.dumps(config.model_dump())])
    found = estimate(tmp_path, config)
    assert found is not None
    assert found.updates == 3 * config.epochs
    assert found.seconds
    assert [path.name for path in tmp_path.iterdir()] == [".pace.json"]
    kept = json.loads((tmp_path / ".pace.json").read_text())
    (tmp_path / ".pace.json").write_text(json.dumps(kept).replace(processor_name(), "some other processor"))
    again = estimate(tmp_path, config)
    assert again is not None
    assert again.seconds is None, "a trial of another machine, in a store that was copied"
