"""How often each caller may ask. Pure but for the clock, which is passed in."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from roomwire.errors import RateLimited

MAX_CALLERS: Final = 10_000
_AHEAD_S: Final = 1.0


class Rate:
    """Refuses who is more than a second's worth ahead of what it may ask.

    Args:
        most_per_s: How much a caller may ask for in a second; 0: any number.
        clock: Monotonic seconds.

    """

    def __init__(self, most_per_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_per_s = most_per_s
        self._clock = clock
        self._until: OrderedDict[str, float] = OrderedDict()

    def take(self, caller: str) -> None:
        """Count that somebody asks.

        Raises:
            RateLimited: Too much, too fast; nothing was counted.

        """
        ahead_s = self._until.get(caller, 0.0) - self._clock()
        if self._most_per_s and ahead_s >= _AHEAD_S:
            error = RateLimited()
            error.retry_after_s = max(1, math.ceil(ahead_s - _AHEAD_S))
            raise error
        self.charge(caller, 1)

    def charge(self, caller: str, amount: int) -> None:
        """Count what somebody gets that was let in; it has to wait for that later."""
        if not self._most_per_s:
            return
        now = self._clock()
        self._until[caller] = max(now, self._until.get(caller, now)) + amount / self._most_per_s
        self._until.move_to_end(caller)
        if len(self._until) > MAX_CALLERS:
            # Whoever has asked for nothing for the longest.
            self._until.popitem(last=False)
