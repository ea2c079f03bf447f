"""Machine code that numba kept is not used after the source of what it was compiled from has changed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rbm_core

SHOW = """
import numpy as np
from rbm_core.kernels import draws
out = np.empty((1, 4), np.float32)
draws.uniform(out, 1, 2, 3, 4, 5)
print(out.max())
"""


@pytest.mark.slow
def test_a_kernel_follows_a_change_of_a_function_in_another_file_that_it_calls(tmp_path: Path) -> None:
    copy = shutil.copytree(
        Path(rbm_core.__file__).parent, tmp_path / "rbm_core", ignore=shutil.ignore_patterns("__pycache__")
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    environment.pop("NUMBA_CACHE_DIR", None)

    def shown() -> float:
        command = [sys.executable, "-c", SHOW]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return float(done.stdout)

    assert 0 < shown() < 1
    primitives = copy / "kernels" / "primitives.py"
    text = primitives.read_text()
    assert text.count("float32(1.0 - 2.0**-24)") == 1
    primitives.write_text(text.replace("float32(1.0 - 2.0**-24)", "float32(1.0 - 2.0**-24) + float32(7.0)"))
    assert shown() > 7
