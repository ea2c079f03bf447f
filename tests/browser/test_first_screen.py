"""What a page shows without scrolling, at every window; and the timelapse that a first visit plays by itself."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from dashboard.views.evaluate import texts
from rbm_core.evaluation import evaluate
from rbm_core.runs import RunReader, store
from rbm_core.runs.evaluation_record import ESTIMATORS
from tests.browser.train_page import TIMELINE, link, shown_step
from tests.live import REPO, App, box_of, settle, shoot, until
from tests.small_run import train_small

RUN = "small-run"
# The page, and its first figure: on Compare the table of runs, which is a canvas too.
PAGES = {
    "train": (f"?run={store.LANDING_RUN}&step=11000", ".st-key-train-filters canvas"),
    "learn": ("learn", ".learn .bars canvas"),
    "gibbs": (f"gibbs?run={RUN}", ".film canvas:visible"),
    "inspect": (f"inspect?run={RUN}&unit=3", ".js-plotly-plot .main-svg, canvas:visible"),
    "evaluate": (f"evaluate?run={RUN}", ".js-plotly-plot .main-svg, canvas:visible"),
    "compare": (f"compare?run={RUN}&runs={RUN},twin", ".js-plotly-plot .main-svg, canvas:visible"),
}
WINDOWS = [(1280, 800), (1920, 1080), (420, 800), (960, 600), (853, 533)]
"""(width, height) in css pixels; the fourth is a small laptop's, the last a laptop's at 150 %."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that ships to be looked at, and two small ones, of which one is evaluated."""
    root = tmp_path_factory.mktemp("first-screen") / "checkpoints"
    evaluate(train_small(root, RUN, n_hidden=12), betas=100)
    train_small(root, "twin", n_hidden=12, seed=1, epochs=1)
    shutil.copytree(REPO / "checkpoints" / store.LANDING_RUN, root / store.LANDING_RUN)
    return root


@pytest.fixture(scope="module")
def app(runs: Path, serve: Callable[[Path], App]) -> App:
    return serve(runs)


def bounds(page: Page, selector: str) -> tuple[float, float]:
    """Top and bottom of the first such element, in css pixels of the window."""
    box = box_of(page.locator(selector).first)
    return box["y"], box["y"] + box["height"]


@pytest.mark.parametrize("name", list(PAGES))
def test_every_page_shows_its_first_figure_without_scrolling(
    app: App, open_page: Callable[..., Page], name: str
) -> None:
    path, figure = PAGES[name]
    page = open_page(f"{app.url}/{path}")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width, height in WINDOWS:
            page.set_viewport_size({"width": width, "height": height})
            page.locator(figure).first.wait_for(state="visible")
            settle(page)
            where = f"{name} at {width}×{height}, {scheme}"
            seen = 100 if height >= 600 else 60  # css pixels of it, at least
            until(
                lambda height=height, seen=seen: bounds(page, figure)[0] < height - seen,
                5,
                f"the first figure is above the fold, {where}",
            )
            main = page.get_by_test_id("stMain")
            assert main.evaluate("(e) => e.scrollTop") == 0, where
            if name == "train":
                both_and_the_slider(page, width, height, seen, where)
            shoot(page, f"fold-{name}-{width}-{scheme}")


def both_and_the_slider(page: Page, width: int, height: int, seen: int, where: str) -> None:
    """Filters and fantasies and the slider are whole in a wide window; in a narrow one the filters and the slider.

    In a low window the tiles keep a size at which one sees strokes, and reach below it: so many css pixels are `seen`.
    """
    pictures = ["filters"] if width < 640 else ["filters", "particles"]  # side by side from there on
    low = height < 800
    for key in pictures:
        until(
            lambda key=key: bounds(page, f".st-key-train-{key} canvas")[0] < height - seen,
            5,
            f"the {key} are above the fold, {where}",
        )
    for key in ["timeline"] if low else [*pictures, "timeline"]:
        selector = f".st-key-train-{key} canvas"
        until(
            lambda selector=selector: bounds(page, selector)[1] <= height,
            5,
            f"the {key} are whole in sight, {where}",
        )


def test_the_sentence_that_says_what_to_look_at_is_in_sight(app: App, open_page: Callable[..., Page]) -> None:
    page = open_page(f"{app.url}/?run={RUN}", width=1280, height=800)
    expect(page.get_by_text("A restricted Boltzmann machine (RBM) learns strokes")).to_be_in_viewport(ratio=1)


CUT = "(boxes) => boxes.filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.value ?? e.innerText)"
"""The words of those elements that do not hold theirs."""


def test_what_evaluate_is_asked_for_is_read_to_its_end(app: App, open_page: Callable[..., Page]) -> None:
    question = f"{app.url}/evaluate?run=twin"  # which has no charts to draw
    page = open_page(question)
    chosen = page.locator(".st-key-evaluate-question input")
    estimators = [name for name in ESTIMATORS if name != "mixing"]  # its second choice is a slider
    for estimator, care in [("bracket", care) for care in texts.CARE] + [
        (name, "1000") for name in estimators
    ]:
        page.goto(f"{question}&estimator={estimator}&care={care}")
        expect(page.get_by_role("combobox", name="What to measure")).to_have_value(
            ESTIMATORS[estimator].title
        )
        settle(page)
        for width in (1280, 853) if estimator == "bracket" else (1280,):
            page.set_viewport_size({"width": width, "height": 800})
            assert chosen.evaluate_all(CUT) == [], width


def test_the_doctors_first_advice_is_read_to_its_end(app: App, open_page: Callable[..., Page]) -> None:
    page = open_page(f"{app.url}/?run={RUN}")
    line = page.locator(".st-key-train-doctor")
    expect(line.get_by_role("button", name="Go on from")).to_be_visible()
    for width, height in WINDOWS:
        page.set_viewport_size({"width": width, "height": height})
        assert line.locator("p").evaluate_all(CUT) == [], f"{width}×{height}"
    line.get_by_role("button", name="Doctor").click()
    # Each finding has a mark of its own.
    expect(page.locator(".st-key-train-findings ul").first).to_have_css("list-style-type", "none")


def test_the_sidebar_leaves_a_small_window_to_the_page(app: App, open_page: Callable[..., Page]) -> None:
    page = open_page(f"{app.url}/?run={RUN}", width=853, height=533)
    until(lambda: box_of(page.get_by_test_id("stSidebar"))["width"] == 240, 5, "the sidebar is not narrow")


def test_the_choice_of_a_start_stands_in_one_row_on_a_telephone(
    app: App, open_page: Callable[..., Page]
) -> None:
    page = open_page(f"{app.url}/gibbs?run={RUN}", width=420, height=800)
    starts = page.locator(".st-key-gibbs-start").get_by_role("radio")
    expect(starts).to_have_count(5)
    assert len(set(starts.evaluate_all("(es) => es.map((e) => e.getBoundingClientRect().top)"))) == 1


@pytest.mark.parametrize("beside", ["nothing", "ages", "whatif"])
def test_the_heads_of_the_chains_are_read_to_their_end(
    app: App, open_page: Callable[..., Page], beside: str
) -> None:
    page = open_page(f"{app.url}/gibbs?run={RUN}&beside={beside}", width=1280, height=800)
    hint = page.locator(".film .chains .what")
    expect(hint).to_contain_text("click to enlarge")
    assert hint.evaluate_all(CUT) == []


def test_the_time_slider_stays_in_sight_down_to_the_last_picture(
    app: App, open_page: Callable[..., Page]
) -> None:
    page = open_page(f"{app.url}/?run={RUN}")
    page.wait_for_selector(".st-key-train-histograms canvas")
    main, slider = page.get_by_test_id("stMain"), page.locator(".st-key-train-timeline canvas").first
    for width, height in WINDOWS:
        page.set_viewport_size({"width": width, "height": height})
        for share in (0.25, 0.5, 0.75, 1):
            main.evaluate("(e, share) => e.scrollTo(0, share * (e.scrollHeight - e.clientHeight))", share)
            expect(slider, f"{width}×{height}, at {share:.0%}").to_be_in_viewport(ratio=1)


def test_train_has_its_name_in_a_link_too(app: App, open_page: Callable[..., Page]) -> None:
    page = open_page(f"{app.url}/train?run={RUN}")
    expect(page.locator(".st-key-train-top")).to_contain_text(RUN)
    expect(page.locator(".st-key-train-filters canvas").first).to_be_visible()
    expect(page.get_by_text("Page not found")).to_have_count(0)


@pytest.fixture
def visit(new_context: Callable[..., BrowserContext], app: App) -> Callable[[str], Page]:
    """visit(motion) -> the app's front page in a new browser tab of one who wants this motion."""

    def visit(motion: str) -> Page:
        window = {"width": 1280, "height": 800}
        page = new_context(viewport=window, reduced_motion=motion).new_page()
        page.add_init_script(FOLLOW_FRAMES)
        page.goto(f"{app.url}/")
        page.wait_for_selector(".st-key-train-histograms canvas")
        return page

    return visit


# Writes down when the mosaics are handed which frame, and what the reader sees of the one before it: the name of the
# play button, whether it is pressed, and what stands above the filters. A null frame gives the page's own moment back.
FOLLOW_FRAMES = """
window.__frames = [];
const inside = (key, selector) => document.querySelector(`.st-key-train-${key} [data-testid=stBidiComponentIsolated]`)
    ?.shadowRoot.querySelector(selector);
window.__pause = () => inside('timeline', '[aria-label="Pause the timelapse"]');
window.addEventListener('rbm-frame', ({ detail }) => window.__frames.push([
    performance.now(), detail && detail.filters.header.title,
    window.__pause()?.getAttribute('aria-pressed'), inside('filters', '.title')?.innerText]));
"""


def test_a_first_visit_plays_the_training_in_ten_seconds_and_rests(
    visit: Callable[[str], Page], runs: Path
) -> None:
    page = visit("no-preference")
    expect(page.locator(".st-key-train-top")).to_contain_text(store.LANDING_RUN)
    page.wait_for_function("window.__frames.length > 3 && window.__frames.at(-1)[1] === null")
    frames = page.evaluate("window.__frames")
    assert frames[0][1] == "Filters at step 0"
    assert frames[-1][2] == "true", "the play button does not say that it plays"
    assert "at step" in frames[-1][3]
    at = np.array([frame[0] for frame in frames]) / 1000
    # A busy browser is late with the last frame as it is with others.
    assert 9.5 <= at[-1] - at[0] < 11 + 2 * np.diff(at).max(), "it does not play by the browser's clock"
    expect(page.locator(".st-key-train-timeline").get_by_label("Play the training")).to_be_visible()
    last = RunReader(runs / store.LANDING_RUN).snapshot_steps()[-1]
    assert shown_step(page) == last == page.evaluate(f"{TIMELINE}.step")
    assert "step=" not in link(page)
    expect(page.locator(".st-key-train-filters .title").first).to_have_text("Filters")
    page.reload()
    page.wait_for_selector(".st-key-train-histograms canvas")
    page.wait_for_function(f"{TIMELINE}.landing.decided")
    assert page.evaluate(f"{TIMELINE}.landing.asking") == 0, "a tab plays it once"
    assert page.evaluate("window.__frames") == []


def test_a_pause_while_it_plays_stays_at_that_moment(visit: Callable[[str], Page], runs: Path) -> None:
    page = visit("no-preference")
    # In the page itself: a busy machine may take longer to a click from here than the timelapse takes.
    page.wait_for_function(
        """() => {
            const button = window.__frames.length > 3 && window.__pause();
            if (button) button.click();
            return Boolean(button);
        }"""
    )
    steps = RunReader(runs / store.LANDING_RUN).snapshot_steps()
    until(lambda: shown_step(page) < steps[-1], 5, "the page does not show the moment of the pause")
    step = shown_step(page)
    assert step in steps
    until(lambda: f"step={step}" in link(page), 6, "the link does not hold the moment")
    assert page.evaluate("window.__frames.at(-1)[1]") is None


def test_a_first_visit_is_still_where_reduced_motion_is_asked_for(visit: Callable[[str], Page]) -> None:
    page = visit("reduce")
    page.wait_for_function(f"{TIMELINE}.landing.decided")
    assert page.evaluate(f"{TIMELINE}.landing.asking") == 0
    assert page.evaluate("window.__frames") == []
    expect(page.locator(".st-key-train-timeline").get_by_label("Play the training")).to_be_visible()
