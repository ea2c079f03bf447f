"""A sentence that answers a press outlasts whatever else runs the page, until there was time to read it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.processes import evaluators
from dashboard.ui import answers
from dashboard.ui.new_run import wish
from rbm_core.runs import RunError
from tests.dashboard.opened import as_read, open_page
from tests.small_run import train_small

RUN = "asked"


@pytest.fixture(scope="module", autouse=True)
def runs_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("answers") / "checkpoints"
    train_small(root, RUN)
    return root


@pytest.fixture(autouse=True)
def store(runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RBM_RUNS_DIR", str(runs_root))


def full(*_args: object, **_settings: object) -> None:
    raise RunError("the disk is full; make room")


def pressed(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click()
    return app.run()


def opened_with(page: str, switch: str) -> AppTest:
    """The page with its folded part open."""
    app = open_page(page, run=RUN)
    app.session_state[switch] = True
    return app.run()


def not_evaluated(monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setattr(evaluators, "start", full)
    return pressed(open_page("evaluate", run=RUN), "Evaluate")


def not_started(monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setattr(wish.Wish, "start", full)
    return pressed(opened_with("", "new.open"), "Start")


def not_opened() -> AppTest:
    app = open_page("", run=RUN)
    upload = next(one for one in app.file_uploader if one.key == "files.upload")
    upload.upload("broken.npz", b"noise" * 100, "application/octet-stream")
    return pressed(app.run(), "Open it")


def words(app: AppTest) -> str:
    return as_read("\n".join(one.value for kind in (app.error, app.success, app.warning) for one in kind))


@pytest.mark.parametrize(
    ("press", "said"),
    [
        (lambda _: pressed(opened_with("compare", "compare.care"), "Rename"), "already has that name"),
        (lambda _: pressed(opened_with("compare", "compare.care"), "Save tags and note"), "are saved"),
        (not_evaluated, "The disk is full; make room."),
        (not_started, "The disk is full; make room."),
    ],
    ids=["rename", "tags", "evaluate", "start"],
)
def test_an_answer_outlasts_other_runs_of_the_page_until_it_could_be_read(
    press: Callable[[pytest.MonkeyPatch], AppTest], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "READ_S", 1000.0)
    app = press(monkeypatch)
    assert said in words(app)
    assert said in words(app.run())
    monkeypatch.setattr(answers, "READ_S", 0.0)
    assert said not in words(app.run())


def test_a_file_that_cannot_be_opened_is_complained_of_until_another_is_asked_for() -> None:
    app = not_opened()
    assert "broken.npz: it is damaged" in words(app)
    assert "broken.npz: it is damaged" in words(app.run())
    next(one for one in app.text_input if one.label == "Name of the new run").set_value("another")
    assert "broken.npz" not in words(app.run())
