"""Canvas components, drawn in the browser from one blob of bytes each.

A component is a folder: modules (.js), a style (.css), perhaps a template (.html), and an `__init__.py` that lists
the modules in order. `lib/` holds the modules that all of them share.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import assets
from dashboard.components import script
from dashboard.components.blob import pack
from dashboard.figures import palette

_HERE = Path(__file__).parent
_LIBRARY = ("blob", "numbers", "dom", "canvas", "palette", "colour", "theme", "view", "save")
_SENT = "components.sent"  # session state: component key → version of the payload that this tab was sent


def parts(name: str, *modules: str) -> dict[str, str]:
    """The component in `components/<name>/` as its texts "js", "css" and "html".

    `modules` are its scripts in order, each without ".js", relative to its folder; "lib/…" adds one of the library
    beyond those that every component has. The last one must `export default` the function that shows it.
    The template `<name>.html`, where there is one, stands in the element that a view is given.
    """
    folder = _HERE / name
    paths = [f"lib/{part}.js" for part in _LIBRARY]
    paths += [f"{part}.js" if part.startswith("lib/") else f"{name}/{part}.js" for part in modules]
    template = folder / f"{name}.html"
    return {
        "js": script.joined({path: _source(path) for path in paths}),
        "css": script.unindented(
            (_HERE / "lib/base.css").read_text(encoding="utf-8")
            + (folder / f"{name}.css").read_text(encoding="utf-8")
        ),
        "html": f"<div>{script.unindented(template.read_text(encoding='utf-8')) if template.exists() else ''}</div>",
    }


def load(name: str, *modules: str) -> Callable[..., Any]:
    """The mounting command of the component of these `parts`: call it with key= and data=<bytes>."""
    texts = parts(name, *modules)
    return st.components.v2.component(
        f"rbm_{name}", js=_fetching(name, texts["js"]), css=texts["css"], html=texts["html"]
    )


def _fetching(name: str, text: str) -> str:
    """A short script that fetches the component's own, once a browser.

    Streamlit sends a component's script again with each payload, 35 kB beside the 6 kB of a picture, and the browser
    compares it sign by sign.
    """
    where = assets.serve(f"{name}.js", text)
    loader = script.joined({"lib/fetched.js": _source("lib/fetched.js")})
    return f'{loader}export default await fetched("{where}");\n'


def _source(path: str) -> str:
    if path == "lib/palette.js":
        return palette.javascript()
    return (_HERE / path).read_text(encoding="utf-8")


def feed(
    mount: Callable[..., Any],
    key: str,
    version: str,
    build: Callable[[], bytes],
    note: Mapping[str, Any] | None = None,
    *,
    rests: bool = False,
    **callbacks: Any,
) -> Any:
    """Mount a component with a payload that is sent only when its version is new to this browser tab.

    `build()` makes the whole payload, whose header must carry the same version. Otherwise a few bytes say "same"; a
    view that was mounted afresh, or missed a message, answers "need" and gets the whole. `note` is added to
    the header of "same", for values that change while the payload stays the same. `rests`: what the tab has is good
    enough, of whichever version.
    """
    sent = st.session_state.setdefault(_SENT, {})
    if sent.get(key) == version or (rests and key in sent):
        data = pack({**(note or {}), "same": True, "version": sent[key]})
    else:
        data = build()
        sent[key] = version
    return mount(key=key, data=data, on_need_change=lambda: sent.pop(key, None), **callbacks)


def feed_afresh() -> None:
    """Forget what this tab has been sent: a page calls it when it is run as a whole."""
    st.session_state[_SENT] = {}
