"""What the Learn page draws of one tiny machine's learning, update by update, as plain arrays.

Pure: a machine's settings in, (header, arrays) for the learn component out. Everything is computed here with
the exact machine of rbm_core.enumerable, so the browser only plays it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rbm_core import datasets, enumerable

Blob = tuple[dict[str, Any], dict[str, np.ndarray]]

N_MOMENTS = 32  # at which the gradients are compared
N_SWEEPS = 300  # of the chain in the landscape
FEW, MANY = enumerable.N_CHAINS, enumerable.N_CARRIED


@dataclass(frozen=True)
class Machine:
    """One of the page's machines: its pictures, and the settings that suit it."""

    title: str
    shape: tuple[int, int]
    dataset: str | None  # None: the two pixels' own cases
    n_hidden: int
    most_hidden: int
    rate: float
    n_updates: int


MACHINES = {
    "pair": Machine("Two pixels", (1, 2), None, 1, 4, 2.0, 400),
    "3x3": Machine("3 × 3 pixels", (3, 3), "bars-and-stripes-3", 8, 12, 0.5, 2000),
    "4x4": Machine("4 × 4 pixels", (4, 4), "bars-and-stripes", 10, 12, 0.4, 1500),
}
# Two pixels that mostly agree: both off or both on in ten cases of twelve.
PAIR_CASES = ((0, 0),) * 5 + ((1, 1),) * 5 + ((0, 1), (1, 0))
METHOD_NAMES = {"exact": "Exact", "cd1": "CD-1", "cd10": "CD-10", "pcd": "PCD"}


def cases(machine: str) -> np.ndarray:
    """(N, V) float64 0/1: the pictures that the machine is to learn."""
    name = MACHINES[machine].dataset
    if name is None:
        return np.array(PAIR_CASES, dtype=np.float64)
    return datasets.load(name, n_valid=0).train.astype(np.float64)


def moments(n_updates: int) -> np.ndarray:
    """At most N_MOMENTS updates from 0 to n_updates, denser where learning is fast: evenly in their root."""
    return np.unique(np.rint(np.linspace(0, n_updates**0.5, N_MOMENTS) ** 2).astype(np.int64))


def film(
    machine: str,
    n_hidden: int,
    method: str,
    rate: float,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Blob:
    """A whole training of the machine, every update of it, and what each method would have done on the way.

    arrays (T updates, P = VH + V + H parameters, laid out as enumerable.Parameters.flat, float32):
    parameters (T+1, P), log_z and log_likelihood (T+1,) in nats, float64; positive and negative (T, P);
    starts (8,), h_path and v_path (T, k, 8) uint16: every half step of the first chains, as state numbers;
    moments (M,), exact (M, P), estimates (2, 3, M, P) and angles (2, 3, M) in degrees, for FEW and MANY
    chains and CD-1, CD-10, PCD; chance (300, H + V) and its start for the walk; patterns, p_data.
    """
    plan = MACHINES[machine]
    data = cases(machine)
    total, n_visible = plan.n_updates, data.shape[1]
    sweeps, shown = enumerable.METHODS[method], enumerable.SHOWN_CHAINS if enumerable.METHODS[method] else 0
    width = n_visible * n_hidden + n_visible + n_hidden
    compared = moments(total)
    arrays: dict[str, np.ndarray] = {
        "parameters": np.empty((total + 1, width), np.float32),
        "log_z": np.empty(total + 1),
        "log_likelihood": np.empty(total + 1),
        "positive": np.empty((total, width), np.float32),
        "negative": np.empty((total, width), np.float32),
        "starts": np.zeros((total, shown), np.uint16),
        "h_path": np.zeros((total, sweeps, shown), np.uint16),
        "v_path": np.zeros((total, sweeps, shown), np.uint16),
        "moments": compared.astype(np.int32),
        "exact": np.empty((len(compared), width), np.float32),
        "estimates": np.empty((2, 3, len(compared), width), np.float32),
        "angles": np.empty((2, 3, len(compared)), np.float32),
    }

    def write_machine(state: enumerable.State) -> None:
        arrays["parameters"][state.step] = state.rbm.flat()
        arrays["log_z"][state.step] = state.rbm.log_z()
        arrays["log_likelihood"][state.step] = enumerable.log_likelihood(state.rbm, data)
        where = np.flatnonzero(compared == state.step)
        if len(where):
            exact = enumerable.exact_gradient(state.rbm, data)
            arrays["exact"][where[0]] = exact.flat()
            for row, n_chains in enumerate((FEW, MANY)):
                found = enumerable.estimates(state, data, n_chains, seed)
                for column, name in enumerate(("cd1", "cd10", "pcd")):
                    arrays["estimates"][row, column, where[0]] = found[name].flat()
                    arrays["angles"][row, column, where[0]] = enumerable.angle(found[name], exact)

    for after, info in enumerable.learn(data, n_hidden, method, rate, total, seed):
        write_machine(info.before)
        step = info.before.step
        arrays["positive"][step] = info.positive.flat()
        arrays["negative"][step] = info.negative.flat()
        if shown:
            arrays["starts"][step] = enumerable.numbers(info.starts[:shown])
            arrays["h_path"][step] = enumerable.numbers(info.h[:, :shown])
            arrays["v_path"][step] = enumerable.numbers(info.v[:, :shown])
        if step % 50 == 0:
            progress(step, total)
        if after.step == total:
            write_machine(after)

    found, counts = np.unique(enumerable.numbers(data), return_counts=True)
    arrays["patterns"] = found.astype(np.int32)
    arrays["p_data"] = counts / len(data)
    arrays["chance"] = enumerable.walk_chance(n_visible, n_hidden, N_SWEEPS, seed)
    header = {
        "machine": machine,
        "title": plan.title,
        "shape": plan.shape,
        "n_visible": n_visible,
        "n_hidden": n_hidden,
        "n_updates": total,
        "method": method,
        "method_names": METHOD_NAMES,
        "sweeps": sweeps,
        "rate": rate,
        "seed": seed,
        "n_cases": len(data),
        "chains": [FEW, MANY],
        "best": -enumerable.entropy(data),
        "walk_start": int(enumerable.numbers(enumerable.begin(n_visible, n_hidden, seed).carried[0])),
    }
    return header, arrays
