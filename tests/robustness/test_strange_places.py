"""A store may lie anywhere: in a folder whose name holds spaces, brackets, quotes, lines or bytes that are no text,
very deep, or behind a link. A run lives there from its first update to its deletion; nothing is written elsewhere.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard.processes import evaluators, exchange, trainers
from rbm_core.cli import main
from rbm_core.config import make_config
from rbm_core.runs import RunReader, files, list_runs, store
from rbm_core.runs.evaluation_record import list_evaluations
from tests.core.training_runs import TINY, wait_for
from tests.dashboard.opened import open_page
from tests.live import REPO
from tests.robustness.after import nothing_half_written

PLACES: dict[str, str] = {
    "spaces": " my  runs",
    "brackets": "[bold]*?[!a]{x}[/bold]",
    "quotes": 'it\'s "so" `$HOME` $(x) & ; | #',
    "lines": "two\nlines\tand\r\x1b[31m",
    "letters": "zoë-数据-🙂-\u202e",
    "bytes": os.fsdecode(b"no \xff\xfe\n text"),
    "options": "--runs=x",
    "markdown": "![p](http://evil.example/p.png) $x^2$ :red[r]",
    "percent": "%20%s%(x)s{0}\\n\\\\",
    "deep": "/".join(["deep" * 30] * 12),
    "a link": "link",
}
SETTINGS = ["--preset", "quick", "--dataset", "bars-and-stripes", "--n-hidden", "8", "--epochs", "2"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """place(name) -> the store in a folder of its own, which the app and every command find by RBM_RUNS_DIR."""

    def made(name: str) -> Path:
        root = tmp_path / "room" / PLACES[name]
        root.parent.mkdir(parents=True)
        if name == "a link":
            (tmp_path / "real").mkdir()
            root.symlink_to(tmp_path / "real")
        monkeypatch.setenv("RBM_RUNS_DIR", str(root))
        monkeypatch.chdir(root.parent)
        return root

    return made


@pytest.mark.slow
@pytest.mark.parametrize("name", PLACES)
def test_a_run_lives_in_a_store_of_any_name(
    place: Callable[[str], Path], tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    root, out = place(name), tmp_path / "out"
    out.mkdir()
    for arguments in (
        ["train", *SETTINGS, "--name", "a"],
        ["runs"],
        ["doctor", "a"],
        ["sample", "a", "--chains", "2", "--sweeps", "1", "--out", str(out / "a.png")],
        ["export", "a", "--out", str(out / "a.npz")],
        ["export", "a", "--out", str(out / "a.zip")],
        ["import", str(out / "a.zip"), "--name", "b"],
        ["import", str(out / "a.npz"), "--name", "c", "--dataset", "bars-and-stripes"],
        ["evaluate", "a", "--estimator", "exact"],
    ):
        assert main(arguments) == 0, (arguments, capfd.readouterr())
        captured = capfd.readouterr()
        assert "Traceback" not in captured.out + captured.err
        assert "\x1b" not in captured.out
    assert main(["doctor", "none"]) == 2
    assert capfd.readouterr().err.startswith("Error: no run 'none' in")
    for page in ("", "evaluate", "compare"):
        app = open_page(page, run="a")
        assert not app.exception, app.exception[0].value
    store.rename_run(root, "b", "d")
    for run in (root / "a", root / "c", root / "d"):
        nothing_half_written(run)
        store.delete_run(root, run.name)
    assert os.listdir(root) == []
    assert os.listdir(root.parent) == [root.name], "something was written beside the store"


@pytest.mark.slow
@pytest.mark.parametrize("name", list(PLACES) if os.environ.get("RBM_SOAK") else ["bytes"])
def test_the_apps_processes_find_a_store_of_any_name(place: Callable[[str], Path], name: str) -> None:
    root = place(name)
    trainers.start(make_config(**TINY), "a")
    wait_for(lambda: RunReader(root / "a").status()["state"] == "finished")
    evaluators.start("a", RunReader(root / "a").snapshot_steps()[-1], "exact")
    exchange.imported(exchange.exported("a", ".zip"), "a.zip", "b", None)
    wait_for(lambda: [one["state"] for one in list_evaluations(root / "a")] == ["finished"])
    assert {info.name: info.error for info in list_runs(root)} == {"a": None, "b": None}
    wait_for(lambda: not files.lock_is_held(root / "a"))


WHOLE_PAGES = """
import sys
from rbm_core.cli import main
from streamlit.testing.v1 import AppTest
assert main(["export", "bars", "--out", sys.argv[1]]) == 0
app = AppTest.from_file("dashboard/app.py", default_timeout=60).run()
assert not app.exception, app.exception
"""


@pytest.mark.slow
def test_the_app_and_the_pages_that_are_written_need_no_locale(place: Callable[[str], Path]) -> None:
    root = place("spaces")
    assert main(["train", *SETTINGS, "--name", "bars"]) == 0
    # What a bare container or a service has; on Windows the locale is another one again.
    bare = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-c", WHOLE_PAGES, str(root / "bars.html")]
    done = subprocess.run(command, env=bare, cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
