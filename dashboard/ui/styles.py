"""The style sheets of the pages: `dashboard/styles/<name>.css`, one a page beside the shared one.

A sheet is plain CSS. The colours of the theme in `.streamlit/config.toml` reach it as variables, each of them
`light-dark(…, …)`: `var(--rbm-paper)` (ground), `var(--rbm-ink)` (text), `var(--rbm-accent)` and `var(--rbm-side)`
(ground of the sidebar). They stand in the shared sheet, which app.py uses on every page. A container or widget with
the key `page.widget` has the class `st-key-page-widget`.
"""

from functools import lru_cache
from pathlib import Path

import streamlit as st

_SHEETS = Path(__file__).parent.parent / "styles"
_COLOURS = {
    "--rbm-paper": "backgroundColor",
    "--rbm-ink": "textColor",
    "--rbm-accent": "primaryColor",
    "--rbm-side": "sidebar.backgroundColor",
}


def use(name: str) -> None:
    """Puts the sheet on the page, where it takes no room; it goes with the page."""
    st.html(sheet(name))


@lru_cache
def sheet(name: str) -> str:
    """The sheet as a `<style>` element, for a page that takes it away again by itself."""
    variables = _theme() if name == "shared" else ""
    return f"<style>\n{variables}{(_SHEETS / f'{name}.css').read_text(encoding='utf-8')}</style>"


def _theme() -> str:
    """The theme's colours as CSS variables of the whole page."""
    both = {
        variable: [st.get_option(f"theme.{scheme}.{option}") for scheme in ("light", "dark")]
        for variable, option in _COLOURS.items()
    }
    pairs = (f"{variable}: light-dark({light}, {dark});" for variable, (light, dark) in both.items())
    return f":root {{ {' '.join(pairs)} }}\n"
