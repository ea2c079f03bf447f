"""`make docs`: the public docstrings of rbm_core, the tutorials and the documents, as HTML pages with a search."""

import json
import re
import shutil
import sys
import tempfile
import warnings
from importlib import import_module
from pathlib import Path

import pdoc

ROOT = Path(__file__).resolve().parents[1]
# What a person does not call: the command line (--help has it), compiled loops, and processes' own modules.
LEFT_OUT = ("rbm_core.cli", "rbm_core.kernels", "__main__")
# Packages whose modules' docstrings are the texts, so that these stand among the pages and in the search.
TEXTS = {
    "tutorials": ("How to begin, page by page.", sorted((ROOT / "docs" / "tutorials").glob("*.*"))),
    "documents": (
        "What the project says of itself.",
        [
            *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")),
            *sorted((ROOT / "docs").glob("*.md")),
        ],
    ),
}
LINK = re.compile(r"\[([^\[\]]*)\]\(([^):#]*)(#[^)]*)?\)")  # words, file, place


def modules() -> list[str]:
    """The names of the modules to document, the package first."""
    names = []
    for path in sorted((ROOT / "rbm_core").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if not name.startswith(LEFT_OUT[:2]) and not name.endswith(LEFT_OUT[2]):
            names.append(name)
    return names


def texts(folder: Path) -> list[str]:
    """Writes the packages of TEXTS into this folder; returns where they lie."""
    known = {
        path: f"{package}/{_module(path)}.html" for package, (_, paths) in TEXTS.items() for path in paths
    }
    for package, (words, paths) in TEXTS.items():
        (folder / package).mkdir()
        (folder / package / "__init__.py").write_text(f'"""{words}"""\n')
        for path in paths:
            text = _linked(_markdown(path), path, known)
            (folder / package / f"{_module(path)}.py").write_text(f"__doc__ = {text!r}\n")
    return [str(folder / package) for package in TEXTS]


def _module(path: Path) -> str:
    return path.stem.lower().replace("-", "_")


def _markdown(path: Path) -> str:
    """The text of a page; of a notebook its cells, without what they put out."""
    if path.suffix == ".md":
        return path.read_text()
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(path.read_text())["cells"]]
    return "\n\n".join(text if kind == "markdown" else f"```python\n{text}\n```" for kind, text in cells)


def _linked(text: str, path: Path, known: dict[Path, str]) -> str:
    """The text with its links among these pages; one to another file of the repository becomes the words alone."""

    def link(found: re.Match[str]) -> str:
        words, file, place = found.groups(default="")
        target = (path.parent / file).resolve() if file else path
        if target.suffix == ".png":
            return f"[{words}](../pictures/{target.name})"
        return f"[{words}](../{known[target]}{place})" if target in known else words

    return LINK.sub(link, text)


def write(out: Path) -> None:
    """Writes all pages into this folder; index.html is the first."""
    sys.path.insert(0, str(ROOT))
    for one in map(import_module, modules()):
        for name in getattr(
            one, "__all__", ()
        ):  # some are imported at first use; pdoc reads what a module holds
            vars(one)[name] = getattr(one, name)
    # A package without __all__ brings its modules itself, so that these are named twice.
    warnings.filterwarnings("ignore", "The module specification")
    with tempfile.TemporaryDirectory() as folder:
        pdoc.render.configure(docformat="markdown", template_directory=ROOT / "docs" / "templates")
        pdoc.pdoc(*modules(), *texts(Path(folder)), output_directory=out)
    shutil.copytree(ROOT / "docs" / "pictures", out / "pictures", dirs_exist_ok=True)


if __name__ == "__main__":
    write(ROOT / "build" / "docs")
    sys.stdout.write(f"{ROOT / 'build' / 'docs' / 'index.html'}\n")
