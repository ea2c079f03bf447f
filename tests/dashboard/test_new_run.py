"""The form for a new run starts what it shows, and says at the field what cannot be trained."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.processes import trainers
from dashboard.ui.new_run.wish import WATCHED_FIRST
from rbm_core import datasets
from rbm_core.config import PRESETS, RunConfig
from rbm_core.runs import RunReader
from rbm_core.training import Training
from tests.core.image_files import grey, save
from tests.dashboard.opened import open_page
from tests.dashboard.small_train import RUN, text
from tests.small_run import train_small


@pytest.fixture
def run(runs_root: Path) -> Path:
    return train_small(runs_root, RUN)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[RunConfig, dict[str, Any]]]:
    """What the form would have started, instead of a process."""
    calls: list[tuple[RunConfig, dict[str, Any]]] = []

    def start(config: RunConfig, name: str, **options: Any) -> str:
        calls.append((config, {"name": name, **options}))
        return RUN

    monkeypatch.setattr(trainers, "start", start)
    return calls


def started_names(started: list[tuple[RunConfig, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    return [(options["name"], options) for _, options in started]


def test_the_form_starts_what_it_shows(run: Path, started: list[tuple[RunConfig, dict[str, Any]]]) -> None:
    app = open_page(run=RUN)
    app.selectbox(key="new.dataset").set_value("bars-and-stripes").run()
    app.number_input(key="new.quick_n_hidden").set_value(12).run()
    app.button(key="new.start").click().run()
    ((config, options),) = started
    assert not app.exception
    assert (config.dataset, config.n_hidden) == ("bars-and-stripes", 12)
    assert options["preset"] is None, "a changed preset is no longer that preset"
    assert options["updates_per_second"] == 10, "quick begins slowly enough to watch"
    assert app.query_params["run"] == RUN


def test_a_new_run_is_called_what_the_form_says_or_after_what_it_trains(
    run: Path, started: list[tuple[RunConfig, dict[str, Any]]]
) -> None:
    app = open_page(run=RUN)
    app.selectbox(key="new.dataset").set_value("bars-and-stripes").run()
    assert app.text_input(key="new.name").placeholder == "bars-and-stripes-quick"
    app.text_input(key="new.name").set_value("???").run()
    assert app.button(key="new.start").disabled
    assert "A run cannot be called '???'" in text(app).replace("\\", "")
    app.text_input(key="new.name").set_value(RUN).run()
    assert app.button(key="new.start").disabled, "a run that there is would be asked for again"
    app.text_input(key="new.name").set_value("my first!").run()
    assert "It will be called **my-first**." in text(app).replace("\\", "")
    app.button(key="new.start").click().run()
    assert started[0][1]["name"] == "my-first"
    app.button(key="new.start").click().run()
    assert started[1][1]["name"].startswith("bars-and-stripes-quick-"), "the name is kept for the next run"


def test_a_learning_rate_with_a_zero_too_many_is_warned_of(run: Path) -> None:
    app = open_page(run=RUN)
    app.selectbox(key="new.dataset").set_value("bars-and-stripes").run()
    usual = app.number_input(key="new.quick_learning_rate").value
    app.number_input(key="new.quick_learning_rate").set_value(3 * usual).run()
    assert "grow without bound" not in text(app)
    app.number_input(key="new.quick_learning_rate").set_value(1000 * usual).run()
    assert f"1,000 times {usual:g}: the weights may grow without bound" in text(app)
    assert not app.button(key="new.start").disabled, "it is a warning"


def test_a_changed_run_keeps_its_presets_name_and_says_that_it_is_changed(
    run: Path, started: list[tuple[RunConfig, dict[str, Any]]]
) -> None:
    app = open_page(run=RUN)
    app.selectbox(key="new.dataset").set_value("mnist-5k").run()
    app.button(key="new.start").click().run()
    app.number_input(key="new.quick_k").set_value(3).run()
    app.button(key="new.start").click().run()
    (plain, _), (changed, options) = started_names(started)
    assert plain.startswith("mnist-5k-quick-")
    assert "changed" not in plain
    assert changed.startswith("mnist-5k-quick-changed-")
    assert options["preset"] is None


def test_choosing_a_preset_shows_its_values(
    run: Path, started: list[tuple[RunConfig, dict[str, Any]]]
) -> None:
    app = open_page(run=RUN)
    app.selectbox(key="new.preset").set_value("reference").run()
    app.session_state["new.all"] = True
    app.run()
    assert app.number_input(key="new.reference_n_hidden").value == 250
    assert app.selectbox(key="new.reference_optimizer").value == "adam"


def test_a_setting_stays_set_when_its_control_is_folded_away(
    run: Path, started: list[tuple[RunConfig, dict[str, Any]]]
) -> None:
    app = open_page(run=RUN)
    app.session_state["new.all"] = True
    app.run()
    app.number_input(key="new.quick_momentum").set_value(0.5).run()
    app.session_state["new.all"] = False
    app.run()
    app.button(key="new.start").click().run()
    assert started[0][0].momentum == 0.5


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("learning_rate", -1.0, "Learning rate must be greater than 0, got -1.0."),
        ("n_hidden", 0, "Hidden units must be at least 1, got 0."),
        ("k", 0, "Gibbs sweeps per update (k) must be at least 1, got 0."),
        ("weight_decay", 50.0, "Weight decay (L2) must be at most 10, got 50.0."),
    ],
)
def test_values_that_cannot_be_trained_are_said_at_their_field_in_its_labels_words(
    run: Path, started: list[tuple[RunConfig, dict[str, Any]]], field: str, value: float, sentence: str
) -> None:
    app = open_page(run=RUN)
    app.selectbox(key="new.dataset").set_value("mnist").run()
    app.session_state["new.all"] = True
    app.run()
    app.number_input(key=f"new.quick_{field}").set_value(value).run()
    assert not app.exception
    assert app.button(key="new.start").disabled
    drawn = [getattr(e, "key", None) or getattr(e, "value", "") for e in app.sidebar]
    at = drawn.index(f"new.quick_{field}")
    assert drawn[at + 1].replace("\\", "") == f":red[{sentence}]"
    app.number_input(key=f"new.quick_{field}").set_value(1 if isinstance(value, int) else 0.5).run()
    assert not app.button(key="new.start").disabled
    assert not any(":red[" in caption.value for caption in app.caption)


def test_what_is_wrong_in_a_folded_setting_is_said_above_start(run: Path) -> None:
    app = open_page(run=RUN)
    app.session_state["new.all"] = True
    app.run()
    app.number_input(key="new.quick_weight_decay").set_value(50.0).run()
    app.session_state["new.all"] = False
    app.run()
    assert app.button(key="new.start").disabled
    assert any("Weight decay" in c.value and "at most 10" in c.value for c in app.caption)


def test_every_control_of_the_form_teaches_with_its_fields_own_sentence(run: Path) -> None:
    app = open_page(run=RUN)
    app.selectbox(key="new.dataset").set_value("mnist").run()
    app.session_state["new.all"] = True
    app.run()
    for name, field in RunConfig.model_fields.items():
        kinds = ("selectbox", "number_input", "checkbox", "text_input")
        widgets = [
            w for kind in kinds for w in app.get(kind) if w.key in (f"new.quick_{name}", f"new.{name}")
        ]
        # A run's length has one control, in the unit that it was given in; the other stands in words beside it.
        assert [w.help for w in widgets] == ([] if name == "epochs" else [field.description]), name
    app.selectbox(key="new.preset").set_value("as this run").run()
    epochs = app.number_input(key=f"new.as this run_{RUN}_epochs")
    assert (epochs.value, epochs.help) == (2, RunConfig.model_fields["epochs"].description)
    assert "2 epochs: passes" in text(app)


def test_images_set_aside_to_validate_are_told(run: Path) -> None:
    app = open_page(run=RUN)
    app.selectbox(key="new.dataset").set_value("mnist").run()
    assert any("5,000 of the training images are set aside" in caption.value for caption in app.caption)


def test_data_not_on_this_machine_are_offered_with_a_sentence(
    run: Path,
    started: list[tuple[RunConfig, dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("RBM_DATA_DIR", str(tmp_path / "nothing"))
    app = open_page(run=RUN)
    app.selectbox(key="new.dataset").set_value("mnist").run()
    assert "not on this machine yet" in app.info[0].value
    assert "mnist-5k" in app.info[0].value
    app.button(key="new.start").click().run()
    assert started[0][1]["download"] is True


def test_a_preset_means_as_many_updates_on_any_data_set_and_says_how_many_epochs(run: Path) -> None:
    app = open_page(run=RUN)
    app.selectbox(key="new.dataset").set_value("mnist-5k").run()
    assert app.number_input(key="new.quick_updates").value == 2750
    assert "68.8 epochs: passes over the 4,000 training images." in text(app)
    app.selectbox(key="new.dataset").set_value("mnist").run()
    assert app.number_input(key="new.quick_updates").value == 2750
    assert "5 epochs: passes over the 55,000 training images." in text(app)


def test_own_pictures_get_the_updates_of_the_preset_too(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    for n in range(30):
        save(folder, f"{n}.png", grey(n, (28, 28)))
    app = open_page(run=RUN)
    app.selectbox(key="new.dataset").set_value("a folder of images").run()
    app.text_input(key="new.folder").set_value(str(folder)).run()
    assert "2,750 epochs: passes over the 24 training images." in text(app)


def test_a_run_that_will_overfit_says_so_and_stops_early_where_it_is_asked_to(
    run: Path, started: list[tuple[RunConfig, dict[str, Any]]]
) -> None:
    def warned(app: AppTest) -> bool:
        return any("**overfit**" in warning.value for warning in app.warning)

    app = open_page(run=RUN)
    app.selectbox(key="new.preset").set_value("default").run()
    app.selectbox(key="new.dataset").set_value("mnist").run()
    assert not warned(app)
    app.selectbox(key="new.dataset").set_value("mnist-5k").run()
    assert warned(app)
    assert "1,238 epochs" in text(app)
    app.checkbox(key="new.default_patience").check().run()
    assert not warned(app)
    app.button(key="new.start").click().run()
    ((config, _),) = started
    assert (config.updates, config.patience) == (49_500, 4_950)


def test_a_run_forked_from_the_moment_shown_starts_from_its_weights(
    run: Path, started: list[tuple[RunConfig, dict[str, Any]]]
) -> None:
    step = RunReader(run).snapshot_steps()[2]
    app = open_page(run=RUN, step=str(step))
    app.checkbox(key="new.fork").check().run()
    app.button(key="new.start").click().run()
    ((config, options),) = started
    assert options["origin"] == {"run": RUN, "step": step}
    assert config.n_hidden == 64, "the fork has other hidden units than what it starts from"


def test_a_finished_run_offers_what_comes_next_and_is_trained_longer_from_its_end(
    run: Path, started: list[tuple[RunConfig, dict[str, Any]]]
) -> None:
    app = open_page(run=RUN)
    links = {link.proto.page for link in app.get("page_link")}
    assert {"gibbs", "evaluate", "learn"} <= links
    app.button(key="train.longer").click().run()
    app.run()
    assert app.selectbox(key="new.preset_1").value == "as this run"
    assert app.checkbox(key="new.fork_1").value
    app.button(key="new.start").click().run()
    ((config, options),) = started
    recorded = RunReader(run).config()["config"]
    assert options["origin"] == {"run": RUN, "step": RunReader(run).snapshot_steps()[-1]}
    assert config.model_dump() == recorded
    assert "fork" in options["name"]


def test_a_remedy_of_the_doctor_opens_the_form_filled_in(
    runs_root: Path, started: list[tuple[RunConfig, dict[str, Any]]]
) -> None:
    """A sparsity target of 0.9: one press, then Start, begins the run that the button named."""
    run = train_small(runs_root, RUN, sparsity_cost=0.1, sparsity_target=0.9)
    before = RunReader(run).config()["config"]
    app = open_page(run=RUN)
    remedy = app.button(key="train.remedy_now")
    assert remedy.label == "Start afresh with sparsity target 0.1"
    app = remedy.click().run()
    assert "Sparsity target: 0.1" in text(app)
    app.button(key="new.start").click().run()
    assert not app.exception
    ((config, options),) = started
    assert config.model_dump() == {**before, "sparsity_target": 0.1}
    assert options["origin"] is None


def test_a_remedy_that_goes_on_starts_from_its_step(
    run: Path, started: list[tuple[RunConfig, dict[str, Any]]]
) -> None:
    """88 updates are too few: the button goes on from the last of them, wherever the slider stands."""
    app = open_page(run=RUN, step="1")
    remedy = app.button(key="train.remedy_now")
    assert remedy.label.startswith("Go on from step 88 with")
    app = remedy.click().run()
    assert app.checkbox(key="new.fork_1").label == "Start from step 88"
    app.button(key="new.start").click().run()
    ((config, options),) = started
    assert options["origin"] == {"run": RUN, "step": 88}
    assert config.updates > RunReader(run).status()["n_steps"]


def test_a_proposal_is_forgotten_once_the_run_is_another_or_the_form_asks_for_the_run_itself(
    run: Path, started: list[tuple[RunConfig, dict[str, Any]]]
) -> None:
    app = open_page(run=RUN)
    app.button(key="train.remedy_now").click().run()
    app.button(key="train.longer").click().run()
    app.button(key="new.start").click().run()
    ((config, _),) = started
    assert config.model_dump() == RunReader(run).config()["config"]


def alike_beside(W: np.ndarray) -> np.ndarray:
    """(H,) of each filter of 28 × 28 pixels, the correlation of neighbours off the rim: near 0 of noise."""
    image = W.T.reshape(-1, 28, 28)[:, 4:24, 4:24].astype(np.float64)
    here = np.concatenate(
        [image[:, :, :-1].reshape(len(image), -1), image[:, :-1].reshape(len(image), -1)], 1
    )
    beside = np.concatenate(
        [image[:, :, 1:].reshape(len(image), -1), image[:, 1:].reshape(len(image), -1)], 1
    )
    return np.array([np.corrcoef(one, other)[0, 1] for one, other in zip(here, beside, strict=True)])


@pytest.mark.slow
def test_a_minute_of_quick_at_its_first_speed_shows_strokes() -> None:
    config = PRESETS["quick"].model_copy(
        update={"dataset": "mnist-5k", "device": "cpu", "precision": "float32"}
    )
    training = Training(config, datasets.load(config.dataset, n_valid=config.n_valid))
    assert abs(np.median(alike_beside(training.snapshot()["W"]))) < 0.05
    for _ in range(int(60 * WATCHED_FIRST)):
        training.update()
    assert np.quantile(alike_beside(training.snapshot()["W"]), 0.1) > 0.7, "filters still look like noise"
