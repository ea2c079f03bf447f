"""`streamlit run dashboard/app.py`: page config, navigation and the run picker; the pages are in views/."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
if str(HERE.parent) not in sys.path:  # the packages are used in place, without an install step
    sys.path.insert(0, str(HERE.parent))

import streamlit as st  # noqa: E402

from dashboard import data, view_state  # noqa: E402

PAGES = (
    ("train", "Train", ":material/show_chart:"),
    ("gibbs", "Gibbs", ":material/casino:"),
    ("inspect", "Inspect", ":material/search:"),
    ("evaluate", "Evaluate", ":material/straighten:"),
    ("compare", "Compare", ":material/compare_arrows:"),
    ("learn", "Learn", ":material/school:"),
)
STATE_WORDS = {
    "starting": "starting",
    "running": "running",
    "paused": "paused",
    "finished": "finished",
    "stopped": "stopped",
    "interrupted": "interrupted",
    "diverged": "diverged",
    "failed": "failed",
}


def pick_run() -> None:
    """The sidebar's run picker; leaves the chosen name in st.session_state.run and in the URL."""
    infos = data.runs()
    names = [info.name for info in infos]
    asked = view_state.field("run") or st.session_state.get("run")
    if asked and asked not in names:
        there = ", ".join(names[:8]) or "no runs yet"
        st.warning(f"There is no run {asked!r} in {data.store.runs_root()}; there are: {there}.")
        asked = None
    run = asked or data.default_run(infos)
    st.session_state.run = run
    if run is None:
        return
    view_state.remember("run", run)
    described = {info.name: f"{info.name} · {'unreadable' if info.error else info.state}" for info in infos}
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
    view_state.remember("run", st.session_state.run_picker)
    view_state.remember("step", "live")


def main() -> None:
    st.set_page_config(page_title="RBM Observatory", page_icon=":material/blur_on:", layout="wide")
    pages = [
        st.Page(HERE / "views" / f"{name}.py", title=title, icon=icon, url_path=name, default=name == "train")
        for name, title, icon in PAGES
        if (HERE / "views" / f"{name}.py").exists()
    ]
    page = st.navigation(pages)
    pick_run()
    for sentence in view_state.complaints():
        st.warning(sentence)
    page.run()


main()
