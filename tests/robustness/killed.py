"""A process that loads the engine once and forks a child for each wish, which is killed inside the write of a file.

Each line of its input is a wish in JSON: {"do": a key of WRITERS, "path": what is given to it, "place": one of PLACES
or "none", "file": what the name of the file contains, as a regular expression, "count": at which arrival} begins a
child, {"end": its pid} waits for one. It answers with the child's pid, or with its wait status.
"""

import io
import json
import os
import re
import resource
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rbm_core.evaluation.job
from rbm_core import datasets
from rbm_core.cli import main as command
from rbm_core.evaluation import evaluate
from rbm_core.exchange import importing
from rbm_core.exchange.bundle import open_bundle
from rbm_core.runs import create_run, notes
from rbm_core.training import process, report
from tests.core.training_runs import TINY, make_run

PLACES = ("open", "half", "replace", "replaced", "line", "remove")
"""Where a write can be cut: before and in the middle of the content, before and after the rename, in a line that is
appended, before a file is removed."""
_HALF = 10  # bytes of a file that are written before the kill


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _exported(run: Path, ending: str) -> None:
    assert (
        command(
            ["export", run.name, "--out", str(run.parent.parent / f"out{ending}"), "--runs", str(run.parent)]
        )
        == 0
    )


def _kept(run: Path) -> None:
    datasets.brought_in(run.parent.parent / "own.npy", root=run.parent.parent / "data")


WRITERS: dict[str, Callable[[Path], object]] = {
    "train": lambda run: process.main([str(run)]),
    "count": lambda run: evaluate(run, estimator="exact"),
    "anneal": lambda run: evaluate(run, estimator="bracket", betas=200, n_chains=4),
    "sample": lambda run: evaluate(run, estimator="mixing", sweeps_max=20, n_chains=4),
    "note": lambda run: notes.write_notes(run, notes.Notes((), "after")),
    "create": lambda run: create_run(run.parent, "new", {**TINY, "n_hidden": 8}),
    "fork": lambda run: create_run(
        run.parent, "new", {**TINY, "n_hidden": 8}, origin={"run": run.name, "step": 0}
    ),
    "import": lambda run: importing.import_model(
        run.parent.parent / "model.npz", "new", root=run.parent, dataset="bars-and-stripes", preset="quick"
    ),
    "open a bundle": lambda run: open_bundle(run.parent.parent / "run.zip", run.parent, "new"),
    "export a bundle": lambda run: _exported(run, ".zip"),
    "export parameters": lambda run: _exported(run, ".npz"),
    "keep data": _kept,
}
"""What is done with a run. Beside its store lie own.npy, model.npz and run.zip, and there go what is exported."""


def arm(place: str, file: str, count: int) -> None:
    """From now on this process is killed at its count-th arrival at the place in the life of a file of this name."""
    left, pattern = count, re.compile(file)

    def arrived(name: object) -> bool:
        nonlocal left
        if not isinstance(name, (str, os.PathLike)) or not pattern.search(os.path.basename(name)):
            return False
        left -= 1
        return left == 0

    def heard(event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and place in ("open", "half"):
            if args[2] & (os.O_WRONLY | os.O_RDWR) and arrived(args[0]):
                if place == "open":
                    _kill()
                # The system itself kills in the middle of a write, whoever writes.
                signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                resource.setrlimit(resource.RLIMIT_FSIZE, (_HALF, _HALF))
        elif (event, place) == ("os.rename", "replace") and arrived(args[1]):
            _kill()
        elif (event, place) == ("os.remove", "remove") and arrived(args[0]):
            _kill()

    true_replace, true_open = os.replace, os.fdopen

    def replaced(source: Any, target: Any, **options: Any) -> None:
        true_replace(source, target, **options)
        if arrived(target):
            _kill()

    class Cut(io.FileIO):
        def write(self, data: Any) -> int:
            if arrived(os.readlink(f"/proc/self/fd/{self.fileno()}")):
                super().write(data[: len(data) // 2])
                _kill()
            return super().write(data)

    def opened(handle: int, mode: str = "r", *args: Any, **options: Any) -> Any:
        return Cut(handle, mode) if mode == "r+b" else true_open(handle, mode, *args, **options)

    if place == "replaced":
        os.replace = replaced
    if place == "line":
        os.fdopen = opened
    sys.addaudithook(heard)


def _answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def main() -> None:
    process.SAVE_S = report.SHOW_S = 0.05  # every kind of write happens often
    rbm_core.evaluation.job.SAVE_S = 0.0
    with (
        tempfile.TemporaryDirectory() as folder
    ):  # what a training loads is loaded before any child is forked
        process.run(make_run(Path(folder), "first", epochs=1))
    for line in sys.stdin:
        wish = json.loads(line)
        if "end" in wish:
            _answer(os.waitpid(wish["end"], 0)[1])
            continue
        child = os.fork()
        if child == 0:
            try:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the answers are the parent's
                arm(wish["place"], wish["file"], wish["count"])
                WRITERS[wish["do"]](Path(wish["path"]))
            except BaseException as error:
                sys.stderr.write(f"{error!r}\n")
                os._exit(1)
            os._exit(0)
        _answer(child)


if __name__ == "__main__":
    main()
