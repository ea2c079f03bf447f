"""What this machine's processor and GPUs are called, without torch."""

import platform
from pathlib import Path

__all__ = ["gpu_names", "processor_name"]


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
