"""The Compare page: runs in a table and side by side; nothing goes without a second word."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.figures import palette
from dashboard.figures.comparison import curves, likelihoods, look, metrics, moments, records
from dashboard.figures.comparison.records import Record
from rbm_core.runs import RunReader, files, list_runs, store
from rbm_core.runs.notes import Notes, read_notes
from tests.dashboard.opened import abouts, charts, fed, open_page
from tests.small_run import train_small


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("compare") / "checkpoints"
    train_small(root, "one")
    train_small(root, "two", n_hidden=20, epochs=1, learning_rate=0.1)
    return root


@pytest.fixture
def root(trained: Path, runs_root: Path) -> Path:
    for name in ("one", "two"):
        shutil.copytree(trained / name, runs_root / name)
    return runs_root


def open_compare(**query: str) -> AppTest:
    return open_page("compare", **query)


def names(root: Path) -> list[str]:
    return sorted(info.name for info in list_runs(root))


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def field(app: AppTest, label: str) -> Any:
    return next(box for box in [*app.text_input, *app.text_area] if box.label == label)


def said(app: AppTest) -> str:
    return " ".join(element.value for element in [*app.success, *app.error])


def curve_names(app: AppTest) -> list[str]:
    figure = json.loads(app.get("plotly_chart")[0].proto.spec)
    return [trace["name"] for trace in figure["data"] if "name" in trace]  # a band has none


# --- the page ---


def test_the_table_shows_each_runs_own_numbers_and_what_differs(root: Path) -> None:
    app = open_compare()
    assert not app.exception
    table = app.dataframe[0].value.set_index("Run")
    assert sorted(table.index) == ["one", "two"]
    assert table.loc["two", "n_hidden"] == 20
    assert table.loc["one", "n_hidden"] == 64
    assert "batch_size" not in table.columns, "a setting that all share has no column"
    recorded = RunReader(root / "one").metrics()["pseudo_likelihood_valid"]
    assert table.loc["one", "Pseudo-likelihood"] == recorded[np.isfinite(recorded)][-1]
    assert table.loc["one", "Steps"] == RunReader(root / "one").status()["step"]


def test_the_link_chooses_runs_step_curve_and_axis(root: Path) -> None:
    app = open_compare(runs="two", metric="weight_norm", axis="epoch", step="0")
    assert curve_names(app) == ["two"]
    _, arrays = fed(app, "filters-0")
    snapshot = RunReader(root / "two").snapshot(0)
    norms = np.linalg.norm(snapshot.W, axis=0)
    assert arrays["units"][0] == np.argmax(norms)
    assert (np.diff(norms[arrays["units"]]) <= 0).all()
    figure = json.loads(app.get("plotly_chart")[0].proto.spec)
    assert figure["layout"]["xaxis"]["title"]["text"] == "Epochs"
    assert "weights" in figure["layout"]["title"]["text"]


def test_the_link_keeps_filter_order_smoothing_and_log_axis(root: Path) -> None:
    app = open_compare(run="one", runs="one,two", metric="weight_norm")
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
    again = open_compare(**link)
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
def test_a_bad_value_in_the_link_falls_back_and_says_so(root: Path, key: str, value: str, said: str) -> None:
    app = open_compare(run="one", runs="one,two", **{key: value})
    assert not app.exception
    assert said in " ".join(one.value for one in app.warning)
    assert curve_names(app) == ["one", "two"]
    assert not app.run().warning, "said again at the next run"


def test_a_filter_that_finds_nothing_leaves_what_was_ticked(root: Path) -> None:
    app = open_compare(run="one", find="nothing like it")
    assert "No run contains" in app.info[0].value
    assert sorted(curve_names(app)) == ["one", "two"]
    app.text_input(key="compare.find").set_value("").run()
    assert sorted(curve_names(app)) == ["one", "two"]


def test_runs_side_by_side_are_at_equal_step_on_one_scale(root: Path) -> None:
    app = open_compare(runs="one,two")
    assert not app.exception
    (one, _), (two, _) = fed(app, "filters-0"), fed(app, "filters-1")
    assert one["scale"] == two["scale"]
    end = RunReader(root / "two").snapshot_steps()[-1]  # the shorter run's
    first = max(step for step in RunReader(root / "one").snapshot_steps() if step <= end)
    captions = " ".join(element.value for element in app.caption)
    assert f"step {first:,} ·" in captions
    assert f"step {end:,} ·" in captions


def test_a_link_to_a_run_that_is_gone_says_so_and_shows_the_rest(root: Path) -> None:
    app = open_compare(runs="one,gone")
    assert not app.exception
    assert "gone" in app.warning[0].value
    assert curve_names(app) == ["one"]


def test_a_run_that_cannot_be_read_has_its_reason_in_the_table(root: Path) -> None:
    (root / "one" / "config.json").write_text("{")
    app = open_compare()
    assert not app.exception
    table = app.dataframe[0].value.set_index("Run")
    assert table.loc["one", "State"] == "unreadable"
    assert "damaged" in table.loc["one", "Note"]
    assert curve_names(app) == ["two"]


def test_a_run_whose_snapshots_are_no_folder_costs_one_sentence(root: Path) -> None:
    shutil.rmtree(root / "one" / "snapshots")
    (root / "one" / "snapshots").write_text("not a folder")
    app = open_compare(runs="one,two")
    assert not app.exception
    assert "should be a folder of snapshots" in app.warning[0].value
    assert curve_names(app) == ["two"]


def test_words_filter_the_table_by_setting_and_tag(root: Path) -> None:
    app = open_compare()
    app.text_input(key="compare.find").set_value("n_hidden=20").run()
    assert list(app.dataframe[0].value["Run"]) == ["two"]
    app.text_input(key="compare.find").set_value("nothing like it").run()
    assert "No run contains" in app.info[0].value


def test_tags_and_a_note_are_kept_in_the_runs_folder_and_found_again(root: Path) -> None:
    app = open_compare()
    app.selectbox(key="compare.cared").set_value("two").run()
    field(app, "Tags").set_value("small, quick")
    field(app, "Note").set_value("Mixes well.")
    press(app, "Save tags and note")
    assert read_notes(root / "two") == Notes(("small", "quick"), "Mixes well.")
    assert "are saved" in said(app)
    app.text_input(key="compare.find").set_value("quick mixes").run()
    assert list(app.dataframe[0].value["Run"]) == ["two"]


def test_renaming_moves_the_run_and_what_was_ticked(root: Path) -> None:
    app = open_compare(runs="one,two", run="two")
    app.selectbox(key="compare.cared").set_value("two").run()
    field(app, "New name").set_value("twenty")
    press(app, "Rename")
    assert names(root) == ["one", "twenty"]
    assert curve_names(app) == ["one", "twenty"]
    assert np.ravel(app.query_params["run"])[-1] == "twenty"


@pytest.mark.parametrize(
    ("new", "sentence"),
    [("one", "already a run 'one'"), ("../x", "cannot be called"), ("two", "has that name")],
)
def test_a_bad_new_name_is_one_sentence_and_changes_nothing(root: Path, new: str, sentence: str) -> None:
    app = open_compare()
    app.selectbox(key="compare.cared").set_value("two").run()
    field(app, "New name").set_value(new)
    press(app, "Rename")
    assert sentence in said(app)
    assert names(root) == ["one", "two"]


@pytest.mark.parametrize("typed", ["", "on", "two", "ONE"])
def test_nothing_is_deleted_without_the_second_word(root: Path, typed: str) -> None:
    app = open_compare()
    app.selectbox(key="compare.cared").set_value("one").run()
    field(app, "Delete for good: type the run's name").set_value(typed)
    press(app, "Delete this run")
    assert "Nothing was deleted" in said(app)
    assert names(root) == ["one", "two"]


def test_the_second_word_deletes_that_run_alone(root: Path) -> None:
    app = open_compare(run="one", runs="one,two")
    app.selectbox(key="compare.cared").set_value("one").run()
    field(app, "Delete for good: type the run's name").set_value("one")
    press(app, "Delete this run")
    assert not app.exception
    assert "one is deleted" in said(app)
    assert names(root) == ["two"]
    assert curve_names(app) == ["two"]


def test_a_run_in_training_is_not_deleted(root: Path) -> None:
    lock = files.hold_lock(root / "one")
    assert lock is not None
    app = open_compare()
    app.selectbox(key="compare.cared").set_value("one").run()
    field(app, "Delete for good: type the run's name").set_value("one")
    press(app, "Delete this run")
    lock.release()
    assert "is being trained" in said(app)
    assert names(root) == ["one", "two"]


def test_the_shipped_run_stays(root: Path) -> None:
    (root / "one").rename(root / store.SHIPPED_RUN)
    app = open_compare()
    app.selectbox(key="compare.cared").set_value(store.SHIPPED_RUN).run()
    field(app, "Delete for good: type the run's name").set_value(store.SHIPPED_RUN)
    press(app, "Delete this run")
    assert "comes with RBM Observatory" in said(app)
    assert store.SHIPPED_RUN in names(root)


# --- the pure parts ---


def record(name: str, **fields: Any) -> Record:
    return Record(name, state="finished", fields={"dataset": "mnist", "k": 1, **fields})


def test_only_settings_that_differ_have_a_column() -> None:
    apart, shared = records.differing([record("a"), record("b", k=5), Record("c", error="torn")])
    assert apart == ["k"]
    assert shared == {"dataset": "mnist"}
    assert records.usual([record("a"), record("b", k=5), record("c", k=5)], "k") == "5"


def test_a_setting_changed_while_a_run_trained_sets_it_apart_from_one_left_alone(root: Path) -> None:
    before = RunReader(root / "one").config()["config"]["learning_rate"]
    for name in ("one", "two"):  # else equal
        config = json.loads((root / name / "config.json").read_text())
        config["config"]["learning_rate"] = before
        (root / name / "config.json").write_text(json.dumps(config))
    event = {"time": 1.0, "step": 3, "command": "set", "value": {"name": "learning_rate", "value": 0.5}}
    with (root / "two" / "events.jsonl").open("a") as events:
        events.write(json.dumps(event) + "\n")
    app = open_compare(run="one")
    assert not app.exception
    table = app.dataframe[0].value.set_index("Run")["learning_rate"]
    assert table["two"] == f"{before:g} → 0.5"
    assert table["one"] == before or table["one"] == f"{before:g}"


def test_of_two_runs_neither_is_the_usual_one(root: Path) -> None:
    assert records.usual([record("a"), record("b", k=5)], "k") == ""
    assert records.usual([record("a"), record("b")], "k") == repr(record("a").fields["k"])
    app = open_compare(run="one")
    assert "Which settings make a better machine?" in app.caption[0].value
    assert any("every value where none is the most frequent" in one.value for one in app.caption)


def test_runs_are_ordered_best_first_and_those_without_a_value_come_last() -> None:
    several = [
        Record("b", likelihood=(-90.0, 0.1), step=5, seconds=9.0, fields={"k": 5, "l1": None}),
        Record("A", likelihood=(-80.0, 0.1), step=7, seconds=1.0, fields={"k": 10, "l1": "x"}),
        Record("c", step=6, seconds=5.0, fields={"k": 1, "l1": "w"}, last={"free_energy_gap": np.nan}),
        Record("torn", error="damaged"),
    ]

    def names(by: str) -> str:
        return "".join(one.name for one in records.ordered(several, by))

    assert names("newest") == "bActorn"
    assert names("name") == "Abctorn"
    assert names("likelihood") == "Abctorn"
    assert names("steps") == "Acbtorn"
    assert names("time") == "Acbtorn"
    assert names("k") == "cbAtorn"
    assert names("l1") == "cAbtorn"
    assert names("gap") == names("pseudo") == "bActorn"


def test_more_runs_than_colours_are_said_to_be_too_many(root: Path) -> None:
    every = ["one", "two", *(f"copy-{n}" for n in range(7))]
    for name in every[2:]:
        shutil.copytree(root / "two", root / name)
    app = open_compare(run="one", runs=",".join(every))
    assert "9 runs are ticked; the first 8 are compared" in app.warning[0].value
    assert len(curve_names(app)) == 8


def test_runs_on_the_same_data_are_proposed_the_chosen_one_first() -> None:
    several = [
        record("a"),
        record("b", dataset="stripes"),
        record("c"),
        record("d"),
        Record("e", error="torn"),
    ]
    assert records.comparable(several, "c", 3) == ["c", "a", "d"]
    assert records.comparable(several, "gone", 2) == ["a", "c"]
    assert records.comparable([], "a", 2) == []


def test_the_first_curve_is_one_that_every_run_has_the_likelihood_before_all() -> None:
    steps = {"step": np.arange(3)}
    plain = ({**steps, "free_energy_gap": np.ones(3), "weight_norm": np.ones(3)}, [])
    better = ({**plain[0], "log_likelihood_valid": np.ones(3)}, [])
    assert curves.first_metric([better, better]) == "log_likelihood_valid"
    assert curves.first_metric([plain, better]) == "free_energy_gap"
    assert curves.first_metric([(steps, [])]) is None


def test_smoothing_keeps_a_constant_and_gaps_and_does_nothing_at_zero() -> None:
    values = np.array([2.0, 2.0, np.nan, 2.0])
    np.testing.assert_allclose(curves.smoothed(values, 0.9), values)
    rising = np.arange(5.0)
    np.testing.assert_array_equal(curves.smoothed(rising, 0.0), rising)
    assert (curves.smoothed(rising, 0.9)[1:] < rising[1:]).all()


def test_equal_steps_end_where_the_shortest_run_does() -> None:
    assert moments.common_steps([[0, 5, 100], [0, 3, 40]]) == [0, 3, 5, 40]
    assert moments.common_steps([]) == []
    assert moments.snapshot_up_to([0, 5, 100], 40) == 5
    assert moments.snapshot_up_to([10], 5) is None


@pytest.mark.parametrize("dark", [False, True])
def test_every_run_has_its_own_colour_and_dash(dark: bool) -> None:
    columns = {
        "step": np.arange(3),
        "epoch": np.arange(3) / 2,
        "seconds": np.arange(3.0),
        "weight_norm": np.ones(3),
    }
    runs = [(str(n), columns, ()) for n in range(look.MOST_RUNS)]
    figure = curves.overlay(runs, "weight_norm", "time", 0.0, False, None, dark)
    lines = palette.LINES_DARK if dark else palette.LINES_LIGHT
    looks = {(trace.line.color, trace.line.dash) for trace in figure.data}
    assert len(looks) == len(runs)
    assert {trace.line.color for trace in figure.data} <= set(lines.values())
    assert figure.layout.xaxis.title.text.endswith("s")


def test_likelihoods_show_the_newest_estimate_up_to_the_step_with_its_error() -> None:
    rows = [
        {"step": 10, "test_nats": -120.0, "stderr": 0.5, "estimator": "ais"},
        {"step": 90, "test_nats": -95.0, "train_nats": -93.0, "stderr": 0.2, "estimator": "ais"},
        {"step": 95, "test_nats": None},
    ]
    assert likelihoods.best_likelihood(rows, 50) == rows[0]
    assert likelihoods.best_likelihood(rows) == rows[1]
    assert likelihoods.best_likelihood(rows, 5) is None
    figure = likelihoods.likelihood_figure([("a", rows[1]), ("b", None)], 90, dark=False)
    points = {trace.name: trace for trace in figure.data}
    assert points["test data"].x[0] == -95.0
    assert points["test data"].error_x.array[0] == 0.2
    assert points["training data"].x[0] == -93.0
    assert "nats" in figure.layout.xaxis.title.text


def test_an_estimate_that_is_not_to_be_trusted_gives_way_and_is_marked_where_it_stands_alone() -> None:
    sound = {"step": 10, "test_nats": -120.0, "stderr": 0.5, "trusted": True}
    one_sided = {"step": 20, "test_nats": -110.0, "stderr": 0.5, "trusted": None}
    doubtful = {"step": 90, "test_nats": -60.0, "stderr": 0.1, "trusted": False}
    assert likelihoods.best_likelihood([sound, doubtful]) == sound
    assert likelihoods.best_likelihood([sound, {**one_sided, "step": 10}]) == sound
    assert likelihoods.best_likelihood([sound, one_sided, doubtful]) == one_sided
    assert likelihoods.best_likelihood([doubtful]) == doubtful
    columns = {"step": np.array([0, 100]), "epoch": np.array([0.0, 2.0]), "seconds": np.array([0.0, 50.0])}
    curve = curves.overlay(
        [("a", columns, [doubtful, sound])], "log_likelihood", "step", 0, False, None, False
    )
    assert list(curve.data[0].marker.symbol) == ["circle", "circle-open"]
    side = likelihoods.likelihood_figure([("a", doubtful), ("b", sound)], 90, dark=False)
    assert list(side.data[0].marker.symbol) == ["circle-x-open", "circle"]
    every = [("a", {**doubtful, "train_nats": -59.0, "valid_nats": -61.0})]
    kinds = likelihoods.likelihood_figure(every, 90, dark=False).data
    assert len({one.marker.symbol[0] for one in kinds}) == 3, "kinds of data cannot be told apart"
    assert dict(side.layout.yaxis.labelalias) == {"a": "a<br>not to be trusted"}
    assert side.data[0].customdata[0][2] == likelihoods.DOUBT


def test_an_estimate_made_after_the_step_compared_is_named_and_not_laid_beside_the_others(root: Path) -> None:
    for name, step in (("one", 90), ("two", 1)):
        row = {"time": 1.0, "step": step, "estimator": "bracket", "test_nats": -100.0 - step, "stderr": 0.1}
        (root / name / "likelihood.jsonl").write_text(json.dumps({**row, "trusted": True}) + "\n")
    app = open_compare(runs="one,two", step="1")
    assert not app.exception
    figure = json.loads(app.get("plotly_chart")[-1].proto.spec)
    assert [x for trace in figure["data"] for x in trace["x"]] == [-101.0]
    assert any("Made later" in one.value and "at step 90" in one.value for one in app.caption)


def test_the_table_says_whether_a_likelihood_is_to_be_trusted(root: Path) -> None:
    for name, trusted in (("one", True), ("two", False)):
        row = {"time": 1.0, "step": 1, "estimator": "bracket", "test_nats": -100.0, "stderr": 0.1}
        (root / name / "likelihood.jsonl").write_text(json.dumps({**row, "trusted": trusted}) + "\n")
    table = open_compare(run="one").dataframe[0].value.set_index("Run")
    assert list(table.loc[["one", "two"], "Trust it?"]) == ["yes", "no"]


def test_the_curve_of_the_likelihood_while_training_has_a_band_of_its_error() -> None:
    columns = {
        "step": np.array([0, 1, 2]),
        "log_likelihood_valid": np.array([np.nan, -200.0, -150.0]),
        "log_z_stderr": np.array([np.nan, 3.0, 5.0]),
    }
    figure = curves.overlay([("a", columns, [])], "log_likelihood_valid", "step", 0, False, None, False)
    band, line = figure.data
    assert list(band.y) == [-197.0, -145.0, -155.0, -203.0]
    assert list(line.y) == [-200.0, -150.0]


def test_every_picture_tells_its_formula_and_source_and_can_be_taken_away(root: Path) -> None:
    for name in ("one", "two"):
        row = {"time": 1.0, "step": 1, "estimator": "exact", "test_nats": -100.0, "stderr": 0.0}
        (root / name / "likelihood.jsonl").write_text(json.dumps({**row, "trusted": True}) + "\n")
    app = open_compare(run="one")
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
    steps = RunReader(root / "one").snapshot_steps()
    newest = moments.snapshot_up_to(steps, int(app.select_slider[0].value))
    assert header["of"] == {"run": "one", "step": newest, "seed": 0}
    assert all(config["toImageButtonOptions"]["filename"] and alt for _, config, alt in charts(app))


def test_an_estimate_is_placed_on_the_axis_of_time() -> None:
    columns = {"step": np.array([0, 100]), "epoch": np.array([0.0, 2.0]), "seconds": np.array([0.0, 50.0])}
    rows = [{"step": 50, "test_nats": -100.0, "stderr": 0.1}]
    figure = curves.overlay([("a", columns, rows)], "log_likelihood", "time", 0, False, None, False)
    assert figure.data[0].x[0] == 25.0
