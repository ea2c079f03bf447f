"""Networks before the RBM, for the lessons: Hopfield's, the Boltzmann machine, and the same after the restriction.

Names in, (header, arrays) out. All states are counted by rbm_core.symmetric, and every chain is drawn here: the browser
looks everything up.
"""

from typing import Any

import numpy as np

from dashboard.figures import prepared
from dashboard.figures.learn import SEED, Blob, cases
from rbm_core import enumerable
from rbm_core.symmetric import Network, alone, joined, layers

# Pictures of 4 × 4 pixels, row by row.
LETTERS = {
    "L": "1000 1000 1000 1111",
    "T": "1111 0110 0110 0110",
    "X": "1001 0110 0110 1001",
    "O": "1111 1001 1001 1111",
    "H": "1001 1111 1001 1001",
    "7": "1111 0001 0010 0100",
}
STORED = {"few": "LTX", "many": "LTXOH7"}
DAMAGED = 3  # pixels that are wrong after "damage"

TRAINED = ("joined", "restricted")
TITLES = {
    "few": "Hopfield network",
    "many": "Hopfield network",
    "joined": "Boltzmann machine",
    "restricted": "Restricted machine",
}
N_VISIBLE, N_HIDDEN = 9, 3
TEMPERATURES = (0.3, 0.6, 1.0, 2.0, 5.0)
N_SWEEPS = 300
# Exact gradient ascent; the restricted machine starts on a plateau and needs more updates.
RATES = {"joined": (0.3, 1000), "restricted": (0.3, 3000)}


def letters(names: str) -> np.ndarray:
    """(n, 16) of 0 and 1."""
    return np.array([[int(bit) for bit in LETTERS[name].replace(" ", "")] for name in names])


def hopfield(kind: str) -> Blob:
    """A network that stores the letters of STORED[kind], with what each of its 65,536 states does.

    arrays: W (16, 16), bias (16,), energies (65536,) float32 in nats; unrest and rests (65536,) uint16 as in
    Network; patterns (P,) uint16; attractors (A,) uint16, the states of rest with the most states that end there
    first, basins (A,) int32, their numbers; chance (64, DAMAGED) uint8: units to damage, one row after the other.
    header: `labels` (A,): what each attractor is, `names` of the patterns.
    """
    names = STORED[kind]
    patterns = letters(names)
    network = Network.remembering(patterns)
    own = enumerable.numbers(patterns)
    attractors, basins = np.unique(network.rests, return_counts=True)
    order = np.argsort(-basins, kind="stable")
    attractors, basins = attractors[order], basins[order]
    stored = {int(number): name for name, number in zip(names, own, strict=True)}
    turned = {2**16 - 1 - number: f"{name} turned round" for number, name in stored.items()}
    labels = [(stored | turned).get(int(number), "a mixture") for number in attractors]
    rng = np.random.Generator(np.random.SFC64(SEED))
    chance = np.array([rng.choice(16, DAMAGED, replace=False) for _ in range(64)], np.uint8)
    header = {"names": list(names), "labels": labels, "n_visible": 16, "shape": [4, 4], "groups": alone(16)}
    return _header(kind, network, header), {
        "W": network.W.astype(np.float32),
        "bias": network.bias.astype(np.float32),
        "energies": network.energies.astype(np.float32),
        "unrest": network.unrest,
        "rests": network.rests,
        "patterns": own,
        "attractors": attractors,
        "basins": basins.astype(np.int32),
        "chance": chance,
    }


def trained(kind: str) -> dict[str, np.ndarray]:
    """W and bias of the network that learned bars and stripes by exact gradient ascent; RATES has rate and updates."""
    data, (rate, n_updates) = cases("3x3"), RATES[kind]
    if kind == "joined":
        network = joined(N_VISIBLE + N_HIDDEN, SEED).climbed(data, rate, n_updates)
    else:
        rbm = enumerable.begin(N_VISIBLE, N_HIDDEN, SEED).rbm
        for _ in range(n_updates):
            rbm = rbm.moved(enumerable.exact_gradient(rbm, data).scaled(rate))
        network = Network.of_rbm(rbm)
    return {"W": network.W, "bias": network.bias}


def network_of(kind: str) -> Network:
    kept = prepared.arrays(kind) or trained(kind)
    return Network(kept["W"], kept["bias"])


def boltzmann(kind: str) -> Blob:
    """A trained network with nine pixels and three hidden units, and a chain of it at every temperature.

    arrays: W (12, 12), bias (12,), energies (4096,) float32; log_p (n, 512) float32: log p(v) at each temperature;
    path (n, 1 + N_SWEEPS · groups) uint16: the chain's states, one after each group of units that is drawn at once;
    patterns uint16: the pictures of the data. header: `kl`, of the data from p at T = 1.
    """
    network, data = network_of(kind), cases("3x3")
    groups = alone(N_VISIBLE + N_HIDDEN) if kind == "joined" else layers(N_VISIBLE, N_HIDDEN)
    uniforms = np.random.Generator(np.random.SFC64(SEED)).random((N_SWEEPS, len(network.bias)))
    start = np.zeros(len(network.bias))
    paths = [enumerable.numbers(network.walk(start, uniforms, groups, t)) for t in TEMPERATURES]
    log_p = np.array([network.log_p_v(N_VISIBLE, t) for t in TEMPERATURES])
    own = log_p[TEMPERATURES.index(1.0)][enumerable.numbers(data)]
    header = {
        "n_visible": N_VISIBLE,
        "shape": [3, 3],
        "groups": groups,
        "temperatures": TEMPERATURES,
        "kl": -enumerable.entropy(data) - float(own.mean()),
    }
    return _header(kind, network, header), {
        "W": network.W.astype(np.float32),
        "bias": network.bias.astype(np.float32),
        "energies": network.energies.astype(np.float32),
        "log_p": log_p.astype(np.float32),
        "path": np.concatenate([np.zeros((len(paths), 1), np.uint16), np.array(paths)], axis=1),
        "patterns": np.unique(enumerable.numbers(data)),
    }


def network(kind: str) -> Blob:
    """What the lessons show of the network of this kind."""
    return hopfield(kind) if kind in STORED else boltzmann(kind)


def _header(kind: str, network: Network, header: dict[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "title": TITLES[kind], "n_units": len(network.bias), "seed": SEED, **header}
