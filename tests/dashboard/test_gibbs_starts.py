"""The Gibbs page's starts: noise, digits, particles and drawings, corrupted or held in part."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.figures import drawings
from rbm_core.runs.reader import RunReader
from tests.dashboard.gibbs_film import bits, film_of
from tests.small_run import train_small


@pytest.mark.parametrize("start", ["noise", "gaussian", "digits", "particles"])
def test_every_start_starts(open_gibbs: Callable[..., AppTest], start: str) -> None:
    header, _ = film_of(open_gibbs(start=start, chains="3", sweeps="5"))
    assert header["start_sentence"].startswith("Start: 3 chains start from ")


def test_chains_go_on_from_another_runs_particles(
    open_gibbs: Callable[..., AppTest], small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of a Gaussian machine as the grey values they stand for; a run of another size is not offered."""
    root = tmp_path / "checkpoints"
    shutil.copytree(small_run, root / "small")
    other = train_small(root, "other", visible="gaussian", learning_rate=0.01, epochs=1)
    train_small(root, "tiny", dataset="bars-and-stripes", n_hidden=4, n_valid=0, epochs=1)
    monkeypatch.setenv("RBM_RUNS_DIR", str(root))
    link = {"run": "small", "start": "particles", "chains": "3", "sweeps": "2"}
    app = open_gibbs(**link, particles_of="other")
    header, arrays = film_of(app)
    assert app.selectbox(key="gibbs.particles_of").options == ["this run", "other"]
    assert "the fantasy particles of run other, step " in header["start_sentence"]
    reader = RunReader(other)
    snapshot, probe = reader.snapshot(reader.snapshot_steps()[-1]), reader.probe()
    assert probe is not None
    grey = np.clip(probe.scale.mean + probe.scale.std * snapshot.particles_v[:3], 0, 1)
    start = bits(arrays["v_bits"][0], 784)
    assert start[grey == 1].all(), "white pixels of the particles are not on"
    assert not start[grey == 0].any(), "black pixels of the particles are on"
    app.selectbox(key="gibbs.particles_of").select("").run()
    assert "the run's fantasy particles" in film_of(app)[0]["start_sentence"]
    app = open_gibbs(**link, particles_of="tiny")
    assert any("No run 'tiny' has fantasies of this size" in w.value for w in app.warning)


def test_corrupted_digits_start_as_far_off_as_asked(open_gibbs: Callable[..., AppTest]) -> None:
    header, arrays = film_of(open_gibbs(start="digits", corrupt="20", chains="50", sweeps="2"))
    assert header["reference"] == "the clean picture"
    wrong = arrays["distance"][0].mean()
    assert abs(wrong - 0.2 * 784) < 5 * np.sqrt(784 * 0.2 * 0.8 / 50)


def test_held_pixels_in_the_link_stay(open_gibbs: Callable[..., AppTest]) -> None:
    held = np.arange(784) % 28 < 14
    app = open_gibbs(start="digits", chains="4", sweeps="6", held=drawings.bits_to_text(held))
    v = bits(film_of(app)[1]["v_bits"], 784)
    assert (v[:, :, held] == v[0][:, held]).all(), "a held pixel moved"
    assert (v[1:, :, ~held] != v[0][:, ~held]).any(), "the free pixels did not move"


def test_with_nothing_held_the_chains_start_from_the_whole_picture(
    open_gibbs: Callable[..., AppTest],
) -> None:
    link = {"start": "digits", "chains": "4", "sweeps": "3"}
    app = open_gibbs(**link, held=drawings.bits_to_text(np.zeros(784, bool)))
    header, arrays = film_of(app)
    assert np.array_equal(arrays["v_bits"][0], film_of(open_gibbs(**link))[1]["v_bits"][0])
    assert "held" not in header["start_sentence"]
    assert header["reference"] == "its own start"


def test_corrupt_says_that_it_rests_while_pixels_are_held(open_gibbs: Callable[..., AppTest]) -> None:
    app = open_gibbs(start="digits", chains="2", sweeps="3", corrupt="20")
    app.toggle(key="gibbs.hold").set_value(True).run()
    slider = app.slider(key="gibbs.corrupt")
    assert slider.disabled
    assert "holding" in slider.label
    assert "inverted" not in film_of(app)[0]["start_sentence"]
    app.toggle(key="gibbs.hold").set_value(False).run()
    assert app.slider(key="gibbs.corrupt").value == 20
    assert "20 % of the pixels inverted" in film_of(app)[0]["start_sentence"]


def test_another_drawing_is_another_start(open_gibbs: Callable[..., AppTest]) -> None:
    """The player goes back to the first frame where header["start"] differs."""
    link = {"start": "drawing", "chains": "2", "sweeps": "3"}
    starts = [
        film_of(open_gibbs(**link, drawing=drawings.bits_to_text(np.arange(784) < n)))[0]["start"]
        for n in (5, 6)
    ]
    assert starts[0] != starts[1]


def test_nothing_is_held_of_a_drawing_not_yet_begun(open_gibbs: Callable[..., AppTest]) -> None:
    app = open_gibbs(
        start="drawing",
        chains="2",
        sweeps="3",
        held=drawings.bits_to_text(np.arange(784) < 300),
        corrupt="20",
    )
    arrays = film_of(app)[1]
    assert not bits(arrays["v_bits"][0], 784).any(), "an empty picture starts as noise"
    assert not [toggle for toggle in app.toggle if toggle.key == "gibbs.hold"]


def test_empty_drawing_is_said_and_plays(open_gibbs: Callable[..., AppTest]) -> None:
    app = open_gibbs(start="drawing", chains="2", sweeps="3")
    assert "**draw on the black pad in the sidebar**" in " ".join(one.value for one in app.caption)
    header, arrays = film_of(app)
    assert "nothing is drawn yet" in header["start_sentence"]
    assert not bits(arrays["v_bits"][0], 784).any()


def test_drawing_in_the_link_starts_every_chain(open_gibbs: Callable[..., AppTest]) -> None:
    bar = (np.arange(784) % 28 > 12) & (np.arange(784) % 28 < 16)
    header, arrays = film_of(
        open_gibbs(start="drawing", chains="2", sweeps="3", drawing=drawings.bits_to_text(bar))
    )
    assert "your drawing" in header["start_sentence"]
    assert (bits(arrays["v_bits"][0], 784) == bar).all()


def test_damaged_drawing_in_the_link_costs_one_sentence(open_gibbs: Callable[..., AppTest]) -> None:
    app = open_gibbs(start="drawing", drawing="AAAA", chains="2", sweeps="3")
    film_of(app)
    assert any("784 pixels" in w.value for w in app.sidebar.warning), [w.value for w in app.warning]
