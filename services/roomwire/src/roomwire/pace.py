"""How fast events may come: over one connection, over all of a user's, over all of an address'. Pure.

Each node counts for itself. Who has no connection any more is forgotten.
"""

from typing import Final
from weakref import WeakValueDictionary

from roomwire.addresses import household
from roomwire.bounds import Bound
from roomwire.tokens import User

_AHEAD_S: Final = 1.0
"""A second's worth may come at once."""

_ROUNDING_S: Final = 0.000_1


class Pace:
    """What somebody has used of a rate.

    Args:
        per_s: The rate, in events a second.
        bound: What is exceeded beyond it.

    Attributes:
        until: The time up to which it is used.
        bound: What is exceeded beyond it.

    """

    __slots__ = ("__weakref__", "_interval_s", "bound", "until")

    def __init__(self, per_s: float, bound: Bound) -> None:
        self.until = 0.0
        self.bound = bound
        self._interval_s = 1.0 / per_s

    def is_exceeded(self, now: float) -> bool:
        """Say whether another event would be more than a second's worth ahead: hot."""
        return self.until - now >= _AHEAD_S

    def delay_s(self, now: float) -> float:
        """Return in how many seconds the next event may come; 0.0: now."""
        return max(self.until - now - _AHEAD_S + _ROUNDING_S, 0.0) if self.is_exceeded(now) else 0.0

    def take(self, now: float) -> None:
        """Count an event: hot."""
        self.until = max(self.until, now) + self._interval_s


class Paces:
    """Knows the paces of those who are connected to this node.

    Args:
        per_s: Most events a second of a connection. 0: any number.
        per_user_per_s: Of a user that a token names, over all its connections here. 0: any number.
        per_address_per_s: Of an address, of IPv6 of one /64, the same. 0: any number.

    """

    def __init__(self, *, per_s: float, per_user_per_s: float, per_address_per_s: float) -> None:
        self._per_s = per_s
        self._per_user_per_s = per_user_per_s
        self._per_address_per_s = per_address_per_s
        self._shared: WeakValueDictionary[tuple[Bound, str, str], Pace] = WeakValueDictionary()

    def __bool__(self) -> bool:
        return max(self._per_s, self._per_user_per_s, self._per_address_per_s) > 0

    def of_connection(self, address: str) -> tuple[Pace, ...]:
        """Return what a new connection from an address has to keep to."""
        own = (Pace(self._per_s, Bound.EVENTS_PER_S),) if self._per_s else ()
        if not self._per_address_per_s:
            return own
        key = (Bound.EVENTS_PER_ADDRESS_PER_S, "", household(address))
        return (*own, self._of(key, self._per_address_per_s))

    def of_user(self, user: User) -> tuple[Pace, ...]:
        """Return what all connections of a user have to keep to together; nothing for who has no token."""
        if not self._per_user_per_s or user.kind == "anonymous":
            return ()
        return (self._of((Bound.EVENTS_PER_USER_PER_S, user.kind, user.id), self._per_user_per_s),)

    def _of(self, key: tuple[Bound, str, str], per_s: float) -> Pace:
        pace = self._shared.get(key)
        if pace is None:
            pace = self._shared[key] = Pace(per_s, key[0])
        return pace
