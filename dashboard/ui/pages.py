"""The pages in the order of the navigation, and where the script of each one is."""

PAGES = (  # name, title, icon
    ("learn", "Learn", ":material/school:"),
    ("train", "Train", ":material/show_chart:"),
    ("gibbs", "Gibbs", ":material/casino:"),
    ("inspect", "Inspect", ":material/search:"),
    ("evaluate", "Evaluate", ":material/straighten:"),
    ("compare", "Compare", ":material/compare_arrows:"),
)


FIRST = "train"
"""The page that the app begins with. It is shown at `/` and at `/train`."""


def path(page: str) -> str:
    """What the page is called in an address; the first page has its name on a second, hidden entry."""
    return "start" if page == FIRST else page


def script(page: str) -> str:
    """The page's script relative to app.py, as `st.Page`, `st.page_link` and `st.switch_page` take it."""
    return f"views/{page}/page.py"
