"""The app through its own entry: every page opens, shows the run's own numbers, survives bad runs."""

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.ui import pages
from rbm_core.config import PRESETS
from rbm_core.runs import RunReader, create_run
from rbm_core.runs import store as runs_store
from tests.dashboard.opened import abouts, as_read, charts, open_page
from tests.live import PATIENCE_MS, REPO
from tests.small_run import train_small
from tests.sources import parsed

# Learn trains its own tiny machines and Compare shows every run, so neither speaks of the chosen one.
OF_NO_RUN = {"learn", "compare"}
PAGES = sorted(name for name, _, _ in pages.PAGES)


@pytest.fixture
def store(runs_root: Path) -> Path:
    """A store with one finished run, for a test to damage."""
    train_small(runs_root, "small-run")
    return runs_root


def text(app: AppTest) -> str:
    return "\n".join(
        as_read(element.value) for kind in ("title", "markdown", "caption") for element in app.get(kind)
    )


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_on_a_run(store: Path, page: str) -> None:
    app = open_page(page)
    assert not app.exception
    assert not app.error
    offered = [box.value for box in app.selectbox if box.key == "app.run"]
    assert offered == ([] if page == "learn" else ["small-run"]), "Learn has machines of its own"
    said = [text(app), *(alt for _, _, alt in charts(app))]
    assert not re.findall(r"(?<![\w^])-\d.*", "\n".join(said)), "a negative number with a hyphen"


@pytest.mark.parametrize("page", PAGES)
def test_every_page_says_so_when_there_is_no_run(runs_root: Path, page: str) -> None:
    app = open_page(page)
    assert not app.exception
    assert text(app) + "".join(element.value for element in app.info), "an empty page"


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_on_a_run_that_has_just_been_started(runs_root: Path, page: str) -> None:
    create_run(runs_root, "young", PRESETS["quick"])
    app = open_page(page, run="young")
    assert not app.exception


@pytest.mark.parametrize("page", PAGES)
def test_every_page_survives_a_run_that_cannot_be_read(store: Path, page: str) -> None:
    (store / "small-run" / "config.json").write_text("{")
    app = open_page(page, run="small-run")
    assert not app.exception
    said = app.error or app.warning or app.info
    assert said or page in OF_NO_RUN, "not a word about the damage"


@pytest.mark.parametrize("page", PAGES)
def test_a_run_deleted_while_its_page_is_open_costs_one_sentence_and_the_next_one_is_shown(
    store: Path, page: str
) -> None:
    shutil.copytree(store / "small-run", store / "other")
    app = open_page(page, run="small-run")
    shutil.rmtree(store / "small-run")
    app.run()
    assert not app.exception
    if page not in OF_NO_RUN:
        assert "There is no run 'small-run'; showing other instead" in as_read(app.warning[0].value)
        assert app.selectbox(key="app.run").value == "other"


def test_all_that_a_link_gets_wrong_is_said_in_one_box(store: Path) -> None:
    app = open_page("compare", run="small-run", smooth="much", axis="fortnight", log="yes")
    assert not app.exception
    (box,) = app.warning
    assert all(f"{key} must be" in as_read(box.value) for key in ("smooth", "axis", "log"))


def test_the_first_page_shows_the_runs_own_numbers(store: Path) -> None:
    reader = RunReader(store / "small-run")
    step = reader.status()["step"]
    app = open_page()
    assert f"step **{step:,}**" in text(app)
    assert "finished" in text(app)


def test_a_run_the_link_names_but_nobody_knows_is_named_with_those_there_are(store: Path) -> None:
    app = open_page(run="no-such-run")
    assert not app.exception
    assert "no run 'no-such-run'" in as_read(app.warning[0].value)
    assert str(store) not in as_read(app.warning[0].value), "a reader is shown a folder of this machine"
    assert "small-run" in as_read(app.warning[0].value)
    assert app.selectbox(key="app.run").value == "small-run"


@pytest.mark.parametrize("name", ["../../etc", "a/b", "", "%00", "x" * 300, "<b>"])
def test_names_that_are_no_names_cost_one_sentence(store: Path, name: str) -> None:
    app = open_page(run=name)
    assert not app.exception
    assert app.selectbox(key="app.run").value == "small-run"


def test_the_picker_prefers_the_shipped_run_to_other_finished_ones(store: Path) -> None:
    shutil.copytree(store / "small-run", store / "mnist-default")
    described = json.loads((store / "mnist-default" / "config.json").read_text())
    described["created"] = "2001-01-01T00:00:00+00:00"
    (store / "mnist-default" / "config.json").write_text(json.dumps(described))
    assert open_page().selectbox(key="app.run").value == "mnist-default"


def test_choosing_another_run_shows_it_and_the_link_says_so(store: Path) -> None:
    shutil.copytree(store / "small-run", store / "other")
    app = open_page(run="small-run", step="10")
    app.selectbox(key="app.run").set_value("other").run()
    assert app.query_params["run"] == "other"
    assert "step" not in app.query_params, "the other run opens at a step of this one"
    assert "**other**" in text(app)


def test_no_view_reaches_past_its_door() -> None:
    """Views draw: they neither open files nor load the engine."""
    for path in (REPO / "dashboard" / "views").rglob("*.py"):
        for node in ast.walk(parsed(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {"torch", "safetensors", "os"} & {name.split(".")[0] for name in names}, path.name


@pytest.mark.slow
def test_showing_a_run_loads_neither_the_engine_nor_pandas(store: Path) -> None:
    script = (
        "import sys\n"
        "from streamlit.testing.v1 import AppTest\n"
        f"app = AppTest.from_file('dashboard/app.py', default_timeout={PATIENCE_MS / 1000}).run()\n"
        "assert not app.exception, app.exception\n"
        "print(sorted({'torch', 'torchvision', 'sklearn', 'pandas'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPO, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_the_words_of_a_page_do_not_look_for_its_run_again_and_again(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refresh says some twenty texts in the words for what the run learns."""
    looked_for, resolve = [], runs_store.resolve

    def counted(root: Path, name: str) -> Path:
        looked_for.append(name)
        return resolve(root, name)

    monkeypatch.setattr(runs_store, "resolve", counted)
    assert len(abouts(open_page(run="small-run"))) >= 6
    assert len(looked_for) < 12
