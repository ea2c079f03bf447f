"""The Train page beside a trainer at work: it learns before one's eyes, obeys, and keeps its place meanwhile.

RBM_STREAM_SECONDS=300 watches the stream of data for five minutes; by default it is a few refreshes. What was counted
is left in tests/artifacts/train-streamed.txt.
"""

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from dashboard.processes import trainers
from rbm_core.config import preset
from rbm_core.runs import RunError, RunReader, control, list_runs
from tests.browser.train_page import (
    TIMELINE,
    badge,
    canvas,
    link,
    open_train,
    pixels,
    press,
    refresh,
    shown_step,
    slide,
)
from tests.live import ARTIFACTS, App, drag, painted, settle, shoot, until

SECONDS = float(os.environ.get("RBM_STREAM_SECONDS", "0"))
ROUNDS = 4
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
    const host = document.querySelector('.st-key-train-timeline [data-testid=stBidiComponentIsolated]');
    const slider = host.shadowRoot.__view;
    const receive = slider.receive.bind(slider);
    slider.receive = (blob) => { unrest.refreshes += 1; return receive(blob); };
    window.__unrest = () => ({ ...unrest, remounts: window.__rbmMounts - unrest.mounts, views: views().length,
        same: drawn.filter((one) => one.isConnected).length, canvases: drawn.length,
        scroll: main.scrollTop });
}"""

FILTERS_STEP = """() => document.querySelector('.st-key-train-filters [data-testid=stBidiComponentIsolated]')
    .shadowRoot.__view.h.of.step"""
HISTOGRAMS_STEP = FILTERS_STEP.replace("filters", "histograms")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run store for the tests of this file; every run in it is stopped at their end."""
    root = tmp_path_factory.mktemp("train-live") / "checkpoints"
    root.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RBM_RUNS_DIR", str(root))
        yield root
    for info in list_runs(root):
        try:
            control.send(info.path, "stop")
        except RunError:
            continue
        ended = lambda path=info.path: RunReader(path).status()["state"] == "stopped"  # noqa: E731
        until(ended, 20, "the trainer does not stop")


def test_a_run_started_in_the_page_learns_pauses_steps_resumes_and_stops(
    store: Path, serve: Callable[[Path], App], open_page: Callable[..., Page]
) -> None:
    page = open_page(serve(store).url)
    expect(page.get_by_text("There is no run to show yet")).to_be_visible()
    shoot(page, "train-first-visit")
    page.get_by_role("combobox", name="Data set").click()
    page.get_by_role("option", name="mnist-5k").click()
    settle(page)
    updates = page.get_by_role("spinbutton", name="Updates")
    updates.fill("120000")  # so long that it cannot end before it is paused, on any machine
    updates.press("Tab")
    settle(page)
    page.get_by_role("button", name="Start", exact=True).click()
    until(lambda: "starting" in badge(page) or "running" in badge(page), 5, "no answer to Start")
    page.wait_for_selector(".st-key-train-histograms canvas")
    until(lambda: "running" in badge(page) and shown_step(page) > 0, 20, "the run is not seen running")
    mounted = page.evaluate("window.__rbmMounts")

    page.evaluate(WATCH)
    step, curve, filters = shown_step(page), pixels(page, "curves"), pixels(page, "filters")
    until(lambda: shown_step(page) > step, 5, "the moment does not follow the newest")
    until(lambda: pixels(page, "curves") != curve, 5, "the curves do not move")
    until(lambda: pixels(page, "filters") != filters, 5, "the filters do not move")
    refresh(page, 2)
    legend = page.locator(".st-key-train-curves .key").filter(has_text="training")
    expect(legend.filter(has_text=re.compile(r"\d")).first).to_be_visible()  # with its newest value
    shoot(page, "train-live")
    assert page.evaluate("window.__rbmMounts") == mounted, "a component was remounted while data streamed in"
    assert page.evaluate("window.__unrest().shift") < 0.02, "the page jumps while data stream in"

    out_of_sight = lambda: page.evaluate(f"{TIMELINE}.sight.told") or ""  # noqa: E731
    until(lambda: "histograms" in out_of_sight(), 5, "the app does not hear what nobody sees")
    assert "filters" not in out_of_sight()
    page.locator(".st-key-train-histograms").scroll_into_view_if_needed()
    until(lambda: "histograms" not in out_of_sight(), 2, "the app does not hear what comes into sight")
    step = shown_step(page)
    until(lambda: page.evaluate(HISTOGRAMS_STEP) >= step, 2, "what came into sight is of another moment")
    page.locator(".st-key-train-filters").scroll_into_view_if_needed()

    press(page, "Pause")
    until(lambda: "paus" in badge(page), 6, "no answer to Pause")
    until(lambda: "paused" in badge(page), 5, "not paused")
    until(lambda: page.get_by_role("button", name="Resume").count() > 0, 5, "no Resume")
    refresh(page, 2)  # the last picture before the pause has come
    before = shown_step(page)
    press(page, "10 steps")
    until(lambda: shown_step(page) == before + 10, 5, "ten updates were not made, or not exactly ten")
    shoot(page, "train-paused")

    press(page, "Resume")
    until(lambda: shown_step(page) > before + 10, 5, "training did not go on")
    press(page, "Stop")
    until(lambda: "stopped" in badge(page) or "finished" in badge(page), 8, "not stopped")

    page.reload()
    settle(page)
    until(lambda: "stopped" in badge(page) or "finished" in badge(page), 10, "a reload forgets the run")


@pytest.fixture(scope="module")
def streaming(store: Path) -> RunReader:
    """A run that trains for as long as anyone watches it."""
    trainers.start(preset("quick", dataset="mnist-5k", epochs=100_000), RUN)
    reader = RunReader(store / RUN)
    until(lambda: reader.live() is not None and reader.status()["step"] > 200, 60, "the run does not begin")
    return reader


@pytest.fixture
def held(streaming: RunReader) -> RunReader:
    """The same, on hold until the test tells it to go on."""
    trainers.send(RUN, "pause")
    until(lambda: streaming.status()["state"] == "paused", 20, "the run does not pause")
    return streaming


def calm(page: Page, scroll: float) -> dict[str, Any]:
    seen = page.evaluate("window.__unrest()")
    assert seen["remounts"] == 0, "a component was mounted again"
    assert seen["removed"] == 0, "a figure was taken out of the page"
    assert seen["same"] == seen["canvases"], "a canvas is no longer the same element"
    assert seen["shift"] < 0.01, f"the page jumps: {seen['shifts']}"
    assert seen["dimmest"] == 1, "a figure fades while the page is refreshed"
    assert seen["scroll"] == scroll, "the page scrolls by itself"
    return seen


def place(page: Page) -> tuple[Any, ...]:
    """What a reader has set in the curves: zoom, tab, curves switched off, and whether the link holds the tab."""
    curves = page.locator(".st-key-train-curves")
    zoom = curves.evaluate(
        "(e) => e.querySelector('[data-testid=stBidiComponentIsolated]').shadowRoot.__view.zoom"
    )
    tab = curves.locator("[role=tab][aria-selected=true]").inner_text()
    off = curves.locator(".key[aria-pressed=false]").count()
    return (zoom, tab, off, "curves=weights" in link(page))


def zoom_in(page: Page) -> None:
    drag(canvas(page, "curves"), (150, 90), (330, 90))
    page.mouse.move(5, 5)


def scroll_to(page: Page, y: int) -> None:
    page.locator("[data-testid=stMain]").evaluate("(main, y) => main.scrollTo(0, y)", y)


def test_nothing_is_lost_or_moved_while_data_stream_in(
    held: RunReader, store: Path, serve: Callable[[Path], App], open_page: Callable[..., Page]
) -> None:
    page = open_train(open_page, serve(store), f"run={RUN}&curves=weights")
    page.locator(".st-key-train-curves .key", has_text="norm").click()
    zoom_in(page)
    scroll_to(page, 240)
    trainers.send(RUN, "resume")
    until(lambda: badge(page).endswith("running"), 20, "the page does not see the run go on")
    refresh(page, 2)  # what the clicks themselves moved has settled
    page.evaluate(WATCH)
    begun = time.monotonic()
    before = place(page)
    assert before[0] is not None
    assert before[1:] == ("Weights", 1, True)
    follow(page, begun)
    assert place(page) == before, "zoom, tab or legend is lost"

    scroll_to(page, 0)
    slide(page, 0.0)
    until(lambda: shown_step(page) == 0, 8, "the slider does not go back")
    until(lambda: page.evaluate(FILTERS_STEP) == 0, 8, "the filters do not follow the slider")
    look_back(page, held, begun)
    assert place(page) == before
    seen = calm(page, 0)
    shoot(page, "train-streamed")
    (ARTIFACTS / "train-streamed.txt").write_text(
        f"{time.monotonic() - begun:.0f} s, {seen['refreshes']} refreshes, {seen['views']} figures, "
        f"{seen['canvases']} canvases: {seen['remounts']} remounts, {seen['removed']} removed, "
        f"layout shift {seen['shift']:.4f}, least opacity {seen['dimmest']:g}\n{seen['shifts']}\n"
    )
    assert badge(page).endswith("running")


def follow(page: Page, begun: float) -> None:
    """The page follows the newest state, scrolled down, for ROUNDS of new data and half of SECONDS."""
    rounds = 0
    while rounds < ROUNDS or time.monotonic() - begun < SECONDS / 2:
        step = shown_step(page)
        until(lambda step=step: shown_step(page) > step, 8, "the page does not follow the newest")
        calm(page, 240)
        rounds += 1


def look_back(page: Page, reader: RunReader, begun: float) -> None:
    """The page stays at the first step for ROUNDS of new data and the rest of SECONDS."""
    painted(page)
    filters, rounds = pixels(page, "filters"), 0
    while rounds < ROUNDS or time.monotonic() - begun < SECONDS:
        rows = len(reader.metrics()["step"])
        until(lambda rows=rows: len(reader.metrics()["step"]) > rows, 20, "nothing streams in")
        refresh(page)
        calm(page, 0)
        assert shown_step(page) == 0, "new data move a page that looks at the past"
        assert pixels(page, "filters") == filters
        rounds += 1


def test_no_press_is_lost_beside_a_trainer_and_an_animation_in_the_making(
    held: RunReader, store: Path, serve: Callable[[Path], App], open_page: Callable[..., Page]
) -> None:
    page = open_train(open_page, serve(store), f"run={RUN}")

    def state(wanted: str, what: str) -> None:
        until(lambda: held.status()["state"] == wanted, 10, what)

    press(page, "Resume")
    state("running", "Resume was lost")
    with page.expect_download():
        page.get_by_label("Save the training as an animation").select_option("filters gif")
        for name, wanted in (("Pause", "paused"), ("Resume", "running"), ("Pause", "paused")):
            press(page, name)
            state(wanted, f"{name} was lost beside an animation")
        for name, n in (("1 step", 1), ("10 steps", 10)):
            after = held.status()["step"] + n
            press(page, name)
            until(lambda after=after: held.status()["step"] == after, 10, "the steps were lost")
            until(lambda after=after: shown_step(page) == after, 10, "the steps are not shown")
    press(page, "Resume")
    state("running", "Resume was lost after an animation")
