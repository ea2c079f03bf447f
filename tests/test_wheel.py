"""What `pip install` gives: a wheel is built and installed into an environment of its own, and used from a folder that
holds nothing. The packages that it needs are lent by the environment of these tests, so that nothing is downloaded.
"""

import json
import os
import socket
import subprocess
import sys
import sysconfig
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from rbm_core.runs.store import SHIPPED_RUNS
from tests.live import REPO, SLOWER, until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", folder, REPO], check=True, stdout=subprocess.DEVNULL)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of a clean environment in which the wheel alone is installed."""
    home = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    bin_ = home / ("Scripts" if os.name == "nt" else "bin")
    installing = [sys.executable, "-m", "pip", "--python", home, "install", "--quiet"]
    installing += ["--no-deps", "--no-index", "--no-compile", wheel]
    subprocess.run(installing, check=True)
    (packages,) = home.glob("[Ll]ib/**/site-packages")
    (packages / "lent.pth").write_text(sysconfig.get_path("purelib"))
    return bin_


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="module")
def env() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "RBM_RUNS_DIR")}


def called(scripts: Path, elsewhere: Path, env: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [scripts / "rbm", *arguments], cwd=elsewhere, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_what_the_packages_read_and_nothing_of_a_living_run(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        there = set(archive.namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "rbm_core", "dashboard", *(f"checkpoints/{name}" for name in SHIPPED_RUNS)],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    )
    expected = {
        name.replace("checkpoints/", "rbm_core/shipped/")
        for name in tracked.stdout.splitlines()
        if (REPO / name).exists()
    }
    assert expected - there == set()
    assert [name for name in there if name.endswith(("resume.safetensors", ".lock", ".pyc"))] == []


def test_both_commands_work_from_an_empty_folder(scripts: Path, elsewhere: Path, env: dict[str, str]) -> None:
    assert "sweep" in called(scripts, elsewhere, env, "--help")
    listed = called(scripts, elsewhere, env, "runs")
    assert all(name in listed for name in SHIPPED_RUNS)
    assert list(elsewhere.iterdir()) == [], "a look at the list wrote something"
    settings = ("n_hidden=8", "updates=10", "precision=float32", "n_valid=0", "max_snapshots=4")
    changes = [part for one in settings for part in ("--set", one)]
    called(scripts, elsewhere, env, "train", "--dataset", "bars-and-stripes", "--name", "first", *changes)
    status = json.loads((elsewhere / "checkpoints" / "first" / "status.json").read_text())
    assert (status["state"], status["step"]) == ("finished", 10)
    assert "first" in called(scripts, elsewhere, env, "runs")
    assert [path.name for path in (elsewhere / "checkpoints").iterdir()] == ["first"]


@pytest.fixture
def health(scripts: Path, elsewhere: Path, env: dict[str, str]) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [scripts / "rbm-observatory", "--server.port", str(port), "--server.headless", "true"]
    with (elsewhere / "app.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=elsewhere, env=env, stdout=log, stderr=log)
    try:
        until(lambda: answer(port, "/_stcore/health") is not None, 20, "the app does not answer")
        yield f"{answer(port, '/_stcore/health')} {answer(port, '/_stcore/host-config')}"
    finally:
        process.terminate()
        process.wait(SLOWER * 20)


def answer(port: int, path: str) -> str | None:
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as page:
        return page.read().decode()
    return None


def test_the_app_starts_with_its_own_settings(health: str, elsewhere: Path) -> None:
    assert health.startswith("ok")
    log = elsewhere / "app.log"
    until(
        lambda: "http://127.0.0.1" in log.read_text(), 5, "another address than the app's own is listened on"
    )
    assert "Collecting usage statistics" not in log.read_text()
