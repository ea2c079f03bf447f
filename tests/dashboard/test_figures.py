"""Pictures are true: one common scale, the right unit at the right place, counts that add up."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dashboard.components.blob import pack, unpack
from dashboard.figures import curves, moment, palette, spectrum
from dashboard.figures.comparison.moments import strongest_filters
from dashboard.ui import link
from rbm_core.pixels import PixelScale
from rbm_core.runs import Probe, Snapshot
from rbm_core.spectrum import SHOWN, modes

H, W_, N, P = 6, 12, 9, 10  # hidden units; visible units (3 x 4); particles; probe images
SHAPE = (3, 4)


def snapshot(seed: int = 0, **changes: Any) -> Snapshot:
    draws = np.random.default_rng(seed)
    made = Snapshot(
        step=seed,
        W=draws.normal(0, 0.3, (W_, H)).astype(np.float32),
        vbias=draws.normal(0, 1, W_).astype(np.float32),
        hbias=draws.normal(0, 1, H).astype(np.float32),
        log_var=None,
        particles_v=draws.integers(0, 2, (N, W_)).astype(np.uint8),
        particles_h=draws.integers(0, 2, (N, H)).astype(np.uint8),
        probe_hidden=draws.integers(0, 256, (P, H)).astype(np.uint8),
        mean_hidden=draws.uniform(0, 1, H).astype(np.float32),
        increment_counts=draws.integers(0, 9, (3, 64)).astype(np.int32),
        increment_edges=np.linspace(-1, 1, 65, dtype=np.float32) * np.ones((3, 1), np.float32),
        meta={"visible": "bernoulli"},
    )
    return replace(made, **changes)


IN_ORDER = np.arange(H)


def test_a_blob_gives_back_what_was_packed() -> None:
    arrays = {
        "a": np.arange(5, dtype=np.uint8),
        "b": np.linspace(0, 1, 6, dtype=np.float64).reshape(2, 3),
        "c": np.zeros((0, 4), np.float32),
        "d": np.array([True, False]),
    }
    header, back = unpack(pack({"title": "σ", "steps": [0, 1]}, arrays))
    assert header == {"title": "σ", "steps": [0, 1]}
    for name, array in arrays.items():
        assert back[name].shape == array.shape
        assert np.array_equal(back[name], array), name


def test_every_array_of_a_blob_starts_where_a_typed_array_may() -> None:
    blob = pack({"odd": "x"}, {"a": np.zeros(3, np.uint8), "b": np.ones(2, np.float64)})
    payload = 4 + int.from_bytes(blob[:4], "little")
    assert payload % 8 == 0
    assert np.frombuffer(blob, np.float64, count=2, offset=payload + 8).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("dtype", ["float16", "int64", "complex64"])
def test_an_array_javascript_cannot_hold_is_refused(dtype: str) -> None:
    with pytest.raises(TypeError, match=f"array 'x' is {dtype}"):
        pack({}, {"x": np.zeros(2, dtype)})


def test_a_header_that_is_not_json_is_refused() -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        pack({"scale": float("nan")})


def test_all_filters_share_one_scale_and_keep_their_values() -> None:
    shown = snapshot()
    header, arrays = moment.filters(shown, SHAPE, IN_ORDER)
    back = arrays["tiles"].astype(np.float64).T * header["range"] / 127
    outside = np.abs(shown.W) > header["range"]
    assert np.abs(back - shown.W)[~outside].max() <= header["range"] / 127 / 2 * 1.001
    assert header["scale"] <= header["range"]
    assert header["shape"] == SHAPE


def test_twice_the_weights_are_twice_the_scale_and_the_same_tiles() -> None:
    one, _ = moment.filters(snapshot(), SHAPE, IN_ORDER)
    two, tiles_two = moment.filters(snapshot(W=snapshot().W * 2), SHAPE, IN_ORDER)
    assert two["scale"] == pytest.approx(2 * one["scale"])
    assert np.array_equal(tiles_two["tiles"], moment.filters(snapshot(), SHAPE, IN_ORDER)[1]["tiles"])


def test_facts_of_a_tile_are_its_units_own() -> None:
    shown = snapshot()
    header, arrays = moment.filters(shown, SHAPE, moment.order_of_units("norm", shown, None))
    for tile, unit in enumerate(arrays["units"]):
        norm, bias, mean = arrays["facts"][tile]
        assert norm == pytest.approx(np.linalg.norm(shown.W[:, unit]), rel=1e-5)
        assert bias == pytest.approx(shown.hbias[unit])
        assert mean == pytest.approx(shown.mean_hidden[unit])
    assert sorted(header["order"]) == list(range(H))


def test_more_units_than_can_be_looked_at_are_cut_to_the_first_in_the_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(moment, "MOST_TILES", 4)
    shown = snapshot()
    order = moment.order_of_units("norm", shown, None)
    header, arrays = moment.filters(shown, SHAPE, order)
    largest = np.argsort(-np.linalg.norm(shown.W, axis=0))[:4]
    assert [arrays["units"][tile] for tile in header["order"]] == largest.tolist()
    assert len(arrays["tiles"]) == 4
    assert "4 of 6 hidden units" in header["note"]


def test_change_since_a_snapshot_is_the_difference_of_the_weights() -> None:
    now, then = snapshot(1), snapshot(0)
    header, arrays = moment.filters(now, SHAPE, IN_ORDER, base=then)
    back = arrays["tiles"].T * header["range"] / 127
    assert (
        np.abs(back - np.clip(now.W - then.W, -header["range"], header["range"])).max()
        < header["range"] / 127
    )
    assert "change since step 0" in header["note"]


def test_weights_of_zero_have_a_scale() -> None:
    header, arrays = moment.filters(snapshot(W=np.zeros((W_, H), np.float32)), SHAPE, IN_ORDER)
    assert header["scale"] > 0
    assert not arrays["tiles"].any()


def test_orders_put_the_asked_unit_first() -> None:
    shown = snapshot()
    strong, busy, moved = shown.W.copy(), shown.mean_hidden.copy(), shown.W.copy()
    strong[:, 4] *= 50
    busy[2] = 1.0
    moved[:, 5] += 9
    assert moment.order_of_units("norm", replace(shown, W=strong), None)[0] == 4
    assert moment.order_of_units("activity", replace(shown, mean_hidden=busy), None)[0] == 2
    assert moment.order_of_units("change", shown, replace(shown, W=moved))[0] == 5
    assert moment.order_of_units("index", shown, None).tolist() == list(range(H))


def test_the_strongest_filters_of_a_large_layer_are_all_drawn() -> None:
    """A tile is left empty where its unit is not in use yet: never in a layer without an order."""
    rng = np.random.default_rng(0)
    n = 60
    large = snapshot(
        W=rng.normal(size=(W_, n)).astype(np.float32), hbias=np.zeros(n), mean_hidden=np.full(n, 0.5)
    )
    header, arrays = strongest_filters(large, SHAPE, scale=1.0, n=10)
    assert sorted(arrays["units"]) == sorted(moment.order_of_units("norm", large, None)[:10])
    assert max(arrays["units"]) >= 10
    assert all(unit < header["in_use"] for unit in arrays["units"])


def test_similar_units_stand_side_by_side() -> None:
    shown = snapshot()
    twins = shown.W.copy()
    twins[:, 5] = 1.01 * twins[:, 0]
    order = moment.order_of_units("similarity", replace(shown, W=twins), None).tolist()
    assert sorted(order) == list(range(H))
    assert abs(order.index(0) - order.index(5)) == 1, order


def test_groups_of_like_units_stay_together_wherever_they_stood() -> None:
    """Three directions, each with units of its own at mixed places: each group is one stretch of the order."""
    rng = np.random.default_rng(5)
    directions = np.linalg.qr(rng.normal(size=(W_, 3)))[0]
    which = rng.permutation(np.arange(60) % 3)
    W = (directions[:, which] * rng.uniform(0.5, 3, 60) + rng.normal(0, 0.01, (W_, 60))).astype(np.float32)
    order = moment.order_of_units("groups", replace(snapshot(), W=W), None)
    assert sorted(order.tolist()) == list(range(60))
    assert (np.diff(which[order]) != 0).sum() == 2, "a group is torn apart"
    again = moment.order_of_units("groups", replace(snapshot(), W=W.copy()), None)
    assert order.tolist() == again.tolist()
    lone = moment.order_of_units("groups", replace(snapshot(), W=W[:, :1]), None)
    assert lone.tolist() == [0]


def test_the_spectrum_shows_the_singular_values_and_both_clouds() -> None:
    rng = np.random.default_rng(6)
    W = {step: rng.normal(size=(W_, H)) for step in (0, 10)}
    by_step = {step: modes(weights).values for step, weights in W.items()}
    data, fantasies = rng.integers(0, 2, (7, W_)), rng.integers(0, 2, (5, W_))
    header, arrays = spectrum.spectrum(by_step, 10, modes(W[10]), (2, 3), data, fantasies, SHAPE)
    assert header["chosen"] == [2, 3]
    for row, step in enumerate(arrays["steps"]):
        want = np.linalg.svd(W[int(step)], compute_uv=False)[: arrays["values"].shape[1]]
        np.testing.assert_allclose(arrays["values"][row], want, rtol=1e-5)
    left = np.linalg.svd(W[10])[0][:, 1:3]
    np.testing.assert_allclose(np.abs(arrays["data"]), np.abs(data @ left) / np.sqrt(W_), atol=1e-5)
    np.testing.assert_allclose(np.abs(arrays["fantasies"]), np.abs(fantasies @ left) / np.sqrt(W_), atol=1e-5)
    narrow = modes(W[0][:, :2])
    few = spectrum.spectrum({0: narrow.values}, 0, narrow, (5, 9), data, fantasies, SHAPE)
    assert few[0]["chosen"] == [2, 2], "a mode that the model does not have"
    assert link.MODES == SHOWN


def test_particles_show_the_probabilities_of_their_own_hidden_states() -> None:
    shown = snapshot()
    header, arrays = moment.particles(shown, SHAPE)
    expected = 1 / (1 + np.exp(-(shown.particles_h @ shown.W.T.astype(np.float64) + shown.vbias)))
    assert np.abs(arrays["tiles"] / 255 - expected).max() <= 0.5 / 255 + 1e-6
    assert np.array_equal(arrays["bits"], shown.particles_v * 255)
    assert header["unit"] == "p(v=1 | h)"


def test_gaussian_particles_are_the_datas_grey_values_on_one_scale_for_the_whole_run() -> None:
    chance = np.random.default_rng(2)
    early = snapshot(
        particles_v=chance.normal(0, 2, (N, W_)).astype(np.float32), meta={"visible": "gaussian"}
    )
    late = replace(early, W=early.W * 3)
    mean, std = chance.uniform(0, 1, W_).astype(np.float32), chance.uniform(0.1, 0.4, W_).astype(np.float32)
    probe = Probe(np.zeros((1, W_), np.uint8), None, PixelScale(mean, std))
    for shown in (early, late):
        header, arrays = moment.particles(shown, SHAPE, probe=probe)
        grey = np.clip(mean + std * (shown.particles_h @ shown.W.T + shown.vbias), 0, 1)
        assert np.abs(arrays["tiles"] / 255 - grey).max() <= 0.5 / 255 + 1e-6
        drawn = np.clip(mean + std * shown.particles_v, 0, 1)
        assert np.abs(arrays["bits"] / 255 - drawn).max() <= 0.5 / 255 + 1e-6
        assert (header["low"], header["high"], header["unit"]) == (0, 1, "grey value")
        frame = moment.timelapse_frame(shown, SHAPE, "fantasies", IN_ORDER, 1.0, probe)
        assert np.array_equal(frame[: SHAPE[0], : SHAPE[1]], arrays["tiles"][0].reshape(SHAPE))


def test_activity_keeps_unit_and_image_together_when_images_are_sorted_by_class() -> None:
    shown, labels = snapshot(), np.array([3, 1, 2, 0, 9, 8, 7, 6, 5, 4])
    order = moment.order_of_units("norm", shown, None)
    header, arrays = moment.activity(shown, order, labels)
    assert header["labels"] == list(range(P))
    for row, label in enumerate(header["labels"]):
        case = int(np.flatnonzero(labels == label)[0])
        assert np.array_equal(arrays["hidden"][row], shown.probe_hidden[case][order])


def test_histogram_counts_every_value_once_as_numpy_does() -> None:
    values = np.random.default_rng(1).normal(size=5000).astype(np.float32)
    counts, edges = moment.histogram(values)
    expected, _ = np.histogram(values, bins=len(counts))
    assert counts.sum() == len(values)
    assert np.abs(counts - expected).sum() <= 4, "more than a value on an edge went astray"
    assert edges[0] == values.min()
    assert edges[-1] == values.max()


@pytest.mark.parametrize("values", [np.zeros(7), np.array([np.nan, 1.0, 2.0, np.inf]), np.array([np.nan])])
def test_histograms_survive_constant_and_broken_values(values: np.ndarray) -> None:
    counts, edges = moment.histogram(values.astype(np.float32))
    assert counts.sum() == np.isfinite(values).sum()
    assert np.isfinite(edges).all()


def test_rows_carry_each_metric_in_its_column_and_holes_as_nan() -> None:
    metrics = {"step": np.array([0, 5, 9]), "free_energy_train": np.array([-1.0, np.nan, -3.0])}
    rows = curves.rows_of(metrics, start=1)
    assert rows.shape == (2, len(curves.COLUMNS))
    assert rows[:, curves.COLUMNS.index("step")].tolist() == [5, 9]
    assert rows[1, curves.COLUMNS.index("free_energy_train")] == -3.0
    assert np.isnan(rows[:, curves.COLUMNS.index("learning_rate")]).all()
    assert curves.rows_of({}).shape == (0, len(curves.COLUMNS))


def test_a_change_by_hand_is_marked_where_it_happened() -> None:
    events = [
        {"step": 12, "command": "set", "value": {"name": "learning_rate", "value": 0.001}},
        {"step": 20, "command": "pause"},
        {"step": 21, "command": "unheard of"},
    ]
    assert curves.marks(events) == [
        {"step": 12, "label": "learning rate set to 0.001"},
        {"step": 20, "label": "paused"},
    ]


def test_estimates_come_in_order_of_step_with_their_error() -> None:
    table = curves.estimates(
        [{"step": 9, "train_nats": -90, "valid_nats": -91, "stderr": 0.2}, {"step": 4, "train_nats": -99}]
    )
    assert table[:, 0].tolist() == [4, 9]
    assert np.array_equal(table[1], [9, -90, -91, np.nan, 0.2], equal_nan=True)
    assert np.isnan(table[0, 2:]).all()


def test_diverging_colours_run_from_blue_over_the_page_to_red() -> None:
    for stops, zero in ((palette.DIVERGING_LIGHT, 247), (palette.DIVERGING_DARK, 18)):
        table = palette.colour_table(stops)
        assert table.shape == (256, 3)
        assert table[40, 2] > table[40, 0], "negative is not blue"
        assert table[215, 0] > table[215, 2], "positive is not red"
        assert abs(int(table[127:129].max()) - zero) < 6, "zero is not the colour of the page"


def test_shape_of_an_image_is_recorded_or_square_or_a_row() -> None:
    assert moment.image_shape(784, [28, 28]) == (28, 28)
    assert moment.image_shape(784, None) == (28, 28)
    assert moment.image_shape(12, [3, 4]) == (3, 4)
    assert moment.image_shape(12, [5, 5]) == (1, 12)


@pytest.mark.parametrize("n", [1, 2, 199, 400, 50_001])
def test_the_colours_end_at_the_quantile_of_all_weights(n: int) -> None:
    W = np.random.default_rng(n).normal(size=(n, 1)).astype(np.float32)
    assert moment.common_scale(W) == pytest.approx(np.quantile(np.abs(W), 0.995), rel=1e-6)
