"""One entry of one file of a run wrong at a time: the reader refuses it, or every page can show it.

Damage that spoils a whole file ends at the first entry that is looked at; here all others are sound. `make test` throws
every wrong entry at the reader, and of those that the reader takes a sample at the pages; `make soak` all of them.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from dashboard.figures import samples
from dashboard.processes import evaluators
from rbm_core.evaluation import evaluate
from rbm_core.runs import RunError, RunReader
from rbm_core.runs import notes as run_notes
from rbm_core.runs.evaluation_record import read_evaluation
from rbm_core.runs.files import tensor_bytes, tensors_from
from rbm_core.runs.past_models import PastModels, read_past_models
from rbm_core.runs.recorder import Recorder
from tests.dashboard.opened import open_page
from tests.robustness.damage import one_array_wrong, one_sentence, one_wrong
from tests.small_run import train_small

SOAK = bool(os.environ.get("RBM_SOAK"))
SHOWN = 1  # with `make test`, of each file on each page
LABELS = {
    f"{part}_{what}{error}": 0.5
    for part in ("train", "valid", "test")
    for what in ("error", "label_nats", "joint_nats")
    for error in ("", "_stderr")
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one run, whose files have every entry that a page draws."""
    root = tmp_path_factory.mktemp("sound")
    run = train_small(root, "one", dataset="bars-and-stripes", n_hidden=8, epochs=40, n_valid=0)
    for estimator in ("exact", "mixing", "pseudo", "trajectory", "bracket"):
        evaluate(run, estimator=estimator, betas=200, n_chains=4, sweeps_max=20)
    rows = RunReader(run).likelihood()
    rows[-1] |= LABELS
    (run / "likelihood.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    reader = RunReader(run)
    Recorder(run).write_live(reader.snapshot(reader.snapshot_steps()[-1]))
    for command, value in (
        ("set", {"name": "k", "value": 2}),
        ("speed", {"updates_per_second": 2.5}),
        ("extend", {"epochs": 50}),
        ("stop early", {"step": 3, "nats": -9.0}),
    ):
        Recorder(run).append_event(3, command, value, "page")
    run_notes.write_notes(run, run_notes.Notes(("a tag",), "a note"))
    kept = PastModels(
        (0,), np.zeros((1, 16, 8), np.float16), np.zeros((1, 16), np.float32), np.zeros((1, 8), np.float32)
    )
    Recorder(run).write_past_models(kept)
    return root


def rows_wrong(content: bytes) -> Iterator[tuple[str, bytes]]:
    """One entry of one row wrong, of the first row that has it; and the row before and behind as they were."""
    lines, seen = content.splitlines(), set()
    for number, line in enumerate(lines):
        row = json.loads(line)
        for what, spoilt in one_wrong(row):
            mark = what, row.get("estimator"), row.get("command")
            if mark not in seen:
                seen.add(mark)
                changed = json.dumps(spoilt).encode()
                yield (
                    f"line {number}: {what}",
                    b"\n".join([*lines[:number], changed, *lines[number + 1 :], b""]),
                )


def object_wrong(content: bytes) -> Iterator[tuple[str, bytes]]:
    for what, spoilt in one_wrong(json.loads(content)):
        yield what, json.dumps(spoilt).encode()


def tensors_wrong(content: bytes) -> Iterator[tuple[str, bytes]]:
    arrays, meta = tensors_from(content)
    for what, spoilt in one_array_wrong(arrays):
        yield what, tensor_bytes(spoilt, meta)
    for what, described in one_wrong(meta):
        yield f"meta: {what}", tensor_bytes(arrays, described)


KINDS = {".json": object_wrong, ".jsonl": rows_wrong, ".safetensors": tensors_wrong}
Read = Callable[[Path], object]
FILES: dict[str, tuple[Read, tuple[str, ...]]] = {  # what reads each file, and the pages that show it
    "config.json": (
        lambda run: RunReader(run).config(),
        ("train", "evaluate", "compare", "inspect", "gibbs"),
    ),
    "status.json": (lambda run: RunReader(run).status(), ("train", "compare")),
    "metrics.jsonl": (lambda run: RunReader(run).metrics(), ("train", "compare")),
    "events.jsonl": (lambda run: RunReader(run).events(), ("train", "compare")),
    "likelihood.jsonl": (lambda run: RunReader(run).likelihood(), ("evaluate", "compare", "train")),
    "notes.json": (run_notes.read_notes, ("compare",)),
    "probe.safetensors": (lambda run: RunReader(run).probe(), ("train", "inspect", "gibbs")),
    "live.safetensors": (lambda run: RunReader(run).live(), ("train", "inspect", "gibbs")),
    "trajectory.safetensors": (read_past_models, ("gibbs",)),
    "snapshots/*.safetensors": (
        lambda run: RunReader(run).snapshot(RunReader(run).snapshot_steps()[-1]),
        ("train", "inspect", "gibbs", "evaluate"),
    ),
    **{
        f"evaluations/*-{estimator}-*/progress.json": (
            lambda run, estimator=estimator: [
                read_evaluation(folder) for folder in run.glob(f"evaluations/*-{estimator}-*")
            ],
            ("evaluate",),
        )
        for estimator in ("exact", "mixing", "pseudo", "trajectory", "bracket")
    },
    "evaluations/*/samples.safetensors": (
        lambda run: [
            samples.sheet(v)
            for folder in run.glob("evaluations/*-mixing-*")
            for v in evaluators.images(run.name, folder.name)[0]
        ],
        ("evaluate",),
    ),
}


@pytest.fixture
def one(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run to make wrong, in a copy of the store."""
    shutil.copytree(sound, tmp_path / "store")
    monkeypatch.setenv("RBM_RUNS_DIR", str(tmp_path / "store"))
    return tmp_path / "store" / "one"


def taken(run: Path, pattern: str) -> list[tuple[str, bytes]]:
    """Every wrong content of the file that its reader takes; of the others it says a sentence."""
    file, (read, _) = sorted(run.glob(pattern))[-1], FILES[pattern]
    content, found, said = file.read_bytes(), [], "taken"
    try:
        for what, spoilt in KINDS[file.suffix](content):
            file.write_bytes(spoilt)
            try:
                read(run)
                found.append((what, spoilt))
            except RunError as refusal:
                said = str(refusal)
            except Exception as error:
                raise AssertionError(f"{pattern}: {what}") from error
            assert one_sentence(said), what
    finally:
        file.write_bytes(content)
    return found


@pytest.mark.parametrize("pattern", FILES)
def test_one_wrong_entry_is_read_and_shown_or_costs_a_sentence(one: Path, pattern: str) -> None:
    _, pages = FILES[pattern]
    file = sorted(one.glob(pattern))[-1]
    content, found = file.read_bytes(), taken(one, pattern)
    query = {"evaluation": file.parent.name} if file.parent.parent.name == "evaluations" else {}
    wrong = []
    for n, page in enumerate(pages):
        # Another start on each page, so that a sample differs from page to page.
        for what, spoilt in found if SOAK else found[n :: max(1, len(found) // SHOWN)]:
            file.write_bytes(spoilt)
            app = open_page(page, run="one", **query)
            if app.exception:
                wrong.append(f"{page}: {what}: {app.exception[0].value}")
    file.write_bytes(content)
    assert not wrong, "\n".join(wrong)
