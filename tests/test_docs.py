"""`make docs` has something to say of every public name, and its pages hold together."""

import importlib.util
import inspect
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from tests.live import REPO


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build", REPO / "docs" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def undocumented(name: str) -> list[str]:
    """The public names of a module, and of its classes, that have no docstring of their own."""
    module = import_module(name)
    found = [] if (module.__doc__ or "").strip() else [name]
    public = getattr(module, "__all__", None) or [n for n in vars(module) if not n.startswith("_")]
    for what in public:
        thing = getattr(module, what)
        if getattr(thing, "__module__", "") != name or not (
            inspect.isfunction(thing) or inspect.isclass(thing)
        ):
            continue
        own = {what: thing}
        if inspect.isclass(thing):
            own |= {f"{what}.{n}": x for n, x in vars(thing).items() if not n.startswith("_")}
        for called, x in own.items():
            code = x.fget if isinstance(x, property) else getattr(x, "__func__", x)
            if (inspect.isfunction(code) or inspect.isclass(code)) and not (
                inspect.getdoc(code) or ""
            ).strip():
                found.append(f"{name}.{called}")
    return found


def test_every_public_name_says_what_it_is(build: ModuleType) -> None:
    assert [what for name in build.modules() for what in undocumented(name)] == []


@pytest.mark.slow
def test_the_pages_are_written_and_their_links_lead_somewhere(build: ModuleType, tmp_path: Path) -> None:
    build.write(tmp_path)
    pages = {str(page.relative_to(tmp_path)) for page in tmp_path.rglob("*.html")}
    assert {"index.html", "rbm_core.html", "rbm_core/rbm.html", "tutorials/train_and_look.html"} <= pages
    ids = {page: set(re.findall(r'id="([^"]+)"', (tmp_path / page).read_text())) for page in pages}
    lost = []
    for page in pages:
        for link in re.findall(r'href="([^":$]+)"', (tmp_path / page).read_text()):
            path, _, place = link.partition("#")
            target = (
                str((tmp_path / page).parent.joinpath(path).resolve().relative_to(tmp_path)) if path else page
            )
            if target not in pages or (place and place not in ids[target]):
                lost.append(f"{page}: {link}")
    assert lost == []


def test_every_test_of_robustness_shows_a_promise_and_every_test_that_is_named_is_there() -> None:
    """The last column of the table in docs/robustness.md."""
    rows = (
        (REPO / "docs" / "robustness.md")
        .read_text(encoding="utf-8")
        .split("| fault | promise | shown by |")[1]
    )
    named = set(
        re.findall(r"`(tests/\S+?\.py)`", " ".join(row.split("|")[-2] for row in rows.splitlines() if row))
    )
    there = {str(file.relative_to(REPO)) for file in (REPO / "tests" / "robustness").glob("test_*.py")}
    assert sorted(there - named) == [], "no row names it"
    assert [file for file in sorted(named) if not (REPO / file).is_file()] == []
