"""Who is in which room on this node, and delivery to them.

A python-socketio client manager whose costs do not depend on how many rooms and clients exist: joining,
leaving, listing and disconnecting cost what the client's own rooms cost, and a room message is encoded and
framed once and put into each member's outbox, without a task for each.
"""

import enum
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final, Protocol

import socketio

from roomwire.engine.connection import Connection
from roomwire.engine.engine import Engine
from roomwire.engine.session import Reason
from roomwire.engine.turn import Outlet
from roomwire.errors import RateLimited
from roomwire.identity.tokens import User
from roomwire.limits.bounds import Bound
from roomwire.protocol.codec import event_frames
from roomwire.protocol.payloads import arguments_of, event_payload, payload_frames, skipped_sids
from roomwire.rooms.handshake import Handshake
from roomwire.rooms.hold_buffer import HoldBuffer

TOO_MANY_ACKS: Final = "Too many acks of this client are awaited: try again later."


class Phase(enum.Enum):
    """Where a member is in its life."""

    CONNECTING = enum.auto()
    CONNECTED = enum.auto()
    PARTING = enum.auto()


class Member:
    """One client in one namespace.

    Attributes:
        sid: Its id there; a room of its own.
        namespace: The namespace.
        connection: The transport's side of it; it may be a member of other namespaces as well.
        outlet: Where what is said to it goes: the connection, or what holds it back until there is a verdict.
        phase: Where it is in its life.
        rooms: The rooms it is in, in the order of joining.
        user: Who it is; known once it has been authenticated.
        handshake: What it brought when it connected.
        opened_at: When it connected, by the monotonic clock; 0.0 before that.
        events: How many of its events were taken.
        lane: What takes its events where the namespace is a `Gateway`; else None.
        tenure: Its right to speak for its session; None before there is one.
        pid: The secret by which it can be recovered; None if it cannot be.
        recovered: Whether it was recovered, and gets what it missed.
        is_lost: Whether its transport was lost, so that its session waits for it.
        handling: How many of its events are being handled by functions, outside of a lane.

    """

    __slots__ = (
        "_rooms",
        "connection",
        "events",
        "handling",
        "handshake",
        "is_lost",
        "lane",
        "namespace",
        "opened_at",
        "outlet",
        "phase",
        "pid",
        "recovered",
        "sid",
        "tenure",
        "user",
    )

    user: User
    handshake: Handshake

    def __init__(self, sid: str, namespace: str, connection: Connection) -> None:
        self.sid = sid
        self.namespace = namespace
        self.connection = connection
        # Until there is a verdict about it, it hears nothing.
        limits = connection.state.limits
        self.outlet: Outlet = HoldBuffer(
            partial(connection.close, Reason.SLOW, Bound.HELD),
            max_frames=limits.max_held_frames,
            max_bytes=limits.max_held_bytes,
        )
        self.phase = Phase.CONNECTING
        self.opened_at = 0.0
        self.events = 0
        self.handling = 0
        self.lane: Any = None
        self.tenure: Any = None
        self.pid: str | None = None
        self.recovered = False
        self.is_lost = False
        self._rooms: dict[Any, None] | None = None

    @property
    def rooms(self) -> Collection[Any]:
        """The rooms it is in, beside that of its own id."""
        return self._rooms or ()

    @property
    def is_released(self) -> bool:
        """Whether nothing that is said to it is held back any more."""
        return self.outlet is self.connection

    def release(self, first: Iterable[bytes] = ()) -> None:
        """Let what was held back for it follow the verdict, which has gone to the connection itself.

        Args:
            first: What precedes it.

        """
        held, self.outlet = self.outlet, self.connection
        for frame in (*first, *held.outbox):
            self.connection.put(frame)
        # The turn may still look whether it has become too much.
        held.outbox.clear()

    def note_lost(self) -> None:
        """Note that its transport was lost; who said goodbye before that, and is being parted from, is not lost."""
        if self.phase is not Phase.PARTING:
            self.is_lost = True

    def handled(self, _: object) -> None:
        """Note that one of its events is handled: called with the task that handled it."""
        self.handling -= 1

    def joined(self, room: Any) -> None:
        """Note that it is in a room."""
        if self._rooms is None:
            self._rooms = {}
        self._rooms[room] = None

    def left(self, room: Any) -> None:
        """Note that it is in a room no more."""
        if self._rooms is not None:
            self._rooms.pop(room, None)


class NeedsEngine(Protocol):
    """What rooms need of the server."""

    eio: Engine

    def expect_connect(self, eio_sid: str) -> None:
        """Close a connection unless it is in a namespace before long."""


class Rooms(socketio.AsyncManager):  # type: ignore[misc] # python-socketio has no types
    """The rooms of this node.

    Attributes:
        rooms: namespace → room → id → member, as python-socketio has it; the room None is everybody. A room
            that is an id is not in there: its only member is found among everybody.

    """

    server: NeedsEngine
    rooms: dict[str, dict[Any, dict[str, Member]]]

    def member(self, sid: str | None, namespace: str) -> Member | None:
        """Return who has an id in a namespace, whatever its phase."""
        everybody = self._everybody(namespace)
        return None if sid is None else everybody.get(sid)

    def members(self, namespace: str, room: Any) -> Collection[Member]:
        """Return who is in a room, in one of several, or (None) in the namespace; do not change it meanwhile."""
        rooms = self.rooms.get(namespace)
        if rooms is None:
            return ()
        if hasattr(room, "__len__") and not isinstance(room, str):
            return {member.sid: member for one in room for member in self.members(namespace, one)}.values()
        found = rooms.get(room)
        if found is not None:
            return found.values()
        alone = rooms[None].get(room)
        return () if alone is None else (alone,)

    def count(self) -> int:
        """Return how many rooms have members here, beside everybody's and each one's own."""
        return sum(len(rooms) - 1 for rooms in self.rooms.values())

    def _everybody(self, namespace: str) -> Mapping[str, Member]:
        rooms = self.rooms.get(namespace)
        return {} if rooms is None else rooms[None]

    async def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: Any = None,
        skip_sid: Any = None,
        callback: Any = None,
        to: Any = None,
        **kwargs: Any,  # noqa: ARG002 - stock's
    ) -> None:
        """Deliver an event to the members of a room on this node; as `socketio.AsyncManager.emit`."""
        members = self._not_skipped(self.members(namespace, to or room), skip_sid)
        if members:
            self.say(members, namespace, [event, *arguments_of(data)], callback)

    def say(self, members: Collection[Member], namespace: str, data: list[Any], callback: Any = None) -> None:
        """Send an event, its name and its arguments, to members: hot.

        Args:
            members: Whom to.
            namespace: Theirs.
            data: The event's name and its arguments.
            callback: Gets the answer of each. Default: no answer is asked for.

        Of several members, one of which too many answers are awaited is left out: it gives none.

        Raises:
            RateLimited: There is only one, and too many answers of it are awaited; it was not sent.

        """
        turn = self.server.eio.turn
        if callback is None:
            turn.put_all([member.outlet for member in members], event_frames(namespace, data))
            return
        # Encoded first: what cannot be shall leave no answer awaited.
        payload = event_payload(data)
        for member in members:
            try:
                ack_id = self._generate_ack_id(member.sid, callback)
            except RateLimited:
                if len(members) == 1:
                    raise
                continue
            turn.put_all((member.outlet,), payload_frames(namespace, payload, ack_id=ack_id))

    @staticmethod
    def _not_skipped(members: Collection[Member], skip_sid: Any) -> Collection[Member]:
        if skip_sid is None:
            return members
        skipped = skipped_sids(skip_sid)
        return [member for member in members if member.sid not in skipped]

    def forget_callback(self, sid: str, callback: Any) -> None:
        """Forget what waits for an ack of a client; nothing happens if it has come."""
        pending = self.callbacks.get(sid, {})
        for ack_id in [ack_id for ack_id, waiting in pending.items() if waiting is callback]:
            del pending[ack_id]

    def _generate_ack_id(self, sid: str, callback: Any) -> int:
        """Have an ack of a client awaited.

        Raises:
            RateLimited: One too many; those that are awaited stay so.

        """
        # Beside them stands, by python-socketio's choice under 0, what counts their ids.
        if len(self.callbacks.get(sid, ())) > self.server.eio.limits.max_pending_acks:
            self.server.eio.exceeded(Bound.PENDING_ACKS)
            raise RateLimited(TOO_MANY_ACKS)
        ack_id: int = super()._generate_ack_id(sid, callback)
        return ack_id

    # What follows is python-socketio's interface of a manager, in O(1).

    def get_participants(self, namespace: str, room: Any) -> Iterator[tuple[str, str]]:
        """Yield the ids of a room's members: in the namespace, and of their connections."""
        for member in list(self.members(namespace, room)):
            yield member.sid, member.connection.sid

    def get_rooms(self, sid: str, namespace: str) -> list[Any]:
        """Return the rooms a client is in, that of its own id included."""
        member = self.member(sid, namespace)
        return [] if member is None else [sid, *member.rooms]

    async def pre_connect(self, eio_sid: str, namespace: str) -> str | None:
        """Make a client a member that is connecting; None if it is one already."""
        sid = self.server.eio.generate_id()
        connection = self.server.eio.sockets.get(eio_sid)
        if connection is None or member_of(connection, namespace) is not None:
            return None
        self.admit(Member(sid, namespace, connection))
        self.basic_enter_room(sid, namespace, None, eio_sid=eio_sid)
        self.basic_enter_room(sid, namespace, sid, eio_sid=eio_sid)
        return sid

    def admit(self, member: Member) -> None:
        """Have a member known by its id, and hear what is said to it."""
        self.rooms.setdefault(member.namespace, {None: {}})[None][member.sid] = member
        if member not in member.connection.members:
            member.connection.members = (*member.connection.members, member)

    async def connect(self, sid: str, namespace: str) -> str | None:
        """Make a member that is connecting a connected one."""
        member = self.member(sid, namespace)
        if member is None:
            # python-socketio allows a connection's id here, for a client that has not been announced.
            found = await self.pre_connect(sid, namespace)
            member = self.member(found, namespace)
        if member is None:
            return None
        member.phase = Phase.CONNECTED
        return member.sid

    def is_pre_connected(self, sid: str, namespace: str) -> bool:
        """Say whether a client is connecting."""
        return self._is(sid, namespace, Phase.CONNECTING)

    def is_connected(self, sid: str, namespace: str) -> bool:
        """Say whether a client is connected, and not about to part."""
        return self._is(sid, namespace, Phase.CONNECTED)

    def _is(self, sid: str, namespace: str, phase: Phase) -> bool:
        member = self.member(sid, namespace)
        return member is not None and member.phase is phase

    def sid_from_eio_sid(self, eio_sid: str, namespace: str) -> str | None:
        """Return the id that a connection has in a namespace."""
        connection = self.server.eio.sockets.get(eio_sid)
        member = None if connection is None else member_of(connection, namespace)
        return None if member is None else member.sid

    def eio_sid_from_sid(self, sid: str, namespace: str) -> str | None:
        """Return the id of a client's connection."""
        member = self.member(sid, namespace)
        return None if member is None else member.connection.sid

    def pre_disconnect(self, sid: str, namespace: str) -> str | None:
        """Note that a client is about to part; its disconnect handler may still ask for what it was in."""
        member = self.member(sid, namespace)
        if member is None:
            return None
        member.phase = Phase.PARTING
        return member.connection.sid

    def is_sid_room(self, namespace: str, room: Any) -> bool:
        """Say whether a room is somebody's own."""
        return room in self._everybody(namespace)

    def basic_enter_room(self, sid: str, namespace: str, room: Any, eio_sid: str | None = None) -> None:  # noqa: ARG002 - stock's
        """Put a client into a room; everybody's and its own need nothing."""
        if namespace not in self.rooms:
            raise ValueError("sid is not connected to requested namespace")
        if room != sid and self.is_sid_room(namespace, room):
            raise ValueError("cannot enter a sid room")
        member = self._everybody(namespace)[sid]
        if room is None or room == sid:
            return
        self.rooms[namespace].setdefault(room, {})[sid] = member
        member.joined(room)

    def basic_leave_room(self, sid: str, namespace: str, room: Any) -> None:
        """Take a client out of a room; nothing happens if it is not in there."""
        rooms = self.rooms.get(namespace, {})
        found = None if room is None else rooms.get(room)
        member = None if found is None else found.pop(sid, None)
        if member is None:
            return
        member.left(room)
        if not found:
            del rooms[room]

    def basic_disconnect(self, sid: str, namespace: str, **kwargs: Any) -> None:  # noqa: ARG002 - stock's
        """Forget a client, walking only over the rooms that it is in."""
        member = self.member(sid, namespace)
        if member is None:
            return
        for room in list(member.rooms):
            self.basic_leave_room(sid, namespace, room)
        self.basic_leave_room(sid, namespace, sid)
        del self.rooms[namespace][None][sid]
        if not self.rooms[namespace][None]:
            del self.rooms[namespace]
        connection = member.connection
        connection.members = tuple(other for other in connection.members if other is not member)
        if not connection.members and not connection.closed:
            self.server.expect_connect(connection.sid)
        member.lane = None  # it holds the member
        self.callbacks.pop(sid, None)


def member_of(connection: Connection, namespace: str) -> Member | None:
    """Return what a connection is in a namespace: hot."""
    for member in connection.members:
        if member.namespace == namespace:
            found: Member = member
            return found
    return None
