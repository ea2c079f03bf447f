"""How many trainers this machine bears at once, and whether one more fits in its memory: asked before each start."""

import os
from pathlib import Path

from rbm_core import datasets
from rbm_core.config import RunConfig
from rbm_core.runs import RunError, store

PER_CORE = 2  # more of them would leave each less than half a core, and the app too little to show them
ENGINE_BYTES = 600_000_000  # torch, numba and their compiled loops, before any data
COPIES = 12  # of W while training: parameters, average, gradient, moments, half precision, chains' products
_OWN_IMAGES, _OWN_PIXELS = 10_000, 4096  # of data of a reader's own, which would have to be read first


def check(config: RunConfig) -> None:
    """Raises RunError in one sentence if the machine does not bear one more trainer, of this run."""
    alive = [info.name for info in store.list_runs(store.runs_root()) if info.live]
    most = most_trainers()
    if len(alive) >= most:
        raise RunError(
            f"this machine bears {most} trainers at once, and as many are alive ({', '.join(alive[:8])}): stop one, or "
            "wait until it ends"
        )
    needed, free = bytes_needed(config), bytes_free()
    if free is not None and needed > free:
        raise RunError(
            f"this run would need about {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free: choose "
            "fewer hidden units or chains, or stop another run"
        )


def most_trainers() -> int:
    return PER_CORE * max(2, os.cpu_count() or 1)


def bytes_needed(config: RunConfig) -> int:
    """What a trainer of this run takes at most, by its largest arrays: parameters, chains, and the data twice over."""
    images, pixels = datasets.sizes(config.dataset, config.n_valid) or (_OWN_IMAGES, _OWN_PIXELS)
    parameters = 4 * COPIES * (pixels + 1) * (config.n_hidden + 1)
    states = 4 * 4 * (pixels + config.n_hidden) * (config.n_chains + config.batch_size + 2 * 1000)
    return ENGINE_BYTES + parameters + states + (4 + 1) * images * pixels


def bytes_free() -> int | None:
    """The memory that a new process can have, by the kernel and by this process's control group; None where unknown."""
    found = []
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        found.append(1024 * int(lines["MemAvailable"].split()[0]))
    except (OSError, KeyError, ValueError):
        pass
    try:
        most = (Path("/sys/fs/cgroup") / "memory.max").read_text().strip()
        used = int((Path("/sys/fs/cgroup") / "memory.current").read_text())
        reclaimable = dict(
            line.split() for line in (Path("/sys/fs/cgroup") / "memory.stat").read_text().splitlines()
        )
        if most != "max":
            found.append(int(most) - used + int(reclaimable["inactive_file"]))
    except (OSError, KeyError, ValueError):
        pass
    return min(found) if found else None
