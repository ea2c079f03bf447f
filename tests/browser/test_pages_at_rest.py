"""Inspect, Compare and Evaluate in a real browser: charts can be saved, words opened, narrow windows used."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from dashboard.figures import plotly_look
from rbm_core.evaluation import evaluate
from rbm_core.runs import RunReader
from tests.live import App, painted, settle, shoot, until
from tests.small_run import train_small

RUN = "small-run"
LINKS = {
    "unit": f"inspect?run={RUN}&unit=3",
    "pixel": f"inspect?run={RUN}&look=pixel",
    "image": f"inspect?run={RUN}&look=image",
    "compare": f"compare?run={RUN}&runs={RUN},twin",
    "evaluate": f"evaluate?run={RUN}",
}
LIVE_LINKS = {"train": f"?run={RUN}", "gibbs": f"gibbs?run={RUN}", "learn": "learn"}
WINDOWS = {
    "narrow": (420, 900, 1.0),
    "small": (960, 600, 1.0),
    "zoomed": (853, 533, 1.5),  # a laptop's window at 150 %
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two runs, one of them evaluated, that no test changes."""
    root = tmp_path_factory.mktemp("rest-browser") / "checkpoints"
    evaluate(train_small(root, RUN, n_hidden=12), betas=100)
    train_small(root, "twin", n_hidden=12, seed=1, epochs=1)
    return root


@pytest.fixture(scope="module")
def app(runs: Path, serve: Callable[[Path], App]) -> App:
    return serve(runs)


def plots(page: Page) -> Locator:
    plot = page.locator(".js-plotly-plot")
    expect(plot.first.locator(".main-svg").first).to_be_visible()
    return plot


def save(page: Page, plot: Locator, button: str, folder: Path) -> Path:
    """The file that a chart's camera of this name writes, once Plotly has said so: then the chart may go."""
    plot.hover()
    with page.expect_download() as caught:
        plot.get_by_role("button", name=button, exact=True).click()
    path = folder / caught.value.suggested_filename
    expect(page.get_by_text(f"Image download succeeded - {path.name}")).to_be_attached()
    caught.value.save_as(path)
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_chart_is_saved_on_its_own_paper_in_the_format_chosen(
    app: App, open_page: Callable[..., Page], tmp_path: Path, scheme: str
) -> None:
    page = open_page(f"{app.url}/{LINKS['evaluate']}", scheme=scheme)
    chart = plots(page).filter(has_text="Do the two sides meet?").first  # the scale stands before it
    drawing = save(page, chart, "Download plot", tmp_path)
    assert drawing.name.startswith(f"{RUN}-step-88-bracket-seed-0-")
    assert drawing.suffix == ".svg"
    text = drawing.read_text()
    paper = plotly_look.paper(scheme == "dark")
    rgb = ", ".join(str(int(paper[i : i + 2], 16)) for i in (1, 3, 5))
    assert f"fill: rgb({rgb}); fill-opacity: 1" in text
    assert "Do the two sides meet?" in text
    page.get_by_role("radio", name="PNG").click()
    # The chart learns of the choice with the page's next run, and is then drawn anew with another button.
    with Image.open(save(page, chart, "Download plot as a PNG", tmp_path)) as image:
        assert image.size[0] > 900  # three pixels for each of the page's


@pytest.mark.parametrize("name", ["evaluate", "compare", "image"])
def test_charts_follow_a_change_of_the_colour_scheme_on_an_open_page(
    app: App, open_page: Callable[..., Page], name: str
) -> None:
    page = open_page(
        f"{app.url}/{LINKS[name]}", width=420 if name == "compare" else 1280
    )  # its sidebar is shut there
    plots(page)
    for dark in (True, False):
        page.emulate_media(color_scheme="dark" if dark else "light")
        paper = plotly_look.paper(dark)
        rgb = ", ".join(str(int(paper[i : i + 2], 16)) for i in (1, 3, 5))
        page.wait_for_function(
            """(rgb) => {
                const papers = [...document.querySelectorAll('.js-plotly-plot .main-svg:first-child')];
                return papers.length && papers.every((svg) => getComputedStyle(svg).backgroundColor === rgb);
            }""",
            arg=f"rgb({rgb})",
        )


@pytest.mark.parametrize("name", list(LINKS))
def test_every_about_opens_by_the_keyboard_and_its_formula_is_rendered(
    app: App, open_page: Callable[..., Page], name: str
) -> None:
    page = open_page(f"{app.url}/{LINKS[name]}")
    if name != "pixel":
        plots(page)
    buttons = page.get_by_role("button", name="About ")
    expect(buttons.first).to_be_visible()
    count = buttons.count()
    assert count >= 3
    for n in range(count):
        buttons.nth(n).focus()
        page.keyboard.press("Enter")
        body = page.get_by_test_id("stPopoverBody")
        expect(body.locator(".katex-display")).to_have_count(1)
        expect(body).to_contain_text("Source: ")
        assert body.locator(".katex-error").count() == 0, buttons.nth(n).inner_text()
        page.keyboard.press("Escape")
        expect(body).to_have_count(0)


@pytest.mark.parametrize("window", list(WINDOWS))
@pytest.mark.parametrize("name", [*LINKS, *LIVE_LINKS])
def test_nothing_makes_a_narrow_or_a_zoomed_window_scroll_sideways(
    app: App, open_page: Callable[..., Page], name: str, window: str
) -> None:
    width, height, zoom = WINDOWS[window]
    link = (LINKS | LIVE_LINKS)[name]
    page = open_page(f"{app.url}/{link}", width=width, height=height, zoom=zoom, scheme="dark")
    if name in LINKS and name != "pixel":
        plots(page)
    else:
        expect(page.locator("canvas:visible").first).to_be_visible()
    settle(page)
    painted(page)
    wide = page.get_by_test_id("stMain").evaluate("(e) => [e.scrollWidth, e.clientWidth]")
    assert wide[0] <= wide[1]
    shoot(page, f"{name}-{window}", full_page=True)


def test_an_app_that_does_not_answer_is_said_to(
    runs: Path, start_app: Callable[..., App], open_page: Callable[..., Page]
) -> None:
    mine = start_app(RBM_RUNS_DIR=str(runs))
    page = open_page(f"{mine.url}/{LINKS['compare']}")
    said = "(e) => { const s = getComputedStyle(e, '::after'); return s.opacity === '1' ? s.content : ''; }"
    assert "does not answer" not in page.get_by_test_id("stApp").evaluate(said)
    mine.end()
    until(lambda: "does not answer" in page.get_by_test_id("stApp").evaluate(said), 60, "a word about it")
    shoot(page, "no-answer")


def test_a_units_timelapse_is_saved_as_seen_and_as_all_its_numbers(
    app: App, runs: Path, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    page = open_page(f"{app.url}/{LINKS['unit']}")
    history = page.locator(".st-key-inspect-history")
    expect(history.get_by_text("Unit 3: its filter")).to_be_visible()
    for kind in ("PNG", "CSV"):
        with page.expect_download() as caught:
            history.get_by_role("button", name=kind, exact=False).first.click()
        assert caught.value.suggested_filename == f"{RUN}-step-88-unit-3-filter.{kind.lower()}"
        caught.value.save_as(tmp_path / kind)
    with Image.open(tmp_path / "PNG") as image:
        assert image.size[0] > 600
    rows = list(csv.reader((tmp_path / "CSV").read_text().splitlines()))
    reader = RunReader(runs / RUN)
    steps = reader.snapshot_steps()
    assert len(rows) == 1 + len(steps)
    last = np.array(rows[-1][-784:], dtype=float)
    np.testing.assert_allclose(last, reader.snapshot(steps[-1]).W[:, 3], rtol=1e-6)
    assert float(rows[-1][1]) == pytest.approx(np.linalg.norm(last), rel=1e-5)
