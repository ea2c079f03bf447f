"""The ladder in a real browser: it steps and plays, says what it does, and fits wide and narrow windows."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.gibbs_player import VIEWS
from tests.live import App, shoot
from tests.small_run import train_small

VIEW = """const host = [...document.querySelectorAll('*')].find((e) => e.shadowRoot?.querySelector('.ladder'));
const view = host.shadowRoot.__view;"""
# Of the ladder's picture: pixels in the very colour of a pair that exchanged, and pixels with ink where the pairs'
# acceptance stands.
PAINTED = f"""() => {{ {VIEW}
const {{ canvas }} = view.braid;
const {{ data }} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
const orange = [1, 3, 5].map((i) => parseInt(view.ink.lines.orange.slice(i, i + 2), 16));
const left = canvas.width * (1 - view.braid.layout(view).rates / view.braid.layout(view).wide);
let lit = 0, rates = 0;
for (let i = 0; i < data.length; i += 4) {{
  if (data[i + 3] === 255 && orange.every((value, c) => data[i + c] === value)) lit += 1;
  if (data[i + 3] > 0 && (i / 4) % canvas.width > left) rates += 1;
}}
return {{ lit, rates }};
}}"""


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
        before = page.evaluate(PAINTED)
        assert before["lit"] == 0
        page.keyboard.press("ArrowRight")
        expect(sentence).to_contain_text("Round 1, first half")
        page.keyboard.press("ArrowRight")
        expect(sentence).to_contain_text(re.compile(r"Round 1, second half: \d+ of \d+ neighbouring pairs"))
        page.wait_for_function(f"() => {{ {VIEW} return view.film.acceptance(2, 0) > 0; }}")
        frames = page.evaluate(
            f"() => {{ {VIEW} return [...Array(21).keys()].map((r) => view.film.counts(2 * r).took); }}"
        )
        assert max(frames) > 0, "no pair exchanged in twenty rounds"
        swapped = 2 * frames.index(max(frames))
        page.keyboard.press("Home")
        for _ in range(swapped - 1):
            page.keyboard.press("ArrowRight")
        expect(box).to_have_attribute("data-frame", str(swapped - 1))
        assert page.evaluate(PAINTED)["lit"] == 0, "an exchange is lit in the half of a round that has none"
        page.keyboard.press("ArrowRight")
        expect(box).to_have_attribute("data-frame", str(swapped))
        expect(sentence).to_contain_text(f"second half: {max(frames)} of")
        after = page.evaluate(PAINTED)
        assert after["lit"] > 0, "no exchange is lit"
        assert after["rates"] > before["rates"], "no acceptance stands beside the pairs"
        page.locator("[data-do=play]").click()
        expect(box).to_have_attribute("data-frame", "40")
        trips = page.evaluate(f"() => {{ {VIEW} return view.film.a.trips[20]; }}")
        expect(page.locator(".trips")).to_have_text(re.compile(rf"^{trips} round trips?$"))
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
