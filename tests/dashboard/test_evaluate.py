"""The Evaluate page through the app's own door: a number equal to the record, a verdict, a table, and no traceback."""

import json
import os
import re
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.figures import likelihood as figures
from dashboard.figures.likelihood_words import WORDS
from dashboard.processes import evaluators
from dashboard.ui import pages
from dashboard.ui.texts import plain
from dashboard.views.evaluate import texts
from dashboard.views.evaluate.state import Evaluate
from rbm_core.evaluation import Interrupted, evaluate
from rbm_core.likelihood.ais import AISResult, Bracket
from rbm_core.runs import RunError, RunReader
from rbm_core.runs.evaluation_record import BASES, STARTS, evaluation_folder
from rbm_core.runs.files import hold_lock
from tests.dashboard.opened import abouts, as_read, charts, open_page, state
from tests.live import until
from tests.small_run import train_small


@pytest.fixture
def run(runs_root: Path) -> Path:
    return train_small(runs_root, n_hidden=10, epochs=1)


def page(run: str = "small") -> AppTest:
    return open_page("evaluate", run=run)


def words(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.success, app.error, app.warning, app.info, app.subheader)
    return "\n".join(element.value for kind in kinds for element in kind)


def test_a_run_nobody_evaluated_says_what_to_press(run: Path) -> None:
    app = page()
    assert not app.exception
    assert "Press **Evaluate**" in words(app)
    assert [button.label for button in app.button] == ["Evaluate"]


def test_the_headline_is_the_recorded_number_with_its_verdict(run: Path) -> None:
    row = evaluate(run, estimator="exact")
    evaluate(run, betas=100)
    app = page()
    assert not app.exception
    assert row["stderr"] == 0  # what is left is the error of the test images, which are a sample
    assert app.metric[0].value == f"{row['test_nats']:.2f} ± {row['test_nats_stderr']:.2f}".replace("-", "−")
    assert "every state was counted" in words(app)
    table = app.dataframe[0].value
    assert sorted(table["estimator"]) == ["AIS, both sides", "exact"]
    assert float(table.set_index("estimator").loc["exact", "test"]) == pytest.approx(row["test_nats"])


def test_a_doubtful_verdict_counts_whole_chains_and_says_what_to_try() -> None:
    calm, wild = np.linspace(9.9, 10.1, 100), np.linspace(0, 30, 100)
    sides = [AISResult.from_log_weights(wild, 100, "forward")]
    sides.append(AISResult.from_log_weights(calm + sides[0].log_z - 10, 100, "reverse"))
    said = Bracket(*sides).verdict
    assert re.search(r"only \d+ of 100 forward chains carry the weight", said), said
    assert said.endswith("Try more temperatures, or adaptive ones.")


def test_the_care_chosen_is_still_chosen_when_the_page_is_opened_again(run: Path) -> None:
    app = page()
    assert app.selectbox(key="evaluate.care").value == "salakhutdinov-murray"
    app.selectbox(key="evaluate.care").set_value("adaptive").run()
    app.switch_page(pages.script("compare")).run()
    app.switch_page(pages.script("evaluate")).run()
    assert app.selectbox(key="evaluate.care").value == "adaptive"


def test_the_format_charts_are_saved_in_is_kept_over_pages_that_do_not_ask_for_it(run: Path) -> None:
    evaluate(run, betas=50)
    app = page()
    assert charts(app)[0][1]["toImageButtonOptions"]["format"] == "svg"
    app.segmented_control(key="charts.camera").set_value("png").run()
    app.switch_page(pages.script("train")).run()
    app.switch_page(pages.script("evaluate")).run()
    assert app.segmented_control(key="charts.camera").value == "png"
    assert charts(app)[0][1]["toImageButtonOptions"]["format"] == "png"


def test_while_the_first_answer_is_made_nobody_is_told_to_press(run: Path) -> None:
    app = page()
    state(app, Evaluate).begun = ("small", time.time())
    app.run()
    assert not app.exception
    assert "on its way" in words(app)
    assert "Press" not in words(app)


def test_a_doubtful_answer_says_do_not_trust(run: Path) -> None:
    row = evaluate(run, estimator="exact")
    doubtful = {
        **row,
        "estimator": "bracket",
        "trusted": False,
        "verdict": "Do not trust it: 9.0 nats apart.",
    }
    (run / "likelihood.jsonl").write_text(json.dumps({"time": 1.0, **doubtful}) + "\n")
    assert "Do not trust it" in page().error[0].value


@pytest.mark.slow
def test_an_interrupted_evaluation_goes_on_by_one_press(run: Path) -> None:
    with pytest.raises(Interrupted):
        evaluate(run, betas=1000, n_chains=20, seed=3, should_stop=lambda: True)
    (begun,) = evaluators.of_run("small")
    app = page()
    assert "was interrupted at" in words(app)
    app.button(key=f"evaluate.go-on-{begun['id']}").click().run()
    assert not app.exception
    until(lambda: bool(RunReader(run).likelihood()), 240, "an answer")
    (row,) = RunReader(run).likelihood()
    assert row["id"] == begun["id"]  # the very same question, not a new one


@pytest.mark.slow
def test_the_link_chooses_the_evaluation_and_its_step_and_says_what_it_cannot_find(run: Path) -> None:
    first = evaluate(run, betas=100)
    evaluate(run, betas=200)
    chosen = open_page("evaluate", run="small", evaluation=first["id"], step="0")
    assert chosen.selectbox(key="evaluate.chosen").value == first["id"]
    assert chosen.selectbox(key="evaluate.step").value == 0
    lost = open_page("evaluate", run="small", evaluation="no-such", step="4000")
    assert not lost.exception
    assert lost.selectbox(key="evaluate.chosen").value != first["id"]
    assert "no finished evaluation no\\-such" in words(lost)
    assert "no snapshot at step 4,000" in words(lost)
    lost.selectbox(key="evaluate.chosen").set_value(first["id"]).run()
    assert np.ravel(lost.query_params["evaluation"])[-1] == first["id"]


def test_each_evaluation_looked_at_says_its_own_verdict(run: Path) -> None:
    evaluate(run, estimator="exact")
    rough = evaluate(run, betas=2)
    app = open_page("evaluate", run="small", evaluation=rough["id"])
    assert "every state was counted" in words(app)
    assert plain(rough["verdict"]) in words(app)


def test_the_headline_and_the_figures_belong_to_one_evaluation(run: Path) -> None:
    """Also while another one is under way: what is finished stays until its successor is done."""
    first, second = evaluate(run, betas=100), evaluate(run, step=0, betas=100)
    for row in (first, second):
        app = open_page("evaluate", run="small", evaluation=row["id"])
        for _ in range(2):
            assert not app.exception
            assert app.metric[0].value.startswith(f"{row['test_nats']:.2f}".replace("-", "−"))
            files = [config["toImageButtonOptions"]["filename"] for _, config, _ in charts(app)]
            assert len(files) == 5, "a figure was hidden"
            assert all(one.startswith(f"small-step-{row['step']}-") for one in files)
            state(app, Evaluate).begun = ("small", time.time())
            app.run()


def test_the_error_bar_is_of_log_z_and_of_the_sample_together(run: Path) -> None:
    row = {**evaluate(run, betas=100), "stderr": 0.3, "test_nats_stderr": 0.4}
    (run / "likelihood.jsonl").write_text(json.dumps(row) + "\n")
    assert page().metric[0].value.endswith("± 0.50")


def test_asked_again_the_page_says_that_there_is_an_answer_and_keeps_it(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[dict[str, Any]] = []
    monkeypatch.setattr(evaluators, "start", lambda *args, **settings: started.append(settings))
    row = evaluate(run, betas=1000)
    app = open_page("evaluate", run="small", care="1000")
    app.button[0].click().run()
    assert started == []
    app.button(key="evaluate.show-answer").click().run()
    assert np.ravel(app.query_params["evaluation"])[-1] == row["id"]
    app.button[0].click().run()
    app.button(key="evaluate.measure-again").click().run()
    assert [one["seed"] for one in started] == [1], "the same numbers would come again"
    assert app.metric[0].value.startswith(f"{row['test_nats']:.2f}".replace("-", "−"))
    app.selectbox(key="evaluate.step").set_value(0).run()
    state(app, Evaluate).begun = None
    app.run().button[0].click().run()
    assert len(started) == 2, "another question has no answer"


def test_a_tempered_estimate_is_asked_for_with_its_rounds_and_goes_on_with_them(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[Any, ...]] = []
    monkeypatch.setattr(evaluators, "start", lambda *args, **settings: started.append((args[2], settings)))
    app = open_page("evaluate", run="small", estimator="trajectory")
    app.selectbox(key="evaluate.rounds").set_value(2_000).run()
    app.button[0].click().run()
    assert started == [("trajectory", {"n_chains": 100, "rounds": 2_000})]


def test_an_interrupted_tempered_estimate_goes_on_with_the_rounds_it_had(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[dict[str, Any]] = []
    monkeypatch.setattr(evaluators, "start", lambda *args, **settings: started.append(settings))
    with pytest.raises(Interrupted):
        evaluate(run, estimator="ladder", n_chains=4, rounds=20, should_stop=lambda: True)
    app = page()
    next(button for button in app.button if button.label == "Go on").click().run()
    assert started == [{"seed": 0, "n_chains": 4, "rounds": 20}]


@pytest.mark.parametrize(("n_chains", "rounds"), [(2, 10), (10, 20)])
def test_walks_and_rounds_stand_behind_why_and_the_sentence_before_it_is_plain(
    run: Path, n_chains: int, rounds: int
) -> None:
    row = evaluate(run, estimator="ladder", n_chains=n_chains, rounds=rounds)
    assert row["trusted"] is (rounds > 10)
    app = page()
    (said,) = [one.value for one in (*app.error, *app.success) if "rust it" in one.value]
    assert plain(texts.because(row)) in said
    assert not re.search(r"walk|chain|rung|\d", said)
    assert row["verdict"].split(": ", 1)[1][:20] in words(app)


def test_the_link_holds_what_is_asked_and_how_carefully(run: Path) -> None:
    app = open_page("evaluate", run="small", estimator="reverse", care="1000")
    assert app.selectbox(key="evaluate.estimator").value == "reverse"
    assert app.selectbox(key="evaluate.care").value == "1000"
    app.selectbox(key="evaluate.care").set_value("adaptive").run()
    app.selectbox(key="evaluate.estimator").set_value("ais").run()
    asked = {name: np.ravel(app.query_params[name])[-1] for name in ("estimator", "care")}
    assert asked == {"estimator": "ais", "care": "adaptive"}
    odd = open_page("evaluate", run="small", estimator="guess", care="none")
    assert not odd.exception
    assert "estimator must be one of" in words(odd)


def test_the_scale_has_the_run_above_what_knows_nothing(run: Path) -> None:
    row = evaluate(run, betas=100)
    (scale,) = [one for one, _, _ in charts(page()) if one["layout"]["title"]["text"] == "How good is that?"]
    (bars,) = scale["data"]
    coins, pixels, of_run = (
        next(
            text.replace("−", "-") for name, text in zip(bars["y"], bars["text"], strict=True) if what in name
        )
        for what in ("coin", "pixels", "run")
    )
    assert (coins, of_run) == ("-543.4", f"{row['test_nats']:.1f}")
    assert "published" not in " ".join(bars["y"]), "the published model saw other images"
    assert -230 < float(pixels) < -180
    both = figures.scale(-543.4, -206.0, ("this run", -84.2), True, dark=False)
    assert list(both.data[0].x) == pytest.approx([-543.4, -206.0, -137.64, -86.34, -84.2]), (
        "not in order of value"
    )
    assert list(both.data[0].textposition) == ["middle right", *["middle left"] * 4], (
        "cut off in a narrow window"
    )
    gaussian = figures.scale(None, -900.0, ("this run", -880.0), False, dark=True)
    assert len(gaussian.data[0].x) == 2


@pytest.mark.parametrize(
    ("trusted", "low", "high", "said"),
    [
        (True, 10.0, 10.1, "what one annealing misses both miss"),
        (False, 10.0, 19.0, "9.0 nats apart"),
        (False, 10.0, 10.7, "0.7 nats apart"),
        (False, 10.0, 10.1, "too few"),
        (None, 10.0, 10.1, "as it is"),
    ],
)
def test_the_verdict_is_first_said_in_plain_words(
    trusted: bool | None, low: float, high: float, said: str
) -> None:
    row = {
        "estimator": "bracket",
        "trusted": trusted,
        "verdict": "as it is",
        "forward": {"log_z": low},
        "reverse": {"log_z": high},
    }
    assert said in texts.because(row)
    for torn in (
        {},
        {"verdict": None},
        {"trusted": True},
        {**row, "forward": None},
        {**row, "reverse": {"log_z": "x"}},
    ):
        assert texts.because(torn) in ("", "as it is"), "words that the record does not bear out"


def test_a_verdict_to_trust_counts_estimates_and_leaves_their_names_to_why() -> None:
    origins = [("data-means", 10.02), *((name, 9.9) for name in STARTS)]
    row = {
        "estimator": "bracket",
        "trusted": True,
        "verdict": "as it is",
        "log_z": 10.0,
        "forward": {"log_z": 10.0},
        "reverse": {"log_z": 10.0},
        "evidence": [{"log_z": log_z, "weak": False, "origin": origin} for origin, log_z in origins],
    }
    said = texts.because(row)
    assert said.startswith("Trust it: 5 estimates")
    assert "within 0.10 nats" in said
    assert "1 that err" in said
    assert f"{len(STARTS)} that err" in said
    assert not any(name in said for name in [*BASES.values(), *STARTS.values()]), "a student reads this"


def test_a_doubt_is_said_as_what_it_is() -> None:
    """Estimates apart are said to be apart, and too few walks to be too few, weak ones heard only where they object."""

    def said(*evidence: tuple[float, bool, bool]) -> str:
        parts = [
            {"log_z": log_z, "weak": weak, "differs": differs, "doubt": "it lies there", "origin": "coins"}
            for log_z, weak, differs in evidence
        ]
        both = {"forward": {"log_z": 10.0}, "reverse": {"log_z": 10.1}}
        return texts.because({"estimator": "bracket", "trusted": False, "evidence": parts, **both})

    sound = [(10.0, False, False), (10.1, False, False)]
    assert "0.8 nats apart" in said(*sound, (10.8, False, True))
    assert "too few" in said(*sound, (10.2, True, False))
    assert "too few" in said(*sound, (3.0, True, False))
    assert "20.0 nats apart" in said(*sound, (30.0, True, True))


def test_the_evidence_is_a_table_that_says_which_agreed(run: Path) -> None:
    row = evaluate(run, betas=100)
    parts = [
        {"method": "forward", "origin": "data-means", "log_z": 10.0, "stderr": 0.1, "ess": 60, "chains": 100},
        {"method": "reverse", "origin": "particles", "log_z": 10.1, "stderr": 0.1, "ess": 70, "chains": 100},
        {"method": "reverse", "origin": "tempered", "log_z": 10.2, "stderr": 0.1, "ess": 50, "chains": 100},
    ]
    judged = {
        **row,
        "log_z": 10.05,
        "trusted": True,
        "evidence": parts,
        "forward": parts[0],
        "reverse": parts[1],
    }
    (run / "likelihood.jsonl").write_text(json.dumps(judged) + "\n")
    app = page()
    assert "3 estimates that began at different places" in app.success[0].value
    assert "All 3 estimates agree." in words(app)
    table = app.dataframe[0].value
    assert table["chains began at"].tolist()[1:] == ["the run's own chains", "samples by parallel tempering"]
    weak = {**parts[2], "origin": "annealed", "method": "reverse", "log_z": 3.0, "ess": 2, "weak": True}
    quiet = shutil.copytree(run, run.parent / "quiet")
    (quiet / "likelihood.jsonl").write_text(json.dumps({**judged, "evidence": [*parts, weak]}) + "\n")
    app = page("quiet")
    assert "3 estimates that began" in app.success[0].value
    assert "lie within 0.15 nats" in as_read(app.success[0].value), (
        "a weak estimate is not among those that agree"
    )
    assert "annealed" not in app.success[0].value
    assert "1 of 4 could not be counted" in words(app)
    assert app.dataframe[0].value["doubt"].tolist()[-1] == "not counted"
    parts[2]["doubt"] = "it stands 9 nats above the others"
    odd = {**judged, "trusted": False, "evidence": parts}
    other = shutil.copytree(run, run.parent / "doubted")
    (other / "likelihood.jsonl").write_text(json.dumps(odd) + "\n")
    app = page("doubted")
    assert not app.exception
    assert "1 of 3 estimates speak against the others" in words(app)
    assert "9 nats above" in str(app.dataframe[0].value["doubt"].tolist())


def test_exact_counting_is_offered_where_either_layer_is_small(runs_root: Path) -> None:
    train_small(runs_root, dataset="bars-and-stripes", n_hidden=40, n_valid=0, epochs=1)
    assert "Exact, by counting" in page().selectbox(key="evaluate.estimator").options
    train_small(runs_root, "wide", n_hidden=40, epochs=1)
    assert "Exact, by counting" not in page("wide").selectbox(key="evaluate.estimator").options


@pytest.mark.slow
def test_pressing_evaluate_starts_a_process_that_answers(run: Path) -> None:
    app = page()
    app.selectbox(key="evaluate.estimator").set_value("exact").run()
    app.button[0].click().run()
    assert not app.exception
    until(lambda: bool(RunReader(run).likelihood()), 240, "an answer")
    (row,) = RunReader(run).likelihood()
    assert row["estimator"] == "exact"
    until(lambda: evaluators.running("small") is None, 60, "the evaluation's end")
    assert page().metric[0].value.startswith("−")


@pytest.mark.slow
@pytest.mark.parametrize(
    "question",
    [{"betas": 50}, pytest.param({"estimator": "mixing", "sweeps_max": 20}, marks=pytest.mark.slow)],
)
def test_nothing_finished_is_hidden_while_the_same_question_is_measured_again(
    run: Path, question: dict[str, Any]
) -> None:
    """The one under way has pictures of its own already, of the same kinds."""
    evaluate(run, estimator="exact")
    shown = evaluate(run, **question)["id"]
    before = open_page("evaluate", run="small", evaluation=shown)
    again = shutil.copytree(evaluation_folder(run, shown), evaluation_folder(run, "again"))
    progress = json.loads((again / "progress.json").read_text())
    progress |= {"id": "again", "state": "running", "pid": os.getpid()}
    (again / "progress.json").write_text(json.dumps(progress))
    lock = hold_lock(again)
    assert lock is not None
    app = open_page("evaluate", run="small", evaluation=shown)
    lock.release()
    assert not app.exception
    assert "Under way" in words(app)
    assert [metric.value for metric in app.metric] == [metric.value for metric in before.metric]
    pictures, kept = (
        Counter(figure["layout"]["title"]["text"] for figure, _, _ in charts(one)) for one in (app, before)
    )
    assert kept
    assert kept <= pictures, "a finished picture is hidden"
    assert pictures.total() > kept.total(), "the one under way shows how far it is"


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (ProcessLookupError, "The evaluation was not interrupted: its process 41 has ended"),
        (PermissionError, "The evaluation was not interrupted: its process 41 is another user's"),
    ],
)
def test_an_interruption_that_fails_says_why(
    run: Path, monkeypatch: pytest.MonkeyPatch, refusal: type[OSError], said: str
) -> None:
    row = evaluate(run, estimator="exact")
    under_way = {**evaluators.of_run("small")[0], "id": "other", "state": "running", "pid": 41}
    monkeypatch.setattr(evaluators, "running", lambda name: under_way)

    def refused(pid: int, sign: int) -> None:
        assert pid == 41
        raise refusal

    monkeypatch.setattr(evaluators.os, "kill", refused)
    app = page()
    (stop,) = (button for button in app.button if button.label == "Interrupt")
    app = stop.click().run()
    assert not app.exception
    assert said in as_read(words(app))
    assert app.metric[0].value.startswith(f"{row['test_nats']:.2f}".replace("-", "−"))


def test_a_process_that_cannot_answer_leaves_its_reason(run: Path) -> None:
    since = time.time()
    evaluators.start("small", 999_999, "bracket")
    reason = "no snapshot at step 999999"
    until(lambda: reason in (evaluators.last_log_line("small", since) or ""), 240, "a reason in the log")


def test_a_damaged_record_is_one_sentence_not_a_traceback(run: Path) -> None:
    (run / "likelihood.jsonl").write_text('{"half\n')
    app = page()
    assert not app.exception
    assert "damaged at line 1" in words(app)


@pytest.mark.slow
@pytest.mark.parametrize("question", [{"betas": 100}, {"estimator": "mixing", "sweeps_max": 20}])
def test_every_figure_has_a_title_units_its_formula_and_source_and_its_own_file(
    run: Path, question: dict[str, Any]
) -> None:
    row = evaluate(run, **question)
    app = page()
    assert not app.exception
    told, plots = abouts(app), charts(app)
    sheets = 1 if row["estimator"] == "mixing" else 0
    assert len(told) == len(plots) + sheets == 5 + sheets
    assert all("$$" in one and "Source: " in one for one in told.values())
    files = [config["toImageButtonOptions"]["filename"] for _, config, _ in plots]
    assert len(set(files)) == len(plots)
    assert all(one.startswith(f"small-step-{row['step']}-{row['estimator']}-seed-0-") for one in files)
    for figure, _, alt in plots:
        assert figure["layout"]["title"]["text"] in {one.title for one in WORDS.values()}
        assert figure["layout"]["yaxis"]["title"]["text"]
        assert alt


@pytest.mark.slow
def test_samples_of_runs_stand_side_by_side_and_a_run_that_went_away_costs_nothing(
    run: Path, runs_root: Path
) -> None:
    evaluate(run, estimator="mixing", sweeps_max=10, n_chains=4)
    shutil.copytree(run, runs_root / "other")
    app = page()
    app.multiselect(key="evaluate.beside").select("other").run()
    assert not app.exception
    (moments,) = (one for one, _, _ in charts(app) if "How far" in one["layout"]["title"]["text"])
    assert [trace["name"] for trace in moments["data"]] == ["small", "other"]
    assert sum("step" in one.value and "other" in one.value for one in app.markdown) == 1
    shutil.rmtree(runs_root / "other")
    app.run()
    assert not app.exception
    assert not app.multiselect


def test_a_run_that_goes_away_under_the_page_costs_one_sentence(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(name: str) -> None:
        raise RunError(f"no run {name!r} in checkpoints/; there are: none")

    monkeypatch.setattr(evaluators, "running", gone)
    app = page()
    assert not app.exception
    assert "No run" in words(app)


def test_without_any_run_the_page_says_so(runs_root: Path) -> None:
    app = open_page("evaluate")
    assert not app.exception
    assert "no run to evaluate" in words(app)


def test_figures_name_their_axes_with_units_and_put_the_bracket_on_one_scale() -> None:
    rounds = [
        {
            "n_temperatures": 100,
            "forward": {"log_z": 1.0, "stderr": 0.5},
            "reverse": {"log_z": 3.0, "stderr": 0.2},
        },
        {"n_temperatures": 1000, "forward": {"log_z": 1.9, "stderr": 0.1}},
    ]
    figure = figures.convergence(rounds, 2.0, dark=False)
    assert [list(trace.y) for trace in figure.data] == [[1.0, 1.9], [3.0]]
    assert list(figure.data[0].error_y.array) == [1.0, 0.2]
    assert "nats" in figure.layout.yaxis.title.text
    both = figures.weights({"forward": [1.0, 2.0], "reverse": [2.0, 3.0]}, None, dark=True)
    assert both.data[0].xbins == both.data[1].xbins
    curve = [
        {"sweeps": s, "noise": [0, 1, 2], "data": [0, 1, 2], "aa_truth": 1, "aa_synthetic": 1}
        for s in (0, 1, 10)
    ]
    assert "k = 5 of training" in figures.mixing(curve, 5, dark=False).layout.xaxis.title.text
    points = [
        {"step": 100, "estimator": "bracket", "log_z": 5.1, "stderr": 0.1},
        {"step": 100, "estimator": "exact", "log_z": 5.0, "stderr": 0.0},
    ]
    rungs = [{"step": 0, "log_z": 1.0, "stderr": 0.0}, {"step": 100, "log_z": 5.0, "stderr": 0.2}]
    ladder = figures.along(rungs, points, dark=True)
    assert [trace.name for trace in ladder.data] == [None, "the ladder", "AIS, both sides", "counted"]
    assert max(ladder.data[0].y) == 5.4
    assert list(ladder.data[2].error_y.array) == [0.2]
    assert "nats" in ladder.layout.yaxis.title.text
    far = {"train": [0.0, 1.0], "test": [0.5], "samples": [0.2], "noise": [900.0]}
    shown = figures.free_energies(far, dark=False)
    assert shown.layout.xaxis.range[1] < 10
    assert "900" in shown.layout.annotations[0].text
    assert np.isfinite(figures.accuracy(curve, 5, dark=False).layout.yaxis.range).all()


def test_a_reload_before_the_first_progress_still_says_that_an_answer_is_on_its_way(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_small(runs_root, "small")
    monkeypatch.setattr(evaluators, "started", lambda run: time.time() - 2)
    app = open_page("evaluate", run="small")
    assert any("first answer is on its way" in element.value for element in app.markdown)
    monkeypatch.setattr(evaluators, "started", lambda run: time.time() - 100)
    assert any(
        "Nobody has asked yet" in element.value for element in open_page("evaluate", run="small").markdown
    )
