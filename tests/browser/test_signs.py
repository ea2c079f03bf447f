"""Every press on every page has its sign from the browser itself: here nothing that the page asks reaches the app."""

from collections.abc import Callable

import pytest
from playwright.sync_api import ElementHandle, Error, Page, expect
from streamlit.proto.ClientState_pb2 import ClientState

from tests.browser.line import Line
from tests.live import App, painted, settle, until

PAGES = {  # link, what stands last on the page, and how many presses ask at least
    "train": ("?run=small", ".st-key-train-histograms canvas", 12),
    "gibbs": ("gibbs?run=small&chains=2&sweeps=2", ".film[data-frame]", 20),
    "inspect": ("inspect?run=small", ".st-key-inspect-units canvas", 10),
    "evaluate": ("evaluate?run=small", ".st-key-evaluate-question button", 8),
    "compare": ("compare?run=small", ".st-key-compare-filters-0 canvas", 12),
    "learn": ("learn", ".learn canvas", 16),
}
# Everything that a reader can press, also inside the components, in the page's order.
CONTROLS = """() => {
    const wanted = "button, a[href], summary, select, input:not([type=file]), [role=slider]";
    const all = (root) => [...root.querySelectorAll("*")].flatMap((el) =>
        [...(el.matches(wanted) ? [el] : []), ...(el.shadowRoot ? all(el.shadowRoot) : [])]);
    return all(document).filter((el) => el.checkVisibility({ visibilityProperty: true }));
}"""
# Not what shows itself only under the pointer or to the keyboard: a table's own tools, the way past the sidebar.
CAN_BE_PRESSED = """(el) => el.isConnected && !el.disabled && el.getBoundingClientRect().right > 0
    && el.checkVisibility({ visibilityProperty: true, opacityProperty: true })"""
KIND = "(el) => el.role === 'slider' || el.type === 'range' ? 'slider' : el.type ?? el.localName"
LISTENS = "window.__rbmSign !== undefined"
# A question counts as its press's for 300 ms, which a busy machine may not keep to: here for ever.
AT_ANY_PACE = "Object.defineProperty(window.__rbmSign, 'at', { get: () => performance.now(), set: () => {} })"
BAR = "getComputedStyle(document.querySelector('[data-testid=stApp]'), '::before').animationName"


def press(page: Page, control: ElementHandle) -> None:
    kind = control.evaluate(KIND)
    if kind == "slider":
        control.focus()
        page.keyboard.press("ArrowRight")
    elif kind == "checkbox":  # its label lies over it
        control.press("Space")
    elif kind == "select-one":
        control.select_option(index=1, timeout=5000)
    elif kind in ("text", "number"):
        control.fill("1", timeout=5000)
        page.keyboard.press("Enter")
    else:
        control.click(timeout=5000)


def forget(page: Page) -> None:
    """No sign is left of the presses before."""
    page.keyboard.press("Escape")
    page.evaluate("window.__rbmSign.end(window.__rbmSign.answer.signal)")


def cut(line: Line, page: Page) -> None:
    """From now on nothing that the page asks reaches the app, and what it asked before is answered and shown."""
    through = line.carries
    while True:
        asked = len(line.asked)
        settle(page)
        painted(page)
        lost: list[ClientState] = []
        line.carries = lambda question, lost=lost: lost.append(question) or []
        if len(line.asked) == asked:
            return
        line.carries = through  # the page asked more by itself, as what is mounted says how wide it is
        for question in lost:
            line.ask(question)


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_a_press_that_asks_has_its_sign_before_the_app_hears_of_it(
    name: str, gibbs_app: App, open_page: Callable[..., Page]
) -> None:
    line = Line()
    link, last, least = PAGES[name]
    page = open_page(f"{gibbs_app.url}/{link}", prepare=line.lay)
    page.locator(last).first.wait_for()
    settle(page)
    page.wait_for_function(LISTENS)
    page.evaluate(AT_ANY_PACE)
    cut(line, page)
    seen = []
    for handle in page.evaluate_handle(CONTROLS).get_properties().values():
        control = handle.as_element()
        assert control is not None
        forget(page)
        asked = len(line.asked)
        if not control.evaluate(CAN_BE_PRESSED):
            continue
        try:
            press(page, control)
        except Error:  # it lies under another, or outside the window
            continue
        painted(page)  # what the press asks has gone out
        if len(line.asked) > asked:
            seen.append(control.evaluate("(el) => el.textContent || el.ariaLabel || el.localName"))
            assert page.evaluate(BAR) == "busy-runs", f"{seen[-1]}: no bar at the upper edge"
            itself = control.evaluate("(el) => el.ariaBusy") == "true"  # as the picker of an animation
            assert itself or page.evaluate("window.__rbmSign.busy.size") >= 2, (
                f"{seen[-1]}: no control is busy"
            )
    assert len(seen) >= least, f"only these asked: {seen}"


def test_a_sign_goes_when_the_answer_is_there_and_when_nothing_has_changed(
    gibbs_app: App, open_page: Callable[..., Page]
) -> None:
    page = open_page(f"{gibbs_app.url}/learn")
    page.wait_for_function(LISTENS)
    busy = page.locator("[aria-busy=true]")
    page.evaluate("""() => {
        window.__busy = 0;
        new MutationObserver((all) => {
            for (const { target } of all) window.__busy += target.ariaBusy === "true";
        }).observe(document.body, { attributes: true, attributeFilter: ["aria-busy"], subtree: true });
    }""")

    def pressed(what: str) -> None:
        page.get_by_role("button", name=what).click()
        until(lambda: page.evaluate("window.__busy > 0"), 5, f"{what} has no sign")
        expect(busy).to_have_count(0)
        settle(page)
        page.evaluate("() => { window.__busy = 0; }")

    pressed("just show me")
    expect(page.locator(".st-key-learn-slot")).to_contain_text("Which")
    page.locator(".learn[data-playing]").wait_for()
    pressed("Next step")
    pressed("Next step")
