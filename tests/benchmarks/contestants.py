"""Who is timed: each contestant takes a Shape, a Start and a device, and returns a function that does one update.

All begin at the same model and the same chains, since flip-driven chains take as long as their units flip, and learn so
slowly that they stay there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import linear, softplus

from rbm_core import gibbs
from rbm_core.compute import Rng
from rbm_core.config import make_config, preset
from rbm_core.datasets import Dataset, load
from rbm_core.rbm import RBM
from rbm_core.runs.reader import read_snapshot
from rbm_core.training import Training

Update = Callable[[], object]
SHIPPED = Path(__file__).parents[2] / "checkpoints" / "mnist-default" / "snapshots"
AGES = (446, 4904, 49500)  # updates of the shipped run
RATE = 1e-5


@dataclass(frozen=True)
class Shape:
    """An update's size: hidden units, sweeps, and batch = chains; always 784 visible units."""

    n_hidden: int
    k: int
    chains: int

    def __str__(self) -> str:
        return f"784 × {self.n_hidden}, k = {self.k}, batch = chains = {self.chains}"


@dataclass(frozen=True)
class Start:
    """Where an update begins: parameters, the chains' visible units (chains, 784), and binary digits to learn from.

    age: the updates that led there.
    """

    W: np.ndarray
    vbias: np.ndarray
    hbias: np.ndarray
    v: np.ndarray
    digits: np.ndarray
    age: int

    def rbm(self, device: str = "cpu") -> RBM:
        return RBM.from_numpy(self.W, self.vbias, self.hbias, device=device)

    def batches(self, size: int, device: str) -> Callable[[], Tensor]:
        """A function that returns the next batch, again and again."""
        data = torch.from_numpy(self.digits).to(device)
        at = 0

        def following() -> Tensor:
            nonlocal at
            at = (at + size) % (len(data) - size + 1)
            return data[at : at + size]

        return following


def start_at(shape: Shape, age: int | None) -> Start:
    """The shipped run after `age` updates, its 500 hidden units cut or repeated to the shape's number; None: noise.

    Weights and hidden biases are scaled by 500 / number of units, so that pixels receive as much.
    """
    rng = np.random.default_rng(0)
    digits = (load("mnist-5k").train > 0.5).astype(np.float32)
    digits = np.tile(digits, (1 + 2 * shape.chains // len(digits), 1))
    if age is None:
        W = rng.normal(0, 0.01, (784, shape.n_hidden)).astype(np.float32)
        v = (rng.random((shape.chains, 784)) < 0.5).astype(np.float32)
        return Start(W, np.zeros(784, np.float32), np.zeros(shape.n_hidden, np.float32), v, digits, 0)
    shipped = read_snapshot(SHIPPED / f"{age:09d}.safetensors")
    units, scale = np.arange(shape.n_hidden) % 500, np.float32(500 / shape.n_hidden)
    v = np.resize(shipped.particles_v, (shape.chains, 784)).astype(np.float32)
    W = np.ascontiguousarray(shipped.W[:, units]) * scale
    return Start(W, shipped.vbias, shipped.hbias[units] * scale, v, digits, age)


def _dataset(digits: np.ndarray) -> Dataset:
    return Dataset("digits", digits, None, digits[:200], None, digits[:200], None, (28, 28), "0")


def _observatory(shape: Shape, start: Start, device: str, precision: str) -> Training:
    config = make_config(
        n_hidden=shape.n_hidden,
        k=shape.k,
        n_chains=shape.chains,
        batch_size=shape.chains,
        epochs=100_000,
        learning_rate=RATE,
        lr_schedule="constant",
        n_valid=0,
        precision=precision,
        device=device,
    )
    training = Training(config, _dataset(start.digits), initial=start.rbm())
    state = training.state
    v = torch.from_numpy(start.v).to(state.device)
    state.phases.chains_h.copy_(state.model.sample_h_from_v(v, Rng(0, "bench start", state.device)))
    state.step = start.age  # a run looks at its past models ever less often
    training.state.trajectory.observe(state.shown, state.step)
    return training


def observatory(shape: Shape, start: Start, device: str) -> Update:
    """This engine's centred PCD update, swept as it chooses by itself."""
    return _observatory(shape, start, device, "auto").update


def way_of(update: Update) -> str:
    """How `observatory` chose to sweep."""
    return update.__self__.state.precision  # type: ignore[attr-defined]


def observatory_float32(shape: Shape, start: Start, device: str) -> Update:
    return _observatory(shape, start, device, "float32").update


def rbms(shape: Shape, start: Start, device: str, rate: float = RATE) -> Update:
    """The rbms package's own PCD update (centred) and its SGD step, without its loop's permutation of the data."""
    from rbms.bernoulli_bernoulli.classes import BBRBM
    from rbms.training.pcd import fit_batch_pcd

    rbm = start.rbm(device)
    params = BBRBM(rbm.W, rbm.vbias, rbm.hbias)
    for p in params.parameters():
        p.grad = torch.zeros_like(p)
    optimizer = torch.optim.SGD(params.parameters(), lr=rate, maximize=True)
    weights, batch = torch.ones(shape.chains, device=device), start.batches(shape.chains, device)
    chains = params.init_chains(shape.chains)
    chains["visible"] = torch.from_numpy(start.v).to(device)
    chains = params.sample_hiddens(chains)

    def update() -> None:
        nonlocal chains
        with torch.no_grad():
            optimizer.zero_grad(set_to_none=False)
            chains, _ = fit_batch_pcd((batch(), weights), chains, params, shape.k, 1.0)
            optimizer.step()

    return update


def scikit_learn(shape: Shape, start: Start, device: str) -> Update:
    """scikit-learn's BernoulliRBM, whose k is always 1, on float32 data."""
    from sklearn.neural_network import BernoulliRBM

    batch = start.batches(shape.chains, "cpu")
    model = BernoulliRBM(shape.n_hidden, learning_rate=RATE, random_state=0)
    model.partial_fit(batch().numpy())
    model.components_ = np.ascontiguousarray(start.W.T)
    model.intercept_visible_, model.intercept_hidden_ = start.vbias, start.hbias
    return lambda: model.partial_fit(batch().numpy())


class _Notebook(nn.Module):
    def __init__(self, rbm: RBM, k: int) -> None:
        super().__init__()
        self.W = nn.Parameter(rbm.W.T.contiguous())
        self.v, self.h = nn.Parameter(rbm.vbias), nn.Parameter(rbm.hbias)
        self.k = k

    def forward(self, v: Tensor) -> Tensor:
        h = torch.bernoulli(torch.sigmoid(linear(v, self.W, self.h)))
        for _ in range(self.k):
            v = torch.bernoulli(torch.sigmoid(linear(h, self.W.t(), self.v)))
            h = torch.bernoulli(torch.sigmoid(linear(v, self.W, self.h)))
        return v

    def free_energy(self, v: Tensor) -> Tensor:
        return -(v @ self.v) - softplus(linear(v, self.W, self.h)).sum(1)


def notebook(shape: Shape, start: Start, device: str) -> Update:
    """The reference notebook's formulation: CD-k, autograd through F(data) − F(sample), Adam."""
    model = _Notebook(start.rbm(device), shape.k)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    batch = start.batches(shape.chains, device)

    def update() -> None:
        v = batch()
        with torch.no_grad():
            sample = model(v)
        loss = (model.free_energy(v) - model.free_energy(sample)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return update


def plain(shape: Shape, start: Start, device: str, rate: float = RATE, averaging: float = 0.0) -> Update:
    """The engine's recipe written down plainly in PyTorch: centred PCD-k, SGD, and the weights' average."""
    rbm, batch = start.rbm(device), start.batches(shape.chains, device)
    W, b, c = rbm.W, rbm.vbias, rbm.hbias
    mu, lam = torch.from_numpy(start.digits).to(device).mean(0), torch.full_like(c, 0.5)
    average, step = [p.clone() for p in (W, b, c)], 0
    h = torch.bernoulli(torch.sigmoid(torch.from_numpy(start.v).to(device) @ W + c))

    def update() -> None:
        nonlocal h, step
        for _ in range(shape.k):
            v = torch.bernoulli(torch.sigmoid(h @ W.T + b))
            mean = torch.sigmoid(v @ W + c)
            h = torch.bernoulli(mean)
        data = batch()
        h_data = torch.sigmoid(data @ W + c)
        grad = ((data - mu).T @ (h_data - lam) - (v - mu).T @ (mean - lam)) / shape.chains
        v_grad, h_grad = data.mean(0) - v.mean(0) - grad @ lam, h_data.mean(0) - mean.mean(0) - grad.T @ mu
        lam.lerp_(h_data.mean(0), 0.01)
        for p, g in ((W, grad), (b, v_grad), (c, h_grad)):
            p.add_(g, alpha=rate)
        step += 1
        if averaging:
            torch._foreach_lerp_(average, [W, b, c], min(1.0, 1 / (averaging * step)))

    return update


def _floor(shape: Shape, device: str, dtype: torch.dtype) -> Update:
    """The 2k + 3 matrix products of an update and nothing else: 2k + 1 of the phases, 2 of the gradient."""
    v = torch.ones(shape.chains, 784, dtype=dtype, device=device)
    h = torch.ones(shape.chains, shape.n_hidden, dtype=dtype, device=device)
    W = torch.ones(784, shape.n_hidden, dtype=dtype, device=device)
    out_v, out_h, out_W = torch.empty_like(v), torch.empty_like(h), torch.empty_like(W)

    def update() -> None:
        for _ in range(shape.k + 1):
            torch.mm(v, W, out=out_h)
        for _ in range(shape.k):
            torch.mm(h, W.T, out=out_v)
        for _ in range(2):
            torch.mm(v.T, h, out=out_W)

    return update


def floor_float32(shape: Shape, start: Start, device: str) -> Update:
    return _floor(shape, device, torch.float32)


def floor_bfloat16(shape: Shape, start: Start, device: str) -> Update:
    return _floor(shape, device, torch.bfloat16)


OURS, RBMS, FLOAT32, BFLOAT16 = "RBM Observatory", "rbms", "products, float32", "products, bfloat16"
FLOORS = (FLOAT32, BFLOAT16)

CONTESTANTS: dict[str, Callable[[Shape, Start, str], Update]] = {
    OURS: observatory,
    "the same, dense float32": observatory_float32,
    RBMS: rbms,
    "scikit-learn (k = 1)": scikit_learn,
    "plain PyTorch": plain,
    "PyTorch as in the notebook": notebook,
    FLOAT32: floor_float32,
    BFLOAT16: floor_bfloat16,
}


def sampling(name: str, start: Start, device: str, sweeps: int) -> Update:
    """A call makes `sweeps` sweeps v → h → v of the start's chains."""
    if name == RBMS:
        from rbms.bernoulli_bernoulli.classes import BBRBM

        rbm = start.rbm(device)
        params = BBRBM(rbm.W, rbm.vbias, rbm.hbias)
        chains = params.init_chains(len(start.v))
        chains["visible"] = torch.from_numpy(start.v).to(device)

        def sweep_rbms() -> None:
            nonlocal chains
            for _ in range(sweeps):
                chains = params.sample_visibles(params.sample_hiddens(chains))

        return sweep_rbms
    rbm, rng = start.rbm(device), Rng(0, "bench chains", device)
    chain = gibbs.from_images(rbm, torch.from_numpy(start.v))

    def sweep() -> None:
        nonlocal chain
        chain = gibbs.sweep(rbm, chain, rng, sweeps)

    return sweep


def whole_runs(device: str) -> dict[str, Update]:
    """name -> an update of preset `default` from its first one on: the engine, the recipe in plain PyTorch, rbms."""
    config = preset("default", dataset="mnist-5k", device=device)
    training = Training(config, load("mnist-5k", n_valid=0))
    shape = Shape(config.n_hidden, config.k, config.n_chains)
    arrays, chains = training.state.model.to_numpy(), training.state.phases.v_chains.float().cpu().numpy()
    start = Start(arrays["W"], arrays["vbias"], arrays["hbias"], chains, start_at(shape, None).digits, 0)
    return {
        OURS: training.update,
        "plain PyTorch": plain(shape, start, device, config.learning_rate, config.averaging),
        RBMS: rbms(shape, start, device, config.learning_rate),
    }
