"""Signals to a trainer's process, turned into calls."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["ignore_signals", "signals_to"]


@contextmanager
def signals_to(on_signal: Callable[[str], None]) -> Iterator[None]:
    """Inside, an interrupt, a request to end and a closed terminal call on_signal with the signal's name.

    Only a process's main thread can receive signals; in another thread this does nothing. A signal that is given
    another meaning meanwhile keeps it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: object) -> None:
        on_signal(signal.Signals(number).name)

    before = {number: signal.signal(number, handle) for number in _numbers()}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, handler)


def ignore_signals() -> None:
    """From here on this process lets the same signals pass: somebody else ends it, or it is ending already."""
    if threading.current_thread() is threading.main_thread():
        for number in _numbers():
            signal.signal(number, signal.SIG_IGN)


def _numbers() -> list[signal.Signals]:
    return [signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
