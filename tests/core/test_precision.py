"""Which way to sweep is chosen by what each takes at a run's shapes, or by the environment; and what it was is said."""

import threading
import time
from collections.abc import Callable

import pytest
import torch

from rbm_core import precision
from rbm_core.config import ConfigError, make_config
from rbm_core.flips import HiddenSums
from rbm_core.precision import (
    MOST_SWEEPS,
    MOST_WHOLE,
    PRECISIONS,
    best_way,
    pick_precision,
    pick_way_down,
    processor_clock,
)
from rbm_core.training.state import chosen_precision


def test_precision_auto_says_what_it_timed_and_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RBM_PRECISION", raising=False)
    chosen, note = pick_precision(784, 500, 100, 5, torch.device("cpu"))
    assert note.startswith(chosen)
    assert all(f"{name} " in note for name in ("int16", "float32", "bfloat16"))
    assert note.count(" ms") == 3
    small, why = pick_precision(16, 8, 20, 5, torch.device("cpu"))
    assert small == "float32"
    assert "small" in why


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [
        # a sweep's ms as timed: AVX2; AMX tiles at 500, 1,000 and 2,000 hidden units; a GPU
        ({"differences": 1.1, "float32": 1.9, "bfloat16": 21.0}, "differences"),
        ({"differences": 0.62, "float32": 1.61, "bfloat16": 0.97}, "differences"),
        ({"differences": 1.58, "float32": 2.99, "bfloat16": 1.40}, "bfloat16"),
        ({"int16": 0.82, "float32": 3.20, "bfloat16": 1.73}, "int16"),
        ({"int16": 3.53, "float32": 11.19, "bfloat16": 4.45}, "int16"),
        ({"int16": 1.07, "float32": 1.90, "bfloat16": 1.00}, "int16"),  # one sweep an update
        ({"differences": 4.91, "float32": 9.92, "bfloat16": 3.93}, "bfloat16"),
        ({"float32": 1.0, "bfloat16": 0.6}, "bfloat16"),
        ({"float32": 1.0, "bfloat16": 0.8}, "float32"),  # not worth weights of 8 bits
        ({"differences": 1.6, "float32": 1.0, "bfloat16": 0.8}, "float32"),
        ({"differences": 1.3, "float32": 1.0, "bfloat16": 0.8}, "differences"),
        ({"int16": 0.6, "float32": 1.9, "bfloat16": 21.0}, "int16"),
        ({"int16": 1.6, "float32": 1.0, "bfloat16": 0.9}, "float32"),
    ],
)
def test_differences_are_judged_by_the_products_that_they_replace(
    seconds: dict[str, float], chosen: str
) -> None:
    assert best_way(seconds) == chosen


@pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="a clock of each thread is Linux's")
def test_the_processor_clock_has_what_every_thread_used_so_far_counted_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    enough, asked = threading.Event(), []
    threads = [threading.Thread(target=enough.wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    clocks = {time.pthread_getcpuclockid(thread.ident or 0) for thread in threads}
    clock = processor_clock()
    gone = min(clocks)

    def look(one: int) -> float:
        asked.append(one)
        if one == gone:
            raise OSError("it has ended")
        return 0.0

    monkeypatch.setattr(time, "clock_gettime", look)
    monkeypatch.setattr(time, "process_time", lambda: float(len(asked)))
    now = clock()
    enough.set()
    assert clocks <= set(asked)
    assert now == len(asked)  # asked for last


@pytest.mark.parametrize("name", PRECISIONS)
def test_the_environment_chooses_the_precision_that_would_be_timed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RBM_PRECISION", name)
    assert pick_precision(784, 500, 100, 5, torch.device("cpu")) == (name, f"{name} (set by RBM_PRECISION)")
    assert pick_precision(16, 8, 20, 5, torch.device("cpu"))[0] == "float32"
    monkeypatch.setenv("RBM_PRECISION", "float8")
    with pytest.raises(
        ValueError, match="RBM_PRECISION must be int16, differences, float32 or bfloat16, got 'float8'"
    ):
        pick_precision(784, 500, 100, 5, torch.device("cpu"))


def test_whole_numbers_are_for_updates_of_zeros_and_ones_in_layers_that_they_are_fine_enough_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for shades in ({"binarisation": "none"}, {"visible": "gaussian"}):
        with pytest.raises(ConfigError, match="int16 adds up pixels of 0 and 1; choose auto"):
            make_config(precision="int16", **shades)
    cpu, config = torch.device("cpu"), make_config(precision="int16", n_hidden=MOST_WHOLE)
    assert chosen_precision(config, MOST_WHOLE, cpu)[0] == "int16"
    with pytest.raises(
        ConfigError, match=f"at most {MOST_WHOLE} units, got {MOST_WHOLE + 1}: .* auto or differences"
    ):
        chosen_precision(config, MOST_WHOLE + 1, cpu)
    with pytest.raises(ConfigError, match="'int16' runs on the CPU alone; choose auto, float32 or bfloat16"):
        chosen_precision(config, 784, torch.device("cuda"))
    monkeypatch.setenv("RBM_PRECISION", "int16")
    assert pick_precision(784, MOST_WHOLE, 100, 5, cpu)[0] == "int16"
    assert pick_precision(784, MOST_WHOLE + 1, 100, 5, cpu)[0] == "differences"
    assert pick_precision(784, 500, 100, 5, cpu, learning=False)[0] == "differences"
    monkeypatch.delenv("RBM_PRECISION")
    monkeypatch.setattr(precision, "_fastest", lambda ways, device: dict.fromkeys(ways, 1.0))
    for units, learning, wanted in ((300, True, True), (300, False, False), (MOST_WHOLE + 1, True, False)):
        precision._timed.cache_clear()
        note = pick_precision(784, units, 100, 5, cpu, learning=learning)[1]
        assert ("int16 " in note, "differences " in note) == (wanted, not wanted)
    precision._timed.cache_clear()


@pytest.mark.parametrize(
    ("name", "chosen"),
    [("int16", "timed"), ("differences", "differences"), ("float32", "float32"), ("bfloat16", "timed")],
)
def test_the_way_down_for_shades_is_the_one_in_the_environment_but_for_bfloat16_which_rounds_them(
    name: str, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RBM_PRECISION", name)
    monkeypatch.setattr(precision, "_timed_down", lambda *shape: ("timed", "timed"))
    assert pick_way_down(784, 500, 100, 5, torch.device("cpu"))[0] == chosen
    assert pick_way_down(16, 8, 20, 5, torch.device("cpu"))[0] == "float32"
    assert pick_way_down(784, 500, 100, 5, torch.device("cuda")) == ("float32", "float32")


@pytest.mark.parametrize(("seconds", "chosen"), [((1.0, 2.0), "differences"), ((2.0, 1.0), "float32")])
def test_the_way_down_is_the_faster_of_the_two_that_are_timed_and_both_draw_the_same(
    seconds: tuple[float, float], chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RBM_PRECISION", raising=False)
    calls: list[str] = []
    of, mm = HiddenSums.of, torch.mm

    def timed(ways: dict[str, Callable[[], object]], device: torch.device) -> dict[str, float]:
        for name, work in ways.items():
            calls.append(name)
            work()
        return dict(zip(("differences", "float32"), seconds, strict=True))

    monkeypatch.setattr(precision, "_fastest", timed)
    monkeypatch.setattr(HiddenSums, "of", lambda *a: (calls.append("rows"), of(*a)))
    monkeypatch.setattr(torch, "mm", lambda *a, **k: (calls.append("product"), mm(*a, **k))[1])
    for k, sweeps in ((3, 3), (500, MOST_SWEEPS)):
        precision._timed_down.cache_clear()
        calls.clear()
        way, note = pick_way_down(784, 500, 100, k, torch.device("cpu"))
        assert way == chosen
        assert note.startswith(f"{chosen} (hidden to visible, {sweeps} times 100 chains")
        assert calls == ["differences", *["rows"] * sweeps, "float32", *["product"] * sweeps]
    precision._timed_down.cache_clear()


def test_as_many_sweeps_are_timed_as_an_update_makes_of_as_many_chains_as_a_rank_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("RBM_PRECISION", raising=False)
    seen: list[tuple[int, int]] = []
    monkeypatch.setattr(precision, "flip_sweeps", lambda rows, b, c, v, n, rng: seen.append((len(v), n)))

    def timed(ways: dict[str, Callable[[], object]], device: torch.device) -> dict[str, float]:
        ways["int16"]()
        return {"int16": 1.0, "float32": 1.5, "bfloat16": 9.0}

    monkeypatch.setattr(precision, "_fastest", timed)
    precision._timed.cache_clear()
    for ranks, chains, k in ((1, 120, 1), (2, 120, 7), (1, 5000, 40)):
        config = make_config(n_hidden=500, batch_size=20, n_chains=chains, k=k)
        _, note = chosen_precision(config, 784, torch.device("cpu"), ranks)
        timed_chains, timed_sweeps = seen[-1]
        assert (timed_chains, timed_sweeps) == (min(chains // ranks, 200), min(k, MOST_SWEEPS))
        assert f"a sweep of {timed_chains} chains, {timed_sweeps} from a full sum" in note
        assert f"int16 {1e3 / timed_sweeps:.2f} ms" in note
    precision._timed.cache_clear()


def test_another_device_times_products_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[torch.Size, torch.dtype]] = []

    class Stream:
        def __init__(self, *name: object) -> None: ...

        def bernoulli(self, logits: torch.Tensor, bias: torch.Tensor, *, out: torch.Tensor) -> None:
            assert bias.shape == logits.shape[1:]
            assert out.shape == logits.shape
            drawn.append((logits.shape, logits.dtype))

    monkeypatch.setattr(precision, "Rng", Stream)
    ways = precision._ways_to_sweep(30, 20, 7, 5, torch.device("meta"), True)
    for work, sweeps in ways.values():
        work()
        assert sweeps == 1
    shapes = ((7, 30), (7, 20))
    assert drawn == [(shape, getattr(torch, name)) for name in ("float32", "bfloat16") for shape in shapes]
