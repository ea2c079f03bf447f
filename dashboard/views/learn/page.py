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
    if link.gone_back():
        _go_back()
    progress = tour.show()
    row = st.container(horizontal=True, vertical_alignment="center", key="learn.which")
    chosen = settings.choose(row)
    if player.is_plain(chosen):
        styles.use("learn_plain")
    player.show(chosen, progress)
    texts.about_pictures()


def _go_back() -> None:
    """After the browser's Back or Forward the link decides every setting, and the player goes where it says."""
    page = learn()
    page.settings.forget()
    page.command = {"view": link.field("view"), "at": link.field("update"), "nonce": time.time()}


main()
