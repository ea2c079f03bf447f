"""Compiled CPU kernels (numba): elementary functions, random numbers, draws, sums of rows, chains, learning, annealing.

numba keeps the machine code of a function by the date of its own file and does not see when a function that it calls
has changed: after an update of one file, code compiled from the old one would go on running. So what is compiled here
is kept in a folder that is named after the text of all of them.
"""

import hashlib
import mmap
import os
import re
import warnings
from pathlib import Path
from typing import Any

__all__ = ["SurroundingsError", "event"]


class SurroundingsError(ValueError):
    """An environment variable holds what it cannot; a sentence."""

    def __init__(self, name: str, must: str) -> None:
        super().__init__(
            f"the environment variable {name} is {os.environ.get(name)!r}, and must be {must}; correct it, or take it "
            f"away (unset {name})"
        )


def _check_surroundings() -> None:
    """Raises SurroundingsError where libraries would print a traceback, fail later, or start threads without end."""
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        first = os.environ.get(name, "1").split(",")[0]  # OpenMP takes a number for each level
        if not re.fullmatch(r"\s*\+?\d{1,9}\s*", first, re.ASCII) or not 1 <= int(first) <= 1024:
            raise SurroundingsError(name, "a whole number from 1 to 1,024")
    if folder := os.environ.get("NUMBA_CACHE_DIR"):
        try:
            os.makedirs(folder, exist_ok=True)
            writable = os.access(folder, os.W_OK)
        except (OSError, ValueError):
            writable = False
        if not writable:
            raise SurroundingsError("NUMBA_CACHE_DIR", "a folder that can be written")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Environment variable", RuntimeWarning)
        try:
            from numba import config
        except RuntimeWarning as warning:  # as numba says of a variable that it cannot parse
            name = str(warning).split("'")[1]
            raise SurroundingsError(name, "of the kind that numba's documentation names") from None
    if config.DISABLE_JIT:  # type: ignore[attr-defined]
        raise SurroundingsError("NUMBA_DISABLE_JIT", "0: without compiling no kernel runs")


_check_surroundings()
from numba import config  # noqa: E402
from numba.core import event  # noqa: E402

_text = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
if not config.CACHE_DIR:  # type: ignore[attr-defined]  # NUMBA_CACHE_DIR is the user's to set
    _folder = Path(__file__).parent / "__pycache__" / hashlib.sha256(_text).hexdigest()[:12]
    config.CACHE_DIR = str(_folder)  # type: ignore[attr-defined]

# Of the address space: a kernel takes up to 64 MB.
_COMPILING_TAKES = 96 << 20


class _AsksForRoom(event.Listener):
    """Raises OSError before a kernel is compiled without the memory for it: LLVM itself would end the process then."""

    def on_start(self, event: Any) -> None:
        mmap.mmap(-1, _COMPILING_TAKES).close()

    def on_end(self, event: Any) -> None:
        pass


event.register("numba:compile", _AsksForRoom())
