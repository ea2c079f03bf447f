"""Canvas components: each a folder with its script and style, drawn in the browser from one blob of bytes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.components.blob import pack
from dashboard.figures import palette

_HERE = Path(__file__).parent


def load(name: str) -> Callable[..., Any]:
    """The mounting command of the component in `components/<name>/`: call it with key= and data=<bytes>.

    Its script is blob.js, base.js, the palette, then `<name>.js`, which must `export default function`.
    """
    folder = _HERE / name
    shared = [(_HERE / part).read_text() for part in ("blob.js", "base.js")]
    scripts = [*shared, palette.javascript(), (folder / f"{name}.js").read_text()]
    style = (_HERE / "base.css").read_text() + (folder / f"{name}.css").read_text() + "\n"
    return st.components.v2.component(f"rbm_{name}", js="\n".join(scripts), css=style, html="<div></div>")


def feed(
    mount: Callable[..., Any],
    key: str,
    version: str,
    build: Callable[[], bytes],
    note: Mapping[str, Any] | None = None,
    **callbacks: Any,
) -> Any:
    """Mount a component with a payload that is sent only when its version is new to this browser tab.

    `build()` makes the whole payload, whose header must carry the same version. Otherwise a few bytes
    say "same"; a view that was mounted afresh, or missed a message, answers "need" and gets the whole.
    `note` goes with either: what the page has to tell the view besides its payload.
    """
    sent = st.session_state.setdefault("_fed", {})
    if sent.get(key) == version:
        data = pack({**(note or {}), "same": True, "version": version})
    else:
        data = build()
        sent[key] = version
    return mount(key=key, data=data, on_need_change=lambda: sent.pop(key, None), **callbacks)


def feed_afresh() -> None:
    """Forget what this tab has been sent: a page calls it when it is run as a whole."""
    st.session_state["_fed"] = {}
