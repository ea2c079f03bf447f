"""The texts about the pictures of the Gibbs page: a few sentences, a formula and a source each."""

from typing import Any

import streamlit as st

from dashboard.ui.about import about
from rbm_core.visible import ORDERED_TOTAL, Formulas, VisibleUnits, units_of

GUIDE = "Hinton, *A Practical Guide to Training Restricted Boltzmann Machines* (2010)"
FISCHER_IGEL = "Fischer and Igel, *Training restricted Boltzmann machines* (2014)"


def about_pictures(header: dict[str, Any]) -> None:
    """One quiet button a picture of the player, in the order they stand in."""
    units = units_of(header)
    with st.container(horizontal=True, gap="small"):
        ordered = header.get("penalty") is not None
        _about_chain(units, ordered)
        _about_free_energy(units.tex, ordered)
        _about_distances()
        if header["map"] or header["map_pending"]:
            _about_map()


def _about_chain(units: VisibleUnits, ordered: bool) -> None:
    greys = (
        " Pixels are real numbers here: the machine sees each one standardised, and what you see is the data's own "
        "grey, 0 black to 1 white in every frame."
        if units.standardised
        else ""
    )
    if ordered:
        greys += (
            " Hidden units are ordered here: first it is drawn how many of them take part, then each of these is "
            "switched on or not; the temperature divides weights and biases."
        )
    share = r"p(z \ge j \mid v)\," if ordered else ""
    about(
        "the chain",
        "No unit is wired to another of its own layer, so a whole layer can be drawn at once when the other is "
        "known. One **sweep** is two **half steps**: every hidden unit looks at the picture and is switched on "
        "with its probability, then every pixel looks at the hidden units. $T$ is the temperature. States come "
        f"from the engine; the probabilities are worked out in the browser from the very same weights.{greys}",
        formula=rf"p(h_j{{=}}1 \mid v) = {share}\sigma\Big(\tfrac1T\big(c_j + {units.tex.seen_sum}\big)\Big), "
        rf"\qquad {units.tex.given_h}",
        source=f"{GUIDE}, §§2–3; {FISCHER_IGEL}, §4.",
    )


def _about_free_energy(tex: Formulas, ordered: bool) -> None:
    hidden = ORDERED_TOTAL if ordered else tex.softplus
    about(
        "the free energy",
        "How likely the machine finds a picture, whatever the hidden units do: ten nats lower is $e^{10}$ times "
        "likelier. The empty picture can lie lower than any real one and still hardly ever be drawn: it is a single"
        " picture, and the real ones are so many that together they are far likelier. A chain that has forgotten "
        "its start moves among the free energies of real pictures (the band: the middle 90 % of the run's probe "
        "images) and keeps moving. One line a chain, the chosen one in colour; click a line or a cell to choose "
        "another.",
        formula=rf"F(v) = {tex.own_energy} - {hidden}, \qquad \log p(v) = -F(v) - \log Z",
        source=f"{GUIDE}, §6.",
    )


def _about_distances() -> None:
    about(
        "the distances",
        "How many pixels differ, counted on pixels cut at one half. From the start: how far a chain has moved, "
        "or how much of a spoilt picture is repaired. From the nearest training image: a machine that had learnt "
        "its data by heart would come down to 0 here; one that draws pictures of its own stays as far off "
        "as test images do.",
        formula=r"d(v, x) = \sum_i \big|\,[v_i > \tfrac12] - [x_i > \tfrac12]\,\big|, \qquad "
        r"d_{\text{near}}(v) = \min_{n} d(v, x^{(n)})",
        source="Hamming, *Error detecting and error correcting codes* (1950).",
    )


def _about_map() -> None:
    about(
        "the map",
        "Training images, each written as its class, where their hidden probabilities fall in the plane of "
        "their first two principal components, and the chains among them: a machine that mixes well sends "
        "its chains from class to class. Two dimensions hold only a part of the variance, so neighbours on "
        "the map need not be neighbours.",
        formula=r"z(v) = A^{\mathsf T}\big(p(h \mid v) - \overline{p(h \mid x)}\big), \qquad A = "
        r"\text{the first two principal axes of } p(h \mid x^{(n)})",
        source="Pearson, *On lines and planes of closest fit* (1901); fitted by scikit-learn's `PCA`.",
    )
