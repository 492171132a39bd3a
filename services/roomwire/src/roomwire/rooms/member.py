"""One client in one namespace, and its state."""

import enum
import operator
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any, Protocol

from roomwire.engine.connection import Connection
from roomwire.engine.session import Reason
from roomwire.engine.turn import Outlet
from roomwire.identity.tokens import User
from roomwire.limits.bounds import Bound
from roomwire.limits.new_rooms import NewRooms
from roomwire.log.sessions import Tenure
from roomwire.log.streams import Stream
from roomwire.rooms.handshake import Handshake
from roomwire.rooms.hold_buffer import HoldBuffer


class Phase(enum.Enum):
    """The state of a member."""

    CONNECTING = enum.auto()
    CONNECTED = enum.auto()
    PARTING = enum.auto()


class EventLane(Protocol):
    """Handles the events of a member whose namespace is a `Gateway`. `roomwire.gateways.lane` has the only implementation."""

    def admit_text(self, text: str, start: int, ack_id: int | None) -> bool:
        """Accept a raw event whose JSON begins at `start`; return False if only `admit` can handle it."""

    def admit(self, event: str, body: Sequence[object], ack_id: int | None) -> None:
        """Accept an event with its arguments."""

    @property
    def owed(self) -> int:
        """What its waiting events have been charged."""


class RoomWatch(Protocol):
    """Is told of the rooms of a member whose namespace is a `Gateway`. `roomwire.gateways.memberships` implements it."""

    async def joined(self, room: object) -> None:
        """Note that the member is in a room."""

    async def left(self, room: object) -> None:
        """Note that the member is no longer in a room."""


class Member:
    """One client in one namespace.

    Attributes:
        sid: The client's id in the namespace, which is also the name of its own room.
        namespace: The namespace.
        connection: The client's connection; it may have members in other namespaces as well.
        outlet: The destination of frames for the client: the connection, or a buffer that holds them until the client is admitted.
        phase: Its current phase.
        rooms: Its rooms, in the order of joining.
        user: The client's user; known once it has been authenticated.
        handshake: The client's handshake.
        opened_at: When it connected, by the monotonic clock; 0.0 before that.
        events: The number of its events that were accepted.
        lane: Handles its events if the namespace is a `Gateway`; else None.
        watch: Is told of its rooms; None if there is no watch.
        tenure: The node's hold of its session; None before there is one.
        new_rooms: Counts the rooms that it opens; None before the first.
        pid: The secret by which it can be recovered; None if it cannot be.
        recovered: Whether it was recovered, and gets the messages that it missed.
        is_lost: Whether its transport was lost, so that its session waits for it.
        handling: The number of its events that functions, outside of a lane, are handling.
        is_urgent: Whether its end must not be delayed, so that nothing for it waits; see `roomwire.rooms.order`.
        waiting_bytes: The size of the messages that wait for what this node published.
        line: Its events that are not handled yet; kept by the server. None before one had to wait.

    """

    __slots__ = (
        "_rooms",
        "connection",
        "events",
        "handling",
        "handshake",
        "is_lost",
        "is_urgent",
        "lane",
        "line",
        "namespace",
        "new_rooms",
        "opened_at",
        "outlet",
        "phase",
        "pid",
        "recovered",
        "sid",
        "tenure",
        "user",
        "waiting_bytes",
        "watch",
    )

    user: User
    handshake: Handshake

    def __init__(self, sid: str, namespace: str, connection: Connection) -> None:
        self.sid = sid
        self.namespace = namespace
        self.connection = connection
        # The client receives nothing before the decision about it.
        limits = connection.state.limits
        self.outlet: Outlet = HoldBuffer(
            partial(connection.close, Reason.SLOW, Bound.HELD),
            max_frames=limits.max_held_frames,
            max_bytes=limits.max_held_bytes,
            hold=connection.account.hold,
            is_beyond=connection.account.is_beyond,
        )
        self.phase = Phase.CONNECTING
        self.opened_at = 0.0
        self.events = 0
        self.handling = 0
        self.lane: EventLane | None = None
        self.line: Any = None
        self.watch: RoomWatch | None = None
        self.tenure: Tenure | None = None
        self.new_rooms: NewRooms | None = None
        self.pid: str | None = None
        self.recovered = False
        self.is_lost = False
        self.is_urgent = False
        self.waiting_bytes = 0
        self._rooms: dict[object, Stream] | None = None

    @property
    def rooms(self) -> Collection[object]:
        """The rooms of the member, without its own."""
        return self._rooms or ()

    @property
    def streams(self) -> Collection[Stream]:
        """The streams that carry its rooms."""
        return () if self._rooms is None else self._rooms.values()

    @property
    def is_released(self) -> bool:
        """Whether no frame of the member is held back any more."""
        return self.outlet is self.connection

    def release(self, first: Iterable[bytes] = ()) -> None:
        """Release the frames that were held back. The decision itself has gone to the connection before.

        Args:
            first: Frames that precede them.

        """
        held, self.outlet = self.outlet, self.connection
        for frame in (*first, *held.outbox):
            self.connection.put(frame)
        # The turn may still check the limits.
        held.outbox.clear()
        held.flush()

    def drop_held(self) -> None:
        """Drop the frames that were held back, because the client is refused; do nothing after `release`."""
        if not self.is_released:
            self.outlet.outbox.clear()
            self.outlet.flush()

    def note_lost(self) -> None:
        """Note that the transport was lost. A client that disconnected before is not lost."""
        if self.phase is not Phase.PARTING:
            self.is_lost = True

    def joined(self, room: object, stream: Stream) -> None:
        """Note that the member is in a room, and which stream carries the room."""
        if self._rooms is None:
            self._rooms = {}
        self._rooms[room] = stream

    def left(self, room: object) -> Stream | None:
        """Note that the member has left a room; return the stream that carried the room."""
        return None if self._rooms is None else self._rooms.pop(room, None)


members_of: Callable[[Connection], tuple[Member, ...]] = operator.attrgetter("members")
"""Returns the members of a connection, one for each namespace: hot. The engine stores them without knowing what they are."""


def member_of(connection: Connection, namespace: str) -> Member | None:
    """Return the member of a connection in a namespace: hot."""
    for member in members_of(connection):
        if member.namespace == namespace:
            return member
    return None
