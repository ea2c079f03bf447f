"""The tabs that watch a live run: what one had drawn is there for the others, and many are refreshed less often."""

import threading
import time
from collections.abc import Callable

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dashboard.recent import Recent

# (tabs, seconds between two refreshes while no more tabs than that watch): a refresh costs about 20 ms of one core, and
# the server is to stay within a core.
PERIODS_S = ((10, 0.5), (22, 1.0))
SLOWEST_S = 1.7
_GONE_AFTER_S = 8.0
_BLOB_BYTES_KEPT = 16_000_000  # a moment of 784 × 500 is 0.9 MB, and what many tabs watch is the newest

_seen: dict[str, float] = {}
_lock = threading.Lock()


@st.cache_resource(show_spinner=False)
def _blobs() -> Recent[bytes]:
    return Recent(_BLOB_BYTES_KEPT, len)


def drawn_once(key: str, version: str, build: Callable[[], bytes]) -> bytes:
    """The blob that the component `key` shows at this version: built for the first tab that wants it."""
    return _blobs().get((key, version), build)


def period() -> float:
    """Counts this tab among those that watch a live run now; returns the seconds between two of its refreshes."""
    context, now = get_script_run_ctx(), time.monotonic()
    with _lock:
        if context is not None:
            _seen[context.session_id] = now
        for session in [one for one, at in _seen.items() if now - at > _GONE_AFTER_S]:
            del _seen[session]
        watching = len(_seen)
    return next((seconds for most, seconds in PERIODS_S if watching <= most), SLOWEST_S)
