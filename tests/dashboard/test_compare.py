"""The Compare page through the app's own entry: its table, what the link holds, and runs side by side."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from dashboard.figures.comparison import metrics, moments
from rbm_core.runs import RunReader
from rbm_core.runs.notes import Notes, write_notes
from tests.dashboard.opened import abouts, as_read, charts, curve_names, fed, open_page


def test_the_table_shows_each_runs_own_numbers_and_what_differs(two_runs: Path) -> None:
    app = open_page("compare")
    assert not app.exception
    table = app.dataframe[0].value.set_index("Run")
    assert sorted(table.index) == ["one", "two"]
    assert table.loc["two", "n_hidden"] == 20
    assert table.loc["one", "n_hidden"] == 64
    assert "batch_size" not in table.columns, "a setting that all share has no column"
    recorded = RunReader(two_runs / "one").metrics()["pseudo_likelihood_valid"]
    assert table.loc["one", "Pseudo-likelihood"] == recorded[np.isfinite(recorded)][-1]
    assert table.loc["one", "Steps"] == RunReader(two_runs / "one").status()["step"]


def test_the_link_chooses_runs_step_curve_and_axis(two_runs: Path) -> None:
    app = open_page("compare", runs="two", metric="weight_norm", axis="epoch", step="0")
    assert curve_names(app) == ["two"]
    _, arrays = fed(app, "filters-0")
    snapshot = RunReader(two_runs / "two").snapshot(0)
    norms = np.linalg.norm(snapshot.W, axis=0)
    assert arrays["units"][0] == np.argmax(norms)
    assert (np.diff(norms[arrays["units"]]) <= 0).all()
    figure = json.loads(app.get("plotly_chart")[0].proto.spec)
    assert figure["layout"]["xaxis"]["title"]["text"] == "Epochs"
    assert "weights" in figure["layout"]["title"]["text"]


def test_the_link_keeps_filter_order_smoothing_and_log_axis(two_runs: Path) -> None:
    app = open_page("compare", run="one", runs="one,two", metric="weight_norm")
    plain = charts(app)[0][0]
    app.text_input(key="compare.find").set_value("finished").run()
    app.selectbox(key="compare.order").set_value("n_hidden").run()
    app.slider(key="compare.smooth").set_value(0.9).run()
    app.toggle(key="compare.log").set_value(True).run()
    link = {name: np.ravel(value)[-1] for name, value in app.query_params.items()}
    assert {name: link[name] for name in ("find", "order", "smooth", "log")} == {
        "find": "finished",
        "order": "n_hidden",
        "smooth": "0.9",
        "log": "1",
    }
    again = open_page("compare", **link)
    assert list(again.dataframe[0].value["Run"]) == ["two", "one"]
    figure = charts(again)[0][0]
    assert figure == charts(app)[0][0]
    assert figure["layout"]["xaxis"]["type"] == "log"
    assert figure["data"][0]["y"] != plain["data"][0]["y"]
    assert not again.warning


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("smooth", "2", "smooth must be a number from 0 to 0.98; showing 0.0"),
        ("smooth", "nan", "smooth must be a number from 0 to 0.98"),
        ("log", "yes", "log must be 0 or 1; showing False"),
        ("axis", "fortnight", "axis must be one of step, epoch, time; showing 'step'"),
        ("order", "luck", "order must be one of newest, name, likelihood"),
        ("metric", "luck", "metric must be one of log_likelihood_valid"),
        ("find", "x" * 201, "find must be at most 200 characters"),
        ("step", "999999", "no common step 999,999; showing the nearest"),
    ],
)
def test_a_bad_value_in_the_link_falls_back_and_says_so(
    two_runs: Path, key: str, value: str, said: str
) -> None:
    app = open_page("compare", run="one", runs="one,two", **{key: value})
    assert not app.exception
    assert said in as_read(" ".join(one.value for one in app.warning))
    assert curve_names(app) == ["one", "two"]
    assert not app.run().warning, "said again at the next run"


def test_a_filter_that_finds_nothing_leaves_what_was_ticked(two_runs: Path) -> None:
    app = open_page("compare", run="one", find="nothing like it")
    assert "No run contains" in app.info[0].value
    assert sorted(curve_names(app)) == ["one", "two"]
    app.text_input(key="compare.find").set_value("").run()
    assert sorted(curve_names(app)) == ["one", "two"]


def test_runs_side_by_side_are_at_equal_step_on_one_scale(two_runs: Path) -> None:
    app = open_page("compare", runs="one,two")
    assert not app.exception
    (one, _), (two, _) = fed(app, "filters-0"), fed(app, "filters-1")
    assert one["scale"] == two["scale"]
    end = RunReader(two_runs / "two").snapshot_steps()[-1]  # the shorter run's
    first = max(step for step in RunReader(two_runs / "one").snapshot_steps() if step <= end)
    captions = " ".join(element.value for element in app.caption)
    assert f"step {first:,} ·" in captions
    assert f"step {end:,} ·" in captions


def test_the_tags_of_runs_side_by_side_tell_them_apart(two_runs: Path) -> None:
    """As those of a sweep, whose names are numbers."""
    for name, k in (("one", 1), ("two", 5)):
        write_notes(two_runs / name, Notes(("sweep", f"k={k}")))
    shown = [as_read(caption.value) for caption in open_page("compare", runs="one,two").caption]
    assert "sweep · k=1" in shown
    assert "sweep · k=5" in shown


def test_a_link_to_a_run_that_is_gone_says_so_and_shows_the_rest(two_runs: Path) -> None:
    app = open_page("compare", runs="one,gone")
    assert not app.exception
    assert "gone" in app.warning[0].value
    assert curve_names(app) == ["one"]


def test_a_run_that_cannot_be_read_has_its_reason_in_the_table(two_runs: Path) -> None:
    (two_runs / "one" / "config.json").write_text("{")
    app = open_page("compare")
    assert not app.exception
    table = app.dataframe[0].value.set_index("Run")
    assert table.loc["one", "State"] == "unreadable"
    assert "damaged" in table.loc["one", "Note"]
    assert curve_names(app) == ["two"]


def test_a_run_whose_snapshots_are_no_folder_costs_one_sentence(two_runs: Path) -> None:
    shutil.rmtree(two_runs / "one" / "snapshots")
    (two_runs / "one" / "snapshots").write_text("not a folder")
    app = open_page("compare", runs="one,two")
    assert not app.exception
    assert "should be a folder of snapshots" in app.warning[0].value
    assert curve_names(app) == ["two"]


def test_words_filter_the_table_by_setting_and_tag(two_runs: Path) -> None:
    app = open_page("compare")
    app.text_input(key="compare.find").set_value("n_hidden=20").run()
    assert list(app.dataframe[0].value["Run"]) == ["two"]
    app.text_input(key="compare.find").set_value("nothing like it").run()
    assert "No run contains" in app.info[0].value


def test_a_setting_changed_while_a_run_trained_sets_it_apart_from_one_left_alone(two_runs: Path) -> None:
    before = RunReader(two_runs / "one").config()["config"]["learning_rate"]
    for name in ("one", "two"):  # else equal
        config = json.loads((two_runs / name / "config.json").read_text())
        config["config"]["learning_rate"] = before
        (two_runs / name / "config.json").write_text(json.dumps(config))
    event = {"time": 1.0, "step": 3, "command": "set", "value": {"name": "learning_rate", "value": 0.5}}
    with (two_runs / "two" / "events.jsonl").open("a") as events:
        events.write(json.dumps(event) + "\n")
    app = open_page("compare", run="one")
    assert not app.exception
    table = app.dataframe[0].value.set_index("Run")["learning_rate"]
    assert table["two"] == f"{before:g} → 0.5"
    assert table["one"] == before or table["one"] == f"{before:g}"


def test_the_page_says_what_is_coloured_and_why(two_runs: Path) -> None:
    app = open_page("compare", run="one")
    assert "Which settings make a better machine?" in app.caption[0].value
    assert any("every value where none is the most frequent" in one.value for one in app.caption)


def test_more_runs_than_colours_are_said_to_be_too_many(two_runs: Path) -> None:
    every = ["one", "two", *(f"copy-{n}" for n in range(7))]
    for name in every[2:]:
        shutil.copytree(two_runs / "two", two_runs / name)
    app = open_page("compare", run="one", runs=",".join(every))
    assert "9 runs are ticked; the first 8 are compared" in app.warning[0].value
    assert len(curve_names(app)) == 8


def test_an_estimate_made_after_the_step_compared_is_named_and_not_laid_beside_the_others(
    two_runs: Path,
) -> None:
    for name, step in (("one", 90), ("two", 1)):
        row = {"time": 1.0, "step": step, "estimator": "bracket", "test_nats": -100.0 - step, "stderr": 0.1}
        (two_runs / name / "likelihood.jsonl").write_text(json.dumps({**row, "trusted": True}) + "\n")
    app = open_page("compare", runs="one,two", step="1")
    assert not app.exception
    figure = json.loads(app.get("plotly_chart")[-1].proto.spec)
    assert [x for trace in figure["data"] for x in trace["x"]] == [-101.0]
    assert any("Made later" in one.value and "at step 90" in one.value for one in app.caption)


def test_the_table_says_whether_a_likelihood_is_to_be_trusted(two_runs: Path) -> None:
    for name, trusted in (("one", True), ("two", False)):
        row = {"time": 1.0, "step": 1, "estimator": "bracket", "test_nats": -100.0, "stderr": 0.1}
        (two_runs / name / "likelihood.jsonl").write_text(json.dumps({**row, "trusted": trusted}) + "\n")
    table = open_page("compare", run="one").dataframe[0].value.set_index("Run")
    assert list(table.loc[["one", "two"], "Trust it?"]) == ["yes", "no"]


def test_every_picture_tells_its_formula_and_source_and_can_be_taken_away(two_runs: Path) -> None:
    for name in ("one", "two"):
        row = {"time": 1.0, "step": 1, "estimator": "exact", "test_nats": -100.0, "stderr": 0.0}
        (two_runs / name / "likelihood.jsonl").write_text(json.dumps({**row, "trusted": True}) + "\n")
    app = open_page("compare", run="one")
    told = abouts(app)
    assert list(told) == [
        "this curve",
        "the log-likelihoods",
        "the filters side by side",
        "the fantasies side by side",
    ]
    assert all("$$" in words and "Source: " in words for words in told.values())
    assert all(one.formula and one.source and one.tells for one in metrics.METRICS.values())
    header, _ = fed(app, "filters-0")
    steps = RunReader(two_runs / "one").snapshot_steps()
    newest = moments.snapshot_up_to(steps, int(app.select_slider[0].value))
    assert header["of"] == {"run": "one", "step": newest, "seed": 0}
    assert all(config["toImageButtonOptions"]["filename"] and alt for _, config, alt in charts(app))


def test_a_run_without_a_row_and_one_whose_setting_was_changed_stand_in_the_table(two_runs: Path) -> None:
    (two_runs / "one" / "metrics.jsonl").write_text("")
    changed = {"time": 1.0, "step": 3, "command": "set", "value": {"name": "learning_rate", "value": 100.0}}
    with (two_runs / "two" / "events.jsonl").open("a") as file:
        file.write(json.dumps(changed) + "\n")
    (two_runs / "broken").mkdir()
    (two_runs / "broken" / "config.json").write_text("{")
    app = open_page("compare", runs="one,two", metric="log_likelihood_valid")
    assert not app.exception
    table = app.dataframe[0].value.set_index("Run")
    rates = table["learning_rate"].to_dict()
    assert rates["two"].endswith("→ 100")
    assert isinstance(rates["one"], str), "a column of two types"
    assert rates["broken"] is None or rates["broken"] != rates["broken"], "an unreadable run has no setting"
