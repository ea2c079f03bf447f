"""What the server frees goes back to the system: its memory stays flat however long a class watches.

A page's run is a thread of its own, and glibc gives threads pools of their own, up to eight a core, each with what was
freed in it: 80 MB after four minutes of thirty tabs, while the objects in use took as much as at first. So there are
two pools, and what lies free in them is handed back now and then. In between a refresh takes what the one before it
freed. Handed back at once, as blocks of 128 kB and more are by default, it had 4,800 pages of memory to be given anew
for 784 × 500 weights, which on a virtual machine took 12 ms.
"""

import ctypes
import sys
import threading

from rbm_core.machine import hand_back_memory

# <malloc.h>
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_BLOCK = (
    8 << 20
)  # bytes: larger ones, beyond the weights of 784 × 2,500, are handed back as soon as they are freed
_TOP = 16 << 20  # bytes at a pool's end that are kept between two hand-backs: more than a refresh uses
PERIOD_S = 30.0


def give_back_what_is_freed(every_s: float = PERIOD_S) -> None:
    """Gives this process two pools and empties them every `every_s` seconds. Without glibc it does nothing."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt"):
        return
    libc.mallopt(_ARENA_MAX, 2)
    libc.mallopt(_MMAP_THRESHOLD, _BLOCK)
    libc.mallopt(_TRIM_THRESHOLD, _TOP)

    def empty() -> None:
        while not ended.wait(every_s):
            hand_back_memory()

    ended = threading.Event()
    threading.Thread(target=empty, name="memory", daemon=True).start()
