"""Answers the questions of other nodes, and of this one, about the clients in rooms."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import msgspec

from roomwire.cluster.peers import PeerRequest, Peers
from roomwire.cluster.questions import MAX_BODY_BYTES, UNFIT, Answered, Asked, Counted, Found, decode, encode
from roomwire.cluster.results import RemoteSocket
from roomwire.errors import RateLimited
from roomwire.log.sessions import NodeId
from roomwire.log.streams import room_of
from roomwire.logs import get_logger
from roomwire.rooms.manager import Rooms
from roomwire.rooms.member import Member, Phase

MAX_FACT_CHARACTERS: Final = 512
_AT_ONCE: Final = 100

_log = get_logger(__name__)


class Clients(Protocol):
    """The methods of a `socketio.AsyncServer` for one of its clients."""

    async def get_session(self, sid: str, namespace: str | None = None) -> object:
        """Return the application's data of a client; raise KeyError if there is none."""

    async def disconnect(self, sid: str, namespace: str | None = None, *, ignore_queue: bool = False) -> None:
        """Disconnect a client."""


class Answers:
    """Answers questions about the clients of this node.

    Args:
        rooms: The clients of this node.
        node: The name of this node.
        peers: The source of the requests.
        server: python-socketio's methods for a client of this node.
        clock: Monotonic seconds.

    """

    def __init__(
        self, rooms: Rooms, node: NodeId, peers: Peers, server: Clients, *, clock: Callable[[], float]
    ) -> None:
        self._rooms = rooms
        self._node = node
        self._server = server
        self._clock = clock
        peers.serves.update(
            fetch=self._fetch,
            ask=self._ask,
            join_all=self._join,
            leave_all=self._leave,
            disconnect_all=self._disconnect,
        )

    def _members(self, namespace: str, asked: Asked) -> list[Member]:
        rooms = [room_of(name) for name in asked.rooms]
        members = self._rooms.members(namespace, rooms or None)
        return [member for member in members if member.phase is Phase.CONNECTED]

    async def _fetch(self, request: PeerRequest) -> bytes:
        asked = decode(request.payload, type=Asked)
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
        return encode(Found(len(members), sockets))

    async def _described(self, member: Member) -> bytes | None:
        """Return the description of a client, or None if it cannot be sent."""
        handshake = member.handshake
        headers = handshake.headers
        socket = RemoteSocket(
            sid=member.sid,
            node=self._node,
            user=member.user,
            address=handshake.address,
            user_agent=headers.get("user-agent", "")[:MAX_FACT_CHARACTERS],
            origin=headers.get("origin", "")[:MAX_FACT_CHARACTERS],
            connected_s=round(self._clock() - member.opened_at, 3) if member.opened_at else 0.0,
            recovered=member.recovered,
            rooms=tuple(_plain(room) for room in member.rooms),
            data=None,
        )
        with contextlib.suppress(KeyError, *UNFIT):
            data = await self._server.get_session(member.sid, namespace=member.namespace)
            return encode(msgspec.structs.replace(socket, data=data))
        # The client has left, or its data cannot leave its node.
        with contextlib.suppress(*UNFIT):
            return encode(socket)
        return None

    async def _ask(self, request: PeerRequest) -> bytes:
        asked = decode(request.payload, type=Asked)
        members = self._members(request.namespace, asked)
        collected = _Collected(len(members))
        callbacks = [(member.sid, collected.receiver_of(member.sid)) for member in members]
        try:
            for member, (_, callback) in zip(members, callbacks, strict=True):
                # A client that already has too many pending acks counts as one that did not answer.
                with contextlib.suppress(RateLimited):
                    self._rooms.ask(member, asked.event, callback)
            await collected.wait(asked.timeout_s)
        finally:
            for sid, callback in callbacks:
                self._rooms.forget_callback(sid, callback)
        return encode(collected.result())

    async def _join(self, request: PeerRequest) -> bytes:
        asked = decode(request.payload, type=Asked)
        other, namespace = room_of(asked.other), request.namespace
        return await self._each(
            namespace, asked, lambda member: self._rooms.enter_room(member.sid, namespace, other)
        )

    async def _leave(self, request: PeerRequest) -> bytes:
        asked = decode(request.payload, type=Asked)
        other, namespace = room_of(asked.other), request.namespace
        return await self._each(
            namespace, asked, lambda member: self._rooms.leave_room(member.sid, namespace, other)
        )

    async def _disconnect(self, request: PeerRequest) -> bytes:
        asked, namespace = decode(request.payload, type=Asked), request.namespace
        return await self._each(
            namespace,
            asked,
            lambda member: self._server.disconnect(member.sid, namespace=namespace, ignore_queue=True),
        )

    async def _each(self, namespace: str, asked: Asked, do: Callable[[Member], Awaitable[None]]) -> bytes:
        """Perform an operation for all members, several at a time. After the time limit no more are begun."""
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
        return encode(Counted(done, len(members) - done))


class _Collected:
    """The answers of clients as they arrive, up to a limit."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._received = 0
        self._dropped = 0
        self._bytes = 0
        self._answers: dict[str, msgspec.Raw] = {}
        self._all_came = asyncio.Event()

    def receiver_of(self, sid: str) -> Callable[..., None]:
        """Return the callback for a client's answer. Each client has its own, by which it is removed."""

        def receive(*args: object) -> None:
            self._received += 1
            try:
                raw = encode(args)
            except UNFIT:
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
        """Wait for all answers, or until the time limit."""
        if self._expected:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._all_came.wait()
            except TimeoutError:
                return

    def result(self) -> Answered:
        """Return the answers so far."""
        return Answered(self._expected, self._received, self._dropped, self._answers)


def _plain(room: object) -> object:
    """Return a room as a value that MessagePack can encode, or else its representation as text."""
    try:
        encode(room)
    except UNFIT:
        return ascii(room)
    return room
