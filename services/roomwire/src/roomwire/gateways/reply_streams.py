"""Streams of replies: the values that a handler yields if it is an async generator.

Each value goes to the caller through the log, so a caller that was away receives it when it recovers, on any node. A stream ends with
its generator, or with the caller's session, not with its transport. It does not delay later events of its connection.

A stream pauses while the caller has not confirmed as much as a recovery may replay. A caller confirms what it has received with each
pong. Its unread replies therefore never cost it its recovery, and never grow without a limit.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Final, Protocol
from weakref import WeakValueDictionary

from roomwire.errors import ClientError, Internal, NotFound, RateLimited
from roomwire.gateways.chain import ACKNOWLEDGED, Ack, Reply
from roomwire.gateways.lane import client_error
from roomwire.gateways.socket import Socket, to_wire
from roomwire.limits.bounds import Bound
from roomwire.log.contract import Published
from roomwire.log.entries import Message
from roomwire.log.positions import Epoch, Position
from roomwire.log.sessions import Sid
from roomwire.log.streams import sid_stream
from roomwire.protocol.payloads import arguments_of, event_payload

DONE: Final = "done"
"""The ack of an event whose handler has yielded everything."""
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 1.0

Values = AsyncGenerator[object, None]


class StreamingCall(Protocol):
    """A chain around a handler that is an async generator; see `roomwire.gateways.chain.Chain`."""

    async def __call__(
        self,
        socket: Socket,
        body: Sequence[object],
        ack: Ack | None = None,
        consume: Callable[[Values], Awaitable[object]] | None = None,
    ) -> object:
        """Run the handler, and pass its generator to `consume`."""


class Unread:
    """The replies to one session that it has not confirmed. Pure.

    Args:
        max_entries: The number of replies from which on it is full.
        max_bytes: The total size from which on it is full.

    """

    def __init__(self, *, max_entries: int, max_bytes: int) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._replies: deque[tuple[Epoch, Position, int]] = deque()
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether another reply has to wait."""
        return len(self._replies) >= self._max_entries or self._bytes >= self._max_bytes

    def add(self, epoch: Epoch, position: Position, size: int) -> None:
        """Note a reply at a position of the log."""
        self._replies.append((epoch, position, size))
        self._bytes += size

    def confirm(self, epoch: Epoch, upto: Position) -> None:
        """Note that everything up to a position was received. Replies of earlier epochs do not count any more."""
        while self._replies and (self._replies[0][0] != epoch or self._replies[0][1] <= upto):
            self._bytes -= self._replies.popleft()[2]


class ReplyStreams:
    """The streams of replies of one gateway on one node."""

    def __init__(self) -> None:
        self._running: dict[str, set[asyncio.Task[None]]] = {}
        self._unread: WeakValueDictionary[str, Unread] = WeakValueDictionary()

    async def begin(
        self, chain: StreamingCall, event: str, *, socket: Socket, body: Sequence[object], ack: Ack
    ) -> object:
        """Run a handler until its generator begins, which then continues by itself; return `ACKNOWLEDGED`.

        If the chain ends before, for example because a guard refuses the call, the outcome is the chain's.

        Args:
            chain: The chain around the handler.
            event: The event.
            socket: The caller.
            body: The event's arguments.
            ack: Acknowledges the event.

        Raises:
            RateLimited: As many streams to the caller are running as events may wait (`Limits.max_waiting_events`).

        """
        server = socket.server
        if len(self._running.get(socket.id, ())) >= server.eio.limits.max_waiting_events:
            server.eio.exceeded(Bound.WAITING_EVENTS)
            raise RateLimited
        stream = ReplyStream(socket, event, self._unread_of(socket))
        handling = asyncio.ensure_future(chain(socket, body, ack, stream.consume))
        try:
            await asyncio.wait({handling, stream.begun}, return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            handling.cancel()
            raise
        if not stream.begun.done():
            return handling.result()
        following = asyncio.create_task(_follow(stream, handling, ack))
        self._running.setdefault(socket.id, set()).add(following)
        following.add_done_callback(partial(self._ended, socket.id))
        return ACKNOWLEDGED

    async def close(self) -> None:
        """End all streams, because the node stops. Their callers receive no ack. Idempotent."""
        running = [following for each in self._running.values() for following in each]
        for following in running:
            following.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _ended(self, sid: str, following: "asyncio.Task[None]") -> None:
        running = self._running[sid]
        running.discard(following)
        if not running:
            del self._running[sid]

    def _unread_of(self, socket: Socket) -> Unread:
        """Return the account that all streams to one session share."""
        found = self._unread.get(socket.id)
        if found is None:
            limits, log = socket.server.recovery_limits, socket.server.log
            found = self._unread[socket.id] = Unread(
                # The other half is for the events of rooms and of other senders.
                max_entries=max(1, min(limits.max_entries, log.config.max_sid_entries) // 2),
                max_bytes=max(1, limits.max_bytes // 2),
            )
        return found


class ReplyStream:
    """One stream of replies to one session.

    Args:
        socket: The caller.
        event: The event that it sent, which is also the name of replies that are not a `Reply`.
        unread: The account of the session.

    Attributes:
        begun: Done as soon as the generator is about to run.

    """

    def __init__(self, socket: Socket, event: str, unread: Unread) -> None:
        self.begun: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.socket = socket
        self.event = event
        self._log = socket.server.log
        self._sid = Sid(socket.id)
        self._unread = unread

    async def consume(self, values: Values) -> object:
        """Send each value to the session; return the ack.

        Raises:
            CancelledError: The session has ended.

        """
        self.begun.set_result(None)
        async with aclosing(values):
            async for value in values:
                await self._send(value)
        return DONE

    async def is_wanted(self) -> bool:
        """Return whether the session exists, or the log cannot tell now."""
        tenure = self.socket.member.tenure
        if tenure is not None and self._log.holds(tenure):
            return True
        try:
            return await self._log.find(self._sid) is not None
        except ClientError:
            return True

    async def _send(self, value: object) -> None:
        event, args = (value.event, value.args) if isinstance(value, Reply) else (self.event, value)
        payload = event_payload([event, *arguments_of(to_wire(args))])
        charges, connection = self.socket.server.charges, self.socket.member.connection
        while (wait_s := charges.pause_of(connection)) > 0:
            await asyncio.sleep(wait_s)
        charges.answered(connection, [payload])
        pause_s = _FIRST_PAUSE_S
        while self._unread.is_full and not await self._is_confirmed():
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        try:
            published = await self._published(event, payload)
        except NotFound:
            raise asyncio.CancelledError from None
        if published.position is not None:
            self._unread.add(self._log.epoch, published.position, len(payload))

    async def _published(self, event: str, payload: bytes) -> Published:
        tracing = self.socket.server.tracing
        if tracing is None:
            return await self._log.publish(sid_stream(self._sid), Message(payload))
        with tracing.publish(event, self.socket.namespace):
            return await self._log.publish(sid_stream(self._sid), Message(payload, trace=tracing.carried()))

    async def _is_confirmed(self) -> bool:
        """Ask how much the session has received; return whether another reply fits."""
        # A client of this node is asked now, instead of with its next ping.
        self.socket.member.connection.ping()
        owner = await self._log.find(self._sid)
        if owner is None:
            raise asyncio.CancelledError
        self._unread.confirm(self._log.epoch, owner.known)
        return not self._unread.is_full


async def _follow(stream: ReplyStream, handling: "asyncio.Future[object]", ack: Ack) -> None:
    """Wait for the end of a stream, or of its session, and acknowledge the event."""
    period_s = stream.socket.server.log.config.heartbeat_s
    try:
        while not handling.done():
            await asyncio.wait({handling}, timeout=period_s)
            if not handling.done() and not await stream.is_wanted():
                handling.cancel()
                await asyncio.wait({handling})
    finally:
        if not handling.done():
            handling.cancel()
            await asyncio.gather(handling, return_exceptions=True)
    _acknowledge(stream, handling, ack)


def _acknowledge(stream: ReplyStream, handling: "asyncio.Future[object]", ack: Ack) -> None:
    """Tell the caller how its event has ended, if the connection that carried the event still exists."""
    socket = stream.socket
    is_there = not socket.member.connection.closed
    raised = Internal() if handling.cancelled() else handling.exception()
    if raised is None:
        if is_there and not ack.is_sent:
            ack(*arguments_of(to_wire(handling.result())))
        return
    error = client_error(raised, stream.event, socket)
    if not is_there:
        return
    if ack.is_wanted and not ack.is_sent:
        ack(dict(error.body()))
    else:
        socket.server.replies.answer_error(socket.member, None, error)
