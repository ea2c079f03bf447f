"""In small windows, and in tall ones: nothing is cut, and what a press asks for comes into sight."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.train_page import TIMELINE, canvas, open_train
from tests.live import App, box_of, settle, until

TELEPHONE = {"width": 420, "height": 800}
SMALL = {"width": 853, "height": 533}
CUT = "(es) => es.filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.innerText)"


@pytest.mark.parametrize("name", ["Go on from step 88 with 1,000 updates", "Train longer"])
def test_a_button_that_fills_in_the_form_brings_it_into_sight_on_a_telephone(
    gibbs_app: App, open_page: Callable[..., Page], name: str
) -> None:
    page = open_train(open_page, gibbs_app, "run=small", **TELEPHONE)
    start = page.get_by_role("button", name="Start", exact=True)
    expect(start).not_to_be_in_viewport()
    page.get_by_role("button", name=name).first.click()
    expect(start).to_be_in_viewport()
    page.get_by_test_id("stSidebarCollapseButton").get_by_role("button").click()
    expect(start).not_to_be_in_viewport()
    page.get_by_role("button", name="Doctor").click()  # runs the page again, and asks for no form
    settle(page)
    expect(start).not_to_be_in_viewport()


def test_the_doctors_report_closes_over_the_form_that_its_advice_fills_in(
    gibbs_app: App, open_page: Callable[..., Page]
) -> None:
    page = open_train(open_page, gibbs_app, "run=small", **TELEPHONE)
    page.get_by_role("button", name="Doctor").click()
    report = page.locator(".st-key-train-findings")
    report.get_by_role("button", name="Go on from").first.click()
    expect(report).not_to_be_visible()
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_in_viewport()


@pytest.mark.parametrize("where", ["learn", "gibbs?run=small", "gibbs?run=small&beside=ladder"])
def test_the_sidebar_of_a_small_window_cuts_no_words(
    gibbs_app: App, open_page: Callable[..., Page], where: str
) -> None:
    page = open_page(f"{gibbs_app.url}/{where}", **SMALL)
    sidebar = page.get_by_test_id("stSidebar")
    expect(sidebar.get_by_role("button", name="Next")).to_be_attached()
    settle(page)
    assert sidebar.locator("button p:visible, button div:visible").evaluate_all(CUT) == []
    for group in sidebar.get_by_role("radiogroup").all():
        tops = group.get_by_role("radio").evaluate_all("(es) => es.map((e) => e.getBoundingClientRect().top)")
        assert len(set(tops)) <= 1, group.inner_text()


def test_filters_stand_as_high_as_the_fantasies_beside_them_in_a_tall_window(
    gibbs_app: App, open_page: Callable[..., Page]
) -> None:
    page = open_train(open_page, gibbs_app, "run=small", width=1280, height=1900)
    high = {key: box_of(canvas(page, key)) for key in ("filters", "particles")}
    assert high["filters"]["height"] < 1.3 * max(520, high["filters"]["width"])


def test_the_line_under_the_slider_follows_the_keys_and_not_a_pointer_at_rest(
    gibbs_app: App, open_page: Callable[..., Page]
) -> None:
    page = open_train(open_page, gibbs_app, "run=small")
    slider = canvas(page, "timeline")
    slider.click(position={"x": 300, "y": 18})
    until(lambda: page.evaluate(f"{TIMELINE}.over") is not None, 5, "the pointer is not noticed")
    slider.press("ArrowLeft")
    assert page.evaluate(f"{TIMELINE}.over") is None


@pytest.mark.parametrize("width", [1200, 1280, 1440])
def test_how_far_a_run_is_stays_beside_the_moment_shown_whatever_their_length(
    gibbs_app: App, open_page: Callable[..., Page], width: int
) -> None:
    page = open_train(open_page, gibbs_app, "run=small", width=width)
    head = page.locator(".st-key-train-head")
    head.locator("p").first.evaluate(
        "(e) => e.append(' · epoch 12,350 of 12,375 · 1,312 steps/s · 21 min 31 s left')"
    )
    edge = box_of(head)
    right = head.locator("p").evaluate_all("(es) => es.map((e) => e.getBoundingClientRect().right)")
    assert max(right) <= edge["x"] + edge["width"] + 1
    assert head.locator("p").first.evaluate_all(CUT) == []


@pytest.mark.parametrize("window", [TELEPHONE, SMALL], ids=["telephone", "small"])
def test_the_answer_to_a_guess_stays_in_sight_where_the_picture_comes_into_sight(
    gibbs_app: App, open_page: Callable[..., Page], window: dict[str, int]
) -> None:
    page = open_page(f"{gibbs_app.url}/learn?lesson=24", **window)
    page.wait_for_selector(".learn[data-drawn]")
    settle(page)
    page.locator(".st-key-learn-options button:visible").first.click()
    answer = page.locator(".st-key-learn-slot p").first
    expect(answer).to_contain_text("Not quite")
    places: list[float] = []

    def rests() -> bool:
        places.append(box_of(answer)["y"])
        return len(places) > 12 and len(set(places[-12:])) == 1

    until(rests, 10, "the page goes on scrolling")
    assert places[-1] >= 0
