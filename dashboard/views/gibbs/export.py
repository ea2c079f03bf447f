"""The files that the Gibbs page offers: animations, and the sheet of all chains at the frame shown."""

from functools import partial
from typing import Any

import streamlit as st

from dashboard.figures import animation, chains
from dashboard.processes.gibbs_films import Shown
from dashboard.ui import run_choice
from rbm_core.visible import units_of

LAYERS: tuple[chains.Layer, ...] = ("pv", "v")
FORMATS: dict[animation.Format, str] = {
    "gif": "GIF: plays everywhere",
    "webp": "WebP: every pixel exact, for browsers and slides",
}


def offer(shown: Shown, place: dict[str, Any]) -> None:
    """The button, with its choices: all chains or the chosen one, and which layer. place: where the player stands."""
    film = chains.Chains(shown.header, shown.arrays)
    with st.popover("Take away", icon=":material/download:", type="tertiary"):
        chain = _choose_chains(film, place)
        layer = _choose_layer(film)
        with st.container(horizontal=True):
            for kind in FORMATS:
                _animation_button(film, chain, layer, kind)
            _sheet_button(film, place["frame"] // 2, layer)
        st.caption(
            "The address of this page is a link to this very view: run, step, seed, settings and frame."
        )


def _choose_chains(film: chains.Chains, place: dict[str, Any]) -> int | None:
    """The chosen chain, counted from 0; None for all."""
    what = {"all": "all chains", "one": f"chain {place['chain']}, both half steps"}
    taken = st.segmented_control(
        "Animation of",
        list(what),
        default="all" if film.header["n_chains"] > 1 else "one",
        required=True,
        format_func=lambda name: what[name],
        key="gibbs.take_chains",
        help="All chains side by side, a frame a sweep; or v, p(h|v), h and "
        f"{film.mean_pixels} of the chosen chain, a frame a half step. An animation has at most "
        f"{chains.MOST_FRAMES} frames: of a longer chain only every second sweep, or fewer.",
    )
    return None if taken == "all" else place["chain"] - 1


def _choose_layer(film: chains.Chains) -> chains.Layer:
    means = f"{units_of(film.header).mean_noun} {film.mean_pixels}"
    return st.segmented_control(
        run_choice.said("Pixels"),
        LAYERS,
        default="pv",
        required=True,
        format_func=lambda name: means if name == "pv" else "samples v",
        key="gibbs.take_layer",
        help=run_choice.said(
            "What the cells of all chains show: what each pixel's coin was weighted with, or how it fell."
        ),
    )


def _animation_button(
    film: chains.Chains, chain: int | None, layer: chains.Layer, kind: animation.Format
) -> None:
    words = FORMATS[kind]
    which = "chains" if chain is None else f"chain-{chain + 1}"
    st.download_button(
        f"Animation, {words.partition(':')[0]}",
        partial(chains.animated, film, chain=chain, layer=layer, format=kind),
        file_name=f"{_name(film)}-{which}.{kind}",
        mime=f"image/{kind}",
        on_click="ignore",
        key=f"gibbs.take_{kind}",
        help=f"{run_choice.said(words)}. Run, step, seed and sweep stand beneath every frame; it takes some seconds.",
    )


def _sheet_button(film: chains.Chains, sweep: int, layer: chains.Layer) -> None:
    st.download_button(
        f"Sheet of sweep {sweep}, PNG",
        partial(chains.sheet, film, sweep, layer),
        file_name=f"{_name(film)}-sweep-{sweep}.png",
        mime="image/png",
        on_click="ignore",
        key="gibbs.take_sheet",
        help="All chains after the sweep at which the player stands, with run, step and seed beneath.",
    )


def _name(film: chains.Chains) -> str:
    of = film.header["of"]
    return f"{of['run']}-step-{of['step']}-seed-{of['seed']}"
