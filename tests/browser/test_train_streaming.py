"""Train while data stream in: nothing remounts, flickers, shifts or loses its place.

RBM_STREAM_SECONDS=300 watches for five minutes; by default it is half a minute in all. What was counted is left in
tests/artifacts/train-streamed.txt.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from dashboard.processes import trainers
from rbm_core.config import preset
from rbm_core.runs import RunReader
from tests.browser.test_train import badge, canvas, link, pixels, shown_step, slide
from tests.live import ARTIFACTS, App, settle, shoot, until

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


def press(page: Page, name: str) -> None:
    page.locator(".st-key-controls").get_by_role("button", name=name).click()


def test_no_press_is_lost_beside_a_trainer_and_a_film_in_the_making(
    streaming: RunReader, start_app: Callable[..., App], open_page: Callable[..., Page]
) -> None:
    page = open_page(f"{start_app().url}/?run={RUN}")
    page.wait_for_selector(".st-key-histograms canvas", timeout=90_000)
    settle(page)
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
