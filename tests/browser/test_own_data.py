"""Data of one's own, dropped into the form: looked at before they are learned from, kept, and trained on."""

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from rbm_core.runs import RunReader, control
from rbm_core.runs.vocabulary import LIVE_STATES
from tests.live import App, settle, shoot, until
from tests.small_run import train_small
from tests.stand_in import StandIn

RNG = np.random.default_rng(0)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """An app without any run, with a data folder of its own."""
    env = {"RBM_RUNS_DIR": str(tmp_path / "runs"), "RBM_DATA_DIR": str(tmp_path / "data")}
    with App(tmp_path / "app.log", env) as app:
        yield app


def pictures(n: int, side: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for k in range(n):
            image = io.BytesIO()
            Image.fromarray(RNG.integers(0, 256, (side, side + k % 2), np.uint8)).save(image, "PNG")
            archive.writestr(f"{'cat' if k % 2 else 'dog'}/{k}.png", image.getvalue())
    return file.getvalue()


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_test_id("stSidebar").get_by_label(label, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()
    settle(page)


def drop(page: Page, name: str, content: bytes) -> None:
    page.get_by_role("dialog").locator("input[type=file]").set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    )


def open_dialog(page: Page) -> Locator:
    choose(page, "Data set", "my own files")
    page.get_by_test_id("stSidebar").get_by_role("button", name="Choose files").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("before anything is learned")).to_be_visible()
    return dialog


def test_dropped_pictures_are_shown_kept_and_learned(
    app: App, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    page = open_page(app.url)
    settle(page)
    start = page.get_by_test_id("stSidebar").get_by_role("button", name="Start")
    dialog = open_dialog(page)
    expect(start).to_be_disabled()
    drop(page, "bad.npy", b"no array")
    expect(dialog.get_by_text("is no whole .npy file")).to_be_visible()
    dialog.get_by_role("button", name="Remove").first.click()
    drop(page, "pets.zip", pictures(60, 30))
    expect(dialog.get_by_text("60 pictures, 28 × 28")).to_be_visible()
    expect(dialog.get_by_text("of 2 sizes")).to_be_visible()
    expect(dialog.get_by_text("2 classes")).to_be_visible()
    expect(dialog.get_by_text("As 0 and 1")).to_be_visible()
    expect(dialog.get_by_label("Column of classes", exact=True)).to_have_count(0)
    dialog.get_by_text("whole, with a margin").click()
    expect(dialog.get_by_text("kept whole, with a margin")).to_be_visible()
    shoot(page, "own-data")
    dialog.get_by_role("button", name="Use these").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_test_id("stSidebar").get_by_text("60 pictures, 28 × 28")).to_be_visible()
    expect(start).to_be_enabled()
    # What is dropped the next time is not added to what was dropped before, and nothing is lost by looking.
    page.get_by_test_id("stSidebar").get_by_role("button", name="Choose other files").click()
    expect(dialog.get_by_text("before anything is learned")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(start).to_be_enabled()
    start.click()
    runs = tmp_path / "runs"

    def begun() -> list[Path]:  # a folder is put together under a hidden name
        return [path.parent for path in runs.glob("[!.]*/config.json")]

    until(lambda: bool(begun()), 20, "no run begins")
    (path,) = begun()
    reader = RunReader(path)
    until(lambda: bool(reader.config().get("data")), 60, "the run does not come to its data")
    control.send(path, "stop")
    assert reader.config()["config"]["dataset"].startswith("pets-")
    assert reader.config()["data"]["image_shape"] == [28, 28]
    expect(page.get_by_test_id("stMain").get_by_text(path.name).first).to_be_visible()
    until(lambda: reader.status()["state"] not in LIVE_STATES, 60, "the run does not end")


def test_the_place_to_drop_files_stays_open_when_the_page_runs_as_a_whole(
    tmp_path: Path, serve: Callable[[Path], App], open_page: Callable[..., Page]
) -> None:
    path = train_small(tmp_path / "checkpoints", "watched")
    with StandIn(path):
        page = open_page(f"{serve(path.parent).url}/?run=watched")
        sidebar = page.get_by_test_id("stSidebar")
        sidebar.get_by_text("New run").click()
        dialog = open_dialog(page)
        drop(page, "pets.zip", pictures(60, 30))
        expect(dialog.get_by_text("60 pictures, 28 × 28")).to_be_visible()
        control.send(path, "stop")  # the page runs as a whole, to refresh less often
        expect(page.get_by_text("● stopped")).to_be_visible()
        settle(page)
        expect(dialog.get_by_text("60 pictures, 28 × 28")).to_be_visible()
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        page.reload()
        settle(page)
        expect(dialog).to_be_hidden()


def test_a_table_is_a_strip_with_names(app: App, open_page: Callable[..., Page]) -> None:
    page = open_page(app.url)
    settle(page)
    dialog = open_dialog(page)
    rows = "\n".join(f"{a:.3f},{b:.3f},{'x' if a > 0 else 'y'}" for a, b in RNG.normal(size=(50, 2)))
    drop(page, "people.csv", f"height,weight,class\n{rows}".encode())
    expect(dialog.get_by_text("A table: 50 rows of 2 columns")).to_be_visible()
    expect(dialog.get_by_text("Columns from left to right: height, weight.")).to_be_visible()
    expect(dialog.get_by_text("gaussian")).to_be_visible()
    expect(dialog.get_by_label("Column of classes", exact=True)).to_be_visible()
    for of_pictures in ("Size", "Grey from", "Invert"):
        expect(dialog.get_by_label(of_pictures, exact=True)).to_have_count(0)
    shoot(page, "own-table")
