"""The Inspect page in a real browser: a click opens what it is on, and the film moves the page."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from rbm_core.runs import RunReader
from tests.browser.train_page import open_train
from tests.live import App, painted, settle, shoot, until
from tests.small_run import train_small

RUN = "small-run"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that no test changes."""
    return train_small(tmp_path_factory.mktemp("inspect-browser") / "checkpoints", RUN)


def canvas(page: Page, key: str, nth: int = 0) -> Locator:
    return page.locator(f".st-key-inspect-{key} canvas:visible").nth(nth)


def linked(page: Page, name: str, value: str) -> None:
    expect(page).to_have_url(re.compile(rf"[?&]{name}={value}(&|$)"))
    settle(page)


def pixels(page: Page, key: str) -> str:
    return canvas(page, key).evaluate("(canvas) => canvas.toDataURL()")


def test_a_unit_a_pixel_and_an_image_open_by_a_click(
    run: Path, serve: Callable[[Path], App], open_page: Callable[..., Page]
) -> None:
    reader = RunReader(run)
    snapshot = reader.snapshot(reader.snapshot_steps()[-1])
    strongest = int(np.argmax(np.linalg.norm(snapshot.W, axis=0)))
    page = open_page(f"{serve(run.parent).url}/inspect?run={RUN}")
    expect(page.get_by_text(f"Unit {strongest}: its filter")).to_be_visible()
    before = pixels(page, "history")

    canvas(page, "units").click(position={"x": 10, "y": 10})
    linked(page, "unit", "0")
    expect(page.get_by_text("Unit 0: its filter")).to_be_visible()
    until(lambda: pixels(page, "history") != before, 5, "the film of the unit stays")
    shoot(page, "inspect-unit", full_page=True)

    # The pixel under the pointer is named before the click, and opened by it.
    canvas(page, "history").hover(position={"x": 5, "y": 5})
    expect(page.get_by_text("pixel in row 0, column 0")).to_be_visible()
    canvas(page, "history").click(position={"x": 5, "y": 5})
    linked(page, "look", "pixel")
    linked(page, "pixel", "0")
    expect(page.get_by_text("Its weights", exact=True)).to_be_visible()
    canvas(page, "pixels").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    linked(page, "pixel", "29")
    shoot(page, "inspect-pixel", full_page=True)

    page.get_by_text("An image", exact=True).click()
    linked(page, "look", "image")
    canvas(page, "images").click(position={"x": 60, "y": 10})
    linked(page, "image", "1")
    expect(page.get_by_text("What the units add up to")).to_be_visible()
    painted(page)
    sums = lambda: canvas(page, "build-up", 1).evaluate("(canvas) => canvas.toDataURL()")  # noqa: E731
    whole = sums()
    page.get_by_role("slider", name="Add the units one by one").fill("0")
    expect(page.get_by_text("biases alone, no unit yet")).to_be_visible()
    until(lambda: sums() != whole, 5, "the picture does not follow the units that are added")
    page.get_by_role("button", name="Add the units one by one").click()
    expect(page.get_by_text(re.compile("^64 of 64 units"))).to_be_visible()
    shoot(page, "inspect-image", full_page=True)


def test_where_the_film_is_left_the_whole_page_follows(
    run: Path, serve: Callable[[Path], App], open_page: Callable[..., Page]
) -> None:
    reader = RunReader(run)
    steps = reader.snapshot_steps()
    page = open_page(f"{serve(run.parent).url}/inspect?run={RUN}&unit=3", scheme="dark")
    newest = page.get_by_test_id("stMetric").filter(has_text="Norm").inner_text()
    film = page.get_by_role("slider", name="Play this unit's training")
    film.focus()
    for _ in range(len(steps) - 1):
        page.keyboard.press("ArrowLeft")
    linked(page, "step", str(steps[0]))
    norm = np.linalg.norm(reader.snapshot(steps[0]).W[:, 3])
    expect(page.get_by_test_id("stMetric").filter(has_text="Norm")).to_contain_text(f"{norm:.3g}")
    assert page.get_by_test_id("stMetric").filter(has_text="Norm").inner_text() != newest
    assert film.input_value() == "0"
    page.get_by_role("button", name="Play this unit's training").click()
    expect(page).not_to_have_url(re.compile("step="))  # the end is the newest moment
    shoot(page, "inspect-dark", full_page=True)


def test_a_filter_on_the_train_page_leads_to_its_unit(
    run: Path, serve: Callable[[Path], App], open_page: Callable[..., Page]
) -> None:
    page = open_train(open_page, serve(run.parent), f"run={RUN}")
    page.locator(".st-key-train-filters canvas").first.click(position={"x": 10, "y": 10})
    page.get_by_role("button", name="inspect", exact=True).click()
    expect(page.get_by_text("Unit 0: its filter")).to_be_visible()
    linked(page, "unit", "0")
