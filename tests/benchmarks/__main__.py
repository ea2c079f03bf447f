"""make bench: one table from one run, the contestants taking turns, so that noise falls on all alike.

python -m tests.benchmarks [--device cuda] [--quick] [--part updates] [--avx2]
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from rbm_core.compute import device_name, resolve_device
from rbm_core.likelihood import ais, base_rate, reverse_ais
from rbm_core.machine import processor_kind
from tests.benchmarks.contestants import (
    AGES,
    BFLOAT16,
    CONTESTANTS,
    FLOORS,
    OURS,
    RBMS,
    Shape,
    Update,
    observatory,
    sampling,
    start_at,
    way_of,
    whole_runs,
)

MAIN = Shape(500, 5, 100)
SHAPES = [MAIN, Shape(500, 1, 100), Shape(250, 5, 100), Shape(250, 1, 100), Shape(2000, 5, 2000)]
# The environment in which torch, its libraries, scikit-learn's and numba keep to AVX2 on a processor that has more.
AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+avx2,+fma,+bmi,+bmi2,+f16c,+lzcnt,+movbe,+popcnt",
}
SLICE_S = 0.15  # how long a contestant runs before the next one has its turn


def timed(update: Update, seconds: float, device: torch.device) -> float:
    """Milliseconds a call, measured for about `seconds`."""
    calls, start = 0, time.perf_counter()
    while True:
        update()
        calls += 1
        if device.type == "cuda":
            if calls % 50 == 0 or time.perf_counter() - start >= seconds:
                torch.cuda.synchronize(device)
        if time.perf_counter() - start >= seconds:
            return 1e3 * (time.perf_counter() - start) / calls


def interleaved(updates: dict[str, Update], rounds: int, device: torch.device) -> dict[str, list[float]]:
    """name -> ms a call in each round."""
    times: dict[str, list[float]] = {name: [] for name in updates}
    for update in updates.values():
        timed(update, SLICE_S, device)  # warm up: compile, allocate, fill caches
    for _ in range(rounds):
        for name, update in updates.items():
            times[name].append(timed(update, SLICE_S, device))
    return times


def spread(values: list[float]) -> str:
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:9.3f}  ({low:.3f} – {high:.3f})"


def _kind() -> str:
    """The processor's kind, or what it is held to."""
    return "AVX2" if os.environ.items() >= AVX2.items() else processor_kind()


def contestants(device: torch.device) -> list[str]:
    """Who takes part: bfloat16 products only where the device makes them and does not emulate them."""
    emulated = device.type == "cpu" and _kind() != "bfloat16"
    return [name for name in CONTESTANTS if not (emulated and name == BFLOAT16)]


def updates_table(device: torch.device, rounds: int) -> None:
    of_ages: dict[str, list[float]] = {}
    for shape in SHAPES:
        for age in (*AGES, None) if shape == MAIN else (AGES[1],):
            at = "noise" if age is None else f"step {age:,} of the shipped run"
            print(
                f"\n{shape}, from {at}\n{'':26}ms an update: median (quartiles)      × this engine   × products"
            )
            names = contestants(device)
            floor = names[-1]
            updates = {name: CONTESTANTS[name](shape, start_at(shape, age), str(device)) for name in names}
            times = interleaved(updates, rounds if shape.chains < 1000 else max(3, rounds // 5), device)
            for name, own in times.items():
                print(
                    f"{name:26}{spread(own):36}{ratio(own, times[OURS]):12.2f}{ratio(own, times[floor]):13.2f}"
                )
            others = [RBMS, *(name for name in names if name in FLOORS)]
            ratios = {name: ratio(times[OURS], times[name]) for name in others}
            print(f"this engine ({way_of(updates[OURS])}): {_shares(ratios)}", flush=True)
            if shape == MAIN and age is not None:
                for name, own in ratios.items():
                    of_ages.setdefault(name, []).append(own)
        if shape == MAIN:
            medians = {name: statistics.median(own) for name, own in of_ages.items()}
            print(f"\n{MAIN}, the median over the {len(AGES)} ages: {_shares(medians)}", flush=True)


def _shares(ratios: dict[str, float]) -> str:
    """How long this engine takes beside each of the others, in words."""
    return ", ".join(f"{own:.3f} of {name}" for name, own in ratios.items())


def processor_table(device: torch.device, rounds: int) -> None:
    """The fastest call of each in processor time of one thread: what other processes on the machine change least.

    Without scikit-learn, whose products have threads of their own that spin.
    """
    names = [name for name in contestants(device) if not name.startswith("scikit-learn")]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    print("\nProcessor time of an update on one thread, ms, the fastest call")
    for shape in (s for s in SHAPES if s.chains < 1000):
        for age in (*AGES, None) if shape == MAIN else (AGES[1],):
            start = start_at(shape, age)
            updates = {name: CONTESTANTS[name](shape, start, str(device)) for name in names}
            best = dict.fromkeys(updates, float("inf"))
            for _ in range(rounds):
                for name, update in updates.items():
                    for _ in range(6):
                        begun = time.process_time()
                        update()
                        best[name] = min(best[name], time.process_time() - begun)
            shown = ", ".join(f"{name} {1e3 * s:.2f}" for name, s in best.items())
            print(f"{shape}, from {'noise' if age is None else f'step {age:,}'}: {shown}", flush=True)
    torch.set_num_threads(threads)


def ratio(one: list[float], other: list[float]) -> float:
    """The median of the ratios within a round: what slowed a round slowed both."""
    return statistics.median(a / b for a, b in zip(one, other, strict=True))


def sampling_table(device: torch.device, rounds: int) -> None:
    print("\nPure sampling, 784 × 500, 100 chains\n" + f"{'':26}sweeps/s, median")
    sweeps = 50
    for age in AGES:
        start = start_at(MAIN, age)
        updates = {name: sampling(name, start, str(device), sweeps) for name in (OURS, RBMS)}
        times = interleaved(updates, rounds, device)
        shown = ", ".join(f"{n} {1e3 * sweeps / statistics.median(own):,.0f}" for n, own in times.items())
        print(f"step {age:6,}: {shown}; {ratio(times[RBMS], times[OURS]):.1f} times as many", flush=True)


def annealing_table(device: torch.device) -> None:
    """AIS and reverse AIS as `evaluate` does them: 500 hidden units, 100 chains, 14,500 temperatures."""
    start = start_at(MAIN, AGES[-1])
    rbm = start.rbm(str(device))
    base, v = base_rate(rbm, start.digits.mean(0)), torch.from_numpy(start.v)
    directions = {"AIS": ais, "Reverse AIS": partial(reverse_ais, starts=v)}
    print()
    for name, estimate in directions.items():
        estimate(rbm, betas=100, base_vbias=base)  # compiles
        begun = time.perf_counter()
        result = estimate(rbm, base_vbias=base)
        seconds = time.perf_counter() - begun
        print(
            f"{name}, 784 × 500, 100 chains × 14,500: {seconds:.1f} s, log Z {result.log_z:.2f}", flush=True
        )


def whole_runs_table(device: torch.device, updates: int) -> None:
    """The first updates of preset `default`, the contestants taking turns of 100."""
    seconds: dict[str, float] = {}
    runs = whole_runs(str(device))
    for update in runs.values():
        update()  # compiles
    for _ in range(updates // 100):
        for name, update in runs.items():
            begun = time.perf_counter()
            for _ in range(100):
                update()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - begun
    shown = ", ".join(f"{name} {s:.1f} s" for name, s in seconds.items())
    rates = "the other two at a constant learning rate, which costs them nothing"
    print(
        f"\nPreset default, the first {updates:,} updates, nothing measured or saved, {rates}: {shown}",
        flush=True,
    )


def scaling_table(device: torch.device, rounds: int) -> None:
    """The cost of an update against one dimension at a time, with the straight line through it."""
    print("\nGrowth of an update's time (784 × 500, k = 5, 100 chains, one dimension changed at a time)")
    sweeps = {
        "k": [(k, Shape(500, k, 100)) for k in (1, 2, 5, 10, 20)],
        "chains": [(n, Shape(500, 5, n)) for n in (100, 200, 400, 800)],
        "hidden units": [(n, Shape(n, 5, 100)) for n in (250, 500, 1000, 2000)],
    }
    for name, points in sweeps.items():
        updates = {str(x): observatory(shape, start_at(shape, AGES[1]), str(device)) for x, shape in points}
        times = [statistics.median(own) for own in interleaved(updates, max(3, rounds // 3), device).values()]
        xs = np.array([x for x, _ in points], float)
        slope, start = np.polyfit(xs, times, 1)
        residual = np.array(times) - (slope * xs + start)
        r2 = 1 - (residual**2).sum() / ((np.array(times) - np.mean(times)) ** 2).sum()
        shown = ", ".join(f"{x}: {t:.2f} ms" for (x, _), t in zip(points, times, strict=True))
        print(f"{name:14}{shown};  line {start:.2f} + {slope:.4f} × {name}, R² = {r2:.3f}")


def memory_table(device: torch.device) -> None:
    print("\nPeak memory above the imports, 784 × 500, k = 5, 100 chains" + f"\n{'':28}MB")
    for name in contestants(device):
        command = [sys.executable, "-m", "tests.benchmarks", "--memory", name, "--device", str(device)]
        print(
            f"{name:26}{subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip():>8}"
        )


def peak_memory(name: str, device: torch.device) -> float:
    """MB that setting up and 20 updates add to the process at their peak (or take on the GPU)."""
    tiny = Shape(8, 1, 8)
    CONTESTANTS[name](tiny, start_at(tiny, None), str(device))()  # its imports and compilations
    start = start_at(MAIN, AGES[1])
    if device.type == "cpu":
        Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten (Linux)
    before = _memory("VmRSS")
    update = CONTESTANTS[name](MAIN, start, str(device))
    for _ in range(20):
        update()
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    return _memory("VmHWM") - before


def _memory(field: str) -> float:
    """MB of a line of /proc/self/status: VmRSS is held now, VmHWM was held at most."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(field)).split()[1]) / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--quick", action="store_true", help="a fifth of the rounds, for a first look")
    parts = ("updates", "processor", "sampling", "annealing", "runs", "growth", "memory")
    parser.add_argument("--part", choices=parts, help="one of the tables instead of all")
    parser.add_argument("--avx2", action="store_true", help="as on a processor that has AVX2 and no more")
    parser.add_argument("--memory", metavar="NAME", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.avx2 and _kind() != "AVX2":  # libraries ask for their instructions when they are loaded
        os.execve(
            sys.executable, [sys.executable, "-m", "tests.benchmarks", *sys.argv[1:]], os.environ | AVX2
        )
    device = resolve_device(arguments.device)
    if arguments.memory:
        print(f"{peak_memory(arguments.memory, device):.0f}")
        return
    rounds = 5 if arguments.quick else 25
    held = "held to " if _kind() != processor_kind() else ""
    kind = "" if device.type == "cuda" else f" ({held}{_kind()})"
    print(f"{device_name(device)}{kind}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    parts: dict[str, Callable[[], None]] = {
        "updates": lambda: updates_table(device, rounds),
        "processor": lambda: processor_table(device, rounds) if device.type == "cpu" else None,
        "sampling": lambda: sampling_table(device, rounds),
        "annealing": lambda: annealing_table(device),
        "runs": lambda: whole_runs_table(device, 500 if arguments.quick else 5000),
        "growth": lambda: scaling_table(device, rounds),
        "memory": lambda: memory_table(device),
    }
    for name, part in parts.items():
        if arguments.part in (None, name):
            part()


if __name__ == "__main__":
    main()
