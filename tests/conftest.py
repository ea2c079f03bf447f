"""Fixtures that every room shares: the data at hand, a run store of one's own, the app, a browser.

Nothing here reads a user's runs or downloads anything. A room is a folder of tests/; the browser's room runs last,
and the summary says how long each room took. tests/live.py holds the classes behind the app and the browser.
"""

import fcntl
import itertools
import os
import subprocess
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.live import CHROMIUM, CHROMIUM_FLAGS, PATIENCE_MS, REPO, App, painted, settle, shoot

# Before torch loads: spinning threads of a trainer and of the tests would starve each other on two cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

TESTS = Path(__file__).parent
UNPACK_MNIST = REPO.parent / "shared" / "data" / "unpack-mnist"


@pytest.fixture(scope="session")
def mnist_root(pytestconfig: pytest.Config) -> Path | None:
    """A folder that holds the full MNIST as torchvision lays it, or None where this machine has none.

    RBM_DATA_DIR where that has it; else unpacked, once, from the shared data beside the repository.
    """
    own = os.environ.get("RBM_DATA_DIR")
    if own and (Path(own) / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").is_file():
        return Path(own)
    if not UNPACK_MNIST.is_file():
        return None
    folder = Path(pytestconfig.cache.mkdir("mnist"))
    unpacked = folder / "unpacked"
    with open(folder / "lock", "w") as lock:  # several processes run the tests
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not unpacked.is_file():
            subprocess.run([UNPACK_MNIST, folder], check=True)
            unpacked.touch()
    return folder


@pytest.fixture(scope="session")
def mnist_name(mnist_root: Path | None) -> str:
    """The best digits at hand: "mnist" where the full set is there, else the bundled "mnist-5k"."""
    return "mnist" if mnist_root else "mnist-5k"


@pytest.fixture(scope="session")
def full_mnist(mnist_root: Path | None) -> Path:
    """mnist_root, for a test that has nothing to say without it."""
    if mnist_root is None:
        pytest.skip("the full MNIST is not on this machine: set RBM_DATA_DIR to a folder that holds it")
    return mnist_root


@pytest.fixture(scope="session", autouse=True)
def _data_dir(mnist_root: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """RBM_DATA_DIR is mnist_root, or an empty folder, for every test and every process a test starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RBM_DATA_DIR", str(mnist_root or tmp_path_factory.mktemp("no-data")))
        yield


@pytest.fixture
def runs_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty run store, to which RBM_RUNS_DIR points for this test and the processes it starts."""
    root = tmp_path / "checkpoints"
    root.mkdir()
    monkeypatch.setenv("RBM_RUNS_DIR", str(root))
    return root


@pytest.fixture
def start_app(tmp_path: Path) -> Iterator[Callable[..., App]]:
    """start_app(**env) -> App: the app on a free port with these variables set, ended with the test."""
    numbers = itertools.count()
    with ExitStack() as apps:
        yield lambda **env: apps.enter_context(App(tmp_path / f"app-{next(numbers)}.log", env))


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], App]]:
    """serve(root) -> App: the app on this run store, one for all tests of the module, ended after them.

    For tests that leave the store as it is; one that changes it, or ends the app, takes start_app and runs_root.
    """
    with ExitStack() as apps:

        @cache
        def one(root: Path) -> App:
            return apps.enter_context(
                App(tmp_path_factory.mktemp("app") / "app.log", {"RBM_RUNS_DIR": str(root)})
            )

        yield one


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Headless Chromium, one for all tests. While it lives no other asyncio loop can run in this process."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed (make test installs it as root on Debian; else do so by hand)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def new_context(chromium: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """new_context(**options) -> a context of the browser that waits as patiently as a busy machine asks for."""
    contexts: list[BrowserContext] = []

    def new_context(**options: object) -> BrowserContext:
        contexts.append(chromium.new_context(**options))
        contexts[-1].set_default_timeout(PATIENCE_MS)
        return contexts[-1]

    yield new_context
    for context in contexts:
        context.close()


@pytest.fixture
def open_page(
    new_context: Callable[..., BrowserContext], request: pytest.FixtureRequest
) -> Iterator[Callable[..., Page]]:
    """open_page(url, width=1280, height=800, scheme="light", zoom=1.0) -> Page, settled, in a context of its own.

    `prepare` is called with the page before it opens.
    Uncaught script errors and requests to other machines fail the test: the app is whole without a network.
    A failed test leaves a screenshot of each of its pages.
    """
    pages: list[Page] = []
    errors: list[str] = []
    strangers: list[str] = []

    def watch(url: str) -> None:
        if urlsplit(url).hostname not in (None, "127.0.0.1", "localhost"):  # None: data: and blob:
            strangers.append(url)

    def open_page(
        url: str,
        width: int = 1280,
        height: int = 800,
        scheme: str = "light",
        zoom: float = 1.0,
        prepare: Callable[[Page], object] = lambda page: None,
    ) -> Page:
        window = {"width": width, "height": height}
        page = new_context(viewport=window, color_scheme=scheme, device_scale_factor=zoom).new_page()
        pages.append(page)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda asked: watch(asked.url))
        prepare(page)
        page.goto(url)
        settle(page)
        painted(page)
        return page

    yield open_page
    failed = request.node.stash.get(_FAILED, False)
    for n, page in enumerate(pages):
        if failed and not page.is_closed():
            shoot(page, f"failed-{request.node.name}-{n}")
        page.close()
    assert errors == [], "uncaught errors in the page"
    assert strangers == [], "requests to other machines"


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[_FAILED] = report.failed
    return report


def room(path: Path) -> str:
    """The folder of tests/ that a test file stands in: core, dashboard, browser, …; "house" for tests/ itself."""
    folder = path.relative_to(TESTS).parent
    return folder.parts[0] if folder.parts else "house"


@pytest.hookimpl(tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the browser's room, and runs it last: its asyncio loop then disturbs no other test.

    Its long files come first, so that two processes that take files in turn end at about the same time.
    """
    for item in items:
        if room(item.path) == "browser":
            item.add_marker("browser")

    def turn(item: pytest.Item) -> tuple[bool, int]:
        last = item.get_closest_marker("browser") is not None
        return last, -item.path.stat().st_size if last else 0

    items.sort(key=turn)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How long each room took, fixtures included."""
    seconds: Counter[str] = Counter()
    tests: Counter[str] = Counter()
    for report in itertools.chain.from_iterable(terminalreporter.stats.values()):
        if isinstance(report, pytest.TestReport):
            name = room(REPO / report.location[0])
            seconds[name] += report.duration
            tests[name] += report.when == "call"
    if seconds:
        terminalreporter.section("time by room")
    for name, took in seconds.most_common():
        terminalreporter.line(f"{took // 60:4.0f} min {took % 60:4.1f} s  {name} ({tests[name]} tests)")
