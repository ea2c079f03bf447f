"""Compiled CPU kernels (numba): elementary functions, random numbers, draws, sums of rows, chains, learning, annealing.

numba keeps the machine code of a function by the date of its own file and does not see when a function that it calls
has changed: after an update of one file, code compiled from the old one would go on running. So what is compiled here
is kept in a folder that is named after the text of all of them.
"""

import hashlib
import mmap
from pathlib import Path
from typing import Any

from numba import config
from numba.core import event

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
