"""Who is timed: each contestant is a function of a Shape that returns a function doing one parameter update."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from rbm_core.config import make_config
from rbm_core.datasets import Dataset
from rbm_core.precision import pick_precision, torch_dtype
from rbm_core.training import Training

Update = Callable[[], object]
CASES = 4000


@dataclass(frozen=True)
class Shape:
    """An update's size: hidden units, sweeps, and batch = chains; always 784 visible units."""

    n_hidden: int
    k: int
    chains: int

    def __str__(self) -> str:
        return f"784 × {self.n_hidden}, k = {self.k}, batch = chains = {self.chains}"


def pictures() -> np.ndarray:
    """Grey pictures with a fixed seed: time does not depend on what they show."""
    return np.random.default_rng(0).random((CASES, 784), dtype=np.float32) ** 4


def _dataset() -> Dataset:
    images = pictures()
    return Dataset("noise", images, None, images[:200], None, images[:200], None, (28, 28), "0")


def _observatory(shape: Shape, device: str, precision: str) -> Training:
    config = make_config(
        n_hidden=shape.n_hidden,
        k=shape.k,
        n_chains=shape.chains,
        batch_size=shape.chains,
        epochs=100_000,
        learning_rate=0.01,
        n_valid=0,
        precision=precision,
        device=device,
    )
    return Training(config, _dataset())


def observatory(shape: Shape, device: str) -> Update:
    """This engine's centred PCD update, in the precision it chooses by itself."""
    return _observatory(shape, device, "auto").update


def observatory_float32(shape: Shape, device: str) -> Update:
    return _observatory(shape, device, "float32").update


def rbms(shape: Shape, device: str) -> Update:
    """The rbms package's own PCD update (centred) and its SGD step, without its loop's permutation of the data."""
    from rbms.bernoulli_bernoulli.classes import BBRBM
    from rbms.training.pcd import fit_batch_pcd

    data = torch.from_numpy((pictures() > 0.5).astype(np.float32)).to(device)
    W = torch.randn(784, shape.n_hidden, device=device) * 0.01
    params = BBRBM(W, torch.zeros(784, device=device), torch.zeros(shape.n_hidden, device=device))
    for p in params.parameters():
        p.grad = torch.zeros_like(p)
    optimizer = torch.optim.SGD(params.parameters(), lr=0.01, maximize=True)
    weights = torch.ones(shape.chains, device=device)
    state = {"chains": params.init_chains(shape.chains), "at": 0}

    def update() -> None:
        with torch.no_grad():
            start = state["at"] % (CASES - shape.chains + 1)
            state["at"] += shape.chains
            optimizer.zero_grad(set_to_none=False)
            batch = (data[start : start + shape.chains], weights)
            state["chains"], _ = fit_batch_pcd(batch, state["chains"], params, shape.k, 1.0)
            optimizer.step()

    return update


def scikit_learn(shape: Shape, device: str) -> Update:
    """scikit-learn's BernoulliRBM, whose k is always 1, on float32 data."""
    from sklearn.neural_network import BernoulliRBM

    data = pictures()
    model = BernoulliRBM(shape.n_hidden, learning_rate=0.01, random_state=0)
    model.partial_fit(data[: shape.chains])
    state = {"at": 0}

    def update() -> None:
        start = state["at"] % (CASES - shape.chains + 1)
        state["at"] += shape.chains
        model.partial_fit(data[start : start + shape.chains])

    return update


class _Notebook(nn.Module):
    def __init__(self, n_hidden: int, k: int) -> None:
        super().__init__()
        self.W = nn.Parameter(torch.randn(n_hidden, 784) * 0.01)
        self.v = nn.Parameter(torch.zeros(784))
        self.h = nn.Parameter(torch.zeros(n_hidden))
        self.k = k

    def forward(self, v: Tensor) -> Tensor:
        h = torch.bernoulli(torch.sigmoid(nn.functional.linear(v, self.W, self.h)))
        for _ in range(self.k):
            v = torch.bernoulli(torch.sigmoid(nn.functional.linear(h, self.W.t(), self.v)))
            h = torch.bernoulli(torch.sigmoid(nn.functional.linear(v, self.W, self.h)))
        return v

    def free_energy(self, v: Tensor) -> Tensor:
        return -(v @ self.v) - nn.functional.softplus(nn.functional.linear(v, self.W, self.h)).sum(1)


def notebook(shape: Shape, device: str) -> Update:
    """The reference notebook's formulation: CD-k, autograd through F(data) − F(sample), Adam."""
    model = _Notebook(shape.n_hidden, shape.k).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    data = torch.from_numpy(pictures()).to(device)
    state = {"at": 0}

    def update() -> None:
        start = state["at"] % (CASES - shape.chains + 1)
        state["at"] += shape.chains
        v = data[start : start + shape.chains]
        with torch.no_grad():
            sample = model(v)
        loss = (model.free_energy(v) - model.free_energy(sample)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

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


def floor_float32(shape: Shape, device: str) -> Update:
    return _floor(shape, device, torch.float32)


def floor_bfloat16(shape: Shape, device: str) -> Update:
    return _floor(shape, device, torch.bfloat16)


def draws(shape: Shape, device: str) -> Update:
    """The Bernoulli draws of an update alone, by the engine's kernels: what float32 adds to its floor."""
    from rbm_core.compute import Rng

    rng = Rng(0, "bench", device)
    v, h = (
        torch.zeros(shape.chains, 784, device=device),
        torch.zeros(shape.chains, shape.n_hidden, device=device),
    )

    def update() -> None:
        for _ in range(shape.k):
            rng.bernoulli(h, out=h)
            rng.bernoulli(v, out=v)

    return update


CONTESTANTS: dict[str, Callable[[Shape, str], Update]] = {
    "RBM Observatory": observatory,
    "RBM Observatory, float32": observatory_float32,
    "rbms": rbms,
    "scikit-learn (k = 1)": scikit_learn,
    "plain PyTorch (notebook)": notebook,
    "floor: products, float32": floor_float32,
    "floor: products, bfloat16": floor_bfloat16,
    "draws alone": draws,
}


def sampling(name: str, n_hidden: int, chains: int, device: str) -> Update:
    """One v → h → v sweep of `chains` chains, by 'engine', 'engine, bfloat16' or 'rbms'."""
    if name == "rbms":
        from rbms.bernoulli_bernoulli.classes import BBRBM

        W = torch.randn(784, n_hidden, device=device) * 0.01
        params = BBRBM(W, torch.zeros(784, device=device), torch.zeros(n_hidden, device=device))
        state = {"chains": params.init_chains(chains)}

        def sweep_rbms() -> None:
            chain = params.sample_visibles(params.sample_hiddens(state["chains"]))
            state["chains"] = chain

        return sweep_rbms
    from rbm_core import gibbs
    from rbm_core.compute import Rng
    from rbm_core.rbm import RBM

    dtype = torch.float32
    if name != "engine":
        dtype = torch_dtype(pick_precision(784, n_hidden, chains, torch.device(device))[0])
    rbm = RBM.initial(784, n_hidden, Rng(0, "weights", device)).to(dtype=dtype)
    rng = Rng(0, "chains", device)
    engine = {"chain": gibbs.from_bernoulli_noise(rbm, chains, Rng(0, "start", device))}

    def sweep() -> None:
        engine["chain"] = gibbs.sweep(rbm, engine["chain"], rng)

    return sweep
