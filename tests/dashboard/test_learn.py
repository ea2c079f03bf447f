"""The Learn page: what it plays is the tiny model's own learning, its lessons can be pressed, its link is kept."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.components.blob import pack, unpack
from dashboard.figures import learn
from dashboard.ui import link
from dashboard.views.learn import lessons, player
from dashboard.views.learn.state import learn as learn_state
from rbm_core import enumerable
from tests import oracles
from tests.dashboard.opened import as_read, fed, open_page
from tests.live import REPO

PAIR = learn.MACHINES["pair"]


@pytest.fixture(scope="module", params=["exact", "cd1", "cd10", "pcd"])
def training(request: pytest.FixtureRequest) -> learn.Blob:
    return learn.training("pair", 2, request.param, PAIR.rate, 3)


def parameters(training: learn.Blob, step: int) -> tuple[np.ndarray, ...]:
    header, arrays = training
    V, H = header["n_visible"], header["n_hidden"]
    flat = arrays["parameters"][step].astype(np.float64)
    return flat[: V * H].reshape(V, H), flat[V * H : V * H + V], flat[V * H + V :]


@pytest.mark.parametrize("step", [0, 117, PAIR.n_updates])
def test_the_trainings_likelihood_is_that_of_its_parameters(training: learn.Blob, step: int) -> None:
    header, arrays = training
    model = parameters(training, step)
    p = oracles.p_v(*model)
    q = np.zeros(4)
    q[arrays["patterns"]] = arrays["p_data"]
    # The parameters of the training are float32; its likelihood was worked out in float64.
    assert arrays["log_likelihood"][step] == pytest.approx(float(q @ np.log(p)), abs=1e-5)
    assert arrays["log_z"][step] == pytest.approx(oracles.log_z(*model), abs=1e-5)
    assert header["best"] == pytest.approx(float(q @ np.log(q)))


def test_each_update_is_rate_times_positive_less_negative(training: learn.Blob) -> None:
    header, arrays = training
    total = header["n_updates"]
    rates = header["rate"] * (1 - np.arange(total) / total)
    moves = np.diff(arrays["parameters"].astype(np.float64), axis=0)
    want = rates[:, None] * (arrays["positive"].astype(np.float64) - arrays["negative"])
    np.testing.assert_allclose(moves, want, atol=2e-6)


def test_the_shown_angles_are_those_between_the_shown_gradients(training: learn.Blob) -> None:
    _, arrays = training
    for moment in (0, 9):
        g = arrays["exact"][moment].astype(np.float64)
        for method in range(3):
            e = arrays["estimates"][1, method, moment].astype(np.float64)
            cosine = g @ e / np.linalg.norm(g) / np.linalg.norm(e)
            shown = arrays["angles"][1, method, moment]
            assert np.cos(np.radians(shown)) == pytest.approx(cosine, abs=1e-4)


def test_the_shown_chains_end_in_the_negative_statistics() -> None:
    """Where all chains are shown, the mean picture at their end is the negative ⟨v⟩."""
    *_, (_, info) = enumerable.learn(learn.cases("pair"), 2, "cd1", PAIR.rate, 5, 3)
    np.testing.assert_allclose(info.v[-1].mean(0), info.negative.vbias, atol=1e-7)


def test_chains_start_where_the_method_says(training: learn.Blob) -> None:
    header, arrays = training
    if header["method"] == "exact":
        assert arrays["starts"].shape[1] == 0
    elif header["method"] == "pcd":
        np.testing.assert_array_equal(arrays["starts"][1:], arrays["v_path"][:-1, -1])
    else:
        data = enumerable.numbers(learn.cases("pair"))[: enumerable.SHOWN_CHAINS]
        assert (arrays["starts"] == data).all()
        assert arrays["v_path"].shape[1] == enumerable.METHODS[header["method"]]


@pytest.mark.parametrize("machine", learn.MACHINES)
def test_a_training_reaches_the_browser_whole(machine: str) -> None:
    plan = learn.MACHINES[machine]
    header, arrays = learn.training(machine, 1, "exact", plan.rate, 0)
    shown, back = unpack(pack(header, arrays))
    assert shown["n_updates"] == len(back["parameters"]) - 1 == plan.n_updates
    assert back["moments"][0] == 0
    assert back["moments"][-1] == plan.n_updates
    assert back["p_data"].sum() == pytest.approx(1)


@cache
def trained_3x3(method: str) -> learn.Blob:
    """The training that the lessons on 3 × 3 pixels show."""
    return learn.training(
        "3x3", learn.MACHINES["3x3"].n_hidden, method, learn.MACHINES["3x3"].rate, link.FIELDS["seed"].default
    )


@pytest.mark.slow
def test_bars_and_stripes_are_learned_and_cd_1_stays_behind() -> None:
    """What the lessons say of 3 × 3: CD-10 comes close to the exact gradient, CD-1 stops short."""
    plan, data = learn.MACHINES["3x3"], learn.cases("3x3")
    left = {}
    for method in ("exact", "cd10"):
        *_, (last, _) = enumerable.learn(data, plan.n_hidden, method, plan.rate, plan.n_updates, 7)
        left[method] = -enumerable.entropy(data) - enumerable.log_likelihood(last.rbm, data)
    header, arrays = trained_3x3("cd1")
    left["cd1"] = header["best"] - arrays["log_likelihood"][-1]
    assert left["exact"] < 0.3
    assert left["cd10"] < 0.3
    assert left["cd1"] > 1.5 * max(left["exact"], left["cd10"])


def test_lesson_eight_shows_what_it_says() -> None:
    """There CD-1's bias shows beside PCD: with many chains it errs by more degrees than PCD and CD-10."""
    lesson = lessons.LESSONS[7]
    _, arrays = trained_3x3(lesson.method)
    moment = np.flatnonzero(arrays["moments"] <= lesson.command["at"])[-1]
    cd1, cd10, pcd = arrays["angles"][1, :, moment]
    assert cd1 > max(cd10, pcd) + 10
    assert arrays["moments"][moment] == lesson.command["at"], (
        "the angles shown are of another update than the one named"
    )
    assert "one step's direction" in lesson.text


def test_the_lessons_say_what_the_name_means() -> None:
    texts = [lesson.text.replace("\n", " ") for lesson in lessons.LESSONS]
    first = next(text for text in texts if "Restricted Boltzmann Machine" in text)
    assert "no pixel is joined to another, and no hidden unit either" in first


def test_progress_is_told_while_a_training_is_made() -> None:
    told: list[tuple[int, int]] = []
    learn.training("pair", 1, "exact", 1.0, 0, lambda done, total: told.append((done, total)))
    assert told
    assert told == sorted(told)
    assert {total for _, total in told} == {PAIR.n_updates}


# --- the page ---


def open_learn(**query: str) -> AppTest:
    app = open_page("learn", **query)
    assert not app.exception
    return app


def told(app: AppTest) -> dict[str, Any]:
    """The command that waits for the player."""
    return dict(fed(app, "learn.player")[0]["command"])


def asked(app: AppTest, name: str) -> Any:
    value = app.query_params.get(name)
    return value[0] if isinstance(value, list) else value


def test_there_are_ten_lessons_with_something_to_press() -> None:
    assert len(lessons.LESSONS) == 10
    for lesson in lessons.LESSONS:
        assert lesson.machine in learn.MACHINES
        assert lesson.method in learn.METHOD_NAMES
        assert lesson.command["view"] in link.LEARN_VIEWS
        assert 0 <= lesson.command["at"] <= learn.MACHINES[lesson.machine].n_updates
        assert lesson.text.count("$") % 2 == 0
        assert "$" not in lesson.formula
        assert len(re.findall(r"[{]", lesson.formula)) == len(re.findall(r"[}]", lesson.formula))


@pytest.mark.slow
def test_walking_through_the_tour_presses_every_button(runs_root: Path) -> None:
    app = open_learn()
    for number, lesson in enumerate(lessons.LESSONS, start=1):
        assert any(lesson.title in element.value for element in app.markdown)
        assert asked(app, "lesson") == (None if number == 1 else str(number))
        app.button(key="learn.press").click().run()
        assert not app.exception
        assert app.session_state["learn.machine"] == lesson.machine
        assert app.session_state["learn.method"] == lesson.method
        assert app.session_state["learn.hidden"] == learn.MACHINES[lesson.machine].n_hidden
        assert told(app)["view"] == lesson.command["view"]
        app.button(key="learn.next").click().run()
        following = lessons.LESSONS[number % 10]
        assert app.session_state["learn.machine"] == following.machine, "the words and the machine disagree"
        assert app.session_state["learn.method"] == following.method
        assert told(app)["view"] == following.command["view"]
        assert "play" not in told(app), "it plays before its button is pressed"
    assert any(lessons.LESSONS[0].title in element.value for element in app.markdown)


def test_a_link_brings_its_machine_back(runs_root: Path) -> None:
    link = {"machine": "3x3", "method": "pcd", "hidden": "5", "rate": "0.25", "seed": "11", "lesson": "9"}
    app = open_learn(**link)
    assert app.session_state["learn.machine"] == "3x3"
    assert app.session_state["learn.method"] == "pcd"
    assert app.number_input(key="learn.hidden").value == 5
    assert app.number_input(key="learn.rate").value == 0.25
    assert app.number_input(key="learn.seed").value == 11
    for name, value in link.items():
        assert asked(app, name) == value


def test_another_machine_brings_the_settings_that_suit_it(runs_root: Path) -> None:
    app = open_learn(hidden="2")
    app.button(key="learn.next").click().run()
    app.segmented_control(key="learn.machine").set_value("3x3").run()
    assert app.number_input(key="learn.hidden").value == learn.MACHINES["3x3"].n_hidden
    assert asked(app, "hidden") is None
    assert asked(app, "machine") == "3x3"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"machine": "5x5"}, "machine must be one of pair, 3x3, 4x4"),
        ({"hidden": "none"}, "hidden must be auto or a whole number from 1 to 12"),
        ({"rate": "-1"}, "rate must be auto or a number from 0.01 to 5"),
        ({"hidden": "12"}, "Two pixels has at most 4 hidden units here, not 12"),
        ({"update": "1e9"}, "update must be a whole number from 0 to 2000"),
    ],
)
def test_a_bad_link_falls_back_and_says_so(runs_root: Path, query: dict[str, str], said: str) -> None:
    app = open_learn(**query)
    assert any(said in as_read(element.value) for element in app.warning)
    assert app.session_state["learn.machine"] == "pair"
    assert app.number_input(key="learn.hidden").value == 1


@pytest.mark.parametrize(
    "module", ["rbm_core.enumerable", "dashboard.figures.learn", "dashboard.views.learn.lessons"]
)
def test_learning_in_the_apps_process_needs_no_torch(module: str) -> None:
    program = f"import sys, {module}; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPO, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def link_after(app: AppTest) -> dict[str, str]:
    return {name: asked(app, name) for name in app.query_params}


@pytest.mark.slow
def test_a_turn_writes_the_link_up_to_where_the_player_will_rest(runs_root: Path) -> None:
    """What the player reports when it has come to rest is then no second step of the browser's history."""
    app = open_learn(lesson="7", machine="3x3", method="cd1", view="update", update="300", hidden="5")
    app.button(key="learn.next").click().run()
    lesson = lessons.LESSONS[7]
    assert link_after(app) == {
        "lesson": "8",
        "machine": lesson.machine,
        "method": lesson.method,
        "view": lesson.command["view"],
        "update": str(lesson.command["at"]),
    }
    app.segmented_control(key="learn.machine").set_value("pair").run()
    assert asked(app, "update") is None, "the player shows another machine from its first update on"


def test_a_report_from_before_the_turn_moves_nothing(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The player reports where it rested while "Next step" was pressed: the link stays that of the new lesson."""
    said: dict[str, Any] = {player.PLAYER: {"moment": {"view": "landscape", "at": 77}, "done": None}}
    monkeypatch.setattr("streamlit.session_state", said)
    page = learn_state()
    page.command = {"view": "distribution", "at": 0, "nonce": 5.0}
    page.settings.use_all({"view": "distribution", "update": 0})
    player._rested()
    assert page.settings.value("update") == 0
    said[player.PLAYER]["done"] = 4.0
    player._obeyed()
    assert page.command is not None, "an older command's answer took away the new one"
    said[player.PLAYER]["done"] = 5.0
    player._rested()
    assert page.settings.value("update") == 77
    player._obeyed()
    assert page.command is None
