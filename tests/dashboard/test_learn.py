"""The Learn page: its film is the tiny machine's own learning, its lessons can be pressed, its link is kept."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.components.blob import pack, unpack
from dashboard.figures import learn
from dashboard.ui import link
from dashboard.views.learn import lessons
from rbm_core import enumerable
from tests import oracles
from tests.dashboard.opened import open_page
from tests.live import REPO

PAIR = learn.MACHINES["pair"]


@pytest.fixture(scope="module", params=["exact", "cd1", "cd10", "pcd"])
def film(request: pytest.FixtureRequest) -> learn.Blob:
    return learn.film("pair", 2, request.param, PAIR.rate, 3)


def parameters(film: learn.Blob, step: int) -> tuple[np.ndarray, ...]:
    header, arrays = film
    V, H = header["n_visible"], header["n_hidden"]
    flat = arrays["parameters"][step].astype(np.float64)
    return flat[: V * H].reshape(V, H), flat[V * H : V * H + V], flat[V * H + V :]


@pytest.mark.parametrize("step", [0, 117, PAIR.n_updates])
def test_the_films_likelihood_is_that_of_its_parameters(film: learn.Blob, step: int) -> None:
    header, arrays = film
    model = parameters(film, step)
    p = oracles.p_v(*model)
    q = np.zeros(4)
    q[arrays["patterns"]] = arrays["p_data"]
    # The parameters of the film are float32; its likelihood was worked out in float64.
    assert arrays["log_likelihood"][step] == pytest.approx(float(q @ np.log(p)), abs=1e-5)
    assert arrays["log_z"][step] == pytest.approx(oracles.log_z(*model), abs=1e-5)
    assert header["best"] == pytest.approx(float(q @ np.log(q)))


def test_each_update_is_rate_times_positive_less_negative(film: learn.Blob) -> None:
    header, arrays = film
    total = header["n_updates"]
    rates = header["rate"] * (1 - np.arange(total) / total)
    moves = np.diff(arrays["parameters"].astype(np.float64), axis=0)
    want = rates[:, None] * (arrays["positive"].astype(np.float64) - arrays["negative"])
    np.testing.assert_allclose(moves, want, atol=2e-6)


def test_the_shown_angles_are_those_between_the_shown_gradients(film: learn.Blob) -> None:
    _, arrays = film
    for moment in (0, 9):
        g = arrays["exact"][moment].astype(np.float64)
        for method in range(3):
            e = arrays["estimates"][1, method, moment].astype(np.float64)
            cosine = g @ e / np.linalg.norm(g) / np.linalg.norm(e)
            shown = arrays["angles"][1, method, moment]
            assert np.cos(np.radians(shown)) == pytest.approx(cosine, abs=1e-4)


def test_the_shown_chain_of_the_film_ends_in_the_negative_statistics() -> None:
    """All chains of a film that shows all of them: the mean picture at their end is the negative ⟨v⟩."""
    *_, (_, info) = enumerable.learn(learn.cases("pair"), 2, "cd1", PAIR.rate, 5, 3)
    np.testing.assert_allclose(info.v[-1].mean(0), info.negative.vbias, atol=1e-7)


def test_chains_start_where_the_method_says(film: learn.Blob) -> None:
    header, arrays = film
    if header["method"] == "exact":
        assert arrays["starts"].shape[1] == 0
    elif header["method"] == "pcd":
        np.testing.assert_array_equal(arrays["starts"][1:], arrays["v_path"][:-1, -1])
    else:
        data = enumerable.numbers(learn.cases("pair"))[: enumerable.SHOWN_CHAINS]
        assert (arrays["starts"] == data).all()
        assert arrays["v_path"].shape[1] == enumerable.METHODS[header["method"]]


@pytest.mark.parametrize("machine", learn.MACHINES)
def test_a_film_reaches_the_browser_whole(machine: str) -> None:
    plan = learn.MACHINES[machine]
    header, arrays = learn.film(machine, 1, "exact", plan.rate, 0)
    shown, back = unpack(pack(header, arrays))
    assert shown["n_updates"] == len(back["parameters"]) - 1 == plan.n_updates
    assert back["moments"][0] == 0
    assert back["moments"][-1] == plan.n_updates
    assert back["p_data"].sum() == pytest.approx(1)


def test_bars_and_stripes_are_learned_and_cd_1_stays_behind() -> None:
    """What the lessons say of 3 × 3: CD-10 comes close to the exact gradient, CD-1 stops short."""
    plan = learn.MACHINES["3x3"]
    left = {}
    for method in ("exact", "cd1", "cd10"):
        header, arrays = learn.film("3x3", plan.n_hidden, method, plan.rate, 7)
        left[method] = header["best"] - arrays["log_likelihood"][-1]
    assert left["exact"] < 0.3
    assert left["cd10"] < 0.3
    assert left["cd1"] > 1.5 * max(left["exact"], left["cd10"])


def test_lesson_eight_shows_what_it_says() -> None:
    """There CD-1's bias shows beside PCD: with many chains it errs by more degrees than PCD and CD-10."""
    lesson, plan = lessons.LESSONS[7], learn.MACHINES["3x3"]
    _, arrays = learn.film("3x3", plan.n_hidden, lesson.method, plan.rate, link.FIELDS["seed"].default)
    moment = np.flatnonzero(arrays["moments"] <= lesson.command["at"])[-1]
    cd1, cd10, pcd = arrays["angles"][1, :, moment]
    assert cd1 > max(cd10, pcd) + 10
    assert arrays["moments"][moment] == lesson.command["at"], (
        "the figure is of another update than the header"
    )
    assert "one step's direction" in lesson.text


def test_the_lessons_say_what_the_name_means() -> None:
    texts = [lesson.text.replace("\n", " ") for lesson in lessons.LESSONS]
    first = next(text for text in texts if "Restricted Boltzmann Machine" in text)
    assert "no pixel is joined to another, and no hidden unit either" in first


def test_progress_is_told_while_a_film_is_made() -> None:
    told: list[tuple[int, int]] = []
    learn.film("pair", 1, "exact", 1.0, 0, lambda done, total: told.append((done, total)))
    assert told
    assert told == sorted(told)
    assert {total for _, total in told} == {PAIR.n_updates}


# --- the page ---


def open_learn(**query: str) -> AppTest:
    app = open_page("learn", **query)
    assert not app.exception
    return app


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


def test_walking_through_the_tour_presses_every_button(runs_root: Path) -> None:
    app = open_learn()
    for number, lesson in enumerate(lessons.LESSONS, start=1):
        assert any(lesson.title in element.value for element in app.markdown)
        assert asked(app, "lesson") == (None if number == 1 else str(number))
        app.button(key="learn-press").click().run()
        assert not app.exception
        assert app.session_state["learn-machine"] == lesson.machine
        assert app.session_state["learn-method"] == lesson.method
        assert app.session_state["learn-hidden"] == learn.MACHINES[lesson.machine].n_hidden
        assert app.session_state["learn-command"]["view"] == lesson.command["view"]
        app.button(key="learn-next").click().run()
        following = lessons.LESSONS[number % 10]
        assert app.session_state["learn-machine"] == following.machine, "the words and the machine disagree"
        assert app.session_state["learn-method"] == following.method
        assert app.session_state["learn-command"]["view"] == following.command["view"]
        assert "play" not in app.session_state["learn-command"], "it plays before its button is pressed"
    assert any(lessons.LESSONS[0].title in element.value for element in app.markdown)


def test_a_link_brings_its_machine_back(runs_root: Path) -> None:
    link = {"machine": "3x3", "method": "pcd", "hidden": "5", "rate": "0.25", "seed": "11", "lesson": "9"}
    app = open_learn(**link)
    assert app.session_state["learn-machine"] == "3x3"
    assert app.session_state["learn-method"] == "pcd"
    assert app.number_input(key="learn-hidden").value == 5
    assert app.number_input(key="learn-rate").value == 0.25
    assert app.number_input(key="learn-seed").value == 11
    for name, value in link.items():
        assert asked(app, name) == value


def test_another_machine_brings_the_settings_that_suit_it(runs_root: Path) -> None:
    app = open_learn(hidden="2")
    app.button(key="learn-next").click().run()
    app.segmented_control(key="learn-machine").set_value("3x3").run()
    assert app.number_input(key="learn-hidden").value == learn.MACHINES["3x3"].n_hidden
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
    assert any(said in element.value for element in app.warning)
    assert app.session_state["learn-machine"] == "pair"
    assert app.number_input(key="learn-hidden").value == 1


@pytest.mark.parametrize(
    "module", ["rbm_core.enumerable", "dashboard.figures.learn", "dashboard.views.learn.lessons"]
)
def test_learning_in_the_apps_process_needs_no_torch(module: str) -> None:
    program = f"import sys, {module}; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPO, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
