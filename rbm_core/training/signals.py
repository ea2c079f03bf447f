"""Signals to a trainer's process, turned into calls."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["signals_to"]


@contextmanager
def signals_to(on_signal: Callable[[str], None]) -> Iterator[None]:
    """Inside, an interrupt, a request to end and a closed terminal call on_signal with the signal's name.

    Only a process's main thread can receive signals; in another thread this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: object) -> None:
        on_signal(signal.Signals(number).name)

    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), handle) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
