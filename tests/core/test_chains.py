"""Flip-driven chains are Gibbs chains of the model: dense products' draws, stationary, exact up to rounding."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numba import njit

from rbm_core import gibbs
from rbm_core.compute import Rng
from rbm_core.config import make_config
from rbm_core.datasets import load
from rbm_core.flips import HiddenSums, flip_sweeps, flipped_rows
from rbm_core.gradient import Phases, gradient
from rbm_core.kernels import rows
from rbm_core.likelihood.ais import prepare_ais, prepare_reverse_ais
from rbm_core.rbm import RBM
from rbm_core.sparse import SparsePhases
from rbm_core.training import Training
from tests import oracles
from tests.core.test_gibbs import exact_start, monte_carlo_bound, total_variation

# Fewer units than a vector, a square model, units that fill neither a strip nor a word, more than one word and strip.
SHAPES = [(4, 3), (64, 64), (100, 37), (37, 100), (200, 130)]


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def model(V: int, H: int, seed: int = 1) -> RBM:
    rng = np.random.default_rng(seed)
    return RBM.from_numpy(rng.normal(0, 2 / np.sqrt(V), (V, H)), rng.normal(size=V), rng.normal(size=H))


def bits(rows: int, n: int, share: float, seed: int) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(seed).random((rows, n)) < share, dtype=torch.uint8)


def swept(
    rbm: RBM, v: torch.Tensor, k: int, dtype: torch.dtype = torch.float32, **options: object
) -> tuple[torch.Tensor, ...]:
    rows = flipped_rows(rbm.W, dtype)
    return flip_sweeps(rows, rbm.vbias, rbm.hbias, v, k, Rng(2, "chains"), **options)  # type: ignore[arg-type]


def rounded(W: torch.Tensor) -> torch.Tensor:
    """W in whole numbers of the unit that `flipped_rows` takes for it: both of its types hold them exactly."""
    unit = flipped_rows(W, torch.int16).unit
    return torch.round(W / unit) * unit


EXTREMES = {
    "noise": lambda rng, shape: rng.normal(0, 0.2, shape),
    "one sign": lambda rng, shape: -rng.random(shape),
    "both signs, large": lambda rng, shape: 100 * rng.choice([-1.0, 1.0], shape),
    "a column that outweighs all": lambda rng, shape: (
        rng.normal(0, 0.01, shape) + 3 * (np.arange(shape[1]) == 1)
    ),
    "a row that outweighs all": lambda rng, shape: (
        rng.normal(0, 0.01, shape) - 5 * (np.arange(shape[0]) == 2)[:, None]
    ),
    "a half of a unit over": lambda rng, shape: np.full(shape, 1.49999),
    "nothing": lambda rng, shape: np.zeros(shape),
}


@pytest.mark.parametrize("extreme", EXTREMES)
@pytest.mark.parametrize(("V", "H"), [(4, 3), (64, 64), (200, 130), (2048, 60), (60, 2048)])
def test_every_sum_of_weights_of_sixteen_bits_fits_and_no_finer_unit_would_do(
    V: int, H: int, extreme: str
) -> None:
    W = np.asarray(EXTREMES[extreme](np.random.default_rng(0), (V, H)), np.float32)
    _, _, unit = flipped_rows(torch.tensor(W), torch.int16)
    whole = np.rint(W / np.float32(unit))
    worst = max(np.maximum(sign * whole, 0).sum(axis).max() for sign in (1, -1) for axis in (0, 1))
    assert worst <= 2**15 - 1
    assert abs(whole).max() <= 2**15 - 1
    finer = max(
        np.maximum(sign * W, 0).sum(axis, np.float64).max() for sign in (1, -1) for axis in (0, 1)
    ) / (unit / 2)
    assert extreme == "nothing" or finer + max(V, H) > 2**15 - 1 - 1
    rbm = RBM.from_numpy(W, np.zeros(V), np.zeros(H))
    # From all units on, and from none, to where they lead: no sum has wrapped around.
    for start in (torch.ones(40, V, dtype=torch.uint8), torch.zeros(40, V, dtype=torch.uint8)):
        _, h, mean_v, mean_h = swept(rbm, start, 1, torch.int16)
        exact = torch.tensor(whole).double() * unit
        torch.testing.assert_close(mean_h.double(), torch.sigmoid(start.double() @ exact), atol=2e-6, rtol=0)
        torch.testing.assert_close(mean_v.double(), torch.sigmoid(h.double() @ exact.T), atol=2e-6, rtol=0)


@pytest.mark.parametrize("k", [1, 40])
@pytest.mark.parametrize(("V", "H"), SHAPES)
def test_weights_of_sixteen_bits_draw_the_very_chains_of_the_rounded_model(V: int, H: int, k: int) -> None:
    rbm = model(V, H)
    rbm.W.copy_(rounded(rbm.W))
    for start in (bits(70, V, 0.3, 2), bits(70, V, 0.9, 2), bits(5, V, 0.5, 3)):
        for got, expected in zip(
            swept(rbm, start, k, torch.int16, beta=0.8), swept(rbm, start, k, beta=0.8), strict=True
        ):
            assert torch.equal(got, expected)


@pytest.mark.parametrize(("V", "H"), SHAPES)
def test_differences_draw_what_dense_products_draw_from_the_same_numbers(V: int, H: int) -> None:
    rbm, v, rng = model(V, H), bits(70, V, 0.3, 2), Rng(2, "chains")
    got_v, got_h, mean_v, mean_h = swept(rbm, v, 5, beta=0.8)
    v = v.float()
    for _ in range(5):
        logits_h = v @ rbm.W + rbm.hbias
        h = rng.bernoulli(logits_h, scale=0.8)
        logits_v = h @ rbm.W.T + rbm.vbias
        v = rng.bernoulli(logits_v, scale=0.8)
    # A draw differs where its uniform number lies within rounding of the probability: 1e-6 of them.
    assert torch.equal(got_v.float(), v)
    assert torch.equal(got_h.float(), h)
    torch.testing.assert_close(mean_h, torch.sigmoid(0.8 * logits_h), atol=2e-6, rtol=0)
    torch.testing.assert_close(mean_v, torch.sigmoid(0.8 * logits_v), atol=2e-6, rtol=0)


@njit
def added(totals: np.ndarray, panels: np.ndarray, states: np.ndarray, lists: rows.Listed) -> None:
    rows.add_rows(totals, panels, lists)
    rows.sum_rows(totals, panels, states, lists)


@pytest.mark.parametrize(("R", "n"), [(1, 1), (31, 33), (32, 32), (64, 8), (65, 100), (100, 37), (200, 130)])
@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_sums_of_rows_are_those_of_dense_products_whether_by_lists_or_by_fours(
    R: int, n: int, dtype: type
) -> None:
    rng = np.random.default_rng(R)
    # Whole numbers, whose float32 sums are exact, whatever their order.
    matrix = rng.integers(-150, 150, (R, n)).astype(dtype)
    on, gained = rng.random((40, R)) < 0.6, rng.random((40, R)) < 0.2
    lost = (rng.random((40, R)) < 0.2) & ~gained
    words = np.zeros((40, 8 * -(-R // 64)), np.uint8)
    packed = np.packbits(on, axis=1, bitorder="little")
    words[:, : packed.shape[1]] = packed
    lists = rows.Listed(np.zeros((40, R), np.int32), np.zeros((40, 2), np.int64), R)
    for i in range(40):
        plus, minus = np.flatnonzero(gained[i]), np.flatnonzero(lost[i])
        lists.numbers[i, : len(plus)] = plus
        lists.numbers[i, R - len(minus) :] = minus
        lists.counts[i] = (rows.ALL, 0) if i % 3 == 0 else (len(plus), len(minus))
    begun = rng.integers(-9, 9, (40, n)).astype(dtype)
    totals = np.zeros((40, -(-n // 64) * 64 + 16), dtype)
    totals[:, :n] = begun
    added(totals, rows.in_panels(matrix), words.view(np.uint64), lists)
    coefficients = np.where(np.arange(40)[:, None] % 3 == 0, on, gained.astype(int) - lost)
    np.testing.assert_array_equal(totals[:, :n], begun + coefficients @ matrix.astype(np.float64))
    assert not totals[:, n:].any()


@pytest.mark.parametrize("density", [0.05, 0.2, 0.5, 0.9])
def test_every_way_to_sum_draws_the_same_chains_alone_and_among_others(density: float) -> None:
    rng = np.random.default_rng(1)
    rbm = RBM.from_numpy(
        rng.normal(0, 0.05, (100, 70)), np.full(100, np.log(density / (1 - density))), np.zeros(70)
    )
    v = bits(150, 100, density, 5)
    together = swept(rbm, v, 20)
    dense = v.float()
    stream = Rng(2, "chains")
    for _ in range(20):
        h = stream.bernoulli(dense @ rbm.W, rbm.hbias)
        dense = stream.bernoulli(h @ rbm.W.T, rbm.vbias)
    assert torch.equal(together[0].float(), dense)
    assert torch.equal(together[1].float(), h)
    alone = swept(rbm, v[:20], 20)  # too few for sums of fours
    assert torch.equal(alone[0], together[0][:20])


@pytest.mark.parametrize("dtype", [torch.float32, torch.int16])
@pytest.mark.parametrize("sweeps", [1, 4, 16])
def test_flip_driven_chains_are_stationary_at_the_model(sweeps: int, dtype: torch.dtype) -> None:
    arrays = oracles.tiny_model(1)
    v = swept(RBM.from_numpy(*arrays), exact_start(arrays).to(torch.uint8), sweeps, dtype)[0]
    assert total_variation(v.float(), arrays) < monte_carlo_bound(arrays)


def test_chains_that_forget_the_hidden_bias_or_a_row_fail_the_same_check() -> None:
    arrays = oracles.tiny_model(1)
    W, b, c = arrays
    start = exact_start(arrays).to(torch.uint8)
    for broken in (RBM.from_numpy(W, b, np.zeros_like(c)), RBM.from_numpy(W * [[1], [1], [1], [0]], b, c)):
        v = swept(broken, start, 4)[0]
        assert total_variation(v.float(), arrays) > 2 * monte_carlo_bound(arrays)


def test_rounding_stays_bounded_over_a_thousand_sweeps() -> None:
    rbm = model(200, 130)
    _, h, mean_v, _ = swept(rbm, bits(64, 200, 0.3, 3), 1000)
    exact = torch.sigmoid(h.double() @ rbm.W.T.double() + rbm.vbias.double())
    # Between two fresh sums lie at most 256 sweeps of at most 65 rows, a float32 rounding of up to 2⁻²⁴ · 32 each:
    # a random walk of standard deviation √(256 · 65) · 2⁻²⁴ · 32 / √3. Five of them, and σ′ ≤ ¼.
    bound = 5 * np.sqrt(256 * 65 / 3) * 32 * 2.0**-24 / 4
    assert bound < 2e-4
    assert float((mean_v.double() - exact).abs().max()) < bound


@pytest.mark.usefixtures("threads")
def test_chains_are_the_same_bits_on_one_two_and_three_threads() -> None:
    rbm, found = model(100, 37), []
    for n in (1, 2, 3):
        torch.set_num_threads(n)
        found.append(swept(rbm, bits(150, 100, 0.3, 4), 300))
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_held_pixels_keep_their_values() -> None:
    rbm, values = model(100, 37), bits(20, 100, 0.5, 5)
    held = torch.arange(100) < 30
    v = swept(rbm, values, 3, held=held, values=values)[0]
    assert torch.equal(v[:, :30], values[:, :30])
    assert not torch.equal(v, values)


@pytest.mark.parametrize("start", ["binary", "grey"])
@pytest.mark.parametrize("clamped", [False, True])
def test_many_sweeps_go_where_half_steps_lead(start: str, clamped: bool) -> None:
    rbm, rng, stepped_rng = model(100, 37), Rng(3, "chains"), Rng(3, "chains")
    v = bits(20, 100, 0.3, 8).float() * (1.0 if start == "binary" else 0.6)
    clamp = (torch.arange(100) < 30, bits(1, 100, 0.5, 9)[0].float()) if clamped else None
    chain = gibbs.from_images(rbm, v)
    swept = gibbs.sweep(rbm, chain, rng, 6, beta=0.7, clamp=clamp)
    for _ in range(12):
        chain = gibbs.half_step(rbm, chain, stepped_rng, beta=0.7, clamp=clamp)
    assert (swept.sweep, swept.half, rng.calls) == (6, "v", stepped_rng.calls)
    assert torch.equal(swept.v, chain.v)
    assert torch.equal(swept.h, chain.h)
    torch.testing.assert_close(swept.mean_v, chain.mean_v, atol=2e-6, rtol=0)
    torch.testing.assert_close(swept.mean_h, chain.mean_h, atol=2e-6, rtol=0)


# Phases -------------------------------------------------------------------------------------------------------------


DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.int16], ids=["float32", "int16"])


def phases(rbm: RBM, B: int, N: int, algorithm: str, dtype: torch.dtype = torch.float32) -> SparsePhases:
    V, H = rbm.W.shape
    made = SparsePhases(rbm, B, N, rng=Rng(2, "chains"), algorithm=algorithm, dtype=dtype)  # type: ignore[arg-type]
    made.v_batch.copy_(bits(B, V, 0.2, 6))
    made.chains_h.copy_(bits(N, H, 0.5, 7))
    return made


def copied(rbm: RBM) -> RBM:
    return RBM(rbm.W.clone(), rbm.vbias.clone(), rbm.hbias.clone())


CASES = [(*shape, *sizes, a) for shape in SHAPES for sizes, a in (((30, 70), "pcd"), ((50, 50), "cd"))]


@DTYPES
@pytest.mark.parametrize(("V", "H", "B", "N", "algorithm"), CASES)
def test_sparse_phases_draw_and_add_up_what_dense_ones_do(
    V: int, H: int, B: int, N: int, algorithm: str, dtype: torch.dtype
) -> None:
    rbm = model(V, H)
    if dtype == torch.int16:
        rbm.W.copy_(rounded(rbm.W))
    sparse = phases(rbm, B, N, algorithm, dtype)
    dense = Phases(rbm, B, N, dtype=torch.float32, rng=Rng(2, "chains"), algorithm=algorithm)  # type: ignore[arg-type]
    dense.v_batch.copy_(sparse.v_batch)
    dense.chains_h.copy_(sparse.chains_h)
    sparse.run(3)
    dense.run(3)
    assert torch.equal(sparse.v_chains.float(), dense.v_chains)
    if algorithm == "pcd":  # CD begins the next update at its data
        assert torch.equal(sparse.chains_h.float(), dense.chains_h)
    mu, lam = torch.full((V,), 0.2), torch.full((H,), 0.4)
    got = sparse.gradient(mu, lam)
    expected = gradient(rbm, sparse.v_batch.float(), sparse.v_chains.float(), v_offset=mu, h_offset=lam)
    for g, e in zip(got.tensors(), expected.tensors(), strict=True):
        assert (g - e).abs().max() < 2e-6 * max(1.0, float(e.abs().max())) + 1e-6
    for f, v in zip(sparse.free_energies(), (sparse.v_batch, sparse.v_chains), strict=True):
        assert float(f) == pytest.approx(float(rbm.free_energy(v.float()).mean()), rel=1e-5)
    torch.testing.assert_close(sparse.v_mean_data, sparse.v_batch.float().mean(0))
    torch.testing.assert_close(sparse.h_mean_data, rbm.mean_h_from_v(sparse.v_batch.float()).mean(0))


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(("B", "N", "algorithm"), [(30, 70, "pcd"), (150, 40, "pcd"), (50, 50, "cd")])
def test_a_batch_that_the_phases_draw_is_the_batch_drawn_before_them(B: int, N: int, algorithm: str) -> None:
    rbm = model(130, 70)
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (400, 130), dtype=np.uint8))
    rows = torch.randperm(400, generator=torch.Generator().manual_seed(1))[:B]
    before, rng = phases(rbm, B, N, algorithm), Rng(5, "binarise")
    rng.share_rows(40, 400)
    rng.binarise(images, rows, before.v_batch)
    before.run(2)
    for n in (1, 2, 3):
        torch.set_num_threads(n)
        within, rng = phases(rbm, B, N, algorithm), Rng(5, "binarise")
        rng.share_rows(40, 400)
        within.run(2, rng.tossed(images, rows))
        assert torch.equal(within.v_batch, before.v_batch)
        assert torch.equal(within.v_chains, before.v_chains)
        assert within.free_energies() == before.free_energies()
        assert rng.calls == 1


@pytest.fixture(params=[64, 128])
def pixels_together(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many pixels a step adds up correlations for at a time: as with few hidden means, and as with many."""
    if request.param == 128:
        monkeypatch.setattr("rbm_core.sparse._IN_CACHE", 0)


@DTYPES
@pytest.mark.usefixtures("pixels_together")
@pytest.mark.parametrize(("V", "H"), SHAPES)
def test_ascending_is_a_step_along_the_gradient_and_keeps_transpose_and_average(
    V: int, H: int, dtype: torch.dtype
) -> None:
    rbm = model(V, H)
    before, averages = copied(rbm), [torch.zeros(V, H), torch.zeros(V), torch.zeros(H)]
    taken = phases(rbm, 40, 60, "pcd", dtype)
    taken.run(2)
    mu, lam = torch.full((V,), 0.2), torch.full((H,), 0.4)
    g = [t.clone() for t in taken.gradient(mu, lam).tensors()]
    taken.ascend(0.1, v_offset=mu, h_offset=lam, weight_decay=0.5, averages=averages, share=0.25)
    step = g[0] - 0.5 * before.W
    torch.testing.assert_close(rbm.W, before.W + 0.1 * step, atol=1e-6, rtol=0)
    torch.testing.assert_close(rbm.vbias, before.vbias + 0.1 * g[1])
    torch.testing.assert_close(rbm.hbias, before.hbias + 0.1 * g[2])
    for average, parameter in zip(averages, (rbm.W, rbm.vbias, rbm.hbias), strict=True):
        torch.testing.assert_close(average, 0.25 * parameter)
    torch.testing.assert_close(taken.grad.W, step, atol=1e-5, rtol=0)
    kept = [panels.copy() for panels in taken._panels]
    taken.sync()
    for panels, synced in zip(kept, taken._panels, strict=True):
        np.testing.assert_array_equal(panels, synced)


@DTYPES
@pytest.mark.parametrize("algorithm", ["pcd", "cd"])
def test_an_update_in_one_call_is_the_phases_and_then_the_step(algorithm: str, dtype: torch.dtype) -> None:
    """Bit for bit; what follows from it, offset, averages and energies, is what is said of it."""
    V, H = 100, 37
    apart, whole = (phases(model(V, H), 50, 50, algorithm, dtype) for _ in range(2))
    mu, lam = torch.full((V,), 0.2), torch.full((H,), 0.4)
    moving, averages = lam.clone(), [t.clone() for t in (whole.model.W, whole.model.vbias, whole.model.hbias)]
    energies, total, sums = torch.zeros(2, dtype=torch.float64), torch.zeros((), dtype=torch.float64), 0.0
    for _ in range(5):
        apart.run(2)
        before = [t.clone() for t in averages]
        apart.ascend(0.1, v_offset=mu, h_offset=lam, weight_decay=0.01)
        whole.ascend(
            0.1,
            k=2,
            v_offset=mu,
            h_offset=moving,
            centring_rate=0.25,
            weight_decay=0.01,
            averages=averages,
            share=0.5,
            energies=energies,
            loss_total=total,
        )
        for mine, theirs in zip(vars(whole.model).values(), vars(apart.model).values(), strict=True):
            assert mine is None or not isinstance(mine, torch.Tensor) or torch.equal(mine, theirs)
        assert torch.equal(whole.v_chains, apart.v_chains)
        assert torch.equal(whole.chains_h, apart.chains_h)
        assert energies.tolist() == list(apart.free_energies())
        sums += float(energies[0] - energies[1])
        lam = torch.lerp(lam, apart.h_mean_data, 0.25)
        torch.testing.assert_close(moving, lam)
        lam = moving.clone()
        parameters = (whole.model.W, whole.model.vbias, whole.model.hbias)
        for average, was, parameter in zip(averages, before, parameters, strict=True):
            torch.testing.assert_close(average, torch.lerp(was, parameter, 0.5))
    assert float(total) == pytest.approx(sums)


@pytest.mark.usefixtures("pixels_together")
@pytest.mark.parametrize("kind", ["runs", "noise", "all on", "all off", "one pixel"])
@pytest.mark.parametrize(("V", "H"), [(100, 37), (64, 64), (200, 130)])
def test_correlations_are_those_of_products_whether_pixels_are_alike_or_not(
    V: int, H: int, kind: str
) -> None:
    """Where neighbours are mostly alike, as in images, the sum of one follows from that of the one before."""
    at, rng = np.arange(V), np.random.default_rng(1)
    first, last = np.sort(rng.integers(0, V, (2, 100)), axis=0)
    images = {
        "runs": (at >= first[:, None]) & (at <= last[:, None]),
        "noise": rng.random((100, V)) < 0.4,
        "all on": np.ones((100, V), bool),
        "all off": np.zeros((100, V), bool),
        "one pixel": np.tile(at == V - 1, (100, 1)),
    }[kind]
    rbm = model(V, H)
    taken = phases(rbm, 60, 40, "pcd")
    taken.v_batch.copy_(torch.from_numpy(images[:60]))
    taken.run(1)
    v = torch.cat([taken.v_batch, taken.v_chains]).float()
    h = torch.sigmoid(v @ rbm.W + rbm.hbias)
    wanted = v[:60].T @ h[:60] / 60 - v[60:].T @ h[60:] / 40
    torch.testing.assert_close(taken.gradient().W, wanted, atol=3e-6, rtol=0)
    before = rbm.W.clone()
    taken.ascend(1.0)
    torch.testing.assert_close(rbm.W - before, wanted, atol=3e-6, rtol=0)


@pytest.mark.parametrize("H", [3, 16, 512, 513, 1100])
@pytest.mark.parametrize("size", [0.0, 1.0, 60.0, 1000.0])
def test_free_energies_are_exact_for_small_and_huge_logits_of_any_number_of_units(
    H: int, size: float
) -> None:
    rbm = model(20, H)
    rbm.W.mul_(size)
    rbm.hbias.mul_(size)
    taken = phases(rbm, 30, 30, "pcd")
    taken.run(1)
    exact = RBM(*(t.double() for t in (rbm.W, rbm.vbias, rbm.hbias)))
    for mine, v in zip(taken.free_energies(), (taken.v_batch, taken.v_chains), strict=True):
        assert mine == pytest.approx(float(exact.free_energy(v.double()).mean()), rel=3e-6)


@pytest.mark.parametrize("growth", [0.3, 1.9, 2.1, 40.0])
@pytest.mark.parametrize(("V", "H"), SHAPES)
def test_the_unit_follows_from_the_weights_alone_and_is_the_same_however_they_came_about(
    V: int, H: int, growth: float
) -> None:
    rbm = model(V, H)
    taken = phases(rbm, 40, 60, "pcd", torch.int16)
    taken.run(1)
    taken.ascend(1e-3, weight_decay=(1 - growth) / 1e-3)  # W becomes nearly `growth` times itself
    anew = phases(copied(rbm), 40, 60, "pcd", torch.int16)
    rows = flipped_rows(rbm.W, torch.int16)
    for panels in (anew._panels, rows[:2]):
        for mine, theirs in zip(taken._panels, panels, strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert taken._unit == anew._unit == rows.unit
    states = []
    for one in (taken, anew):
        one.chains_h.copy_(bits(60, H, 0.5, 7))
        one.rng = Rng(3, "chains")
        one.run(3)
        states.append(one.v_chains.clone())
    assert torch.equal(*states)


def test_a_model_that_is_no_number_is_none_by_whole_numbers_either_and_one_that_is_again_is_read_anew() -> (
    None
):
    rbm = model(100, 37)
    kept = rbm.W.clone()
    taken = phases(rbm, 40, 60, "pcd", torch.int16)
    rbm.W[3, 2] = torch.nan
    taken.sync()
    taken.run(1)
    assert all(np.isnan(f) for f in taken.free_energies())
    rbm.W.copy_(kept)
    taken.sync()
    taken.run(1)
    assert all(np.isfinite(f) for f in taken.free_energies())
    for mine, theirs in zip(taken._panels, phases(rbm, 40, 60, "pcd", torch.int16)._panels, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@DTYPES
@pytest.mark.usefixtures("threads", "pixels_together")
def test_updates_are_the_same_bits_on_one_two_and_three_threads(dtype: torch.dtype) -> None:
    found = []
    for n in (1, 2, 3):
        torch.set_num_threads(n)
        rbm = model(200, 130)
        taken = phases(rbm, 100, 150, "pcd", dtype)
        for _ in range(3):
            taken.run(2)
            taken.ascend(0.05, v_offset=torch.full((200,), 0.2), h_offset=torch.full((130,), 0.4))
        tensors = [*taken.grad.tensors(), rbm.W, rbm.vbias, rbm.hbias, taken.chains_h]
        found.append((tensors, taken.free_energies()))
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0][0], other[0], strict=True))
        assert found[0][1] == other[1]


@DTYPES
@pytest.mark.usefixtures("threads")
def test_updates_are_the_same_bits_wherever_their_arrays_lie_in_memory(dtype: torch.dtype) -> None:
    """A loop that adds up and also writes takes another way, with other last bits, where its arrays lie otherwise."""
    rng, kept, found = np.random.default_rng(0), [], []
    for _ in range(300):
        kept = [*kept[-20:], np.zeros(rng.integers(1, 20_000), np.uint8)]
        torch.set_num_threads(int(rng.integers(1, 4)))
        rbm = model(200, 130)
        taken = phases(rbm, 100, 150, "pcd", dtype)
        for _ in range(2):
            taken.run(1)
            taken.ascend(0.05, v_offset=torch.full((200,), 0.2), h_offset=torch.full((130,), 0.4))
        found.append((taken._statistics.softplus, taken._norms.sums, rbm.W, rbm.vbias, rbm.hbias))
    for other in found:
        for mine, theirs in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("precision", ["differences", "int16"])
@pytest.mark.parametrize("algorithm", ["pcd", "cd", "ptt"])
def test_a_run_by_differences_is_the_same_bits_on_one_two_and_three_threads(
    algorithm: str, precision: str
) -> None:
    """ptt climbs by dense products: last bits decide a draw of theirs about once in 10⁷ draws."""
    fields = {"dataset": "mnist-5k", "n_hidden": 128, "n_valid": 100, "device": "cpu", "learning_rate": 0.2}
    config = make_config(**fields, algorithm=algorithm, averaging=0.1, precision=precision)
    data, found = load("mnist-5k", n_valid=100), []
    for n in (1, 2, 3):
        torch.set_num_threads(n)
        training = Training(config, data)
        start = training.state_dict()[0]["chains_h"]
        for _ in range(20):
            training.update()
        found.append({**training.state_dict()[0], "start": start, "energies": training.state.energies})
    for other in found[1:]:
        assert [name for name, tensor in found[0].items() if not torch.equal(tensor, other[name])] == []


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_annealing_by_differences_is_the_same_bits_on_one_two_and_three_threads(direction: str) -> None:
    rbm, found = model(784, 130), []
    starts = {} if direction == "forward" else {"starts": bits(70, 784, 0.4, 3).float()}
    prepare = prepare_ais if direction == "forward" else prepare_reverse_ais
    for n in (1, 2, 3):
        torch.set_num_threads(n)
        chains = prepare(rbm, betas=300, n_chains=70, base_vbias=rbm.vbias, precision="differences", **starts)
        for part in (100, 199, 1):
            chains.advance(part)
            found.append([t.clone() for t in chains.state_dict()[0].values()])
    assert chains.done
    for i, other in enumerate(found[3:]):
        assert all(torch.equal(a, b) for a, b in zip(found[i % 3], other, strict=True))


def test_a_run_saved_with_dense_products_goes_on_with_them_where_differences_would_be_chosen_today(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fields = {"dataset": "mnist-5k", "n_hidden": 128, "n_valid": 100, "device": "cpu"}
    data = load("mnist-5k", n_valid=100)
    begun = Training(make_config(**fields, precision="float32"), data)
    for _ in range(3):
        begun.update()
    monkeypatch.setenv("RBM_PRECISION", "differences")
    later = Training(make_config(**fields), data)
    assert isinstance(later.state.phases, SparsePhases)
    later.load_state_dict(*begun.state_dict())
    assert isinstance(later.state.phases, Phases)
    for training in (begun, later):
        training.update()
    for mine, theirs in zip(begun.rbm.to_numpy().values(), later.rbm.to_numpy().values(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


# Visible units that are not 0 or 1: differences on the way down alone -------------------------------------------------


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(("V", "H"), SHAPES)
def test_sums_that_follow_the_hidden_units_are_dense_products_and_the_same_bits_on_any_threads(
    V: int, H: int
) -> None:
    W, found = model(V, H).W, []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        sums, out, h = HiddenSums(W, 70), torch.empty(70, V), bits(70, H, 0.5, 1)
        for step in range(6):
            if step == 3:
                W.mul_(1.25)
                sums.restart()
            sums.of(h.float(), out)
            torch.testing.assert_close(out, h.float() @ W.T, atol=2e-5, rtol=0)
            h ^= bits(70, H, 0.2, step)
        W.div_(1.25)
        found.append(out.clone())
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


@pytest.mark.parametrize("clamped", [False, True])
def test_many_sweeps_of_gaussian_pixels_go_where_half_steps_lead(clamped: bool) -> None:
    arrays = model(100, 37)
    rbm = RBM(arrays.W, arrays.vbias, arrays.hbias, "gaussian", torch.linspace(-1, 1, 100))
    rng, stepped_rng = Rng(3, "chains"), Rng(3, "chains")
    clamp = (torch.arange(100) < 30, torch.ones(100)) if clamped else None
    start = gibbs.from_images(rbm, bits(20, 100, 0.3, 8).float())
    chain = gibbs.half_step(rbm, start, rng, beta=0.7, clamp=clamp)
    stepped_rng.calls = rng.calls
    swept = gibbs.sweep(rbm, chain, rng, 6, beta=0.7, clamp=clamp)
    for _ in range(11):
        chain = gibbs.half_step(rbm, chain, stepped_rng, beta=0.7, clamp=clamp)
    assert (swept.sweep, swept.half, rng.calls) == (6, "v", stepped_rng.calls)
    assert torch.equal(swept.h, chain.h)
    for got, expected in ((swept.v, chain.v), (swept.mean_v, chain.mean_v), (swept.mean_h, chain.mean_h)):
        torch.testing.assert_close(got, expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize(
    "fields",
    [{"visible": "gaussian"}, {"visible": "gaussian", "learn_variance": True}, {"binarisation": "none"}],
)
@pytest.mark.parametrize("algorithm", ["pcd", "cd"])
def test_gaussian_and_grey_pixels_learn_by_differences_what_they_learn_by_products(
    fields: dict[str, object], algorithm: str
) -> None:
    data, found = load("mnist-5k", n_valid=100), []
    common = {"dataset": "mnist-5k", "n_hidden": 50, "n_valid": 100, "device": "cpu", "learning_rate": 0.01}
    for precision in ("differences", "float32"):
        config = make_config(**common, **fields, algorithm=algorithm, k=3, precision=precision)
        training = Training(config, data)
        for _ in range(5):
            training.update()
        assert np.isfinite(training.metrics()["free_energy_train"])
        found.append(training)
    for mine, theirs in zip(*(t.rbm.to_numpy().values() for t in found), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=2e-6)
