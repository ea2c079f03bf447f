"""One script from the ES modules that make up a component.

Streamlit takes a component's JavaScript as one text, and no bundler is wanted. So a component lists its modules in
order, and each becomes the body of a function that returns what the module exports; the exported names stand in the
script's scope, where the modules after it find what they import. Node's tests and the type checker read the very same
files as modules.

`joined` keeps the two rules that make this sound: a module imports only from modules listed before it, and no two
modules export the same name. Three habits keep it simple: imports and exports are named and not renamed (`import
{ a, b }`, `export function a`), an exported name is never assigned anew, and no string spans lines.

Comments and indentation are removed, since Streamlit sends the script again with each payload.
"""

import re
from collections.abc import Mapping

_IMPORT = re.compile(r'^import \{([^}]*)\} from "([^"]+)";\n', re.M)
_EXPORT = re.compile(r"^export ((?:async )?function\*?|class|const) ([A-Za-z_$][\w$]*)", re.M)
_DEFAULT = re.compile(r"^export default ", re.M)
_BLOCK_COMMENT = re.compile(r"/\*\*.*?\*/ ?", re.S)
_LINE_COMMENT = re.compile(r"^\s*// .*\n", re.M)
_INDENTATION = re.compile(r"^\s+", re.M)  # empty lines too


def joined(modules: Mapping[str, str]) -> str:
    """The script of the modules, given as path → source in their order; the last one holds `export default`.

    Paths are relative to one folder, such as "lib/blob.js". Raises ValueError, naming module and name, for an import
    that no earlier module exports and for a name that two modules export.
    """
    home: dict[str, str] = {}  # exported name → its module
    parts = []
    for path, source in modules.items():
        for names, origin in _IMPORT.findall(source):
            wanted = _resolved(path, origin)
            for name in (each.strip() for each in names.split(",")):
                if name and home.get(name) != wanted:
                    raise ValueError(
                        f"{path} imports {name} from {wanted}, which no module before it exports"
                    )
        exported = [name for _, name in _EXPORT.findall(source)]
        for name in exported:
            if name in home:
                raise ValueError(f"{path} and {home[name]} both export {name}")
            home[name] = path
        parts.append(_scope(source, exported))
    return "".join(parts)


def unindented(text: str) -> str:
    """A script, style or template without indentation and empty lines, which mean nothing in them."""
    return _INDENTATION.sub("", text)


def _scope(source: str, exported: list[str]) -> str:
    """The module as a function called at once: it returns what is exported, or the default export."""
    body = _squeezed(_EXPORT.sub(r"\1 \2", _IMPORT.sub("", source)))
    if _DEFAULT.search(body):
        return f"export default (() => {{\n{_DEFAULT.sub('return ', body)}}})();\n"
    names = ", ".join(exported)
    return f"const {{ {names} }} = (() => {{\n{body}return {{ {names} }};\n}})();\n"


def _resolved(path: str, origin: str) -> str:
    """The module that `origin`, as it stands in an import of the module at `path`, means."""
    folder = path.split("/")[:-1]
    for step in origin.split("/"):
        if step == "..":
            folder.pop()
        elif step != ".":
            folder.append(step)
    return "/".join(folder)


def _squeezed(source: str) -> str:
    """The source without comments that stand on their own, types, indentation and empty lines."""
    return unindented(_LINE_COMMENT.sub("", _BLOCK_COMMENT.sub("", source)))
