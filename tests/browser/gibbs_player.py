"""The Gibbs player in a browser, as its tests find it and wait for it."""

from playwright.sync_api import Page, expect

# JavaScript that finds the player through the shadow root in which Streamlit mounts a component.
PLAYER = """const host = [...document.querySelectorAll('*')].find((e) => e.shadowRoot?.querySelector('.film'));
const player = host.shadowRoot.__view;"""
VIEWS = 2  # mounted on the page: the player, and what follows the colours of the reader
PIXELS = "(canvas) => canvas.toDataURL()"


def until_player(page: Page, holds: str) -> None:
    """Wait until this holds of `player`, in JavaScript; a page that is drawn anew may lack it for a moment."""
    page.wait_for_function(
        f"""() => {{
            const host = [...document.querySelectorAll('*')].find((e) => e.shadowRoot?.querySelector('.film'));
            const player = host?.shadowRoot.__view;
            return player?.film ? {holds} : false;
        }}"""
    )


def at_frame(page: Page, frame: int) -> None:
    """Wait until the player shows this frame."""
    expect(page.locator(f".film[data-frame='{frame}']")).to_be_attached()


def pictures(page: Page) -> list[str]:
    """What every canvas of the stage shows."""
    return [canvas.evaluate(PIXELS) for canvas in page.locator(".stage canvas").all()]
