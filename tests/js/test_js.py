"""The JavaScript's own tests, a file each: `node --test`, with the Node that requirements-dev.txt installs."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.live import REPO

NODE = Path(sys.executable).parent / "node"
FILES = sorted(path.name for path in Path(__file__).parent.glob("*.test.js"))


@pytest.mark.parametrize("file", FILES)
def test_node_finds_no_fault(file: str) -> None:
    command = [NODE, "--test", "--test-reporter=spec", f"tests/js/{file}"]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tests 0" not in done.stdout, "node found no test in this file"
