"""The Gibbs page in windows of several sizes, and with larger text."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.gibbs_player import PLAYER, at_frame, until_player
from tests.live import box_of, drag, settle, shoot


@pytest.mark.parametrize(
    ("scheme", "width", "height"), [("light", 1280, 800), ("dark", 1920, 1080), ("light", 480, 900)]
)
def test_player_fits_its_window(open_film: Callable[..., Page], scheme: str, width: int, height: int) -> None:
    page = open_film("chains=25&sweeps=200&start=gaussian", width=width, height=height, scheme=scheme)
    page.locator(".scrub").fill("121")
    at_frame(page, 121)
    shoot(page, f"gibbs-{scheme}-{width}")
    sizes = page.evaluate(f"() => {{ {PLAYER} return [player.box.scrollWidth, player.box.clientWidth] }}")
    assert sizes[0] <= sizes[1], "the player is wider than its place"
    play = box_of(page.get_by_label("Play (space)"))
    assert play["y"] + play["height"] <= height, "the play button lies below the window"


def test_a_narrow_window_shows_the_grid_whole_and_the_pad_on_the_page(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=25&sweeps=40", width=420, height=800)
    until_player(page, "player.box.classList.contains('narrow')")
    grid, controls = box_of(page.locator(".grid")), box_of(page.locator(".controls"))
    assert grid["width"] > 250, "the grid is too small to see"
    assert grid["y"] + grid["height"] <= controls["y"], "the controls lie over the grid"
    page.get_by_text("Drawing", exact=True).click()
    pad = page.locator(".pad canvas")
    expect(pad).to_be_in_viewport()
    settle(page)
    drag(pad, (60, 40), (100, 150))
    expect(page.locator(".sentence")).to_contain_text("your drawing")
    shoot(page, "gibbs-narrow-drawing")


def test_play_brings_the_pictures_into_sight_at_a_zoom_of_150_per_cent(
    open_film: Callable[..., Page],
) -> None:
    page = open_film("chains=25&sweeps=40", width=853, height=533)
    page.get_by_label("Play (space)").click()
    page.wait_for_function(
        f"""() => {{ {PLAYER}
        const grid = player.$(".grid").getBoundingClientRect();
        return grid.top >= 38 && grid.bottom <= player.$(".controls").getBoundingClientRect().top }}"""
    )


def test_a_low_window_shows_all_four_panels_at_once(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=25&sweeps=40", width=960, height=600)
    page.wait_for_function(
        f"""() => {{ {PLAYER}
        const end = player.$(".controls").getBoundingClientRect().top;
        const all = [...player.box.querySelectorAll(".panel canvas, .grid")];
        return all.length === 5 && all.every((one) => one.getBoundingClientRect().bottom <= end) }}"""
    )
    assert page.get_by_test_id("stMain").evaluate("(e) => e.scrollTop") == 0


def test_letters_in_the_pictures_grow_with_the_reader_s_text(open_film: Callable[..., Page]) -> None:
    """Map, curves and empty panels: every font asked for at 24 px is half as large again as at 16."""
    page = open_film("chains=2&sweeps=4")
    until_player(page, "player.film.map")
    sizes = page.evaluate(
        rf"""async () => {{ {PLAYER}
        const pen = CanvasRenderingContext2D.prototype, write = pen.fillText;
        const drawn = (size) => {{
          const found = {{}};
          document.documentElement.style.setProperty("font-size", size, "important");
          pen.fillText = function (words, ...where) {{
            const px = Number(this.font.match(/[\d.]+(?=px)/)[0]) * this.getTransform().a;
            found[words.replace(/[\d−.]+/, "1")] = px;
            write.call(this, words, ...where);
          }};
          player.hidden.clear();
          player.arrange();
          player.paintNow();
          pen.fillText = write;
          return found;
        }};
        return [drawn("16px"), drawn("24px")] }}"""
    )
    common = sizes[0].keys() & sizes[1].keys()
    assert {"1st principal component →", "sweep 1", "step"} <= common, sizes  # map, curve, empty panel
    for words in common:
        assert abs(sizes[1][words] / sizes[0][words] - 1.5) < 0.02, (words, sizes)
