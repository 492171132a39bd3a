"""One rate limiter, for events and for requests: the generic cell rate algorithm. Pure; the time is passed in.

Source: ITU-T I.371, the generic cell rate algorithm in its virtual scheduling form.
"""

from typing import Final

from roomwire.limits.bounds import Bound

_BURST_S: Final = 1.0
"""The events of one second may arrive at once."""

_ROUNDING_S: Final = 0.000_1


class RateLimiter:
    """Tracks how much of a rate has been used.

    Args:
        per_s: The rate, in events a second; more than 0.

    Attributes:
        until: The time up to which the rate is used, in the seconds that the methods are given.

    """

    __slots__ = ("__weakref__", "_interval_s", "until")

    def __init__(self, per_s: float) -> None:
        self.until = 0.0
        self._interval_s = 1.0 / per_s

    def is_exceeded(self, now: float) -> bool:
        """Return whether another event would be more than one second's events ahead of the rate: hot."""
        return self.until - now >= _BURST_S

    def is_overdrawn(self, now: float, owed: int) -> bool:
        """Return whether another event would be too much even if nothing had been charged for the last ones, which have cost nothing yet.

        Args:
            now: The time.
            owed: What they were charged.

        """
        return self.excess_s(now) >= owed * self._interval_s

    def excess_s(self, now: float) -> float:
        """Return by how many seconds the limiter is ahead of the burst; negative if it is not."""
        return self.until - now - _BURST_S

    def delay_s(self, now: float) -> float:
        """Return the seconds until the next event may come; 0.0 means now."""
        return max(self.excess_s(now) + _ROUNDING_S, 0.0) if self.is_exceeded(now) else 0.0

    def charge(self, now: float, number: int = 1) -> None:
        """Count events, even if they exceed the rate: hot."""
        self.until = max(self.until, now) + number * self._interval_s


class EventRate(RateLimiter):
    """A rate limiter of events.

    Args:
        per_s: The rate, in events a second.
        bound: The bound that events beyond the rate exceed.

    """

    __slots__ = ("bound",)

    def __init__(self, per_s: float, bound: Bound) -> None:
        super().__init__(per_s)
        self.bound = bound
