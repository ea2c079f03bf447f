"""The film of a ladder: what it records is what the exchanges did."""

from typing import Any

import numpy as np
import pytest
import torch

from rbm_core import tempering
from rbm_core.compute import Rng
from rbm_core.rbm import RBM
from rbm_core.trajectory import ladder_film

V, H, ROUNDS = 12, 5, 60


def request(*sizes: float, visible: str = "bernoulli") -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A request for the ladder of models whose weights have these sizes, all with one pattern."""
    W = np.random.default_rng(3).normal(0, 1, (V, H)).astype(np.float32)
    models = len(sizes)
    meta = {
        "seed": 5,
        "rounds": ROUNDS,
        "steps": [10 * (m + 1) for m in range(models)],
        "visible": visible,
        "penalty": None,
        "binarisation": "none",
        "dataset": "",
        "n_valid": 0,
        "fingerprint": "",
    }
    arrays = {
        "W": np.stack([size * W for size in sizes]).astype(np.float16),
        "vbias": np.zeros((models, V), np.float32),
        "hbias": np.zeros((models, H), np.float32),
    }
    return meta, arrays


def test_each_picture_moves_as_the_exchanges_say() -> None:
    header, film = ladder_film(*request(0.5, 1.5, 3.0))
    K = len(header["rungs"])
    assert K >= 4
    assert film["v_bits"].shape == (ROUNDS + 1, K, 2)
    place = np.arange(K)
    for r in range(ROUNDS):
        asked, took = film["proposed"][r].astype(bool), film["accepted"][r].astype(bool)
        assert not (took & ~asked).any(), "a pair exchanged that was not asked"
        assert not (asked[1:] & asked[:-1]).any(), "pairs that touch were asked in one round"
        for k in np.flatnonzero(took):
            place[[k, k + 1]] = place[[k + 1, k]]
        assert np.array_equal(film["origin"][r + 1], place), f"round {r + 1}: a picture came from elsewhere"
    assert film["accepted"].any()
    asked = film["proposed"].astype(bool)
    # Bernoulli draws with these probabilities: their sum lies within five standard deviations of its mean.
    p = film["chance"][asked].astype(float)
    assert abs(film["accepted"][asked].sum() - p.sum()) <= 5 * np.sqrt((p * (1 - p)).sum()) + 1


def test_last_rung_s_pictures_have_the_last_model_s_law() -> None:
    """The mean energy over rounds agrees with the exact one; with the exchange's sign wrong it does not."""
    meta, arrays = request(0.5, 1.5, 3.0)
    header, film = ladder_film({**meta, "rounds": 700}, arrays)
    rbm = RBM.from_numpy(arrays["W"][-1].astype(np.float32), arrays["vbias"][-1], arrays["hbias"][-1])
    states = torch.tensor([[(n >> i) & 1 for i in range(V)] for n in range(2**V)]).float()
    energy = rbm.free_energy(states).double()
    p = torch.softmax(-energy, 0)
    mean, spread = float(p @ energy), float((p @ energy**2 - (p @ energy) ** 2).sqrt())
    seen = torch.from_numpy(np.unpackbits(film["v_bits"][100:, -1], axis=1, count=V)).float()
    found = float(rbm.free_energy(seen).mean())
    # Exchanges and sweeps leave states correlated over some ten rounds.
    assert abs(found - mean) <= 4 * spread / np.sqrt(len(seen) / 10), f"{found} is not {mean}"
    assert film["trips"][-1] > 0, "no picture went up and down in 700 rounds"
    assert header["rungs"][0] == {"from": None, "to": 10, "share": 0.0}
    assert header["rungs"][-1]["from"] == 30


def test_gaussian_units_show_their_greys() -> None:
    header, film = ladder_film(*request(0.5, 1.0, 2.0, visible="gaussian"))
    assert film["v_grey"].shape == (ROUNDS + 1, len(header["rungs"]), V)
    assert film["plain_grey"].shape == (ROUNDS + 1, V)


def test_a_model_that_learned_nothing_says_so() -> None:
    with pytest.raises(ValueError, match="step 20 has learned too little for a ladder"):
        ladder_film(*request(0.0, 0.01))


def test_kept_rows_draw_what_products_draw() -> None:
    meta, arrays = request(0.5, 1.5, 3.0)
    models = [RBM.from_numpy(W.astype(np.float32), np.zeros(V), np.zeros(H)) for W in arrays["W"]]
    ladder = (tempering.independent(models[0], models[0].vbias), *models)
    both = []
    for rows in (None, tempering.kept_rows(ladder)):
        rng = Rng(meta["seed"], "test")
        replicas = tempering.replicas_at(tempering.climbed(ladder, 3, rng))
        for _ in range(20):
            replicas, _ = tempering.temper(ladder, replicas, rng, rows=rows)
        both.append(replicas)
    assert torch.equal(both[0].v, both[1].v)
    assert torch.equal(both[0].origin, both[1].origin)
