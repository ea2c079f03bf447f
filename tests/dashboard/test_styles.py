"""The style sheets: every one is used, and names only variables and keys that exist."""

import ast
import re
from pathlib import Path

import pytest

from dashboard.ui import link, pages, styles
from tests.live import REPO
from tests.sources import parsed

SHEETS = sorted(path.stem for path in (REPO / "dashboard" / "styles").glob("*.css"))


def written_out() -> set[str]:
    """Every text in the code of the app, with what Streamlit's class names cannot hold replaced by a hyphen."""
    trees = (parsed(path.read_text()) for path in Path(REPO / "dashboard").rglob("*.py"))
    constants = (node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {re.sub(r"[^\w-]", "-", text) for text in constants if isinstance(text, str)}


def rules(name: str) -> str:
    """The sheet without its comments."""
    return re.sub(r"/\*.*?\*/", "", styles.sheet(name), flags=re.DOTALL)


def test_every_sheet_is_used() -> None:
    assert set(SHEETS) <= written_out()


@pytest.mark.parametrize("name", SHEETS)
def test_a_sheet_uses_the_themes_colours_by_name(name: str) -> None:
    used = set(re.findall(r"var\((--[\w-]+)\)", rules(name)))
    given = set(re.findall(r"(--rbm-[\w-]+):", rules("shared")))
    assert used <= given


@pytest.mark.parametrize("name", SHEETS)
def test_a_sheet_speaks_of_keys_that_the_pages_have(name: str) -> None:
    """A key, the beginning of one (`stack-`), or one that is put together from a beginning in the code (`do_`)."""
    texts = written_out() | {f"{page}-{field}" for page, _, _ in pages.PAGES for field in link.FIELDS}
    begun = tuple(text for text in texts if len(text) > 2 and text.endswith(("-", "_")))
    keys = set(re.findall(r"st-key-([\w-]+)", rules(name))) - texts
    unknown = [key for key in keys if not key.startswith(begun) and not any(t.startswith(key) for t in texts)]
    assert unknown == [], "a style for nothing"


def test_the_themes_colours_are_given_for_light_and_dark() -> None:
    for variable in ("paper", "ink", "accent", "side"):
        assert re.search(rf"--rbm-{variable}: light-dark\(#\w+, #\w+\);", rules("shared"))
