"""Who may reach the app: pages of its own address and, where a token is set, those who have it.

Streamlit lets every page of this machine's other ports open its websocket, and it has no login. `Door` stands before
all of its routes, media, uploads and components included. `app.py` gives it to `streamlit.starlette.App`, the one way
in which Streamlit takes a middleware.
"""

import asyncio
import hashlib
import hmac
import html
import json
import os
import secrets
import sys
import webbrowser
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.runtime import get_instance
from streamlit.runtime.stats import CACHE_MEMORY_FAMILY, CacheStat
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from dashboard import sockets

_UPLOADS = "/_stcore/upload_file/"
MOST_UPLOADED = 1 << 30  # bytes that are held for all tabs; a tab's go with it
HEALTH = "/_stcore/health"  # says "ok" and nothing else: whoever keeps the app alive may ask
LEAST_TOKEN = 12  # characters
_FORM = Template((Path(__file__).parent / "door.html").read_text(encoding="utf-8"))
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def token_wanted(arguments: Sequence[str], address: str | None) -> str | None:
    """The token that this start asks for; None where the app is open to all who reach its address.

    `--token` makes a new one; RBM_TOKEN gives one that stays. An address beyond this machine never goes without.
    Raises ValueError in one sentence for an argument that is not known and a token that can be guessed.
    """
    unknown = [one for one in arguments if one != "--token"]
    if unknown:
        raise ValueError(
            f"the app does not know {unknown[0]!r}: after -- it takes --token alone; a token of your own goes into "
            "RBM_TOKEN"
        )
    own = os.environ.get("RBM_TOKEN", "").strip()
    if own and len(own) < LEAST_TOKEN:
        raise ValueError(f"RBM_TOKEN must have at least {LEAST_TOKEN} characters, got {len(own)}")
    if own or not (arguments or address not in _LOOPBACK):
        return own or None
    return secrets.token_urlsafe(24)


def is_foreign(headers: Headers) -> bool:
    """Whether another page than one of this very address, port included, sends the request.

    Origins that server.corsAllowedOrigins names are no strangers: a reverse proxy may have one. Programs send none.
    """
    origin, host = headers.get("origin"), headers.get("host", "")
    if origin is not None and origin not in config.get_option("server.corsAllowedOrigins"):
        try:
            return urlsplit(origin).netloc.lower() != host.lower() or not host
        except ValueError:  # http://[
            return True
    # A picture or a script that another page shows has no Origin, but browsers say where it is shown.
    other = headers.get("sec-fetch-site") in ("cross-site", "same-site")
    return other and headers.get("sec-fetch-mode") != "navigate"


def uploaded() -> int:
    """The bytes of all files that tabs have sent and that the server still holds."""
    stats = get_instance().uploaded_file_mgr.get_stats([CACHE_MEMORY_FAMILY])
    return sum(one.byte_length for one in stats.get(CACHE_MEMORY_FAMILY, ()) if isinstance(one, CacheStat))


def is_health(scope: Scope) -> bool:
    """Whether this asks for the one route that is open to all; no other path that ends like it is."""
    base = config.get_option("server.baseUrlPath").strip("/")
    return scope["type"] == "http" and scope["path"] == (f"/{base}{HEALTH}" if base else HEALTH)


def policy(host: str) -> str:
    """What the page may load: nothing from elsewhere, whatever a text or a file makes it show."""
    return (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
        f"font-src 'self' data:; connect-src 'self' data: blob: ws://{host} wss://{host}; worker-src 'self' blob:; "
        "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
    )


class Door:
    """ASGI middleware. token: what a visitor must bring once, in the address or in the form; None: nothing."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self.app, self.token = app, token
        # The browser keeps this, not the token: cookies go to every port of a machine.
        self.pass_ = hashlib.sha256((token or "").encode()).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or is_health(scope):
            await self.app(scope, receive, send)
        elif refusal := self.refusal(scope):
            if scope["type"] == "websocket":  # closed before it is accepted, which is an HTTP 403
                await send({"type": "websocket.close", "code": 1008, "reason": ""})
            else:
                await refusal(scope, receive, send)
        else:
            if scope["type"] == "websocket":
                receive = of_a_page(receive)
            await self.app(scope, receive, guarded(send, Headers(scope=scope).get("host", "")))

    def refusal(self, scope: Scope) -> Response | None:
        """Why the request does not go through, as the answer to it; None where it does."""
        headers = Headers(scope=scope)
        if not is_host_allowed(headers.get("host")):
            return PlainTextResponse(
                "This app answers under the names in server.allowedHosts alone. Whoever started it can add this one: "
                "--server.allowedHosts=NAME.",
                403,
            )
        if is_foreign(headers):
            return PlainTextResponse("Another page's request is not answered.", 403)
        if self.token is not None and (form := self.login(HTTPConnection(scope))):
            return form
        if scope.get("method") == "PUT" and _UPLOADS in scope["path"] and uploaded() > MOST_UPLOADED:
            return PlainTextResponse("The tabs of this app hold as many files as it has room for.", 413)
        return None

    def login(self, visit: HTTPConnection) -> Response | None:
        """The form for the token; or the way on, with a cookie, for who brings it; None for who has the cookie."""
        name = f"rbm-observatory-{config.get_option('server.port')}"
        if hmac.compare_digest(visit.cookies.get(name, "").encode(), self.pass_.encode()):
            return None
        query = parse_qsl(visit.url.query)
        brought = [value for key, value in query if key == "token"]
        rest = [(key, value) for key, value in query if key != "token"]
        if brought and hmac.compare_digest(brought[0].encode(), str(self.token).encode()):
            # A path that begins with // would lead to another machine.
            where = "/" + visit.url.path.lstrip("/") + (f"?{urlencode(rest)}" if rest else "")
            onward = RedirectResponse(where, 303)
            onward.set_cookie(
                name, self.pass_, httponly=True, samesite="lax", secure=visit.url.scheme in ("https", "wss")
            )
            return onward
        if "text/html" not in visit.headers.get("accept", ""):
            return PlainTextResponse("This needs the app's token.", 401)
        kept = "".join(
            f'<input type="hidden" name="{html.escape(key)}" value="{html.escape(value)}">'
            for key, value in rest
        )
        complaint = '<p class="wrong">That is not the token.</p>' if brought else ""
        return HTMLResponse(_FORM.substitute(complaint=complaint, kept=kept), 401)


def guarded(send: Send, host: str) -> Send:
    """`send`, with the headers that keep a page to this address."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["content-security-policy"] = policy(host)
            headers["referrer-policy"] = "same-origin"
            headers["x-content-type-options"] = "nosniff"
        await send(message)

    return sending


def of_a_page(receive: Receive) -> Receive:
    """`receive`, to which a frame that no page sends is the end of its tab.

    Streamlit writes a traceback for each such frame, and one for each later refresh of the tab.
    """

    async def receiving() -> Message:
        message = await receive()
        if message["type"] == "websocket.receive" and not is_of_a_page(message.get("bytes")):
            return {"type": "websocket.disconnect", "code": 1003}
        return message

    return receiving


def is_of_a_page(frame: bytes | None) -> bool:
    """Whether the frame is a message of Streamlit's, and what its components say is JSON."""
    said = BackMsg()
    try:
        said.ParseFromString(frame or b"")
        for widget in said.rerun_script.widget_states.widgets:
            if widget.WhichOneof("value") in ("json_value", "json_trigger_value"):
                json.loads(widget.json_value or widget.json_trigger_value)
    except Exception:  # protobuf, long numbers, nesting: whatever a stranger's bytes can raise
        return False
    return said.WhichOneof("type") is not None


def opening(token: str | None) -> Any:
    """The app's lifespan: says at its start where it is, and opens a browser there unless the server is headless."""

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        sockets.send_at_once()
        sockets.complain_rarely(asyncio.get_running_loop())
        address, port = config.get_option("server.address") or "localhost", config.get_option("server.port")
        scheme = "https" if config.get_option("server.sslCertFile") else "http"
        base = config.get_option("server.baseUrlPath").strip("/")
        shown = "localhost" if address in ("0.0.0.0", "::") else address
        where = f"{scheme}://{shown}:{port}/{base + '/' if base else ''}"
        if token is not None:
            where += f"?token={token}"
            sys.stdout.write(
                f"\n  Only who opens this address can see the runs, or command them:\n  {where}\n\n"
            )
            sys.stdout.flush()
        if not config.get_option("server.headless"):
            webbrowser.open(where)
        yield

    return lifespan


def token_or_exit() -> str | None:
    """`token_wanted` of this process; ends it with the sentence where there is none to be had."""
    try:
        return token_wanted(sys.argv[1:], config.get_option("server.address"))
    except ValueError as error:
        sys.exit(f"Not started: {error}.")
