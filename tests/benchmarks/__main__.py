"""make bench: one table from one run, the contestants taking turns, so that noise falls on all alike.

python -m tests.benchmarks [--device cuda] [--quick]
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from rbm_core.compute import device_name, resolve_device
from tests.benchmarks.contestants import CONTESTANTS, Shape, Update, observatory, sampling

SHAPES = [Shape(250, 5, 100), Shape(500, 1, 100), Shape(500, 5, 100), Shape(2000, 5, 2000)]
SLICE_S = 0.15  # how long a contestant runs before the next one has its turn


def timed(update: Update, seconds: float, device: torch.device) -> float:
    """Milliseconds a call, over about so many seconds."""
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


def updates_table(device: torch.device, rounds: int) -> None:
    for shape in SHAPES:
        print(f"\n{shape}\n{'':28}ms an update: median (quartiles)    × this engine   × bfloat16 floor")
        updates = {name: make(shape, str(device)) for name, make in CONTESTANTS.items()}
        times = interleaved(updates, rounds if shape.chains < 1000 else max(3, rounds // 5), device)
        ours, floor = times["RBM Observatory"], times["floor: products, bfloat16"]
        for name, own in times.items():
            # Ratios within a round, then their median: what slowed a round slowed both.
            to_ours = statistics.median(a / b for a, b in zip(own, ours, strict=True))
            to_floor = statistics.median(a / b for a, b in zip(own, floor, strict=True))
            print(f"{name:26}{spread(own):34}{to_ours:12.2f}{to_floor:18.2f}")
        both = [a + b for a, b in zip(times["floor: products, float32"], times["draws alone"], strict=True)]
        float32 = statistics.median(
            a / b for a, b in zip(times["RBM Observatory, float32"], both, strict=True)
        )
        print(f"float32 engine / (float32 floor + draws): {float32:.2f}")


def sampling_table(device: torch.device, rounds: int) -> None:
    print("\nPure sampling, 784 × 500, 100 chains\n" + f"{'':28}sweeps/s: median")
    names = ["engine", "engine, bfloat16", "rbms"]
    times = interleaved({n: sampling(n, 500, 100, str(device)) for n in names}, rounds, device)
    for name, own in times.items():
        print(f"{name:26}{1e3 / statistics.median(own):12,.0f}")


def scaling_table(device: torch.device, rounds: int) -> None:
    """The cost of an update against one dimension at a time, with the straight line through it."""
    print("\nGrowth of an update's time (784 × 500, k = 5, 100 chains, one dimension changed at a time)")
    sweeps = {
        "k": [(k, Shape(500, k, 100)) for k in (1, 2, 5, 10, 20)],
        "chains": [(n, Shape(500, 5, n)) for n in (100, 200, 400, 800)],
        "hidden units": [(n, Shape(n, 5, 100)) for n in (250, 500, 1000, 2000)],
    }
    for name, points in sweeps.items():
        updates = {str(x): observatory(shape, str(device)) for x, shape in points}
        times = [statistics.median(own) for own in interleaved(updates, max(3, rounds // 3), device).values()]
        xs = np.array([x for x, _ in points], float)
        slope, start = np.polyfit(xs, times, 1)
        residual = np.array(times) - (slope * xs + start)
        r2 = 1 - (residual**2).sum() / ((np.array(times) - np.mean(times)) ** 2).sum()
        shown = ", ".join(f"{x}: {t:.2f} ms" for (x, _), t in zip(points, times, strict=True))
        print(f"{name:14}{shown};  line {start:.2f} + {slope:.4f} × {name}, R² = {r2:.3f}")


def memory_table(device: torch.device) -> None:
    print("\nPeak memory above the imports, 784 × 500, k = 5, 100 chains" + f"\n{'':28}MB")
    for name in CONTESTANTS:
        command = [sys.executable, "-m", "tests.benchmarks", "--memory", name, "--device", str(device)]
        print(
            f"{name:26}{subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip():>8}"
        )


def peak_memory(name: str, device: torch.device) -> float:
    """MB that setting up and 20 updates add to the process at their peak (or take on the GPU)."""
    CONTESTANTS[name](
        Shape(8, 1, 8), str(device)
    )()  # its imports and compilations, at a size that is nothing
    if device.type == "cpu":
        Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten (Linux)
    before = _memory("VmRSS")
    update = CONTESTANTS[name](Shape(500, 5, 100), str(device))
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
    parser.add_argument("--memory", metavar="NAME", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    device = resolve_device(arguments.device)
    if arguments.memory:
        print(f"{peak_memory(arguments.memory, device):.0f}")
        return
    rounds = 5 if arguments.quick else 25
    print(f"{device_name(device)}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    updates_table(device, rounds)
    sampling_table(device, rounds)
    scaling_table(device, rounds)
    memory_table(device)


if __name__ == "__main__":
    main()
