"""Learn: machines small enough that everything is exact, and short lessons that ask before they show.

From top to bottom: the tour (tour.py, lessons.py), then the settings (settings.py) and the player of a training
(player.py), or a network that came before the RBM (network.py), and what the pictures are (texts.py).
"""

import time

import streamlit as st

from dashboard.ui import link, styles
from dashboard.views.learn import lessons, network, player, settings, texts, tour
from dashboard.views.learn.state import NETWORK, PLAYER, learn


def main() -> None:
    styles.use("learn")
    page = learn()
    followed = page.settings.follow_link()
    if followed:
        _go_back()
    if followed or not page.opened:
        tour.take_guess_from_link()
        if not page.opened:
            tour.begin_from_link()
        page.opened = True
    number = tour.number()
    words = st.container()
    if kind := lessons.LESSONS[number - 1].network:
        hide_others(PLAYER, NETWORK, kind)
        with words:
            tour.show(number)
        network.show(kind)
        page.settings.write_link()
        texts.about_networks()
        return
    row = st.container(horizontal=True, vertical_alignment="center", key="learn.which")
    chosen = settings.choose(row)
    if player.is_plain(chosen):
        styles.use("learn_plain")
    hide_others(NETWORK, PLAYER, player.shown_as(chosen))
    with words:
        tour.show(number)
    picture = st.container()
    progress = st.container(key="learn.progress").empty()
    with picture:
        player.show(chosen, progress)
    texts.about_pictures()
    player.make_ahead()


def hide_others(other: str, component: str, wanted: str) -> None:
    """Until the component shows what is wanted, nothing is seen of it: a lesson's words never stand over another
    machine's picture. Sent before the words, which come before the picture: a message of the picture may end the
    page's run. The component says on its element what it shows. `other` is what the lesson does not have.
    """
    gone, here = (f".st-key-{key.replace('.', '-')}" for key in (other, component))
    shows = f"""{here} [data-testid="stBidiComponentIsolated"]:not([data-shows="{wanted}"])"""
    st.html(f"<style>{gone}, {shows} {{ visibility: hidden; --waiting: 1; }}</style>")


def _go_back() -> None:
    """After the browser's Back or Forward the player goes where the link says."""
    page = learn()
    page.command = {"view": link.field("view"), "at": link.field("update"), "nonce": time.time()}


main()
