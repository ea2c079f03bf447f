"""A run with label units in a real browser: "draw me a 3", and the error on Train."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.gibbs_player import at_frame, pictures, until_player
from tests.live import App, painted, settle, shoot
from tests.small_run import train_small


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of runs; "named" has label units, "plain" has none."""
    root = tmp_path_factory.mktemp("labels-browser") / "checkpoints"
    train_small(root, "plain")
    train_small(root, "named", labels=True, discriminative=0.3, learning_rate=0.1)
    return root


@pytest.fixture(scope="module")
def app(labelled: Path, serve: Callable[[Path], App]) -> App:
    return serve(labelled)


def held(page: Page, label: int) -> None:
    """Wait until the player shows chains with this label held."""
    until_player(page, f"player.film.of.more.endsWith('· label {label} held')")


def test_draw_me_a_3(app: App, open_page: Callable[..., Page]) -> None:
    page = open_page(f"{app.url}/gibbs?run=named&chains=9&sweeps=30")
    page.wait_for_selector(".film[data-frame]")
    settle(page)
    held(page, 0)
    page.keyboard.press("End")
    at_frame(page, 60)
    painted(page)
    noughts = pictures(page)
    buttons = page.get_by_role("radiogroup", name="Draw me a").get_by_role("radio")
    expect(buttons).to_have_text(["any", *"0123456789"])
    buttons.nth(4).click()
    page.wait_for_url("**label=3**")
    held(page, 3)
    expect(buttons.nth(4)).to_be_checked()
    at_frame(page, 60)
    painted(page)
    assert pictures(page) != noughts, "the pictures of another label are the same"
    shoot(page, "gibbs-draw-me-a-3")
    page.reload()
    page.wait_for_selector(".film[data-frame]")
    held(page, 3)


@pytest.mark.parametrize(("run", "tabs"), [("named", 1), ("plain", 0)])
def test_the_tabs_of_the_curves_stay_however_often_they_are_drawn(
    app: App, open_page: Callable[..., Page], run: str, tabs: int
) -> None:
    page = open_page(f"{app.url}/?run={run}")
    shown = page.get_by_role("tablist", name="Which curves").get_by_role("tab")
    stretch = page.get_by_label("log", exact=True)
    for _ in range(3):
        expect(shown.filter(has_text="Free energy")).to_be_visible()
        expect(shown.filter(has_text="Pace")).to_be_visible()
        expect(shown.filter(has_text="Labels", visible=True)).to_have_count(tabs)
        stretch.click()
    if tabs:
        shown.filter(has_text="Labels").click()
        page.wait_for_url("**curves=labels**")
        expect(shown.filter(has_text="Pace")).to_be_visible()
        shoot(page, "train-labels")
