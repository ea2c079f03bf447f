"""The time that a run has trained, its speed, and the watch speed that holds it back."""

import time

__all__ = ["Clock"]

_SHORTEST_S = 0.2  # s; over a shorter span the speed is not measured
_STEADY, _CLOSE = 6, 1.5  # so many measures in turn within this factor are a steady speed
_MEMORY_S = 2.0  # s; the speed is a mean over about this time


class Clock:
    """Seconds of training, pauses and rests excluded, and the speed over about the last two seconds.

    rate: updates a second, rests included; None before the first measure. limit: the watch speed, the most updates a
    second, so that a person can follow them; None: as many as there is time for.
    """

    def __init__(self) -> None:
        self.rate: float | None = None
        self.limit: float | None = None
        self._rates: list[float] = []  # the last ones
        self._due = 0.0  # when (by perf_counter) the watch speed allows the next update
        self._rested = 0.0  # s
        self.go_on_from(0.0, 0)

    def go_on_from(self, seconds: float, step: int) -> None:
        """Sets the time and the step of a saved run; the clock is stopped until `start`."""
        self._before = seconds
        self._since: float | None = None
        self._mark = (seconds + self._rested, step)

    def start(self) -> None:
        """From now on time counts as training."""
        if self._since is None:
            self._since = time.perf_counter()

    def stop(self) -> None:
        """From now on it does not."""
        self._before, self._since = self.seconds(), None

    def seconds(self) -> float:
        """Seconds of training so far, pauses left out."""
        return self._before + (0.0 if self._since is None else time.perf_counter() - self._since)

    def measure(self, step: int) -> None:
        """Includes the speed since the last call in the mean. step: updates so far."""
        now = self.seconds() + self._rested
        seconds, done = now - self._mark[0], step - self._mark[1]
        if seconds < _SHORTEST_S or done <= 0:
            return
        share = min(1.0, seconds / _MEMORY_S) if self.rate is not None else 1.0
        self.rate = (1 - share) * (self.rate or 0.0) + share * done / seconds
        self._rates = [*self._rates, self.rate][-_STEADY:]
        self._mark = (now, step)

    def keep_to(self, limit: float | None) -> None:
        """Sets the watch speed from the next update on."""
        self.limit, self._due, self.rate, self._rates = limit, 0.0, None, []

    @property
    def steady(self) -> bool:
        """Whether the speed has settled, so that the time left can be said: its last measures lie close together."""
        return len(self._rates) == _STEADY and max(self._rates) <= _CLOSE * min(self._rates)

    def rest(self, longest: float) -> bool:
        """Waits until the watch speed allows the next update, `longest` seconds at most. False: it is due now."""
        now = time.perf_counter()
        if self.limit is None or now >= self._due:
            interval = 0.0 if self.limit is None else 1 / self.limit
            # An update that comes a little late does not delay the next; after a pause no two follow at once.
            self._due = (self._due if now - self._due < interval else now) + interval
            return False
        self.stop()
        time.sleep(min(longest, self._due - now))
        self._rested += time.perf_counter() - now
        self.start()
        return True
