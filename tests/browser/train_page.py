"""The Train page as a test opens it, reads it and moves it."""

from collections.abc import Callable

from playwright.sync_api import Locator, Page

from tests.live import App, box_of, painted, settle

TIMELINE = (
    "document.querySelector('.st-key-train-timeline [data-testid=stBidiComponentIsolated]').shadowRoot.__view"
)


def open_train(open_page: Callable[..., Page], app: App, query: str = "", **window: object) -> Page:
    """The page with every figure mounted."""
    page = open_page(f"{app.url}/?{query}", **window)
    page.wait_for_selector(".st-key-train-histograms canvas")
    settle(page)
    painted(page)
    return page


def canvas(page: Page, key: str) -> Locator:
    return page.locator(f".st-key-train-{key} canvas").first


def pixels(page: Page, key: str) -> str:
    return canvas(page, key).evaluate("(canvas) => canvas.toDataURL()")


def badge(page: Page) -> str:
    """The run's state as the page says it: `● running`."""
    return page.locator("[data-testid=stMarkdown]", has_text="●").first.inner_text()


def link(page: Page) -> str:
    return page.evaluate("location.href")  # page.url lags behind what the page itself pushes


def shown_step(page: Page) -> int:
    # The last: while the page is drawn anew, the words of before may stand beside it for a moment.
    text = page.locator("[data-testid=stCaptionContainer]", has_text="Shown below").last.inner_text()
    return int(text.split("step ")[1].split(" ")[0].replace(",", ""))


def slide(page: Page, share: float) -> None:
    """Click on the time slider, at this share of its width."""
    width = box_of(canvas(page, "timeline"))["width"]
    canvas(page, "timeline").click(position={"x": 12 + share * (width - 24), "y": 18})


def refresh(page: Page, n: int = 1) -> None:
    """Have the page refreshed n times more, and wait for it: each is asked for as after a long silence."""
    for _ in range(n):
        page.evaluate(
            f"""() => new Promise((done) => {{
                const view = {TIMELINE}, receive = view.receive;
                view.receive = function (blob) {{
                    view.receive = receive;
                    done();
                    return receive.call(view, blob);
                }};
                view.ask("wake", 1);
            }})"""
        )
        settle(page)


def press(page: Page, name: str) -> None:
    page.locator(".st-key-train-controls").get_by_role("button", name=name).click()
