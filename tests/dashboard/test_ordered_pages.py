"""What the pages show of a run with ordered hidden units: places that fill, a curve, films, energies, the form."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dashboard.figures import curves
from dashboard.figures.chains import Chains
from rbm_core.rbm import RBM
from rbm_core.runs import RunReader, Snapshot
from tests.dashboard.gibbs_film import film_of, in_process, request
from tests.dashboard.opened import fed, open_page
from tests.small_run import GROWN, grow


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the run "grown", which no test changes."""
    return grow(tmp_path_factory.mktemp("ordered"))


@pytest.fixture
def reader(root: Path, monkeypatch: pytest.MonkeyPatch) -> RunReader:
    monkeypatch.setenv("RBM_RUNS_DIR", str(root))
    return RunReader(root / GROWN)


@pytest.fixture
def newest(reader: RunReader) -> Snapshot:
    return reader.snapshot(reader.snapshot_steps()[-1])


def test_train_shows_places_filling_and_their_number_as_a_curve(reader: RunReader) -> None:
    seen = []
    for step in (reader.snapshot_steps()[1], reader.snapshot_steps()[-1]):
        app = open_page(run=GROWN, step=str(step), curves="layer")
        assert not app.exception
        header, arrays = fed(app, "filters")
        in_use = reader.snapshot(step).in_use
        assert header["in_use"] == in_use
        assert header["order"] == list(range(14))
        assert f"{in_use:,} hidden units in use" in header["note"] or "all of its 14 places" in header["note"]
        assert not arrays["tiles"][in_use:].any()
        seen.append(in_use)
    assert seen[0] < seen[1]
    _, arrays = fed(app, "curves")
    grown = arrays["rows"][:, curves.COLUMNS.index("units_in_use")]
    assert grown[0] == 0 < grown[-1] == seen[1]


@pytest.mark.parametrize(
    "more", [{}, {"rule": "mean"}, {"temperature": "2"}, {"beside": "ages", "chains": "3"}]
)
def test_chains_on_gibbs_are_drawn_as_their_model_says(
    reader: RunReader, newest: Snapshot, more: dict
) -> None:
    """The film leaves empty places out; its probabilities, by the page's own reader, are the engine's."""
    app = open_page("gibbs", **{"run": GROWN, "chains": "40", "sweeps": "4", "seed": "5", **more})
    assert not app.exception
    header, arrays = film_of(app)
    assert header["penalty"] == 1.01
    assert header["n_hidden"] == max(1, newest.in_use)
    if "beside" in more:
        return
    rbm, chains = RBM.from_numpy(**newest.parameters()).narrowed(), Chains(header, arrays)
    beta = 0.5 if "temperature" in more else 1.0
    for t in range(4):
        v = torch.from_numpy(chains.v(t))
        np.testing.assert_allclose(chains.mean_h(t + 1), rbm.mean_h_from_v(v, beta), atol=4e-3)
        tolerance = 0.05 if "rule" in more else 0.02
        np.testing.assert_allclose(arrays["free_energy"][t], rbm.free_energy(v), atol=tolerance)


def test_a_film_of_equal_chains_is_another_with_a_penalty() -> None:
    """The request carries the penalty: the same weights and seed give other hidden states with and without it."""
    plain, ordered = (in_process(request(penalty=penalty))[1] for penalty in (None, 3.0))
    assert np.unpackbits(ordered["h_bits"]).sum() < np.unpackbits(plain["h_bits"]).sum()


@pytest.mark.parametrize("look", ["unit", "pixel", "image"])
def test_inspect_opens_such_a_run(reader: RunReader, look: str) -> None:
    app = open_page("inspect", run=GROWN, look=look)
    assert not app.exception
    if look == "image":
        spec = " ".join(element.proto.spec for element in app.get("plotly_chart"))
        assert "penalties of units" in spec


@pytest.mark.parametrize("page", ["compare", "evaluate"])
def test_the_other_pages_open_such_a_run(reader: RunReader, page: str) -> None:
    app = open_page(page, run=GROWN, runs=GROWN, metric="units_in_use")
    assert not app.exception
