"""`make docs`: the public docstrings of rbm_core and the tutorials, as HTML pages with a search, in build/docs."""

import sys
import tempfile
import warnings
from importlib import import_module
from pathlib import Path

import pdoc

ROOT = Path(__file__).resolve().parents[1]
# What a person does not call: the command line (--help has it), compiled loops, and processes' own modules.
LEFT_OUT = ("rbm_core.cli", "rbm_core.kernels", "__main__")


def modules() -> list[str]:
    """The names of the modules to document, the package first."""
    names = []
    for path in sorted((ROOT / "rbm_core").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if not name.startswith(LEFT_OUT[:2]) and not name.endswith(LEFT_OUT[2]):
            names.append(name)
    return names


def tutorials(folder: Path) -> str:
    """A package whose docstrings are the tutorials, so that they stand among the pages and in the search."""
    package = folder / "tutorials"
    package.mkdir()
    (package / "__init__.py").write_text('"""How to begin, page by page."""\n')
    for page in (ROOT / "docs" / "tutorials").glob("*.md"):
        (package / f"{page.stem.replace('-', '_')}.py").write_text(f"__doc__ = {page.read_text()!r}\n")
    return str(package)


def main() -> None:
    sys.path.insert(0, str(ROOT))
    for one in map(import_module, modules()):
        for name in getattr(
            one, "__all__", ()
        ):  # some are imported at first use; pdoc reads what a module holds
            vars(one)[name] = getattr(one, name)
    # A package without __all__ brings its modules itself, so that these are named twice.
    warnings.filterwarnings("ignore", "The module specification")
    out = ROOT / "build" / "docs"
    with tempfile.TemporaryDirectory() as folder:
        pdoc.render.configure(docformat="markdown", math=True)
        pdoc.pdoc(*modules(), tutorials(Path(folder)), output_directory=out)
    sys.stdout.write(f"{out / 'index.html'}\n")


if __name__ == "__main__":
    main()
