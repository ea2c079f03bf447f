"""What a command prints cannot be printed: no space left behind `2>`, a reader that is gone, streams that are closed.
Its work goes on to its end and is recorded; a result that is lost is said where it can be.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rbm_core.runs import RunReader, list_runs
from tests.core.training_runs import make_run
from tests.live import REPO

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")

LOST = ("/dev/full", "closed", "nobody reads")
STREAMS = [(out, err) for out in ("kept", *LOST) for err in ("kept", *LOST) if (out, err) != ("kept", "kept")]
if not os.environ.get("RBM_SOAK"):
    STREAMS = [("kept", "/dev/full"), ("/dev/full", "kept"), *zip(LOST, LOST, strict=True)]
# It loads the engine once and forks a child for each of STREAMS, whose streams are those of a fresh interpreter.
COMMANDS = """
import json, os, sys
from pathlib import Path
from rbm_core.cli import main
from rbm_core.training import process

root = Path(sys.argv[1])
RUNS = ["--runs", str(root)]
SMALL = ["--preset", "quick", "--dataset", "bars-and-stripes", "--n-hidden", "8", "--epochs", "2", *RUNS]
assert main(["train", "--name", "first", *SMALL]) == 0

def placed(name, number, where):
    if where == "kept":
        where = root.parent / f"{name}-kept"
    if where == "closed":
        os.close(number)
        made = None
    else:
        read, written = os.pipe() if where == "nobody reads" else (None, os.open(where, os.O_WRONLY | os.O_CREAT))
        if read is not None:
            os.close(read)
        os.dup2(written, number)
        os.close(written)
        made = open(number, "w", closefd=False)
    setattr(sys, name, made)
    setattr(sys, f"__{name}__", made)

for n, (out, err) in enumerate(json.loads(sys.argv[2])):
    child = os.fork()
    if child == 0:
        codes = {}
        try:
            placed("stdout", 1, out)
            placed("stderr", 2, err)
            codes["trainer"] = process.main([str(root / f"made-{n}")])
            file, grid = str(root.parent / f"{n}.npz"), ["--grid", "n_hidden=0"]  # whose sentence is an error's
            for name, given in {
                "train": ["--name", f"trained-{n}", *SMALL],
                "runs": RUNS,
                "evaluate": ["trained-{n}".format(n=n), "--estimator", "exact", *RUNS],
                "export": ["first", "--out", file, *RUNS],
                "import": [file, "--name", f"brought-{n}", "--dataset", "bars-and-stripes", *RUNS],
                "sweep": [*grid, *RUNS],
            }.items():
                codes[name] = main([name, *given])
        except BaseException as error:
            codes["raised"] = repr(error)
        (root.parent / f"codes-{n}").write_text(json.dumps(codes))
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.mark.slow
def test_no_command_ends_because_it_cannot_print(runs_root: Path) -> None:
    for n in range(len(STREAMS)):
        make_run(runs_root, f"made-{n}", epochs=2)
    told = subprocess.run(
        [sys.executable, "-c", COMMANDS, str(runs_root), json.dumps(STREAMS)],
        cwd=REPO,
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # a child that is forked has no thread but one
        capture_output=True,
        text=True,
        check=True,
    )
    for n, (out, err) in enumerate(STREAMS):
        codes = json.loads((runs_root.parent / f"codes-{n}").read_text())
        lost = int(out in ("/dev/full", "nobody reads"))  # whoever closes a stream wants nothing from it
        results = dict.fromkeys(("runs", "evaluate", "export", "import"), lost)
        assert codes == {"trainer": 0, "train": 0, **results, "sweep": 2}, (out, err)
        for name in (f"trained-{n}", f"made-{n}"):
            assert RunReader(runs_root / name).status()["state"] == "finished", (out, err)
        assert len(RunReader(runs_root / f"trained-{n}").likelihood()) == 1
    assert all(info.error is None and info.state != "starting" for info in list_runs(runs_root))
    said = (runs_root.parent / "stderr-kept").read_text()
    assert "Traceback" not in said + told.stderr
    assert "Error: done, but what it prints cannot be written: No space left on device" in said


WATCHED = """
import os, sys
from pathlib import Path
from rbm_core.cli import main
from rbm_core.runs.recorder import Recorder

true = Recorder.append_metrics
def append_metrics(recorder, row):
    true(recorder, row)
    Path(sys.argv[1]).write_text(" ".join(os.readlink(f"/proc/self/fd/{n}") for n in range(3)))

Recorder.append_metrics = append_metrics
sys.exit(main(["train", *sys.argv[2:]]))
"""


@pytest.mark.slow
def test_what_a_library_writes_to_a_closed_stream_gets_into_no_file_of_the_run(runs_root: Path) -> None:
    settings = ["--preset", "quick", "--dataset", "bars-and-stripes", "--n-hidden", "8", "--epochs", "2"]
    seen = runs_root.parent / "seen"
    command = [sys.executable, "-c", WATCHED, str(seen), *settings, "--name", "new"]
    done = subprocess.run(["sh", "-c", '"$@" <&- >&- 2>&-', "sh", *command], cwd=REPO)
    assert done.returncode == 0
    assert RunReader(runs_root / "new").status()["state"] == "finished"
    assert seen.read_text() == "/dev/null /dev/null /dev/null"
