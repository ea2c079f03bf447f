"""What is taken away from the Gibbs page: sheets and animations hold the film's pixels, captioned."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dashboard.figures import chains as pictures
from dashboard.processes import gibbs_films
from rbm_core.pixels import PixelScale
from rbm_core.rbm import RBM
from rbm_core.runs.reader import RunReader
from tests.dashboard.gibbs_film import V, bits, in_process, request


def test_gaussian_states_are_shown_as_the_datas_grey_on_one_scale_for_the_whole_film() -> None:
    """Sheets and films draw mean + std · v, 0 black and 1 white, at every sweep; no frame has a scale of its own."""
    draws = np.random.default_rng(0)
    mean, std = (draws.uniform(*bounds, V).astype(np.float32) for bounds in ((0.2, 0.5), (0.05, 0.2)))
    film = request(visible="gaussian", start="gaussian", betas=np.ones(6), scale=PixelScale(mean, std))
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
        grey = np.clip(mean + std * v, 0, 1)
        assert np.abs(taken.pixels(t, "v").reshape(5, V) - 255 * grey).max() <= 0.51, f"sweep {t}"
    frames = []
    with Image.open(io.BytesIO(pictures.animated(taken, chain=None, layer="v", format="gif"))) as gif:
        for t in range(gif.n_frames):
            gif.seek(t)
            grid = pictures.grid(taken, t, "v")
            frames.append(np.asarray(gif.convert("L")))
            zoom = round(560 / max(grid.shape))
            left = (frames[-1].shape[1] - zoom * grid.shape[1]) // 2
            shown = frames[-1][: zoom * grid.shape[0] : zoom, left : left + zoom * grid.shape[1] : zoom]
            assert np.array_equal(shown, grid), f"frame {t} of the film has greys of its own"
    assert len(frames) == 7


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
    with Image.open(io.BytesIO(pictures.animated(taken, chain=None, layer=layer, format="gif"))) as film:
        assert film.n_frames == 6
    with Image.open(io.BytesIO(pictures.animated(taken, chain=2, layer=layer, format="webp"))) as film:
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
    with Image.open(io.BytesIO(pictures.animated(taken, chain=0, layer="pv", format="webp"))) as film:
        assert film.n_frames == 9, "the start and both half steps of sweeps 3, 6, 9 and 12"
    with Image.open(io.BytesIO(pictures.animated(taken, chain=None, layer="pv", format="webp"))) as film:
        assert film.n_frames == 7, "the start and sweeps 2, 4, …, 12"
