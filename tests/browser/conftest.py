"""Patience for every test in a browser, and the server that the tests of the Gibbs page share."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.live import PATIENCE_MS, App, settle
from tests.small_run import train_small

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def gibbs_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, "small"; beside it stands an older one, "grey", with Gaussian visible units."""
    root = tmp_path_factory.mktemp("gibbs-browser") / "checkpoints"
    train_small(root, "grey", visible="gaussian", learning_rate=0.01)
    return train_small(root)


@pytest.fixture(scope="session")
def gibbs_app(gibbs_run: Path, tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[App]:
    """One app for all tests of the Gibbs page, its sampler awake and its map at hand, which takes many seconds."""
    with App(tmp_path_factory.mktemp("app") / "app.log", {"RBM_RUNS_DIR": str(gibbs_run.parent)}) as app:
        with chromium.new_context() as context:
            context.set_default_timeout(PATIENCE_MS)
            page = context.new_page()
            page.goto(f"{app.url}/gibbs?chains=2&sweeps=2")
            page.wait_for_selector(".film.mapped")
        yield app


@pytest.fixture
def open_film(gibbs_app: App, open_page: Callable[..., Page]) -> Callable[..., Page]:
    """open_film(query, **window) -> the Gibbs page with this query, its player showing a film."""

    def open_it(query: str = "", **window: object) -> Page:
        page = open_page(f"{gibbs_app.url}/gibbs?{query}", **window)
        page.wait_for_selector(".film[data-frame]")
        settle(page)
        return page

    return open_it
