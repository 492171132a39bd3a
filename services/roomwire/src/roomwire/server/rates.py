"""The rate limits of a connection's events: its own, its user's, its address's. Pure.

Each node counts by itself, and removes users and addresses that have no connection left.
"""

from weakref import WeakValueDictionary

from roomwire.identity.tokens import User
from roomwire.limits.bounds import Bound
from roomwire.limits.rate import EventRate
from roomwire.protocol.addresses import household


class EventRates:
    """The rates of the clients that are connected to this node.

    Args:
        per_s: Maximum events a second of one connection. `0` disables this limit.
        per_user_per_s: Maximum events a second of one user that a token names, over all its connections to this node. `0`
            disables this limit.
        per_address_per_s: Maximum events a second of one address, of IPv6 one /64, in the same way. `0` disables it.

    """

    def __init__(self, *, per_s: float, per_user_per_s: float, per_address_per_s: float) -> None:
        self._per_s = per_s
        self._per_user_per_s = per_user_per_s
        self._per_address_per_s = per_address_per_s
        self._shared: WeakValueDictionary[tuple[Bound, str, str], EventRate] = WeakValueDictionary()

    def __bool__(self) -> bool:
        return max(self._per_s, self._per_user_per_s, self._per_address_per_s) > 0

    def of_connection(self, address: str) -> tuple[EventRate, ...]:
        """Return the rates that apply to a new connection from an address."""
        own = (EventRate(self._per_s, Bound.EVENTS_PER_S),) if self._per_s else ()
        if not self._per_address_per_s:
            return own
        key = (Bound.EVENTS_PER_ADDRESS_PER_S, "", household(address))
        return (*own, self._of(key, self._per_address_per_s))

    def of_user(self, user: User) -> tuple[EventRate, ...]:
        """Return the rate that all connections of a user share, or None for a client without a token."""
        if not self._per_user_per_s or user.kind == "anonymous":
            return ()
        return (self._of((Bound.EVENTS_PER_USER_PER_S, user.kind, user.id), self._per_user_per_s),)

    def _of(self, key: tuple[Bound, str, str], per_s: float) -> EventRate:
        rate = self._shared.get(key)
        if rate is None:
            rate = self._shared[key] = EventRate(per_s, key[0])
        return rate
