"""What leads from one page to another, into the form of a new run, and back, in a real browser."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.gibbs_player import until_player
from tests.browser.train_page import canvas, link, open_train
from tests.live import App, click_at, settle, until


def test_a_fantasy_that_is_clicked_goes_on_in_gibbs(gibbs_app: App, open_page: Callable[..., Page]) -> None:
    page = open_train(open_page, gibbs_app, "run=small")
    click_at(canvas(page, "particles"), 0.45, 0.45)
    page.wait_for_selector(".film[data-frame='0']")
    until(lambda: "chain=" in link(page), 5, "the link names no chain but the first")
    settle(page)
    chain = re.search(r"chain=(\d+)", link(page))
    assert chain is not None
    assert "/gibbs?" in link(page)
    assert "start=particles" in link(page)
    expect(page.locator(f".film[data-chain='{int(chain[1]) - 1}']")).to_be_attached()


def test_the_doctors_button_fills_in_the_form(gibbs_app: App, open_page: Callable[..., Page]) -> None:
    page = open_train(open_page, gibbs_app, "run=small")
    page.get_by_role("button", name="Go on from step 88 with 1,000 updates").first.click()
    expect(page.get_by_role("spinbutton", name=re.compile("^Updates"))).to_have_value("1000")
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_enabled()


def test_back_on_gibbs_takes_back_a_setting(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=4&sweeps=6")
    starts = page.locator(".st-key-gibbs-start")
    starts.get_by_role("radio", name="Images").click()
    until_player(page, "player.film.start[0] === 'digits'")
    until(lambda: "start=digits" in link(page), 3, "the link does not hold the start")
    settle(page)
    page.go_back()
    expect(starts.get_by_role("radio", name="Noise", exact=True)).to_be_checked()
    until_player(page, "player.film.start[0] === 'noise'")
    assert "start=" not in link(page)


def test_the_chains_settings_stay_in_sight_beside_a_pad(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=4&sweeps=6&start=drawing", width=1280, height=800)
    page.get_by_role("button", name="4 chains, 6 sweeps").click(position={"x": 20, "y": 10})
    chains = page.get_by_role("spinbutton", name=re.compile("^Chains"))
    expect(chains).to_be_in_viewport()
    chains.fill("3")
    chains.press("Enter")
    until_player(page, "player.film.n_chains === 3")
    expect(page.get_by_role("button", name="3 chains, 6 sweeps")).to_be_in_viewport()
