"""Limits the rate of each caller's requests. Pure except for the clock, which is passed in."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from roomwire.errors import RateLimited
from roomwire.limits.rate import RateLimiter

MAX_CALLERS: Final = 10_000


class Rate:
    """Refuses callers that are more than one second's requests ahead of their rate.

    Args:
        most_per_s: Maximum requests a second of one caller. `0` disables this limit.
        clock: Monotonic seconds.

    """

    def __init__(self, most_per_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_per_s = most_per_s
        self._clock = clock
        self._limiters: OrderedDict[str, RateLimiter] = OrderedDict()

    def admit(self, caller: str) -> None:
        """Count a request of a caller.

        Raises:
            RateLimited: The caller exceeds its rate; nothing was counted.

        """
        limiter, now = self._limiters.get(caller), self._clock()
        if limiter is not None and limiter.is_exceeded(now):
            error = RateLimited()
            error.retry_after_s = max(1, math.ceil(limiter.excess_s(now)))
            raise error
        self.charge(caller, 1)

    def charge(self, caller: str, amount: int) -> None:
        """Count further cost of an admitted caller, which must wait for it later."""
        if not self._most_per_s:
            return
        limiter = self._limiters.get(caller)
        if limiter is None:
            limiter = self._limiters[caller] = RateLimiter(self._most_per_s)
        limiter.charge(self._clock(), amount)
        self._limiters.move_to_end(caller)
        if len(self._limiters) > MAX_CALLERS:
            # The caller whose last request is the oldest.
            self._limiters.popitem(last=False)
