"""The Train page: the moment it shows is the one recorded, and what cannot be read costs one sentence."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.components.blob import unpack
from dashboard.processes import trainers
from dashboard.ui.link import CURVE_GROUPS
from rbm_core.config import RunConfig
from rbm_core.runs import RunReader, control
from rbm_core.runs.files import hold_lock
from tests.live import REPO
from tests.small_run import train_small

RUN = "small-run"
N_FIGURES = 5  # curves, fantasies, filters, hidden units, histograms


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_small(tmp_path_factory.mktemp("train") / "checkpoints", RUN)


@pytest.fixture
def run(trained: Path, runs_root: Path) -> Path:
    shutil.copytree(trained, runs_root / RUN)
    return runs_root / RUN


def open_train(**query: str) -> AppTest:
    app = AppTest.from_file(str(REPO / "dashboard" / "app.py"), default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def fed(app: AppTest, name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What the component called `name` was sent."""
    for element in app.get("bidi_component"):
        if element.proto.component_name == f"rbm_{name}" or element.proto.id.endswith(f"-{name}"):
            header, arrays = unpack(element.proto.bytes)
            if name not in ("filters", "particles") or header.get("kind") == name:
                return header, arrays
    raise AssertionError(f"no component {name!r} among {[e.proto.id for e in app.get('bidi_component')]}")


def text(app: AppTest) -> str:
    return "\n".join(element.value for kind in ("title", "markdown", "caption") for element in app.get(kind))


def live(run: Path, **status: Any) -> Any:
    """The run as a living trainer would leave it; returns the lock that says so."""
    now = json.loads((run / "status.json").read_text())
    (run / "status.json").write_text(json.dumps({**now, "heartbeat": time.time(), **status}))
    return hold_lock(run)


def test_every_picture_belongs_to_the_moment_the_link_names(run: Path) -> None:
    reader = RunReader(run)
    step = reader.snapshot_steps()[-2]
    snapshot = reader.snapshot(step)
    app = open_train(run=RUN, step=str(step))
    assert not app.exception
    assert f"step **{step:,}**" in text(app)
    assert "Watch a restricted Boltzmann machine learn" in text(app), "a stranger is not told what this is"
    _, arrays = fed(app, "filters")
    assert np.allclose(arrays["facts"][:, 1], snapshot.hbias)
    assert fed(app, "particles")[1]["bits"].shape == snapshot.particles_v[:100].shape
    assert np.array_equal(fed(app, "particles")[1]["bits"] > 0, snapshot.particles_v[:100] > 0)
    assert np.array_equal(fed(app, "activity")[1]["mean"], snapshot.mean_hidden)
    assert fed(app, "histograms")[1]["counts3"].sum() == snapshot.increment_counts[0].sum()
    assert fed(app, "curves")[0]["cursor"] == step
    assert fed(app, "timeline")[0]["shown"] == step


def test_curves_are_the_recorded_rows(run: Path) -> None:
    metrics = RunReader(run).metrics()
    header, arrays = fed(open_train(run=RUN), "curves")
    assert header["from"] == 0
    for name in ("step", "free_energy_train", "free_energy_valid", "reconstruction_error"):
        assert np.array_equal(arrays["rows"][:, header["columns"].index(name)], metrics[name]), name


def test_a_finished_run_is_shown_at_its_end(run: Path) -> None:
    reader = RunReader(run)
    header, _ = fed(open_train(run=RUN), "timeline")
    assert header["shown"] == reader.snapshot_steps()[-1]
    assert header["steps"] == reader.snapshot_steps()
    assert header["follows"]
    assert not header["alive"]


def test_the_doctor_waits_for_evidence_and_then_names_it(run: Path) -> None:
    assert "too early to say" in text(open_train(run=RUN))
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    sick = [{**rows[-1], "step": 1000 + n, "epoch": 5.0, "dead_units": 40} for n in range(30)]
    with (run / "metrics.jsonl").open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in sick)
    app = open_train(run=RUN)
    assert "40 of 64 hidden units never fire" in text(app)
    assert "to look at" in text(app)


def test_new_data_do_not_move_a_page_that_looks_at_the_past(run: Path) -> None:
    _, second, *_ = RunReader(run).snapshot_steps()
    late = RunReader(run).snapshot_steps()[-1]
    hidden = run / "snapshots" / f"{late:09d}.safetensors"
    aside = run / "aside"
    hidden.rename(aside)
    app = open_train(run=RUN, step=str(second))
    aside.rename(hidden)
    app.run()
    header, _ = fed(app, "timeline")
    assert header["steps"][-1] == late, "the slider does not know the new snapshot"
    assert header["shown"] == second


@pytest.mark.parametrize("step", ["soon", "-4", "1e3", "∞"])
def test_a_step_that_is_none_falls_back_and_says_so(run: Path, step: str) -> None:
    app = open_train(run=RUN, step=step)
    assert not app.exception
    assert "must be live or a step" in app.warning[0].value
    assert fed(app, "timeline")[0]["follows"]


def test_a_step_without_a_snapshot_shows_the_nearest_and_says_so(run: Path) -> None:
    steps = RunReader(run).snapshot_steps()
    app = open_train(run=RUN, step=str(steps[-1] - 1))
    assert not app.exception
    assert f"Showing step {steps[-1]:,} instead" in app.warning[0].value
    assert fed(app, "timeline")[0]["shown"] == steps[-1]


def test_a_snapshot_removed_under_the_slider_leaves_the_page_alive(run: Path) -> None:
    steps = RunReader(run).snapshot_steps()
    app = open_train(run=RUN, step=str(steps[1]))
    (run / "snapshots" / f"{steps[1]:09d}.safetensors").unlink()
    shutil.copytree(run, run.parent / "copy")  # a run not yet cached
    app = open_train(run="copy", step=str(steps[1]))
    assert not app.exception
    assert "instead" in app.warning[0].value


def test_a_damaged_newest_snapshot_does_not_hide_the_others(run: Path) -> None:
    steps = RunReader(run).snapshot_steps()
    (run / "snapshots" / f"{steps[-1]:09d}.safetensors").write_bytes(b"half a snapsh")
    app = open_train(run=RUN)
    assert not app.exception
    assert fed(app, "timeline")[0]["shown"] == steps[-2]
    assert f"snapshot at step {steps[-1]:,} cannot be read" in app.warning[0].value


def test_a_run_without_snapshots_still_shows_its_curves(run: Path) -> None:
    shutil.rmtree(run / "snapshots")
    (run / "live.safetensors").unlink(missing_ok=True)
    app = open_train(run=RUN)
    assert not app.exception
    assert len(fed(app, "curves")[1]["rows"])
    assert "first pictures" in text(app)


def test_one_snapshot_is_enough(run: Path) -> None:
    for step in RunReader(run).snapshot_steps()[1:]:
        (run / "snapshots" / f"{step:09d}.safetensors").unlink()
    app = open_train(run=RUN)
    assert not app.exception
    assert fed(app, "timeline")[0]["shown"] == 0


def test_damaged_curves_leave_the_pictures(run: Path) -> None:
    (run / "metrics.jsonl").write_text('{"step": 0}\nnonsense\n{"step": 1}\n')
    app = open_train(run=RUN)
    assert not app.exception
    assert "damaged at line 2" in app.warning[0].value
    assert fed(app, "filters")[1]["tiles"].any()


def test_a_run_deleted_while_watched_costs_one_sentence(run: Path) -> None:
    shutil.copytree(run, run.parent / "other")
    app = open_train(run=RUN)
    shutil.rmtree(run)
    app.run()
    assert not app.exception
    assert f"There is no run '{RUN}'" in app.warning[0].value
    assert app.selectbox(key="app.run").value == "other"


def test_buttons_are_those_the_state_allows(run: Path) -> None:
    def buttons(app: AppTest) -> set[str]:
        return {button.key for button in app.button if str(button.key).startswith("do_")}

    assert buttons(open_train(run=RUN)) == set()
    lock = live(run, state="running", steps_per_s=100.0)
    assert buttons(open_train(run=RUN)) == {"do_pause_", "do_stop_"}
    lock.release()
    assert buttons(open_train(run=RUN)) == {"do_restart_"}, "interrupted: nobody holds the lock"
    lock = live(run, state="paused", steps_per_epoch=40)
    assert buttons(open_train(run=RUN)) == {"do_resume_", "do_step_1", "do_step_10", "do_step_40", "do_stop_"}
    lock.release()


def test_a_pressed_button_reaches_the_trainer_and_shows_at_once(run: Path) -> None:
    lock = live(run, state="running", steps_per_s=100.0)
    app = open_train(run=RUN)
    app.button(key="do_pause_").click().run()
    assert "pausing" in text(app)
    assert app.button(key="do_pause_").disabled
    assert [c["command"] for c in control.take(run)] == ["pause"]
    live(run, state="paused")
    app.run()
    assert "pausing" not in text(app)
    app.button(key="do_step_10").click().run()
    (command,) = control.take(run)
    assert command["command"] == "step"
    assert command["value"] == {"n": 10}
    lock.release()


def test_a_setting_changed_while_it_trains_is_sent_with_its_name(run: Path) -> None:
    lock = live(run, state="running", steps_per_s=100.0)
    app = open_train(run=RUN)
    app.session_state["train.change"] = True
    app.run()
    app.selectbox(key="train.change_what").set_value("momentum").run()
    app.number_input(key="train.change_momentum").set_value(0.7).run()
    app.button(key="train.change_do").click().run()
    (command,) = control.take(run)
    assert command["command"] == "set"
    assert command["value"] == {"name": "momentum", "value": 0.7}
    lock.release()


def test_a_change_starts_from_the_setting_in_force_and_says_when_it_is_made(run: Path) -> None:
    def set_by_hand(value: float) -> None:
        event = {
            "time": 0.0,
            "step": 50,
            "command": "set",
            "value": {"name": "learning_rate", "value": value},
        }
        with (run / "events.jsonl").open("a") as record:
            record.write(json.dumps(event) + "\n")

    recorded = json.loads((run / "config.json").read_text())
    recorded["config"] |= {"learning_rate": 0.1, "lr_schedule": "linear"}
    (run / "config.json").write_text(json.dumps(recorded))
    set_by_hand(0.2)
    lock = live(run, state="running", steps_per_s=100.0, learning_rate=0.15)  # a quarter of the run is done
    app = open_train(run=RUN)
    app.session_state["train.change"] = True
    app.run()
    assert app.number_input(key="train.change_learning_rate").value == 0.2
    app.number_input(key="train.change_learning_rate").set_value(0.04).run()
    assert any("set to 0.04, it is 0.03 at this step" in caption.value for caption in app.caption)
    app.button(key="train.change_do").click().run()
    assert any("Passed on" in caption.value for caption in app.caption)
    set_by_hand(0.04)
    app.run()
    assert "learning rate is set to 0.04" in text(app)
    assert not any("Passed on" in caption.value for caption in app.caption)
    lock.release()


def test_what_a_trainer_could_not_do_is_said_while_it_trains(run: Path) -> None:
    lock = live(run, state="paused", message="Not done: k must be at least 1, got 0.")
    assert "Not done: k must be at least 1, got 0." in [one.value for one in open_train(run=RUN).warning]
    lock.release()


def test_every_press_is_answered(run: Path) -> None:
    lock = live(run, state="running", steps_per_s=100.0)
    app = open_train(run=RUN)
    assert fed(app, "timeline")[0]["heard"] == []
    app.button(key="do_pause_").click().run()
    assert len(fed(app, "timeline")[0]["heard"]) == 1
    lock.release()


def test_images_set_aside_to_validate_are_told(run: Path) -> None:
    app = open_train(run=RUN)
    app.selectbox(key="new.dataset").set_value("mnist").run()
    assert any("5,000 of the training images are set aside" in caption.value for caption in app.caption)


def test_a_command_nobody_can_obey_costs_one_sentence(run: Path) -> None:
    lock = live(run, state="running", steps_per_s=100.0)
    app = open_train(run=RUN)
    lock.release()
    app.button(key="do_stop_").click().run()
    assert not app.exception
    assert any("not being trained" in error.value for error in app.error)
    assert len(fed(app, "timeline")[0]["heard"]) == 1


def test_time_left_is_told_only_where_the_speed_is_known(run: Path) -> None:
    going = {"state": "running", "step": 1000, "n_steps": 3000, "seconds": 10.0}
    lock = live(run, **going, steps_per_s=100.0)
    assert "100 steps/s · 20\xa0s left" in text(open_train(run=RUN))
    live(run, **going, steps_per_s=0.1)
    stalled = text(open_train(run=RUN))
    assert " left" not in stalled
    assert "steps/s" not in stalled
    live(run, **going, steps_per_s=3.0)
    assert " left" not in text(open_train(run=RUN)), "a stall is taken for the pace of the whole run"
    lock.release()


def test_a_run_that_only_starts_looks_neither_live_nor_trained(run: Path) -> None:
    shutil.rmtree(run / "snapshots")
    (run / "live.safetensors").unlink(missing_ok=True)
    lock = live(run, state="starting", step=0, seconds=10.0, message="Reading the data.")
    app = open_train(run=RUN)
    assert not fed(app, "timeline")[0]["moving"]
    assert "Reading the data." in text(app)
    assert "trained" not in text(app)
    lock.release()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[RunConfig, dict[str, Any]]]:
    """What the form would have started, instead of a process."""
    calls: list[tuple[RunConfig, dict[str, Any]]] = []

    def start(config: RunConfig, name: str, **options: Any) -> str:
        calls.append((config, {"name": name, **options}))
        return RUN

    monkeypatch.setattr(trainers, "start", start)
    return calls


def test_the_form_starts_what_it_shows(run: Path, started: list[tuple[RunConfig, dict[str, Any]]]) -> None:
    app = open_train(run=RUN)
    app.selectbox(key="new.dataset").set_value("bars-and-stripes").run()
    app.number_input(key="new.quick_n_hidden").set_value(12).run()
    app.button(key="new.start").click().run()
    ((config, options),) = started
    assert not app.exception
    assert (config.dataset, config.n_hidden) == ("bars-and-stripes", 12)
    assert options["preset"] is None, "a changed preset is no longer that preset"
    assert app.query_params["run"] == RUN


def test_a_new_run_is_called_what_the_form_says_or_after_what_it_trains(
    run: Path, started: list[tuple[RunConfig, dict[str, Any]]]
) -> None:
    app = open_train(run=RUN)
    app.selectbox(key="new.dataset").set_value("bars-and-stripes").run()
    assert app.text_input(key="new.name").placeholder == "bars-and-stripes-quick"
    app.text_input(key="new.name").set_value("my first").run()
    assert app.button(key="new.start").disabled
    assert "A run cannot be called 'my first'" in text(app).replace("\\", "")
    app.text_input(key="new.name").set_value(RUN).run()
    assert app.button(key="new.start").disabled, "a run that there is would be asked for again"
    app.text_input(key="new.name").set_value("my-first").run()
    app.button(key="new.start").click().run()
    assert started[0][1]["name"] == "my-first"
    app.button(key="new.start").click().run()
    assert started[1][1]["name"].startswith("bars-and-stripes-quick-"), "the name is kept for the next run"


def test_a_run_forked_from_the_moment_shown_starts_from_its_weights(
    run: Path, started: list[tuple[RunConfig, dict[str, Any]]]
) -> None:
    step = RunReader(run).snapshot_steps()[2]
    app = open_train(run=RUN, step=str(step))
    app.checkbox(key="new.fork").check().run()
    app.button(key="new.start").click().run()
    ((config, options),) = started
    assert options["origin"] == {"run": RUN, "step": step}
    assert config.n_hidden == 64, "the fork has other hidden units than what it starts from"


def test_choosing_a_preset_shows_its_values(
    run: Path, started: list[tuple[RunConfig, dict[str, Any]]]
) -> None:
    app = open_train(run=RUN)
    app.selectbox(key="new.preset").set_value("reference").run()
    app.session_state["new.all"] = True
    app.run()
    assert app.number_input(key="new.reference_n_hidden").value == 250
    assert app.selectbox(key="new.reference_optimizer").value == "adam"


def test_a_setting_stays_set_when_its_control_is_folded_away(
    run: Path, started: list[tuple[RunConfig, dict[str, Any]]]
) -> None:
    app = open_train(run=RUN)
    app.session_state["new.all"] = True
    app.run()
    app.number_input(key="new.quick_momentum").set_value(0.5).run()
    app.session_state["new.all"] = False
    app.run()
    app.button(key="new.start").click().run()
    assert started[0][0].momentum == 0.5


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("learning_rate", -1.0, "Learning rate must be greater than 0, got -1.0."),
        ("n_hidden", 0, "Hidden units must be at least 1, got 0."),
        ("k", 0, "Gibbs sweeps per update (k) must be at least 1, got 0."),
        ("weight_decay", 50.0, "Weight decay (L2) must be at most 10, got 50.0."),
    ],
)
def test_values_that_cannot_be_trained_are_said_at_their_field_in_its_labels_words(
    run: Path, started: list[tuple[RunConfig, dict[str, Any]]], field: str, value: float, sentence: str
) -> None:
    app = open_train(run=RUN)
    app.selectbox(key="new.dataset").set_value("mnist").run()
    app.session_state["new.all"] = True
    app.run()
    app.number_input(key=f"new.quick_{field}").set_value(value).run()
    assert not app.exception
    assert app.button(key="new.start").disabled
    drawn = [getattr(e, "key", None) or getattr(e, "value", "") for e in app.sidebar]
    at = drawn.index(f"new.quick_{field}")
    assert drawn[at + 1].replace("\\", "") == f":red[{sentence}]"
    app.number_input(key=f"new.quick_{field}").set_value(1 if isinstance(value, int) else 0.5).run()
    assert not app.button(key="new.start").disabled
    assert not any(":red[" in caption.value for caption in app.caption)


def test_what_is_wrong_in_a_folded_setting_is_said_above_start(run: Path) -> None:
    app = open_train(run=RUN)
    app.session_state["new.all"] = True
    app.run()
    app.number_input(key="new.quick_weight_decay").set_value(50.0).run()
    app.session_state["new.all"] = False
    app.run()
    assert app.button(key="new.start").disabled
    assert any("Weight decay" in c.value and "at most 10" in c.value for c in app.caption)


def test_a_changed_run_keeps_its_presets_name_and_says_that_it_is_changed(
    run: Path, started: list[tuple[RunConfig, dict[str, Any]]]
) -> None:
    app = open_train(run=RUN)
    app.selectbox(key="new.dataset").set_value("mnist-5k").run()
    app.button(key="new.start").click().run()
    app.number_input(key="new.quick_k").set_value(3).run()
    app.button(key="new.start").click().run()
    (plain, _), (changed, options) = started_names(started)
    assert plain.startswith("mnist-5k-quick-")
    assert "changed" not in plain
    assert changed.startswith("mnist-5k-quick-changed-")
    assert options["preset"] is None


def started_names(started: list[tuple[RunConfig, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    return [(options["name"], options) for _, options in started]


def test_a_finished_run_offers_what_comes_next_and_is_trained_longer_from_its_end(
    run: Path, started: list[tuple[RunConfig, dict[str, Any]]]
) -> None:
    app = open_train(run=RUN)
    links = {link.proto.page for link in app.get("page_link")}
    assert {"gibbs", "evaluate", "learn"} <= links
    app.button(key="train.longer").click().run()
    app.run()
    assert app.selectbox(key="new.preset").value == "as this run"
    assert app.checkbox(key="new.fork").value
    app.button(key="new.start").click().run()
    ((config, options),) = started
    recorded = RunReader(run).config()["config"]
    assert options["origin"] == {"run": RUN, "step": RunReader(run).snapshot_steps()[-1]}
    assert config.model_dump() == recorded
    assert "fork" in options["name"]


def test_every_control_of_the_form_teaches_with_its_fields_own_sentence(run: Path) -> None:
    app = open_train(run=RUN)
    app.selectbox(key="new.dataset").set_value("mnist").run()
    app.session_state["new.all"] = True
    app.run()
    for name, field in RunConfig.model_fields.items():
        kinds = ("selectbox", "number_input", "checkbox", "text_input")
        widgets = [
            w for kind in kinds for w in app.get(kind) if w.key in (f"new.quick_{name}", f"new.{name}")
        ]
        assert [w.help for w in widgets] == [field.description], name


def test_data_not_on_this_machine_are_offered_with_a_sentence(
    run: Path,
    started: list[tuple[RunConfig, dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("RBM_DATA_DIR", str(tmp_path / "nothing"))
    app = open_train(run=RUN)
    app.selectbox(key="new.dataset").set_value("mnist").run()
    assert "not on this machine yet" in app.info[0].value
    assert "mnist-5k" in app.info[0].value
    app.button(key="new.start").click().run()
    assert started[0][1]["download"] is True


def test_a_small_data_set_gets_as_many_updates_as_the_preset_means_and_says_so(run: Path) -> None:
    app = open_train(run=RUN)
    app.selectbox(key="new.dataset").set_value("mnist-5k").run()
    assert app.number_input(key="new.quick_epochs_mnist-5k").value == 5 * 550 // 40
    assert any("as many updates" in caption.value for caption in app.caption)
    app.selectbox(key="new.dataset").set_value("mnist").run()
    assert not any("as many updates" in caption.value for caption in app.caption)


def test_the_head_is_never_behind_the_pictures(run: Path) -> None:
    reader = RunReader(run)
    last = reader.snapshot_steps()[-1]
    lock = live(run, state="running", steps_per_s=100.0, step=last - 3, epoch=1.5)
    app = open_train(run=RUN)
    assert f"step **{last:,}**" in next(e.value for e in app.markdown if "steps/s" in e.value)
    lock.release()


def test_only_a_run_that_moves_is_marked_as_moving(run: Path) -> None:
    for state, moving in (("running", True), ("paused", False)):
        lock = live(run, state=state, steps_per_s=100.0)
        header, _ = fed(open_train(run=RUN), "timeline")
        assert header["alive"]
        assert header["moving"] is moving
        lock.release()


def test_resuming_leaves_the_moment_alone_and_a_single_step_says_that_it_moves_it(run: Path) -> None:
    _, second, *_ = RunReader(run).snapshot_steps()
    lock = live(run, state="paused", steps_per_epoch=40)
    app = open_train(run=RUN, step=str(second))
    app.button(key="do_resume_").click().run()
    assert fed(app, "timeline")[0]["shown"] == second
    app = open_train(run=RUN, step=str(second))
    app.button(key="do_step_10").click().run()
    assert fed(app, "timeline")[0]["follows"]
    assert "follows the newest" in app.toast[0].value
    lock.release()


def test_every_picture_has_its_own_words_formula_and_source(run: Path) -> None:
    for group in CURVE_GROUPS:
        said = [e.value for e in open_train(run=RUN, curves=group).markdown if "Source:" in e.value]
        assert len(said) == N_FIGURES
        assert len(set(said)) == N_FIGURES
        assert all(s.count("$$") == 2 for s in said), "a picture without its formula"


def test_the_likelihood_a_run_followed_reaches_the_curves_with_its_error(run: Path) -> None:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for n, row in enumerate(rows):
        known = n % 2 == 1  # an estimate now and then, null in between
        values = {"log_likelihood_train": -90.0 - n, "log_likelihood_valid": -92.0 - n, "log_z": 400.0}
        row |= {key: value if known else None for key, value in {**values, "log_z_stderr": 0.5}.items()}
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (run / "likelihood.jsonl").write_text(
        json.dumps({"step": 40, "estimator": "ais", "train_nats": -99.0, "valid_nats": None, "stderr": 0.25})
        + "\n"
    )
    header, arrays = fed(open_train(run=RUN), "curves")
    for name, first in (("log_likelihood_train", -91.0), ("log_z_stderr", 0.5)):
        column = arrays["rows"][:, header["columns"].index(name)]
        assert column[1] == first
        assert np.isnan(column[::2]).all(), "a row without an estimate is drawn"
    assert arrays["estimates"][0].tolist()[:2] == [40.0, -99.0]
    assert np.isnan(arrays["estimates"][0, 2])
    assert arrays["estimates"][0, 4] == 0.25


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
    app = open_train(run=RUN)
    assert seen, "the page never reads it"
    assert not app.exception
    for _ in range(2):  # the second refresh may be the one that finds it gone
        app.run()
        assert not app.exception
    assert app.warning or app.error or "no run to show" in text(app)
