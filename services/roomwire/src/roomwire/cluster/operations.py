"""Operations over the clients of all nodes, and between the nodes themselves.

Owns what one node asks of all others, the bounds of what they answer, and the answers of this one. Nothing of it is in
the log: it reaches who is connected now, and who is away for the moment neither hears of it nor is changed by it, but for
a kick, which ends its session.

Every call ends: a node that is asked has `timeout_s` for its work and `ANSWER_S` more for the way. Who did not answer by
then, or could not, is named in the result as `missing`; it may have done what it was asked for.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final, Protocol, cast

import msgspec

from roomwire.cluster.errors import PeerRequestTooLarge
from roomwire.cluster.peers import PeerRequest, Peers
from roomwire.cluster.presence import Presences
from roomwire.cluster.results import Acks, Changed, Presence, RemoteSocket, ServerResults, Sockets
from roomwire.engine.eager import Job
from roomwire.errors import ClientError, RateLimited
from roomwire.log.contract import Log
from roomwire.log.sessions import NodeId, Sid, is_sid
from roomwire.log.streams import room_of, travelling_name
from roomwire.logs import get_logger
from roomwire.protocol.payloads import arguments_of, event_payload
from roomwire.rooms.manager import Rooms
from roomwire.rooms.member import Member, Phase

ANSWER_S: Final = 2.0
MAX_TIMEOUT_S: Final = 300.0
MAX_BODY_BYTES: Final = 1_000_000
MAX_HANDLING: Final = 1_000
MAX_PRESENT: Final = 10_000
MAX_FACT_CHARACTERS: Final = 512
_AT_ONCE: Final = 100

Handler = Callable[..., object]
"""Takes the arguments of an event of another node, and returns what that node is told; or a coroutine function."""

_log = get_logger(__name__)
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.decode
_UNFIT: Final = (TypeError, ValueError, OverflowError, RecursionError)
"""What is raised for a value that MessagePack cannot hold."""


class _Asked(msgspec.Struct, frozen=True, array_like=True):
    """What is asked of a node about a room: `rooms` empty is everybody."""

    rooms: tuple[str, ...] = ()
    timeout_s: float = 0.0
    limit: int = 0
    other: str = ""
    event: bytes = b""


class _Found(msgspec.Struct, frozen=True, array_like=True):
    total: int
    sockets: list[msgspec.Raw]


class _Answered(msgspec.Struct, frozen=True, array_like=True):
    expected: int
    received: int
    dropped: int
    answers: dict[str, msgspec.Raw]


class _Counted(msgspec.Struct, frozen=True, array_like=True):
    done: int
    failed: int


class _Event(msgspec.Struct, frozen=True, array_like=True):
    """An event between nodes; with a time of 0 nobody waits for what its handler returns."""

    event: str
    args: list[object]
    timeout_s: float


class Clients(Protocol):
    """What a `socketio.AsyncServer` does with one client of its own."""

    async def get_session(self, sid: str, namespace: str | None = None) -> object:
        """Return the application's data of a client; raises KeyError if there is none."""

    async def disconnect(self, sid: str, namespace: str | None = None, *, ignore_queue: bool = False) -> None:
        """Send a client away."""


class Operations:
    """Asks all nodes, and answers them.

    Args:
        rooms: The clients of this node.
        log: Has the sessions.
        peers: The way to the other nodes.
        server: What python-socketio does with a client of this node.
        start: Starts a task.
        clock: Monotonic seconds.

    Attributes:
        handlers: Those of the events of other nodes, by namespace and event.

    """

    def __init__(
        self,
        rooms: Rooms,
        log: Log,
        peers: Peers,
        server: Clients,
        *,
        start: Callable[[Job], object],
        clock: Callable[[], float],
    ) -> None:
        self._rooms = rooms
        self._log = log
        self._peers = peers
        self._server = server
        self._start = start
        self._clock = clock
        self.handlers: dict[tuple[str, str], Handler] = {}
        self._handling = 0
        self._presences = Presences(rooms, log, peers)
        peers.serves.update(
            fetch=self._fetch_here,
            ask=self._ask_here,
            join_all=self._join_here,
            leave_all=self._leave_here,
            disconnect_all=self._disconnect_here,
            server_side=self._handle_server_side,
        )

    # -- asking

    async def fetch(self, to: object, *, namespace: str, timeout_s: float, limit: int) -> Sockets:
        """See `Server.fetch_sockets`."""
        if limit < 1:
            raise ValueError(f"limit is at least 1, not {limit!r}")
        asked = _Asked(_names(to), timeout_s, limit)
        answers, missing = await self._ask_all("fetch", namespace, asked)
        found = [_decode(answer, type=_Found) for answer in answers.values()]
        raw = [one for each in found for one in each.sockets][:limit]
        sockets = [_decode(one, type=RemoteSocket) for one in raw]
        return Sockets(sockets, sum(each.total for each in found), missing)

    async def presence(self, room: object, *, namespace: str, timeout_s: float, limit: int) -> Presence:
        """See `Server.presence`."""
        if not 1 <= limit <= MAX_PRESENT:
            raise ValueError(f"limit is at least 1 and at most {MAX_PRESENT}, not {limit!r}")
        rooms = [room_of(name) for name in _names(room)]
        if not rooms or any(isinstance(one, str) and is_sid(one) for one in rooms):
            raise ValueError("presence is of a room, and not of a client's own")
        timeout_s = _checked(timeout_s) + ANSWER_S
        return await self._presences.read(rooms, namespace, timeout_s=timeout_s, limit=limit)

    async def emit_with_ack(
        self, event: str, data: object, *, to: object, namespace: str, timeout_s: float
    ) -> Acks:
        """See `Server.emit_with_ack`."""
        payload = event_payload([event, *arguments_of(data)])
        asked = _Asked(_names(to), timeout_s, event=payload)
        replies, missing = await self._ask_all("ask", namespace, asked)
        answered = [_decode(reply, type=_Answered) for reply in replies.values()]
        answers = {sid: _value(_decode(raw)) for each in answered for sid, raw in each.answers.items()}
        expected, received = sum(one.expected for one in answered), sum(one.received for one in answered)
        dropped = sum(one.dropped for one in answered)
        return Acks(answers, expected, received, dropped, missing, received < expected)

    async def join(self, to: object, other: object, *, namespace: str, timeout_s: float) -> Changed:
        """See `Server.sockets_join`."""
        if isinstance(other, str) and is_sid(other):
            raise ValueError("cannot enter a sid room")
        return await self._change("join_all", to, namespace, timeout_s, travelling_name(other))

    async def leave(self, to: object, other: object, *, namespace: str, timeout_s: float) -> Changed:
        """See `Server.sockets_leave`."""
        return await self._change("leave_all", to, namespace, timeout_s, travelling_name(other))

    async def disconnect(self, to: object, *, namespace: str, timeout_s: float) -> Changed:
        """See `Server.disconnect_sockets`."""
        away = await self._away(to, namespace, timeout_s)
        changed = await self._change("disconnect_all", to, namespace, timeout_s)
        ended = failed = 0
        for start in range(0, len(away), _AT_ONCE):
            ends = (self._log.end(sid) for sid in away[start : start + _AT_ONCE])
            for outcome in await asyncio.gather(*ends, return_exceptions=True):
                if isinstance(outcome, BaseException) and not isinstance(outcome, ClientError):
                    raise outcome
                ended += outcome is True
                failed += isinstance(outcome, ClientError)
        return Changed(changed.done + ended, changed.failed + failed, changed.missing)

    async def _away(self, to: object, namespace: str, timeout_s: float) -> Sequence[Sid]:
        """Return the clients that are meant and are not connected."""
        targets = [room_of(name) for name in _names(to)]
        sids = [Sid(one) for one in targets if isinstance(one, str) and is_sid(one)]
        rooms = [one for one in targets if one not in sids]
        timeout_s = _checked(timeout_s) + ANSWER_S
        presence = await self._presences.read(
            rooms, namespace, timeout_s=timeout_s, limit=MAX_PRESENT, max_bytes=0
        )
        away = [Sid(one.sid) for one in presence.present if not one.is_connected]
        owners = zip(sids, await asyncio.gather(*map(self._log.find, sids)), strict=True)
        return [*away, *(sid for sid, owner in owners if owner is not None and owner.namespace == namespace)]

    async def server_side_emit(
        self, event: str, args: Sequence[object], *, namespace: str, timeout_s: float, is_answered: bool
    ) -> ServerResults:
        """See `Server.server_side_emit`."""
        taken = _Event(event, list(args), timeout_s if is_answered else 0.0)
        request = _request("server_side", namespace, taken)
        others = await self._peers.others()
        replies = await self._peers.ask_each(others, request, timeout_s=_checked(timeout_s) + ANSWER_S)
        answers = {node: _decode(reply) for node, reply in replies.items() if reply}
        return ServerResults(answers, [node for node in replies if node not in answers])

    def on_server_side(self, event: str, namespace: str, handler: Handler) -> None:
        """Have an event of other nodes handled; a second handler takes the place of the first."""
        self.handlers[namespace, event] = handler

    async def _change(
        self, what: str, to: object, namespace: str, timeout_s: float, other: str = ""
    ) -> Changed:
        answers, missing = await self._ask_all(what, namespace, _Asked(_names(to), timeout_s, other=other))
        counts = [_decode(answer, type=_Counted) for answer in answers.values()]
        return Changed(sum(one.done for one in counts), sum(one.failed for one in counts), missing)

    async def _ask_all(
        self, what: str, namespace: str, asked: _Asked
    ) -> tuple[Mapping[NodeId, bytes], Sequence[NodeId]]:
        """Ask all nodes, this one included; returns their answers, and who gave none."""
        timeout_s = _checked(asked.timeout_s) + ANSWER_S
        request = _request(what, namespace, asked)
        # First who there is: if nobody knows, nothing has been done.
        others = await self._peers.others()
        # This node needs no way to itself: its own clients are reached even where no other node is.
        mine, replies = await asyncio.gather(
            self._peers.serves[what](request),
            self._peers.ask_each(others, request, timeout_s=timeout_s),
        )
        answers = {node: reply for node, reply in replies.items() if reply is not None}
        answers[self._log.node] = mine
        return answers, [node for node in others if node not in answers]

    # -- answering

    def _members(self, namespace: str, asked: _Asked) -> list[Member]:
        rooms = [room_of(name) for name in asked.rooms]
        members = self._rooms.members(namespace, rooms or None)
        return [member for member in members if member.phase is Phase.CONNECTED]

    async def _fetch_here(self, request: PeerRequest) -> bytes:
        asked = _decode(request.payload, type=_Asked)
        members = self._members(request.namespace, asked)
        sockets: list[msgspec.Raw] = []
        size = 0
        for member in members[: asked.limit]:
            raw = await self._described(member)
            if raw is None:
                continue
            size += len(raw)
            if size > MAX_BODY_BYTES:
                break
            sockets.append(msgspec.Raw(raw))
            if len(sockets) % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return _encode(_Found(len(members), sockets))

    async def _described(self, member: Member) -> bytes | None:
        """Return what there is to say about a client; None if it is nothing that can be sent."""
        handshake = member.handshake
        headers = handshake.headers
        socket = RemoteSocket(
            sid=member.sid,
            node=self._log.node,
            user=member.user,
            address=handshake.address,
            user_agent=headers.get("user-agent", "")[:MAX_FACT_CHARACTERS],
            origin=headers.get("origin", "")[:MAX_FACT_CHARACTERS],
            connected_s=round(self._clock() - member.opened_at, 3) if member.opened_at else 0.0,
            recovered=member.recovered,
            rooms=tuple(_plain(room) for room in member.rooms),
            data=None,
        )
        with contextlib.suppress(KeyError, *_UNFIT):
            data = await self._server.get_session(member.sid, namespace=member.namespace)
            return _encode(msgspec.structs.replace(socket, data=data))
        # It left meanwhile, or its data are for its own node alone.
        with contextlib.suppress(*_UNFIT):
            return _encode(socket)
        return None

    async def _ask_here(self, request: PeerRequest) -> bytes:
        asked = _decode(request.payload, type=_Asked)
        members = self._members(request.namespace, asked)
        collected = _Collected(len(members))
        callbacks = [(member.sid, collected.receiver_of(member.sid)) for member in members]
        try:
            for member, (_, callback) in zip(members, callbacks, strict=True):
                # One that lets others wait already is one that gave no answer.
                with contextlib.suppress(RateLimited):
                    self._rooms.ask(member, asked.event, callback)
            await collected.wait(asked.timeout_s)
        finally:
            for sid, callback in callbacks:
                self._rooms.forget_callback(sid, callback)
        return _encode(collected.result())

    async def _join_here(self, request: PeerRequest) -> bytes:
        asked = _decode(request.payload, type=_Asked)
        other, namespace = room_of(asked.other), request.namespace
        return await self._each(
            namespace, asked, lambda member: self._rooms.enter_room(member.sid, namespace, other)
        )

    async def _leave_here(self, request: PeerRequest) -> bytes:
        asked = _decode(request.payload, type=_Asked)
        other, namespace = room_of(asked.other), request.namespace
        return await self._each(
            namespace, asked, lambda member: self._rooms.leave_room(member.sid, namespace, other)
        )

    async def _disconnect_here(self, request: PeerRequest) -> bytes:
        asked, namespace = _decode(request.payload, type=_Asked), request.namespace
        return await self._each(
            namespace,
            asked,
            lambda member: self._server.disconnect(member.sid, namespace=namespace, ignore_queue=True),
        )

    async def _each(self, namespace: str, asked: _Asked, do: Callable[[Member], Awaitable[None]]) -> bytes:
        """Do something for all members, some at once; when the time is up no more are begun."""
        members = self._members(namespace, asked)
        ends_at = self._clock() + asked.timeout_s
        done = 0
        for start in range(0, len(members), _AT_ONCE):
            if self._clock() >= ends_at:
                break
            chunk = members[start : start + _AT_ONCE]
            results = await asyncio.gather(*(do(member) for member in chunk), return_exceptions=True)
            errors = [result for result in results if result is not None]
            done += len(results) - len(errors)
            if errors:
                _log.warning("clients not changed", count=len(errors), error=repr(errors[0]))
        return _encode(_Counted(done, len(members) - done))

    async def _handle_server_side(self, request: PeerRequest) -> bytes:
        """Run the handler for another node's event; an empty answer says that there is none."""
        taken = _decode(request.payload, type=_Event)
        handler = self.handlers.get((request.namespace, taken.event))
        if handler is None:
            return b""
        if self._handling >= MAX_HANDLING:
            raise RateLimited
        self._handling += 1
        handling = self._handle(handler, taken)
        if taken.timeout_s:
            async with asyncio.timeout(taken.timeout_s):
                return _encode(await handling)
        self._start(self._logged(handling, taken.event))
        return _encode(None)

    async def _handle(self, handler: Handler, taken: _Event) -> object:
        try:
            result = handler(*taken.args)
            return await result if asyncio.iscoroutine(result) else result
        finally:
            self._handling -= 1

    @staticmethod
    async def _logged(handling: Awaitable[object], event: str) -> None:
        try:
            await handling
        except Exception:
            _log.exception("handler of another node's event failed", event_name=event)


class _Collected:
    """The answers of clients, as they come, within a bound."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._received = 0
        self._dropped = 0
        self._bytes = 0
        self._answers: dict[str, msgspec.Raw] = {}
        self._all_came = asyncio.Event()

    def receiver_of(self, sid: str) -> Callable[..., None]:
        """Return the callback that receives a client's answer; each client has its own, by which it is forgotten."""

        def receive(*args: object) -> None:
            self._received += 1
            try:
                raw = _encode(args)
            except _UNFIT:
                raw = b""
            if raw and self._bytes + len(raw) <= MAX_BODY_BYTES:
                self._bytes += len(raw)
                self._answers[sid] = msgspec.Raw(raw)
            else:
                self._dropped += 1
            if self._received >= self._expected:
                self._all_came.set()

        return receive

    async def wait(self, timeout_s: float) -> None:
        """Wait for all answers, or until the time is up."""
        if self._expected:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._all_came.wait()
            except TimeoutError:
                return

    def result(self) -> _Answered:
        """Return what there is."""
        return _Answered(self._expected, self._received, self._dropped, self._answers)


def _request(what: str, namespace: str, asked: msgspec.Struct) -> PeerRequest:
    payload = _encode(asked)
    if len(payload) > MAX_BODY_BYTES:
        raise PeerRequestTooLarge(MAX_BODY_BYTES)
    return PeerRequest(what, namespace, "", payload=payload)


def _checked(timeout_s: float) -> float:
    if not 0 < timeout_s <= MAX_TIMEOUT_S:
        raise ValueError(f"timeout_s is more than 0 and at most {MAX_TIMEOUT_S:g}, not {timeout_s!r}")
    return timeout_s


def _names(to: object) -> tuple[str, ...]:
    """Return the names of the rooms that are meant; empty: everybody."""
    if to is None:
        return ()
    are_several = hasattr(to, "__len__") and not isinstance(to, str)
    rooms = cast("Collection[object]", to) if are_several else (to,)
    if not rooms:
        raise ValueError("no room is named: None is everybody")
    return tuple(travelling_name(room) for room in rooms)


def _plain(room: object) -> object:
    """Return a room as MessagePack can hold it; what it cannot by what it looks like."""
    try:
        _encode(room)
    except _UNFIT:
        return ascii(room)
    return room


def _value(args: Sequence[object]) -> object:
    return tuple(args) if len(args) > 1 else args[0] if args else None
