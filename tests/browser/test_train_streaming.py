"""Train while data stream in: nothing remounts, flickers, shifts or loses its place.

RBM_STREAM_SECONDS=300 watches for five minutes; by default it is half a minute in all. What was counted is left in
tests/artifacts/train-streamed.txt.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from dashboard.processes import trainers
from rbm_core.config import preset
from rbm_core.runs import RunReader
from tests.browser.test_train import badge, canvas, link, pixels, shown_step, slide, until
from tests.live import ARTIFACTS, App, settle, shoot

SECONDS = float(os.environ.get("RBM_STREAM_SECONDS", "16"))
RUN = "streamed"
# Counts what a reader would see as unrest: canvases that are no longer the same element, layout shifts, figures
# taken out of the page, and figures that fade while the page is refreshed.
WATCH = """() => {
    const views = () => [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')];
    const drawn = views().flatMap((view) => [...view.shadowRoot.querySelectorAll('canvas')]);
    const unrest = { shift: 0, shifts: [], removed: 0, dimmest: 1, mounts: window.__rbmMounts, refreshes: 0 };
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) {
            if (entry.hadRecentInput) continue;
            unrest.shift += entry.value;
            unrest.shifts.push(entry.sources.map(({ node }) => node && (node.className || node.nodeName)).join());
        }
    }).observe({ type: 'layout-shift' });
    const main = document.querySelector('[data-testid=stMain]');
    const holds = (node) => node.querySelector && (node.matches('[data-testid=stBidiComponentIsolated]')
        || node.querySelector('[data-testid=stBidiComponentIsolated]'));
    new MutationObserver((changes) => {
        for (const change of changes) for (const node of change.removedNodes) if (holds(node)) unrest.removed += 1;
    }).observe(main, { childList: true, subtree: true });
    const look = () => {
        for (const view of views()) for (let node = view; node && node !== main; node = node.parentElement) {
            unrest.dimmest = Math.min(unrest.dimmest, Number(getComputedStyle(node).opacity));
        }
        setTimeout(look, 100);
    };
    look();
    const slider = document.querySelector('.st-key-timeline [data-testid=stBidiComponentIsolated]').shadowRoot.__view;
    const receive = slider.receive.bind(slider);
    slider.receive = (blob) => { unrest.refreshes += 1; return receive(blob); };
    window.__unrest = () => ({ ...unrest, remounts: window.__rbmMounts - unrest.mounts, views: views().length,
        same: drawn.filter((one) => one.isConnected).length, canvases: drawn.length,
        scroll: main.scrollTop });
}"""

FILTERS_STEP = """() => document.querySelector('.st-key-filters [data-testid=stBidiComponentIsolated]')
    .shadowRoot.__view.h.of.step"""


@pytest.fixture
def streaming(runs_root: Path) -> Iterator[RunReader]:
    """A run that holds until it is told to go on, and ends with the test."""
    trainers.start(preset("quick", dataset="mnist-5k", epochs=100_000), RUN)
    reader = RunReader(runs_root / RUN)
    until(lambda: reader.live() is not None and reader.status()["step"] > 200, 60, "the run does not begin")
    trainers.send(RUN, "pause")
    until(lambda: reader.status()["state"] == "paused", 20, "the run does not pause")
    yield reader
    trainers.send(RUN, "stop")
    until(lambda: reader.status()["state"] == "stopped", 20, "the trainer stopped")


def unrest(page: Page) -> dict[str, Any]:
    return page.evaluate("window.__unrest()")


def calm(page: Page, scroll: float) -> dict[str, Any]:
    seen = unrest(page)
    assert seen["remounts"] == 0, "a component was mounted again"
    assert seen["removed"] == 0, "a figure was taken out of the page"
    assert seen["same"] == seen["canvases"], "a canvas is no longer the same element"
    assert seen["shift"] < 0.01, f"the page jumps: {seen['shifts']}"
    assert seen["dimmest"] == 1, "a figure fades while the page is refreshed"
    assert seen["scroll"] == scroll, "the page scrolls by itself"
    return seen


def test_nothing_is_lost_or_moved_while_data_stream_in(
    streaming: RunReader, start_app: Callable[..., App], open_page: Callable[..., Page]
) -> None:
    page = open_page(f"{start_app().url}/?run={RUN}&curves=weights")
    page.wait_for_selector(".st-key-histograms canvas", timeout=60_000)
    settle(page)
    curves = page.locator(".st-key-curves")
    curves.locator(".key", has_text="norm").click()
    box = canvas(page, "curves").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 150, box["y"] + 90)
    page.mouse.down()
    page.mouse.move(box["x"] + 330, box["y"] + 90, steps=4)
    page.mouse.up()
    page.mouse.move(5, 5)
    page.locator("[data-testid=stMain]").evaluate("(main) => main.scrollTo(0, 240)")
    trainers.send(RUN, "resume")
    until(lambda: badge(page).endswith("running"), 20, "the page does not see the run go on")
    time.sleep(1.5)  # what the clicks themselves moved has settled
    page.evaluate(WATCH)
    begun = time.monotonic()

    def place() -> tuple[Any, ...]:
        zoom = curves.evaluate(
            "(e) => e.querySelector('[data-testid=stBidiComponentIsolated]').shadowRoot.__view.zoom"
        )
        tab = curves.locator("[role=tab][aria-selected=true]").inner_text()
        off = curves.locator(".key[aria-pressed=false]").count()
        return (zoom, tab, off, "curves=weights" in link(page))

    before = place()
    assert before[0] is not None
    assert before[1:] == ("Weights", 1, True)
    while time.monotonic() - begun < SECONDS / 2:
        step = shown_step(page)
        until(lambda step=step: shown_step(page) > step, 8, "the page does not follow the newest")
        calm(page, 240)
        time.sleep(1)
    assert place() == before, "zoom, tab or legend is lost"

    page.evaluate("(main) => document.querySelector('[data-testid=stMain]').scrollTo(0, 0)")
    slide(page, 0.0)
    until(lambda: shown_step(page) == 0, 8, "the slider does not go back")
    until(lambda: page.evaluate(FILTERS_STEP) == 0, 8, "the filters do not follow the slider")
    filters, rows = pixels(page, "filters"), len(streaming.metrics()["step"])
    while time.monotonic() - begun < SECONDS:
        time.sleep(2)
        calm(page, 0)
        assert shown_step(page) == 0, "new data move a page that looks at the past"
        assert pixels(page, "filters") == filters
    until(lambda: len(streaming.metrics()["step"]) > rows, 20, "nothing streamed in")
    assert place() == before
    seen = calm(page, 0)
    shoot(page, "train-streamed")
    (ARTIFACTS / "train-streamed.txt").write_text(
        f"{SECONDS:g} s, {seen['refreshes']} refreshes, {seen['views']} figures, {seen['canvases']} canvases: "
        f"{seen['remounts']} remounts, {seen['removed']} removed, layout shift {seen['shift']:.4f}, "
        f"least opacity {seen['dimmest']:g}\n{seen['shifts']}\n"
    )
    assert badge(page).endswith("running")


# When the next click was, when a button first said that it was pressed, and when the step shown changed: ms apart.
TIME_PRESS = """() => {
    const shown = () => document.querySelector('.st-key-head').innerText, before = shown();
    const times = window.__times = {};
    document.addEventListener('pointerdown', () => { times.press = performance.now(); }, { capture: true, once: true });
    const look = () => {
        const passed = performance.now() - times.press;
        if (!times.asked && document.querySelector('.st-key-controls [data-asked]')) times.asked = passed;
        if (shown() !== before) times.shown = passed; else setTimeout(look, 5);
    };
    look();
}"""


@pytest.fixture
def watched(
    streaming: RunReader, start_app: Callable[..., App], open_page: Callable[..., Page]
) -> Iterator[tuple[App, Page]]:
    """The paused run's page, and its app."""
    app = start_app()
    page = open_page(f"{app.url}/?run={RUN}")
    page.wait_for_selector(".st-key-histograms canvas", timeout=90_000)
    settle(page)
    yield app, page
    app.process.send_signal(signal.SIGCONT)


def press(page: Page, name: str) -> None:
    page.locator(".st-key-controls").get_by_role("button", name=name).click()


def test_no_press_is_lost_beside_a_trainer_and_a_film_in_the_making(
    streaming: RunReader, watched: tuple[App, Page]
) -> None:
    _, page = watched
    film = page.get_by_label("Save the training as a film")
    state = lambda: streaming.status()["state"]  # noqa: E731
    press(page, "Resume")
    until(lambda: state() == "running", 10, "Resume was lost")
    with page.expect_download(timeout=90_000):
        film.select_option("filters gif")
        for name, wanted in (("Pause", "paused"), ("Resume", "running"), ("Pause", "paused")):
            press(page, name)
            until(lambda wanted=wanted: state() == wanted, 10, f"{name} was lost beside a film")
        for n in (1, 10):
            before = streaming.status()["step"]
            press(page, "1 step" if n == 1 else "10 steps")
            until(
                lambda n=n, before=before: streaming.status()["step"] == before + n, 10, "the steps were lost"
            )
            until(lambda n=n, before=before: shown_step(page) == before + n, 10, "the steps are not shown")
    press(page, "Resume")
    until(lambda: state() == "running", 10, "Resume was lost after a film")


def test_one_press_is_obeyed_once_where_the_page_s_timer_falls_into_it(
    streaming: RunReader, watched: tuple[App, Page]
) -> None:
    """Streamlit sends a click a moment after it; held back here until the page's timer has sent it too."""
    _, page = watched
    obeyed = lambda: sum(event["command"] == "step" for event in streaming.events())  # noqa: E731
    page.evaluate(
        "(() => { const at = window.setTimeout; window.setTimeout = (f, ms, ...a) => at(f, ms || 700, ...a); })()"
    )
    for n in (1, 2):
        press(page, "1 step")
        until(lambda n=n: obeyed() >= n, 20, "the press was lost")
        until(lambda: page.locator("[data-asked]").count() == 0, 20, "the press was not heard")
        time.sleep(2)  # for the message that comes again
        assert obeyed() == n, streaming.events()


def test_a_press_is_seen_at_once_even_while_the_app_is_held_up(
    streaming: RunReader, watched: tuple[App, Page]
) -> None:
    app, page = watched
    before = streaming.status()["step"]
    page.evaluate(TIME_PRESS)
    press(page, "1 step")
    until(lambda: shown_step(page) == before + 1, 20, "the step is not shown")
    at_rest = page.evaluate("window.__times")
    expect(page.locator("[data-asked]")).to_have_count(0)
    app.process.send_signal(signal.SIGSTOP)
    page.evaluate(TIME_PRESS)
    press(page, "1 step")
    time.sleep(1)
    assert page.locator("[data-asked]").count() == 1, "nothing says that the press was seen"
    assert streaming.status()["step"] == before + 1, streaming.events()
    app.process.send_signal(signal.SIGCONT)
    until(
        lambda: streaming.status()["step"] == before + 2, 20, "the press was lost while the app was held up"
    )
    expect(page.locator("[data-asked]")).to_have_count(0)
    held_up = page.evaluate("window.__times")
    assert at_rest["asked"] < 100
    assert held_up["asked"] < 100
    shoot(page, "train-pressed")
    (ARTIFACTS / "train-pressed.txt").write_text(
        f"1 step: seen after {at_rest['asked']:.0f} ms, shown after {at_rest['shown']:.0f} ms; "
        f"app held up: seen after {held_up['asked']:.0f} ms\n"
    )


# The longest time between two refreshes that the time slider heard within 12 s, in ms.
LONGEST_QUIET = """async () => {
    const view = document.querySelector('.st-key-timeline [data-testid=stBidiComponentIsolated]').shadowRoot.__view;
    let longest = 0;
    const look = setInterval(() => { longest = Math.max(longest, performance.now() - view.last); }, 100);
    await new Promise((done) => setTimeout(done, 12000));
    clearInterval(look);
    return longest;
}"""


def test_a_press_that_does_not_reach_the_app_is_said_to_be_lost(watched: tuple[App, Page]) -> None:
    _, page = watched
    assert page.evaluate(LONGEST_QUIET) < 10_000, (
        "a run at rest is refreshed all the same, and each refresh is heard"
    )
    assert not page.get_by_text("No word from the app for").is_visible()
    page.locator(".st-key-controls").get_by_role("button", name="1 step").evaluate(
        "(b) => b.addEventListener('click', (event) => event.stopImmediatePropagation(), true)"
    )
    press(page, "1 step")
    said = page.get_by_text("“1 step” did not reach the app: press it again.")
    expect(said).to_be_visible()
    expect(page.locator("[data-asked]")).to_have_count(0)


def test_an_app_that_falls_silent_is_said_to_be_silent_and_the_page_goes_on_after_it(
    streaming: RunReader, watched: tuple[App, Page]
) -> None:
    app, page = watched
    app.process.send_signal(signal.SIGSTOP)
    said = page.get_by_text("No word from the app for")
    time.sleep(15)  # a machine may well be busy for so long
    assert not said.is_visible()
    expect(said).to_be_visible()
    shoot(page, "train-silent")
    trainers.send(RUN, "step", {"n": 1})
    app.process.send_signal(signal.SIGCONT)
    expect(said).not_to_be_visible()
    until(lambda: shown_step(page) == streaming.status()["step"], 20, "the page does not go on")
