"""What the pages show of a run with label units: the label held, its filters, its error, and three likelihoods."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dashboard.figures import curves
from dashboard.figures.chains import Chains
from dashboard.figures.drawings import bits_to_text
from rbm_core import labels
from rbm_core.cli import main
from rbm_core.rbm import RBM
from rbm_core.runs import RunReader, Snapshot
from tests.dashboard.gibbs_film import film_of
from tests.dashboard.opened import fed, open_page


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the run "named", which no test changes."""
    store = tmp_path_factory.mktemp("labelled")
    settings = ["labels=true", "updates=800", "discriminative=0.7", "learning_rate=0.5", "log_every=400"]
    settings += ["max_snapshots=6"]
    chosen = [part for setting in settings for part in ("--set", setting)]
    train = ["train", "--preset", "quick", "--dataset", "digits-8", "--n-hidden", "12", "--name", "named"]
    assert main([*train, *chosen, "--runs", str(store)]) == 0
    assert main(["evaluate", "named", "--estimator", "exact", "--runs", str(store)]) == 0
    return store


@pytest.fixture
def newest(root: Path, monkeypatch: pytest.MonkeyPatch) -> Snapshot:
    monkeypatch.setenv("RBM_RUNS_DIR", str(root))
    reader = RunReader(root / "named")
    return reader.snapshot(reader.snapshot_steps()[-1])


def test_ten_buttons_hold_a_label_and_the_chains_run_in_its_model(newest: Snapshot) -> None:
    app = open_page("gibbs", run="named", chains="3", sweeps="5", label="3")
    assert not app.exception
    header, arrays = film_of(app)
    np.testing.assert_allclose(arrays["hbias"][0], newest.hbias + newest.label_W[3], rtol=1e-6)
    assert "label 3 held" in header["of"]["more"]
    buttons = next(one for one in app.get("button_group") if one.label == "Draw me a")
    assert list(buttons.options) == ["any", *"0123456789"]
    assert "y_half" not in arrays
    app = open_page("gibbs", run="named", chains="3", sweeps="5", label="99")
    assert any("numbered from 0" in one.value for one in app.warning)


@pytest.mark.parametrize(
    "more", [{}, {"start": "digits", "held": bits_to_text(np.arange(64) < 32)}, {"rule": "mean"}]
)
def test_a_label_that_is_left_free_is_drawn_with_the_pixels(newest: Snapshot, more: dict[str, str]) -> None:
    """h of each sweep is drawn given pixels and label, by the page's own reader of the film too."""
    app = open_page("gibbs", run="named", chains="100", sweeps="5", label="any", seed="5", **more)
    assert not app.exception
    header, arrays = film_of(app)
    rbm = RBM.from_numpy(**newest.parameters())
    chains = Chains(header, arrays)
    y = arrays["y_half"].view(np.float16).astype(np.float32)
    assert header["labels"] == list("0123456789")
    assert "held" not in header["of"]["more"]
    np.testing.assert_allclose(y.sum(2), 1, atol=2e-3)
    for t in range(6):
        v = torch.from_numpy(np.concatenate([chains.v(t), y[t]], axis=1))
        if t < 5:
            np.testing.assert_allclose(chains.mean_h(t + 1), rbm.mean_h_from_v(v), atol=2e-3)
        free = labels.free_energy_of_pixels(rbm, v[:, :64])
        np.testing.assert_allclose(arrays["free_energy"][t], free, atol=0.05 if more.get("rule") else 1e-3)
        if "held" in more:
            np.testing.assert_array_equal(chains.v(t)[:, :32], chains.v(0)[:, :32])
    p = labels.log_p_label(rbm, torch.from_numpy(chains.v(0))).exp().numpy()
    sigma = np.sqrt((p * (1 - p)).sum(0))
    np.testing.assert_array_less(
        np.abs((y[0] - p).sum(0)), 5 * sigma + 0.1, "the start's labels are not of p(y | v)"
    )
    if "rule" not in more:
        assert set(np.unique(y)) == {0.0, 1.0}


def test_inspect_shows_the_units_that_speak_for_a_label_and_against_it(newest: Snapshot) -> None:
    app = open_page("inspect", run="named", look="label", label="4")
    assert not app.exception
    _, speak_for = fed(app, "label-for")
    _, against = fed(app, "label-against")
    U = newest.label_W[4]
    order = np.argsort(-U, kind="stable")
    n = int((U > 0).sum())
    assert 0 < n < len(U)
    np.testing.assert_array_equal(speak_for["units"], order[:n])
    np.testing.assert_array_equal(against["units"], order[n:][::-1])
    np.testing.assert_allclose(speak_for["facts"][:, 0], U[order[:n]], rtol=1e-6)


@pytest.mark.parametrize("look", ["unit", "pixel", "image"])
def test_the_other_views_of_inspect_know_of_labels(newest: Snapshot, look: str) -> None:
    app = open_page("inspect", run="named", look=look)
    assert not app.exception
    said = " ".join(one.value for one in [*app.markdown, *app.caption])
    if look == "image":
        assert "The label units take image 0 for" in said
    if look == "unit":
        assert "each with its label's unit on" in said


def test_the_curves_of_train_hold_the_error(newest: Snapshot) -> None:
    app = open_page(run="named", curves="labels")
    assert not app.exception
    _, arrays = fed(app, "curves")
    error = arrays["rows"][:, curves.COLUMNS.index("label_error_valid")]
    assert error[-1] < 0.6 < error[0]


def test_evaluate_shows_the_error_and_the_three_likelihoods(newest: Snapshot, root: Path) -> None:
    app = open_page("evaluate", run="named")
    assert not app.exception
    shown = {one.label: one.value for one in app.get("metric")}
    row = RunReader(root / "named").likelihood()[-1]
    assert shown["log p(v, y): both"] == f"{row['test_joint_nats']:.2f}".replace("-", "−")
    assert shown["Named wrongly"].startswith(f"{100 * row['test_error']:.2f} ")


def test_compare_offers_the_error(newest: Snapshot) -> None:
    app = open_page("compare", run="named", runs="named", metric="label_error_valid")
    assert not app.exception
