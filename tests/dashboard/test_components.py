"""A component's modules become one script, and what would break it in the browser is refused here."""

import runpy
from pathlib import Path
from typing import Any

import pytest
import streamlit as st

from dashboard import components
from dashboard.components import script

FOLDER = Path(components.__file__).parent
# page is a page of components, not one of them.
NAMES = sorted({path.parent.name for path in FOLDER.glob("*/__init__.py")} - {"page"})


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The modules that components are made of."""
    seen: set[str] = set()
    join = script.joined
    monkeypatch.setattr(script, "joined", lambda modules: seen.update(modules) or join(modules))
    return seen


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch, joined: set[str]) -> dict[str, dict[str, str]]:
    """What each component hands Streamlit."""
    sent: dict[str, dict[str, str]] = {}

    def component(name: str, **parts: str) -> Any:
        sent[name.removeprefix("rbm_")] = parts
        return lambda **_: None

    monkeypatch.setattr(st.components.v2, "component", component)
    for name in NAMES:
        # Run beside the imported module, not reloaded in its place: pages go on mounting the real component.
        runpy.run_path(str(FOLDER / name / "__init__.py"))
    return sent


def test_every_component_is_one_script_without_imports(loaded: dict[str, dict[str, str]]) -> None:
    assert sorted(loaded) == NAMES
    for name, parts in loaded.items():
        lines = parts["js"].splitlines()
        assert sum(line.startswith("export ") for line in lines) == 1, name
        assert not any(line.startswith("import ") for line in lines), name
        assert parts["html"].startswith("<div>"), name


def test_every_module_is_in_some_component(loaded: dict[str, dict[str, str]], joined: set[str]) -> None:
    """A module that no component lists would be checked and never run."""
    everywhere = {str(path.relative_to(FOLDER)) for path in FOLDER.glob("*/*.js")}
    assert everywhere - {"page/page.js"} <= joined


def test_a_module_sees_only_what_it_imports_and_exports_only_what_it_says() -> None:
    made = script.joined(
        {
            "lib/a.js": "/** A comment. */\nexport const a = 1;\nconst hidden = 2;\n",
            "view/b.js": 'import { a } from "../lib/a.js";\n\nconst hidden = 3;\nexport default () => a + hidden;\n',
        }
    )
    assert made == (
        "const { a } = (() => {\nconst a = 1;\nconst hidden = 2;\nreturn { a };\n})();\n"
        "export default (() => {\nconst hidden = 3;\nreturn () => a + hidden;\n})();\n"
    )


def test_an_import_that_no_earlier_module_exports_is_refused() -> None:
    late = {"b.js": 'import { a } from "./a.js";\n', "a.js": "export const a = 1;\n"}
    with pytest.raises(ValueError, match=r"^b\.js imports a from a\.js, which no module before it exports$"):
        script.joined(late)


def test_a_name_that_two_modules_export_is_refused() -> None:
    twice = {"a.js": "export const x = 1;\n", "b.js": "export function x() {}\n"}
    with pytest.raises(ValueError, match=r"^b\.js and a\.js both export x$"):
        script.joined(twice)


def test_no_module_has_what_joining_cannot_carry() -> None:
    """Renamed imports and strings over several lines; see dashboard/components/script.py."""
    for path in FOLDER.glob("*/*.js"):
        source = path.read_text()
        assert " as " not in "".join(names for names, _ in script._IMPORT.findall(source)), path
        assert source.count("\nimport ") + source.startswith("import ") == len(
            script._IMPORT.findall(source)
        ), path
        assert all(line.count("`") % 2 == 0 for line in source.splitlines()), (
            f"{path}: a string over several lines"
        )
