"""A run as one HTML file: the app's own players with what they show inside, without a server and without network."""

import base64
import gzip
import html
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from string import Template
from typing import Any

from dashboard import components
from dashboard.components import curves, film, mosaic, script, timeline

_HERE = Path(__file__).parent
# In a clone the settings stand at the top, in an installed package beside app.py.
_CONFIG = next(
    file for n in (2, 1) if (file := _HERE.parents[n] / ".streamlit" / "config.toml").is_file() or n == 1
)
_PLAYERS = {"timeline": timeline, "mosaic": mosaic, "curves": curves, "film": film}
_NAMES = {
    "primaryColor": "primary-color",
    "backgroundColor": "background-color",
    "secondaryBackgroundColor": "secondary-background-color",
    "textColor": "text-color",
    "borderColor": "border-color",
}  # of Streamlit's settings: the variables that it gives to components
# What has no meaning without the app behind it.
_HIDDEN = {
    "timeline": ".saving { display: none !important; }",
    "film": '[data-do="fork"] { display: none !important; }',
}


def page(
    *,
    name: str,
    summary: str,
    notice: str,
    facts: Mapping[str, str],
    timeline: Mapping[str, Any],
    payloads: Mapping[str, bytes],
    said: Callable[[str], str],
) -> bytes:
    """The file. summary, facts: texts for a person. notice: how the run ended, if not at its last update; else "".
    timeline: the time slider's header. payloads: by name, the blobs of "filters-<step>" and "fantasies-<step>" for each
    of its steps, "curves", and perhaps "film". said: a text about pictures in the words for what the run learns.
    """
    used = {kind: module for kind, module in _PLAYERS.items() if kind != "film" or "film" in payloads}
    parts = {kind: components.parts(kind, *module.MODULES) for kind, module in used.items()}
    looks = {
        kind: {"css": part["css"] + _HIDDEN.get(kind, ""), "html": part["html"]}
        for kind, part in parts.items()
    }
    carried = [
        _element(key, base64.b64encode(gzip.compress(blob, 6)).decode()) for key, blob in payloads.items()
    ]
    carried += [_element("parts", _json(looks)), _element("timeline", _json(timeline))]
    own = script.joined({"page/page.js": (_HERE / "page.js").read_text(encoding="utf-8")})
    text = Template((_HERE / "page.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(f"{name} · RBM Observatory"),
        name=html.escape(name),
        summary=html.escape(summary),
        notice=f'<p class="notice">{html.escape(notice)}</p>' if notice else "",
        style=_theme() + (_HERE / "page.css").read_text(encoding="utf-8"),
        film=said((_HERE / "film.html").read_text(encoding="utf-8")) if "film" in payloads else "",
        facts="".join(
            f"<dt>{html.escape(key)}</dt><dd>{html.escape(value)}</dd>" for key, value in facts.items()
        ),
        payloads="\n".join(carried),
        players="\n".join(
            f"players.{kind} = (() => {{\n{_returned(p['js'])}}})();" for kind, p in parts.items()
        ),
        page=_returned(own),
    )
    return text.encode()


def _returned(code: str) -> str:
    """A joined script as the body of a function that returns its default export."""
    assert "</script" not in code, "a script that ends its own element"
    return re.sub(r"^export default ", "return ", code, flags=re.M)


def _element(name: str, text: str) -> str:
    return f'<script type="text/plain" id="{html.escape(name)}">{text}</script>'


def _json(value: Any) -> str:
    """JSON that ends no element, whatever stands in it."""
    return json.dumps(value).replace("<", "\\u003c")


def _theme() -> str:
    """The app's colours and font as the variables that Streamlit gives to components, light or dark as the reader's."""
    theme = tomllib.loads(_CONFIG.read_text(encoding="utf-8"))["theme"]

    def variables(kind: str) -> str:
        return "".join(f"--st-{_NAMES[key]}: {theme[kind][key]}; " for key in _NAMES)

    return (
        f":root {{ color-scheme: light dark; --st-font: {theme['font']}; {variables('light')}}}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ {variables('dark')}}} }}\n"
    )
