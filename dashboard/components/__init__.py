"""Canvas components: each a folder with its script and style, drawn in the browser from one blob of bytes."""

from pathlib import Path

import streamlit as st

from dashboard.figures import palette

_HERE = Path(__file__).parent


def load(name: str):
    """The mounting command of the component in `components/<name>/`: call it with key= and data=<bytes>.

    Its script is blob.js, base.js, the palette, then `<name>.js`, which must `export default function`.
    """
    folder = _HERE / name
    shared = [(_HERE / part).read_text() for part in ("blob.js", "base.js")]
    scripts = [*shared, palette.javascript(), (folder / f"{name}.js").read_text()]
    style = (_HERE / "base.css").read_text() + (folder / f"{name}.css").read_text() + "\n"
    return st.components.v2.component(f"rbm_{name}", js="\n".join(scripts), css=style, html="<div></div>")
