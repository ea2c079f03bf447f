"""Compiled CPU kernels (numba): elementary functions, random numbers, draws, sums of rows, chains, learning, annealing.

numba keeps the machine code of a function by the date of its own file and does not see when a function that it calls
has changed: after an update of one file, code compiled from the old one would go on running. So what is compiled here
is kept in a folder that is named after the text of all of them.
"""

import hashlib
from pathlib import Path

from numba import config

_text = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
if not config.CACHE_DIR:  # type: ignore[attr-defined]  # NUMBA_CACHE_DIR is the user's to set
    _folder = Path(__file__).parent / "__pycache__" / hashlib.sha256(_text).hexdigest()[:12]
    config.CACHE_DIR = str(_folder)  # type: ignore[attr-defined]
