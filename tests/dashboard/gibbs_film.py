"""Gibbs films for tests: a request of a small model, the film made in this process, and the film a page shows."""

from typing import Any

import numpy as np
from streamlit.testing.v1 import AppTest

from dashboard.components.blob import unpack
from dashboard.processes.sampler import FilmRequest
from rbm_core import trajectory

V, H = 20, 7


def request(**changes: Any) -> FilmRequest:
    """A film of a 20 × 7 model with weights of size 1, where probabilities are far from one half."""
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
    """The film as the sampler's process would make it, made here."""
    return trajectory.film(*film.parts())


def bits(packed: np.ndarray, units: int) -> np.ndarray:
    """(…, units) uint8 of zeros and ones from a film's packed states."""
    return np.unpackbits(packed, axis=-1, count=units)


def film_of(app: AppTest) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The film that the page gave its player."""
    assert not app.exception, [e.message for e in app.exception]
    fed = [element.proto for element in app.main if element.type == "bidi_component"]
    assert len(fed) == 1, f"the page holds {len(fed)} players: {[e.value for e in app.error]}"
    return unpack(fed[0].bytes)
