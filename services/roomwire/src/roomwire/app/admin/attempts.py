"""Limits logins: the failures of each address, and the rate of all logins of this process. Pure except for the clock.

A login costs a password hash, so it is charged before it is checked, and given back if it succeeds.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from roomwire.errors import RateLimited
from roomwire.limits.rate import RateLimiter
from roomwire.protocol.addresses import household

MAX_FAILURES: Final = 10
WINDOW_S: Final = 300.0
MAX_LOGINS_PER_S: Final = 1.0
MAX_ADDRESSES: Final = 10_000


class Attempts:
    """Counts logins.

    Args:
        clock: Monotonic seconds.

    """

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._all = RateLimiter(MAX_LOGINS_PER_S)
        self._failures: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def begin(self, address: str) -> None:
        """Charge a login as a failure of its address, until `succeed`.

        Raises:
            RateLimited: The address has failed `MAX_FAILURES` times within `WINDOW_S`, or this process has just checked another
                login; nothing was charged.

        """
        now, where = self._clock(), household(address)
        began, failures = self._failures.get(where, (now, 0))
        if now - began >= WINDOW_S:
            began, failures = now, 0
        if failures >= MAX_FAILURES:
            raise _limited(began + WINDOW_S - now)
        if self._all.is_exceeded(now):
            raise _limited(self._all.delay_s(now))
        self._all.charge(now)
        self._failures[where] = (began, failures + 1)
        self._failures.move_to_end(where)
        if len(self._failures) > MAX_ADDRESSES:
            # The address whose last login is the oldest.
            self._failures.popitem(last=False)

    def succeed(self, address: str) -> None:
        """Forget the failures of an address, whose login succeeded."""
        self._failures.pop(household(address), None)


def _limited(wait_s: float) -> RateLimited:
    error = RateLimited()
    error.retry_after_s = max(1, math.ceil(wait_s))
    return error
