"""Environment variables of the libraries hold nonsense: a sentence names the variable, its value and the way out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rbm_core.runs import RunReader
from tests.core.training_runs import make_run
from tests.live import REPO
from tests.robustness.damage import one_sentence

THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
NONSENSE = [
    *((name, value) for name in THREADS for value in ("abc", "0", "-1", "100000", "1e3", "")),
    *(("NUMBA_CACHE_DIR", value) for value in ("/dev/null/x", "/proc/none", "x" * 5000)),
    *((name, "abc") for name in ("NUMBA_OPT", "NUMBA_LOOP_VECTORIZE", "NUMBA_DEVELOPER_MODE")),
    ("NUMBA_DISABLE_JIT", "1"),
]
SOUND = [
    ("OMP_NUM_THREADS", "4,2"),
    ("NUMBA_NUM_THREADS", " 2 "),
    ("NUMBA_CACHE_DIR", ""),
    ("NUMBA_OPT", "max"),
]
# A child for each, since numba reads them when it is imported.
ASKED = """
import json, os, sys
import llvmlite.binding, numpy
for name, value in json.loads(sys.argv[1]):
    child = os.fork()
    if child == 0:
        os.environ[name] = value
        try:
            import rbm_core.kernels
            said = ""
        except ValueError as error:
            said = str(error)
        print(json.dumps(said), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_variable_that_holds_nonsense_is_named_with_its_value_and_the_way_out() -> None:
    asked = [*NONSENSE, *SOUND]
    done = subprocess.run(
        [sys.executable, "-c", ASKED, json.dumps(asked)], cwd=REPO, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    told = dict(zip(asked, map(json.loads, done.stdout.splitlines()), strict=True))
    for name, value in NONSENSE:
        said = told[name, value]
        assert said.startswith(f"the environment variable {name} is {value!r}, and must be "), (name, value)
        assert said.endswith(f"take it away (unset {name})")
        assert one_sentence(said) or len(value) > 1000
    assert [told[one] for one in SOUND] == [""] * len(SOUND)


@pytest.mark.slow
def test_a_trainer_says_it_as_the_end_of_its_run(runs_root: Path) -> None:
    run = make_run(runs_root, "of-the-app")
    settings = ["--preset", "quick", "--dataset", "bars-and-stripes", "--n-hidden", "8", "--name", "new"]
    script = (
        "import sys; from rbm_core.cli import main; from rbm_core.training import process; "
        f"assert main(['train', *{settings!r}]) == 2; sys.exit(process.main([{str(run)!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=REPO,
        env={**os.environ, "NUMBA_OPT": "abc"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    for name in ("new", "of-the-app"):
        status = RunReader(runs_root / name).status()
        assert status["state"] == "failed"
        assert status["message"].startswith("The environment variable NUMBA_OPT is 'abc', and must be ")
        assert not (runs_root / name / "trainer.log").exists()
