"""Every block of the tutorials runs as it stands: Python in one namespace a page, `rbm …` as the command line."""

import re
import shlex
from pathlib import Path

import pytest

from rbm_core import cli
from tests.live import REPO

PAGES = sorted((REPO / "docs" / "tutorials").glob("*.md"))
BLOCK = re.compile(r"^```(python|bash)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.slow


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_tutorial_runs_as_it_stands(page: Path, runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runs_root.parent)
    monkeypatch.setenv("RBM_DATA_DIR", str(runs_root.parent / "data"))
    names: dict[str, object] = {"__name__": "tutorial"}
    blocks = BLOCK.findall(page.read_text())
    assert len(blocks) >= 3
    for language, text in blocks:
        if language == "python":
            exec(compile(text, page.name, "exec"), names)
            continue
        for line in text.splitlines():
            program, *arguments = shlex.split(line, comments=True)
            assert program == "rbm", line
            assert cli.main(arguments) == 0, line


def test_the_notebook_reproduces_its_table_and_sheets_at_a_reduced_size(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("RBM_TUTORIAL_EPOCHS", "2")
    monkeypatch.setenv("RBM_TUTORIAL_DATA", "mnist-5k")
    monkeypatch.setenv("PYTHONPATH", str(REPO))
    notebook = nbformat.read(REPO / "docs" / "tutorials" / "from-the-notebook.ipynb", as_version=4)
    folder = {"metadata": {"path": str(runs_root.parent)}}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=folder).execute()
    outputs = [out for cell in notebook.cells if cell.cell_type == "code" for out in cell.outputs]
    said = "".join(out.get("text", "") for out in outputs)
    assert re.search(r"epoch +training +published", said)
    pictures = [out for out in outputs if "image/png" in out.get("data", {})]
    assert len(pictures) == 2, "the filters and the samples"


def test_each_tutorial_is_named_in_the_readme() -> None:
    readme = (REPO / "README.md").read_text()
    for page in [*PAGES, REPO / "docs" / "tutorials" / "from-the-notebook.ipynb"]:
        assert f"docs/tutorials/{page.name}" in readme
