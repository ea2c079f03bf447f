"""Train's first line: the buttons that the run's state allows, what they send, and how far the run is."""

import contextlib
import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from streamlit.runtime.scriptrunner import RerunData, RerunException
from streamlit.testing.v1 import AppTest

from dashboard.views.train import commands, state
from rbm_core.runs import control
from tests.dashboard import opened
from tests.dashboard.opened import as_read, fed, open_page
from tests.dashboard.small_train import RUN, live, text
from tests.small_run import train_small


@pytest.fixture
def run(runs_root: Path) -> Path:
    return train_small(runs_root, RUN)


def test_buttons_are_those_the_state_allows(run: Path) -> None:
    def buttons(app: AppTest) -> set[str]:
        return {button.key for button in app.button if str(button.key).startswith("train.do_")}

    assert buttons(open_page(run=RUN)) == set()
    lock = live(run, state="running", steps_per_s=100.0)
    assert buttons(open_page(run=RUN)) == {"train.do_pause_", "train.do_stop_"}
    lock.release()
    assert buttons(open_page(run=RUN)) == {"train.do_restart_"}, "interrupted: nobody holds the lock"
    lock = live(run, state="paused", steps_per_epoch=40)
    assert buttons(open_page(run=RUN)) == {
        "train.do_resume_",
        "train.do_step_1",
        "train.do_step_10",
        "train.do_step_40",
        "train.do_stop_",
    }
    lock.release()


def test_a_pressed_button_reaches_the_trainer_and_shows_at_once(run: Path) -> None:
    lock = live(run, state="running", steps_per_s=100.0)
    app = open_page(run=RUN)
    app.button(key="train.do_pause_").click().run()
    assert "pausing" in text(app)
    assert app.button(key="train.do_pause_").disabled
    assert [c["command"] for c in control.take(run)] == ["pause"]
    live(run, state="paused")
    app.run()
    assert "pausing" not in text(app)
    app.button(key="train.do_step_10").click().run()
    (command,) = control.take(run)
    assert command["command"] == "step"
    assert command["value"] == {"n": 10}
    lock.release()


def test_every_press_is_answered(run: Path) -> None:
    lock = live(run, state="running", steps_per_s=100.0)
    app = open_page(run=RUN)
    assert fed(app, "timeline")[0]["heard"] == []
    app.button(key="train.do_pause_").click().run()
    assert len(fed(app, "timeline")[0]["heard"]) == 1
    lock.release()


@pytest.mark.parametrize("command", ["step_10", "speed_10/s", "set_"])
def test_a_press_whose_callback_is_cut_short_is_obeyed_when_it_is_named_again(
    run: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Streamlit ends a callback at its next look into the session's state where a run of the whole page waits."""
    lock = live(run, state="paused")
    page = state.Train(state.Watched(RUN))
    press = {"run": RUN, "command": command, "name": "1 0.5"}
    looks: list[object] = []

    def look(what: object) -> Any:
        looks.append(what)
        if len(looks) == ends_at:
            raise RerunException(RerunData())
        return what

    monkeypatch.setattr(state, "page", lambda: look(page))
    monkeypatch.setattr(state, "watched", lambda: look(page.watched))
    monkeypatch.setattr(state, "said", lambda _: look([press]))
    monkeypatch.setattr(state, "wish", lambda: look({"name": "momentum", "value": 0.7}))
    obeyed = 0
    for ends_at in range(1, 8):
        looks.clear()
        with contextlib.suppress(RerunException):
            commands.obey_named()
        obeyed += len(control.take(run))
        assert obeyed == (press["name"] in page.presses)
        assert obeyed or len(looks) == ends_at, "nothing ended the callback, and it obeyed nothing"
    assert obeyed == 1
    lock.release()


def test_watch_speed_is_the_trainers_own_and_can_be_changed(run: Path) -> None:
    lock = live(run, state="running", steps_per_s=10.0, updates_per_second=10.0)
    app = open_page(run=RUN)
    choice = app.get("button_group")[0]
    assert choice.value == "10/s"
    choice.set_value("full speed").run()
    (command,) = control.take(run)
    assert (command["command"], command["value"]) == ("speed", {"updates_per_second": None})
    assert app.get("button_group")[0].value == "full speed", "shown at once, before the trainer has answered"
    live(run, state="running", steps_per_s=400.0, updates_per_second=None)
    assert app.run().get("button_group")[0].value == "full speed"
    lock.release()
    assert not open_page(run=RUN).get("button_group"), "nobody is there to obey"


def test_one_click_on_a_speed_is_one_command(run: Path) -> None:
    """A refresh that wrote the choice anew would reach the browser after the click, and come back as another choice."""
    lock = live(run, state="running", steps_per_s=10.0, updates_per_second=10.0)
    app = open_page(run=RUN)
    assert app.get("button_group")[0].proto.set_value, "the page says first what the trainer keeps to"
    app.run()
    assert not app.get("button_group")[0].proto.set_value
    app.get("button_group")[0].set_value("full speed").run()
    assert not app.get("button_group")[0].proto.set_value
    live(run, state="running", steps_per_s=400.0, updates_per_second=None)
    app.run()
    assert [c["value"] for c in control.take(run)] == [{"updates_per_second": None}]
    live(run, state="running", steps_per_s=1.0, updates_per_second=1.0)
    assert app.run().get("button_group")[0].value == "1/s", "somebody else chose it"
    lock.release()


def test_a_speed_that_the_browser_gives_back_is_no_choice(run: Path) -> None:
    """What the page wrote into the control can cross a press, and come back after it: the press counts."""
    lock = live(run, state="running", steps_per_s=10.0, updates_per_second=10.0)
    app = open_page(run=RUN)
    opened.state(app, state.Train).presses = [
        "1 0.5"
    ]  # the browser named the press of another speed, now obeyed
    opened.state(app, state.Train).watched.speed = state.Speed(None, time.monotonic())
    app.get("button_group")[0].set_value("100/s").run()
    assert not control.take(run)
    assert app.get("button_group")[0].value == "full speed"
    lock.release()


def test_a_trainer_that_starts_is_shown_at_no_speed(run: Path) -> None:
    lock = live(run, state="starting", n_steps=0)
    assert not open_page(run=RUN).get("button_group")
    lock.release()


def test_a_model_from_a_file_is_not_said_to_be_half_trained(run: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "origin": {"file": "theirs.npz"}}))
    live(
        run, state="stopped", step=0, message="Imported from theirs.npz. Resume trains on from here."
    ).release()
    shown = text(open_page(run=RUN))
    assert "● imported" in shown
    assert "not trained here; Resume would make" in shown
    assert "epoch 0 of" not in shown


def asked_to_change(name: str, value: float) -> AppTest:
    """The page with its form for a changed setting open and filled in, and nothing sent yet."""
    app = open_page(run=RUN)
    app.session_state["train.change"] = True
    app.run()
    app.selectbox(key="train.change_what").set_value(name).run()
    app.number_input(key=f"train.change_{name}").set_value(value).run()
    return app


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("learning_rate", -1.0, "Learning rate must be greater than 0, got -1.0."),
        ("learning_rate", 1e9, "Learning rate must be at most 100"),
        ("momentum", 1.0, "Momentum must be less than 1"),
        ("weight_decay", -0.1, "Weight decay (L2) must be at least 0"),
        ("k", 0.0, "Gibbs sweeps per update (k) must be at least 1"),
        ("k", 2.5e7, "Gibbs sweeps per update (k) must be at most 10000"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_in_the_form(
    run: Path, name: str, value: float, said: str
) -> None:
    lock = live(run, state="paused")
    app = asked_to_change(name, value)
    assert not app.exception
    assert said in text(app).replace("\\", "")
    assert app.button(key="train.do_set_").disabled
    assert "set to" not in text(app)
    lock.release()


def test_what_the_trainer_refuses_is_said_in_the_form_that_asked(run: Path) -> None:
    lock = live(run, state="running", steps_per_s=100.0)
    app = asked_to_change("momentum", 0.7)
    app.button(key="train.do_set_").click().run()
    assert "Passed on" in text(app)
    live(run, state="running", steps_per_s=100.0, message="Not done: momentum is too much today.")
    app.run()
    assert "Passed on" not in text(app)
    assert ":red[Not done: momentum is too much today.]" in text(app).replace("\\", "")
    lock.release()


def test_a_failed_run_shows_its_sentence_once(run: Path) -> None:
    live(run, state="failed", n_steps=0, step=0, message="The data are gone.").release()
    app = open_page(run=RUN)
    said = [one.value for one in (*app.warning, *app.error, *app.markdown, *app.caption)]
    assert sum("The data are gone" in one.replace("\\", "") for one in said) == 1


def test_time_left_waits_until_the_speed_is_steady(run: Path) -> None:
    lock = live(run, state="running", steps_per_s=100.0, steady=False)
    assert " left" not in text(open_page(run=RUN))
    live(run, state="running", steps_per_s=2.0, steady=True, updates_per_second=2.0)
    assert " left" in text(open_page(run=RUN)), "a watched run is slow, and not stalled"
    lock.release()


def test_a_command_nobody_can_obey_costs_one_sentence(run: Path) -> None:
    lock = live(run, state="running", steps_per_s=100.0)
    app = open_page(run=RUN)
    lock.release()
    app.button(key="train.do_stop_").click().run()
    assert not app.exception
    assert any("not being trained" in error.value for error in app.error)
    assert len(fed(app, "timeline")[0]["heard"]) == 1


def test_what_a_trainer_could_not_do_is_said_while_it_trains(run: Path) -> None:
    lock = live(run, state="paused", message="Not done: k must be at least 1, got 0.")
    assert "Not done: k must be at least 1, got 0." in [
        as_read(one.value) for one in open_page(run=RUN).warning
    ]
    lock.release()


def test_a_setting_changed_while_it_trains_is_sent_with_its_name(run: Path) -> None:
    lock = live(run, state="running", steps_per_s=100.0)
    app = asked_to_change("momentum", 0.7)
    app.button(key="train.do_set_").click().run()
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
    app = open_page(run=RUN)
    app.session_state["train.change"] = True
    app.run()
    assert app.number_input(key="train.change_learning_rate").value == 0.2
    app.number_input(key="train.change_learning_rate").set_value(0.04).run()
    assert any("set to 0.04, it is 0.03 at this step" in caption.value for caption in app.caption)
    app.button(key="train.do_set_").click().run()
    assert any("Passed on" in caption.value for caption in app.caption)
    set_by_hand(0.04)
    app.run()
    assert "learning rate is set to 0.04" in text(app)
    assert not any("Passed on" in caption.value for caption in app.caption)
    lock.release()


def test_time_left_is_told_only_where_the_speed_is_known(run: Path) -> None:
    going = {"state": "running", "step": 1000, "n_steps": 3000, "seconds": 10.0, "steady": True}
    lock = live(run, **going, steps_per_s=100.0)
    assert "100 steps/s · 20\xa0s left" in text(open_page(run=RUN))
    live(run, **going, steps_per_s=0.1)
    stalled = text(open_page(run=RUN))
    assert " left" not in stalled
    assert "steps/s" not in stalled
    live(run, **going, steps_per_s=3.0)
    assert " left" not in text(open_page(run=RUN)), "a stall is taken for the pace of the whole run"
    lock.release()


def test_a_run_that_only_starts_looks_neither_live_nor_trained(run: Path) -> None:
    shutil.rmtree(run / "snapshots")
    (run / "live.safetensors").unlink(missing_ok=True)
    lock = live(run, state="starting", step=0, seconds=10.0, message="Reading the data.")
    app = open_page(run=RUN)
    assert not fed(app, "timeline")[0]["moving"]
    assert "Reading the data." in text(app)
    assert "trained" not in text(app)
    lock.release()
