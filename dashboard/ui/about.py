"""Beside every picture: what it shows, in plain words, with its formula and its source."""

import re

import streamlit as st

from dashboard.ui import run_choice

GUIDE = "Hinton, *A Practical Guide to Training Restricted Boltzmann Machines* (2010)"
INTRODUCTION = "Fischer and Igel, *Training restricted Boltzmann machines: an introduction* (2014)"


def about(picture: str, text: str, *, formula: str = "", source: str = "", place: str = "") -> None:
    r"""A quiet button "About `picture`" that opens `text`, the rendered `formula` and the `source`.

    picture: the picture's name in lower case, such as "the filters": button and screen reader say it, so
    no two pictures of a page should share it. text: a few plain sentences; Markdown, `$…$` for mathematics.
    formula: LaTeX without dollar signs, on a line of its own, or on several where it says ` \qquad `. source: where
    the formula comes from. place: tells apart the same picture of two things, as of two evaluations.

    One button and one text, the same at every refresh: a page that streams keeps it open, and sends it once.
    """
    picture, text, formula = run_choice.said(picture), run_choice.said(text), run_choice.said(formula)
    parts = [text]
    if formula:
        # Formulas beside one another fit a wide window; a narrow one would cut them off.
        lines = r" \\[4pt] ".join(formula.split(r" \qquad "))
        formula = formula if lines == formula else rf"\begin{{gathered}} {lines} \end{{gathered}}"
        parts.append(f"$$\n{formula}\n$$")
    if source:
        parts.append(f":small[Source: {source}]")
    key = "about-" + re.sub(r"\W+", "-", f"{picture} {place}".strip())
    with st.popover(f":small[About {picture}]", icon=":material/info:", type="tertiary", key=key):
        st.markdown("\n\n".join(parts))
