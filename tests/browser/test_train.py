"""The Train page in a real browser: it learns before one's eyes, obeys, and keeps its place meanwhile."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from rbm_core.runs import RunError, RunReader, control, list_runs
from tests.live import App, settle, shoot, until
from tests.small_run import train_small

RUN = "small-run"
N_COMPONENTS = 6  # timeline, curves, fantasies, filters, activity, histograms
WATCH_SHIFTS = """() => {
    window.__shift = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.__shift += entry.value;
    }).observe({ type: 'layout-shift' });
}"""


def canvas(page: Page, key: str) -> Locator:
    return page.locator(f".st-key-{key} canvas").first


def pixels(page: Page, key: str) -> str:
    return canvas(page, key).evaluate("(canvas) => canvas.toDataURL()")


def badge(page: Page) -> str:
    return page.locator("[data-testid=stMarkdown]", has_text="●").first.inner_text()


def link(page: Page) -> str:
    return page.evaluate("location.href")  # page.url lags behind what the page itself pushes


def shown_step(page: Page) -> int:
    text = page.locator("[data-testid=stCaptionContainer]", has_text="Shown below").inner_text()
    return int(text.split("step ")[1].split(" ")[0].replace(",", ""))


def slide(page: Page, share: float) -> None:
    box = canvas(page, "timeline").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 12 + share * (box["width"] - 24), box["y"] + 18)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_small(tmp_path_factory.mktemp("train-browser") / "checkpoints", RUN, max_snapshots=16)


@pytest.fixture
def finished(
    trained: Path, serve: Callable[[Path], App], open_page: Callable[..., Page]
) -> Callable[..., Page]:
    app = serve(trained.parent)

    def open_it(query: str = "", **window: object) -> Page:
        page = open_page(f"{app.url}/?{query}", **window)
        page.wait_for_selector(".st-key-histograms canvas", timeout=30_000)
        settle(page)
        return page

    return open_it


@pytest.fixture
def empty_store(runs_root: Path) -> Iterator[Path]:
    """A store without runs; whatever a test starts in it is stopped at its end."""
    yield runs_root
    for info in list_runs(runs_root):
        try:
            control.send(info.path, "stop")
        except RunError:
            continue
        until(
            lambda path=info.path: RunReader(path).status()["state"] == "stopped", 20, "the trainer stopped"
        )


def test_a_run_started_in_the_page_learns_pauses_steps_resumes_and_stops(
    empty_store: Path, start_app: Callable[..., App], open_page: Callable[..., Page]
) -> None:
    page = open_page(start_app().url)
    expect(page.get_by_text("There is no run to show yet")).to_be_visible()
    shoot(page, "train-first-visit")
    page.get_by_role("combobox", name="Data set").click()
    page.get_by_role("option", name="mnist-5k").click()
    settle(page)
    epochs = page.get_by_role("spinbutton", name="Epochs")
    epochs.fill("3000")  # so long that it cannot end before it is paused, on any machine
    epochs.press("Tab")
    settle(page)
    page.get_by_role("button", name="Start", exact=True).click()
    until(lambda: "starting" in badge(page) or "running" in badge(page), 5, "no answer to Start")
    page.wait_for_selector(".st-key-histograms canvas", timeout=60_000)
    until(lambda: "running" in badge(page) and shown_step(page) > 0, 20, "the run is not seen running")
    mounted = page.evaluate("window.__rbmMounts")

    page.evaluate(WATCH_SHIFTS)
    step, curve, filters = shown_step(page), pixels(page, "curves"), pixels(page, "filters")
    until(lambda: shown_step(page) > step, 5, "the moment does not follow the newest")
    until(lambda: pixels(page, "curves") != curve, 5, "the curves do not move")
    until(lambda: pixels(page, "filters") != filters, 5, "the filters do not move")
    time.sleep(2)
    named = page.locator(".st-key-curves .key").all_inner_texts()
    assert any("training" in text and any(c.isdigit() for c in text) for text in named), (
        "the curves have no legend"
    )
    shoot(page, "train-live")
    assert page.evaluate("window.__rbmMounts") == mounted, "a component was remounted while data streamed in"
    assert page.evaluate("window.__shift") < 0.02, "the page jumps while data stream in"

    page.get_by_role("button", name="Pause").first.click()
    until(lambda: "paus" in badge(page), 6, "no answer to Pause")
    until(lambda: "paused" in badge(page), 5, "not paused")
    until(lambda: page.get_by_role("button", name="Resume").count() > 0, 5, "no Resume")
    settle(page)
    time.sleep(1.2)
    before = shown_step(page)
    page.locator(".st-key-do_step_10 button").first.click()
    until(lambda: shown_step(page) == before + 10, 5, "ten updates were not made, or not exactly ten")
    shoot(page, "train-paused")

    page.get_by_role("button", name="Resume").first.click()
    until(lambda: shown_step(page) > before + 10, 5, "training did not go on")
    page.get_by_role("button", name="Stop").first.click()
    until(lambda: "stopped" in badge(page) or "finished" in badge(page), 8, "not stopped")

    page.reload()
    settle(page)
    until(lambda: "stopped" in badge(page) or "finished" in badge(page), 10, "a reload forgets the run")


def test_the_slider_moves_every_picture_and_the_link(finished: Callable[..., Page]) -> None:
    page = finished(f"run={RUN}")
    last = shown_step(page)
    keys = ("filters", "particles", "activity", "curves", "histograms")
    before = {key: pixels(page, key) for key in keys}
    slide(page, 0.3)
    assert until(lambda: shown_step(page) < last, 5, "the slider moves nothing") < 1.5
    for key in keys:
        until(lambda key=key: pixels(page, key) != before[key], 3, f"{key} did not move")
    step = shown_step(page)
    until(lambda: f"step={step}" in link(page), 6, "the link does not hold the moment")
    shoot(page, "train-past")
    page.reload()
    page.wait_for_selector(".st-key-histograms canvas")
    until(lambda: shown_step(page) == step, 10, "a reload loses the moment")
    canvas(page, "timeline").focus()
    page.keyboard.press("ArrowRight")
    until(lambda: step < shown_step(page) <= last, 5, "the arrow key does not move on")
    page.keyboard.press("End")
    until(lambda: shown_step(page) == last, 5, "End does not lead to the end")


def test_the_film_runs_through_every_snapshot_to_the_end(
    finished: Callable[..., Page], trained: Path
) -> None:
    page = finished(f"run={RUN}&step=0")
    page.get_by_label("Film speed").select_option("2")  # slow enough for a busy machine to show each
    mounted = page.evaluate("window.__rbmMounts")
    page.get_by_label("Play the training as a film").click()
    seen: list[int] = []
    last = RunReader(trained).snapshot_steps()[-1]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not seen or seen[-1] != last):
        step = shown_step(page)
        if not seen or seen[-1] != step:
            seen.append(step)
        time.sleep(0.02)
    assert seen == sorted(seen), "the film jumps back"
    assert seen == RunReader(trained).snapshot_steps()
    assert page.evaluate("window.__rbmMounts") == mounted


def test_zoom_legend_and_tab_survive_refreshes(finished: Callable[..., Page]) -> None:
    page = finished(f"run={RUN}")
    box = canvas(page, "curves").bounding_box()
    assert box is not None
    y = box["y"] + 90
    page.mouse.move(box["x"] + 150, y)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, y, steps=4)
    page.mouse.up()
    page.locator(".st-key-curves .key", has_text="validation").first.click()
    page.mouse.move(5, 5)
    expect(page.locator(".st-key-curves").get_by_role("button", name="whole run")).to_be_visible()
    zoomed = pixels(page, "curves")
    time.sleep(5)  # more than two refreshes of a page at rest
    assert pixels(page, "curves") == zoomed, "a refresh changes a zoomed chart"
    page.evaluate(SEND_AGAIN)
    until(lambda: page.evaluate("window.__whole") == 1, 30, "the rows are not sent again")
    assert pixels(page, "curves") == zoomed, "the zoom is lost where a message was missed"
    page.locator(".st-key-curves").get_by_role("tab", name="Weights").click()
    until(lambda: "curves=weights" in link(page), 5, "the link does not hold the chosen curves")
    expect(page.locator(".st-key-curves").get_by_role("tab", name="Weights")).to_have_attribute(
        "aria-selected", "true"
    )
    shoot(page, "train-weights")


# Asks for the whole of the curves, as a view does that missed a message.
SEND_AGAIN = """() => {
    const view = document.querySelector('.st-key-curves [data-testid=stBidiComponentIsolated]').shadowRoot.__view;
    const receive = view.receive.bind(view);
    window.__whole = 0;
    view.receive = (blob) => { if (blob.header.from === 0) window.__whole += 1; return receive(blob); };
    view.ask('need', 1);
}"""
# Remembers what every view of the page is sent from now on.
LISTEN = """() => {
    window.__sent = [];
    for (const key of ['filters', 'particles', 'activity', 'histograms', 'curves']) {
        const view = document.querySelector(`.st-key-${key} [data-testid=stBidiComponentIsolated]`).shadowRoot.__view;
        const receive = view.receive.bind(view);
        view.receive = (blob) => {
            const rows = blob.arrays.rows;
            window.__sent.push([key, key === 'curves' ? rows.shape[0] === 0 : Boolean(blob.header.same)]);
            return receive(blob);
        };
    }
}"""


def test_a_refresh_at_rest_sends_no_picture_again(finished: Callable[..., Page]) -> None:
    page = finished(f"run={RUN}")
    time.sleep(1)
    page.evaluate(LISTEN)
    time.sleep(6)  # three refreshes
    assert [key for key, nothing_new in page.evaluate("window.__sent") if not nothing_new] == []
    slide(page, 0.3)
    until(
        lambda: "filters" in [key for key, nothing_new in page.evaluate("window.__sent") if not nothing_new],
        5,
        "the slider brings no new filters, or the test does not see them",
    )


# A view that has missed its payload, and whose question for it is lost on the way.
LOSE = """(key) => {
    const view = document.querySelector(`.st-key-${key} [data-testid=stBidiComponentIsolated]`).shadowRoot.__view;
    const ask = view.ask, was = view.version;
    view.ask = () => {};
    if (key === 'curves') view.rows.n = 0;
    view.version = 'missed';
    view.receive({ header: { same: true, version: was, from: 1, columns: [] }, arrays: {} });
    view.ask = ask;
}"""
WHOLE = """(key) => {
    const view = document.querySelector(`.st-key-${key} [data-testid=stBidiComponentIsolated]`).shadowRoot.__view;
    return view.version !== 'missed' && (key !== 'curves' || view.rows.n > 0);
}"""


def test_a_picture_whose_question_is_lost_asks_again(finished: Callable[..., Page]) -> None:
    page = finished(f"run={RUN}")
    for key in ("filters", "histograms", "curves"):
        page.evaluate(LOSE, key)
        assert not page.evaluate(WHOLE, key)
    for key in ("filters", "histograms", "curves"):
        until(lambda key=key: page.evaluate(WHOLE, key), 30, f"{key} never gets its payload")


def test_a_clicked_filter_is_shown_large_with_its_own_numbers(
    finished: Callable[..., Page], trained: Path
) -> None:
    page = finished(f"run={RUN}")
    snapshot = RunReader(trained).snapshot(RunReader(trained).snapshot_steps()[-1])
    canvas(page, "filters").click(position={"x": 8, "y": 8})
    card = page.locator(".st-key-filters .card")
    expect(card).to_contain_text("unit 0")
    expect(card).to_contain_text(f"bias {snapshot.hbias[0]:.3g}".replace("-", "−"))
    shoot(page, "train-unit")


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1280, 800), (520, 900)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_at_any_width(
    finished: Callable[..., Page], width: int, height: int, scheme: str
) -> None:
    page = finished(f"run={RUN}", width=width, height=height, scheme=scheme)
    time.sleep(0.6)
    shoot(page, f"train-{width}-{scheme}")
    main = page.locator("[data-testid=stMain]")
    assert main.evaluate("(e) => e.scrollWidth <= e.clientWidth + 1"), "the page scrolls sideways"
