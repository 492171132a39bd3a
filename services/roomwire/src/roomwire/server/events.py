"""The server's events: from a client's message to its handler and the ack."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from roomwire.engine.connection import Connection
from roomwire.engine.session import Reason
from roomwire.errors import ClientError, Internal, InvalidBody, RateLimited
from roomwire.limits.bounds import Bound
from roomwire.limits.client import Limits
from roomwire.logs import get_logger
from roomwire.protocol.codec import BadPacket, Packet, any_event_head, event_head, name_of
from roomwire.protocol.packets import EnginePacket
from roomwire.rooms.manager import Rooms
from roomwire.rooms.member import Member, Phase, member_of, members_of
from roomwire.server.replies import Replies
from roomwire.server.stock import Stock, StockSteps

_CONNECTED: Final = Phase.CONNECTED
"""A constant, because looking up an enum's member is slow before Python 3.12."""

_EVENTS: Final = frozenset({"2", "5"})
"""The first characters of event packets, without and with attachments."""

_EVENTS_OF_ENGINE: Final = frozenset({"42", "45"})
"""The first characters of event packets in Engine.IO's messages."""

_FULL_DELAY_S: Final = 0.01

_TOO_FAST: Final = {
    Bound.EVENTS_PER_S: "Too many events a second: slow down.",
    Bound.EVENTS_PER_USER_PER_S: "This user sends too many events a second: slow down.",
    Bound.EVENTS_PER_ADDRESS_PER_S: "Too many events a second from this address: slow down.",
}

_log = get_logger(__name__)


class Events:
    """Passes the events of clients to their handlers.

    Args:
        server: The server that has the handlers.
        rooms: The clients.
        replies: Answers events.
        attachments: python-socketio's events that still wait for attachments, by the ids of their connections.
        packet_class: The packets with the server's limits.
        limits: The limits of one client.
        is_limited: Whether events have a rate limit.
        exceeded: Counts an exceeded limit.
        count: Counts an event by its outcome and its duration in seconds.
        begin: Starts a task and runs its first step immediately.
        clock: Monotonic seconds, for rates.
        stock: python-socketio's own steps.

    """

    def __init__(
        self,
        server: Stock,
        *,
        rooms: Rooms,
        replies: Replies,
        attachments: Mapping[str, Packet],
        packet_class: type[Packet],
        limits: Limits,
        is_limited: bool,
        exceeded: Callable[[Bound], None],
        count: Callable[[str, float], None],
        begin: Callable[[Coroutine[object, object, object]], "asyncio.Task[object] | None"],
        clock: Callable[[], float],
        stock: StockSteps,
    ) -> None:
        self._server = server
        self._rooms = rooms
        self._replies = replies
        self._attachments = attachments
        self._packet_class = packet_class
        self._limits = limits
        self._exceeded = exceeded
        self._count = count
        self._begin = begin
        self._clock = clock
        self._read = stock.read
        self._handle = stock.handle
        self._trigger = stock.trigger
        self._is_call_answered = False
        self.takes_now = self._take_in_time if is_limited else self._take_now

    def note_answer(self) -> None:
        """Let the caller that waits for an ack continue before the client's later events begin."""
        self._is_call_answered = True

    def _refuse_packet(self, eio_sid: str, error: ValueError) -> None:
        """Close the connection of a client that violates the protocol."""
        _log.info("bad packet", sid=eio_sid, error=str(error))
        exceeded = error.exceeded if isinstance(error, BadPacket) else None
        self._server.eio.close(eio_sid, Reason.TRANSPORT_ERROR, exceeded)

    async def read(self, eio_sid: str, data: EnginePacket) -> None:
        """Read a client's message and act on it. A message that violates the protocol closes the connection."""
        try:
            if not data and eio_sid not in self._attachments:
                raise BadPacket("an empty packet")
            await self._read(eio_sid, data)
            if self._is_call_answered:
                self._is_call_answered = False
                await asyncio.sleep(0)
        except ValueError as error:
            # These include BadPacket, and python-socketio's exception for attachments of an unknown client.
            self._refuse_packet(eio_sid, error)
        except Exception:
            _log.exception("message handling failed", sid=eio_sid)
            self._server.eio.close(eio_sid, Reason.TRANSPORT_ERROR)

    def _take_in_time(self, connection: Connection, message: EnginePacket) -> bool:
        """Handle an event as `_take_now` does, within the rate limits: hot."""
        if connection.attachments_refused:
            self._drop_attachment(connection, message)
            return True
        if isinstance(message, bytes) or message[:1] not in _EVENTS:
            return self._take_now(connection, message)
        exceeded = _exceeded_by_one_more(connection, self._clock())
        if exceeded is None or connection.sid in self._attachments:
            return self._take_now(connection, message)
        connection.events_refused += 1
        if connection.events_refused > self._limits.max_refused_events:
            # A refusal is not free: a client that continues after many refusals takes time from others.
            connection.close(Reason.TRANSPORT_ERROR, Bound.REFUSED_EVENTS)
            return True
        try:
            self._refuse_event(connection, message, exceeded)
        except BadPacket as error:
            self._refuse_packet(connection.sid, error)
        return True

    def _refuse_event(self, connection: Connection, message: str, exceeded: Bound) -> None:
        """Tell a client that an event exceeded a rate; drop its attachments, if any, as they arrive.

        Raises:
            BadPacket: The client may not send such a header.

        """
        namespace, ack_id, attachments = any_event_head(message, max_attachments=self._limits.max_attachments)
        self._exceeded(exceeded)
        connection.attachments_refused = attachments
        member = member_of(connection, namespace)
        if member is None or member.phase is not _CONNECTED:
            # As for an event within the rate: there is no client to tell.
            return
        self._replies.answer_error(member, ack_id, RateLimited(_TOO_FAST[exceeded]))
        member.events += 1
        self._count(RateLimited.code, 0.0)

    def _drop_attachment(self, connection: Connection, message: EnginePacket) -> None:
        if isinstance(message, bytes):
            connection.attachments_refused -= 1
        else:
            self._refuse_packet(connection.sid, BadPacket("a text where an attachment belongs"))

    def delay_of(self, connection: Connection, message: EnginePacket) -> float:
        """Return in how many seconds to check an event again that would be refused now; with 0.0 it is accepted.

        This is for a transport that can delay the event.
        """
        if isinstance(message, bytes) or message[:2] not in _EVENTS_OF_ENGINE:
            return 0.0
        now = self._clock()
        delay_s = max((rate.delay_s(now) for rate in connection.rates), default=0.0)
        if not delay_s and any(self._is_full(member, len(message)) for member in members_of(connection)):
            delay_s = _FULL_DELAY_S
        return delay_s

    def _is_full(self, member: Member, size: int) -> bool:
        if member.lane is not None:
            return not member.lane.has_room(size)
        return member.handling >= self._limits.max_waiting_events

    def _take_now(self, connection: Connection, message: EnginePacket) -> bool:
        """Handle a text event without awaiting; return False if the message is not one, or must wait: hot."""
        if isinstance(message, bytes) or message[:1] != "2":
            return False
        head = None if connection.sid in self._attachments else event_head(message)
        if head is None:
            return False
        namespace, ack_id, start = head
        member = member_of(connection, namespace)
        if member is None or member.phase is not _CONNECTED:
            return False
        if member.lane is not None and namespace not in self._server.handlers:
            return member.lane.admit_text(message, start, ack_id)
        return self._server.async_handlers and self._begin_event(member, message, ack_id)

    def _begin_event(self, member: Member, message: EnginePacket, ack_id: int | None) -> bool:
        """Run python-socketio's own kinds of handlers for an event, or refuse the event."""
        eio_sid = member.connection.sid
        try:
            data = self._packet_class(encoded_packet=message).data
        except BadPacket as error:
            self._refuse_packet(eio_sid, error)
        else:
            self._begin_handling(member, data, ack_id)
        return True

    def _begin_handling(self, member: Member, data: object, ack_id: int | None) -> None:
        """Handle an event concurrently with the client's other events, unless too many are being handled."""
        if member.handling >= self._limits.max_waiting_events:
            self._exceeded(Bound.WAITING_EVENTS)
            self._replies.answer_error(member, ack_id, RateLimited())
            member.events += 1
            self._count(RateLimited.code, 0.0)
            return
        eio_sid = member.connection.sid
        handling = self._handle(self._server, member.sid, eio_sid, data, member.namespace, ack_id)
        # The event begins now, even in a task, so that events begin in the order of their arrival.
        task = self._begin(handling)
        if task is not None:
            member.handling += 1
            task.add_done_callback(member.handled)

    async def handle(self, eio_sid: str, namespace: str, data: list[Any], ack_id: int | None) -> None:
        """Handle an event that has attachments or that cannot be handled without awaiting."""
        connection: Connection | None = self._server.eio.find(eio_sid)
        member = None if connection is None else member_of(connection, namespace)
        if member is None or member.phase is not _CONNECTED:
            return
        if member.lane is not None and namespace not in self._server.handlers:
            name = data[0] if isinstance(data[0], str) else name_of(data[0])
            member.lane.admit(name, data[1:], ack_id)
        elif self._server.async_handlers:
            self._begin_handling(member, data, ack_id)
        else:
            await self._handle(self._server, member.sid, eio_sid, data, namespace, ack_id)

    async def run(self, sid: str, data: list[object], namespace: str, ack_id: int | None) -> None:
        """Run an event's handler. Its `ClientError` reaches the client."""
        member: Member | None = self._rooms.member(sid, namespace)
        if member is None:
            return
        started, outcome = time.perf_counter(), "ok"
        try:
            event = self._event_of(data[0], namespace)
            result = await self._trigger(event, namespace, sid, *data[1:])
            if ack_id is not None and result is not self._server.not_handled:
                self._replies.acknowledge(member, ack_id, result)
        except ClientError as error:
            outcome = error.code
            self._replies.answer_error(member, ack_id, error)
        except Exception:
            outcome = Internal.code
            _log.exception("handler failed", event_name=data[0], sid=sid, namespace=namespace)
        finally:
            member.events += 1
            self._count(outcome, time.perf_counter() - started)

    def _event_of(self, name: Any, namespace: str) -> object:
        """Return the key of an event's handler: a number, as in python-socketio, if a function has that key, else its text.

        The server's own events are refused: with `connect` a client could impersonate another.
        """
        if not isinstance(name, str):
            handlers = self._server.handlers.get(namespace) or self._server.handlers.get("*") or ()
            text = name_of(name)
            return name if name in handlers or ("*" in handlers and text not in handlers) else text
        if name in self._server.reserved_events:
            raise InvalidBody("An event needs a name that is not one of Socket.IO's own.")
        return name


def _exceeded_by_one_more(connection: Connection, now: float) -> Bound | None:
    """Count an event of a connection, or return the limit that it exceeds."""
    rates = connection.rates
    for rate in rates:
        if rate.is_exceeded(now):
            return rate.bound
    if connection.events_refused and not any(rate.until > now for rate in rates):
        connection.events_refused = 0
    for rate in rates:
        rate.charge(now)
    return None
