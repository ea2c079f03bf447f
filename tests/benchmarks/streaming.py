"""What watching a run costs: python -m tests.benchmarks.streaming, or, what a press costs, the same with `presses`.

Prints the time from Start to the first live point, from the page's address to its first pictures, the trainer's
steps/s with and without an open page, and the server's CPU time. Needs Chromium. Trains on the full MNIST where
RBM_DATA_DIR holds it, else on the bundled digits. About three minutes on two cores.
"""

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from dashboard.processes import trainers
from rbm_core.config import preset
from rbm_core.datasets import available
from rbm_core.runs.reader import RunReader
from tests.benchmarks import presses
from tests.live import CHROMIUM, CHROMIUM_FLAGS, REPO, App, settle

SLICE_S, SLICES = 12.0, 4
OPENED_S = 10.0  # what a page is sent when it is opened is no refresh, and is behind it by then
# Notes when the first frame with the filters comes, in ms since the address was asked for. By the page's own clock:
# Playwright looks now and then, and on busy cores up to a second late.
NOTE_FIRST_PICTURE = """(() => {
    const look = () => {
        const view = document.querySelector('.st-key-train-filters [data-testid=stBidiComponentIsolated]');
        const canvas = view?.shadowRoot?.querySelector('canvas');
        if (!canvas?.getBoundingClientRect().height) return requestAnimationFrame(look);
        requestAnimationFrame(() => { window.__pictured = performance.now(); });
    };
    requestAnimationFrame(look);
})()"""


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has used so far, in seconds (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rate(reader: RunReader, seconds: float) -> float:
    """Steps a second, averaged over a wait of `seconds`, from the trainer's own step count."""
    begun, first = time.perf_counter(), reader.status()["step"]
    time.sleep(seconds)
    return (reader.status()["step"] - first) / (time.perf_counter() - begun)


def main() -> None:
    root = Path(tempfile.mkdtemp(prefix="rbm-streaming-"))
    for shipped in ("mnist-default", "mnist-timelapse"):  # which the presses are made on
        shutil.copytree(REPO / "checkpoints" / shipped, root / shipped)
    os.environ["RBM_RUNS_DIR"] = str(root)
    dataset = "mnist" if available("mnist") else "mnist-5k"
    config = preset("default", dataset=dataset, epochs=100_000)

    begun = time.perf_counter()
    name = trainers.start(config, presses.WATCHED)
    reader = RunReader(root / name)
    while reader.live() is None or len(reader.metrics().get("step", [])) == 0:
        time.sleep(0.02)
    print(f"Start to first live point and filters on disk: {time.perf_counter() - begun:.1f} s")
    time.sleep(5)

    app = App(root / "app.log", {})
    try:
        app.wait_until_it_answers()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
            new_page = partial(browser.new_page, viewport={"width": 1280, "height": 800})
            first_pictures(new_page, f"{app.url}/?run={name}")
            if "presses" in sys.argv[1:]:
                presses.measure(new_page(), app.url)
            else:
                watching(new_page, f"{app.url}/?run={name}", reader, app)
            browser.close()
    finally:
        app.end()
        trainers.send(name, "stop")


def first_pictures(new_page: Callable[[], Page], url: str) -> None:
    """Prints the time from the page's address to its first picture, and until all are there and the script at rest.

    Three times by a browser that has never been there; cold: the server's first page.
    """
    pictured, rested = [], []
    for _ in range(3):
        page = new_page()
        page.add_init_script(NOTE_FIRST_PICTURE)
        begun = time.perf_counter()
        page.goto(url)
        page.locator("canvas:visible").first.wait_for()
        settle(page)
        rested.append(time.perf_counter() - begun)
        pictured.append(page.wait_for_function("window.__pictured").json_value() / 1e3)
        page.close()
    for what, took in (("its first picture", pictured), ("all of them, at rest", rested)):
        print(f"page asked to {what}: {took[0]:.1f} s cold, {min(took[1:]):.1f} s again", flush=True)


def watching(new_page: Callable[[], Page], url: str, reader: RunReader, app: App) -> None:
    """Prints the trainer's pace with and without an open page, and the server's processor time."""
    alone, with_browser, server_share, server_alone = [], [], [], []
    for _ in range(SLICES):
        before = cpu_seconds(app.process.pid)
        alone.append(rate(reader, SLICE_S))
        server_alone.append((cpu_seconds(app.process.pid) - before) / SLICE_S)
        page = new_page()
        page.goto(url)
        settle(page)
        time.sleep(OPENED_S)
        before = cpu_seconds(app.process.pid)
        with_browser.append(rate(reader, SLICE_S))
        server_share.append((cpu_seconds(app.process.pid) - before) / SLICE_S)
        page.close()
        time.sleep(2)
    base = statistics.median(alone)
    print(f"trainer alone: {base:,.0f} steps/s ({min(alone):,.0f} – {max(alone):,.0f})")
    watched = statistics.median(with_browser)
    print(
        f"with one page open in a browser on the same cores: {watched:,.0f} steps/s ({watched / base - 1:+.1%})"
    )
    share, idle = statistics.median(server_share), statistics.median(server_alone)
    cores = len(os.sched_getaffinity(0))
    print(
        f"the server process: {share:.1%} of one core, {idle:.1%} without a tab, so "
        f"{(share - idle) / 2 * 1e3:.0f} ms a refresh at 2 Hz; {share / cores:.1%} of the {cores} cores the trainer has"
    )


if __name__ == "__main__":
    main()
