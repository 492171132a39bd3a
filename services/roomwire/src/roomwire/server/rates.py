"""The rate limits of a connection's events: its own, its user's, its address's, and that of all guests. Pure.

Each node counts by itself, and removes users and addresses that have no connection left.
"""

from collections.abc import Iterable
from typing import Final
from weakref import WeakValueDictionary

from roomwire.identity.tokens import User
from roomwire.limits.accounts import Account, Accounts
from roomwire.limits.bounds import Bound
from roomwire.limits.classes import ClientClass
from roomwire.limits.rate import EventRate
from roomwire.protocol.addresses import household

_LONGEST_LEAD_S: Final = 60.0
"""The maximum time for which a guest that took much more than its part is refused because others use the rest."""


class GuestRate(EventRate):
    """The rate of all guests together, and how many of them use it.

    Args:
        per_s: The rate, in events a second.

    Attributes:
        per_s: The same.

    """

    __slots__ = ("_before", "_now", "_second", "per_s")

    def __init__(self, per_s: float) -> None:
        super().__init__(per_s, Bound.EVENTS_OF_GUESTS_PER_S)
        self.per_s = per_s
        self._second = self._before = self._now = 0

    def users(self, second: int, *, is_new: bool) -> int:
        """Return the number of guests that were charged in this second or the last; with `is_new`, count one more."""
        if second != self._second:
            self._before = self._now if second == self._second + 1 else 0
            self._second, self._now = second, 0
        self._now += is_new
        return max(self._before, self._now)


class GuestPart(EventRate):
    """The part of one connection in the rate that all guests share, so that they leave time to others.

    An event is refused if the guests together are ahead of their rate, and this connection is ahead of its part of it: the rate
    divided by the guests that use it. Whoever keeps to its part notices nothing of a guest that does not. Nothing is charged
    while there are no others than guests.

    Args:
        guests: The rate of all guests.
        accounts: The accounts of the process.

    """

    __slots__ = ("_accounts", "_guests", "_second")

    def __init__(self, guests: GuestRate, accounts: Accounts) -> None:
        super().__init__(guests.per_s, guests.bound)
        self._second = -1
        self._guests = guests
        self._accounts = accounts

    def is_exceeded(self, now: float) -> bool:
        """Return whether another event would be too much for the guests and for this one: hot."""
        return self._guests.is_exceeded(now) and super().is_exceeded(now)

    def excess_s(self, now: float) -> float:
        """Return by how many seconds the guests are ahead, or this one, if that is less."""
        return min(self._guests.excess_s(now), super().excess_s(now))

    def charge(self, now: float, number: int = 1) -> None:
        """Count events if others than guests are connected: hot."""
        if self._accounts.has_others_than_guests:
            second, guests = int(now), self._guests
            users = guests.users(second, is_new=second != self._second)
            self._second = second
            if not guests.is_exceeded(now):
                # There was time for all: what this one used beyond its part took nothing from others.
                self.until = now
            guests.charge(now, number)
            super().charge(now, number * users)
            self.until = min(self.until, now + _LONGEST_LEAD_S)


class EventRates:
    """The rates of the clients that are connected to this node.

    Args:
        per_s: Maximum events a second of one connection. `0` disables this limit.
        per_user_per_s: Maximum events a second of one user that a token names, over all its connections to this node. `0`
            disables this limit.
        per_address_per_s: Maximum events a second of one address, of IPv6 one /64, in the same way. `0` disables it.
        of_guests_per_s: Maximum events a second of all guests together while others are connected. `0` disables it.
        accounts: The accounts of the process.

    """

    def __init__(
        self,
        *,
        per_s: float,
        per_user_per_s: float,
        per_address_per_s: float,
        of_guests_per_s: float,
        accounts: Accounts,
    ) -> None:
        self._per_s = per_s
        self._per_user_per_s = per_user_per_s
        self._per_address_per_s = per_address_per_s
        self._accounts = accounts
        self._guests = GuestRate(of_guests_per_s) if of_guests_per_s else None
        self._shared: WeakValueDictionary[tuple[Bound, str, str], EventRate] = WeakValueDictionary()

    def __bool__(self) -> bool:
        return bool(self._per_s or self._per_user_per_s or self._per_address_per_s or self._guests)

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

    def of_class(self, rates: Iterable[EventRate], account: Account) -> tuple[EventRate, ...]:
        """Return the rates of a connection, with its part of the guests' rate if it is one of them, and without it if it is not."""
        distinct = dict.fromkeys(rates)
        others = [rate for rate in distinct if not isinstance(rate, GuestPart)]
        if self._guests is None or account.client_class is not ClientClass.GUESTS:
            return (*others,)
        part = next((rate for rate in distinct if isinstance(rate, GuestPart)), None)
        return (*others, part or GuestPart(self._guests, self._accounts))

    def _of(self, key: tuple[Bound, str, str], per_s: float) -> EventRate:
        rate = self._shared.get(key)
        if rate is None:
            rate = self._shared[key] = EventRate(per_s, key[0])
        return rate
