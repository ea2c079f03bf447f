"""What a press costs: the part of tests.benchmarks.streaming that `python -m tests.benchmarks.streaming presses` runs.

For each press the time from pointer down to the first visible sign, and to the thing itself, in ms of the browser's
clock, read at every frame that it draws. A sign is the bar that runs along the top of the page until the app has
answered, or what the control itself changes.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page

from tests.live import settle

# `look(css)` finds an element, also one inside a component; `watch` waits for the next press and keeps what it cost.
_WATCH = """
window.look = (css, root = document) => root.querySelector(css)
    ?? [...root.querySelectorAll("*")].filter((el) => el.shadowRoot)
        .reduce((found, el) => found ?? look(css, el.shadowRoot), null);
window.busy = () => getComputedStyle(look("[data-testid=stApp]"), "::before").animationName === "busy-runs";
window.watch = (sign, thing) => {
    const before = { sign: sign(), thing: thing() };
    window.press = {};
    addEventListener("pointerdown", () => {
        const pressed = performance.now();
        const frame = () => {
            for (const [name, now] of [["sign", sign()], ["thing", thing()]])
                if (now !== before[name]) window.press[name] ??= performance.now() - pressed;
            if (window.press.thing === undefined) requestAnimationFrame(frame);
            else window.press.sign ??= window.press.thing;
        };
        requestAnimationFrame(frame);
    }, { capture: true, once: true });
};
"""


@dataclass(frozen=True)
class Press:
    """link: of the page. ready: makes it ready for the press `make`. sign, thing: JavaScript of what changes by it."""

    name: str
    link: str
    make: Callable[[Page], None]
    sign: str
    thing: str
    ready: Callable[[Page], None] = lambda page: None


def _slide(page: Page) -> None:
    box = page.locator(".st-key-train-timeline canvas").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 18)


def _has_it_run(page: Page) -> None:
    resume = page.locator(".st-key-train-controls").get_by_role("button", name="Resume")
    if resume.count():
        resume.click()
    page.locator(".st-key-train-top", has_text="● running").wait_for()


WATCHED = "watched"
"""The run that trains beside the presses, and that one of them pauses."""
_SHIPPED = "run=mnist-default"
PRESSES = (
    Press(
        "another run chosen",
        f"?{_SHIPPED}",
        lambda page: page.get_by_role("option", name="mnist-timelapse").click(),
        "look('.st-key-app-run').textContent + look('.st-key-app-run input')?.value",
        "look('.st-key-train-top strong').textContent",
        lambda page: page.get_by_role("combobox", name="Run").click(),
    ),
    Press(
        "time slider moved",
        f"?{_SHIPPED}",
        _slide,
        "look('[role=slider][aria-valuetext]').ariaValueNow",
        "look('.st-key-train-head [data-testid=stCaptionContainer]').textContent",
    ),
    Press(
        "curves of another kind",
        f"?{_SHIPPED}",
        lambda page: page.locator(".st-key-train-curves [data-key=weights]").click(),
        "look('[data-key=weights]').ariaSelected",
        "look('canvas', look('.st-key-train-curves')).ariaLabel",
    ),
    Press(
        "a guess in Learn",
        "learn",
        lambda page: page.locator(".st-key-learn-option1 button").click(),
        "look('.st-key-learn-slot').textContent",
        "look('.learn').dataset.playing",
    ),
    Press(
        "what if, in Gibbs",
        f"gibbs?{_SHIPPED}&chains=25&sweeps=200",
        lambda page: page.locator("[data-do=fork]").click(),
        "look('[data-do=fork]').disabled",
        "look('.labels')?.childElementCount",
    ),
    Press(
        "another estimator in Evaluate",
        f"evaluate?{_SHIPPED}",
        lambda page: page.get_by_role("option", name="Mixing and sample quality").click(),
        "look('.st-key-evaluate-question').textContent + look('.st-key-evaluate-question input')?.value",
        "look('.st-key-evaluate-question').textContent.includes('sampling time')",
        lambda page: page.get_by_role("combobox", name="What to measure").click(),
    ),
    Press(
        "another unit in Inspect",
        f"inspect?{_SHIPPED}",
        lambda page: page.locator(".st-key-inspect-units canvas").first.click(position={"x": 10, "y": 10}),
        "''",
        "look('[data-testid=stMetric]').textContent",
    ),
    Press(
        "another axis in Compare",
        "compare?runs=mnist-default,mnist-timelapse",
        lambda page: page.get_by_text("epoch", exact=True).click(),
        "look('[data-testid=stButtonGroup]').innerHTML",
        "look('.js-plotly-plot .xtitle')?.textContent",
    ),
    Press(
        "Pause",
        f"?run={WATCHED}",
        lambda page: page.locator(".st-key-train-controls").get_by_role("button", name="Pause").click(),
        "look('.st-key-train-do_pause_ button')?.dataset.asked",
        "look('.st-key-train-top').textContent.includes('● paused')",
        _has_it_run,
    ),
)


def cost(page: Page, url: str, press: Press) -> tuple[float, float]:
    """(ms to the first visible sign, ms to the thing) of the press on a page newly opened."""
    page.goto(f"{url}/{press.link}")
    page.locator("canvas:visible").first.wait_for()
    settle(page)
    press.ready(page)
    page.evaluate(f"() => {{{_WATCH}}}")
    page.evaluate(f"watch(() => busy() + String({press.sign}), () => {press.thing})")
    press.make(page)
    page.wait_for_function("window.press.thing !== undefined")
    found = page.evaluate("window.press")
    return found["sign"], found["thing"]


def measure(page: Page, url: str, n: int = 3) -> None:
    """Prints the median cost of each press."""
    for press in PRESSES:
        signs, things = zip(*(cost(page, url, press) for _ in range(n)), strict=True)
        print(
            f"{press.name}: a sign after {statistics.median(signs):,.0f} ms, the thing after "
            f"{statistics.median(things):,.0f} ms",
            flush=True,
        )
