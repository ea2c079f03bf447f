"""The ladder on the Gibbs page: the run's past machines as rungs, and a sentence where there is none."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from rbm_core.runs.past_models import past_models_file, read_past_models
from rbm_core.runs.reader import RunReader
from tests.dashboard.opened import fed, open_page
from tests.small_run import train_small

LONGER = 12  # epochs after which a ladder has several rungs


@pytest.mark.slow
def test_page_shows_the_ladder_of_the_run_s_past(runs_root: Path) -> None:
    run = train_small(runs_root, "longer", epochs=LONGER)
    app = open_page("gibbs", beside="ladder", rounds="10", run="longer")
    assert not app.exception
    assert not [error.value for error in app.error]
    header, arrays = fed(app, "gibbs.ladder")
    reader = RunReader(run)
    past = read_past_models(run)
    assert past is not None, "the run recorded no rungs"
    assert header["rungs"][-1]["from"] == reader.snapshot_steps()[-1]
    assert {rung["from"] for rung in header["rungs"]} <= {None, *past.steps, reader.snapshot_steps()[-1]}
    assert arrays["origin"].shape == (11, len(header["rungs"]))
    assert header["n_rounds"] == 10
    app.segmented_control(key="gibbs.beside").set_value("nothing").run()
    assert not app.exception
    assert fed(app, "gibbs.player")[0]["n_sweeps"] == 200


@pytest.mark.slow
def test_snapshots_serve_a_run_that_recorded_no_rungs(
    runs_root: Path,
) -> None:
    run = train_small(runs_root, "older", epochs=LONGER)
    past_models_file(run).unlink()
    app = open_page("gibbs", beside="ladder", rounds="10", run="older")
    assert not app.exception
    header, _ = fed(app, "gibbs.ladder")
    assert header["source"] == "the run's snapshots"
    assert len(header["rungs"]) >= 4
    assert any(rung["share"] for rung in header["rungs"]), "no interpolated rung between so few snapshots"
    assert np.isfinite([rung["to"] for rung in header["rungs"]]).all()


def test_a_run_with_labels_says_that_it_has_no_ladder_to_show(runs_root: Path) -> None:
    train_small(runs_root, "named", n_hidden=10, epochs=1, labels=True)
    app = open_page("gibbs", beside="ladder", rounds="10", run="named")
    assert not app.exception
    assert ["has label units, and a ladder shows" in error.value for error in app.error] == [True]


def test_a_run_too_short_says_so(open_gibbs: Callable[..., AppTest]) -> None:
    app = open_gibbs(beside="ladder", rounds="10", step="0")
    assert not app.exception
    assert ["ladder needs at least two earlier models" in error.value for error in app.error] == [True]
