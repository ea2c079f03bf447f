"""The random streams are what they claim: exact to their resolution, independent, repeatable, never overlapping."""

import ast
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numba import njit

from rbm_core import compute
from rbm_core.compute import (
    DRAW_RESOLUTION,
    DeviceError,
    Rng,
    captured,
    means_and_softplus,
    resolve_device,
)
from rbm_core.config import make_config
from rbm_core.kernels import draws, primitives
from rbm_core.rbm import RBM
from rbm_core.runs.evaluation_record import STARTS
from rbm_core.training.optimiser import Optimiser


def uniforms(rng: Rng, rows: int, columns: int) -> np.ndarray:
    """The very uniforms that draws compare with, as the kernels make them."""
    out = np.empty((rows, columns), np.float32)
    draws.uniform(out, *rng.next_counter())
    return out


def philox_reference(counter: tuple[int, int, int, int], key: tuple[int, int]) -> list[int]:
    """Philox4x32-10 as in Salmon et al. 2011, in plain integers."""
    mask = 0xFFFFFFFF
    a, b, c, d = counter
    k0, k1 = key
    for _ in range(10):
        m0, m1 = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, d = (m1 >> 32) ^ b ^ k0, m1 & mask, (m0 >> 32) ^ d ^ k1, m0 & mask
        k0, k1 = (k0 + 0x9E3779B9) & mask, (k1 + 0xBB67AE85) & mask
    return [a, b, c, d]


def test_the_generator_is_philox() -> None:
    # The known answers of the reference implementation (Random123, kat_vectors).
    assert philox_reference((0, 0, 0, 0), (0, 0)) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    out = np.empty(64, np.uint32)
    key, c1, c2, c3 = (0x243F6A88, 0x85A308D3), 0x13198A2E, 0x03707344, 0xA4093822
    primitives._philox_row(out, np.uint32(5), *key, c1, c2, c3)
    for i in range(16):
        assert out[i::16].tolist() == philox_reference((5 + i, c1, c2, c3), key)


def test_uniforms_pass_a_chi_square_test_over_sixteen_million_draws() -> None:
    rng, bins = Rng(11, "test"), 4096
    counts = np.zeros(bins)
    for _ in range(16):
        counts += np.bincount((uniforms(rng, 1000, 1024).ravel() * bins).astype(int), minlength=bins)
    n = counts.sum()
    chi2 = ((counts - n / bins) ** 2 / (n / bins)).sum()
    # Mean bins − 1, standard deviation √(2(bins − 1)): five of them.
    assert abs(chi2 - (bins - 1)) < 5 * np.sqrt(2 * (bins - 1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_draws_fire_with_the_probability_of_their_logit(dtype: torch.dtype) -> None:
    logits = torch.linspace(-9, 9, 37).to(dtype)
    bias = torch.linspace(1, -1, 37)
    n, calls, rng = 4000, 50, Rng(3, "test")
    total = np.zeros(37)
    for _ in range(calls):
        total += rng.bernoulli(logits.repeat(n, 1), bias, scale=0.5).float().sum(0).numpy()
    p = 1 / (1 + np.exp(-0.5 * (logits.double() + bias.double()).numpy()))
    z = (total - n * calls * p) / np.sqrt(n * calls * p * (1 - p))
    assert np.abs(z).max() < 5
    assert 0.5 < z.std() < 1.6  # neither too scattered nor too regular for 37 independent counts


@njit
def share_that_fires(z: np.float32) -> float:
    """Of all 2²³ uniform numbers, the share that makes a unit with this logit fire: its probability, counted."""
    count = 0
    for r in range(2**23):
        count += primitives._fires(np.uint32(r) << np.uint32(9), z)
    return count / 2**23


@pytest.mark.parametrize("p", [1e-7, 1e-6, 1e-3, 0.1545, 0.5, 0.525, 0.982, 0.999, 1 - 1e-6, 1 - 1e-7])
def test_a_unit_fires_with_its_probability_to_within_the_resolution(p: float) -> None:
    z = np.float32(np.log(p / (1 - p)))
    exact = 1 / (1 + np.exp(-np.float64(z)))
    assert abs(share_that_fires(z) - exact) < DRAW_RESOLUTION


def words(counter: tuple[int, ...], first: int, n: int) -> np.ndarray:
    """n words (a multiple of 64) of a call from the block numbered `first`."""
    out = np.empty(n, np.uint32)
    primitives._philox_row(out, np.uint32(first), *(np.uint32(c) for c in counter))
    return out


def test_every_unit_fires_as_its_32_random_bits_say_although_16_of_them_decide_nearly_all() -> None:
    rows, n = 300, 700
    x = torch.randn(rows, n, generator=torch.Generator().manual_seed(1)) * 3
    rng = Rng(5, "test", rank=2)
    rng.calls = 2**33 + 7
    counter = Rng.from_state(rng.state()).next_counter()
    second = (counter[0], counter[1], counter[2], counter[3] + 2**15, counter[4])  # the call 2⁴⁷ later
    drawn, wrong = rng.bernoulli(x).numpy(), 0
    for b in range(rows):
        upper = words(counter, b * 96, 384).view(np.uint16)
        p = 65536 / (1 + np.exp(-x[b].numpy().astype(np.float64)))
        for i in np.flatnonzero(np.abs(upper[:n] + 0.5 - p) < 4):
            low = words(second, b * 768 + int(i), 64)[0] >> np.uint32(16)  # the first block's first word
            bits = np.uint32(upper[i]) << np.uint32(16) | low
            wrong += primitives._fires(bits, np.float32(x[b, i])) != bool(drawn[b, i])
        sure = np.abs(upper[:n] + 0.5 - p) >= 4
        assert ((upper[:n] < p) == drawn[b])[sure].all()
    assert wrong == 0


def test_probabilities_beyond_the_resolution_are_zero_and_one() -> None:
    n = 1_000_000
    never = Rng(4, "test").bernoulli(torch.full((1, n), -30.0)).sum()
    always = Rng(4, "test").bernoulli(torch.full((1, n), 30.0)).sum()
    assert (never, always) == (0, n)
    assert share_that_fires(np.float32(np.log(0.99 * 2.0**-24))) == 0


@pytest.mark.parametrize("p", [1e-6, 1 - 1e-6])
def test_rare_draws_fire_as_often_as_counted_and_nearly_sure_ones_fail_as_often(p: float) -> None:
    n, calls, rare, rng = 1_000_000, 40, 0.0, Rng(5, "test")
    z = np.float32(np.log(p / (1 - p)))
    logits = torch.full((1000, 1000), float(z))
    for _ in range(calls):
        fired = float(rng.bernoulli(logits).sum())
        rare += fired if p < 0.5 else n - fired
    share = share_that_fires(z)
    expected = n * calls * min(share, 1 - share)
    assert abs(rare - expected) < 5 * expected**0.5  # five standard deviations of a Poisson count


def test_names_that_would_share_their_numbers_are_refused() -> None:
    Rng(1, "plumless")
    Rng(2, "plumless")
    with pytest.raises(ValueError, match="'buckeroo' would give the same numbers as 'plumless'"):
        Rng(1, "buckeroo")


def test_every_name_of_a_stream_that_the_engine_uses_has_a_number_of_its_own() -> None:
    names: set[str] = set()
    counted: set[str] = set()
    for file in Path(compute.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and re.fullmatch(r"[a-z]+([ -][a-z]+){0,3}", str(node.value)):
                names.add(node.value)  # whatever may be a name, and more
            elif isinstance(node, ast.keyword) and node.arg == "stream":
                counted |= {ast.unparse(node.value)} if isinstance(node.value, ast.JoinedStr) else set()
    assert {"chains", "binarise", "gibbs page", "reverse-ais", "sampling-time"} <= names
    assert counted == {"f'{stream}-{done}'", "f'mixing-{done}'", "f'{origin}-settled'"}
    begun = (*STARTS, "ais", "ais-pilot", "ais-base", "tempered")
    names |= {f"{one}-{what}" for one in begun for what in ("start", "starts", "settled")}
    numbers = [zlib.crc32(name.encode()) for name in names]
    assert len(set(numbers)) == len(names)
    for prefix in ("mixing", "sampling-time"):
        numbers += [zlib.crc32(f"{prefix}-{i}".encode()) for i in range(100_000)]
        assert len(np.unique(numbers)) == len(numbers), prefix
        numbers = numbers[: len(names)]


def test_draws_in_a_row_between_rows_and_between_calls_are_uncorrelated() -> None:
    rng = Rng(6, "test")
    u = np.stack([uniforms(rng, 256, 784) for _ in range(4)]).astype(np.float64) - 0.5
    pairs = {
        "neighbours": (u[..., :-1], u[..., 1:]),
        "a quarter block apart": (u[..., :-196], u[..., 196:]),
        "next row": (u[:, :-1], u[:, 1:]),
        "next call": (u[:-1], u[1:]),
    }
    for name, (x, y) in pairs.items():
        correlation = (x * y).mean() * 12
        assert abs(correlation) < 5 / np.sqrt(x.size), name


def test_streams_seeds_ranks_and_calls_never_share_a_number() -> None:
    names = ["weights", "order", "binarise", "chains", "monitor", "measure", "start", "ais", "reverse"]
    rngs = [Rng(1, name) for name in names] + [Rng(2, "chains"), Rng(1, "chains", rank=1)]
    counters = {rng.next_counter() for rng in rngs} | {rng.next_counter() for rng in rngs}
    assert len(counters) == 2 * len(rngs)
    rows = [uniforms(rng, 4, 784).ravel() for rng in rngs]
    agreeing = max((a == b).mean() for i, a in enumerate(rows) for b in rows[:i])
    assert agreeing < 1e-2  # equal streams would agree everywhere, shifted ones show in the counters above


def test_a_stream_continues_from_its_saved_state() -> None:
    rng = Rng(7, "chains", rank=3)
    rng.bernoulli(torch.zeros(5, 5))
    rng.normal((3,))
    again = Rng.from_state(rng.state())
    assert torch.equal(rng.bernoulli(torch.zeros(50, 5)), again.bernoulli(torch.zeros(50, 5)))
    assert torch.equal(rng.permutation(50), again.permutation(50))
    assert not torch.equal(rng.permutation(50), rng.permutation(50))


def test_binarised_pixels_are_on_as_often_as_their_grey_value_says() -> None:
    images = torch.arange(256, dtype=torch.uint8).repeat(2, 1)
    rng, n = Rng(8, "binarise"), 4000
    out = torch.empty(n, 256)
    rows = torch.ones(n, dtype=torch.int64)
    total = sum(rng.binarise(images, rows, out).sum(0).numpy() for _ in range(10))
    p = np.arange(256) / 255
    assert (total[0], total[255]) == (0, 10 * n)  # also where a random byte is 255
    z = (total - 10 * n * p)[1:255] / np.sqrt(10 * n * p * (1 - p))[1:255]
    assert np.abs(z).max() < 5


def test_hidden_statistics_agree_with_torch_in_both_precisions() -> None:
    x = torch.randn(50, 70, generator=torch.Generator().manual_seed(0)) * 20
    bias, offset = torch.linspace(-2, 2, 70), torch.linspace(0, 1, 70)
    z = (x + bias).double()
    h, totals, softplus = np.empty((50, 70), np.float32), np.empty(70, np.float32), np.empty(50)
    draws.hidden_statistics(x.numpy(), bias.numpy(), offset.numpy(), np.float32(-1), h, totals, softplus)
    np.testing.assert_allclose(h, -(torch.sigmoid(z) - offset).numpy(), atol=1e-6)
    np.testing.assert_allclose(totals, torch.sigmoid(z).sum(0).numpy(), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(softplus, torch.nn.functional.softplus(z).sum(1).numpy(), rtol=1e-6)


def test_an_absent_device_is_refused_in_one_sentence() -> None:
    with pytest.raises(DeviceError, match="must be auto, cpu or cuda, got 'toaster'"):
        resolve_device("toaster")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="torch sees no CUDA GPU here; use cpu or auto"):
            resolve_device("cuda")
    assert resolve_device("cpu") == torch.device("cpu")


class FakeCuda:
    """What `captured` uses of torch.cuda, on a machine without a GPU: notes what is asked for, in order."""

    def __init__(self, patch: pytest.MonkeyPatch, capture_fails: bool) -> None:
        self.asked: list[str] = []
        stream = SimpleNamespace(wait_stream=lambda other: self.asked.append("wait"))
        graph = SimpleNamespace(
            register_generator_state=lambda generator: self.asked.append(f"register {generator}"),
            replay=lambda: self.asked.append("replay"),
        )
        patch.setattr(torch.cuda, "device", lambda device: self.entered(f"on {device}"))
        patch.setattr(torch.cuda, "Stream", lambda device: stream)
        patch.setattr(torch.cuda, "current_stream", lambda device: stream)
        patch.setattr(torch.cuda, "stream", lambda stream: self.entered("side stream"))
        patch.setattr(torch.cuda, "CUDAGraph", lambda: graph)
        patch.setattr(torch.cuda, "graph", lambda graph: self.entered("capture", capture_fails))
        patch.setattr(torch.cuda, "synchronize", lambda device: self.asked.append("synchronise"))

    @contextmanager
    def entered(self, name: str, fails: bool = False) -> Iterator[None]:
        self.asked.append(name)
        if fails:
            raise RuntimeError("operation not permitted when stream is capturing")
        yield


def test_an_update_is_captured_after_a_warm_up_that_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = FakeCuda(monkeypatch, capture_fails=False)
    work = captured(
        lambda: cuda.asked.append("step"),
        [SimpleNamespace(generator="g")],  # type: ignore[list-item]
        torch.device("cuda:1"),
        lambda: cuda.asked.append("restore"),
    )
    warm_up = ["wait", "side stream", "step", "step", "step", "wait"]
    assert cuda.asked == ["on cuda:1", *warm_up, "register g", "capture", "step", "restore"]
    work()
    assert cuda.asked[-1] == "replay"


def test_an_update_that_cannot_be_captured_runs_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = FakeCuda(monkeypatch, capture_fails=True)
    work = captured(
        lambda: cuda.asked.append("step"), [], torch.device("cuda"), lambda: cuda.asked.append("restore")
    )
    assert cuda.asked[-2:] == ["synchronise", "restore"]
    work()
    assert cuda.asked[-1] == "step"


def test_nothing_is_captured_on_the_cpu() -> None:
    def step() -> None: ...

    assert captured(step, [], torch.device("cpu"), step) is step


# What runs on a GPU, on the CPU ---------------------------------------------------------------------------------------


class Elsewhere(torch.Tensor):
    """A tensor of the CPU that says it is a GPU's."""

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return torch.device("cuda")


def by_generator(seed: int = 3) -> Rng:
    """A stream that draws as on a GPU, from a torch generator."""
    rng = Rng(0, "test")
    rng.generator = torch.Generator()
    rng.generator.manual_seed(seed)
    return rng


def test_a_stream_of_a_device_draws_its_laws() -> None:
    rng, n = by_generator(), 200_000
    u, x = rng.uniform((n,), torch.float64), rng.normal((n,))
    for found, mean, variance in ((u, 0.5, 1 / 12), (x, 0.0, 1.0)):
        assert abs(float(found.mean()) - mean) < 5 * (variance / n) ** 0.5
        assert abs(float(found.var()) - variance) < 5 * variance * (2 / n) ** 0.5
    assert torch.equal(rng.permutation(50).sort().values, torch.arange(50))
    assert set(rng.integers(3, (100,)).tolist()) == {0, 1, 2}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("place", ["new", "in place"])
def test_a_stream_of_a_device_fires_units_with_their_probability(dtype: torch.dtype, place: str) -> None:
    n, logits, bias = 40_000, torch.tensor([-2.0, 0.0, 1.5, -50.0, 50.0]), torch.tensor([0.5, 0, -0.5, 0, 0])
    x = logits.repeat(n, 1).to(dtype)
    drawn = by_generator().bernoulli(x, bias, scale=0.5, out=x if place == "in place" else None)
    assert drawn.dtype == dtype
    assert (drawn is x) == (place == "in place")
    p = torch.sigmoid(0.5 * (logits + bias)).double()
    resolution = {torch.bfloat16: 2.0**-8}.get(dtype, 0.0)  # p and u are rounded to it
    off = (drawn.double().mean(0) - p).abs()
    assert (off <= 5 * (p * (1 - p) / n).sqrt() + resolution + 1e-9).all()


def test_a_stream_of_a_device_binarises_grey_pixels() -> None:
    images, rows = torch.tensor([[0, 64, 255]], dtype=torch.uint8), torch.zeros(40_000, dtype=torch.int64)
    out = by_generator().binarise(images, rows, torch.empty(40_000, 3))
    assert out[:, 0].sum() == 0
    assert out[:, 2].sum() == 40_000
    assert abs(float(out[:, 1].mean()) - 64 / 255) < 5 * (0.25 / 40_000) ** 0.5


def test_a_stream_of_a_device_goes_on_from_its_state_and_ranks_draw_apart() -> None:
    rng = by_generator()
    rng.uniform((7,))
    state, later = rng.state(), by_generator(seed=9)
    later.load(state)
    assert torch.equal(later.uniform((100,)), rng.uniform((100,)))
    drawn = []
    for first in (0, 4, 8):
        rank = by_generator()
        rank.share_rows(first, 12)
        drawn.append(rank.uniform((4, 5)))
        again = by_generator()
        again.share_rows(first, 12)
        assert torch.equal(again.uniform((4, 5)), drawn[-1])
    assert not any(torch.equal(drawn[i], drawn[j]) for i, j in ((0, 1), (0, 2), (1, 2)))


def test_what_a_device_computes_is_what_the_cpu_computes() -> None:
    logits, bias = (
        torch.randn(30, 20, generator=torch.Generator().manual_seed(0)) * 5,
        torch.linspace(-1, 1, 20),
    )
    means, softplus = means_and_softplus(logits, bias)
    there = means_and_softplus(logits.as_subclass(Elsewhere), bias)
    torch.testing.assert_close(torch.Tensor(there[0]), means, atol=1e-6, rtol=0)
    torch.testing.assert_close(there[1].as_subclass(torch.Tensor), softplus, rtol=1e-6, atol=0)
    model = RBM(torch.zeros(4, 3), torch.zeros(4), torch.zeros(3))
    optimiser, step, found = Optimiser(make_config(), model), torch.randn(4, 3), []
    for rate in (
        torch.tensor(0.3, dtype=torch.float64),
        torch.tensor(0.3, dtype=torch.float64).as_subclass(Elsewhere),
    ):
        optimiser.rate = rate
        found.append(torch.ones(4, 3))
        optimiser._add(found[-1], step)
    torch.testing.assert_close(found[0], 1 + 0.3 * step)
    torch.testing.assert_close(found[1], found[0])
