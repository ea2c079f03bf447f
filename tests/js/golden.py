"""Writes the golden blobs that Python's and JavaScript's readers are both tested with: `python -m tests.js.golden`.

What a reader must find stands in each blob beside what it reads, worked out here by plain float64 formulas that share
no code with the readers.
"""

from pathlib import Path
from typing import Any

import numpy as np
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from dashboard.components.blob import DTYPES, pack
from dashboard.figures import palette
from rbm_core import enumerable

FOLDER = Path(__file__).parent / "golden"
V, H, SHAPE = 10, 6, (2, 5)  # a picture of 2 × 5 pixels: neither layer fills whole bytes
GROUPS, PER, SWEEPS = 2, 3, 4


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def ordered_share(x: np.ndarray, c: np.ndarray, penalty: float) -> np.ndarray:
    """p(z ≥ j) of ordered units with inputs x and biases c, (H,): each z by itself, the series above H by its sum."""
    terms = np.log1p(np.exp(x)) - penalty * np.log1p(np.exp(c))
    weights = np.array([np.exp(terms[:z].sum()) for z in range(1, H + 1)])
    weights = np.append(weights, weights[-1] * sum(2.0 ** ((1 - penalty) * n) for n in range(1, 2000)))
    return np.array([weights[j:].sum() for j in range(H)]) / weights.sum()


def film(gaussian: bool, n_labels: int = 0, penalty: float | None = None) -> bytes:
    """A Gibbs film as the page sends it, of two groups with weights and temperatures of their own.

    Bernoulli pixels have a start in grey values and pixels that are held; Gaussian ones a gain and grey values. Label
    units take values as those of a mean field.
    expect_v (S + 1, B, V), expect_h (S, B, H): the states. expect_mean_h, expect_mean_v: what they were drawn from.
    expect_pixels (S + 1, B, V): grey values of the means, from 0 to 1 where nothing lies beyond.
    """
    rng = np.random.default_rng(7 + gaussian)
    B = GROUPS * PER
    half = lambda *shape: rng.normal(0, 0.5, shape).astype(np.float16)  # noqa: E731
    W, vbias, hbias = half(2, V, H), half(2, V).astype(np.float32), half(2, H).astype(np.float32)
    machine = np.array([[0, 0, 1, 1], [1, 1, 0, 0]], np.int32)
    beta = rng.uniform(0.5, 1.5, (GROUPS, SWEEPS)).astype(np.float32)
    h = rng.integers(0, 2, (SWEEPS, B, H)).astype(np.float64)
    arrays: dict[str, np.ndarray] = {
        "W": W.view(np.uint16),
        "vbias": vbias,
        "hbias": hbias,
        "machine": machine,
        "beta": beta,
        "h_bits": np.packbits(h.astype(np.uint8), axis=-1),
        "free_energy": rng.normal(-50, 5, (SWEEPS + 1, B)).astype(np.float32),
        "distance": rng.integers(0, V, (SWEEPS + 1, B)).astype(np.int32),
        "near_distance": rng.integers(0, V, (3, B)).astype(np.int32),
        "near_number": np.array([[4, 9, 17, 4, 9, 17]] * 3, np.int32),
        "near_numbers": np.array([4, 9, 17], np.int32),
        "near_labels": np.array([3, 255, 8], np.uint8),
        "near_bits": np.packbits(rng.integers(0, 2, (3, V)).astype(np.uint8), axis=-1),
    }
    gain, mean, std = np.ones((2, V)), np.zeros(V), np.ones(V)
    if gaussian:
        states = rng.normal(0, 1, (SWEEPS + 1, B, V)).astype(np.float16)
        v = states.astype(np.float64)
        gain = rng.uniform(0.5, 2, (2, V)).astype(np.float32)
        mean, std = (rng.uniform(0.2, 0.5, V).astype(np.float32) for _ in range(2))
        arrays |= {"v_half": states.view(np.uint16), "h_gain": gain, "pixel_mean": mean, "pixel_std": std}
    else:
        v = rng.integers(0, 2, (SWEEPS + 1, B, V)).astype(np.float64)
        start = rng.uniform(0, 1, (B, V)).astype(np.float16)
        held = np.arange(V) % 4 == 0
        v[0] = start
        v[:, :, held] = v[0][:, held]
        bits = np.packbits(np.round(v).astype(np.uint8), axis=-1)
        v[1:] = np.round(v[1:])
        arrays |= {"v_bits": bits, "v_start": start.view(np.uint16), "held": np.packbits(held)}
    U, y = np.zeros((2, n_labels, H)), np.zeros((SWEEPS + 1, B, n_labels))
    if n_labels:
        labels = rng.dirichlet(np.ones(n_labels), (SWEEPS + 1, B)).astype(np.float16)
        U, y = half(2, n_labels, H).astype(np.float32), labels.astype(np.float64)
        arrays |= {"label_W": U, "y_half": labels.view(np.uint16)}
    mean_h, mean_v = np.empty((SWEEPS, B, H)), np.empty((SWEEPS + 1, B, V))
    mean_v[0] = v[0]
    for t in range(1, SWEEPS + 1):
        for chain in range(B):
            k, b = machine[chain // PER, t - 1], float(beta[chain // PER, t - 1])
            weights = W[k].astype(np.float64)
            seen = (v[t - 1, chain] * gain[k]) @ weights + y[t - 1, chain] @ U[k]
            mean_h[t - 1, chain] = sigmoid(b * (seen + hbias[k]))
            if penalty is not None:
                mean_h[t - 1, chain] *= ordered_share(b * (seen + hbias[k]), b * hbias[k], penalty)
            logits = h[t - 1, chain] @ weights.T + vbias[k]
            mean_v[t, chain] = logits if gaussian else sigmoid(b * logits)
            if not gaussian:
                mean_v[t, chain, held] = v[0, chain, held]
    expected = {"v": v, "h": h, "mean_h": mean_h, "mean_v": mean_v, "pixels": mean + std * mean_v}
    header = film_header(gaussian, B) | {"labels": [f"class {k}" for k in range(n_labels)]}
    header |= {} if penalty is None else {"penalty": penalty}
    return pack(header, arrays | {f"expect_{name}": x for name, x in expected.items()})


def film_header(gaussian: bool, n_chains: int) -> dict[str, Any]:
    return {
        "version": "golden",
        "n_sweeps": SWEEPS,
        "n_chains": n_chains,
        "n_visible": V,
        "n_hidden": H,
        "visible": "gaussian" if gaussian else "bernoulli",
        "image_shape": SHAPE,
        "mean_field": False,
        "groups": ["as before", "colder"],
        "fork": 1,
        "steps": [],
        "start": "noise",
        "start_sentence": "Six chains start from noise.",
        "reference": "its own start",
        "band": {"low": -60.0, "high": -45.0, "label": "100 images"},
        "map": None,
        "map_pending": False,
        "nearest": {"every": 2, "noun": "training image", "source": "20 training images"},
        "nearest_pending": False,
        "of": {"run": "golden", "step": 12, "seed": 7, "more": "T 1"},
        "place": {"frame": 0, "chain": 1, "show": "both", "layer": "pv"},
        "slim": False,
    }


def every_type() -> bytes:
    """One array of each type a blob can hold, 3, 4, 5, … numbers long so that each needs other padding."""
    arrays = {name: np.arange(k + 3).astype(name) for k, name in enumerate(DTYPES)}
    arrays |= {
        "matrix": np.arange(6, dtype=np.float32).reshape(2, 3),
        "nothing": np.zeros((0, 4), np.float32),
    }
    return pack(
        {"title": "σ ‖W‖", "values": {name: x.ravel().tolist() for name, x in arrays.items()}}, arrays
    )


def tiny(scale: float) -> bytes:
    """A 9 × 5 model with parameters N(0, scale²), every free energy of it, and a walk of 40 sweeps.

    parameters (P,) float32; chance (40, 14); free_energy (512,) nats, walk (81,) state numbers v₀, h₁, v₁, …
    """
    flat = np.random.default_rng(3).normal(0, scale, 9 * 5 + 9 + 5).astype(np.float32)
    rbm = enumerable.TinyRBM(
        *(x.astype(np.float64) for x in (flat[:45].reshape(9, 5), flat[45:54], flat[54:]))
    )
    chance = enumerable.walk_chance(9, 5, 40, 3)
    start = enumerable.states(9)[[113]]
    h, v = enumerable.walk(rbm, start, chance[:, None, :])
    steps = np.stack([enumerable.numbers(h[:, 0]), enumerable.numbers(v[:, 0])], axis=1)
    header = {"n_visible": 9, "n_hidden": 5, "start": 113, "log_z": rbm.log_z()}
    return pack(
        header,
        {
            "parameters": flat,
            "chance": chance,
            "free_energy": rbm.free_energy(enumerable.states(9)),
            "walk": np.concatenate([[113], steps.ravel()]).astype(np.int32),
        },
    )


def colours() -> bytes:
    """The tables of all scales, (256, 3): dashboard/figures/palette.py and lib/colour.js must agree."""
    scales = {
        "grey": palette.GREY_STOPS,
        "hidden": palette.HIDDEN_STOPS,
        "light": palette.DIVERGING_LIGHT,
        "dark": palette.DIVERGING_DARK,
    }
    return pack({"stops": scales}, {name: palette.colour_table(stops) for name, stops in scales.items()})


def wire() -> bytes:
    """Messages of a page and of the app: whether each asks for a run, and what it says about one."""
    state = ClientState(query_string="run=a", page_script_hash="f" * 32, fragment_id="g", page_name="é" * 100)
    state.widget_states.widgets.add(id="w", trigger_value=True)
    by_clock = ClientState(is_auto_rerun=True)
    by_clock.MergeFrom(state)
    asking = {
        "press": (BackMsg(rerun_script=state), True),
        "nothing set": (BackMsg(rerun_script=ClientState()), True),
        "by clock": (BackMsg(rerun_script=by_clock), False),
        "stop": (BackMsg(stop_script=True), False),
    }
    begins = ForwardMsg(hash="h" * 32)
    begins.new_session.name = "a" * 300
    at_rest = ForwardMsg()
    at_rest.session_status_changed.script_is_running = False
    said = {
        "begins": (begins, "begins"),
        "finished": (ForwardMsg(script_finished=ForwardMsg.FINISHED_SUCCESSFULLY), "ends"),
        "fragment finished": (
            ForwardMsg(script_finished=ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY),
            "ends",
        ),
        "begins again": (ForwardMsg(script_finished=ForwardMsg.FINISHED_EARLY_FOR_RERUN), None),
        "at rest": (at_rest, None),
    }
    header = {
        "asks": {name: expected for name, (_, expected) in asking.items()},
        "runs": {name: expected for name, (_, expected) in said.items()},
    }
    messages = {name: message.SerializeToString() for name, (message, _) in (asking | said).items()}
    return pack(header, {name: np.frombuffer(message, np.uint8) for name, message in messages.items()})


BLOBS = {
    "every-type": every_type,
    "film": lambda: film(gaussian=False),
    "film-gaussian": lambda: film(gaussian=True),
    "film-labels": lambda: film(gaussian=False, n_labels=3),
    "film-ordered": lambda: film(gaussian=False, penalty=1.05),
    "tiny": lambda: tiny(1.0),
    "tiny-large": lambda: tiny(40.0),
    "colours": colours,
    "wire": wire,
}

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, make in BLOBS.items():
        (FOLDER / f"{name}.blob").write_bytes(make())
