"""Learn: a machine small enough that everything is exact, and ten short lessons with something to press.

From top to bottom: the tour (tour.py, lessons.py), the settings (settings.py), the player (player.py), and what its
five pictures are (texts.py).
"""

import time

import streamlit as st

from dashboard.ui import link, styles
from dashboard.views.learn import player, settings, texts, tour
from dashboard.views.learn.state import learn


def main() -> None:
    styles.use("learn")
    if learn().settings.follow_link():
        _go_back()
    progress = tour.show()
    row = st.container(horizontal=True, vertical_alignment="center", key="learn.which")
    chosen = settings.choose(row)
    if player.is_plain(chosen):
        styles.use("learn_plain")
    player.show(chosen, progress)
    texts.about_pictures()


def _go_back() -> None:
    """After the browser's Back or Forward the player goes where the link says."""
    page = learn()
    page.command = {"view": link.field("view"), "at": link.field("update"), "nonce": time.time()}


main()
