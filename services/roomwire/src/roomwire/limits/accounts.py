"""Accounts: how many bytes a process holds for each connection, each user, each class of clients, and all of them. Pure.

Each bound of `roomwire.limits.client` holds for one thing of one connection, and an attacker has many things and many connections;
accounts add them up. Code that keeps something for a client calls `account.hold(size)` with the connection's account
(`Connection.account`), and `account.hold(-size)` when it drops that; the totals above the account follow. Sizes are what the memory
costs: `sys.getsizeof` for texts and bytes, and `DECODED` times the text for JSON that was or will be decoded. A charge is O(1) and never refuses: the limits of a single client stay where they are, and what all clients hold is judged by
the guard of the memory (`roomwire.limits.memory`), to which `Accounts.grown` reports that much was added. When a connection ends,
`close` returns whatever it still held, so no path of an end must be found for it, and later charges have no effect.

What is done for a client is charged elsewhere, to the rate limiters of a connection (`Connection.rates`, `roomwire.server.rates`): one
event of cost n is `charge(now, n)` at the rates of its connection, its user, its address and, while accounts are connected, of all
guests. A connection belongs to the guests, who
share one part of the memory, until a token identifies it: `identify` moves what it holds to the class, and for accounts to the user.
Only users of the kind `account` have a total of their own, because a guest is a new user at will.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from weakref import WeakValueDictionary

from roomwire.limits.classes import ClientClass, class_of

DECODED: Final = 8
"""The number of times that JSON with many small values takes the size of its text once it is decoded."""
FIRST_MARK: Final = 16
"""A holder is beyond its first mark when it holds more than so many times what may wait for a client that does not read."""


class Total:
    """What several connections hold together.

    Attributes:
        held_bytes: The bytes that they hold.
        connections: Their number.

    """

    __slots__ = ("__weakref__", "connections", "held_bytes")

    def __init__(self) -> None:
        self.held_bytes = 0
        self.connections = 0


class Account:
    """What one connection holds.

    Args:
        accounts: The accounts of the process.
        sid: The connection's id, for the log.
        cut: Closes the connection because it holds too much.

    Attributes:
        sid: The connection's id.
        held_bytes: The bytes that the connection holds.
        client_class: Its class.
        user: The id of the user that a token names; empty before that.
        cut: Closes the connection because it holds too much.

    """

    __slots__ = ("_accounts", "_shared", "_totals", "client_class", "cut", "held_bytes", "sid", "user")

    def __init__(self, accounts: "Accounts", sid: str, cut: Callable[[], None]) -> None:
        self._accounts = accounts
        self.sid = sid
        self.cut = cut
        self.held_bytes = 0
        self.client_class = ClientClass.GUESTS
        self.user = ""
        self._shared: Total | None = None
        self._totals: tuple[Total, ...] = (accounts.total, accounts.classes[ClientClass.GUESTS])
        self._enter()

    @property
    def holder_bytes(self) -> int:
        """The bytes that the holder of the connection holds: its user if that is an account, else the connection alone."""
        return self.held_bytes if self._shared is None else self._shared.held_bytes

    def is_beyond(self, max_unread_bytes: int) -> bool:
        """Return whether the process or this holder is beyond its first mark, so that output is not let through any more.

        Args:
            max_unread_bytes: The bytes that may wait for a client that does not read.

        """
        return self._accounts.is_refusing or self.holder_bytes > FIRST_MARK * max_unread_bytes

    def hold(self, size: int) -> None:
        """Charge bytes that are kept for the client from now on; a negative size is of bytes that were dropped."""
        if not self._totals:
            return
        self.held_bytes += size
        for total in self._totals:
            total.held_bytes += size
        if self._accounts.total.held_bytes > self._accounts.look_at_bytes:
            self._accounts.has_grown()

    def identify(self, kind: str, user: str) -> None:
        """Note the user that a token names; a connection with users of several kinds belongs to the class of the first account."""
        client_class = class_of(kind)
        if not self._totals or (self.user and client_class is ClientClass.GUESTS):
            return
        self.user = user
        if client_class is self.client_class or self.client_class is not ClientClass.GUESTS:
            return
        self._leave()
        self.client_class = client_class
        self._totals = (self._accounts.total, self._accounts.classes[client_class])
        if client_class is ClientClass.USERS:
            self._shared = self._accounts.total_of_user(user)
            self._totals = (*self._totals, self._shared)
        self._enter()

    def close(self) -> None:
        """Return what the connection still holds; idempotent."""
        self._leave()
        self.held_bytes, self._totals = 0, ()
        self._accounts.forget(self)

    def _enter(self) -> None:
        for total in self._totals:
            total.held_bytes += self.held_bytes
            total.connections += 1

    def _leave(self) -> None:
        for total in self._totals:
            total.held_bytes -= self.held_bytes
            total.connections -= 1


class Accounts:
    """The accounts of one process.

    Attributes:
        total: What all connections hold.
        classes: What the connections of each class hold.
        is_refusing: Whether new sessions are refused because the process has too little memory.
        is_exhausted: Whether new connections are refused as well.
        look_at_bytes: `grown` is called when the total exceeds this. Initially it never is.
        grown: Called when the total exceeds `look_at_bytes`, from the code that keeps something for a client: it must not close a
            connection. The owner of the function then sets the next mark.

    """

    def __init__(self) -> None:
        self.total = Total()
        self.classes: Mapping[ClientClass, Total] = {each: Total() for each in ClientClass}
        self.is_refusing = False
        self.is_exhausted = False
        self.look_at_bytes: float = float("inf")
        self.grown: Callable[[], None] = lambda: None
        self._open: dict[Account, None] = {}
        self._users: WeakValueDictionary[str, Total] = WeakValueDictionary()

    def open(self, sid: str, cut: Callable[[], None]) -> Account:
        """Open the account of a new connection, which belongs to the guests.

        Args:
            sid: The connection's id, for the log.
            cut: Closes the connection because it holds too much.

        """
        account = Account(self, sid, cut)
        self._open[account] = None
        return account

    def largest(self, excess_bytes: int, client_class: ClientClass | None = None) -> Iterator[Account]:
        """Yield the accounts whose end frees at least so many bytes, those of the largest holders first.

        Args:
            excess_bytes: The bytes to free. Nothing is yielded if this is not positive.
            client_class: The class whose accounts are considered. Default: all.

        """
        candidates = [
            account
            for account in self._open
            if account.held_bytes > 0 and (client_class is None or account.client_class is client_class)
        ]
        # A heap, because a few holders usually suffice.
        heap = [(-one.holder_bytes, -one.held_bytes, place) for place, one in enumerate(candidates)]
        heapq.heapify(heap)
        while heap and excess_bytes > 0:
            account = candidates[heapq.heappop(heap)[2]]
            excess_bytes -= account.held_bytes
            yield account

    @property
    def has_others_than_guests(self) -> bool:
        """Whether a connection of an account or a service is open."""
        return self.classes[ClientClass.GUESTS].connections < self.total.connections

    def held(self) -> Mapping[str, int]:
        """Return the bytes that clients hold, by class."""
        return {each.value: total.held_bytes for each, total in self.classes.items()}

    def has_grown(self) -> None:
        """Report that the total has grown beyond `look_at_bytes`."""
        self.look_at_bytes = float("inf")
        self.grown()

    def total_of_user(self, user: str) -> Total:
        """Return the total of a user's connections."""
        total = self._users.get(user)
        if total is None:
            total = self._users[user] = Total()
        return total

    def forget(self, account: Account) -> None:
        """Remove the account of a connection that has ended; idempotent."""
        self._open.pop(account, None)
