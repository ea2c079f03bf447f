"""Train for everyone: large text, a narrow window, no mouse, no sight of the canvas, no wish for motion; and to go."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page

from rbm_core.runs import RunReader
from tests.browser.train_page import canvas, open_train, refresh, shown_step
from tests.live import App, settle, shoot, until
from tests.small_run import train_small

RUN = "small-run"
# Everything one can operate, shadow roots included, with the name a screen reader would say.
CONTROLS = """() => {
    const found = [], walk = (root) => {
        for (const node of root.querySelectorAll('*')) {
            if (node.offsetParent && node.matches('button, select, input, a[href], [role=slider], [tabindex="0"]')) {
                const by = (node.getAttribute('aria-labelledby') || '').split(' ')
                    .map((id) => root.getElementById && root.getElementById(id))
                    .filter(Boolean).map((e) => e.textContent).join(' ');
                const label = node.labels && node.labels[0] ? node.labels[0].textContent : '';
                const name = node.getAttribute('aria-label') || by || label || node.textContent
                    || node.getAttribute('title') || '';
                found.push([node.outerHTML.slice(0, 160), name.trim()]);
            }
            if (node.shadowRoot) walk(node.shadowRoot);
        }
    };
    walk(document);
    return found;
}"""
CANVASES = """() => [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]
    .flatMap((host) => [...host.shadowRoot.querySelectorAll('canvas')])
    .filter((canvas) => canvas.offsetParent)
    .map((canvas) => [canvas.getAttribute('role'), (canvas.getAttribute('aria-label') || '').trim()])"""
# Whether what had the focus before looks different without it, and to which figure the focus belongs now.
FOCUSED = """() => {
    let node = document.activeElement;
    while (node && node.shadowRoot && node.shadowRoot.activeElement) node = node.shadowRoot.activeElement;
    const look = (e) => {
        let looks = '';
        for (let n = 0; e && n < 4; e = e.parentElement, n++) {
            const s = getComputedStyle(e);
            looks += [s.outline, s.boxShadow, s.borderColor, s.backgroundColor, s.color].join();
        }
        return looks;
    };
    const last = window.__last, page = last && last.node.tagName === 'MAIN'; // the page itself, that it may be scrolled
    const told = !last || page || look(last.node) !== last.look;
    window.__last = { node, look: look(node), html: node.outerHTML.slice(0, 200) };
    const host = node.getRootNode().host || node;
    const keyed = 'st-key-train-', figure = host.closest ? host.closest(`[class*=${keyed}]`) : null;
    return { tag: node.tagName, told: told || last.html,
             of: figure ? [...figure.classList].find((c) => c.startsWith(keyed)).slice(keyed.length) : '' };
}"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_small(tmp_path_factory.mktemp("train-access") / "checkpoints", RUN, max_snapshots=8)


@pytest.fixture
def train(trained: Path, serve: Callable[[Path], App], open_page: Callable[..., Page]) -> Callable[..., Page]:
    """Opens the page of a finished run, with what follows in the link."""
    return lambda more="", **window: open_train(
        open_page, serve(trained.parent), f"run={RUN}&{more}", **window
    )


def save(page: Page, button: Locator) -> tuple[str, bytes]:
    with page.expect_download() as download:
        button.click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_a_narrow_window_and_large_text_never_scroll_sideways(train: Callable[..., Page]) -> None:
    page = train(width=420, height=900)
    for text in ("16px", "24px"):
        page.add_style_tag(content=f"html:root:root:root {{ font-size: {text}; }}")
        page.set_viewport_size({"width": 421, "height": 900})
        page.set_viewport_size({"width": 420, "height": 900})
        refresh(page)
        main = page.locator("[data-testid=stMain]")
        assert main.evaluate("(e) => e.scrollWidth <= e.clientWidth"), f"sideways at {text}"
        shoot(page, f"train-420-{text}")


def test_letters_in_a_canvas_grow_with_the_text_of_the_page(train: Callable[..., Page]) -> None:
    page = train()
    before = canvas(page, "curves").bounding_box()
    page.add_style_tag(content="html:root:root:root { font-size: 24px; }")
    page.set_viewport_size({"width": 1300, "height": 800})
    assert before is not None
    high = before["height"]
    until(
        lambda: (
            (canvas(page, "curves").bounding_box() or before)["height"] == pytest.approx(1.5 * high, abs=1)
        ),
        5,
        "the chart does not grow with the text",
    )


def test_every_canvas_and_every_control_has_a_name(train: Callable[..., Page]) -> None:
    page = train()
    page.get_by_text("New run").click()
    settle(page)
    canvas(page, "filters").click(position={"x": 8, "y": 8})

    def drawn_and_named() -> bool:  # a canvas has its name from its first payload
        names = [name for _, name in page.evaluate(CANVASES)]
        return len(names) >= 14 and all(names)

    until(drawn_and_named, 10, "there are fewer canvases, or one without a name")
    unnamed = [html for html, name in page.evaluate(CONTROLS) if not name]
    assert unnamed == []
    drawn = page.evaluate(CANVASES)
    assert [one for one in drawn if not one[1] or one[0] not in ("img", "slider")] == []


def test_the_keyboard_reaches_every_figure_in_the_order_they_stand_and_shows_where_it_is(
    train: Callable[..., Page],
) -> None:
    page = train()
    page.add_style_tag(content="* { transition: none !important; }")
    order: list[str] = []
    for _ in range(80):
        page.keyboard.press("Tab")
        now = page.evaluate(FOCUSED)
        if now["tag"] == "BODY":
            break
        assert now["told"] is True, f"nothing shows that this has the focus: {now['told']}"
        if now["of"] and now["of"] not in order:
            order.append(now["of"])
    figures = [
        key
        for key in order
        if key in ("timeline", "curves", "particles", "filters", "activity", "histograms")
    ]
    assert figures == ["filters", "particles", "timeline", "curves", "activity", "histograms"]


def test_the_arrow_keys_read_the_curves_and_enter_goes_there(
    train: Callable[..., Page], trained: Path
) -> None:
    page = train()
    last = shown_step(page)
    canvas(page, "curves").focus()
    for _ in range(4):
        page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Enter")
    until(lambda: shown_step(page) < last, 5, "Enter on the curves leads nowhere")


def test_nothing_plays_by_itself_for_those_who_want_no_motion(train: Callable[..., Page]) -> None:
    page = train()
    page.emulate_media(reduced_motion="reduce")
    page.reload()
    page.wait_for_selector(".st-key-train-histograms canvas")
    settle(page)
    step = shown_step(page)
    refresh(page, 2)
    assert shown_step(page) == step
    play = page.get_by_label("Play the training as a timelapse")
    assert play.get_attribute("aria-pressed") == "false"


def test_every_figure_is_saved_with_its_run_and_step_in_the_name(
    train: Callable[..., Page], trained: Path
) -> None:
    step = RunReader(trained).snapshot_steps()[-2]
    page = train(f"step={step}")
    for key, name in {
        "curves": "curves-energy",
        "particles": "particles",
        "filters": "filters",
        "activity": "hidden-units",
        "histograms": "histograms",
    }.items():
        before = canvas(page, key).evaluate("(canvas) => [canvas.width, canvas.height, canvas.toDataURL()]")
        button = page.locator(f".st-key-train-{key}").get_by_role("button", name="as PNG")
        file, data = save(page, button)
        assert file == f"{RUN}-step-{step}-{name}.png"
        image = Image.open(io.BytesIO(data)).convert("L")
        assert image.width > before[0], "a saved figure is no finer than the screen"
        foot = np.asarray(image)[-60:]
        assert foot.std() > 5, "nothing is written beneath the figure"
        after = canvas(page, key).evaluate("(canvas) => [canvas.width, canvas.height, canvas.toDataURL()]")
        assert after == before, "saving a figure changes it"


def test_the_saved_numbers_are_the_recorded_ones(train: Callable[..., Page], trained: Path) -> None:
    page = train("curves=reconstruction")
    file, data = save(page, page.locator(".st-key-train-curves").get_by_role("button", name="as CSV"))
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    metrics = RunReader(trained).metrics()
    assert file.endswith("curves-reconstruction.csv")
    assert list(rows[0]) == ["step", "epoch", "seconds", "reconstruction_error"]
    assert [float(row["reconstruction_error"]) for row in rows] == metrics["reconstruction_error"].tolist()


def test_the_training_is_saved_as_an_animation_while_the_page_goes_on(
    train: Callable[..., Page], trained: Path
) -> None:
    page = train()
    mounted = page.evaluate("window.__rbmMounts")
    with page.expect_download() as download:
        page.get_by_label("Save the training as an animation").select_option("filters gif")
    assert download.value.suggested_filename == f"{RUN}-filters.gif"
    animation = Image.open(io.BytesIO(Path(download.value.path()).read_bytes()))
    assert animation.n_frames == len(RunReader(trained).snapshot_steps())
    until(
        lambda: page.get_by_label("Save the training as an animation").is_enabled(),
        5,
        "no second animation can be made",
    )
    assert page.evaluate("window.__rbmMounts") == mounted
