"""What leads from one page to another, into the form of a new run, and back, in a real browser."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect
from streamlit.proto.ClientState_pb2 import ClientState

from tests.browser.gibbs_player import until_player
from tests.browser.line import Line
from tests.browser.train_page import link, open_train
from tests.live import App, box_of, click_at, painted, settle, until


def in_a_mosaic(picture: Locator) -> None:
    click_at(picture.locator("canvas").first, 0.45, 0.45)


def in_the_cloud(picture: Locator) -> None:
    """On the dot that stands farthest to the right."""
    view = "(e) => e.querySelector('[data-testid=stBidiComponentIsolated]').shadowRoot.__view"
    until(lambda: picture.evaluate(f"{view}.spots"), 10, "the dots of the fantasies")
    cloud = picture.locator(".cloud canvas")
    cloud.scroll_into_view_if_needed()
    box_of(cloud)  # once it stands still
    x, y = max(picture.evaluate(f"{view}.spots"))
    cloud.click(position={"x": x, "y": y})


def refreshing(open_page: Callable[..., Page], app: App) -> tuple[Page, Line, ClientState]:
    """Train, the line to it, and what it asked when it last refreshed itself, to be asked again later."""
    line = Line()
    page = open_train(open_page, app, "run=small", prepare=line.lay)
    # What it asks reaches the line while the test asks the page something.
    until(lambda: bool(link(page) and line.refreshed), 30, "the page does not refresh itself")
    assert line.refreshed is not None
    return page, line, line.refreshed


@pytest.mark.parametrize(
    ("where", "picture", "click"),
    [
        ("?run=small", "train-particles", in_a_mosaic),
        ("?run=small", "train-spectrum", in_the_cloud),
        ("compare?run=small&runs=small,grey", "compare-samples-0", in_a_mosaic),
    ],
    ids=["train", "cloud", "compare"],
)
def test_a_fantasy_that_is_clicked_goes_on_in_gibbs(
    gibbs_app: App, open_page: Callable[..., Page], where: str, picture: str, click: Callable[[Locator], None]
) -> None:
    page = open_page(f"{gibbs_app.url}/{where}")
    mounted = page.locator(f".st-key-{picture}")
    expect(mounted.locator("canvas").first).to_be_visible()
    settle(page)
    painted(page)
    click(mounted)
    page.wait_for_selector(".film[data-frame='0']")
    until(lambda: "chain=" in link(page), 5, "the link names no chain but the first")
    settle(page)
    chain = re.search(r"chain=(\d+)", link(page))
    assert chain is not None
    assert "/gibbs?" in link(page)
    assert "start=particles" in link(page)
    expect(page.locator(f".film[data-chain='{int(chain[1]) - 1}']")).to_be_attached()


def test_a_refresh_of_the_page_that_is_left_does_not_bring_the_tab_back(
    gibbs_app: App, open_page: Callable[..., Page]
) -> None:
    """Until it hears of the new page, the browser asks for the refresh of the one before."""
    page, line, before = refreshing(open_page, gibbs_app)
    in_a_mosaic(page.locator(".st-key-train-particles"))
    for _ in range(40):  # at whatever point of the way one of them comes
        line.ask(before)
        page.wait_for_timeout(10)
    page.wait_for_selector(".film[data-frame='0']")
    settle(page)
    assert "/gibbs?" in link(page)


def test_what_a_page_asks_as_it_is_left_is_asked_in_vain(
    gibbs_app: App, open_page: Callable[..., Page]
) -> None:
    """A slider that is moved and a link that is clicked at once: the link's page is shown, and it is whole."""
    page, line, before = refreshing(open_page, gibbs_app)
    late = ClientState.FromString(before.SerializeToString())
    late.is_auto_rerun = False
    line.carries = lambda question: [question, *([late] * 3 if not question.fragment_id else [])]
    page.get_by_role("link", name="Gibbs", exact=True).click()
    page.wait_for_selector(".film[data-frame='0']")
    settle(page)
    assert "/gibbs" in link(page)


def test_the_doctors_button_fills_in_the_form(gibbs_app: App, open_page: Callable[..., Page]) -> None:
    page = open_train(open_page, gibbs_app, "run=small")
    page.get_by_role("button", name="Go on from step 88 with 1,000 updates").first.click()
    # While the form is drawn anew the one of before may stand beside it for a moment.
    expect(page.locator("input[aria-label='Updates'][value='1000']")).to_be_visible()
    settle(page)
    expect(page.get_by_role("spinbutton", name=re.compile("^Updates"))).to_have_value("1000")
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_enabled()


def test_a_question_asked_before_the_button_does_not_empty_the_form(
    gibbs_app: App, open_page: Callable[..., Page]
) -> None:
    """What the page asked of itself before it heard of the new form says what the old one held."""
    page, line, before = refreshing(open_page, gibbs_app)
    page.get_by_role("button", name="Go on from step 88 with 1,000 updates").first.click()
    updates = page.get_by_role("spinbutton", name=re.compile("^Updates"))
    for _ in range(40):  # at whatever point of the answer one of them comes
        line.ask(before)
        page.wait_for_timeout(25)
    settle(page)
    expect(updates).to_have_value("1000")


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


def test_the_chain_enlarged_stays_when_those_beside_it_go(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=4&sweeps=6&beside=ages")
    beside = page.locator(".st-key-gibbs-beside")
    # The newest of the earlier moments is enlarged, at its first chain.
    expect(page.locator(".film:not([data-chain='0'])")).to_be_attached()
    page.wait_for_url(re.compile("chain=(?!1$)"))
    for choice, chain in (("what if…", 4), ("nothing", 0)):
        beside.get_by_role("radio", name=choice).click()
        expect(page.locator(f".film[data-chain='{chain}']")).to_be_attached()


def test_the_chains_settings_stay_in_sight_beside_a_pad(open_film: Callable[..., Page]) -> None:
    page = open_film("chains=4&sweeps=6&start=drawing", width=1280, height=800)
    page.get_by_role("button", name="4 chains, 6 sweeps").click(position={"x": 20, "y": 10})
    chains = page.get_by_role("spinbutton", name=re.compile("^Chains"))
    expect(chains).to_be_in_viewport()
    chains.fill("3")
    chains.press("Enter")
    until_player(page, "player.film.n_chains === 3")
    expect(page.get_by_role("button", name="3 chains, 6 sweeps")).to_be_in_viewport()
