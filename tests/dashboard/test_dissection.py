"""The figures behind the Inspect page: nearest units, histograms by class, the terms of the energy."""

from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

from dashboard.figures import palette
from dashboard.figures.dissection import image, unit
from rbm_core import rbm_numpy
from rbm_core.runs import RunReader, Snapshot
from rbm_core.visible import UNITS, VisibleUnits

SHAPE = (28, 28)


@pytest.fixture(scope="module")
def last(small_run: Path) -> Snapshot:
    reader = RunReader(small_run)
    return reader.snapshot(reader.snapshot_steps()[-1])


def test_nearest_units_are_ranked_by_cosine_and_leave_the_unit_itself_out(last: Snapshot) -> None:
    (_, arrays), cosine = unit.neighbours(last, SHAPE, 5, 10)
    units = arrays["units"]
    assert 5 not in units
    W = last.W / np.linalg.norm(last.W, axis=0)
    np.testing.assert_allclose(cosine, W.T @ W[:, 5], atol=1e-5)
    others = np.delete(cosine, 5)
    np.testing.assert_allclose(np.sort(cosine[units[:8]])[::-1], np.sort(others)[::-1][:8])
    np.testing.assert_allclose(np.sort(cosine[units[8:]]), np.sort(others)[:2])


def test_the_histogram_counts_every_image_of_each_class_once() -> None:
    rng = np.random.default_rng(0)
    p, labels = rng.random(500), rng.integers(0, 4, 500)
    p[:3] = 1.0  # the right edge belongs to the last bin
    classes, counts = unit.class_counts(p, labels)
    np.testing.assert_array_equal(classes, np.unique(labels))
    np.testing.assert_array_equal(counts.sum(axis=1), [(labels == c).sum() for c in classes])
    figure = unit.activation_by_class(p, labels, 3, dark=False)
    assert "h<sub>3</sub> = 1" in figure.layout.xaxis.title.text
    assert len(figure.data[0].x) == 4 * unit.BINS


@pytest.mark.parametrize("dark", [False, True])
def test_figures_take_their_colours_from_the_palette(dark: bool) -> None:
    lines = palette.LINES_DARK if dark else palette.LINES_LIGHT
    figure = unit.activation_by_class(np.linspace(0, 1, 50), None, 0, dark)
    assert figure.data[0].marker.color == lines["blue"]


def energy_of(figure: go.Figure) -> dict[str, float]:
    bar = figure.data[0]
    return dict(zip(bar.y, bar.x, strict=True))


@pytest.mark.parametrize("units", UNITS.values(), ids=UNITS)
def test_energy_bars_add_up_to_the_free_energy(last: Snapshot, units: VisibleUnits) -> None:
    model = rbm_numpy.Parameters(last.W, last.vbias, last.hbias, units)
    v = last.particles_v[0].astype(np.float32)
    terms = rbm_numpy.energy_terms(model, v)
    figure = image.energy_figure(terms, units.energy_label, dark=False)
    bars = energy_of(figure)
    names = list(bars)
    assert bars["mean energy"] == pytest.approx(sum(bars[name] for name in names[:3]))
    assert bars["free energy F(v)"] == pytest.approx(bars["mean energy"] + bars["− entropy of h"])
    assert bars["free energy F(v)"] == pytest.approx(
        float(rbm_numpy.free_energies(model, v[None])[0]), rel=1e-4
    )
    assert "nats" in figure.layout.xaxis.title.text
    spent = image.softplus_figure(terms, dark=False)
    assert spent.data[0].y[0] == -terms.softplus.max()
    assert "nats" in spent.layout.yaxis.title.text
