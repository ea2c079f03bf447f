"""What this machine's processor and GPUs are called, and how threads and memory are shared, without torch."""

import ctypes
import platform
import sys
from pathlib import Path

__all__ = ["QUIET", "gpu_names", "hand_back_memory", "lacks_memory", "processor_kind", "processor_name"]

# The environment of a process that computes, set before torch is loaded. OpenMP's threads spin while they wait, which
# takes the cores from whatever else runs and, where there are more threads than free cores, from the very thread that
# they wait for: a trainer with two threads beside another busy process fell from 400 to 5 updates a second.
QUIET = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}


# As torch, C++, the system and its loader of libraries say it, and Python where there is none for a thread's stack.
_NO_MEMORY = (
    *(
        "out of memory",
        "can't allocate memory",
        "cannot allocate memory",
        "bad_alloc",
        "failed to map segment",
    ),
    "can't start new thread",
)


def processor_name() -> str:
    """What a person calls the processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def processor_kind() -> str:
    """What decides which products are fast: bfloat16, AVX-512 or AVX2 (Linux), else the machine's own name."""
    try:
        flags = (
            Path("/proc/cpuinfo").read_text(encoding="utf-8").split("flags", 1)[1].split("\n", 1)[0].split()
        )
    except (OSError, IndexError):
        return platform.machine()
    if {"avx512_bf16", "amx_bf16"} & set(flags):
        return "bfloat16"
    return "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else platform.machine()


def gpu_names() -> set[str]:
    """The names of the NVIDIA GPUs, where the driver lists them as files (Linux)."""
    names = set()
    for listed in Path("/proc/driver/nvidia/gpus").glob("*/information"):
        try:
            lines = listed.read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        names |= {line.split(":", 1)[1].strip() for line in lines if line.startswith("Model")}
    return names


def lacks_memory(error: BaseException) -> bool:
    """Whether the error says that memory could not be had."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in _NO_MEMORY)


def hand_back_memory() -> None:
    """What this process has freed goes back to the system. Without glibc it does nothing.

    By itself glibc hands back the end of its pools alone: one small block above what a saved state or an annealing took
    keeps all of it, 60 MB at 784 × 500, until the next one.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
