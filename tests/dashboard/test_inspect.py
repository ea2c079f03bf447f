"""The Inspect page: what it shows of a unit, a pixel and an image is what the recorded weights say."""

import json
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.components.blob import unpack
from dashboard.figures import drawings
from rbm_core import datasets, rbm_numpy
from rbm_core.runs import RunReader, Snapshot
from rbm_core.runs.files import hold_lock
from rbm_core.runs.snapshot import snapshot_file
from tests.dashboard.opened import abouts, charts, fed, open_page
from tests.small_run import train_small

RUN = "small-run"


@pytest.fixture
def run(runs_root: Path) -> Path:
    return train_small(runs_root, RUN)


@pytest.fixture
def last(run: Path) -> Snapshot:
    reader = RunReader(run)
    return reader.snapshot(reader.snapshot_steps()[-1])


def open_inspect(**query: str) -> AppTest:
    return open_page("inspect", **{"run": RUN, **query})


def linked(app: AppTest, name: str) -> str:
    """The value in the link, which AppTest hands out as it was set, alone or in a list."""
    return str(np.ravel(app.query_params[name])[-1])


def metrics(app: AppTest) -> dict[str, str]:
    return {element.label: element.value for element in app.get("metric")}


def test_a_units_film_holds_its_recorded_weights_at_every_kept_moment(run: Path) -> None:
    reader = RunReader(run)
    steps = reader.snapshot_steps()
    app = open_inspect(unit="5", step=str(steps[2]))
    assert not app.exception
    header, arrays = fed(app, "history")
    assert arrays["cells"].shape == (len(steps), 784)
    for frame, step in enumerate(steps):
        snapshot = reader.snapshot(step)
        np.testing.assert_array_equal(arrays["cells"][frame], snapshot.W[:, 5])
        norm = np.linalg.norm(snapshot.W[:, 5])
        expected = [norm, snapshot.hbias[5], 100 * snapshot.mean_hidden[5]]
        np.testing.assert_allclose(arrays["curves"][:, frame], expected, rtol=1e-5)
    assert header["at"] == 2
    assert header["low"] == -header["high"]


def test_the_numbers_beside_a_unit_are_the_snapshots(run: Path, last: Snapshot) -> None:
    shown = metrics(open_inspect(unit="5"))
    assert shown["Norm"] == f"{np.linalg.norm(last.W[:, 5]):.3g}"
    assert shown["Bias"] == f"{last.hbias[5]:.3g}".replace("-", "−")
    assert shown["On for"] == f"{100 * last.mean_hidden[5]:.1f} %"


def test_a_stranger_is_told_what_the_page_is_for(run: Path) -> None:
    assert open_inspect(unit="5").caption[0].value.startswith("Take the machine apart")


def test_without_a_link_the_strongest_unit_is_opened(run: Path, last: Snapshot) -> None:
    app = open_inspect()
    strongest = int(np.argmax(np.linalg.norm(last.W, axis=0)))
    assert app.number_input(key="inspect.unit").value == strongest
    assert fed(app, "units")[0]["chosen"] == strongest


def test_the_most_exciting_images_really_excite_the_unit_most(run: Path, last: Snapshot) -> None:
    app = open_inspect(unit="5")
    train = datasets.load("mnist-5k", n_valid=100).train
    logits = last.hbias[5] + (train > 0.5) @ last.W[:, 5]
    _, most = fed(app, "most")
    _, least = fed(app, "least")
    assert logits[most["units"]].min() >= np.sort(logits)[-len(most["units"])] - 1e-4
    assert logits[least["units"]].max() <= np.sort(logits)[len(least["units"]) - 1] + 1e-4
    np.testing.assert_array_equal(most["tiles"][0], np.rint(255 * train[most["units"][0]]))


def test_a_typed_unit_is_opened_and_kept_in_the_link(run: Path) -> None:
    app = open_inspect(unit="5")
    app.number_input(key="inspect.unit").set_value(9).run()
    assert fed(app, "history")[0]["key"] == "unit 9"
    assert linked(app, "unit") == "9"


def test_a_unit_the_run_does_not_have_falls_back_in_one_sentence(run: Path) -> None:
    app = open_inspect(unit="9000")
    assert not app.exception
    assert "This run has 64 hidden units" in app.warning[0].value
    assert fed(app, "history")


@pytest.mark.parametrize("bad", [{"unit": "-1"}, {"unit": "x"}, {"look": "sideways"}, {"pixel": "1e9"}])
def test_a_link_that_cannot_be_read_falls_back_and_says_so(run: Path, bad: dict[str, str]) -> None:
    app = open_inspect(**bad)
    assert not app.exception
    assert any("The link says" in element.value for element in app.warning) or "pixel" in bad
    assert fed(app, "history")


def test_a_pixels_map_holds_its_weight_to_every_unit(run: Path, last: Snapshot) -> None:
    app = open_inspect(look="pixel", pixel="406")
    assert not app.exception
    header, arrays = fed(app, "incoming")
    np.testing.assert_array_equal(arrays["cells"][0], last.W[406])
    assert header["shape"][0] * header["shape"][1] >= last.W.shape[1]
    _, kin = fed(app, "kinship")
    assert kin["cells"][0][406] == pytest.approx(1.0, abs=1e-5)
    assert metrics(app)["Bias"] == f"{last.vbias[406]:.3g}".replace("-", "−")


def test_row_and_column_name_the_pixel(run: Path) -> None:
    app = open_inspect(look="pixel", pixel="406")
    assert (app.number_input(key="inspect.row").value, app.number_input(key="inspect.column").value) == (
        14,
        14,
    )
    app.number_input(key="inspect.column").set_value(20).run()
    assert linked(app, "pixel") == "412"


def test_an_image_is_built_up_to_its_reconstruction(run: Path, last: Snapshot) -> None:
    app = open_inspect(look="image", image="17")
    assert not app.exception
    v = datasets.load("mnist-5k", n_valid=100).train[17] > 0.5
    _, arrays = fed(app, "build-up")
    np.testing.assert_array_equal(arrays["beside"], v)
    p = rbm_numpy.sigmoid(last.hbias + v @ last.W)
    expected = rbm_numpy.sigmoid(last.vbias + last.W @ p)
    np.testing.assert_allclose(arrays["cells"][-1], expected, atol=1e-4)
    np.testing.assert_allclose(arrays["curves"][0, -1], ((expected - v) ** 2).mean(), rtol=1e-3)


def test_a_class_shows_only_its_images(run: Path) -> None:
    app = open_inspect(look="image")
    app.selectbox(key="inspect.class").set_value("3").run()
    labels = datasets.load("mnist-5k", n_valid=100).train_labels
    assert labels is not None
    _, arrays = fed(app, "images")
    assert set(labels[arrays["units"]]) == {3}
    assert labels[int(linked(app, "image"))] == 3


def test_without_the_runs_data_the_probe_images_stand_in(run: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    config["data"]["fingerprint"] = "another data set"
    (run / "config.json").write_text(json.dumps(config))
    app = open_inspect(unit="5")
    assert not app.exception
    assert any("probe images" in element.value for element in app.caption)
    (run / "probe.safetensors").unlink()
    app = open_inspect(unit="5")
    assert not app.exception
    assert "neither the run's data nor its probe images" in app.info[0].value


def test_a_damaged_snapshot_costs_its_frame_and_no_other(run: Path) -> None:
    steps = RunReader(run).snapshot_steps()
    (run / "snapshots" / f"{steps[1]:09d}.safetensors").write_bytes(b"torn")
    header, _ = fed(open_inspect(unit="5"), "history")
    assert len(header["frames"]) == len(steps) - 1
    app = open_inspect(unit="5", step=str(steps[1]))
    assert not app.exception
    assert not app.error
    (said,) = [warning.value for warning in app.warning if "damaged" in warning.value]
    assert "instead; the slider has the others" in said


def test_a_living_run_is_shown_as_it_is_now_after_its_kept_moments(run: Path) -> None:
    steps = RunReader(run).snapshot_steps()
    (run / "snapshots" / f"{steps[-1]:09d}.safetensors").rename(run / "live.safetensors")
    status = json.loads((run / "status.json").read_text())
    (run / "status.json").write_text(json.dumps({**status, "state": "running"}))
    lock = hold_lock(run)
    assert lock is not None
    header, _ = fed(open_inspect(unit="5"), "history")
    lock.release()
    assert header["at"] == len(steps) - 1
    assert header["frames"][-1].startswith(f"step {steps[-1]:,}")


def test_a_step_without_a_snapshot_shows_the_nearest(run: Path) -> None:
    steps = RunReader(run).snapshot_steps()
    app = open_inspect(unit="5", step=str(steps[-2] + 1))
    assert any("showing the nearest" in element.value for element in app.warning)
    assert fed(app, "history")[0]["at"] == len(steps) - 2


@pytest.mark.parametrize("look", ["unit", "pixel", "image"])
def test_every_picture_tells_its_formula_and_its_source_and_can_be_taken_away(run: Path, look: str) -> None:
    app = open_inspect(look=look, image="3")
    told = abouts(app)
    canvases, plots = app.main.get("bidi_component"), charts(app)
    assert len(told) == len(canvases) + len(plots)
    for picture, words in told.items():
        assert "$$" in words, picture
        assert "Source: " in words, picture
    step = RunReader(run).snapshot_steps()[-1]
    for element in canvases:
        header, _ = unpack(element.proto.bytes)
        assert header["of"] == {"run": RUN, "step": step, "seed": 0}
        assert header["name"]
    for figure, config, alt in plots:
        assert figure["layout"]["title"]["text"]
        assert figure["layout"]["xaxis"]["title"]["text"]
        assert config["toImageButtonOptions"]["filename"].startswith(f"{RUN}-step-{step}-")
        assert alt
    names = [unpack(element.proto.bytes)[0]["name"] for element in canvases]
    names += [config["toImageButtonOptions"]["filename"] for _, config, _ in plots]
    assert len(set(names)) == len(names)


def test_ones_own_drawing_is_taken_apart(last: Snapshot) -> None:
    """A drawing in the link: the units that answer are those that the recorded weights say."""
    bits = np.zeros((28, 28), bool)
    bits[6:22, 13:16] = True
    app = open_inspect(look="drawing", drawing=drawings.bits_to_text(bits.ravel()))
    assert not app.exception
    assert not app.warning
    built = rbm_numpy.build_up(rbm_numpy.Parameters.of(last), bits.ravel().astype(np.float32))
    _, arrays = fed(app, "answering")
    np.testing.assert_array_equal(arrays["units"], built.order[: len(arrays["units"])])
    header, arrays = fed(app, "build-up")
    np.testing.assert_array_equal(arrays["beside"], bits.ravel())
    assert "your drawing" in header["note"]


def test_an_empty_pad_asks_for_a_drawing(run: Path) -> None:
    app = open_inspect(look="drawing")
    assert not app.exception
    assert any("Draw something" in element.value for element in app.info)


def test_a_drawing_of_another_size_is_refused_in_a_sentence(run: Path) -> None:
    app = open_inspect(look="drawing", drawing=drawings.bits_to_text(np.ones(100, bool)))
    assert not app.exception
    assert any("takes 98 bytes" in element.value for element in app.warning)


def test_the_newest_moment_stays_chosen_when_another_becomes_the_newest(run: Path) -> None:
    """The browser sends back the words of the option chosen, which the next list of moments has to know."""
    steps = RunReader(run).snapshot_steps()
    kept = run / "aside.safetensors"
    newest = snapshot_file(run, steps[-1])
    newest.rename(kept)
    app = open_inspect(unit="5")
    assert app.select_slider(key="inspect.step").value == "live"
    kept.rename(newest)
    app.number_input(key="inspect.unit").set_value(6).run()
    assert app.select_slider(key="inspect.step").value == "live"
    app.select_slider(key="inspect.step").set_value(steps[1]).run()
    snapshot_file(run, steps[1]).unlink()
    app.number_input(key="inspect.unit").set_value(7).run()
    shown = app.select_slider(key="inspect.step").value
    assert shown == RunReader(run).nearest_step(steps[1]), "a moment that is gone moves the slider elsewhere"
    assert f"no snapshot at step {steps[1]:,}" in app.warning[0].value
