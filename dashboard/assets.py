"""Streamlit's scripts, styles and fonts, each answered in one piece.

A page asks for 115 of them before its first picture. Streamlit's own route looks for, opens and reads each through
other threads, in chunks: beside a trainer on two cores every hand-over waits for its turn, 0.7 s for 96 files.
"""

import mimetypes
from pathlib import Path

import streamlit
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

_ROOT = Path(streamlit.__file__).parent / "static"
# Their names carry a hash of what they hold, so that a browser never asks again: the header of Streamlit's own route.
_FOR_EVER = {"cache-control": "public, immutable, max-age=31536000"}


class Assets:
    """ASGI middleware behind the door. What is no such file, or is asked for in parts, goes on to Streamlit."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.files = {f"/{file.relative_to(_ROOT).as_posix()}": file for file in _ROOT.glob("static/*/*.*")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        file = self.files.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "GET" else None
        if file is None or any(name == b"range" for name, _ in scope["headers"]):
            await self.app(scope, receive, send)
            return
        kind = mimetypes.guess_type(file.name)[0]
        await Response(file.read_bytes(), headers=_FOR_EVER, media_type=kind)(scope, receive, send)
