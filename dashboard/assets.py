"""Streamlit's scripts, styles and fonts and our components' scripts, each answered in one piece.

A page asks for 115 of them before its first picture. Streamlit's own route looks for, opens and reads each through
other threads, in chunks: beside a trainer on two cores every hand-over waits for its turn, 0.7 s for 96 files.
"""

import hashlib
import mimetypes
from pathlib import Path, PurePath

import streamlit
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

_ROOT = Path(streamlit.__file__).parent / "static"
# Their names carry a hash of what they hold, so that a browser never asks again: the header of Streamlit's own route.
_FOR_EVER = {"cache-control": "public, immutable, max-age=31536000"}
_OURS = "rbm/"
_served: dict[str, str] = {}  # our texts by their paths


def serve(name: str, text: str) -> str:
    """The path, below the app's address, under which the text is answered from now on; a hash of it is part of it."""
    plain = PurePath(name)
    where = f"{_OURS}{plain.stem}.{hashlib.sha256(text.encode()).hexdigest()[:12]}{plain.suffix}"
    _served[where] = text
    return where


class Assets:
    """ASGI middleware behind the door. What is no such file, or is asked for in parts, goes on to Streamlit."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.files = {f"/{file.relative_to(_ROOT).as_posix()}": file for file in _ROOT.glob("static/*/*.*")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        content = None
        if scope["type"] == "http" and scope["method"] == "GET":
            in_parts = any(name == b"range" for name, _ in scope["headers"])
            content = None if in_parts else self.content(scope["path"])
        if content is None:
            await self.app(scope, receive, send)
            return
        kind = mimetypes.guess_type(scope["path"])[0]
        await Response(content, headers=_FOR_EVER, media_type=kind)(scope, receive, send)

    def content(self, path: str) -> bytes | str | None:
        """What is answered under this path of the server; None for what is Streamlit's to answer."""
        if file := self.files.get(path):
            return file.read_bytes()
        _, ours, name = path.rpartition(f"/{_OURS}")  # the app may be below a path of its own
        return _served.get(ours[1:] + name)
