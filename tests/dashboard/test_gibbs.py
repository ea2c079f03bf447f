"""The Gibbs page and the sampler behind it: films are the engine's chains, and bad input costs one sentence."""

import io
import json
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from dashboard.components.blob import unpack
from dashboard.figures import chains as pictures
from dashboard.processes import gibbs_films, sampler, sampler_process
from dashboard.processes.sampler import FilmRequest, Sampler, SamplerError
from dashboard.ui import drawn
from rbm_core import datasets, gibbs
from rbm_core.compute import Rng
from rbm_core.rbm import RBM
from rbm_core.runs.files import hold_lock
from rbm_core.runs.reader import RunReader
from tests.dashboard.opened import open_page
from tests.live import REPO
from tests.small_run import train_small

V, H = 20, 7


def request(**changes: Any) -> FilmRequest:
    """A film of a 20 × 7 machine with weights of size 1, where probabilities are far from one half."""
    draws = np.random.default_rng(3)
    fields: dict[str, Any] = {
        "W": draws.normal(0, 1, (V, H)).astype(np.float16).astype(np.float32),
        "vbias": draws.normal(0, 1, V).astype(np.float32),
        "hbias": draws.normal(0, 1, H).astype(np.float32),
        "start": "bernoulli",
        "n_chains": 5,
        "betas": np.ones(12),
        "seed": 4,
    }
    return FilmRequest(**{**fields, **changes})


def in_process(film: FilmRequest) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The film as the helper process would make it, made here."""
    given = vars(film)
    arrays = {name: x for name, x in given.items() if isinstance(x, np.ndarray)}
    return sampler_process.film({name: x for name, x in given.items() if name not in arrays}, arrays)


def bits(packed: np.ndarray, units: int) -> np.ndarray:
    return np.unpackbits(packed, axis=-1, count=units)


@pytest.fixture(scope="module")
def helper() -> Any:
    one = Sampler()
    yield one
    one.close()


def test_film_holds_the_engine_s_chain() -> None:
    film = request(betas=np.linspace(0.5, 2, 12))
    header, arrays = in_process(film)
    rbm = RBM.from_numpy(film.W, film.vbias, film.hbias)
    chain = gibbs.from_bernoulli_noise(rbm, 5, Rng(4, "gibbs start"))
    rng = Rng(4, "gibbs page")
    vs, hs = [chain.v], []
    for beta in film.betas:
        chain = gibbs.half_step(rbm, chain, rng, beta=float(beta))
        hs.append(chain.h)
        chain = gibbs.half_step(rbm, chain, rng, beta=float(beta))
        vs.append(chain.v)
    v, h = torch.stack(vs), torch.stack(hs)
    assert np.array_equal(bits(arrays["v_bits"], V), v.numpy()), (
        "visible states differ from the engine's chain"
    )
    assert np.array_equal(bits(arrays["h_bits"], H), h.numpy()), (
        "hidden states differ from the engine's chain"
    )
    energies = torch.stack([rbm.free_energy(x) for x in v])
    assert np.allclose(arrays["free_energy"], energies, rtol=1e-6), (
        "free energies are not those of the states"
    )
    assert np.array_equal(arrays["distance"], (v != v[0]).sum(2)), "distances are not counted from the start"
    assert header["n_sweeps"] == 12
    assert header["n_chains"] == 5


def test_same_request_gives_the_same_film_through_the_process(helper: Sampler) -> None:
    _, here = in_process(request())
    there = helper.film(request()).arrays
    again = helper.film(request()).arrays
    other = helper.film(request(seed=5)).arrays
    for name in here:
        assert np.array_equal(here[name], there[name]), f"{name} depends on where the film is made"
        assert np.array_equal(there[name], again[name]), f"{name} differs between two films of one seed"
    assert not np.array_equal(other["v_bits"], here["v_bits"]), "another seed gave the same film"


def test_dead_sampler_is_replaced(helper: Sampler) -> None:
    helper.film(request())
    first = helper.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    film = helper.film(request())
    assert film.header["n_chains"] == 5
    assert helper.pid not in (None, first), "the film came from the process that was killed"


def test_sampler_that_does_not_end_when_asked_is_ended(
    helper: Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampler, "LAST_WORD_S", 0.2)
    helper.film(request())
    stuck = helper.pid
    assert stuck is not None
    os.kill(stuck, signal.SIGSTOP)
    helper.close()
    with pytest.raises(ProcessLookupError):
        os.kill(stuck, 0)


def test_sampler_that_dies_at_work_is_asked_once_more(helper: Sampler) -> None:
    helper.film(request())
    victim = helper.pid
    assert victim is not None
    killed = threading.Event()

    def kill_once(done: int, total: int) -> None:
        if done and not killed.is_set():
            killed.set()
            os.kill(victim, signal.SIGKILL)

    film = helper.film(
        request(
            n_chains=100,
            betas=np.ones(2000),
            W=np.zeros((784, 300), np.float32),
            vbias=np.zeros(784, np.float32),
            hbias=np.zeros(300, np.float32),
        ),
        kill_once,
    )
    assert killed.is_set(), "the film was done before its process could be killed: make it longer"
    assert film.header["n_sweeps"] == 2000


def test_a_film_nobody_waits_for_is_dropped(helper: Sampler) -> None:
    class Left(Exception):
        pass

    def leave(done: int, total: int) -> None:
        if done:
            raise Left

    long = request(
        n_chains=100,
        betas=np.ones(2000),
        W=np.zeros((784, 300), np.float32),
        vbias=np.zeros(784, np.float32),
        hbias=np.zeros(300, np.float32),
    )
    helper.film(request())
    pid = helper.pid
    with pytest.raises(Left):
        helper.film(long, leave)
    assert helper.film(request()).header["n_sweeps"] == 12, "the next film did not come"
    assert helper.pid == pid, "the process was replaced rather than told"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"n_chains": 0}, "number of chains must be from 1 to 100, got 0"),
        ({"n_chains": 101}, "number of chains must be from 1 to 100, got 101"),
        ({"betas": np.ones(0)}, "number of sweeps must be from 1 to 2000, got 0"),
        ({"betas": np.array([np.nan])}, "temperature must be a number above zero"),
        ({"betas": np.array([np.inf])}, "temperature must be a number above zero"),
        ({"seed": -1}, "seed must be"),
        (
            {
                "mean_field": True,
                "betas": np.ones(2000),
                "n_chains": 100,
                "W": np.zeros((784, 500), np.float32),
            },
            "MB",
        ),
    ],
)
def test_what_cannot_be_filmed_costs_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SamplerError, match=sentence):
        request(**changes)


def test_weights_that_are_not_numbers_cost_one_sentence(helper: Sampler) -> None:
    with pytest.raises(SamplerError, match="not finite"):
        helper.film(request(hbias=np.full(H, np.nan, np.float32)))


def test_gaussian_start_is_kept_and_seen_by_the_first_half_step_alone() -> None:
    film = request(start="gaussian")
    _, arrays = in_process(film)
    start = arrays["v_start"].view(np.float16).astype(np.float64)
    assert abs(start.std() - 1) < 5 / np.sqrt(2 * start.size), "the start is not N(0, 1)"
    assert set(np.unique(bits(arrays["v_bits"], V))) <= {0, 1}


def test_mean_field_is_free_of_chance() -> None:
    _, one = in_process(
        request(mean_field=True, start="images", images=np.ones((1, V), np.float32), n_chains=2)
    )
    film = request()
    rbm = RBM.from_numpy(film.W, film.vbias, film.hbias)
    v = torch.ones(2, V)
    for t in range(12):
        h = rbm.mean_h_from_v(v)
        v = rbm.mean_v_from_h(h)
        kept = one["v_half"][t + 1].view(np.float16).astype(np.float32)
        assert np.allclose(kept, v, atol=5e-4), f"sweep {t + 1} is not the mean-field map"


def test_gaussian_units_are_filmed_in_half_precision() -> None:
    film = request(visible="gaussian", start="gaussian", betas=np.ones(4))
    _, arrays = in_process(film)
    rbm = RBM.from_numpy(film.W, film.vbias, film.hbias, visible="gaussian")
    rng = Rng(4, "gibbs page")
    chain = gibbs.from_gaussian_noise(rbm, 5, Rng(4, "gibbs start"))
    for t in range(4):
        chain = gibbs.sweep(rbm, chain, rng)
        kept = arrays["v_half"][t + 1].view(np.float16).astype(np.float32)
        assert np.allclose(kept, chain.v, rtol=1e-3, atol=1e-3), f"sweep {t + 1} is not the engine's"
    assert np.array_equal(bits(arrays["h_bits"][-1], H), chain.h.numpy())


def test_gaussian_states_are_shown_as_the_datas_grey_on_one_scale_for_the_whole_film() -> None:
    """Sheets and films draw mean + std · v, 0 black and 1 white, at every sweep; no frame has a scale of its own."""
    draws = np.random.default_rng(0)
    scaled = {
        "pixel_mean": draws.uniform(0.2, 0.5, V).astype(np.float32),
        "pixel_std": draws.uniform(0.05, 0.2, V).astype(np.float32),
    }
    film = request(visible="gaussian", start="gaussian", betas=np.ones(6), **scaled)
    header, arrays = in_process(film)
    header |= {
        "groups": [""],
        "image_shape": [4, 5],
        "steps": [],
        "of": {"run": "a", "step": 1, "seed": 4, "more": ""},
    }
    taken = pictures.Chains(header, arrays)
    for t in range(7):
        v = arrays["v_half"][t].view(np.float16).astype(np.float32)
        grey = np.clip(film.pixel_mean + film.pixel_std * v, 0, 1)
        assert np.abs(taken.pixels(t, "v").reshape(5, V) - 255 * grey).max() <= 0.51, f"sweep {t}"
    frames = []
    with Image.open(io.BytesIO(pictures.film(taken, chain=None, layer="v", format="gif"))) as gif:
        for t in range(gif.n_frames):
            gif.seek(t)
            grid = pictures.grid(taken, t, "v")
            frames.append(np.asarray(gif.convert("L")))
            zoom = round(560 / max(grid.shape))
            left = (frames[-1].shape[1] - zoom * grid.shape[1]) // 2
            shown = frames[-1][: zoom * grid.shape[0] : zoom, left : left + zoom * grid.shape[1] : zoom]
            assert np.array_equal(shown, grid), f"frame {t} of the film has greys of its own"
    assert len(frames) == 7


def test_flipped_share_and_held_pixels_are_what_was_asked() -> None:
    images = np.zeros((1, 784), np.float32)
    big = {
        "W": np.zeros((784, 3), np.float32),
        "vbias": np.zeros(784, np.float32),
        "hbias": np.zeros(3, np.float32),
    }
    _, arrays = in_process(request(**big, start="images", images=images, flipped=0.2, n_chains=50))
    flips = arrays["distance"][0]
    expected, spread = 784 * 0.2, np.sqrt(784 * 0.2 * 0.8 / 50)
    assert abs(flips.mean() - expected) < 5 * spread, "the share of flipped pixels is not the one asked for"
    held = np.arange(784) < 300
    _, arrays = in_process(
        request(**big, start="images", images=np.ones((1, 784), np.float32), held=held, n_chains=50)
    )
    v = bits(arrays["v_bits"], 784)
    assert v[:, :, :300].all(), "a held pixel moved"
    assert abs(v[0, :, 300:].mean() - 0.5) < 5 * 0.5 / np.sqrt(50 * 484), (
        "the free pixels do not start as noise"
    )


def test_map_places_chains_and_training_images_in_one_plane() -> None:
    """A chain that starts at a training image starts at that image's point."""
    train = datasets.load("mnist-5k", n_valid=0).train
    draws = np.random.default_rng(0)
    big = {
        "W": draws.normal(0, 0.2, (784, 12)).astype(np.float32),
        "vbias": np.zeros(784, np.float32),
        "hbias": np.zeros(12, np.float32),
    }
    settings = {"dataset": "mnist-5k", "binarisation": "threshold", "with_map": True}
    header, arrays = in_process(request(**big, **settings, start="images", images=train[:5]))
    assert np.allclose(arrays["map_path"][0], arrays["map_points"][:5], atol=1e-4)
    assert arrays["map_path"].shape == (13, 5, 2)
    assert arrays["map_labels"].max() < 10
    assert header["map"].startswith("2,000 training images of mnist-5k; their first two principal components")
    states = torch.from_numpy(bits(arrays["v_bits"], 784)).float()
    hidden = RBM.from_numpy(**big).mean_h_from_v(states[7]).numpy()
    known = torch.from_numpy((train[:2000] >= 0.5).astype(np.float32))
    middle = RBM.from_numpy(**big).mean_h_from_v(known).numpy()
    axes = np.linalg.svd(middle - middle.mean(0), full_matrices=False)[2][:2]
    expected = (hidden - middle.mean(0)) @ axes.T
    assert np.allclose(np.abs(arrays["map_path"][7]), np.abs(expected), atol=1e-3), (
        "not the principal components"
    )


def brute_nearest(v: np.ndarray, images: np.ndarray) -> np.ndarray:
    """How many pixels each state differs from the nearest image, by plain comparison."""
    return np.array([min(int((x != image).sum()) for image in images) for x in v])


def test_nearest_training_images_are_the_nearest() -> None:
    """Every distance is the smallest over the whole training set, and belongs to the image that is named."""
    data = datasets.load("mnist-5k", n_valid=500)
    known = (data.train >= 0.5).astype(np.uint8)
    draws = np.random.default_rng(0)
    big = {
        "W": draws.normal(0, 0.2, (784, 12)).astype(np.float32),
        "vbias": np.zeros(784, np.float32),
        "hbias": np.zeros(12, np.float32),
    }
    settings = {"dataset": "mnist-5k", "binarisation": "threshold", "n_valid": 500, "with_nearest": True}
    header, arrays = in_process(
        request(**big, **settings, start="images", images=data.train[7:9], n_chains=2, betas=np.ones(4))
    )
    v = bits(arrays["v_bits"], 784)
    assert header["nearest"] == {
        "source": f"{len(known):,} training images of mnist-5k",
        "every": 1,
        "noun": "training image",
    }
    assert arrays["near_distance"][0].tolist() == [0, 0], "a training image is not its own nearest"
    for t in range(5):
        expected = brute_nearest(v[t], known)
        assert arrays["near_distance"][t].tolist() == expected.tolist(), f"sweep {t}"
        for chain in range(2):
            number = arrays["near_number"][t, chain]
            assert (known[number] != v[t, chain]).sum() == expected[chain], "another image is named"
            row = np.flatnonzero(arrays["near_numbers"] == number)
            assert np.array_equal(bits(arrays["near_bits"][row[0]], 784), known[number])
            assert arrays["near_labels"][row[0]] == data.train_labels[number]


def test_long_films_are_held_against_the_training_images_at_every_few_sweeps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sampler_process._Nearest, "most_states", 20)
    probe = np.random.default_rng(0).integers(0, 2, (30, V), dtype=np.uint8) * 255
    header, arrays = in_process(request(with_nearest=True, probe=probe, dataset="nowhere"))
    assert header["nearest"]["every"] == 4, "13 states of 5 chains in at most 20"
    v = bits(arrays["v_bits"], V)[::4]
    expected = np.stack([brute_nearest(states, probe // 255) for states in v])
    assert np.array_equal(arrays["near_distance"], expected)


@pytest.mark.parametrize(
    "changes", [{"dataset": "nowhere"}, {"dataset": "mnist-5k", "fingerprint": "another"}]
)
def test_without_the_runs_own_data_the_probe_images_stand_in_and_it_is_said(changes: dict[str, str]) -> None:
    """Data of the same name but another fingerprint are not the data the run was trained on."""
    probe = np.random.default_rng(1).integers(0, 256, (40, 784), dtype=np.uint8)
    big = {
        "W": np.zeros((784, 3), np.float32),
        "vbias": np.zeros(784, np.float32),
        "hbias": np.zeros(3, np.float32),
    }
    film = request(**big, **changes, probe=probe, with_nearest=True, with_map=True, betas=np.ones(2))
    header, arrays = in_process(film)
    missing = f"the run's own 40 probe images, since its data ({changes['dataset']}) are not on this machine"
    assert header["nearest"] == {"source": missing, "every": 1, "noun": "probe image"}
    assert header["map"].startswith("the run's own 40 probe images; their first two principal components")
    assert arrays["near_number"].max() < 40
    assert set(arrays["near_labels"]) == {255}, "images without labels were given some"


def test_a_film_of_chains_alone_waits_for_no_data_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object) -> None:
        raise AssertionError("the data set is loaded before the first frames are shown")

    monkeypatch.setattr(sampler_process, "_loaded", load)
    header, _ = in_process(request(dataset="mnist-5k"))
    assert (header["map"], header["nearest"]) == (None, None)


def test_a_run_with_no_picture_at_all_is_filmed_without_map_and_nearest() -> None:
    header, _ = in_process(request(with_map=True, with_nearest=True, dataset="nowhere"))
    assert (header["map"], header["nearest"]) == (None, None)


# --- the page ---


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_small(tmp_path_factory.mktemp("gibbs") / "checkpoints")


@pytest.fixture(scope="module", autouse=True)
def _end_shared_sampler() -> Iterator[None]:
    yield
    sampler.SHARED.close()


@pytest.fixture
def open_gibbs(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    monkeypatch.setenv("RBM_RUNS_DIR", str(small_run.parent))

    def open_it(**query: str) -> AppTest:
        return open_page("gibbs", **query)

    return open_it


def film_of(app: AppTest) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What the player was fed."""
    assert not app.exception, [e.message for e in app.exception]
    fed = [element.proto for element in app.main if element.type == "bidi_component"]
    assert len(fed) == 1, f"the page holds {len(fed)} players: {[e.value for e in app.error]}"
    return unpack(fed[0].bytes)


def test_page_shows_the_newest_snapshot_s_chain(open_gibbs: Callable[..., AppTest], small_run: Path) -> None:
    header, arrays = film_of(open_gibbs())
    reader = RunReader(small_run)
    newest = reader.snapshot(reader.snapshot_steps()[-1])
    assert np.array_equal(arrays["W"][0].view(np.float16).astype(np.float32), newest.W), (
        "another snapshot's weights"
    )
    assert (header["n_chains"], header["n_sweeps"]) == (25, 200)
    rbm = RBM.from_numpy(newest.W, newest.vbias, newest.hbias)
    last = torch.from_numpy(bits(arrays["v_bits"][-1], 784)).float()
    assert np.allclose(arrays["free_energy"][-1], rbm.free_energy(last), rtol=1e-5), (
        "not this model's free energies"
    )


def test_link_reproduces_the_film(open_gibbs: Callable[..., AppTest], small_run: Path) -> None:
    link = {
        "chains": "3",
        "sweeps": "10",
        "temperature": "1.5",
        "seed": "11",
        "start": "digits",
        "digit": "4",
    }
    header, arrays = film_of(open_gibbs(**link))
    again = film_of(open_gibbs(**link))[1]
    assert (header["n_chains"], header["n_sweeps"]) == (3, 10)
    assert np.allclose(arrays["beta"], 1 / 1.5)
    assert "class 4" in header["start_sentence"]
    assert np.array_equal(arrays["v_bits"], again["v_bits"])


def test_controls_change_the_film_and_the_link(open_gibbs: Callable[..., AppTest]) -> None:
    app = open_gibbs(chains="4", sweeps="8")
    before = film_of(app)[1]["v_bits"]
    app.number_input(key="gibbs-seed").set_value(99).run()
    after = film_of(app)[1]["v_bits"]
    assert not np.array_equal(before, after), "a new seed changed nothing"
    assert app.query_params["seed"] == "99"
    app.number_input(key="gibbs-chains").set_value(2).run()
    assert film_of(app)[0]["n_chains"] == 2


def test_link_leads_to_the_very_frame_chain_and_layer(open_gibbs: Callable[..., AppTest]) -> None:
    app = open_gibbs(chains="3", sweeps="10", frame="7", chain="2", show="one", layer="h")
    assert film_of(app)[0]["place"] == {"frame": 7, "chain": 2, "show": "one", "layer": "h"}
    assert not app.warning


def test_a_place_the_film_does_not_have_falls_back_and_is_said_once(
    open_gibbs: Callable[..., AppTest],
) -> None:
    app = open_gibbs(chains="3", sweeps="10", frame="900", chain="9")
    assert film_of(app)[0]["place"] == {"frame": 20, "chain": 3, "show": "both", "layer": "pv"}
    said = [warning.value for warning in app.warning]
    assert said == [
        "The link says frame 900, but this film has 0 to 20; showing 20.",
        "The link says chain 9, but this film has 1 to 3; showing 3.",
    ]
    assert (app.query_params["frame"], app.query_params["chain"]) == ("20", "3")
    app.number_input(key="gibbs-sweeps").set_value(4).run()
    assert not app.warning, "a film made shorter by hand is no fault of the link"


def test_every_chain_knows_its_nearest_training_image(small_run: Path) -> None:
    reader = RunReader(small_run)
    settings = gibbs_films.ChainSettings("noise", 3, 4, seed=3, beside="ages")
    shown = gibbs_films.make_film(
        reader, reader.snapshot(reader.snapshot_steps()[-1]), settings, reader.snapshot
    )
    header, arrays = shown.header, shown.arrays
    known = datasets.load("mnist-5k", n_valid=reader.config()["config"]["n_valid"]).train >= 0.5
    assert header["nearest"]["source"] == f"{len(known):,} training images of mnist-5k"
    v = bits(arrays["v_bits"], 784)
    for t, chain in ((0, 0), (4, 2), (4, header["n_chains"] - 1)):
        number = arrays["near_number"][t, chain]
        row = int(np.searchsorted(arrays["near_numbers"], number))
        assert np.array_equal(bits(arrays["near_bits"][row], 784), known[number]), (
            "side by side, rows got mixed"
        )
        assert arrays["near_distance"][t, chain] == (known[number] != v[t, chain]).sum()


def test_the_newest_machine_of_a_living_run_stays_until_another_is_asked_for(
    open_gibbs: Callable[..., AppTest], small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shutil.copytree(small_run, tmp_path / "checkpoints" / "living")
    monkeypatch.setenv("RBM_RUNS_DIR", str(run.parent))
    steps = RunReader(run).snapshot_steps()
    status = json.loads((run / "status.json").read_text())

    def trained_until(step: int) -> None:
        (run / "live.safetensors").write_bytes((run / "snapshots" / f"{step:09d}.safetensors").read_bytes())
        (run / "status.json").write_text(json.dumps({**status, "state": "running", "step": step}))

    kept = {step: (run / "snapshots" / f"{step:09d}.safetensors") for step in steps}
    last = kept[steps[-1]].read_bytes()
    kept[steps[-1]].unlink()
    lock = hold_lock(run)
    assert lock is not None
    try:
        trained_until(steps[-2])
        app = open_gibbs(chains="2", sweeps="3")
        assert film_of(app)[0]["of"]["step"] == steps[-2]
        kept[steps[-1]].write_bytes(last)
        trained_until(steps[-1])
        app.number_input(key="gibbs-seed").set_value(8).run()
        assert film_of(app)[0]["of"]["step"] == steps[-2], "the machine was exchanged under the eye"
        assert any(f"machine of step {steps[-2]:,}" in m.value for m in app.markdown), "nor is it said"
        next(button for button in app.button if button.label == "Take the newest").click().run()
        assert film_of(app)[0]["of"]["step"] == steps[-1]
    finally:
        lock.release()


@pytest.mark.parametrize("layer", ["pv", "v"])
def test_what_is_taken_away_is_the_engines_film(layer: Any, small_run: Path) -> None:
    """Sheet and film hold the pixels of the states, or of the engine's p(v|h), with run, step and seed beneath."""
    reader = RunReader(small_run)
    snapshot = reader.snapshot(reader.snapshot_steps()[-1])
    settings = gibbs_films.ChainSettings("noise", 6, 5, seed=3, temperature=1.3)
    shown = gibbs_films.make_film(
        reader, snapshot, settings, reader.snapshot, with_map=False, with_nearest=False
    )
    taken = pictures.Chains(shown.header, shown.arrays)
    rbm = RBM.from_numpy(snapshot.W, snapshot.vbias, snapshot.hbias)
    h = torch.from_numpy(bits(shown.arrays["h_bits"][3], 64)).float()
    v = torch.from_numpy(bits(shown.arrays["v_bits"][3], 784)).float()
    expected = (
        rbm.mean_v_from_h(h, 1 / 1.3).numpy() if layer == "pv" else bits(shown.arrays["v_bits"][4], 784)
    )
    assert np.abs(taken.pixels(4, layer).reshape(6, 784) - 255.0 * expected).max() <= 1
    assert np.allclose(taken.mean_h(4), rbm.mean_h_from_v(v, 1 / 1.3).numpy(), atol=1e-4)

    with Image.open(io.BytesIO(pictures.sheet(taken, 4, layer))) as sheet:
        page = np.asarray(sheet)
    grid = pictures.grid(taken, 4, layer)
    zoom = round(560 / max(grid.shape))
    left = (page.shape[1] - zoom * grid.shape[1]) // 2
    assert np.array_equal(
        page[: zoom * grid.shape[0] : zoom, left : left + zoom * grid.shape[1] : zoom], grid
    )
    with Image.open(io.BytesIO(pictures.film(taken, chain=None, layer=layer, format="gif"))) as film:
        assert film.n_frames == 6
    with Image.open(io.BytesIO(pictures.film(taken, chain=2, layer=layer, format="webp"))) as film:
        assert film.n_frames == 11, "not every half step"
    step = reader.snapshot_steps()[-1]
    assert pictures.caption(taken, 7, 2).startswith(
        f"run small · step {step:,} · seed 3 · sweep 4 of 5\n6 chains"
    )


def test_a_long_film_keeps_both_half_steps_of_every_few_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    header, arrays = in_process(request())
    shown = {
        **header,
        "groups": [""],
        "image_shape": [4, 5],
        "steps": [],
        "of": {"run": "a", "step": 1, "seed": 4, "more": ""},
    }
    machine = {
        "W": request().W.astype(np.float16).view(np.uint16)[None],
        "vbias": request().vbias[None],
        "hbias": request().hbias[None],
        "machine": np.zeros((1, 12), np.uint8),
    }
    taken = pictures.Chains(shown, {**arrays, **machine, "beta": arrays["beta"][None]})
    monkeypatch.setattr(pictures, "MOST_FRAMES", 9)
    with Image.open(io.BytesIO(pictures.film(taken, chain=0, layer="pv", format="webp"))) as film:
        assert film.n_frames == 9, "the start and both half steps of sweeps 3, 6, 9 and 12"
    with Image.open(io.BytesIO(pictures.film(taken, chain=None, layer="pv", format="webp"))) as film:
        assert film.n_frames == 7, "the start and sweeps 2, 4, …, 12"


@pytest.mark.parametrize("start", ["noise", "gaussian", "digits", "particles"])
def test_every_start_starts(open_gibbs: Callable[..., AppTest], start: str) -> None:
    header, _ = film_of(open_gibbs(start=start, chains="3", sweeps="5"))
    assert header["start_sentence"].startswith("Start: 3 chains start from ")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"chains": "0"}, "chains must be a whole number from 1 to 100"),
        ({"temperature": "nan"}, "temperature must be a number"),
        ({"sweeps": "many"}, "sweeps must be a whole number"),
        ({"start": "moon"}, "start must be one of"),
        ({"step": "999999"}, "no snapshot at step 999,999"),
    ],
)
def test_bad_link_falls_back_and_says_so(
    open_gibbs: Callable[..., AppTest], query: dict[str, str], words: str
) -> None:
    app = open_gibbs(**query)
    assert any(words in warning.value for warning in app.warning), [w.value for w in app.warning]
    film_of(app)


def test_ages_run_the_same_chance_through_every_snapshot(
    open_gibbs: Callable[..., AppTest], small_run: Path
) -> None:
    reader = RunReader(small_run)
    header, arrays = film_of(open_gibbs(beside="ages", chains="3", sweeps="5"))
    steps = reader.snapshot_steps()
    shown = [int(label.removeprefix("step ").replace(",", "")) for label in header["groups"]]
    assert shown == gibbs_films.ages(steps, steps[-1])
    assert (shown[0], shown[-1]) == (steps[0], steps[-1])
    v, h = bits(arrays["v_bits"], 784), bits(arrays["h_bits"], 64)
    for g, step in enumerate(shown):
        aged = reader.snapshot(step)
        assert np.array_equal(v[0, 3 * g : 3 * g + 3], v[0, :3]), "the groups do not start alike"
        rbm = RBM.from_numpy(aged.W, aged.vbias, aged.hbias)
        first = gibbs.half_step(
            rbm, gibbs.from_images(rbm, torch.from_numpy(v[0, :3]).float()), Rng(7, "gibbs page")
        )
        assert np.array_equal(h[0, 3 * g : 3 * g + 3], first.h.numpy()), (
            f"step {step} met other random numbers"
        )
        weights = arrays["W"][arrays["machine"][g, 0]].view(np.float16).astype(np.float32)
        assert np.array_equal(weights, aged.W), f"the player has other weights for step {step}"


def test_what_if_is_the_same_film_until_the_fork(open_gibbs: Callable[..., AppTest]) -> None:
    link = {"chains": "3", "sweeps": "20", "beside": "whatif", "fork": "8"}
    alone = film_of(open_gibbs(chains="3", sweeps="20"))[1]["v_bits"]
    for changes in (
        {"if_temperature": "3"},
        {"if_temperature": "1", "if_seed": "1"},
        {"if_temperature": "1", "if_step": "0"},
    ):
        v = film_of(open_gibbs(**link, **changes))[1]["v_bits"]
        assert np.array_equal(v[:, :3], alone), "the chains as they were are not the film alone"
        assert np.array_equal(v[:9, 3:], alone[:9]), f"{changes} changed the time before the fork"
        assert not np.array_equal(v[9, 3:], alone[9]), f"{changes} changed nothing at the fork"
    v = film_of(open_gibbs(**link, if_temperature="1"))[1]["v_bits"]
    assert np.array_equal(v[:, 3:], alone), "with nothing changed the fork leads elsewhere"


def test_cooling_ends_at_the_temperature_asked_for(open_gibbs: Callable[..., AppTest]) -> None:
    beta = film_of(open_gibbs(sweeps="10", chains="2", hot="8", temperature="0.5"))[1]["beta"][0]
    assert np.allclose(beta[[0, -1]], [1 / 8, 2])
    assert np.allclose(beta[1:] / beta[:-1], 16 ** (1 / 9)), "the steps of cooling are not equal factors"


def test_a_player_that_went_away_before_it_was_heard_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    view: dict[str, Any] = {"__name__": "gibbs_of_nobody"}
    state: dict[str, Any] = {}
    source = (REPO / "dashboard" / "views" / "gibbs.py").read_text().removesuffix("main()\n")
    monkeypatch.setattr("streamlit.session_state", state)
    exec(compile(source, "gibbs.py", "exec"), view)
    state[view["PLAYER"]] = None
    for heard in ("_fork_here", "_left_at", "_rest_asked"):
        view[heard]()
    assert state == {view["PLAYER"]: None}


def test_a_stranger_is_told_what_the_page_is_for_and_finds_clamp(open_gibbs: Callable[..., AppTest]) -> None:
    app = open_gibbs(start="digits", chains="2", sweeps="3")
    assert "Watch the machine make pictures" in app.caption[0].value
    assert any("clamp" in toggle.label for toggle in app.sidebar.toggle)


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
    assert app.selectbox(key="gibbs-particles_of").options == ["this run", "other"]
    assert "the fantasy particles of run other, step " in header["start_sentence"]
    reader = RunReader(other)
    snapshot, probe = reader.snapshot(reader.snapshot_steps()[-1]), reader.probe()
    assert probe is not None
    grey = np.clip(probe.scale.mean + probe.scale.std * snapshot.particles_v[:3], 0, 1)
    start = bits(arrays["v_bits"][0], 784)
    assert start[grey == 1].all(), "white pixels of the particles are not on"
    assert not start[grey == 0].any(), "black pixels of the particles are on"
    app.selectbox(key="gibbs-particles_of").select("").run()
    assert "the run's fantasy particles" in film_of(app)[0]["start_sentence"]
    app = open_gibbs(**link, particles_of="tiny")
    assert any("No run 'tiny' has particles of this size" in w.value for w in app.warning)


def test_corrupted_digits_start_as_far_off_as_asked(open_gibbs: Callable[..., AppTest]) -> None:
    header, arrays = film_of(open_gibbs(start="digits", corrupt="20", chains="50", sweeps="2"))
    assert header["reference"] == "the clean picture"
    wrong = arrays["distance"][0].mean()
    assert abs(wrong - 0.2 * 784) < 5 * np.sqrt(784 * 0.2 * 0.8 / 50)


def test_held_pixels_in_the_link_stay(open_gibbs: Callable[..., AppTest]) -> None:
    held = np.arange(784) % 28 < 14
    app = open_gibbs(start="digits", chains="4", sweeps="6", held=drawn.bits_to_text(held))
    v = bits(film_of(app)[1]["v_bits"], 784)
    assert (v[:, :, held] == v[0][:, held]).all(), "a held pixel moved"
    assert (v[1:, :, ~held] != v[0][:, ~held]).any(), "the free pixels did not move"


def test_with_nothing_held_the_chains_start_from_the_whole_picture(
    open_gibbs: Callable[..., AppTest],
) -> None:
    link = {"start": "digits", "chains": "4", "sweeps": "3"}
    app = open_gibbs(**link, held=drawn.bits_to_text(np.zeros(784, bool)))
    header, arrays = film_of(app)
    assert np.array_equal(arrays["v_bits"][0], film_of(open_gibbs(**link))[1]["v_bits"][0])
    assert "held" not in header["start_sentence"]
    assert header["reference"] == "its own start"


def test_corrupt_says_that_it_rests_while_pixels_are_held(open_gibbs: Callable[..., AppTest]) -> None:
    app = open_gibbs(start="digits", chains="2", sweeps="3", corrupt="20")
    app.toggle(key="gibbs-hold").set_value(True).run()
    slider = app.slider(key="gibbs-corrupt")
    assert slider.disabled
    assert "holding" in slider.label
    assert "inverted" not in film_of(app)[0]["start_sentence"]
    app.toggle(key="gibbs-hold").set_value(False).run()
    assert app.slider(key="gibbs-corrupt").value == 20
    assert "20 % of the pixels inverted" in film_of(app)[0]["start_sentence"]


def test_another_drawing_is_another_start(open_gibbs: Callable[..., AppTest]) -> None:
    """The player goes back to the first frame where header["start"] differs."""
    link = {"start": "drawing", "chains": "2", "sweeps": "3"}
    starts = [
        film_of(open_gibbs(**link, drawing=drawn.bits_to_text(np.arange(784) < n)))[0]["start"]
        for n in (5, 6)
    ]
    assert starts[0] != starts[1]


def test_nothing_is_held_of_a_drawing_not_yet_begun(open_gibbs: Callable[..., AppTest]) -> None:
    app = open_gibbs(
        start="drawing", chains="2", sweeps="3", held=drawn.bits_to_text(np.arange(784) < 300), corrupt="20"
    )
    arrays = film_of(app)[1]
    assert not bits(arrays["v_bits"][0], 784).any(), "an empty picture starts as noise"
    assert not [toggle for toggle in app.toggle if toggle.key == "gibbs-hold"]


def test_empty_drawing_is_said_and_plays(open_gibbs: Callable[..., AppTest]) -> None:
    header, arrays = film_of(open_gibbs(start="drawing", chains="2", sweeps="3"))
    assert "nothing is drawn yet" in header["start_sentence"]
    assert not bits(arrays["v_bits"][0], 784).any()


def test_drawing_in_the_link_starts_every_chain(open_gibbs: Callable[..., AppTest]) -> None:
    bar = (np.arange(784) % 28 > 12) & (np.arange(784) % 28 < 16)
    header, arrays = film_of(
        open_gibbs(start="drawing", chains="2", sweeps="3", drawing=drawn.bits_to_text(bar))
    )
    assert "your drawing" in header["start_sentence"]
    assert (bits(arrays["v_bits"][0], 784) == bar).all()


def test_damaged_drawing_in_the_link_costs_one_sentence(open_gibbs: Callable[..., AppTest]) -> None:
    app = open_gibbs(start="drawing", drawing="AAAA", chains="2", sweeps="3")
    film_of(app)
    assert any("784 pixels" in w.value for w in app.sidebar.warning), [w.value for w in app.warning]


# --- drawings ---


def strokes() -> np.ndarray:
    picture = np.zeros((140, 140), np.float32)
    picture[20:60, 90:100] = 1
    picture[50:60, 60:100] = 1
    return picture


def test_drawing_is_centred_as_mnist_is() -> None:
    image = drawn.placed(strokes(), (28, 28)).reshape(28, 28)
    rows, columns = np.nonzero(image)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20, "the ink does not fill 20 pixels"
    assert abs(rows.mean() - 13.5) < 1, "the centre of mass lies off the middle row"
    assert abs(columns.mean() - 13.5) < 1, "the centre of mass lies off the middle column"
    moved = np.roll(strokes(), (30, -40), (0, 1))
    assert np.array_equal(drawn.placed(moved, (28, 28)), image.ravel()), "the place on the pad matters"


@pytest.mark.parametrize("ink", [0, 255])
def test_upload_reads_dark_on_light_and_light_on_dark(ink: int) -> None:
    picture = np.where(strokes() > 0, ink, 255 - ink).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    seen = drawn.placed(drawn.picture_from_file(file.getvalue()), (28, 28))
    assert (seen != drawn.placed(strokes(), (28, 28))).mean() < 0.02


def test_uploads_that_are_no_picture_cost_one_sentence() -> None:
    def png(image: Image.Image) -> bytes:
        file = io.BytesIO()
        image.save(file, "PNG")
        return file.getvalue()

    for content, words in (
        (b"not an image", "not an image"),
        (png(Image.new("1", (20_000, 20_000))), "pixels"),
        (png(Image.new("L", (7_000, 7_000))), "pixels"),
        (png(Image.new("L", (50, 50), 200)), "all of one shade"),
    ):
        with pytest.raises(drawn.DrawingError, match=words):
            drawn.picture_from_file(content)
    with pytest.raises(drawn.DrawingError, match="empty"):
        drawn.placed(np.zeros((140, 140), np.float32), (28, 28))


def test_upload_twenty_thousand_pixels_wide_is_read() -> None:
    picture, file = np.zeros((300, 20_000), np.uint8), io.BytesIO()
    picture[50:250, 6_000:14_000] = 255
    Image.fromarray(picture).save(file, "PNG")
    image = drawn.placed(drawn.picture_from_file(file.getvalue()), (28, 28)).reshape(28, 28)
    assert image.sum(1).max() == 20, "a broad stroke does not fill the box"


def test_unknown_run_in_the_link_shows_another_and_says_so(open_gibbs: Callable[..., AppTest]) -> None:
    app = open_gibbs(run="nobody")
    assert any("nobody" in warning.value for warning in app.warning)
    film_of(app)


def test_no_run_is_told_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RBM_RUNS_DIR", str(tmp_path))
    app = open_page("gibbs")
    assert not app.exception
    assert any("no run yet" in info.value for info in app.info)


def test_corrupt_snapshot_costs_one_sentence(
    open_gibbs: Callable[..., AppTest], small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torn = shutil.copytree(small_run, tmp_path / "checkpoints" / "torn")
    newest = sorted((torn / "snapshots").iterdir())[-1]
    newest.write_bytes(newest.read_bytes()[:1000])
    monkeypatch.setenv("RBM_RUNS_DIR", str(torn.parent))
    app = open_gibbs(chains="2", sweeps="3")
    assert not app.exception
    assert [newest.name in e.value for e in app.error] == [True], [e.value for e in app.error]


def test_a_run_deleted_while_watched_costs_one_sentence(
    open_gibbs: Callable[..., AppTest], small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doomed = shutil.copytree(small_run, tmp_path / "checkpoints" / "doomed")
    shutil.copytree(small_run, tmp_path / "checkpoints" / "other")
    monkeypatch.setenv("RBM_RUNS_DIR", str(doomed.parent))
    app = open_gibbs(run="doomed", chains="2", sweeps="3")
    film_of(app)
    shutil.rmtree(doomed)
    app.number_input(key="gibbs-seed").set_value(99).run()
    assert [w.value for w in app.warning if "doomed" in w.value], "nothing is said of the run that is gone"
    assert film_of(app)[0]["of"] == {**film_of(app)[0]["of"], "run": "other", "seed": 99}


def test_a_snapshot_removed_under_the_page_costs_one_sentence(
    open_gibbs: Callable[..., AppTest], small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shutil.copytree(small_run, tmp_path / "checkpoints" / "thinned")
    monkeypatch.setenv("RBM_RUNS_DIR", str(run.parent))
    steps = RunReader(run).snapshot_steps()
    app = open_gibbs(step=str(steps[1]), chains="2", sweeps="3")
    assert film_of(app)[0]["of"]["step"] == steps[1]
    (run / "snapshots" / f"{steps[1]:09d}.safetensors").unlink()
    app.number_input(key="gibbs-seed").set_value(99).run()
    assert film_of(app)[0]["of"]["step"] in steps
    assert [w.value for w in app.warning if f"no snapshot at step {steps[1]:,}" in w.value]


def test_the_shared_sampler_starts_no_process_before_it_is_asked() -> None:
    assert Sampler().pid is None
    assert isinstance(sampler.SHARED, Sampler)
