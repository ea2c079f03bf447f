"""How many trainers and evaluations this machine bears at once, and whether one more fits in its memory: asked before
each start, under `one_at_a_time`.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from rbm_core import datasets
from rbm_core.config import ConfigError, RunConfig, make_config
from rbm_core.runs import RunError, RunReader, inside, store
from rbm_core.runs.evaluation_record import evaluation_folder
from rbm_core.runs.files import lock_is_held, takes_lock

PER_CORE = 2  # more of them would leave each less than half a core, and the app too little to show them
ENGINE_BYTES = 600_000_000  # torch, numba and their compiled loops, before any data
COPIES = 12  # of W while training: parameters, average, gradient, moments, half precision, chains' products
_in_this_app = threading.Lock()
# Counting takes some ms: who holds the store's folder for longer than this does something else.
_COUNTING_S = 2.0
evaluating: list[tuple[str, "subprocess.Popen[bytes]"]] = []
"""The evaluations that this app has started, by run: they hold no lock until their engine is loaded."""


@contextmanager
def one_at_a_time(root: Path) -> Iterator[None]:
    """Tabs and apps that start something at the same moment are counted one after another: each sees what the one
    before has started. Between apps the lock is one of the store's folder itself, which leaves no file there.
    """
    with _in_this_app, ExitStack() as held:
        if sys.platform != "win32":
            with suppress(OSError):  # there is no store yet, or its file system knows no locks
                folder = os.open(root, os.O_RDONLY)
                held.callback(os.close, folder)
                takes_lock(folder, _COUNTING_S, poll_interval=0.01)
        yield


def check(config: RunConfig | None) -> None:
    """Raises RunError in one sentence if the machine does not bear one more trainer or evaluation of such a run.

    config: None where this version cannot read it; only their number counts then.
    """
    under_way, most = _under_way(store.runs_root()), most_at_once()
    if len(under_way) >= most:
        raise RunError(
            f"this machine bears {most} trainers and evaluations at once, and as many are under way "
            f"({', '.join(under_way[:8])}): stop one, or wait until it ends"
        )
    free = bytes_free()
    if config is None or free is None:
        return
    if (needed := bytes_needed(config)) > free:
        raise RunError(
            f"this would need about {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free: choose a "
            "smaller model or less data, or stop another run"
        )


def config_of(run: Path) -> RunConfig | None:
    """The run's settings; None where this version cannot read them: its process then says so."""
    recorded = RunReader(run).config()["config"]
    try:
        return make_config(**{key: value for key, value in recorded.items() if key in RunConfig.model_fields})
    except ConfigError:
        return None


def most_at_once() -> int:
    return PER_CORE * max(2, os.cpu_count() or 1)


def _under_way(root: Path) -> list[str]:
    """What trains or evaluates a run of this store now, in words."""
    runs = store.list_runs(root)
    evaluating[:] = [(run, child) for run, child in evaluating if child.poll() is None]
    judged = [run for run, _ in evaluating]
    judged += [info.name for info in runs if info.name not in judged and _is_evaluated(info.path)]
    return [info.name for info in runs if info.live] + [f"an evaluation of {run}" for run in judged]


def _is_evaluated(run: Path) -> bool:
    """Whether a process, whoever has started it, works on one of the run's evaluations."""
    try:
        names = inside.names(run / "evaluations", run.parent)
    except OSError:
        return False
    return any(lock_is_held(evaluation_folder(run, name)) for name in names)


def bytes_needed(config: RunConfig) -> int:
    """What a trainer of this run takes at most, by its largest arrays: parameters, chains, and the data twice over.

    An evaluation has the same data and fewer copies of the parameters. Data that cannot be read take nothing: the
    process that would load them says so.
    """
    images, pixels = datasets.most_values(config.dataset, config.n_valid) or (0, 0)
    parameters = 4 * COPIES * (pixels + 1) * (config.n_hidden + 1)
    states = 4 * 4 * (pixels + config.n_hidden) * (config.n_chains + config.batch_size + 2 * 1000)
    return ENGINE_BYTES + parameters + states + (4 + 1) * images * pixels


def bytes_free() -> int | None:
    """The memory that a new process can have, by the kernel and by this process's control group; None where unknown."""
    found = []
    try:
        lines = dict(
            line.split(":", 1) for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        )
        found.append(1024 * int(lines["MemAvailable"].split()[0]))
    except (OSError, KeyError, ValueError):
        pass
    try:
        most = (Path("/sys/fs/cgroup") / "memory.max").read_text(encoding="utf-8").strip()
        used = int((Path("/sys/fs/cgroup") / "memory.current").read_text(encoding="utf-8"))
        reclaimable = dict(
            line.split()
            for line in (Path("/sys/fs/cgroup") / "memory.stat").read_text(encoding="utf-8").splitlines()
        )
        if most != "max":
            found.append(int(most) - used + int(reclaimable["inactive_file"]))
    except (OSError, KeyError, ValueError):
        pass
    return min(found) if found else None
