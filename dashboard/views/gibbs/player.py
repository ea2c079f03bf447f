"""The player of the Gibbs page, with what belongs to it; what it reports concerns this part of the page alone."""

import time
from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard import components
from dashboard.components.blob import pack
from dashboard.components.film import mount as film_player
from dashboard.components.messages import heard
from dashboard.processes import sampler
from dashboard.processes.gibbs_films import Shown
from dashboard.recent import Recent
from dashboard.ui import link
from dashboard.ui.texts import sentence
from dashboard.views.gibbs import export, texts
from dashboard.views.gibbs.state import PLACE, PLAYER, gibbs, settings

FILM_BYTES_KEPT = 96_000_000


@st.cache_resource(show_spinner=False)
def films() -> Recent[Shown]:
    """The films made last for any reader, so that a link opened twice is computed once."""
    return Recent(FILM_BYTES_KEPT, lambda shown: shown.nbytes)


@st.fragment
def show(key: tuple, shown: Shown, make_whole: Callable[[sampler.Progress], Shown]) -> None:
    """The player with its film, the texts about its pictures, and the files that it offers.

    shown: the film to begin with, perhaps without its map and the nearest training images. make_whole: makes it with
    them, once the player asks, so that the first frames do not wait; it is kept under `key`.
    """
    page = gibbs()
    if page.page_anew:
        page.page_anew = False
        st.rerun()
    with_page, page.with_page = page.with_page, False
    whole = films().find(key)
    version = shown.header["version"]
    due = whole is None and not with_page and page.asked == version
    _play(whole or shown, may_ask=whole is None and not due and page.failed != version)
    if due:
        _complete(version, make_whole)


def keep_within(header: dict[str, Any]) -> dict[str, int]:
    """Keeps frame and chain within the film of this header; returns what lay beyond it, by name.

    The link may name others, and so may the browser: what it says of the place may be of the film before, and comes
    when it comes. Where there are fewer chains than before, the one that began alike in the last group is enlarged. So
    does the player by itself; but the browser may mount it anew.
    """
    page = gibbs()
    n_chains: int = header["n_chains"]
    per = n_chains // len(header["groups"])
    outside = {}
    for name, high in (("frame", 2 * header["n_sweeps"]), ("chain", n_chains)):
        if (asked := settings().value(name)) > high:
            outside[name] = shown = asked
            if name == "chain" and page.opened:
                shown = n_chains - per + min((asked - 1) % page.per, per - 1) + 1
            settings().use(name, min(shown, high))
    page.per = per
    return outside


def _play(shown: Shown, may_ask: bool) -> None:
    if keep_within(shown.header):
        settings().write_link()
    place = {name: settings().use(name, settings().value(name)) for name in PLACE}
    # A number that differs each time: the browser passes on to the player only what has changed.
    ask = time.monotonic_ns() if may_ask else 0
    version = shown.header["version"]
    header = {
        **shown.header,
        "place": place,
        "place_defaults": {name: link.FIELDS[name].default for name in PLACE},
        "ask": ask,
        "slim": gibbs().narrow,
    }
    components.feed(
        film_player,
        PLAYER,
        version,
        lambda: pack(header, shown.arrays),
        {"ask": ask},
        on_fork_change=_fork_here,
        on_place_change=_left_at,
        on_rest_change=_rest_asked,
        on_slim_change=_window_changed,
    )
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        texts.about_pictures(shown.header)
        export.offer(shown, place)


def _complete(version: str, make_whole: Callable[[sampler.Progress], Shown]) -> None:
    """Makes the film with its map and the nearest training images, and shows it."""
    complaint = st.empty()

    def let_through(done: int, total: int) -> None:
        complaint.empty()  # A control that was moved interrupts the work only while something is sent to the page.

    try:
        make_whole(let_through)
    except sampler.SamplerError as error:
        gibbs().failed = version
        complaint.warning(f"Neither map nor nearest training images: {sentence(error)}")
        return
    st.rerun(scope="fragment")


# --- what the player reports ---


def _fork_here() -> None:
    """The player's button was pressed: the chains fork at the sweep that it shows."""
    sweep = heard(PLAYER, "fork")
    if sweep is not None and sweep < sampler.MAX_SWEEPS:
        settings().set("beside", "whatif")
        settings().set("fork", sweep)
        settings().write_link()
        gibbs().page_anew = True


def _left_at() -> None:
    """The player came to rest: the place goes into the link, and is kept for when this page is opened again."""
    left = heard(PLAYER, "place") or {}
    moved = {name: value for name, value in left.items() if link.can_say(name, value)}
    if settings().value("held") and moved.get("chain", settings().value("chain")) != settings().value(
        "chain"
    ):
        gibbs().page_anew = True  # held pixels are painted over the chosen chain's picture
    if moved:
        settings().use_all(moved)
        settings().write_link()


def _rest_asked() -> None:
    """The player shows the film of this version, and wants its map and its nearest training images."""
    if asked := heard(PLAYER, "rest"):
        gibbs().asked = asked


def _window_changed() -> None:
    """The window became wide or narrow. A narrow one has its sidebar shut at first, so the pad stands on the page."""
    gibbs().narrow = bool(heard(PLAYER, "slim"))
    gibbs().page_anew = st.session_state.get(settings().widget("start")) == "drawing"
