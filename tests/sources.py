"""The project's own source, for the tests that read it."""

import ast
from contextlib import suppress


def parsed(source: str) -> ast.Module:
    """The source's syntax tree.

    Python 3.11 now and then raises SystemError where threads take turns while it makes one (python/cpython#106905); the
    source is then parsed again.
    """
    for _ in range(9):
        with suppress(SystemError):
            return ast.parse(source)
    return ast.parse(source)
