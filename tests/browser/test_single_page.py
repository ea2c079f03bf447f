"""A run as one HTML file: opened from the disk, without network and without the app, its players play."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from rbm_core.cli import main
from rbm_core.training import process as training_process
from tests.core.training_runs import make_run

SHIPPED = Path(__file__).parents[2] / "checkpoints"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("page") / "run.html"
    assert main(["export", "mnist-default", "--out", str(target), "--runs", str(SHIPPED)]) == 0
    return target


def inside(player: str, selector: str) -> str:
    return f"document.querySelector('[data-player={player}]').shadowRoot.querySelector({selector!r})"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_plays_from_the_disk_without_network(
    file: Path, new_context: Callable[..., BrowserContext], scheme: str
) -> None:
    # The page's own policy forbids the evaluation of texts, by which these tests look into it.
    page = new_context(color_scheme=scheme, offline=True, bypass_csp=True).new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text))
    page.on("request", lambda asked: wrong.append(asked.url) if asked.url.startswith("http") else None)
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-ready]")
    for player in ("timeline", "filters", "fantasies", "curves", "film"):
        canvas = inside(player, "canvas:not(.ramp)")
        colours = (
            f"(() => {{ const c = {canvas}; const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
            "return new Set(new Uint32Array(d.buffer)).size; })()"
        )
        page.wait_for_function(f"{colours} > 2")

    moment = inside("timeline", "canvas") + ".getAttribute('aria-valuenow')"
    assert page.evaluate(moment) == "49500"
    filters = inside("filters", ".stage canvas") + ".toDataURL()"
    last = page.evaluate(filters)
    page.evaluate(inside("timeline", "canvas") + ".focus()")
    page.keyboard.press("Home")
    page.wait_for_function(f"{moment} === '0'")
    page.wait_for_function(f"{filters} !== {last!r}")
    page.evaluate(inside("timeline", "button") + ".click()")  # the timelapse
    page.wait_for_function(f"{moment} === '49500'")
    page.wait_for_function(f"{filters} === {last!r}")

    where = inside("film", ".where") + ".textContent"
    page.evaluate(inside("film", "[data-do=play]") + ".click()")
    page.wait_for_function(f"/sweep [3-9]/.test({where})")
    assert wrong == []


def test_what_strangers_wrote_into_a_run_stays_text(
    runs_root: Path, tmp_path: Path, new_context: Callable[..., BrowserContext]
) -> None:
    path = make_run(runs_root, "mine", epochs=2)
    assert training_process.run(path) == "finished"
    config = path / "config.json"
    evil = "</script><script>document.title='taken'</script><img src=x onerror=alert(1)>"
    config.write_text(re.sub(r'"name": "mine"', f'"name": "{evil}"', config.read_text()))
    events = path / "events.jsonl"
    value = '{"time": 1, "step": 3, "command": "set", "value": {"name": "' + evil + '", "value": 1}}\n'
    events.write_text(events.read_text() + value)
    assert main(["export", "mine", "--out", str(tmp_path / "mine.html")]) == 0
    page = new_context().new_page()
    page.goto((tmp_path / "mine.html").as_uri())
    page.wait_for_selector("html[data-ready]")
    assert page.title() == "mine · RBM Observatory"
    assert page.locator("img").count() == 0
    assert "</script><script>" in page.locator("dl").inner_text()
