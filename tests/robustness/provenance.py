"""Whether a text that a page has rendered as Markdown is this project's own: read from the source, without running it.

`doubts(source)` follows every argument that Streamlit renders as Markdown back to where it comes from, within its
module. Ours are: constants, numbers (by their format or their type), what `plain`, `sentence` and the functions in
OURS return, constants of modules, and what is put together of these. All else is a doubt: a fault, or a text of ours
from further away, which then stands in the test's list.
"""

import ast
from collections.abc import Iterable, Iterator

from tests.sources import parsed

# What Streamlit 1.67 renders as Markdown: how many positional arguments of a method, and its named ones. `help` is
# Markdown in every method. The options of a selectbox, a select_slider and a table are plain text.
RENDERED: dict[str, tuple[int, tuple[str, ...]]] = {
    **dict.fromkeys(
        "markdown caption error warning info success toast title header subheader".split(), (1, ("body",))
    ),
    **dict.fromkeys("write html badge spinner status".split(), (1, ("body", "label", "text"))),
    **dict.fromkeys(
        "button download_button form_submit_button link_button expander popover".split(), (1, ("label",))
    ),
    **dict.fromkeys("checkbox toggle slider select_slider selectbox multiselect".split(), (1, ("label",))),
    **dict.fromkeys("text_input text_area number_input file_uploader tabs dialog".split(), (1, ("label",))),
    **dict.fromkeys("radio segmented_control pills".split(), (1, ("label", "format_func", "captions"))),
    "metric": (2, ("label", "value", "delta")),
    "page_link": (0, ("label",)),
    "progress": (0, ("text",)),
}
DOORS = ("plain", "sentence")  # dashboard/ui/texts.py
# Functions of other modules, and of Python, that return numbers or words of ours.
OURS = (
    "len",
    "round",
    "sum",
    "int",
    "float",
    "duration",
    "unbroken_duration",
    "minus",
    "significant",
    "nats",
    "rounded",
)
KEEPING = (
    "said",
    "str",
    "repr",
    "join",
    "replace",
    "lower",
    "upper",
    "strip",
    "partition",
    "format",
    "get",
    "split",
)
Function = ast.FunctionDef | ast.Lambda


class Module:
    """One module's source, whose expressions can be followed to where they come from."""

    def __init__(self, source: str, ours: Iterable[str] = ()) -> None:
        self.tree = parsed(source)
        self.ours = {*OURS, *DOORS, *ours}
        self.parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}
        self.functions = {one.name: one for one in ast.walk(self.tree) if isinstance(one, ast.FunctionDef)}
        self.calls = [one for one in ast.walk(self.tree) if isinstance(one, ast.Call)]
        self.imported = {
            alias.asname or alias.name
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        self.met: set[ast.AST] = set()

    def doubts(self) -> list[str]:
        """The expressions in rendered texts that are not known to be ours, each with its method."""
        found = []
        for call in self.calls:
            if self.is_of_a_module(call):
                continue
            for text in rendered(call):
                self.met = set()
                found += [f"{called(call)}: {ast.unparse(one)}" for one in self.strange(text)]
        return sorted(set(found))

    def is_of_a_module(self, call: ast.Call) -> bool:
        """Whether a function of another module is called, such as `texts.title(one)`; Streamlit's own are not meant."""
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        return isinstance(owner, ast.Name) and owner.id in self.imported and owner.id != "st"

    def strange(self, node: ast.AST) -> Iterator[ast.AST]:
        """The parts of the expression that are not known to be ours."""
        if node in self.met:
            return
        self.met.add(node)
        match node:
            case ast.Constant() | ast.Compare() | ast.UnaryOp():
                return
            case ast.FormattedValue(format_spec=spec) if numeric(spec):
                return
            case ast.Attribute(attr=name) | ast.Name(id=name) if name.strip("_").isupper() and len(name) > 1:
                return  # a constant
            case ast.Call() if called(node) in self.ours:
                return
            case ast.Call() if called(node) in KEEPING:
                parts = (
                    [node.func.value]
                    if isinstance(node.func, ast.Attribute) and node.func.attr != "said"
                    else []
                )
                parts += node.args
            case ast.Call(func=ast.Name(id=name)) if name in self.functions:
                parts = [
                    one.value
                    for one in ast.walk(self.functions[name])
                    if isinstance(one, ast.Return) and one.value
                ]
            case ast.Name():
                bound = self.bindings(node)
                if bound is None:
                    yield node
                    return
                parts = bound
            case ast.Call() | ast.Attribute() if not root_is_constant(node):
                yield node
                return
            case ast.IfExp():
                parts = [node.body, node.orelse]
            case ast.Subscript() | ast.ListComp() | ast.GeneratorExp():
                parts = [getattr(node, "value", None) or node.elt]
            case _:
                parts = [one for one in ast.iter_child_nodes(node) if isinstance(one, ast.expr | ast.keyword)]
        for part in parts:
            yield from self.strange(part)

    def bindings(self, name: ast.Name) -> list[ast.AST] | None:
        """What the name may stand for, by the assignments and parameters of the functions around it; None: unknown."""
        node: ast.AST | None = name
        while (node := self.parents.get(node)) is not None:
            if isinstance(node, Function):
                values = [*assigned(node, name.id)]
                given = self.given(node, name.id)
                if values or given is not None:
                    return [*values, *(given or [])]
        return None

    def given(self, function: Function, name: str) -> list[ast.AST] | None:
        """What the module's own calls hand in for the parameter; None where there is no such, or nothing is known."""
        arguments = function.args
        for place, one in enumerate([*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]):
            if one.arg != name:
                continue
            if one.annotation is not None and ast.unparse(one.annotation) in ("int", "float", "bool"):
                return []
            if isinstance(function, ast.Lambda) or not function.name.startswith("_"):
                called_here = [] if isinstance(function, ast.Lambda) else self.calls_of(function.name)
                if not called_here:
                    return [ast.Attribute(ast.Name(name), "given")]
            calls = self.calls_of(function.name)
            values = [call.args[place] for call in calls if place < len(call.args)]
            return values + [key.value for call in calls for key in call.keywords if key.arg == name]
        return None

    def calls_of(self, name: str) -> list[ast.Call]:
        return [call for call in self.calls if isinstance(call.func, ast.Name) and call.func.id == name]


def assigned(function: Function, name: str) -> Iterator[ast.AST]:
    """Every expression that the function gives the name, appends to it, or runs through under it."""
    for node in ast.walk(function):
        targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
        value = getattr(node, "iter", None) or getattr(node, "value", None)
        if value is not None and isinstance(node, ast.stmt | ast.comprehension | ast.NamedExpr):
            for target in filter(None, targets):
                if any(isinstance(one, ast.Name) and one.id == name for one in ast.walk(target)):
                    yield value
        if isinstance(node, ast.Call) and called(node) in ("append", "extend") and node.args:
            if isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == name:
                yield node.args[0]


def root_is_constant(node: ast.AST) -> bool:
    """Whether it is an attribute or an entry of a module's constant, such as LESSONS[0].title."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
        if isinstance(node, ast.Attribute) and node.attr.isupper():
            return True
    return isinstance(node, ast.Name) and node.id.strip("_").isupper()


def called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def rendered(call: ast.Call) -> list[ast.AST]:
    """The arguments of the call that Streamlit renders as Markdown."""
    positional, named = RENDERED.get(called(call), (0, ()))
    if not isinstance(call.func, ast.Attribute) or (not call.keywords and not call.args):
        return []
    return [*call.args[:positional], *(one.value for one in call.keywords if one.arg in (*named, "help"))]


def numeric(spec: ast.AST | None) -> bool:
    """Whether the format takes numbers alone: a text would raise."""
    text = "".join(str(one.value) for one in getattr(spec, "values", []) if isinstance(one, ast.Constant))
    return text != "" and (text[-1] in "dfgeE%" or "," in text)
