"""The app as a process, and a page of it in a browser, for the tests that want the real thing."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import FloatRect, Locator, Page

REPO = Path(__file__).parent.parent
ARTIFACTS = REPO / "tests" / "artifacts"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# What a test waits for at most, in ms, unless the wait itself is its claim: the first page of an app loads the data
# and Plotly, and may share two cores with a server, a browser and a trainer.
PATIENCE_MS = 120_000
SLOWER = 8
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class App:
    """A running `streamlit run dashboard/app.py` on a free port: its url, its process, what it printed.

    `with App(log, env) as app:` waits until it answers, and ends it.
    """

    def __init__(self, log: Path, env: dict[str, str], *arguments: str) -> None:
        self.log = log
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "streamlit", "run", "dashboard/app.py"]
        command += ["--server.port", str(self.port), "--server.headless", "true", *arguments]
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                cwd=REPO,
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> "App":
        try:
            self.wait_until_it_answers()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def wait_until_it_answers(self, seconds: float = PATIENCE_MS / 1000) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the app ended with {self.process.returncode}:\n{self.output()}")
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1):
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError(f"the app did not answer within {seconds:g} s:\n{self.output()}")

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def end(self) -> None:
        """End this process, and no other; trainers that it started live on."""
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(60)


def until(condition: Callable[[], bool], seconds: float, what: str) -> float:
    """Wait for a state that a quiet machine with two cores reaches within these seconds; returns what it took.

    A busy machine has SLOWER times as long; then this fails with `what`.
    """
    start = time.monotonic()
    while time.monotonic() - start < SLOWER * seconds:
        if condition():
            return time.monotonic() - start
        time.sleep(0.04)
    raise AssertionError(f"{what} within {SLOWER * seconds:g} s")


def settle(page: Page, timeout: float = PATIENCE_MS) -> None:
    """Wait (ms at most) until the page is connected and its script at rest; fails if the script raised.

    A press that has not reached the app yet leaves the script at rest: first wait for something that it changes.
    """
    page.wait_for_selector(
        '[data-testid="stApp"][data-test-connection-state="CONNECTED"][data-test-script-state="notRunning"]',
        timeout=timeout,
    )
    raised = page.get_by_test_id("stException")
    assert raised.count() == 0, (
        f"the page raised (the app's log has the traceback): {raised.first.inner_text()}"
    )


def painted(page: Page) -> None:
    """Wait until the browser has painted the frame that is due, in the page's own letters."""
    page.evaluate(
        "() => document.fonts.ready.then(() => new Promise((done) =>"
        " requestAnimationFrame(() => requestAnimationFrame(() => done()))))"
    )


def box_of(place: Locator) -> FloatRect:
    """Where the element is in the window, in css pixels; waits for one that is just being drawn anew."""
    boxes: list[FloatRect] = []

    def has_one() -> bool:
        boxes.extend(filter(None, [place.bounding_box()]))
        return bool(boxes)

    until(has_one, 5, f"{place} is not in the page")
    return boxes[0]


def click_at(place: Locator, across: float, down: float) -> None:
    """Click on the element, at these shares of its width and height, once it stands still."""
    box = box_of(place)
    place.click(position={"x": across * box["width"], "y": down * box["height"]})


def drag(place: Locator, start: tuple[float, float], *through: tuple[float, float]) -> None:
    """Press the mouse on the element once it stands still, and let it go at the last point: px from its corner."""
    mouse = place.page.mouse
    place.hover(position={"x": start[0], "y": start[1]})
    box = box_of(place)
    mouse.down()
    for x, y in through:
        mouse.move(box["x"] + x, box["y"] + y, steps=6)
    mouse.up()


def shoot(page: Page, name: str, full_page: bool = False) -> Path:
    """A screenshot, tests/artifacts/<name>.png, where a person looks at it after the tests."""
    ARTIFACTS.mkdir(exist_ok=True)
    path = ARTIFACTS / f"{name}.png"
    page.screenshot(path=path, full_page=full_page)
    return path
