"""What the server frees goes back to the system: its memory stays flat however long a class watches.

A page's run is a thread of its own, and glibc gives threads pools of their own, up to eight a core, each with what was
freed in it: 80 MB after four minutes of thirty tabs, while the objects in use took as much as at first. It also raises
the size from which a block is handed back as soon as it is freed, up to 32 MB, beyond every payload of a picture.
"""

import ctypes
import sys

# <malloc.h>
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
_BLOCK = 1 << 18  # bytes: pictures and weights are larger, and what a page keeps for long is smaller


def give_back_what_is_freed() -> None:
    """Two pools for this process, and blocks of 256 kB and more by themselves. Does nothing where there is no glibc."""
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, 2)
        mallopt(_MMAP_THRESHOLD, _BLOCK)
