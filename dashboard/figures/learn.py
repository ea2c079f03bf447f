"""The training of one tiny machine of the Learn page, update by update, as arrays for its component.

Settings in, (header, arrays) out. Everything is computed here with the exact model of rbm_core.enumerable, and the
browser shows it. What the default settings of a machine draw by chance is computed ahead; prepared.py keeps it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dashboard.figures import prepared
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
SEED = 7  # of the trainings that are computed ahead, and the link's default
PAIR_CASES = ((0, 0),) * 5 + ((1, 1),) * 5 + ((0, 1), (1, 0))
METHOD_NAMES = {"exact": "Exact", "cd1": "CD-1", "cd10": "CD-10", "pcd": "PCD"}


def cases(machine: str) -> np.ndarray:
    """(N, V) float64 0/1: the pictures that the machine is to learn."""
    name = MACHINES[machine].dataset
    if name is None:
        return np.array(PAIR_CASES, dtype=np.float64)
    return datasets.load(name, n_valid=0).train.astype(np.float64)


def moments(n_updates: int) -> np.ndarray:
    """At most N_MOMENTS updates from 0 to n_updates, evenly spaced in √update, since learning is fast at first."""
    return np.unique(np.rint(np.linspace(0, n_updates**0.5, N_MOMENTS) ** 2).astype(np.int64))


def is_default(machine: str, n_hidden: int, rate: float, seed: int) -> bool:
    """Whether these are the settings for which the machine's trainings are computed ahead."""
    plan = MACHINES[machine]
    return (n_hidden, rate, seed) == (plan.n_hidden, plan.rate, SEED)


def drawn(machine: str, method: str) -> dict[str, np.ndarray]:
    """What prepared.py keeps of a default training: all that takes long or comes from chance; see `training`.

    ends (T, N_CHAINS) uint16: the states in which each update's chains ended; missing for the exact gradient.
    """
    plan, data = MACHINES[machine], cases(machine)
    recorded = _Recorded(data, plan.n_hidden, method, plan.n_updates, SEED)
    ends = recorded.learn(method, plan.rate, lambda done, total: None)
    kept = {name: recorded.arrays[name] for name in _KEPT}
    return kept if ends is None else {**kept, "ends": ends}


def training(
    machine: str,
    n_hidden: int,
    method: str,
    rate: float,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Blob:
    """Every update of a training of the machine, and at some moments the gradient estimate of each method.

    header: the settings, and `best`, the highest log-likelihood that the data allow, in nats.
    arrays (T updates, P = VH + V + H parameters, laid out as enumerable.Parameters.flat, float32):
    parameters (T+1, P), log_z and log_likelihood (T+1,) in nats, float64; positive and negative (T, P);
    starts (8,), h_path and v_path (T, k, 8) uint16: every half step of the first chains, as state numbers;
    moments (M,), exact (M, P), estimates (2, 3, M, P) and angles (2, 3, M) in degrees, for FEW and MANY
    chains and CD-1, CD-10, PCD; chance (300, H + V) and its start for the walk; patterns, p_data.
    Raises ValueError for more hidden units than can be counted.
    """
    plan, data = MACHINES[machine], cases(machine)
    n_visible = data.shape[1]
    recorded = _Recorded(data, n_hidden, method, plan.n_updates, seed)
    kept = None
    if is_default(machine, n_hidden, rate, seed):
        kept = prepared.arrays(f"{machine}-{method}")
    if kept is None:
        recorded.learn(method, rate, progress)
    else:
        recorded.relearn(kept, rate)
    found, counts = np.unique(enumerable.numbers(data), return_counts=True)
    arrays = {
        **recorded.arrays,
        "patterns": found.astype(np.int32),
        "p_data": counts / len(data),
        "chance": enumerable.walk_chance(n_visible, n_hidden, N_SWEEPS, seed),
    }
    header = {
        "machine": machine,
        "title": plan.title,
        "shape": plan.shape,
        "n_visible": n_visible,
        "n_hidden": n_hidden,
        "n_updates": plan.n_updates,
        "method": method,
        "method_names": METHOD_NAMES,
        "sweeps": enumerable.METHODS[method],
        "rate": rate,
        "seed": seed,
        "n_cases": len(data),
        "chains": [FEW, MANY],
        "best": -enumerable.entropy(data),
        "walk_start": int(enumerable.numbers(enumerable.begin(n_visible, n_hidden, seed).carried[0])),
    }
    return header, arrays


_KEPT = ("log_z", "log_likelihood", "starts", "h_path", "v_path", "estimates", "angles")


class _Recorded:
    """The arrays of a training, filled update by update."""

    def __init__(self, data: np.ndarray, n_hidden: int, method: str, total: int, seed: int) -> None:
        self.data, self.n_hidden, self.total, self.seed = data, n_hidden, total, seed
        width = data.shape[1] * n_hidden + data.shape[1] + n_hidden
        sweeps = enumerable.METHODS[method]
        self.shown = enumerable.SHOWN_CHAINS if sweeps else 0  # the exact gradient needs no chains
        self.compared = moments(total)
        self.arrays: dict[str, np.ndarray] = {
            "parameters": np.empty((total + 1, width), np.float32),
            "log_z": np.empty(total + 1),
            "log_likelihood": np.empty(total + 1),
            "positive": np.empty((total, width), np.float32),
            "negative": np.empty((total, width), np.float32),
            "starts": np.zeros((total, self.shown), np.uint16),
            "h_path": np.zeros((total, sweeps, self.shown), np.uint16),
            "v_path": np.zeros((total, sweeps, self.shown), np.uint16),
            "moments": self.compared.astype(np.int32),
            "exact": np.empty((len(self.compared), width), np.float32),
            "estimates": np.empty((2, 3, len(self.compared), width), np.float32),
            "angles": np.empty((2, 3, len(self.compared)), np.float32),
        }

    def learn(self, method: str, rate: float, progress: Callable[[int, int], None]) -> np.ndarray | None:
        """Records every update of a training by this method; returns where its chains ended, see `drawn`."""
        ends = []
        for after, info in enumerable.learn(self.data, self.n_hidden, method, rate, self.total, self.seed):
            self.state(info.before)
            self.update(info)
            ends.append(enumerable.numbers(info.v[-1]) if len(info.v) else None)
            if info.before.step % 50 == 0:
                progress(info.before.step, self.total)
            if after.step == self.total:
                self.state(after)
        return None if ends[0] is None else np.array(ends)

    def relearn(self, kept: dict[str, np.ndarray], rate: float) -> None:
        """Repeats a training from the draws in `kept`, which chance cannot give again, and records it."""
        arrays = self.arrays | {name: kept[name] for name in _KEPT}
        models = enumerable.relearn(self.data, self.n_hidden, kept.get("ends"), rate, self.total, self.seed)
        for step, (rbm, positive, negative) in enumerate(models):
            arrays["parameters"][step] = rbm.flat()
            if positive is not None and negative is not None:
                arrays["positive"][step] = positive.flat()
                arrays["negative"][step] = negative.flat()
            for moment in np.flatnonzero(self.compared == step):
                arrays["exact"][moment] = enumerable.exact_gradient(rbm, self.data).flat()
        self.arrays = arrays

    def state(self, state: enumerable.State) -> None:
        """The parameters after state.step updates, their likelihood and, at some moments, the gradients there."""
        arrays = self.arrays
        arrays["parameters"][state.step] = state.rbm.flat()
        arrays["log_z"][state.step] = state.rbm.log_z()
        arrays["log_likelihood"][state.step] = enumerable.log_likelihood(state.rbm, self.data)
        for moment in np.flatnonzero(self.compared == state.step):
            exact = enumerable.exact_gradient(state.rbm, self.data)
            arrays["exact"][moment] = exact.flat()
            for row, n_chains in enumerate((FEW, MANY)):
                found = enumerable.estimates(state, self.data, n_chains, self.seed)
                for column, name in enumerate(("cd1", "cd10", "pcd")):
                    arrays["estimates"][row, column, moment] = found[name].flat()
                    arrays["angles"][row, column, moment] = enumerable.angle(found[name], exact)

    def update(self, info: enumerable.UpdateInfo) -> None:
        """Both halves of one update, and the path of its first chains."""
        arrays, step = self.arrays, info.before.step
        arrays["positive"][step] = info.positive.flat()
        arrays["negative"][step] = info.negative.flat()
        if self.shown:
            arrays["starts"][step] = enumerable.numbers(info.starts[: self.shown])
            arrays["h_path"][step] = enumerable.numbers(info.h[:, : self.shown])
            arrays["v_path"][step] = enumerable.numbers(info.v[:, : self.shown])
