"""The rules and figures behind the Compare page: order, what differs, curves, estimates."""

from typing import Any

import numpy as np
import pytest

from dashboard.figures import palette
from dashboard.figures.comparison import curves, likelihoods, look, moments, records
from dashboard.figures.comparison.metrics import AXES, METRICS
from dashboard.figures.comparison.records import Record


def record(name: str, **fields: Any) -> Record:
    return Record(name, state="finished", fields={"dataset": "mnist", "k": 1, **fields})


def test_only_settings_that_differ_have_a_column() -> None:
    apart, shared = records.differing([record("a"), record("b", k=5), Record("c", error="torn")])
    assert apart == ["k"]
    assert shared == {"dataset": "mnist"}
    assert records.usual([record("a"), record("b", k=5), record("c", k=5)], "k") == "5"


def test_of_two_runs_neither_value_is_the_usual_one() -> None:
    assert records.usual([record("a"), record("b", k=5)], "k") == ""
    assert records.usual([record("a"), record("b")], "k") == repr(record("a").fields["k"])


def test_a_model_from_a_file_has_no_settings_by_which_it_never_learned() -> None:
    fields = {
        "dataset": "mnist",
        "n_hidden": 16,
        "visible": "bernoulli",
        "learning_rate": 0.2,
        "updates": 49500,
    }
    model = records.of_the_model(fields)
    assert model == {"dataset": "mnist", "n_hidden": 16, "visible": "bernoulli"}
    theirs = Record("theirs", state=records.IMPORTED, fields=model)
    trained = [Record(name, state="finished", fields={**fields, "n_hidden": 500}) for name in "ab"]
    apart, shared = records.differing([theirs, *trained])
    assert apart == ["n_hidden"], "a setting that nobody knows is no difference"
    assert shared == {name: fields[name] for name in ("dataset", "visible", "learning_rate", "updates")}


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
    columns["log_likelihood_valid_stderr"] = np.array(
        [np.nan, np.nan, 6.0]
    )  # begun by a version that had none
    figure = curves.overlay([("a", columns, [])], "log_likelihood_valid", "step", 0, False, None, False)
    assert list(figure.data[0].y) == [-197.0, -144.0, -156.0, -203.0]


def test_an_estimate_is_placed_on_the_axis_of_time() -> None:
    columns = {"step": np.array([0, 100]), "epoch": np.array([0.0, 2.0]), "seconds": np.array([0.0, 50.0])}
    rows = [{"step": 50, "test_nats": -100.0, "stderr": 0.1}]
    figure = curves.overlay([("a", columns, rows)], "log_likelihood", "time", 0, False, None, False)
    assert figure.data[0].x[0] == 25.0


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("axis", AXES)
def test_runs_that_recorded_nothing_or_half_of_it_cost_no_curve_of_the_others(metric: str, axis: str) -> None:
    """No row yet, rows without this column, columns of other lengths, likelihoods without a step or an error bar."""
    rows = {"step": np.arange(3), "epoch": np.arange(3.0), "seconds": np.arange(3.0)}
    whole = {**rows, metric: np.arange(3.0), "log_z_stderr": np.ones(3)}
    odd: list[tuple[dict[str, np.ndarray], list[dict[str, Any]]]] = [
        ({}, []),
        (rows, []),
        ({metric: np.zeros(0)}, []),
        ({**rows, metric: np.full(3, np.nan)}, []),
        ({**whole, "log_z_stderr": np.zeros(0)}, [{"test_nats": -90.0}]),
        (
            {metric: np.arange(2.0), "log_z_stderr": np.ones(2)},
            [{"step": 2, "test_nats": -90.0, "stderr": None}],
        ),
    ]
    runs = [(f"odd-{i}", columns, likelihood) for i, (columns, likelihood) in enumerate(odd)]
    figure = curves.overlay(
        [*runs, ("whole", whole, [{"step": 1, "test_nats": -90.0, "stderr": 0.1}])],
        metric,
        axis,
        0.5,
        False,
        1,
        False,
    )
    assert len(next(trace for trace in figure.data if trace.name == "whole").x) > 0
