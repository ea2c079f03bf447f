"""The page of a finished run in a real browser: the slider moves everything, and a refresh changes nothing."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from rbm_core.runs import RunReader
from rbm_core.runs.snapshot import snapshot_file
from tests.browser.train_page import canvas, link, open_train, pixels, refresh, shown_step, slide
from tests.live import App, box_of, drag, painted, settle, shoot, until
from tests.small_run import train_small

RUN = "small-run"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_small(tmp_path_factory.mktemp("train-browser") / "checkpoints", RUN, max_snapshots=16)


@pytest.fixture
def finished(
    trained: Path, serve: Callable[[Path], App], open_page: Callable[..., Page]
) -> Callable[..., Page]:
    """Opens the page of a finished run, with what follows in the link."""
    return lambda more="", **window: open_train(
        open_page, serve(trained.parent), f"run={RUN}&{more}", **window
    )


def test_the_slider_moves_every_picture_and_the_link(finished: Callable[..., Page]) -> None:
    page = finished()
    last = shown_step(page)
    keys = ("filters", "particles", "activity", "curves", "histograms")
    before = {key: pixels(page, key) for key in keys}
    slide(page, 0.3)
    until(lambda: shown_step(page) < last, 2, "the slider moves nothing")
    for key in keys:
        until(lambda key=key: pixels(page, key) != before[key], 3, f"{key} did not move")
    step = shown_step(page)
    until(lambda: f"step={step}" in link(page), 6, "the link does not hold the moment")
    shoot(page, "train-past")
    page.reload()
    page.wait_for_selector(".st-key-train-histograms canvas")
    settle(page)
    until(lambda: shown_step(page) == step, 10, "a reload loses the moment")
    canvas(page, "timeline").focus()
    page.keyboard.press("ArrowRight")
    until(lambda: step < shown_step(page) <= last, 5, "the arrow key does not move on")
    page.keyboard.press("End")
    until(lambda: shown_step(page) == last, 5, "End does not lead to the end")


def test_why_no_picture_could_be_saved_is_said_where_it_was_asked_for(
    runs_root: Path, start_app: Callable[..., App], open_page: Callable[..., Page]
) -> None:
    run = train_small(runs_root, RUN)
    page = open_train(open_page, start_app(RBM_RUNS_DIR=str(runs_root)), f"run={RUN}")
    middle = RunReader(run).snapshot_steps()[1]
    snapshot_file(run, middle).write_bytes(b"half of it")
    slider = page.locator(".st-key-train-timeline")
    picker = slider.get_by_label("Save the training")
    picker.select_option("filters gif")
    # It hides itself after some seconds and keeps its words: a busy machine may look too late to see it.
    expect(slider.locator(".refusal")).to_contain_text("No picture could be made")
    expect(picker).to_have_attribute("aria-busy", "false")
    expect(picker.locator("option").first).to_have_text("save as …")


def test_the_spectrum_is_that_of_the_weights_and_follows_the_slider_and_the_modes_chosen(
    finished: Callable[..., Page], trained: Path
) -> None:
    page = finished()
    box = page.locator(".st-key-train-spectrum .spectrum")
    reader = RunReader(trained)
    steps = reader.snapshot_steps()
    expect(box).to_have_attribute(
        "data-moments", str(len(steps))
    )  # the thread beside the page works them out
    expect(box).to_have_attribute("data-at", str(steps[-1]))
    view = ".querySelector('[data-testid=stBidiComponentIsolated]').shadowRoot.__view"
    rows = page.evaluate(f"Array.from(document.querySelector('.st-key-train-spectrum'){view}.a.values)")
    rows = np.reshape(rows, (len(steps), -1))
    for step, row in zip(steps, rows, strict=True):
        sigma = np.linalg.svd(reader.snapshot(step).W, compute_uv=False)[: len(row)]
        np.testing.assert_allclose(row, sigma, rtol=1e-4, atol=1e-5)
    cloud = box.locator(".cloud canvas")
    picture = lambda: cloud.evaluate("(canvas) => canvas.toDataURL()")  # noqa: E731
    before = picture()
    page.get_by_label("Mode that is drawn up").select_option("5")
    expect(box).to_have_attribute("data-modes", "1,5")
    until(lambda: "mode2=5" in link(page), 6, "the link does not hold the mode")
    until(lambda: picture() != before, 5, "the cloud does not follow the mode")
    # The line of a mode, where it ends: its mode is drawn across, and the one that was, up.
    lines = box.locator(".lines canvas")
    lines.scroll_into_view_if_needed()
    box_of(lines)
    end = f"document.querySelector('.st-key-train-spectrum'){view}.knots.at(-1)"
    lines.click(position={"x": page.evaluate(f"{end}.x") - 1, "y": page.evaluate(f"{end}.ys[3]")})
    expect(box).to_have_attribute("data-modes", "4,1")
    until(lambda: "mode=4" in link(page), 6, "the link does not hold the mode")
    slide(page, 0.3)
    until(lambda: shown_step(page) < steps[-1], 5, "the slider moves nothing")
    expect(box).to_have_attribute("data-at", str(shown_step(page)))
    expect(box).to_have_attribute("data-modes", "4,1")


# Writes down every step that the caption names from now on.
FOLLOW_STEPS = """() => {
    const head = document.querySelector('.st-key-train-head');
    const step = () => Number(/Shown below: step ([0-9,]+)/.exec(head.innerText)[1].replaceAll(',', ''));
    window.__steps = [step()];
    new MutationObserver(() => { if (step() !== window.__steps.at(-1)) window.__steps.push(step()); })
        .observe(head, { childList: true, subtree: true, characterData: true });
}"""


def test_the_timelapse_runs_through_every_snapshot_to_the_end(
    finished: Callable[..., Page], trained: Path
) -> None:
    page = finished("step=0")
    steps = RunReader(trained).snapshot_steps()
    mounted = page.evaluate("window.__rbmMounts")
    page.evaluate(FOLLOW_STEPS)
    page.get_by_label("Play the training as a timelapse").click()
    until(lambda: page.evaluate("window.__steps.at(-1)") == steps[-1], 20, "the timelapse does not end")
    assert page.evaluate("window.__steps") == steps
    assert page.evaluate("window.__rbmMounts") == mounted


def test_zoom_legend_and_tab_survive_refreshes(finished: Callable[..., Page]) -> None:
    page = finished()
    canvas(page, "curves").evaluate("(chart) => chart.scrollIntoView({ block: 'center' })")
    drag(canvas(page, "curves"), (150, 90), (300, 90))
    page.locator(".st-key-train-curves .key", has_text="validation").first.click()
    page.mouse.move(5, 5)
    expect(page.locator(".st-key-train-curves").get_by_role("button", name="whole run")).to_be_visible()
    painted(page)
    zoomed = pixels(page, "curves")
    refresh(page, 2)
    assert pixels(page, "curves") == zoomed, "a refresh changes a zoomed chart"
    page.evaluate(SEND_AGAIN)
    until(lambda: page.evaluate("window.__whole") == 1, 30, "the rows are not sent again")
    assert pixels(page, "curves") == zoomed, "the zoom is lost where a message was missed"
    page.locator(".st-key-train-curves").get_by_role("tab", name="Weights").click()
    until(lambda: "curves=weights" in link(page), 5, "the link does not hold the chosen curves")
    expect(page.locator(".st-key-train-curves").get_by_role("tab", name="Weights")).to_have_attribute(
        "aria-selected", "true"
    )
    shoot(page, "train-weights")


# Asks for the whole of the curves, as a view does that missed a message.
SEND_AGAIN = """() => {
    const view = document.querySelector('.st-key-train-curves [data-testid=stBidiComponentIsolated]').shadowRoot.__view;
    const receive = view.receive.bind(view);
    window.__whole = 0;
    view.receive = (blob) => { if (blob.header.from === 0) window.__whole += 1; return receive(blob); };
    view.ask('need', 1);
}"""
# Remembers what every view of the page is sent from now on.
LISTEN = """() => {
    window.__sent = [];
    for (const key of ['filters', 'particles', 'activity', 'histograms', 'curves']) {
        const host = document.querySelector(`.st-key-train-${key} [data-testid=stBidiComponentIsolated]`);
        const view = host.shadowRoot.__view;
        const receive = view.receive.bind(view);
        view.receive = (blob) => {
            const rows = blob.arrays.rows;
            window.__sent.push([key, key === 'curves' ? rows.shape[0] === 0 : Boolean(blob.header.same)]);
            return receive(blob);
        };
    }
}"""


def test_a_refresh_at_rest_sends_no_picture_again(finished: Callable[..., Page]) -> None:
    page = finished()
    refresh(page)
    page.evaluate(LISTEN)
    refresh(page, 3)
    assert [key for key, nothing_new in page.evaluate("window.__sent") if not nothing_new] == []
    slide(page, 0.3)
    until(
        lambda: "filters" in [key for key, nothing_new in page.evaluate("window.__sent") if not nothing_new],
        5,
        "the slider brings no new filters, or the test does not see them",
    )


# A view that has missed its payload, and whose question for it is lost on the way; whether it is whole then.
LOSE = """(key) => {
    const view = document.querySelector(`.st-key-train-${key} [data-testid=stBidiComponentIsolated]`).shadowRoot.__view;
    const ask = view.ask, was = view.version;
    view.ask = () => {};
    if (key === 'curves') view.rows.n = 0;
    view.version = 'missed';
    view.receive({ header: { same: true, version: was, from: 1, columns: [] }, arrays: {} });
    view.ask = ask;
    window.__whole = (key, view) => view.version !== 'missed' && (key !== 'curves' || view.rows.n > 0);
    return window.__whole(key, view);
}"""
WHOLE = """(key) => window.__whole(key,
    document.querySelector(`.st-key-train-${key} [data-testid=stBidiComponentIsolated]`).shadowRoot.__view)"""


def test_a_picture_whose_question_is_lost_asks_again(finished: Callable[..., Page]) -> None:
    page = finished()
    for key in ("filters", "histograms", "curves"):
        assert not page.evaluate(LOSE, key)
    for key in ("filters", "histograms", "curves"):
        until(lambda key=key: page.evaluate(WHOLE, key), 30, f"{key} never gets its payload")


def test_a_clicked_filter_is_shown_large_with_its_own_numbers(
    finished: Callable[..., Page], trained: Path
) -> None:
    page = finished()
    snapshot = RunReader(trained).snapshot(RunReader(trained).snapshot_steps()[-1])
    canvas(page, "filters").click(position={"x": 8, "y": 8})
    card = page.locator(".st-key-train-filters .card")
    expect(card).to_contain_text("unit 0")
    expect(card).to_contain_text(f"bias {snapshot.hbias[0]:.3g}".replace("-", "−"))
    shoot(page, "train-unit")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("windows", [[(1280, 800), (1920, 1080)], [(520, 900)]], ids=["wide", "narrow"])
def test_nothing_is_cut_off_at_any_width(
    finished: Callable[..., Page], windows: list[tuple[int, int]], scheme: str
) -> None:
    page = finished(width=windows[0][0], height=windows[0][1], scheme=scheme)
    for width, height in windows:
        page.set_viewport_size({"width": width, "height": height})
        refresh(page)
        shoot(page, f"train-{width}-{scheme}")
        main = page.locator("[data-testid=stMain]")
        assert main.evaluate("(e) => e.scrollWidth <= e.clientWidth + 1"), f"sideways at {width}"
