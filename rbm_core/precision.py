"""How sweeps are computed: by differences of float32 or int16, or by products of float32 or bfloat16; chosen once, by
timing.
"""

import math
import os
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache

import torch
from torch import Tensor

from rbm_core.compute import Rng
from rbm_core.config import PRECISIONS, forced_precision
from rbm_core.flips import HiddenSums, flip_sweeps, flipped_rows

__all__ = [
    "MOST_SWEEPS",
    "MOST_WHOLE",
    "PRECISIONS",
    "pick_precision",
    "pick_way_down",
    "torch_dtype",
    "unrounded",
]

_TOO_SMALL = 10**7  # multiplications in a product for which a precision is worth choosing
_TIMED_CHAINS = 200  # chains that are timed, at most
# Units of a layer whose weights may be whole numbers of 16 bits: the more there are, the coarser their unit.
MOST_WHOLE = 2048
MOST_SWEEPS = 10  # sweeps of flip-driven chains in one timed call, at most
_NO_WEIGHT = 1e-9  # not 0: memory of zeros that nobody wrote is one page, which the cache holds
_TURNS, _TURN_S = 4, 0.015  # turns of each way and seconds of a turn
_CLEARLY = (
    0.7  # of float32's time, at most: bfloat16 rounds weights to 8 bits, so it has to be clearly faster
)
# How many times as long as products of each format sweeps by rows may take. They make the positive phase, the gradient
# and the step cheaper as well than float32 does: a whole update gains 1.9 where its sweeps gain 1.2 (784 × 500, k = 5).
# So it is beside tiles for bfloat16 where a model is small or k is 1: an update takes 0.39 of theirs where its sweeps
# take 0.43 (500 units, k = 5, 100 chains), 0.48 where they take 1.07 (the same, k = 1), 0.82 where they take 1.07
# (2,000 units, k = 1, 1,000 chains). Tiles gain with the batch: 0.83 where sweeps take 0.77 (2,000 units and chains).
# Rows of float32 serve samples and annealing too, which are sweeps and little else.
_WORTH, _WORTH_IN_FLOAT32 = 1 / 0.7, {"float32": 1 / 0.7, "bfloat16": 1.1}


def torch_dtype(precision: str) -> torch.dtype:
    """The number format of a precision's products: float32 where there are none."""
    return torch.float32 if precision in ("int16", "differences") else getattr(torch, precision)


def unrounded(precision: str) -> str:
    """The way to sweep that is the nearest to this one where weights must not be rounded to 16 bits."""
    return "differences" if precision == "int16" else precision


def pick_precision(
    n_visible: int, n_hidden: int, chains: int, k: int, device: torch.device, *, learning: bool = True
) -> tuple[str, str]:
    """The fastest way to sweep chains at these shapes, one of PRECISIONS, and a line that says why.

    chains: of this process. k: sweeps between two full sums, an update's; at k = 1 the full sum weighs most. learning:
    whether 'int16' will do, which only updates know, for at most MOST_WHOLE units a layer.

    'differences' and 'int16' (`kernels.chains`, CPU alone) add the rows of W whose units flipped; the others multiply
    by W in that format. Which is fastest depends on the processor: those without bfloat16 instructions emulate it
    slowly. So each is timed, after a warm-up, over sweeps of units that flip as often as a trained model's: at most
    MOST_SWEEPS of at most 200 chains, beyond which a sweep of a chain costs much the same. Where 'int16' will do, it
    stands for 'differences' too: it makes the same sums with half the bytes, and a busy moment could only hide that.
    The outcome is for the caller to keep: another process may find another one.
    RBM_PRECISION stands for the outcome: the tests run as on another processor with it. Raises ValueError if it is none
    of PRECISIONS.
    """
    whole = learning and max(n_visible, n_hidden) <= MOST_WHOLE
    if n_visible * n_hidden * chains < _TOO_SMALL:
        return "float32", "float32 (products this small take no time in any precision)"
    if forced := forced_precision():
        forced = forced if whole else unrounded(forced)
        return forced, f"{forced} (set by RBM_PRECISION)"
    return _timed(n_visible, n_hidden, min(chains, _TIMED_CHAINS), min(k, MOST_SWEEPS), device, whole)


@lru_cache
def _timed(
    n_visible: int, n_hidden: int, chains: int, k: int, device: torch.device, whole: bool
) -> tuple[str, str]:
    """`pick_precision` by timing, once a process: what is asked again gets the same answer."""
    ways = _ways_to_sweep(n_visible, n_hidden, chains, k, device, whole)
    seconds = _fastest({name: work for name, (work, _) in ways.items()}, device)
    each = {name: seconds[name] / sweeps for name, (_, sweeps) in ways.items()}
    chosen = best_way(each)
    timing = ", ".join(f"{name} {1e3 * s:.2f} ms" for name, s in each.items())
    which = f"a sweep of {chains} chains, {k} from a full sum"
    return chosen, f"{chosen} ({which}, in processor time: {timing})"


def best_way(seconds: dict[str, float]) -> str:
    """The way for a whole update, from what a sweep takes in each: products in a format, then differences or not."""
    dense = "bfloat16" if seconds["bfloat16"] < _CLEARLY * seconds["float32"] else "float32"
    rows = next((name for name in ("int16", "differences") if name in seconds), dense)
    worth = _WORTH if rows == "int16" else _WORTH_IN_FLOAT32[dense]
    return rows if seconds[rows] < worth * seconds[dense] else dense


def pick_way_down(
    n_visible: int, n_hidden: int, chains: int, k: int, device: torch.device
) -> tuple[str, str]:
    """'differences' or 'float32', and why, for visible units that are not 0 or 1: their hWᵀ, k times an update.

    v → h takes float32 products either way, so RBM_PRECISION does not ask for bfloat16 or int16 here. chains and k as
    in `pick_precision`, and as many of them timed at most.
    """
    if device.type != "cpu" or n_visible * n_hidden * chains < _TOO_SMALL:
        return "float32", "float32"
    if (forced := forced_precision()) in ("differences", "float32"):
        return forced, f"{forced} (set by RBM_PRECISION)"
    return _timed_down(n_visible, n_hidden, min(chains, _TIMED_CHAINS), min(k, MOST_SWEEPS), device)


@lru_cache
def _timed_down(V: int, H: int, chains: int, k: int, device: torch.device) -> tuple[str, str]:
    W, out = torch.full((V, H), _NO_WEIGHT), torch.empty(chains, V)
    sums = HiddenSums(W, chains)
    generator = torch.Generator().manual_seed(0)
    shown = [(torch.rand(chains, H, generator=generator) < 0.5).float()]
    for _ in range(k - 1):
        flips = torch.rand(chains, H, generator=generator) < 0.2
        shown.append(torch.where(flips, 1 - shown[-1], shown[-1]))

    def by_flips() -> None:
        sums.restart()
        for h in shown:
            sums.of(h, out)

    def by_products() -> None:
        for h in shown:
            torch.mm(h, W.T, out=out)

    seconds = _fastest({"differences": by_flips, "float32": by_products}, device)
    chosen = min(seconds, key=lambda name: seconds[name])
    timing = ", ".join(f"{name} {1e3 * s:.2f} ms" for name, s in seconds.items())
    return chosen, f"{chosen} (hidden to visible, {k} times {chains} chains, in processor time: {timing})"


def _ways_to_sweep(
    V: int, H: int, chains: int, k: int, device: torch.device, whole: bool
) -> dict[str, tuple[Callable[[], object], int]]:
    """name -> a function that sweeps chains of a model without weights, and how many sweeps it makes.

    A tenth of its pixels and two fifths of its hidden units toss a coin; the others never change. So 5 % and 20 % flip
    in a sweep, of 13 % and 49 % that are on, as in the middle of training on MNIST. whole: rows have 16 bits.
    """
    rng = Rng(0, "timing", device)

    def biases(n: int, coins: float, on: float) -> Tensor:
        place = torch.linspace(0, 1, n, device=device)[
            torch.randperm(n, generator=torch.Generator().manual_seed(n))
        ]
        return torch.where(place < coins, 0.0, torch.where(place < coins + on, 30.0, -30.0))

    vbias, hbias = biases(V, 0.10, 0.08), biases(H, 0.40, 0.29)

    def products(dtype: torch.dtype) -> Callable[[], object]:
        W = torch.full((V, H), _NO_WEIGHT, dtype=dtype, device=device)
        h = torch.ones(chains, H, dtype=dtype, device=device)
        v, x, y = (
            torch.empty(chains, V, dtype=dtype, device=device),
            torch.empty_like(h),
            h.new_empty(chains, V),
        )

        def sweep() -> None:
            rng.bernoulli(torch.mm(h, W.T, out=y), vbias, out=v)
            rng.bernoulli(torch.mm(v, W, out=x), hbias, out=h)

        return sweep

    ways = {str(d).removeprefix("torch."): (products(d), 1) for d in (torch.float32, torch.bfloat16)}
    if device.type != "cpu":
        return ways
    v = (vbias > 0).to(torch.uint8).repeat(chains, 1)
    name, dtype = ("int16", torch.int16) if whole else ("differences", torch.float32)
    rows = flipped_rows(torch.full((V, H), _NO_WEIGHT), dtype)
    # As many sweeps as an update makes, which begins with a full sum.
    return {name: (lambda: flip_sweeps(rows, vbias, hbias, v, k, rng), k), **ways}


def processor_clock() -> Callable[[], float]:
    """A clock of the processor time, s, of all threads together; made when the threads to be timed have begun.

    `time.process_time` alone is exact for the thread that asks. Linux counts the others in when its timer ticks, every
    4 ms, or when somebody reads their own clocks: a product of 0.3 ms on two threads seemed to take 0.3 or 4.3 ms.
    """
    try:
        others = [~int(thread) << 3 | 6 for thread in os.listdir("/proc/self/task")]  # clock_getres(2), Linux
    except OSError:
        return time.process_time

    def clock() -> float:
        for other in others:
            with suppress(OSError):  # it has ended, and is counted
                time.clock_gettime(other)
        return time.process_time()

    return clock


def _fastest(ways: dict[str, Callable[[], object]], device: torch.device) -> dict[str, float]:
    """Seconds of the fastest call of each way, after one that warms up: noise only ever adds.

    On the CPU it is the processor time of all threads together, which other processes hardly change; all ways use the
    same threads. The ways take turns, so that a busy moment falls on all of them; a turn is several calls, since
    torch's threads spin for a while after a product. A way that takes five times as long as another has no further
    turn.
    """

    def turn(work: Callable[[], object], seconds: float) -> float:
        best, begun = math.inf, time.perf_counter()
        while True:
            start = clock()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            best = min(best, clock() - start)
            if time.perf_counter() - begun > seconds:
                return best

    for work in ways.values():
        work()
    clock = time.perf_counter if device.type == "cuda" else processor_clock()
    best = {name: turn(work, 0.0) for name, work in ways.items()}
    for _ in range(_TURNS):
        for name, work in ways.items():
            if best[name] < 5 * min(best.values()):
                best[name] = min(best[name], turn(work, _TURN_S))
    return best
