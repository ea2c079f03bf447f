"""The ladder in a real browser: it steps and plays, says what it does, and fits wide and narrow windows."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.gibbs_player import VIEWS
from tests.live import App, shoot
from tests.small_run import train_small


@pytest.mark.slow
def test_ladder_steps_plays_names_its_exchanges_and_fits(
    tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    train_small(tmp_path / "checkpoints", epochs=12)
    with App(tmp_path / "app.log", {"RBM_RUNS_DIR": str(tmp_path / "checkpoints")}) as app:
        page = open_page(f"{app.url}/gibbs?beside=ladder&rounds=20")
        box = page.locator(".ladder[data-drawn]")
        expect(box).to_have_attribute("data-frame", "0")
        sentence = page.locator(".sentence")
        expect(sentence).to_contain_text("machines of one run")
        page.keyboard.press("ArrowRight")
        expect(sentence).to_contain_text("Round 1, first half")
        page.keyboard.press("ArrowRight")
        expect(sentence).to_contain_text(re.compile(r"Round 1, second half: \d+ of \d+ neighbouring pairs"))
        page.locator("[data-do=play]").click()
        expect(box).to_have_attribute("data-frame", "40")
        expect(page.locator(".trips")).to_contain_text("round trip")
        page.wait_for_url("**frame=40**")
        shoot(page, "ladder-wide")
        page.set_viewport_size({"width": 420, "height": 900})
        expect(page.locator(".ladder.narrow")).to_have_count(1)
        for canvas in ("strips", "braid", "map"):
            page.wait_for_function(
                "name => { const host = [...document.querySelectorAll('*')].find((e) => "
                "e.shadowRoot?.querySelector('.ladder')); const box = host.shadowRoot.querySelector('.' + name)"
                ".getBoundingClientRect(); return box.width > 200 && box.right <= 420; }",
                arg=canvas,
            )
        shoot(page, "ladder-narrow")
        assert page.evaluate("window.__rbmMounts") == VIEWS, "the player was mounted again"
