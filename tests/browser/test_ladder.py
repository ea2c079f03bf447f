"""The ladder in a real browser: it plays and steps, says what it does, and fits wide and narrow windows."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.live import App, shoot


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (420, "dark")])
def test_ladder_steps_plays_and_names_its_exchanges(
    gibbs_app: App, open_page: Callable[..., Page], width: int, scheme: str
) -> None:
    page = open_page(
        f"{gibbs_app.url}/gibbs?beside=ladder&rounds=20",
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
    )
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
    shoot(page, f"ladder-{width}-{scheme}")
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width, f"{wide} css pixels in a window of {width}"
    assert page.locator(".braid").evaluate("c => c.getBoundingClientRect().right") <= width
    assert page.evaluate("window.__rbmMounts") == 1
