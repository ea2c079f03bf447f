"""Gibbs films hold the engine's chains, with the map and the nearest training images where these are asked for."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dashboard.figures import chains as pictures
from dashboard.processes import gibbs_films
from dashboard.processes.sampler import Film
from rbm_core import datasets, gibbs
from rbm_core.compute import Rng
from rbm_core.rbm import RBM
from rbm_core.runs.reader import RunReader
from rbm_core.trajectory import cases, nearest, states
from rbm_core.visible import sigmoid
from tests.dashboard.gibbs_film import H, V, bits, in_process, request


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


@pytest.mark.parametrize("largest", [65_504.0, 65_519.0, 65_520.0, 1e6, 1e30])
def test_weights_and_states_beyond_half_precision_stay_finite_on_the_page(largest: float) -> None:
    W = request().W.copy()
    W[3, 2] = -largest
    other = {f"fork_{name}": array for name, array in request().model().items()}
    film = request(W=W, betas=np.ones(4), fork_at=2, **other)
    header, arrays = gibbs_films._side_by_side(["one"], [film], [Film(*in_process(film))])
    chains = pictures.Chains(header, arrays)
    for t, model in ((1, W), (2, W), (3, request().W)):
        expected = sigmoid((chains.v(t - 1) @ model + film.hbias).astype(np.float64))
        assert np.allclose(chains.mean_h(t), expected, atol=1e-6), f"sweep {t}"
    real = states.half(torch.tensor([largest, -largest, 0.5])).view(np.float16)
    assert np.isfinite(real).all()
    assert real[2] == 0.5


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
    monkeypatch.setattr(nearest, "_MOST_STATES", 20)
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

    monkeypatch.setattr(cases, "_loaded", load)
    header, _ = in_process(request(dataset="mnist-5k"))
    assert (header["map"], header["nearest"]) == (None, None)


def test_a_run_with_no_picture_at_all_is_filmed_without_map_and_nearest() -> None:
    header, _ = in_process(request(with_map=True, with_nearest=True, dataset="nowhere"))
    assert (header["map"], header["nearest"]) == (None, None)


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
