"""Every page shows a run with Gaussian visible units, and says of it what the run recorded."""

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.ui import pages
from rbm_core.runs import RunReader
from tests.dashboard.opened import fed, open_page
from tests.small_run import train_small

APP = str(Path(__file__).parents[2] / "dashboard" / "app.py")
PAGES = ("train", "gibbs", "inspect", "evaluate", "compare", "learn")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    fields = {"visible": "gaussian", "learning_rate": 0.01, "epochs": 13, "log_every": 10}
    train_small(root, "fixed", **fields)
    train_small(root, "learned", **fields, learn_variance=True)
    return root


@pytest.mark.slow
@pytest.mark.parametrize("run", ["fixed", "learned"])
@pytest.mark.parametrize("page", PAGES)
def test_no_page_stumbles_over_grey_values(
    runs: Path, run: str, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RBM_RUNS_DIR", str(runs))
    app = AppTest.from_file(APP, default_timeout=120)
    app.query_params["run"] = run
    app.run()
    if page != "train":
        app.switch_page(pages.script(page)).run()
    assert not app.exception, app.exception[0].value
    assert not app.error, app.error[0].value
    if page == "train":
        shown = " ".join(words.value for words in app.markdown)
        assert "checks fine" in shown  # the doctor can judge it, and finds nothing
        assert RunReader(runs / run).status()["state"] in shown


@pytest.mark.slow
def test_fantasies_are_shown_in_the_datas_grey_values(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RBM_RUNS_DIR", str(runs))
    reader = RunReader(runs / "fixed")
    snapshot, probe = reader.snapshot(reader.snapshot_steps()[-1]), reader.probe()
    assert probe is not None
    assert probe.scale is not None
    header, arrays = fed(open_page("train", run="fixed"), "particles")
    means = snapshot.particles_h @ snapshot.W.T + snapshot.vbias
    grey = np.clip(probe.scale.mean + probe.scale.std * means, 0, 1)[: len(arrays["tiles"])]
    assert np.abs(arrays["tiles"] / 255 - grey).max() < 0.003
    assert header["unit"] == "grey value"
