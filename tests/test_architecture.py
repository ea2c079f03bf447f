"""The arrows between the rooms, read from the imports."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rbm_core
from tests.sources import parsed

REPO = Path(__file__).parent.parent
ROOMS = ("rbm_core", "dashboard")


def module_name(path: Path) -> str:
    parts = path.relative_to(REPO).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for room in ROOMS for path in sorted((REPO / room).rglob("*.py"))}


def imports_of(module: str, source: str, is_package: bool = False) -> set[str]:
    """Every dotted name that the source imports, at its top or inside a function, made absolute.

    `from a.b import c` counts as a.b and as a.b.c, since c may be a module. `import_module("a.b")` and
    `__import__("a.b")` count where the name is written out.
    """
    found: set[str] = set()
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__"):
                found.update(one.value for one in node.args[:1] if isinstance(one, ast.Constant))
        elif isinstance(node, ast.ImportFrom):
            package = module.split(".") if is_package else module.split(".")[:-1]
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            found.add(origin)
            found.update(f"{origin}.{alias.name}" for alias in node.names)
    return found


def reaches(imported: str, forbidden: str) -> bool:
    return imported == forbidden or imported.startswith(forbidden + ".")


def offences(modules: list[str], forbidden: tuple[str, ...]) -> list[str]:
    return [
        f"{module} imports {imported}"
        for module in modules
        for imported in sorted(
            imports_of(module, SOURCES[module].read_text(), SOURCES[module].name == "__init__.py")
        )
        if any(reaches(imported, name) for name in forbidden) and not reaches(imported, WORDS)
    ]


def under(*prefixes: str) -> list[str]:
    """The modules of this room or with this name; at least one, so that a rule cannot hold over nothing."""
    found = [
        module
        for module in SOURCES
        if any(reaches(module, prefix) for prefix in prefixes) and module not in HELPERS
    ]
    assert found, f"no module under {prefixes}: has the room moved?"
    return found


TRAINING = ("rbm_core.training",)
ABOVE_RBM = ("rbm_core.gibbs", "rbm_core.gradient", *TRAINING)
RECORDS = ("rbm_core.runs",)
WORDS = "rbm_core.runs.vocabulary"  # constants alone: whoever may not know the record may still use its words
TORCH = ("torch", "torchvision", "numba")
ENGINE_ON_TORCH = (
    *(
        "rbm_core.rbm",
        "rbm_core.laws",
        "rbm_core.compute",
        "rbm_core.kernels",
        "rbm_core.estimator",
        *ABOVE_RBM,
    ),
    *("rbm_core.likelihood", "rbm_core.diagnostics", "rbm_core.evaluation", "rbm_core.trajectory"),
    *("rbm_core.RBM", "rbm_core.Rng", "rbm_core.Training", "rbm_core.BernoulliRBM"),
)
ROOMS_OF_THE_APP = tuple(
    f"dashboard.{room}" for room in ("app", "views", "ui", "components", "figures", "processes")
)
HELPERS = ("dashboard.processes.sampler_process",)  # run as processes of their own

ARROWS = {
    "the engine knows nothing of the app": (
        ("rbm_core",),
        ("dashboard", "streamlit", "plotly"),
    ),
    "the rbm and its draws stand below everything": (
        ("rbm_core.rbm", "rbm_core.laws", "rbm_core.compute", "rbm_core.kernels"),
        (*ABOVE_RBM, *RECORDS, "rbm_core.likelihood", "rbm_core.config"),
    ),
    "chains know nothing of gradients": (
        ("rbm_core.gibbs",),
        ("rbm_core.gradient", *TRAINING, *RECORDS),
    ),
    "gradients know nothing of the loop": (
        ("rbm_core.gradient",),
        (*TRAINING, *RECORDS),
    ),
    "learning writes no run; its process alone knows both": (
        tuple(f"rbm_core.training.{room}" for room in ("batches", "optimiser", "state", "monitor", "update")),
        tuple(f"rbm_core.training.{room}" for room in ("process", "begin", "report", "clock", "signals"))
        + RECORDS,
    ),
    "batches and optimiser know no state": (
        ("rbm_core.training.batches", "rbm_core.training.optimiser"),
        ("rbm_core.training.state", "rbm_core.training.monitor", "rbm_core.training.update"),
    ),
    "state and monitor do not know what updates them": (
        ("rbm_core.training.state", "rbm_core.training.monitor"),
        ("rbm_core.training.update",),
    ),
    "likelihood and diagnostics measure, they do not train": (
        ("rbm_core.likelihood", "rbm_core.diagnostics"),
        TRAINING,
    ),
    "the run store, its reader, its control and its vocabulary need no torch": (
        (
            "rbm_core.runs.reader",
            "rbm_core.runs.store",
            "rbm_core.runs.control",
            "rbm_core.runs.vocabulary",
            "rbm_core.runs.snapshot",
        ),
        (*TORCH, *ENGINE_ON_TORCH),
    ),
    "the doctor, the model without torch, the enumerable one, pixels and words of the visible law need no torch": (
        (
            "rbm_core.doctor",
            "rbm_core.rbm_numpy",
            "rbm_core.enumerable",
            "rbm_core.symmetric",
            "rbm_core.pixels",
            "rbm_core.visible",
        ),
        (*TORCH, *ENGINE_ON_TORCH),
    ),
    "a run's description and its data need no torch": (
        ("rbm_core.config",),
        (*TORCH, *ENGINE_ON_TORCH),
    ),
    "the app's own process holds no torch: trainers and the sampler are processes of their own": (
        ("dashboard",),
        (*TORCH, *ENGINE_ON_TORCH),
    ),
    "figures are pure: arrays in, picture out": (
        ("dashboard.figures",),
        ("streamlit", "dashboard.data", *(room for room in ROOMS_OF_THE_APP if room != "dashboard.figures")),
    ),
    "components draw what they are given": (
        ("dashboard.components",),
        ("dashboard.data", "dashboard.ui", "dashboard.processes", "dashboard.views", "dashboard.app"),
    ),
    "processes are started by pages and know none": (
        ("dashboard.processes",),
        (
            "streamlit",
            "dashboard.data",
            "dashboard.ui",
            "dashboard.components",
            "dashboard.views",
            "dashboard.app",
        ),
    ),
    "the door to the runs knows nobody who comes through it": (
        ("dashboard.data", "dashboard.recent"),
        ROOMS_OF_THE_APP,
    ),
    "what pages share knows no page": (
        ("dashboard.ui",),
        ("dashboard.views", "dashboard.app"),
    ),
    "pages reach the run store through one door, dashboard.data": (
        ("dashboard.app", "dashboard.views", "dashboard.ui", "dashboard.figures", "dashboard.components"),
        ("rbm_core.runs.reader", "rbm_core.runs.store", "rbm_core.runs.recorder"),
    ),
}


@pytest.mark.parametrize("rule", ARROWS)
def test_arrows_point_one_way(rule: str) -> None:
    modules, forbidden = ARROWS[rule]
    assert offences(under(*modules), forbidden) == [], rule


PAGES = sorted(path.parent.name for path in (REPO / "dashboard" / "views").glob("*/page.py"))


@pytest.mark.parametrize("page", PAGES)
def test_no_page_reads_another(page: str) -> None:
    others = tuple(f"dashboard.views.{other}" for other in PAGES if other != page)
    assert offences(under(f"dashboard.views.{page}"), others) == []


def literal_session_keys(source: str) -> list[str]:
    """Every key of st.session_state that is written out where it is used, not named by a constant."""
    found = []
    for node in ast.walk(parsed(source)):
        state: ast.expr | None = None
        key: ast.expr | None = None
        if isinstance(node, ast.Subscript):
            state, key = node.value, node.slice
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            state, key = node.func.value, node.args[0]
        elif isinstance(node, ast.Attribute) and node.attr not in dir(dict):
            state, key = node.value, ast.Constant(node.attr)
        if isinstance(state, ast.Attribute) and state.attr == "session_state":
            if isinstance(key, (ast.Constant, ast.JoinedStr)):
                found.append(ast.unparse(key))
    return found


def test_what_a_page_remembers_has_a_name() -> None:
    """Session keys are constants or derived in one place; the rest of a page's memory is its dataclass."""
    found = {
        module: keys
        for module in under("dashboard.views", "dashboard.ui")
        if (keys := literal_session_keys(SOURCES[module].read_text()))
    }
    assert found == {}


@pytest.mark.parametrize(
    "use", ['["a"]', '[f"a-{b}"]', '.get("a")', '.setdefault("a", 1)', '.pop("a", None)', ".a", ".a = 1"]
)
def test_every_session_key_that_is_written_out_is_seen(use: str) -> None:
    assert literal_session_keys(f"st.session_state{use}")


def test_a_session_key_with_a_name_is_let_pass() -> None:
    assert literal_session_keys("st.session_state[KEY]; st.session_state.get(key); state['a']") == []


WRITERS = {  # and what each writes or removes by other ways than inside.py and files.py, which follow no link
    "rbm_core.datasets.own": "the data folder",
    "rbm_core.datasets.published": "the data folder",
    "rbm_core.exchange.bundle": "a new folder beside the runs, unpacked before it is one of them",
    "rbm_core.exchange.exporting": "a file that somebody named",
    "rbm_core.exchange.outside": "a file that somebody named",
    "rbm_core.kernels": "the folder of what was compiled, where an environment variable names one",
    "rbm_core.runs.files": "every file of a run: a door",
    "rbm_core.runs.inside": "every file of a run: a door",
    "rbm_core.runs.store": "whole runs, and new ones before they are among the others",
    "rbm_core.streams": "/dev/null, in place of a stream that was closed",
    "dashboard.export.__main__": "a file that somebody named",
    "dashboard.processes.exchange": "a folder of its own for an upload",
    "dashboard.processes.trials": "a store of its own for trials of the machine's pace",
}
_OF_OS = {
    "mkdir",
    "makedirs",
    "rename",
    "replace",
    "unlink",
    "remove",
    "rmdir",
    "symlink",
    "link",
    "truncate",
}
_OF_PATHS = {"mkdir", "write_text", "write_bytes", "touch", "unlink", "rmdir", "symlink_to", "hardlink_to"}
_OF_SHUTIL = {"rmtree", "move", "copy", "copy2", "copyfile", "copytree"}


def writings(source: str) -> list[str]:
    """The calls that open for writing, make, move or remove files by their names."""
    found = []
    for node in ast.walk(parsed(source)):
        if not isinstance(node, ast.Call):
            continue
        of = getattr(node.func, "value", None)
        name, called = (
            getattr(of, "id", ""),
            node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", ""),
        )
        modes = [
            one.value
            for one in (*node.args, *(word.value for word in node.keywords))
            if isinstance(one, ast.Constant) and isinstance(one.value, str) and len(one.value) <= 3
        ]
        writes = {
            "os": called in _OF_OS
            or (called == "open" and re.search("O_(WRONLY|RDWR|CREAT)", ast.unparse(node))),
            "shutil": called in _OF_SHUTIL,
        }.get(name, of is not None and called in _OF_PATHS)
        if writes or (name != "os" and called == "open" and any(set(mode) & set("wax+") for mode in modes)):
            found.append(ast.unparse(node))
    return found


def test_files_of_a_run_are_written_through_the_doors_that_follow_no_link() -> None:
    wrote = {module: writings(path.read_text()) for module, path in SOURCES.items()}
    beside = {module: found for module, found in wrote.items() if found and module not in WRITERS}
    assert beside == {}, "write it with files.py or inside.py"
    assert [module for module in WRITERS if not wrote.get(module)] == [], "it is written no more"


@pytest.mark.parametrize(
    "line",
    [
        '(path / "trainer.log").open("ab")',
        'open(path, "w")',
        'open(path, mode="r+")',
        "path.parent.mkdir(exist_ok=True)",
        "path.write_text(text)",
        "(run / name).write_bytes(data)",
        "path.unlink()",
        "os.unlink(path)",
        "os.replace(a, b)",
        "os.open(path, os.O_RDWR)",
        "shutil.rmtree(path)",
    ],
)
def test_every_way_to_write_a_file_is_seen(line: str) -> None:
    assert writings(f"def f(path):\n    {line}")


@pytest.mark.parametrize(
    "line",
    [
        "write_bytes(path, data)",
        "inside.remove(path)",
        'path.open("rb")',
        'text.replace("a", "b")',
        "open(path)",
    ],
)
def test_reading_and_the_doors_themselves_are_let_pass(line: str) -> None:
    assert writings(f"def f(path):\n    {line}") == []


@pytest.mark.parametrize(
    ("source", "imported"),
    [
        ("import torch", "torch"),
        ("import torch.nn as nn", "torch.nn"),
        ("def f():\n    from torch import nn", "torch.nn"),
        ("from . import training", "rbm_core.training"),
        ("from .training import Training", "rbm_core.training"),
        ("from ..training import Training", "rbm_core.training"),
        ("from .. import training", "rbm_core.training"),
        ("from rbm_core import training", "rbm_core.training"),
        ("from rbm_core import compute, training as t", "rbm_core.training"),
        ("from rbm_core.training import *", "rbm_core.training"),
        ("import json, rbm_core.training", "rbm_core.training"),
        ("if TYPE_CHECKING:\n    from rbm_core import training", "rbm_core.training"),
        ("try:\n    import torch\nexcept ImportError:\n    pass", "torch"),
        ("class A:\n    import torch", "torch"),
        ("importlib.import_module('rbm_core.training')", "rbm_core.training"),
        ("t = import_module('rbm_core.training')", "rbm_core.training"),
        ("__import__('torch')", "torch"),
    ],
)
def test_every_way_to_import_is_seen(source: str, imported: str) -> None:
    module = "rbm_core.likelihood.ais" if ".." in source else "rbm_core.module"
    assert imported in imports_of(module, source)


def test_a_packages_own_relative_imports_are_seen() -> None:
    assert "rbm_core.training.state" in imports_of(
        "rbm_core.training", "from . import state", is_package=True
    )
    assert "rbm_core.training" in imports_of("rbm_core.runs", "from .. import training", is_package=True)


def test_every_room_that_a_rule_names_exists() -> None:
    """A rule about a room that has moved would hold over nothing."""
    named = {name for modules, forbidden in ARROWS.values() for name in (*modules, *forbidden)}
    ours = {name for name in named if name.split(".")[0] in ROOMS}
    exported = {f"rbm_core.{name}" for name in rbm_core.__all__}
    gone = [name for name in ours - exported if not any(reaches(module, name) for module in SOURCES)]
    assert gone == []


@pytest.mark.parametrize(
    "module",
    [
        "rbm_core",
        "rbm_core.config",
        "rbm_core.datasets",
        "rbm_core.runs.control",
        "rbm_core.runs.reader",
        "rbm_core.runs.store",
        "dashboard.data",
        "dashboard.processes.sampler",
        "dashboard.processes.trainers",
        "dashboard.ui.link",
    ],
)
def test_importing_it_loads_neither_torch_nor_numba(module: str) -> None:
    """The app's first paint does not wait for torch, through whatever chain of imports."""
    program = f"import sys, {module}; print(*sorted({{'torch', 'torchvision', 'numba'}} & set(sys.modules)))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=REPO, capture_output=True, text=True, check=False
    )
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout.split() == []


def texts_of_the_locale(source: str) -> list[int]:
    """The lines that read or write text as the locale has it: cp1252 on Windows, ASCII in a bare container."""
    found = []
    for node in ast.walk(parsed(source)):
        if not isinstance(node, ast.Call) or any(one.arg == "encoding" for one in node.keywords):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        mode = next((one.value for one in node.args[1:2] if isinstance(one, ast.Constant)), "r")
        opened = isinstance(node.func, ast.Name) and called == "open" and "b" not in str(mode)
        if called in ("read_text", "write_text") or opened:
            found.append(node.lineno)
    return found


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_text_is_read_as_utf_8_whatever_the_locale(module: str) -> None:
    assert texts_of_the_locale(SOURCES[module].read_text(encoding="utf-8")) == []


def test_every_way_to_read_text_by_the_locale_is_seen() -> None:
    assert texts_of_the_locale("p.read_text()\np.write_text('x')\nopen(p)\nopen(p, 'w')") == [1, 2, 3, 4]
    assert texts_of_the_locale("p.read_text(encoding='utf-8')\nopen(p, 'rb')\nos.open(p, 0)") == []
