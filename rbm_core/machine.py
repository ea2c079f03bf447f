"""What this machine's processor and GPUs are called, and how threads share it, without torch."""

import platform
from pathlib import Path

__all__ = ["QUIET", "gpu_names", "processor_name"]

# The environment of a process that computes, set before torch is loaded. OpenMP's threads spin while they wait, which
# takes the cores from whatever else runs and, where there are more threads than free cores, from the very thread that
# they wait for: a trainer with two threads beside another busy process fell from 400 to 5 updates a second.
QUIET = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}


def processor_name() -> str:
    """What a person calls the processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def gpu_names() -> set[str]:
    """The names of the NVIDIA GPUs, where the driver lists them as files (Linux)."""
    names = set()
    for listed in Path("/proc/driver/nvidia/gpus").glob("*/information"):
        try:
            lines = listed.read_text().splitlines()
        except OSError:
            continue
        names |= {line.split(":", 1)[1].strip() for line in lines if line.startswith("Model")}
    return names
