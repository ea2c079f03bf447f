"""The Gibbs page around its player, in a real browser: new films, the link, what is taken away."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.gibbs_player import PLAYER, VIEWS, at_frame, pictures, until_player
from tests.browser.line import Line
from tests.live import App, click_at, painted, settle, shoot, until


def test_map_and_nearest_images_come_to_a_visitor_of_other_pages(
    gibbs_app: App, open_page: Callable[..., Page]
) -> None:
    """What the player says must be heard whatever other pages keep in the session's state."""
    page = open_page(gibbs_app.url)
    page.get_by_role("link", name="Gibbs").click()
    page.wait_for_selector(".film[data-frame]")
    until_player(page, "player.film.map && player.film.nearest")


def test_new_film_keeps_player_and_place(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=9&sweeps=20")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    at_frame(page, 3)
    # A word of the player's that crosses a run of the page can make Streamlit mount it anew.
    page.wait_for_url("**frame=3**")
    settle(page)
    before = pictures(page)
    page.get_by_role("button", name="Next").click()
    page.wait_for_url("**seed=8**")
    settle(page)
    until_player(page, "player.film.of.seed === 8")
    at_frame(page, 3)
    painted(page)
    assert pictures(page) != before, "the new seed shows the old film"
    assert page.evaluate("window.__rbmMounts") == VIEWS, "the player was mounted again"


def test_every_picture_tells_its_formula_and_source(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=2&sweeps=2")
    for picture in ("the chain", "the free energy", "the distances", "the map"):
        page.get_by_role("button", name=f"About {picture}").click()
        words = page.get_by_test_id("stPopoverBody")
        expect(words.locator(".katex-display")).not_to_have_count(0)
        expect(words).to_contain_text("Source:")
        expect(page.locator(".katex-error")).to_have_count(0)
        page.keyboard.press("Escape")
        expect(words).to_have_count(0)


def test_what_if_forks_at_the_frame_shown(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=4&sweeps=20")
    page.locator(".scrub").fill("13")
    at_frame(page, 13)
    page.locator("[data-do=fork]").click()
    page.wait_for_url("**fork=6**")
    expect(page.locator(".labels span")).to_have_text(["as it was", "what if"])
    expect(page.locator("[data-figure=chains] b")).to_have_text("4 chains, twice")
    inks = page.evaluate(f"() => {{ {PLAYER} return [player.look.now, ...player.look.groups].map(String) }}")
    assert len(set(inks)) == len(inks) == 7, "a group has the colour of the layer just drawn"
    at_frame(page, 13)
    page.get_by_label("One half step forward").click()
    expect(page.locator(".sentence")).to_contain_text(
        re.compile(r"It differs from the same chain in “what if” in \d+ pixels\.")
    )
    shoot(page, "gibbs-what-if")


def test_the_chains_fork_though_what_the_player_said_before_comes_after(
    gibbs_app: App, open_page: Callable[..., Page]
) -> None:
    line = Line()
    page = open_page(f"{gibbs_app.url}/gibbs?chains=4&sweeps=20", prepare=line.lay)
    page.wait_for_selector(".film[data-frame]")
    settle(page)
    page.locator(".scrub").fill("13")
    page.wait_for_url("**frame=13**")
    until(lambda: bool(page.url and line.asked), 30, "the player did not say where it stands")
    settle(page)
    before = line.asked[-1]
    line.carries = lambda question: [question, before, before]
    page.locator("[data-do=fork]").click()
    expect(page.locator(".labels span")).to_have_text(["as it was", "what if"])


def test_earlier_moments_enlarge_the_same_chain_of_the_newest(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=4&sweeps=6&chain=3")
    until_player(page, "player.chain === 2")
    page.get_by_text("earlier moments", exact=True).click()
    until_player(page, "player.film.groups.length > 2")
    groups, per = page.evaluate(f"() => {{ {PLAYER} return [player.film.groups.length, player.film.per] }}")
    expect(page.locator(f".film[data-chain='{(groups - 1) * per + 2}']")).to_be_attached()
    newest = page.evaluate(f"() => {{ {PLAYER} return player.film.groups.at(-1) }}")
    expect(page.locator(".labels span").last).to_have_text(newest)


def test_keys_of_the_player_work_after_a_button_of_the_page_was_pressed(
    open_film: Callable[..., Page],
) -> None:
    page = open_film("chains=2&sweeps=6&start=digits")
    page.get_by_text("earlier moments", exact=True).click()
    expect(page.locator(".labels span")).not_to_have_count(0)
    for key, frame in (("End", 12), ("Home", 0)):
        page.keyboard.press(key)
        at_frame(page, frame)
    assert page.get_by_test_id("stMain").evaluate("(e) => e.scrollTop") == 0, "the page was scrolled"


def test_link_follows_the_player_and_leads_back_to_the_very_view(open_film: Callable[..., Page]) -> None:
    """Written where the player is left, not while it plays; opened elsewhere the link shows the same pictures."""
    page = open_film("chains=9&sweeps=400&seed=5")  # long: it does not come to its end while it is looked at
    history = page.evaluate("history.length")
    page.get_by_label("Play (space)").click()
    until_player(page, "player.frame > 12")
    assert "frame=" not in page.url, "the link is written while the film plays"
    page.get_by_label("Pause (space)").click()
    page.wait_for_url("**frame=**")
    page.keyboard.press("ArrowRight")
    page.locator(".grid").click(position={"x": 20, "y": 20})
    page.get_by_role("button", name="one chain").click()
    page.locator(".grid").wait_for(state="hidden")
    page.get_by_role("button", name="both").click()
    click_at(page.locator(".grid"), 0.5, 0.5)
    page.wait_for_url("**chain=5**")
    settle(page)
    page.mouse.move(2, 2)
    frame = page.locator(".film").get_attribute("data-frame")
    painted(page)
    there = pictures(page)
    assert page.evaluate("window.__rbmMounts") == VIEWS, "the player was mounted again"
    assert page.evaluate("history.length") == history, (
        "where the player rests is a step of the browser's history"
    )
    again = open_film(page.url.split("?")[1])
    at_frame(again, int(frame or -1))
    expect(again.locator(".film[data-chain='4']")).to_be_attached()
    assert pictures(again) == there


def test_films_and_sheets_can_be_taken_away(open_film: Callable[..., Page], tmp_path: Path) -> None:
    page = open_film("chains=4&sweeps=6&frame=6")
    page.get_by_role("button", name="Take away").click()
    for name, kind, frames in (
        ("Animation, GIF", "GIF", 7),
        ("Animation, WebP", "WEBP", 7),
        ("Sheet of sweep 3", "PNG", 1),
    ):
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        with Image.open(download.value.path()) as image:
            assert (image.format, getattr(image, "n_frames", 1)) == (kind, frames)
        assert download.value.suggested_filename.startswith("small-step-")


def test_every_figure_can_be_saved_as_picture_and_numbers(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=4&sweeps=6&frame=5")
    page.wait_for_selector(".film.neared")
    until_player(page, "player.film.nearest !== null")
    rows = {
        "chains": 4,
        "cycle": 784 + 64,
        "energy": 7,
        "distance": 7,
        "nearest": 7,
        "map": 700 + 4,
        "twin": 0,
    }
    for figure, count in rows.items():
        saves = page.locator(f'[data-figure="{figure}"] .save')
        with page.expect_download() as download:
            saves.first.click()
        with Image.open(download.value.path()) as image:
            assert image.format == "PNG"
            assert len(image.convert("RGB").getcolors(10**6) or []) > 3, f"{figure}: an empty picture"
        expect(saves).to_have_count(2 if count else 1)
        if count:
            with page.expect_download() as download:
                saves.nth(1).click()
            lines = Path(download.value.path()).read_text().splitlines()
            assert len(lines) == count + 1, f"{figure}: {lines[:2]}"
    at_frame(page, 5)


def test_a_run_deleted_while_watched_leaves_the_page_alive(
    open_film: Callable[..., Page], gibbs_run: Path
) -> None:
    doomed = shutil.copytree(gibbs_run, gibbs_run.parent / "doomed")
    page = open_film("run=doomed&chains=4&sweeps=6")
    shutil.rmtree(doomed)
    page.keyboard.press("ArrowRight")
    at_frame(page, 1)
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("There is no run 'doomed'")).to_be_visible()
    expect(page.locator(".caption")).to_contain_text("run small")
    at_frame(page, 1)
    assert page.evaluate("window.__rbmMounts") == VIEWS, "the player was mounted again"
