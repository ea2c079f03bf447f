"""The time that a run has trained, and its speed."""

import time

__all__ = ["Clock"]

_SHORTEST_S = 0.2  # s; over a shorter span the speed is not measured
_MEMORY_S = 2.0  # s; the speed is a mean over about this time


class Clock:
    """Seconds of training, pauses excluded, and the speed over about the last two seconds.

    rate: updates a second; None before the first measure.
    """

    def __init__(self) -> None:
        self.rate: float | None = None
        self.go_on_from(0.0, 0)

    def go_on_from(self, seconds: float, step: int) -> None:
        """Sets the time and the step of a saved run; the clock is stopped until `start`."""
        self._before = seconds
        self._since: float | None = None
        self._mark = (seconds, step)

    def start(self) -> None:
        if self._since is None:
            self._since = time.perf_counter()

    def stop(self) -> None:
        self._before, self._since = self.seconds(), None

    def seconds(self) -> float:
        return self._before + (0.0 if self._since is None else time.perf_counter() - self._since)

    def measure(self, step: int) -> None:
        """Includes the speed since the last call in the mean. step: updates so far."""
        seconds, done = self.seconds() - self._mark[0], step - self._mark[1]
        if seconds < _SHORTEST_S or done <= 0:
            return
        share = min(1.0, seconds / _MEMORY_S) if self.rate is not None else 1.0
        self.rate = (1 - share) * (self.rate or 0.0) + share * done / seconds
        self._mark = (self.seconds(), step)
