"""The app's door: other pages' requests are refused, port included; with a token nothing is readable without it."""

import asyncio
import http.client
import re
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest
import streamlit
from playwright.sync_api import BrowserContext
from starlette.datastructures import Headers
from streamlit import config
from websockets.exceptions import InvalidStatus

from dashboard import assets
from dashboard.assets import Assets
from dashboard.door import LEAST_TOKEN, is_foreign, opening, token_wanted
from tests.live import REPO, SLOWER, App, settle, until
from tests.small_run import train_small
from tests.tab import Tab

TOKEN = "a-token-for-the-class"
ASSET = min(path for path in Assets(None).files if path.endswith(".js"))  # type: ignore[arg-type]
ROUTES = (
    "/", "/gibbs", "/static/index.html", "/media/0123456789abcdef.png", "/component/x/y.js", "/_stcore/host-config",
    "/_stcore/upload_file/a/b", "/_stcore/bidi-components/x/y.js", "/_stcore/metrics", "/app/static/x",
    "/_stcore/script-health-check", "/?token=wrong", "//evil.example/?token=wrong", "/_stcore/health/x",
    "/x/_stcore/health", "/media/_stcore/health", "/_stcore/health/", ASSET, "/rbm/film.js",
)  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_small(tmp_path_factory.mktemp("door") / "checkpoints").parent


@pytest.fixture(scope="module")
def locked(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app with a token."""
    env = {"RBM_RUNS_DIR": str(store), "RBM_TOKEN": TOKEN}
    with App(tmp_path_factory.mktemp("app") / "app.log", env) as app:
        yield app


@pytest.fixture(scope="module")
def open_(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app without one."""
    with App(tmp_path_factory.mktemp("app") / "app.log", {"RBM_RUNS_DIR": str(store)}) as app:
        yield app


def asked(app: App, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
    """(status, headers, body) of a request."""
    with closing(http.client.HTTPConnection("127.0.0.1", app.port, timeout=60)) as line:
        line.request(method, path, headers=headers)
        answer = line.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode(errors="replace")


def pass_of(app: App) -> str:
    status, headers, _ = asked(app, f"/?token={TOKEN}&run=small")
    assert status == 303
    assert headers["location"] == "/?run=small", "the token stays in the address"
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert TOKEN not in cookie, "cookies go to every port of a machine"
    return cookie.partition(";")[0]


# --- the rules ---


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({"host": "127.0.0.1:8501"}, False),
        ({"host": "127.0.0.1:8501", "origin": "http://127.0.0.1:8501"}, False),
        ({"host": "127.0.0.1:8501", "origin": "http://127.0.0.1:9000"}, True),
        ({"host": "127.0.0.1:8501", "origin": "http://localhost:8501"}, True),
        ({"host": "127.0.0.1:8501", "origin": "http://127.0.0.1"}, True),
        ({"host": "127.0.0.1:8501", "origin": "null"}, True),
        ({"host": "", "origin": ""}, True),
        ({"host": "127.0.0.1:8501", "origin": "http://["}, True),
        ({"host": "127.0.0.1:8501", "origin": "http://[::1"}, True),
        ({"origin": "http://127.0.0.1:8501"}, True),
        ({"host": "class.example", "origin": "https://class.example"}, False),
        ({"host": "localhost:8501", "sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors"}, True),
        ({"host": "localhost:8501", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, False),
        ({"host": "localhost:8501", "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}, False),
    ],
)
def test_a_request_is_foreign_where_its_origin_is_not_this_address(
    headers: dict[str, str], foreign: bool
) -> None:
    assert is_foreign(Headers(headers)) == foreign


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({"host": "127.0.0.1:8501", "origin": "https://rbm.school.example"}, False),
        ({"host": "rbm.school.example", "origin": "https://rbm.school.example"}, False),
        ({"host": "127.0.0.1:8501", "origin": "http://rbm.school.example"}, True),
        ({"host": "127.0.0.1:8501", "origin": "https://rbm.school.example:8443"}, True),
        ({"host": "127.0.0.1:8501", "origin": "https://evil.example"}, True),
        ({"host": "127.0.0.1:8501", "origin": "https://rbm.school.example.evil.example"}, True),
        ({"host": "127.0.0.1:8501", "origin": "https://school.example"}, True),
        ({"host": "127.0.0.1:8501", "origin": "null"}, True),
        (
            {
                "host": "127.0.0.1:8501",
                "origin": "https://rbm.school.example",
                "sec-fetch-site": "cross-site",
            },
            True,
        ),
        (
            {
                "host": "127.0.0.1:8501",
                "origin": "https://rbm.school.example",
                "sec-fetch-site": "same-origin",
            },
            False,
        ),
    ],
)
def test_the_origin_of_a_reverse_proxy_that_changes_the_host_is_no_stranger_once_it_is_named(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], foreign: bool
) -> None:
    unnamed = headers["host"] != "rbm.school.example"
    assert is_foreign(Headers(headers)) == unnamed, (
        "as long as no origin is named, the Host must be passed on"
    )
    named = {"server.corsAllowedOrigins": ["https://rbm.school.example"]}
    monkeypatch.setattr("dashboard.door.config.get_option", named.__getitem__)
    assert is_foreign(Headers(headers)) == foreign


def test_a_token_is_made_kept_and_required_beyond_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RBM_TOKEN", raising=False)
    assert token_wanted([], "127.0.0.1") is None
    made = {token_wanted(["--token"], "127.0.0.1"), token_wanted([], "0.0.0.0"), token_wanted([], None)}
    assert None not in made
    assert len(made) == 3, "a token is used twice"
    assert all(len(str(one)) >= 32 for one in made)
    monkeypatch.setenv("RBM_TOKEN", TOKEN)
    assert token_wanted([], "127.0.0.1") == token_wanted(["--token"], "0.0.0.0") == TOKEN
    monkeypatch.setenv("RBM_TOKEN", "short")
    with pytest.raises(ValueError, match=f"at least {LEAST_TOKEN} characters, got 5"):
        token_wanted([], "127.0.0.1")
    with pytest.raises(ValueError, match="does not know '--tokn'"):
        token_wanted(["--tokn"], "127.0.0.1")


# --- the app with a token ---


@pytest.mark.slow
@pytest.mark.parametrize("path", ROUTES)
def test_without_the_token_nothing_is_answered(locked: App, path: str) -> None:
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
        for cookie in ("", f"rbm-observatory-{locked.port}=", f"rbm-observatory-{locked.port}={TOKEN}"):
            status, _, body = asked(locked, path, method, Cookie=cookie, Accept="text/html")
            assert status == 401, f"{method} {path}"
            assert "small" not in body


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [
        "//evil.example/",
        "/%2Fevil.example/",
        "///evil.example",
        "/\\evil.example/",
        "/%5Cevil.example/",
        "/x//y",
    ],
)
def test_who_brings_the_token_is_led_on_within_the_app(locked: App, path: str) -> None:
    status, headers, _ = asked(locked, f"{path}?token={TOKEN}")
    assert status == 303
    assert re.match(r"/(?![/\\])", headers["location"]), headers["location"]


@pytest.mark.slow
def test_without_the_token_no_websocket_is_opened_and_with_it_the_page_comes(locked: App) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        Tab(locked.port)
    with pytest.raises(InvalidStatus, match="403"):
        Tab(locked.port, headers={"Cookie": f"rbm-observatory-{locked.port}=wrong"})
    with Tab(locked.port, headers={"Cookie": pass_of(locked)}, run="small") as tab:
        assert "train.timeline" in tab.components
    assert asked(locked, "/_stcore/health")[0] == 200


@pytest.mark.slow
def test_a_new_token_is_printed_at_the_start(store: Path, tmp_path: Path) -> None:
    with App(tmp_path / "log", {"RBM_RUNS_DIR": str(store)}, "--", "--token") as app:
        address = re.compile(rf"http://127.0.0.1:{app.port}(/\?token=\S+)\n")
        until(lambda: address.search(app.output()) is not None, 5, "no token is printed")
        printed = address.search(app.output())
        assert printed
        assert asked(app, printed[1])[0] == 303
        assert asked(app, "/")[0] == 401


@pytest.mark.slow
def test_a_wrong_argument_ends_the_start_with_one_sentence(tmp_path: Path) -> None:
    app = App(tmp_path / "log", {}, "--", "--tokn")
    assert app.process.wait(SLOWER * 60) != 0
    assert "Not started: the app does not know '--tokn'" in app.output()
    assert "Traceback" not in app.output()


@pytest.mark.slow
@pytest.mark.browser
def test_the_form_takes_the_token_once_and_the_page_opens(
    locked: App, new_context: Callable[..., BrowserContext]
) -> None:
    page = new_context().new_page()
    page.goto(f"{locked.url}/?run=small&step=0")
    page.get_by_label("Token").fill("not the token")
    page.get_by_role("button", name="Open").click()
    page.get_by_text("That is not the token.").wait_for()
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Open").click()
    settle(page)
    assert page.url == f"{locked.url}/?run=small&step=0"
    page.goto(f"{locked.url}/inspect")
    settle(page)


# --- what tabs send ---

TIGHT = """import sys
sys.path.insert(0, {repo!r})
from dashboard import door
door.MOST_UPLOADED = 30_000_000
"""


def sent(app: App, session: str, name: str, n_bytes: int) -> int:
    """The HTTP status with which the app answers a file of this many bytes that a tab sends."""
    _, headers, _ = asked(app, "/_stcore/health")
    cookie = headers["set-cookie"].partition(";")[0]
    boundary = "----of-the-test"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}.npy"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode() + bytes(n_bytes) + f"\r\n--{boundary}--\r\n".encode()  # fmt: skip
    with closing(http.client.HTTPConnection("127.0.0.1", app.port, timeout=60)) as line:
        line.request(
            "PUT",
            f"/_stcore/upload_file/{session}/{name}",
            body,
            {
                "Content-Type": f"multipart/form-data; boundary={boundary}",
                "Cookie": cookie,
                "X-Xsrftoken": cookie.partition("=")[2],
            },
        )
        answer = line.getresponse()
        answer.read()
        return answer.status


@pytest.mark.slow
def test_files_as_large_as_a_page_promises_are_taken_and_a_hundred_of_them_fill_no_memory(
    store: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(TIGHT.format(repo=str(REPO)))
    env = {"RBM_RUNS_DIR": str(store), "PYTHONPATH": str(tmp_path)}
    with App(tmp_path / "log", env) as app, Tab(app.port, run="small") as tab:
        assert sent(app, tab.session, "large", 12_000_000) == 204
        ends = [sent(app, tab.session, f"file-{n}", 2_000_000) for n in range(100)]
        taken = ends.count(204)
        assert 9 <= taken <= 10
        assert ends == [204] * taken + [413] * (100 - taken)
        assert sent(app, "no-session", "file", 1000) in (400, 413)
        tab.rerun()
        assert tab.errors == []
        assert "Traceback" not in app.output()


# --- Streamlit's own files ---


@pytest.mark.slow
def test_a_file_of_streamlit_is_answered_whole_and_kept_by_the_browser(open_: App) -> None:
    content = (Path(streamlit.__file__).parent / "static" / ASSET.lstrip("/")).read_text()
    status, headers, body = asked(open_, ASSET)
    assert (status, body) == (200, content)
    assert "immutable" in headers["cache-control"]
    assert "javascript" in headers["content-type"]
    assert "frame-ancestors" in headers["content-security-policy"]
    assert asked(open_, ASSET, Range="bytes=0-9")[::2] == (206, content[:10])
    assert asked(open_, ASSET, "HEAD")[::2] == (200, "")
    assert asked(open_, "/static/js/no-such.js")[2].startswith("<!--"), "Streamlit's own answer"
    assert asked(open_, "/static/js/../../../app.py")[0] == 400


def test_a_text_of_ours_is_answered_below_any_path_of_the_app_under_a_name_of_its_own() -> None:
    answers = Assets(None)  # type: ignore[arg-type]
    one, other = assets.serve("film.js", "export default 1;"), assets.serve("film.js", "export default 2;")
    assert one != other, "a browser would keep the old one"
    for base in ("/", "/class/", "/rbm/"):
        assert answers.content(base + one) == "export default 1;"
        assert answers.content(base + other) == "export default 2;"
    for stranger in (
        "/rbm/film.js",
        "/" + one + "x",
        "/x" + one,
        "/rbm/../" + one.removeprefix("rbm/"),
        "/rbm/",
        "/",
        "",
    ):
        assert answers.content(stranger) is None, stranger


@pytest.mark.slow
@pytest.mark.browser
def test_components_scripts_are_fetched_also_where_the_app_is_below_a_path(
    store: Path, tmp_path: Path, new_context: Callable[..., BrowserContext]
) -> None:
    app = App(tmp_path / "app.log", {"RBM_RUNS_DIR": str(store)}, "--server.baseUrlPath", "class/one")
    app.url += "/class/one"
    with app:
        page, answers = new_context().new_page(), []
        page.on("response", lambda answer: answers.append(answer) if "/rbm/" in answer.url else None)
        for path in ("", "/gibbs?chains=2&sweeps=2"):
            page.goto(app.url + path)
            page.locator("canvas:visible").first.wait_for()
            settle(page)
        fetched = {
            answer.url: answer for answer in answers if not answer.request.timing["responseStart"] == -1
        }
        assert all(url.startswith(f"{app.url}/rbm/") for url in fetched)
        assert {answer.status for answer in fetched.values()} == {200}
        for answer in fetched.values():
            assert "immutable" in answer.headers["cache-control"]
            assert "javascript" in answer.headers["content-type"]
        assert "Traceback" not in app.output()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a connection may inherit nothing")
def test_an_answers_second_part_does_not_wait_until_the_first_has_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(config, "get_option", lambda name: name == "server.headless" or "")

    async def open_the_app() -> None:
        async with opening(None)(object()):
            pass

    with (
        socket.socket() as listening,
        socket.socket() as browser,
    ):  # as Streamlit makes it, naming no protocol
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        asyncio.run(open_the_app())
        browser.connect(listening.getsockname())
        with listening.accept()[0] as connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


# --- other pages ---


@pytest.mark.slow
def test_a_foreign_origin_or_host_is_refused(open_: App) -> None:
    for origin in (
        f"http://127.0.0.1:{open_.port + 1}",
        "http://evil.example",
        "null",
        f"http://localhost:{open_.port}",
        "http://[",
    ):
        assert asked(open_, "/_stcore/host-config", Origin=origin)[0] == 403
        with pytest.raises(InvalidStatus, match="403"):
            Tab(open_.port, headers={"Origin": origin}, origin=None)
    assert "Traceback" not in open_.output()
    status, _, body = asked(open_, "/", Host="evil.example")
    assert status == 403
    assert "server.allowedHosts" in body


STRANGER = """<!doctype html><img id="picture" src="{app}/static/favicon.png"><iframe src="{app}/"></iframe><script>
window.found = [];
const told = (what) => window.found.push(what);
const socket = new WebSocket("{app}/_stcore/stream".replace("http", "ws"), ["streamlit"]);
socket.onopen = () => told("socket opened"); socket.onerror = () => told("socket refused");
fetch("{app}/_stcore/host-config").then((r) => told("read " + r.status), () => told("fetch refused"));
picture.onload = () => told("picture shown"); picture.onerror = () => told("picture refused");
</script>"""


@pytest.mark.slow
@pytest.mark.browser
def test_a_page_of_another_port_gets_nothing(
    open_: App, tmp_path: Path, new_context: Callable[..., BrowserContext]
) -> None:
    (tmp_path / "index.html").write_text(STRANGER.replace("{app}", open_.url))
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = new_context().new_page()
        page.goto(f"http://127.0.0.1:{server.server_address[1]}/index.html")
        page.wait_for_function("window.found.length === 3")
        assert sorted(page.evaluate("window.found")) == ["fetch refused", "picture refused", "socket refused"]
        assert page.frames[1].locator('[data-testid="stApp"]').count() == 0, (
            "the app is shown within another page"
        )
        server.shutdown()


@pytest.mark.slow
@pytest.mark.browser
def test_the_policy_lets_nothing_leave(open_: App, new_context: Callable[..., BrowserContext]) -> None:
    """That it lets each page work is seen where every page is opened, in test_texts.py."""
    opened = new_context().new_page()
    opened.goto(f"{open_.url}/learn")
    settle(opened)
    with opened.expect_event(
        "console", lambda said: "evil.example" in said.text and "Content Security" in said.text
    ):
        opened.evaluate("() => { new Image().src = 'http://evil.example/p.png'; }")
