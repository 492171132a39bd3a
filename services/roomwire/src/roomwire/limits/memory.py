"""The guard of a process's memory: whom to refuse and whom to close, so that what clients send never exhausts it. Pure.

The measured use decides, because it contains everything, and the accounts (`roomwire.limits.accounts`) tell which clients hold it: a
message to a thousand clients that do not read is charged a thousand times but kept once. There are two marks between the use
without clients and the limit. From the first one, new sessions are refused until the use has fallen again. Above the second one, new
connections are refused as well, and the largest holders are closed first, until the rest is below it. The guests together have a share of what clients may hold below the second mark, and are closed, again
the largest first, when they exceed it, so that their excess never leads to the first mark.

If clients hold less than the excess, closing them would not help: something else has grown, such as a leak in a handler. Then nobody
is closed, new sessions stay refused, and after `LEAK_S` the guard gives up, so that its process can end in order and start again
before the system kills it. While the use falls, memory of clients that have ended is being returned to the system, which is no leak.
"""

from collections.abc import Sequence
from typing import Final

from roomwire.limits.accounts import Account, Accounts
from roomwire.limits.classes import ClientClass

REFUSED_FROM: Final = 0.8
"""The first mark, as a part of the memory that the process may use in addition to what it uses without clients."""
ADMITTED_BELOW: Final = 0.75
"""The part of that memory below which new sessions are admitted again."""
CLOSED_FROM: Final = 0.9
"""The second mark, as a part of that memory."""
LEAK_S: Final = 5.0
"""The time for which the use may stay above the second mark, without falling, although no client holds it."""
FREED_S: Final = 1.0
"""The time within which the memory of closed connections is free for others."""
_STEPS: Final = 64
"""The use is measured anew whenever clients hold a further one of so many parts of the limit."""
_SLACK: Final = 0.1
"""The part of a share that is freed in addition, so that the next byte does not exceed it again."""


class MemoryGuard:
    """Decides about one process.

    Args:
        accounts: What its clients hold.
        limit_bytes: The memory that the process may use.
        guests_share: The part of what clients may hold that all guests together may hold.

    Attributes:
        limit_bytes: The memory that the process may use.
        base_bytes: The measured use without clients; 0 until `begin`.
        has_given_up: Whether the use has been above the second mark for `LEAK_S`, without falling, although no client holds it.

    """

    def __init__(self, accounts: Accounts, *, limit_bytes: int, guests_share: float) -> None:
        self.limit_bytes = limit_bytes
        self.base_bytes = 0
        self.has_given_up = False
        self._accounts = accounts
        self._guests_share = guests_share
        self._freed: list[tuple[float, int]] = []
        self._leaks_since: float | None = None
        self._leaked_bytes = 0

    @property
    def is_leaking(self) -> bool:
        """Whether the use is above the second mark although no client holds it."""
        return self._leaks_since is not None

    def begin(self, used_bytes: int) -> None:
        """Note the use without clients, and watch from now on."""
        self.base_bytes = used_bytes
        self._accounts.look_at_bytes = self.limit_bytes / _STEPS

    def is_near(self, used_bytes: int) -> bool:
        """Return whether a use is beyond the first mark."""
        return used_bytes >= self._mark(REFUSED_FROM)

    def judge(self, used_bytes: int, now: float) -> int:
        """Judge the measured use: admit or refuse from now on; return the use without what closed connections free."""
        self._freed = [(at, size) for at, size in self._freed if now - at < FREED_S]
        self._accounts.is_exhausted = used_bytes > self._mark(CLOSED_FROM)
        # The memory of connections that were closed just now may still be in use.
        used_bytes -= sum(size for _, size in self._freed)
        if self.is_near(used_bytes):
            self._accounts.is_refusing = True
        elif used_bytes < self._mark(ADMITTED_BELOW):
            self._accounts.is_refusing = False
        self._accounts.look_at_bytes = self._accounts.total.held_bytes + self.limit_bytes / _STEPS
        return used_bytes

    def look(self, used_bytes: int, now: float) -> Sequence[Account]:
        """Judge the measured use as `judge` does, and return the accounts of the connections to close.

        Args:
            used_bytes: The memory that the process uses.
            now: Monotonic seconds.

        """
        accounts = self._accounts
        used_bytes = self.judge(used_bytes, now)
        chosen = [*self._guests_in_excess(used_bytes)]
        of_guests = sum(one.held_bytes for one in chosen)
        excess = used_bytes - self._mark(CLOSED_FROM) - of_guests
        if excess <= 0:
            self._leaks_since = None
        elif accounts.total.held_bytes < excess:
            if self._leaks_since is None or used_bytes < self._leaked_bytes - self.limit_bytes / _STEPS:
                self._leaks_since, self._leaked_bytes = now, used_bytes
            self.has_given_up = now - self._leaks_since >= LEAK_S
        else:
            self._leaks_since = None
            guests = {*chosen}
            largest = accounts.largest(self._with_slack(excess) + of_guests)
            chosen += [one for one in largest if one not in guests]
        freed = sum(one.held_bytes for one in chosen)
        if freed:
            self._freed.append((now, freed))
        accounts.look_at_bytes = accounts.total.held_bytes - freed + self.limit_bytes / _STEPS
        return chosen

    def _mark(self, part: float) -> float:
        return self.base_bytes + part * (self.limit_bytes - self.base_bytes)

    @property
    def _room_bytes(self) -> float:
        """What clients may hold below the second mark."""
        return self._mark(CLOSED_FROM) - self.base_bytes

    def _guests_in_excess(self, used_bytes: int) -> Sequence[Account]:
        """Return the accounts of guests to close because all guests hold more than their share."""
        share = self._room_bytes * self._guests_share
        held = self._accounts.classes[ClientClass.GUESTS].held_bytes
        excess = min(held, used_bytes - self.base_bytes) - share
        if excess <= 0:
            return ()
        return [*self._accounts.largest(int(excess + share * _SLACK), ClientClass.GUESTS)]

    def _with_slack(self, excess: float) -> int:
        return int(excess + self._room_bytes * _SLACK)
