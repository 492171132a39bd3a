"""The rooms of this node as members of the log: emits go to the log, and what comes from it to the members.

A python-socketio client manager. Nobody is told locally first: what is said is delivered in the order of the log, on
every node. Not logged are events with callbacks, and those that are emitted with `ignore_queue`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final

import msgspec

from roomwire.engine.session import Reason
from roomwire.engine.turn import Outlet
from roomwire.errors import ClientError, InvalidBody, NotFound, OutcomeUnknown, RateLimited
from roomwire.log.contract import Fenced, Log, NodeAway, NodeBusy
from roomwire.log.entries import Entry, Message
from roomwire.log.sessions import NodeId, Sid, Tenure, is_sid
from roomwire.log.streams import Stream, namespace_stream, parse_stream, room_of, sid_stream, travelling_name
from roomwire.log.targets import stream_of, stream_to
from roomwire.logs import get_logger
from roomwire.protocol.payloads import arguments_of, event_payload, payload_frames, skipped_sids
from roomwire.rooms.peers import REQUEST_TIMEOUT_S, PeerRequest, Peers
from roomwire.rooms.registry import TOO_MANY_ACKS, Member, Rooms

CALL_TIMEOUT_S: Final = 60.0

_Told = tuple[list[Outlet], list[Outlet]]
"""Who gets an entry with its offset, and who gets it without."""

_log = get_logger(__name__)


_encode: Final = msgspec.msgpack.Encoder(enc_hook=str).encode


class LoggedRooms(Rooms):
    """Rooms whose messages and memberships are in the log; the log's `LogObserver`.

    Args:
        log: The log.

    Attributes:
        log: The log.
        peers: The other nodes.
        finish: Lets go of the session of a member that is gone.

    """

    finish: Callable[[Member], Awaitable[None]]

    def __init__(self, log: Log) -> None:
        super().__init__()
        self.log = log
        self.peers = Peers(log)
        self.peers.serves.update(
            close_room=self._close_for_another,
            disconnect=self._disconnect_for_another,
            enter=self._enter_for_another,
            leave=self._leave_for_another,
            call=self._call_for_another,
        )
        self._held: dict[str, Member] = {}
        self._named: dict[Stream, tuple[str, Any]] = {}
        self._streams: dict[tuple[str, Any], Stream] = {}
        # What the entries of a stream go to, until somebody comes or goes: see `_tell_all`.
        self._told: dict[Stream, _Told] = {}
        self._partings: dict[str, asyncio.Future[None]] = {}
        self._was_held = False

    def leave_loop(self) -> None:
        """Forget what was waited for on an event loop that has ended."""
        self._partings.clear()
        self._told.clear()
        self.log.leave_loop()

    # -- messages

    async def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: Any = None,
        skip_sid: Any = None,
        callback: Any = None,
        to: Any = None,
        *,
        ignore_queue: bool = False,
        message_id: str = "",
        **kwargs: Any,  # noqa: ARG002 - stock's
    ) -> None:
        """Say something to a room, to one client, or to everybody: hot.

        Returns when it is in the log. What is said again under the same `message_id` is not.

        Raises:
            Unavailable: It is not, and trying again makes sense.
            OutcomeUnknown: Nobody knows.
            RateLimited: Too many acks of the client are awaited.

        """
        target = to or room
        if callback is not None and isinstance(target, str) and not self.members(namespace, target):
            call = self._call_elsewhere(event, data, namespace, target, callback)
            self.server.eio.starter.start(call)
            return
        if callback is not None or ignore_queue:
            await super().emit(event, data, namespace, target, skip_sid, callback)
            return
        payload = event_payload([event, *arguments_of(data)])
        skipped = () if skip_sid is None else skipped_sids(skip_sid)
        if not isinstance(target, str) and hasattr(target, "__len__"):
            rooms = tuple(stream_to(namespace, one) for one in target)
            if rooms:
                message = Message(payload, skipped, rooms)
                await self.log.publish(namespace_stream(namespace), message, message_id=message_id)
            return
        stream = self._streams.get((namespace, target))
        if stream is None:
            member = self._held.get(target)
            if member is not None and member.namespace != namespace:
                return
            stream = namespace_stream(namespace) if target is None else stream_to(namespace, target)
        try:
            await self.log.publish(stream, Message(payload, skipped), message_id=message_id)
        except NotFound:
            # A client whose session is over: what is said to it is kept for nobody.
            return

    def say(self, members: Collection[Member], namespace: str, data: list[Any], callback: Any = None) -> None:
        """See `Rooms`: directly, past the log; whoever holds an offset gets one, as it takes any last text for one."""
        if callback is not None:
            super().say(members, namespace, data, callback)
        else:
            self._put(members, namespace, event_payload(data), str(self.log.offset()))

    def _put(self, members: Collection[Member], namespace: str, payload: bytes, offset: str) -> None:
        put_all = self.server.eio.turn.put_all
        told = [member.outlet for member in members if member.pid is not None]
        if told:
            put_all(told, payload_frames(namespace, payload, offset))
        if len(told) < len(members):
            others = [member.outlet for member in members if member.pid is None]
            put_all(others, payload_frames(namespace, payload))

    # -- what the log tells: see `LogObserver`

    def on_entry(self, entry: Entry) -> None:
        """Deliver to the members that are here: hot."""
        named = self._named.get(entry.stream)
        if named is None:
            return
        namespace, room = named
        message = entry.message
        # As `Offset` writes it, without making one for each entry.
        offset = f"{self.log.epoch}.{entry.position}"
        if message.skip_sids or message.rooms:
            self._put(self._meant(message, namespace, room), namespace, message.payload, offset)
            return
        told = self._told.get(entry.stream) or self._tell_all(entry.stream, namespace, room)
        if told is None:
            self._put(self.members(namespace, room), namespace, message.payload, offset)
            return
        recoverable, others = told
        if recoverable:
            frames = payload_frames(namespace, message.payload, offset)
            self.server.eio.turn.put_all(recoverable, frames)
        if others:
            self.server.eio.turn.put_all(others, payload_frames(namespace, message.payload))

    def _meant(self, message: Message, namespace: str, room: Any) -> Collection[Member]:
        """Return who is here of whom a message is for."""
        if message.rooms:
            members: Collection[Member] = {
                member.sid: member for one in message.rooms for member in self._members_of(one)
            }.values()
        else:
            members = self.members(namespace, room)
        return [member for member in members if member.sid not in message.skip_sids]

    def _tell_all(self, stream: Stream, namespace: str, room: Any) -> _Told | None:
        """Have all members of a stream told without asking each, if nothing of it is held back."""
        told: _Told = ([], [])
        for member in self.members(namespace, room):
            if member.outlet is not member.connection:
                return None
            told[member.pid is None].append(member.outlet)
        self._told[stream] = told
        return told

    def _members_of(self, stream: Stream) -> Collection[Member]:
        named = self._named.get(stream)
        return () if named is None else self.members(*named)

    def on_fenced(self, tenure: Tenure) -> None:
        """Close the transport; a DISCONNECT could reach the client that is right."""
        member = self._held.get(tenure.sid)
        if member is not None and member.tenure == tenure:
            _log.info("session continues elsewhere", sid=member.sid)
            member.connection.close(Reason.SERVER)

    def on_incomplete(self, stream: Stream) -> None:
        """Close the transports of all in a stream."""
        for member in list(self._members_of(stream)):
            member.connection.close(Reason.SERVER)

    def on_loss(self) -> None:
        """Close all transports."""
        _log.warning("the log lost entries, all clients have to come again")
        for member in list(self._held.values()):
            member.connection.close(Reason.SERVER)

    def on_held(self) -> None:
        """Note that nothing comes for now."""
        self._was_held = True
        _log.warning("backplane degraded")

    def on_live(self) -> None:
        """Ping everybody, so that their sessions are confirmed in an epoch that may be new."""
        if self._was_held:
            self._was_held = False
            _log.info("backplane live")
        for connection in {member.connection for member in self._held.values()}:
            connection.ping()

    async def on_request(self, _sender: NodeId, body: bytes) -> bytes:
        """Do what another node asks for."""
        return await self.peers.answer(body)

    # -- memberships

    def _name(self, stream: Stream, namespace: str, room: Any) -> None:
        """Note what the stream of a room with members here is for, and which stream the room is."""
        self._named[stream] = (namespace, room)
        self._streams[namespace, room] = stream

    def _unname(self, stream: Stream) -> None:
        self._streams.pop(self._named.pop(stream, ("", None)), None)

    def is_sid_room(self, namespace: str, room: Any) -> bool:
        """See `Rooms`: also if it is somebody's on another node, or was."""
        return super().is_sid_room(namespace, room) or (isinstance(room, str) and is_sid(room))

    def admit(self, member: Member) -> None:
        """See `Rooms`."""
        self._told.clear()
        namespace = member.namespace
        self._held[member.sid] = member
        self._name(namespace_stream(namespace), namespace, None)
        self._named[sid_stream(member.sid)] = (namespace, member.sid)
        super().admit(member)

    def restore(self, member: Member, stream: Stream) -> None:
        """Put a member that was recovered into a room that it is in by its session, and that is subscribed."""
        room = room_of(parse_stream(stream).room or "")
        self._name(stream, member.namespace, room)
        self.basic_enter_room(member.sid, member.namespace, room)

    def forget(self, member: Member) -> None:
        """Take back an `admit`, if there was one."""
        if self._held.get(member.sid) is member:
            self.basic_disconnect(member.sid, member.namespace)

    async def gone(self, sid: str) -> None:
        """Wait until a member that was here before under an id, whose transport is closed, has been parted from."""
        if sid in self._held:
            future = self._partings.setdefault(sid, asyncio.get_running_loop().create_future())
            await asyncio.shield(future)

    async def pre_connect(self, eio_sid: str, namespace: str) -> str | None:
        """See `Rooms`; who it is has been settled with the session."""
        sid = self.sid_from_eio_sid(eio_sid, namespace)
        if sid is not None:
            self.basic_enter_room(sid, namespace, None, eio_sid=eio_sid)
            self.basic_enter_room(sid, namespace, sid, eio_sid=eio_sid)
        return sid

    async def enter_room(self, sid: str, namespace: str, room: Any, eio_sid: str | None = None) -> None:
        """Make a client a member of a room; it is one when this returns, on whatever node it is.

        Raises:
            ValueError, KeyError: There is no such client, or the room is somebody's own.
            Unavailable: It is not a member.

        """
        member = self.member(sid, namespace)
        if member is None:
            await self._elsewhere("enter", sid, namespace, room)
            return
        if room is None or room == sid or room in member.rooms or self.is_sid_room(namespace, room):
            self.basic_enter_room(sid, namespace, room, eio_sid=eio_sid)
            return
        stream = stream_of(namespace, room)
        entered = False

        def enter(_: Any) -> None:
            nonlocal entered
            if self._held.get(sid) is member and room not in member.rooms:
                entered = True
                self._name(stream, namespace, room)
                self.basic_enter_room(sid, namespace, room, eio_sid=eio_sid)

        self.log.subscribe(stream)
        try:
            await self.log.join(member.tenure, stream, enter)
        except OutcomeUnknown:
            # The session knows, and the client learns it when it comes back.
            member.connection.close(Reason.SERVER)
            raise
        finally:
            if not entered:
                self.log.unsubscribe(stream)

    async def leave_room(self, sid: str, namespace: str, room: Any) -> None:
        """End a client's membership, on whatever node it is; raises as `enter_room`."""
        member = self.member(sid, namespace)
        if member is None:
            await self._elsewhere("leave", sid, namespace, room)
            return
        if room not in member.rooms or member.is_lost or member.tenure is None:
            # Whoever may come back is still in its rooms, whatever a disconnect handler tidies up.
            self.basic_leave_room(sid, namespace, room)
            return

        def leave(_: Any) -> None:
            if self._held.get(sid) is member:
                self.basic_leave_room(sid, namespace, room)

        try:
            await self.log.leave(member.tenure, stream_of(namespace, room), leave)
        except OutcomeUnknown:
            member.connection.close(Reason.SERVER)
            raise
        except Fenced:
            # Its transport is being closed; where it goes on, it is still a member.
            return

    async def close_room(self, room: Any, namespace: str) -> None:
        """Take everybody who is connected out of a room, on all nodes.

        Raises:
            ValueError: The room is somebody's own, or its name is nothing that another node could know.
            NodeAway: Some node did not do it, or nobody knows; all others have been asked.

        """
        if self.is_sid_room(namespace, room):
            raise ValueError("cannot close a sid room")
        asked = PeerRequest("close_room", namespace, "", travelling_name(room))
        others = await self.peers.others()
        await self.close_here(room, namespace)
        if None in (await self.peers.ask_each(others, asked, timeout_s=REQUEST_TIMEOUT_S)).values():
            raise NodeAway

    async def close_here(self, room: Any, namespace: str) -> None:
        """Take everybody on this node out of a room."""
        for member in list(self.members(namespace, room)):
            await self.leave_room(member.sid, namespace, room)

    def basic_enter_room(self, sid: str, namespace: str, room: Any, eio_sid: str | None = None) -> None:
        """See `Rooms`."""
        self._told.clear()
        super().basic_enter_room(sid, namespace, room, eio_sid=eio_sid)

    def basic_leave_room(self, sid: str, namespace: str, room: Any) -> None:
        """See `Rooms`."""
        self._told.clear()
        member = self.member(sid, namespace)
        was_in = member is not None and room in member.rooms
        super().basic_leave_room(sid, namespace, room)
        if was_in:
            stream = stream_of(namespace, room)
            self.log.unsubscribe(stream)
            if not self.members(namespace, room):
                self._unname(stream)

    def basic_disconnect(self, sid: str, namespace: str, **kwargs: Any) -> None:
        """See `Rooms`."""
        member = self._held.get(sid)
        super().basic_disconnect(sid, namespace, **kwargs)
        if member is None or member.namespace != namespace:
            return
        del self._held[sid]
        self._named.pop(sid_stream(sid), None)
        stream = namespace_stream(namespace)
        self.log.unsubscribe(stream)
        if namespace not in self.rooms:
            self._unname(stream)
        parting = self._partings.pop(sid, None)
        if parting is not None and not parting.done():
            parting.set_result(None)

    async def disconnect(self, sid: str, namespace: str, **kwargs: Any) -> None:
        """See `Rooms`; its session waits for it or ends."""
        member = self.member(sid, namespace)
        self.basic_disconnect(sid, namespace, **kwargs)
        if member is not None:
            await self.finish(member)

    # -- clients of other nodes

    async def can_disconnect(self, sid: str, namespace: str) -> bool:
        """Say whether a client is here; one that is elsewhere, or away, is sent away there."""
        if self.member(sid, namespace) is not None:
            return self.is_connected(sid, namespace)
        owner = await self.log.find(Sid(sid))
        if owner is None or owner.namespace != namespace:
            return False
        try:
            await self.peers.ask(owner.node, PeerRequest("disconnect", namespace, sid))
        except NodeAway:
            # Nobody holds it: it shall not come back as the same.
            await self.log.end(Sid(sid))
        return False

    async def _elsewhere(self, what: str, sid: str, namespace: str, room: Any) -> None:
        owner = await self.log.find(Sid(sid))
        is_elsewhere = owner is not None and owner.node != self.log.node and owner.namespace == namespace
        if owner is not None and is_elsewhere:
            await self.peers.ask(owner.node, PeerRequest(what, namespace, sid, travelling_name(room)))
        elif what == "enter":
            # As python-socketio has it.
            if namespace in self.rooms:
                raise KeyError(sid)
            raise ValueError("sid is not connected to requested namespace")

    async def _call_elsewhere(self, event: str, data: Any, namespace: str, sid: str, callback: Any) -> None:
        request = PeerRequest("call", namespace, sid, payload=event_payload([event, *arguments_of(data)]))
        try:
            owner = await self.log.find(Sid(sid))
            if owner is None or owner.node == self.log.node:
                return
            answer = await self.peers.ask(owner.node, request, timeout_s=CALL_TIMEOUT_S)
        except NodeBusy:
            _log.info("client elsewhere not asked", sid=sid)
            if hasattr(callback, "refuse"):
                callback.refuse(RateLimited(TOO_MANY_ACKS))
            return
        except ClientError as error:
            # As with a client that does not answer: whoever waits has a timeout of its own.
            _log.info("no answer of a client elsewhere", sid=sid, error=error.message)
            return
        result = callback(*msgspec.msgpack.decode(answer))
        if asyncio.iscoroutine(result):
            await result

    # -- what other nodes ask for

    async def _close_for_another(self, asked: PeerRequest) -> bytes:
        await self.close_here(room_of(asked.room), asked.namespace)
        return b""

    async def _disconnect_for_another(self, asked: PeerRequest) -> bytes:
        self._asked_for(asked)
        server: Any = self.server
        await server.disconnect(asked.sid, namespace=asked.namespace, ignore_queue=True)
        return b""

    async def _enter_for_another(self, asked: PeerRequest) -> bytes:
        self._asked_for(asked)
        await self.enter_room(asked.sid, asked.namespace, room_of(asked.room))
        return b""

    async def _leave_for_another(self, asked: PeerRequest) -> bytes:
        self._asked_for(asked)
        await self.leave_room(asked.sid, asked.namespace, room_of(asked.room))
        return b""

    async def _call_for_another(self, asked: PeerRequest) -> bytes:
        member = self._asked_for(asked)
        answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def answer(*arguments: Any) -> None:
            if answered.done():
                return
            try:
                answered.set_result(_encode(arguments))
            except (ValueError, OverflowError, RecursionError) as error:
                # Nobody shall wait for what no message between nodes can hold, as a number of a hundred digits.
                answered.set_exception(InvalidBody(str(error)))

        ack_id = self._generate_ack_id(member.sid, answer)
        frames = payload_frames(member.namespace, asked.payload, ack_id=ack_id)
        self.server.eio.turn.put_all((member.outlet,), frames)
        return await answered

    def _asked_for(self, asked: PeerRequest) -> Member:
        """Return whom a request is about; raises NotFound if that client is not here."""
        member = self.member(asked.sid, asked.namespace)
        if member is None:
            raise NotFound
        return member
