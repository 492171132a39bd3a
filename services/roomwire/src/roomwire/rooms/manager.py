"""The rooms as python-socketio knows them: its client manager.

The manager keeps the registry consistent with the sessions in the log, and asks other nodes about their clients. A join, a leave, a
list of rooms or a disconnect of a member costs only as much as its own rooms.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import Final, Protocol

import socketio

from roomwire.engine.engine import Engine
from roomwire.engine.session import Reason
from roomwire.errors import OutcomeUnknown, RateLimited
from roomwire.limits.bounds import Bound
from roomwire.log.contract import Fenced, Log
from roomwire.log.kept import Keep
from roomwire.log.sessions import is_sid
from roomwire.log.streams import Stream, namespace_stream, parse_stream, room_of, travelling_name
from roomwire.log.targets import stream_of, streams_to
from roomwire.protocol.payloads import skipped_sids
from roomwire.protocol.wire_format import NATIVE, WireFormat
from roomwire.rooms.delivery import Delivery
from roomwire.rooms.elsewhere import Elsewhere
from roomwire.rooms.emit import Emit
from roomwire.rooms.member import Member, Phase, member_of
from roomwire.rooms.order import Order
from roomwire.rooms.registry import Registry
from roomwire.rooms.stock_rooms import StockRooms

TOO_MANY_ACKS: Final = "Too many acks of this client are pending: try again later."


def _forgotten(_: Member) -> None:
    """Nothing else knows the member."""


class NeedsEngine(Protocol):
    """The parts of the server that rooms need. python-socketio passes the server to its manager."""

    eio: Engine

    def expect_connect(self, eio_sid: str) -> None:
        """Close a connection unless it connects to a namespace in time."""


class Rooms(socketio.AsyncManager):  # type: ignore[misc] # python-socketio has no types
    """The rooms of this node, and the access to those of other nodes.

    Args:
        log: Stores the memberships of sessions.
        registry: The members on this node.
        delivery: Publishes messages and delivers them to the members.
        order: Keeps what bypasses the log behind what was published.
        elsewhere: Reaches the clients of other nodes.
        wire: The form of packets on the wire.
        finish: Releases the session of a member that is gone.
        gone: Is told of each member that is gone. Default: nothing is.

    Attributes:
        log: The log.
        rooms: The rooms as in python-socketio; see `StockRooms`.
        member, members, count: See `Registry`.

    """

    server: NeedsEngine

    def __init__(
        self,
        log: Log,
        registry: Registry,
        delivery: Delivery,
        elsewhere: Elsewhere,
        *,
        wire: WireFormat = NATIVE,
        order: Order,
        finish: Callable[[Member], Awaitable[None]],
        gone: Callable[[Member], None] = _forgotten,
    ) -> None:
        super().__init__()
        self.log = log
        self.rooms = StockRooms(registry)
        self.member = registry.member
        self.members = registry.members
        self.count = registry.count
        self._registry = registry
        self._delivery = delivery
        self._elsewhere = elsewhere
        self._payload, self._frames = wire.payload, wire.frames
        self._order = order
        self._finish = finish
        self._gone = gone
        self._partings: dict[str, asyncio.Future[None]] = {}

    def leave_loop(self) -> None:
        """Discard the pending state of an event loop that has ended; clients that were being removed are removed on the next."""
        self._partings.clear()
        for member in self._registry.all_members():
            if member.phase is Phase.PARTING:
                member.phase = Phase.CONNECTED
        self._order.leave_loop()

    # -- messages

    def emit(
        self,
        event: str,
        data: object,
        namespace: str,
        room: object = None,
        skip_sid: object = None,
        callback: Callable[..., object] | None = None,
        to: object = None,
        *,
        ignore_queue: bool = False,
        message_id: str = "",
        keeps_history: bool | Keep = False,
        except_rooms: object = None,
        volatile: bool = False,
        **kwargs: object,  # noqa: ARG002 - stock's
    ) -> Awaitable[None]:
        """Emit an event to a room, one client or all clients: hot.

        The method returns when the event is in the log. A repetition under the same `message_id` is not logged again. Events with
        a callback, volatile ones, and those that are emitted with `ignore_queue`, bypass the log.

        Raises:
            Unavailable: The event was not published; try again.
            OutcomeUnknown: The event may have been published.
            RateLimited: Too many acks of the client are pending.

        """
        keep = (keeps_history if isinstance(keeps_history, Keep) else Keep()) if keeps_history else None
        # One object from here on. `instrument` uses the parameters' names, and with `*args` each emit would cost 0.5 µs more.
        emit = Emit(
            event,
            data,
            namespace,
            to or room,
            skip_sid,
            message_id,
            callback,
            ignore_queue,
            keep,
            except_rooms,
        )
        if volatile:
            return self._emit_volatile(emit)
        if callback is None and not ignore_queue:
            return self._delivery.publish(emit)
        if keep is not None:
            raise ValueError(
                "an event that bypasses the log, by callback or ignore_queue, cannot be kept in a history"
            )
        return self._emit_past_the_log(emit)

    async def _emit_volatile(self, emit: Emit) -> None:
        if emit.callback is not None or emit.keep is not None or emit.message_id:
            raise ValueError(
                "a volatile event is not stored: leave out callback, message_id and keeps_history"
            )
        self._delivery.publish_volatile(emit)

    async def _emit_past_the_log(self, emit: Emit) -> None:
        members = self.members(emit.namespace, emit.target)
        if emit.callback is not None and isinstance(emit.target, str) and not members:
            waiting = await self._elsewhere.call(emit)
            if waiting is not None:
                # Its first step sends the request.
                self.server.eio.starter.start_now(waiting)
            return
        if emit.skip_sid is not None:
            skipped = skipped_sids(emit.skip_sid)
            members = [member for member in members if member.sid not in skipped]
        if emit.except_rooms is not None:
            streams = streams_to(emit.namespace, emit.except_rooms)
            left_out = {member.sid for stream in streams for member in self._registry.members_of(stream)}
            members = [member for member in members if member.sid not in left_out]
        if members:
            self.say(members, emit.arguments(), emit.callback)

    def say(
        self, members: Collection[Member], data: list[object], callback: Callable[..., object] | None = None
    ) -> None:
        """Send an event to members of one namespace without the log: hot.

        Args:
            members: The members.
            data: The event's name and its arguments.
            callback: Gets the ack of each member. Default: no ack is requested.

        Among several members, one with too many pending acks is skipped.

        Raises:
            RateLimited: There is only one member, and too many of its acks are pending; nothing was sent.

        """
        # The event is encoded first, so that a failure leaves no ack pending.
        payload = self._payload(data)
        if callback is None:
            self._delivery.put(members, payload)
            return
        for member in members:
            try:
                self.ask(member, payload, callback)
            except RateLimited:
                if len(members) == 1:
                    raise

    def ask(self, member: Member, payload: bytes, callback: Callable[..., object]) -> None:
        """Send an event to a member, behind what this node has published to it, and pass its ack to a callback.

        Raises:
            RateLimited: Too many of its acks are pending; nothing was sent.

        """
        ack_id = self._generate_ack_id(member.sid, callback)
        frames = self._frames(member.namespace, payload, ack_id=ack_id)
        self._order.send(member, frames)
        if member.connection.state.is_paused:
            self.server.eio.ack_awaited(member.connection)

    def forget_callback(self, sid: str, callback: object) -> None:
        """Stop waiting for an ack of a client, unless it has arrived."""
        pending = self.callbacks.get(sid, {})
        for ack_id in [ack_id for ack_id, waiting in pending.items() if waiting is callback]:
            del pending[ack_id]

    def _generate_ack_id(self, sid: str, callback: object) -> int:
        """Wait for an ack of a client.

        Raises:
            RateLimited: Too many acks are pending; those remain pending.

        """
        # python-socketio also stores the counter of their ids here, under the key 0.
        if len(self.callbacks.get(sid, ())) > self.server.eio.limits.max_pending_acks:
            self.server.eio.exceeded(Bound.PENDING_ACKS)
            raise RateLimited(TOO_MANY_ACKS)
        ack_id: int = super()._generate_ack_id(sid, callback)
        return ack_id

    # -- members come and go

    def admit(self, member: Member) -> None:
        """Register a member by its id, and receive the entries for it."""
        self._registry.admit(member)

    def restore(self, member: Member, stream: Stream) -> None:
        """Put a recovered member into a room of its session whose stream is subscribed."""
        self._registry.enter(member, room_of(parse_stream(stream).room or ""), stream)

    def forget(self, member: Member) -> None:
        """Undo `admit`, if it was called."""
        if self._registry.find(member.sid) is member:
            self.basic_disconnect(member.sid, member.namespace)

    async def gone(self, sid: str) -> None:
        """Wait until an earlier member with this id, whose transport is closed, has been removed."""
        if self._registry.find(sid) is not None:
            future = self._partings.setdefault(sid, asyncio.get_running_loop().create_future())
            await asyncio.shield(future)

    async def pre_connect(self, eio_sid: str, namespace: str) -> str | None:
        """Return the id of a connecting client, which its session has determined."""
        sid = self.sid_from_eio_sid(eio_sid, namespace)
        if sid is not None:
            self.basic_enter_room(sid, namespace, None, eio_sid=eio_sid)
            self.basic_enter_room(sid, namespace, sid, eio_sid=eio_sid)
        return sid

    async def connect(self, sid: str, namespace: str) -> str | None:
        """Change a member from connecting to connected."""
        member = self.member(sid, namespace)
        if member is None:
            # python-socketio allows a connection's id here, for a client that was not announced.
            found = await self.pre_connect(sid, namespace)
            member = self.member(found, namespace)
        if member is None:
            return None
        member.phase = Phase.CONNECTED
        return member.sid

    def pre_disconnect(self, sid: str, namespace: str) -> str | None:
        """Note that a client is about to be removed; its disconnect handler may still ask for its rooms."""
        member = self.member(sid, namespace)
        if member is None:
            return None
        member.phase = Phase.PARTING
        return member.connection.sid

    async def can_disconnect(self, sid: str, namespace: str) -> bool:
        """Return whether a client is on this node; a client that is elsewhere, or away, is disconnected there."""
        if self.member(sid, namespace) is not None:
            return self.is_connected(sid, namespace)
        await self._elsewhere.disconnect(sid, namespace)
        return False

    async def disconnect(self, sid: str, namespace: str, **kwargs: object) -> None:
        """Remove a client; its session waits for it or ends."""
        member = self.member(sid, namespace)
        self.basic_disconnect(sid, namespace, **kwargs)
        if member is not None:
            await self._finish(member)

    def basic_disconnect(self, sid: str, namespace: str, **kwargs: object) -> None:  # noqa: ARG002 - stock's
        """Remove a client, visiting only its own rooms."""
        member = self.member(sid, namespace)
        if member is None:
            return
        for room in list(member.rooms):
            self.basic_leave_room(sid, namespace, room)
        self.basic_leave_room(sid, namespace, sid)
        self._registry.remove(member)
        self.log.unsubscribe(namespace_stream(namespace))
        self._order.forget(member)
        connection = member.connection
        if not connection.members and not connection.closed:
            self.server.expect_connect(connection.sid)
        member.lane = member.watch = None  # they hold the member
        self.callbacks.pop(sid, None)
        self._gone(member)
        parting = self._partings.pop(sid, None)
        if parting is not None and not parting.done():
            parting.set_result(None)

    # -- memberships

    async def enter_room(self, sid: str, namespace: str, room: object, eio_sid: str | None = None) -> None:
        """Make a client on any node a member of a room; return when it is a member.

        Raises:
            ValueError, KeyError: There is no such client, or the room is a client's own.
            Unavailable: The client has not become a member.

        """
        member = self.member(sid, namespace)
        if member is None:
            if not await self._elsewhere.enter(sid, namespace, room):
                # As python-socketio has it.
                self._check_namespace(namespace)
                raise KeyError(sid)
            return
        if room is None or room == sid or room in member.rooms or self.is_sid_room(namespace, room):
            self.basic_enter_room(sid, namespace, room, eio_sid=eio_sid)
            return
        if (tenure := member.tenure) is None:
            # It has no session yet.
            raise KeyError(sid)
        stream = stream_of(namespace, room)
        entered = False

        def enter(_: object) -> None:
            nonlocal entered
            if self._registry.find(sid) is member and room not in member.rooms:
                entered = True
                self.basic_enter_room(sid, namespace, room, eio_sid=eio_sid)

        self.log.subscribe(stream)
        try:
            await self.log.join(tenure, stream, enter)
        except OutcomeUnknown:
            # The session has the outcome, and the client learns it when it returns.
            member.connection.close(Reason.SERVER)
            raise
        finally:
            if not entered:
                self.log.unsubscribe(stream)
        if entered and member.watch is not None:
            await member.watch.joined(room)

    async def leave_room(self, sid: str, namespace: str, room: object) -> None:
        """End the membership of a client on any node; raises as `enter_room`."""
        member = self.member(sid, namespace)
        if member is None:
            await self._elsewhere.leave(sid, namespace, room)
            return
        if room not in member.rooms or member.is_lost or member.tenure is None:
            # A client that may return stays in its rooms, even if a disconnect handler makes it leave them.
            self.basic_leave_room(sid, namespace, room)
            if member.watch is not None:
                await member.watch.left(room)
            return

        def leave(_: object) -> None:
            if self._registry.find(sid) is member:
                self.basic_leave_room(sid, namespace, room)

        stream = stream_of(namespace, room)
        # What this node has published to the room before is for this member as well.
        await self._order.appended(stream, namespace_stream(namespace))
        try:
            await self.log.leave(member.tenure, stream, leave)
        except OutcomeUnknown:
            member.connection.close(Reason.SERVER)
            raise
        except Fenced:
            # The transport is being closed. Where its session continues, the client is still a member.
            return
        if member.watch is not None:
            await member.watch.left(room)

    async def close_room(self, room: object, namespace: str) -> None:
        """Remove all connected members from a room, on all nodes.

        Raises:
            ValueError: The room is a client's own, or another node could not know its name.
            NodeAway: A node did not do it, or its outcome is unknown; all other nodes have been asked.

        """
        if self.is_sid_room(namespace, room):
            raise ValueError("cannot close a sid room")
        name = travelling_name(room)
        nodes = await self._elsewhere.nodes()
        await self.close_here(room, namespace)
        await self._elsewhere.close_room(nodes, name, namespace)

    async def close_here(self, room: object, namespace: str) -> None:
        """Remove all members of this node from a room."""
        for member in list(self.members(namespace, room)):
            await self.leave_room(member.sid, namespace, room)

    def basic_enter_room(self, sid: str, namespace: str, room: object, eio_sid: str | None = None) -> None:  # noqa: ARG002 - stock's
        """Put a client into a room. The room of all and the client's own need nothing."""
        self._check_namespace(namespace)
        if room != sid and self.is_sid_room(namespace, room):
            raise ValueError("cannot enter a sid room")
        member = self.member(sid, namespace)
        if member is None:
            raise KeyError(sid)
        if room is not None and room != sid:
            self._registry.enter(member, room, stream_of(namespace, room))

    def basic_leave_room(self, sid: str, namespace: str, room: object) -> None:
        """Take a client out of a room, if it is a member."""
        member = self.member(sid, namespace)
        stream = None if member is None else self._registry.leave(member, room)
        if stream is not None:
            self.log.unsubscribe(stream)

    def _check_namespace(self, namespace: str) -> None:
        if namespace not in self._registry.rooms:
            raise ValueError("sid is not connected to requested namespace")

    # -- questions about members of this node

    def is_sid_room(self, namespace: str, room: object) -> bool:
        """Return whether a room is a client's own, including clients of other nodes and earlier clients."""
        return self._registry.is_own_room(namespace, room) or (isinstance(room, str) and is_sid(room))

    def get_participants(self, namespace: str, room: object) -> Iterator[tuple[str, str]]:
        """Yield the ids of a room's members, each with the id of its connection."""
        for member in list(self.members(namespace, room)):
            yield member.sid, member.connection.sid

    def get_rooms(self, sid: str, namespace: str) -> list[object]:
        """Return the rooms of a client, including its own."""
        member = self.member(sid, namespace)
        return [] if member is None else [sid, *member.rooms]

    def is_pre_connected(self, sid: str, namespace: str) -> bool:
        """Return whether a client is connecting."""
        return self._is(sid, namespace, Phase.CONNECTING)

    def is_connected(self, sid: str, namespace: str) -> bool:
        """Return whether a client is connected, and not about to be removed."""
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
