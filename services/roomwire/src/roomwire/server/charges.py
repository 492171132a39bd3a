"""Charges the rates of a connection for what its events cost beyond an ordinary event; `roomwire.limits.costs` has the prices."""

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Final

from roomwire.engine.connection import Connection
from roomwire.errors import RateLimited
from roomwire.limits import costs
from roomwire.limits.bounds import Bound

_TOO_FAST: Final = {
    Bound.EVENTS_PER_S: "Too many events a second: slow down.",
    Bound.EVENTS_PER_USER_PER_S: "This user sends too many events a second: slow down.",
    Bound.EVENTS_PER_ADDRESS_PER_S: "Too many events a second from this address: slow down.",
    Bound.EVENTS_OF_GUESTS_PER_S: "All guests together send too many events a second: try again later, or sign in.",
}
_OWN: Final = Bound.EVENTS_PER_S
"""A constant, because looking up an enum's member is slow before Python 3.12."""
_HALF_S: Final = 0.5
"""Half of what `EventRate` lets a connection use at once."""


class Charges:
    """Charges connections; nothing is charged where there are no rates.

    Args:
        clock: Monotonic seconds, the clock of the rates.
        exceeded: Counts an exceeded limit.

    """

    def __init__(self, clock: Callable[[], float], exceeded: Callable[[Bound], None]) -> None:
        self._clock = clock
        self._exceeded = exceeded

    def charge(self, connection: Connection, cost: int) -> None:
        """Charge the rates of a connection, of its user and of its address, even if that exceeds them."""
        if cost > 0 and connection.rates:
            now = self._clock()
            for rate in connection.rates:
                rate.charge(now, cost)

    def wait_of(self, connection: Connection) -> tuple[Bound | None, float]:
        """Return the rate of a connection that is exceeded most, and the seconds until it is not; None and 0.0 if none is."""
        now = self._clock()
        delays = [(rate.delay_s(now), rate.bound) for rate in connection.rates]
        delay_s, bound = max(delays, default=(0.0, None), key=itemgetter(0))
        return (bound, delay_s) if delay_s else (None, 0.0)

    def refusal_of_waiting(self, connection: Connection, owed: Callable[[], int]) -> RateLimited | None:
        """Return the error for an event that was accepted and waited, if those before it have used up the connection's rate: hot.

        What an event costs is known when it has been handled: of events that are sent together, each is accepted as if the others
        cost no more than their price.

        Args:
            connection: The connection.
            owed: Returns what it has been charged in advance, for this event and for those that still wait.

        """
        now = self._clock()
        for rate in connection.rates:
            if rate.bound is _OWN and rate.is_exceeded(now) and rate.is_overdrawn(now, owed()):
                self._exceeded(rate.bound)
                return too_fast(rate.bound)
        return None

    def pause_of(self, connection: Connection) -> float:
        """Return the seconds for which an answer in many pieces has to wait, so that it leaves half of each rate to other events."""
        now = self._clock()
        return max((rate.excess_s(now) + _HALF_S for rate in connection.rates), default=0.0)

    def answered(self, connection: Connection, frames: Iterable[bytes]) -> None:
        """Charge the bytes of an answer."""
        self.charge(connection, costs.of_answer(sum(map(len, frames))))


def too_fast(bound: Bound) -> RateLimited:
    """Return the error for an event that exceeds a rate."""
    return RateLimited(_TOO_FAST[bound])
