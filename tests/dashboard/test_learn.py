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
from dashboard.figures import learn, networks, prepared
from dashboard.ui import link
from dashboard.views.learn import lessons, player, tour
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


def titled(title: str) -> lessons.Lesson:
    return next(lesson for lesson in lessons.LESSONS if lesson.title == title)


def trained_pair(step: int) -> enumerable.TinyRBM:
    header, arrays = learn.training("pair", 1, "exact", PAIR.rate, learn.SEED)
    return enumerable.TinyRBM(*parameters((header, arrays), step))


def lacking(machine: str, method: str) -> np.ndarray:
    """The KL after each update of a default training, nats."""
    plan = learn.MACHINES[machine]
    header, arrays = learn.training(machine, plan.n_hidden, method, plan.rate, learn.SEED)
    return np.asarray(header["best"] - arrays["log_likelihood"])


def test_the_price_of_the_short_cut_is_what_its_lesson_says() -> None:
    """CD-1 errs most, with as many chains as the control stands at, and by more degrees once noise has averaged out."""
    lesson = titled("The price of the short cut")
    _, arrays = trained_3x3(lesson.method)
    moment = np.flatnonzero(arrays["moments"] <= lesson.command["at"])[-1]
    assert arrays["moments"][moment] == lesson.command["at"], (
        "the angles shown are of another update than the one named"
    )
    assert lesson.command["many"] == 0, "the text says that the control stands at 96 chains"
    for row, n_chains, degrees in ((0, learn.FEW, 71), (1, learn.MANY, 100)):
        cd1, cd10, pcd = arrays["angles"][row, :, moment]
        assert cd1 > max(cd10, pcd) + 10
        assert round(float(cd1)) == degrees
        assert f"{n_chains}" in lesson.text + lesson.answer
        assert f"{degrees}°" in lesson.answer
    assert "one step's direction" in lesson.answer


def test_the_lessons_numbers_of_two_pixels_are_the_machines() -> None:
    rbm, p = trained_pair(400), np.exp(trained_pair(400).log_p_v())
    np.testing.assert_allclose(p[[0, 3]], 0.41, atol=0.005)
    np.testing.assert_allclose(p[[1, 2]], 0.09, atol=0.005)
    np.testing.assert_allclose(
        [*rbm.vbias, *rbm.hbias, *rbm.W.ravel()], [-2.365, -2.365, -4.10, 4.42, 4.42], atol=0.005
    )
    both_on = -rbm.vbias.sum()
    assert both_on == pytest.approx(4.73, abs=0.005)
    assert both_on - rbm.hbias[0] - rbm.W.sum() == pytest.approx(-0.01, abs=0.005)
    assert -enumerable.entropy(learn.cases("pair")) == pytest.approx(-1.14, abs=0.005)


def test_the_update_by_hand_comes_out() -> None:
    lesson = titled("One update by hand")
    step = lesson.command["at"]
    header, arrays = learn.training("pair", 1, "exact", PAIR.rate, learn.SEED)
    before, after = arrays["parameters"][[step, step + 1], 0]
    data, machine = arrays["positive"][step, 0], arrays["negative"][step, 0]
    assert PAIR.rate * (1 - step / header["n_updates"]) == pytest.approx(1.7)
    assert (round(float(before), 3), round(float(data), 4), round(float(machine), 4)) == (
        1.345,
        0.4236,
        0.4031,
    )
    assert f"{after:.3f}" == lesson.options[lesson.right] == "1.380"
    p = trained_pair(step).mean_h_from_v(np.array([[1.0, 1.0]]))[0, 0]
    assert p == pytest.approx(0.884, abs=5e-4)
    for number in ("1.345", "0.884", "0.417", "0.368", "0.424", "0.403", "1.7"):
        assert number in lesson.text


def test_the_divergences_the_lessons_name_are_those_of_the_trainings() -> None:
    assert (np.diff(lacking("pair", "exact")) < 0).all(), "the lesson says that it falls in all 400 updates"
    ends = {method: round(float(lacking("3x3", method)[-1]), 2) for method in learn.METHOD_NAMES}
    assert ends == {"exact": 0.16, "cd1": 0.53, "cd10": 0.12, "pcd": 0.28}
    swings = lacking("3x3", "pcd")[900:1600]
    assert swings.max() == pytest.approx(1.9, abs=0.06)
    assert swings.min() == pytest.approx(0.3, abs=0.06)
    assert np.ptp(lacking("3x3", "pcd")[1950:]) < 0.2 < np.ptp(swings), "the swings die down"


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("A network that remembers", "T"),
        ("Always downhill", "L"),
        ("Valleys that nobody dug", "a mixture"),
        ("Too many pictures", "a mixture"),
    ],
)
def test_hopfields_network_ends_where_the_lesson_says(name: str, end: str) -> None:
    lesson = titled(name)
    header, arrays = networks.hopfield(lesson.network)
    start = lesson.command.get("state")
    if start is None:
        start = int(arrays["patterns"][lesson.command["load"]])
    if lesson.command.get("damage"):
        for unit in arrays["chance"][0]:
            start ^= 1 << (15 - int(unit))
    what = dict(zip(arrays["attractors"].tolist(), header["labels"], strict=True))
    assert what[int(arrays["rests"][start])] == end


def test_the_lessons_say_what_hopfields_network_does() -> None:
    header, arrays = networks.hopfield("few")
    mixed = arrays["basins"][[label == "a mixture" for label in header["labels"]]].sum() / 2**16
    assert round(100 * float(mixed)) == 18
    header, _ = networks.hopfield("many")
    assert sorted(set(header["labels"]) & set(header["names"])) == ["H", "X"]


def test_the_lessons_say_what_boltzmanns_machine_does() -> None:
    met = {}
    for k, temperature in enumerate(networks.TEMPERATURES):
        _, arrays = networks.boltzmann("joined")
        met[temperature] = len(np.unique(arrays["path"][k][12::12] >> 3))
    assert (met[0.3], met[1.0], met[5.0]) == (1, 39, 180)
    kls = {kind: round(networks.boltzmann(kind)[0]["kl"], 2) for kind in networks.TRAINED}
    assert kls == {"joined": 0.10, "restricted": 1.69}
    assert len(str(2 ** (784 + 500))) == 387
    assert len(str(2**784)) == 237


@pytest.mark.parametrize("name", ["pair-exact", "pair-cd1", "pair-cd10", "pair-pcd", "joined", "restricted"])
def test_what_is_computed_ahead_is_what_the_engine_computes(name: str) -> None:
    assert_prepared(name)


@pytest.mark.slow
@pytest.mark.parametrize("machine", ["3x3", "4x4"])
@pytest.mark.parametrize("method", learn.METHOD_NAMES)
def test_larger_machines_computed_ahead_are_what_the_engine_computes(machine: str, method: str) -> None:
    assert_prepared(f"{machine}-{method}")


def assert_prepared(name: str) -> None:
    """The file holds what is computed anew.

    Where a processor rounds otherwise, a draw on the edge can fall to the other side; from there on the chains differ.
    So a training by chains is compared up to the first such draw, of which there is at most one in 10⁶.
    """
    kept = prepared.arrays(name)
    assert kept is not None
    fresh = networks.trained(name) if name in networks.TRAINED else learn.drawn(*name.split("-"))
    assert kept.keys() == fresh.keys()
    until = len(kept.get("ends", ()))
    if until:
        same = (kept["ends"] == fresh["ends"]).all(1)
        until = int(np.argmin(same)) if not same.all() else until
        assert until > 100
    for array, found in fresh.items():
        if array in ("estimates", "angles") and until and until < len(kept["ends"]):
            continue
        rows = slice(None, until) if until and array not in ("estimates", "angles") else slice(None)
        np.testing.assert_allclose(kept[array][rows], found[rows], atol=1e-5, rtol=0, err_msg=array)


@pytest.mark.parametrize("method", ["exact", "cd10", "pcd"])
def test_a_training_from_what_was_kept_is_the_training(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = learn.training("pair", 1, method, PAIR.rate, learn.SEED)
    monkeypatch.setattr(prepared, "_names", dict)
    anew = learn.training("pair", 1, method, PAIR.rate, learn.SEED)
    assert ahead[0] == anew[0]
    for name, array in anew[1].items():
        np.testing.assert_allclose(ahead[1][name], array, atol=1e-5, rtol=0, err_msg=name)


def test_every_lesson_finds_its_machine_computed_ahead() -> None:
    assert link.FIELDS["seed"].default == learn.SEED
    for lesson in lessons.LESSONS:
        if lesson.network in networks.TRAINED or not lesson.network:
            assert prepared.arrays(lesson.network or f"{lesson.machine}-{lesson.method}") is not None


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


def told(app: AppTest, component: str = "learn.player") -> dict[str, Any]:
    """The command that waits for the player or the network."""
    return dict(fed(app, component)[0]["command"])


def asked(app: AppTest, name: str) -> Any:
    value = app.query_params.get(name)
    return value[0] if isinstance(value, list) else value


def test_every_lesson_asks_in_plain_words_before_it_shows() -> None:
    assert len(lessons.LESSONS) == link.LESSONS == 24
    for lesson in lessons.LESSONS:
        assert "$" not in lesson.text + lesson.question, "symbols before plain words"
        assert lesson.question.endswith(("?", "…"))
        assert len(lesson.options) == len(set(lesson.options)) == 3 < tour.UNGUESSED
        assert lesson.options[lesson.right]
        assert (
            any(name in lesson.command for name in lessons.PRESSED)
            or lesson.command["view"] != "distribution"
        )


def test_the_right_option_does_not_give_itself_away_by_its_place() -> None:
    places = [lesson.right for lesson in lessons.LESSONS]
    assert set(places) == {0, 1, 2}
    assert max(places.count(k) for k in range(3)) <= len(places) / 2


def test_every_lesson_has_something_to_show() -> None:
    for lesson in lessons.LESSONS:
        assert lesson.machine in learn.MACHINES
        assert lesson.method in learn.METHOD_NAMES
        assert lesson.answer.count("$") % 2 == 0
        assert "$" not in lesson.formula
        assert len(re.findall(r"[{]", lesson.formula)) == len(re.findall(r"[}]", lesson.formula))
        if lesson.network:
            assert lesson.network in networks.TITLES
        else:
            assert lesson.command["view"] in link.LEARN_VIEWS
            assert 0 <= lesson.command["at"] <= learn.MACHINES[lesson.machine].n_updates


@pytest.mark.slow
def test_walking_through_the_tour_asks_and_answers_in_every_lesson(runs_root: Path) -> None:
    app = open_learn()
    for number, lesson in enumerate(lessons.LESSONS, start=1):
        assert any(lesson.title in element.value for element in app.markdown)
        assert any(lesson.question in element.value for element in app.markdown)
        assert not any(lesson.answer in element.value for element in app.markdown), (
            "answered before it is asked"
        )
        assert asked(app, "lesson") == (None if number == 1 else str(number))
        guess = number % 3
        app.button(key=f"learn.option{guess + 1}").click().run()
        assert not app.exception
        said = next(element.value for element in app.markdown if lesson.answer in element.value)
        assert ("Right." in said) == (guess == lesson.right)
        assert lesson.options[guess] in said
        if lesson.network:
            assert told(app, "learn.network")["go"] is True
        else:
            assert app.session_state["learn.machine"] == lesson.machine
            assert app.session_state["learn.method"] == lesson.method
            assert app.session_state["learn.hidden"] == learn.MACHINES[lesson.machine].n_hidden
            assert told(app)["view"] == lesson.command["view"]
        app.button(key="learn.next").click().run()
        assert not app.exception
        following = lessons.LESSONS[number % len(lessons.LESSONS)]
        if following.network:
            assert "go" not in told(app, "learn.network"), "it moves before something was predicted"
        else:
            assert app.session_state["learn.machine"] == following.machine, (
                "the words and the machine disagree"
            )
            assert app.session_state["learn.method"] == following.method
            assert told(app)["view"] == following.command["view"]
            assert "play" not in told(app), "it plays before something was predicted"
    assert any(lessons.LESSONS[0].title in element.value for element in app.markdown)
    assert any(lessons.LESSONS[0].answer in element.value for element in app.markdown), "the answer is kept"


def test_a_link_brings_its_machine_back(runs_root: Path) -> None:
    link = {"machine": "3x3", "method": "pcd", "hidden": "5", "rate": "0.25", "seed": "11", "lesson": "22"}
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


PRICE = lessons.LESSONS.index(titled("The price of the short cut")) + 1


@pytest.mark.slow
def test_a_turn_writes_the_link_up_to_where_the_player_will_rest(runs_root: Path) -> None:
    """What the player reports when it has come to rest is then no second step of the browser's history."""
    app = open_learn(
        lesson=str(PRICE - 1), machine="3x3", method="cd1", view="update", update="300", hidden="5", guess="2"
    )
    app.button(key="learn.next").click().run()
    lesson = lessons.LESSONS[PRICE - 1]
    turned = {
        "lesson": str(PRICE),
        "machine": lesson.machine,
        "method": lesson.method,
        "view": lesson.command["view"],
        "update": str(lesson.command["at"]),
    }
    assert link_after(app) == turned
    app.button(key="learn.option3").click().run()
    assert link_after(app) == turned, "a guess is no step of the history: the player puts it into the link"
    app.segmented_control(key="learn.machine").set_value("pair").run()
    assert asked(app, "update") is None, "the player shows another machine from its first update on"


def test_a_link_brings_the_guess_back(runs_root: Path) -> None:
    app = open_learn(lesson="3", guess="3")
    said = next(element.value for element in app.markdown if lessons.LESSONS[2].answer in element.value)
    assert lessons.LESSONS[2].options[2] in said


def test_a_report_from_before_the_turn_moves_nothing(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The player reports where it rested while "Next step" was pressed: the link stays that of the new lesson."""
    before = {"view": "landscape", "at": 77, "guess": 0}
    said: dict[str, Any] = {player.PLAYER: {"moment": before, "done": None}}
    monkeypatch.setattr("streamlit.session_state", said)
    page = learn_state()
    page.command = {"view": "distribution", "at": 0, "nonce": 5.0}
    page.settings.use_all({"view": "distribution", "update": 0})
    player.rested(player.PLAYER)
    assert page.settings.value("update") == 0
    said[player.PLAYER]["done"] = 4.0
    player.obeyed(player.PLAYER)
    assert page.command is not None, "an older command's answer took away the new one"
    said[player.PLAYER]["done"] = 5.0
    page.guesses[1] = 2
    player.rested(player.PLAYER)
    assert page.settings.value("update") == 0, "a report from before the guess was taken"
    before["guess"] = 2
    player.rested(player.PLAYER)
    assert page.settings.value("update") == 77
    player.obeyed(player.PLAYER)
    assert page.command is None


def test_a_link_that_names_a_lesson_alone_opens_on_its_picture_and_machine() -> None:
    app = open_page("learn", lesson="2")
    assert not app.exception
    assert np.ravel(app.query_params["view"])[-1] == lessons.LESSONS[1].command["view"]
    later = next(n for n, lesson in enumerate(lessons.LESSONS, 1) if lesson.method == "pcd")
    app = open_page("learn", lesson=str(later))
    assert app.session_state["learn.method"] == "pcd"


def test_the_trainings_of_the_lessons_are_made_once_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    player._make_all(player._trainings())

    def refused(**settings: Any) -> None:
        raise AssertionError(f"made when the lesson was opened: {settings}")

    monkeypatch.setattr(learn, "training", refused)
    kinds = {(one.machine, one.method): n for n, one in enumerate(lessons.LESSONS, 1) if not one.network}
    for (machine, method), number in kinds.items():
        app = open_learn(lesson=str(number))
        header, _ = fed(app, "learn.player")
        assert (header["machine"], header["method"]) == (machine, method)


def test_the_list_of_lessons_leads_to_any_of_them() -> None:
    app = open_page("learn")
    app.radio(key="learn.any").set_value(12).run()
    assert not app.exception
    assert app.session_state["learn.lesson"] == 12
    assert any(lessons.LESSONS[11].text in element.value for element in app.markdown)
