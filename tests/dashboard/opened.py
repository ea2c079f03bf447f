"""A page of the app, opened through its own entry point, and what it was given to show."""

import json
import re
from typing import Any

import numpy as np
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from dashboard.components.blob import unpack
from dashboard.ui import page_state
from dashboard.ui.page_state import State
from tests.live import PATIENCE_MS, REPO


def open_page(page: str = "", **query: str) -> AppTest:
    """The page as the app shows it for a link with this query; without a name, the one that the app begins with."""
    app = AppTest.from_file(str(REPO / "dashboard" / "app.py"), default_timeout=PATIENCE_MS / 1000)
    for name, value in query.items():
        app.query_params[name] = value
    # switch_page knows a page by its file's name until the app has run once, and every page's file is page.py.
    app._page_hash = calc_hash(page) if page else ""
    return app.run()


def as_read(markdown: str) -> str:
    """The text as the page's reader sees it where `plain` of dashboard/ui/texts.py made it Markdown."""
    return re.sub(r"\\(?=[!-/:-@[-`{-~])", "", markdown).replace("\u2060", "")


def state(app: AppTest, page: type[State]) -> State:
    """What the app remembers for this page."""
    return app.session_state[page_state.KEY][f"{page.__module__}.{page.__qualname__}"]


def fed(app: AppTest, key: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """(header, arrays) that the canvas component with the key `key`, or `page.key`, was sent."""
    for element in app.get("bidi_component"):
        if element.proto.id.endswith((f"-{key}", f".{key}")):
            return unpack(element.proto.bytes)
    raise AssertionError(f"no component {key!r}")


def charts(app: AppTest) -> list[tuple[dict[str, Any], dict[str, Any], str]]:
    """(figure, configuration, words for the blind) of every Plotly chart, in the page's order."""
    found = [element.proto for element in app.get("plotly_chart")]
    return [(json.loads(one.spec), json.loads(one.config), one.alt) for one in found]


def abouts(app: AppTest) -> dict[str, str]:
    """What stands behind each "About …" button, by the picture it names."""
    told = {}
    for popover in app.get("popover"):
        label = popover.proto.popover.label.removeprefix(":small[").removesuffix("]")
        if label.startswith("About "):
            told[label.removeprefix("About ")] = popover.markdown[0].value
    return told


def curve_names(app: AppTest) -> list[str]:
    """The names of the lines in the page's first chart; a band has none."""
    return [trace["name"] for trace in charts(app)[0][0]["data"] if "name" in trace]
