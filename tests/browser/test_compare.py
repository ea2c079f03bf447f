"""The Compare page in a real browser: runs move in time together, and go by a second word only."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from rbm_core.runs import list_runs
from tests.live import App, box_of, settle, shoot
from tests.small_run import train_small


@pytest.fixture
def root(runs_root: Path) -> Path:
    train_small(runs_root, "one")
    train_small(runs_root, "two", n_hidden=20, epochs=1, learning_rate=0.1)
    return runs_root


def test_a_click_into_a_row_opens_what_looks_after_its_run(
    root: Path, start_app: Callable[..., App], open_page: Callable[..., Page]
) -> None:
    page = open_page(f"{start_app().url}/compare")
    rows = page.get_by_test_id("stDataFrame").locator(".dvn-scroller").first  # over the canvas
    expect(rows).to_be_visible()
    cared = page.locator(".st-key-compare-cared")
    expect(cared).to_be_hidden()
    for row, name in enumerate(["two", "one"]):  # the newest stands first
        settle(page)
        box_of(rows)
        rows.click(position={"x": 180, "y": 38 + 35 * row + 17})
        expect(cared).to_be_visible()
        expect(page.get_by_role("textbox", name="New name")).to_have_value(name)


def test_runs_are_compared_at_equal_step_and_deleted_by_a_second_word_only(
    root: Path, start_app: Callable[..., App], open_page: Callable[..., Page]
) -> None:
    page = open_page(f"{start_app().url}/compare?metric=free_energy_gap")
    chart = page.locator(".st-key-compare-free_energy_gap .js-plotly-plot")
    expect(chart.locator(".legendtext", has_text="one")).to_be_visible()
    expect(chart.locator(".legendtext", has_text="two")).to_be_visible()

    page.get_by_text("epoch", exact=True).click()
    expect(page).to_have_url(re.compile("axis=epoch"))
    expect(chart.locator(".xtitle", has_text="Epochs")).to_be_visible()

    settle(page)  # the slider is drawn anew with the page
    slider = page.get_by_role("slider", name="Step")
    slider.focus()
    page.keyboard.press("Home")
    expect(page).to_have_url(re.compile("step=0"))
    settle(page)
    expect(page.get_by_text("step 0 · epoch 0")).to_have_count(2)
    shoot(page, "compare", full_page=True)

    page.get_by_text("Tags, note, rename, delete").click()
    word = page.get_by_label("Delete for good: type the run's name", exact=True)
    word.fill("tow")
    page.get_by_role("button", name="Delete this run").click()
    expect(page.get_by_text("Nothing was deleted")).to_be_visible()
    assert len(list_runs(root)) == 2
    shoot(page, "compare-second-word")
    word.fill("two")
    page.get_by_role("button", name="Delete this run").click()
    expect(page.get_by_text("two is deleted")).to_be_visible()
    assert [info.name for info in list_runs(root)] == ["one"]
    expect(chart.locator(".legendtext", has_text="two")).to_have_count(0)
