"""`streamlit run dashboard/app.py`: page config, navigation and the run picker; the pages are in views/.

The file is read twice: once by the server, which finds `app` in it, and at each run of a page, which runs `main`.
"""

import sys
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
if str(HERE.parent) not in sys.path:  # the packages are used in place, without an install step
    sys.path.insert(0, str(HERE.parent))

import streamlit as st  # noqa: E402

from dashboard.processes import sampler  # noqa: E402
from dashboard.ui import link, pages, run_choice, styles, tab  # noqa: E402
from dashboard.ui.texts import plain  # noqa: E402


@st.cache_resource(show_spinner=False)
def wake_sampler() -> None:
    """Once, when the first page is painted, which takes 5 s beside a trainer on two AVX2 cores: the Gibbs page then
    finds its chains' process awake. That loads torch, with as much of a core as it gets.
    """
    timer = threading.Timer(6.0, sampler.SHARED.wake)
    timer.daemon = True
    timer.start()


def main() -> None:
    st.set_page_config(page_title="RBM Observatory", page_icon="🔭", layout="wide")
    there = [
        # The page that the app begins with has no path of its own: its name in an address would not be found.
        st.Page(
            pages.script(name), title=title, icon=icon, url_path=pages.path(name), default=name == pages.FIRST
        )
        for name, title, icon in pages.PAGES
    ]
    there += [
        st.Page(pages.script(name), title=title, icon=icon, url_path=name, visibility="hidden")
        for name, title, icon in pages.PAGES
        if name == pages.FIRST
    ]
    styles.use("shared")
    page = st.navigation(there)
    tab.attend()
    notices = st.container()  # always there: a message that came and went would move the page in the tree
    run_choice.offer(picker=page.url_path != "learn", notices=notices)  # Learn trains models of its own
    try:
        page.run()
    finally:  # what the page could not read of its link is said above it, even if it stopped early
        if complaints := link.complaints():
            notices.warning("  \n".join(map(plain, complaints)))
    wake_sampler()


if __name__ == "__main__":
    main()
else:
    from starlette.middleware import Middleware
    from streamlit.starlette import App

    from dashboard import assets, door, memory, mends

    mends.hear_every_press()
    mends.join_whole()
    mends.drop_what_left_pages_ask()
    mends.watch_no_settings()
    memory.give_back_what_is_freed()
    TOKEN = door.token_or_exit()
    app = App(
        __file__,
        middleware=[Middleware(door.Door, token=TOKEN), Middleware(assets.Assets)],
        lifespan=door.opening(TOKEN),
    )
