"""The Evaluate page in a real browser, on a run that a real trainer goes on training."""

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dashboard.processes import evaluators, trainers
from rbm_core.config import make_config
from rbm_core.runs import RunReader, control
from tests.live import SLOWER, App, settle, shoot, until

RUN = "still-training"


@pytest.fixture
def training(runs_root: Path) -> Iterator[RunReader]:
    """A small model past its first snapshots, whose trainer goes on for hours and leaves the processor to others."""
    config = make_config(
        dataset="digits-8",
        n_hidden=64,
        epochs=100_000,
        n_valid=100,
        log_every=20,
        device="cpu",
        precision="float32",
    )
    trainers.start(config, RUN)
    reader = RunReader(runs_root / RUN)
    until(lambda: len(reader.snapshot_steps()) > 5, 240, "snapshots")
    control.send(reader.path, "speed", {"updates_per_second": 20})
    yield reader
    control.send(reader.path, "stop")
    until(lambda: reader.status()["state"] == "stopped", 240, "the trainer stopped")


def in_the_third_round() -> int:
    """Wait until a fifth of the work is done: two of three rounds and a part of the third. The process that does it."""

    def far() -> bool:
        return any(one["done"] >= one["total"] / 5 for one in evaluators.of_run(RUN) if one.get("total"))

    until(far, 240, "a fifth of the evaluation")
    (running,) = evaluators.of_run(RUN)
    return int(running["pid"])


@contextmanager
def standing_still(process: int) -> Iterator[int]:
    """Holds the process up meanwhile."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield process
    finally:
        os.kill(process, signal.SIGCONT)


def signal_waits(process: int) -> bool:
    """Whether a signal has come that the process, standing still, has not seen."""
    status = Path(f"/proc/{process}/status").read_text()
    return any(int(bits, 16) for bits in re.findall(r"^(?:SigPnd|ShdPnd):\s*(\w+)", status, re.MULTILINE))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for a signal in /proc")
def test_a_run_in_training_is_evaluated_interrupted_and_resumed_while_it_goes_on(
    training: RunReader, start_app: Callable[..., App], open_page: Callable[..., Page]
) -> None:
    page = open_page(f"{start_app().url}/evaluate?run={RUN}")
    expect(page.get_by_text("Nobody has asked yet")).to_be_visible()
    before = training.status()["step"]
    page.get_by_role("button", name="Evaluate", exact=True).click()

    # The estimate closes in on the page while the evaluation goes on: first one round, then two. The third stands still
    # until the page has been looked at.
    with standing_still(in_the_third_round()) as process:
        # The last: while the page is drawn anew, the chart of before may stand beside it for a moment.
        chart = page.locator(".js-plotly-plot").filter(has_text="Do the two sides meet?").last
        expect(chart.locator(".xtick", has_text="145")).to_be_visible()
        expect(chart.locator(".xtick", has_text="1,450")).to_be_visible()
        expect(page.get_by_text(re.compile("AIS, 14,500 temperatures"))).to_be_visible()
        shoot(page, "evaluate-under-way", full_page=True)
        page.get_by_role("button", name="Interrupt").click()
        until(lambda: signal_waits(process), 10, "the process is not asked to end")

    said = page.get_by_text(re.compile(r"was interrupted at \d+%"))
    expect(said).to_be_visible()
    (begun,) = evaluators.of_run(RUN)
    assert begun["state"] == "interrupted"
    assert 0 < begun["done"] < begun["total"]
    assert training.likelihood() == []
    shoot(page, "evaluate-interrupted")

    page.get_by_role("button", name="Go on").click()
    expect(said).to_have_count(0)
    answer = page.get_by_test_id("stMetric").filter(has_text="Test log-likelihood")
    expect(answer).to_be_visible(timeout=1000 * SLOWER * 120)
    expect(page.get_by_role("button", name="Interrupt")).to_have_count(0)
    settle(page)
    (ended,) = evaluators.of_run(RUN)
    assert ended["id"] == begun["id"]
    assert ended["started"] == begun["started"], "it began anew instead of going on"
    assert ended["rounds"][:2] == begun["rounds"][:2]
    (row,) = training.likelihood()
    shown = f"{row['test_nats']:.2f}".replace("-", "−")
    expect(answer).to_contain_text(shown)
    expect(page.get_by_text("Every evaluation of every run")).to_be_visible()
    shoot(page, "evaluate-done", full_page=True)

    assert training.status()["state"] == "running"
    assert training.status()["step"] > before, "training stood still meanwhile"
