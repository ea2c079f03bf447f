"""`streamlit run dashboard/app.py`: page config, navigation and the run picker; the pages are in views/."""

import sys
import threading
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
if str(HERE.parent) not in sys.path:  # the packages are used in place, without an install step
    sys.path.insert(0, str(HERE.parent))

import streamlit as st  # noqa: E402

from dashboard import data  # noqa: E402
from dashboard.processes import sampler  # noqa: E402
from dashboard.ui import link  # noqa: E402

PAGES = (
    ("learn", "Learn", ":material/school:"),
    ("train", "Train", ":material/show_chart:"),
    ("gibbs", "Gibbs", ":material/casino:"),
    ("inspect", "Inspect", ":material/search:"),
    ("evaluate", "Evaluate", ":material/straighten:"),
    ("compare", "Compare", ":material/compare_arrows:"),
)


ACCENT = (
    f"light-dark({st.get_option('theme.light.primaryColor')}, {st.get_option('theme.dark.primaryColor')})"
)
PAPER = f"light-dark({st.get_option('theme.light.backgroundColor')}, {st.get_option('theme.dark.backgroundColor')})"
INK = f"light-dark({st.get_option('theme.light.textColor')}, {st.get_option('theme.dark.textColor')})"
SIDE = (
    f"light-dark({st.get_option('theme.light.sidebar.backgroundColor')}, "
    f"{st.get_option('theme.dark.sidebar.backgroundColor')})"
)
# Streamlit fixes the size of text in pixels; here it is what the reader has told the browser.
# Streamlit leaves 5rem on each side of a wide page and a tall bar above it; pictures need the room.
# The time slider stays in sight while one scrolls through the pictures it moves, on a bar of its own from edge to
# edge; so does the button that starts a run, below its form. What is about to be refreshed is not faded meanwhile:
# on a busy machine a live page would breathe twice a second.
# Pages show their own progress: Streamlit's runner with its Stop would appear at every step of it.
LAYOUT = (
    """<style>
:root:root { font-size: 100%; }
a:focus-visible, summary:focus-visible {
  outline: 2px solid ACCENT !important; outline-offset: 2px;
}
[data-testid="stSidebarHeader"]::before { content: "RBM Observatory"; font-weight: 600; font-size: 1.05rem; }
[data-testid="stApp"]:not([data-test-connection-state="CONNECTED"])::after {
  content: "The app does not answer. What is pressed now may be lost; the page goes on as soon as it is back.";
  position: fixed; z-index: 1000001; right: 1rem; bottom: 1rem;
  max-width: min(36rem, calc(100vw - 2rem)); padding: 0.6rem 1rem; border-radius: 0.5rem; font-size: 0.95rem;
  color: PAPER; background: INK; animation: said-late 2s;
}
@keyframes said-late { 0%, 99% { opacity: 0; } 100% { opacity: 1; } }
[data-testid="stHeader"] { height: 2.4rem; min-height: 2.4rem; }
[data-testid="stStatusWidget"]:has([data-testid="stStatusWidgetRunningIcon"]) { display: none; }
[data-testid="stMainBlockContainer"] { padding: 2.6rem 2rem 3rem; }
[data-testid="stMainBlockContainer"] [data-testid="stVerticalBlock"] { gap: 0.8rem; }
.st-key-top { min-height: 2.6rem; }
.st-key-controls button { min-height: 2.1rem; padding: 0.15rem 0.65rem; }
@media (min-width: 60em) {
  .st-key-head, .st-key-doctor, .st-key-controls { flex-wrap: nowrap; }
  .st-key-head p, .st-key-doctor p { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
  .st-key-doctor > * { min-width: max-content; }
  .st-key-doctor > .stElementContainer:has([data-testid="stMarkdown"]) { min-width: 0; flex: 0 1 auto; }
}
.st-key-doctor > :last-child { margin-left: auto; }
.st-key-doctor button { min-height: 1.6rem; padding: 0; }
[class*="st-key-about-"] button, [class*="st-key-csv-"] button { min-height: 1.6rem; padding: 0; opacity: 0.75; }
[class*="st-key-about-"] button:is(:hover, :focus, :active), [class*="st-key-csv-"] button:is(:hover, :focus, :active) {
  opacity: 1; color: ACCENT !important;
}
.modebar:focus-within { opacity: 1 !important; }
@media (min-width: 640px) and (max-width: 60em) {
  [data-testid="stSidebar"][aria-expanded="true"] { width: 15rem !important; min-width: 15rem !important; }
}
@media (max-width: 60em) { [class*="st-key-stack-"] .stColumn { min-width: calc(100% - 1.5rem); } }
.st-key-timeline { position: sticky; top: 2.4rem; z-index: 20; }
[data-stale="true"]:has([data-testid="stBidiComponentIsolated"]),
:is(.st-key-top, .st-key-head, .st-key-doctor) [data-stale="true"] { opacity: 1 !important; }
.st-key-timeline::before {
  content: ""; position: absolute; inset: -0.5rem -2rem -0.6rem; z-index: -1;
  background: linear-gradient(to top, transparent, PAPER 0.6rem);
}
[data-testid="stSidebar"] [data-testid="stExpanderDetails"] [data-testid="stVerticalBlock"] { gap: 0.6rem; }
.st-key-new_start { position: sticky; bottom: 0; z-index: 5; padding: 0.6rem 0; background: SIDE; }
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] { padding: 3rem 1rem; }
  .st-key-controls { justify-content: flex-start; }
  .st-key-doctor > :last-child { margin-left: 0; }
  .st-key-timeline::before { inset: -0.5rem -1rem -0.6rem; }
}
</style>""".replace("PAPER", PAPER)
    .replace("SIDE", SIDE)
    .replace("INK", INK)
    .replace("ACCENT", ACCENT)
)


def pick_run(offer: bool, notices: Any) -> None:
    """Leaves the chosen run's name in st.session_state.run and in the URL; `offer`: with a picker in the sidebar.

    What is wrong with the run asked for is said in `notices`.
    """
    infos = data.runs()
    names = [info.name for info in infos]
    asked = link.field("run") or st.session_state.get("run")
    if asked and asked not in names and offer:
        there = ", ".join(names[:8]) or "no runs yet"
        notices.warning(f"There is no run {asked!r}; there are: {there}.")
    run = asked if asked in names else data.default_run(infos)
    st.session_state.run = run
    if run is None:
        return
    if not offer:
        return
    link.remember("run", run)
    # States that change by themselves stand on the page, which refreshes; here only what stays true.
    described = {info.name: f"{info.name} (unreadable)" for info in infos if info.error}
    st.session_state.run_picker = run
    st.sidebar.selectbox(
        "Run",
        names,
        key="run_picker",
        format_func=lambda name: described.get(name, name),
        on_change=_picked,
        help="A run is one training, recorded step by step; every page shows the run chosen here.",
    )


def _picked() -> None:
    st.session_state.run = st.session_state.run_picker
    link.remember("run", st.session_state.run_picker)
    link.remember("step", "live")


@st.cache_resource(show_spinner=False)
def wake_sampler() -> None:
    """Once, when the first page has had time to be painted: the Gibbs page then finds its chains' process awake."""
    timer = threading.Timer(2.0, sampler.SHARED.wake)
    timer.daemon = True
    timer.start()


def script(page: str) -> Path:
    """Where a page is: a module in views/, or `page.py` in a folder of its own where it is large."""
    folder = HERE / "views" / page
    return folder / "page.py" if folder.is_dir() else folder.with_suffix(".py")


def main() -> None:
    st.set_page_config(page_title="RBM Observatory", page_icon="🔭", layout="wide")
    pages = [
        st.Page(script(name), title=title, icon=icon, url_path=name, default=name == "train")
        for name, title, icon in PAGES
    ]
    st.html(LAYOUT)
    page = st.navigation(pages)
    notices = (
        st.container()
    )  # always there: what is said in it must not push the page to another place in the tree
    pick_run(page.url_path != "learn", notices)  # Learn has machines of its own
    try:
        page.run()
    finally:  # what the page could not read of its link is said above it, even if it stopped early
        if complaints := link.complaints():
            notices.warning("  \n".join(complaints))
    wake_sampler()


main()
