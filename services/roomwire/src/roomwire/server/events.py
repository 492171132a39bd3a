"""The server's events: from a client's message to its handler and the ack."""

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine, MutableMapping
from functools import partial
from typing import Any, Final

from roomwire.engine.connection import Connection
from roomwire.engine.session import Reason
from roomwire.errors import ClientError, Internal, InvalidBody, RateLimited
from roomwire.limits.bounds import Bound
from roomwire.limits.client import Limits
from roomwire.logs import get_logger
from roomwire.protocol.codec import (
    BadPacket,
    Packet,
    any_event_head,
    connect_namespace,
    event_head,
    name_of,
)
from roomwire.protocol.packets import EnginePacket
from roomwire.protocol.wire_format import WireFormat
from roomwire.rooms.manager import Rooms
from roomwire.rooms.member import Member, Phase, member_of
from roomwire.server.admissions import Asked
from roomwire.server.backlog import Event
from roomwire.server.backlogs import Backlogs, waiting_data, waiting_text
from roomwire.server.charges import too_fast
from roomwire.server.replies import Replies
from roomwire.server.stock import Stock, StockSteps

_CONNECTED: Final = Phase.CONNECTED
"""A constant, because looking up an enum's member is slow before Python 3.12."""

_EVENTS: Final = frozenset({"2", "5"})
"""The first characters of event packets, without and with attachments."""

_EVENTS_OF_ENGINE: Final = frozenset({"42", "45"})
"""The first characters of event packets in Engine.IO's messages."""

_WITH_ATTACHMENTS: Final = frozenset({"5", "6"})
"""The first characters of packets that attachments follow."""

_HEAD_BYTES: Final = 16_384
"""What an event that waits for attachments may take beside its text and attachments: a small one is decoded already."""
_CONNECT: Final = "0"
"""The first character of a CONNECT."""

_GUESTS_TOLD_EVERY_S: Final = 10.0
_CONNECT_HEAD_BYTES: Final = 1_024
"""What a CONNECT may have beside its `auth`: its namespace, and what recovery adds."""

_log = get_logger(__name__)


class _Incomplete:
    """An event that waits for attachments.

    Args:
        number: Its number, which no other event has.

    Attributes:
        number: Its number.
        held_bytes: What its connection is charged for it.
        late_at: When the next attachment is late, in the loop's time.

    """

    __slots__ = ("held_bytes", "late_at", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.held_bytes = 0
        self.late_at = 0.0


class Events:
    """Passes the events of clients to their handlers.

    Args:
        server: The server that has the handlers.
        rooms: The clients.
        replies: Answers events.
        backlogs: The events that are not handled yet.
        is_connecting: Returns whether the decision about a connection in a namespace is pending.
        attachments: python-socketio's events that still wait for attachments, by the ids of their connections.
        wire: The form of packets on the wire.
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
        backlogs: Backlogs,
        is_connecting: Callable[[Connection, str], bool],
        attachments: MutableMapping[str, Packet],
        wire: WireFormat,
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
        self._backlogs = backlogs
        self._is_connecting = is_connecting
        backlogs.begin = self._begin_waiting
        self._attachments = attachments
        self._packet_class = wire.packet_class
        self._is_native = wire.is_native
        self._limits = limits
        self._exceeded = exceeded
        self._count = count
        self._max_connect_bytes = limits.max_auth_bytes + limits.max_token_bytes + _CONNECT_HEAD_BYTES
        self._begin = begin
        self._clock = clock
        self._read = stock.read
        self._connect = stock.receive_connect
        self._handle = stock.handle
        self._trigger = stock.trigger
        self._is_call_answered = False
        self._incomplete: dict[str, _Incomplete] = {}
        self._number = 0
        self._guests_told_at = float("-inf")
        self._arrived_bytes: dict[str, int] = {}
        self.takes_now = self._take_in_time if is_limited else self._take_now
        if not wire.is_native:
            # Only its class can read a packet.
            self.takes_now = self._take_later

    def _take_later(self, connection: Connection, message: EnginePacket) -> bool:  # noqa: ARG002 - see `takes_now`
        return False

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
            is_whole = eio_sid not in self._attachments
            if not data and is_whole:
                raise BadPacket("an empty packet")
            arrived_bytes = 0 if is_whole else self._arrived_bytes.get(eio_sid, 0)
            self._arrived_bytes[eio_sid] = arrived_bytes + len(data)
            if is_whole and len(data) > self._max_connect_bytes and data[:1] == _CONNECT:
                # Its payload is not decoded, which takes many times its size.
                await self._connect(eio_sid, connect_namespace(str(data)), Asked.TOO_LARGE)
            else:
                await self._read(eio_sid, data)
            is_incomplete = eio_sid in self._attachments
            if not is_incomplete:
                self._arrived_bytes.pop(eio_sid, None)
            if not is_whole or (is_incomplete and data[:1] in _WITH_ATTACHMENTS):
                # Another packet may have been waited for meanwhile.
                self._charge_incomplete(eio_sid, data)
            if self._is_call_answered:
                self._is_call_answered = False
                if (connection := self._server.eio.find(eio_sid)) is not None:
                    self._backlogs.rest(connection)
        except ValueError as error:
            # These include BadPacket, and python-socketio's exception for attachments of an unknown client.
            self._refuse_packet(eio_sid, error)
        except Exception:
            _log.exception("message handling failed", sid=eio_sid)
            self._server.eio.close(eio_sid, Reason.TRANSPORT_ERROR)

    def _charge_incomplete(self, eio_sid: str, data: EnginePacket) -> None:
        """Charge a connection with an event that waits for attachments, and close it if the next one does not come in time."""
        connection: Connection | None = self._server.eio.find(eio_sid)
        packet = self._attachments.get(eio_sid)
        if connection is None:
            return
        if packet is None:
            complete = self._incomplete.pop(eio_sid, None)
            connection.account.hold(0 if complete is None else -complete.held_bytes)
            return
        size = sys.getsizeof(data) + _HEAD_BYTES
        connection.account.hold(size)
        waiting = self._incomplete.get(eio_sid)
        now = asyncio.get_running_loop().time()
        if waiting is None:
            self._number += 1
            waiting = self._incomplete[eio_sid] = _Incomplete(self._number)
            alarm = partial(self._close_if_late, eio_sid, self._number)
            self._server.eio.alarm_in(self._limits.attachments_timeout_s, alarm)
        waiting.held_bytes += size
        waiting.late_at = now + self._limits.attachments_timeout_s

    def _close_if_late(self, eio_sid: str, number: int, now: float) -> float | None:
        """Close a connection whose event still waits for an attachment that is late by now: an alarm, which keeps nothing of it."""
        waiting, connection = self._incomplete.get(eio_sid), self._server.eio.find(eio_sid)
        if waiting is None or waiting.number != number:
            return None
        if now < waiting.late_at:
            return waiting.late_at
        if connection is not None and connection.state.is_paused:
            return now + self._limits.attachments_timeout_s
        self._server.eio.close(eio_sid, Reason.TRANSPORT_ERROR, Bound.ATTACHMENTS_TIMEOUT)
        return None

    def forget(self, eio_sid: str) -> None:
        """Drop an event of a connection that has ended before all attachments arrived."""
        self._attachments.pop(eio_sid, None)
        self._incomplete.pop(eio_sid, None)
        self._arrived_bytes.pop(eio_sid, None)

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
        if exceeded is Bound.EVENTS_OF_GUESTS_PER_S:
            self._tell_of_guests()
        connection.attachments_refused = attachments
        member = member_of(connection, namespace)
        if member is None or member.phase is not _CONNECTED:
            # As for an event within the rate: there is no client to tell.
            return
        self._refuse_too_fast(member, ack_id, exceeded)

    def _tell_of_guests(self) -> None:
        """Log that guests send too much, which no connection is to blame for, unless that was logged just now."""
        now = self._clock()
        if now - self._guests_told_at >= _GUESTS_TOLD_EVERY_S:
            self._guests_told_at = now
            _log.warning("guests send too many events", max_per_s=self._limits.max_events_of_guests_per_s)

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
        return max((rate.delay_s(now) for rate in connection.rates), default=0.0)

    def _take_now(self, connection: Connection, message: EnginePacket) -> bool:
        """Begin a text event, or let it wait; return False if only the whole decoder can read the message: hot."""
        if isinstance(message, bytes) or message[:1] != "2":
            return False
        head = None if connection.sid in self._attachments else event_head(message)
        if head is None:
            return False
        namespace, ack_id, start = head
        member = member_of(connection, namespace)
        if member is not None and member.phase is not _CONNECTED:
            member = None
        if (member is None or connection.unhandled is not None) and self._must_wait(
            connection, namespace, member
        ):
            self._let_wait(connection, namespace, member, waiting_text(message, start, ack_id))
            return True
        if member is None:
            return False
        if member.lane is not None and namespace not in self._server.handlers:
            return member.lane.admit_text(message, start, ack_id)
        self._begin_text(member, message, ack_id)
        return True

    def _must_wait(self, connection: Connection, namespace: str, member: Member | None) -> bool:
        """Return whether an event has to wait: for the decision about its client, for earlier events, or for room.

        Args:
            connection: The connection.
            namespace: The event's namespace.
            member: The client in that namespace, if it is connected.

        """
        if member is None:
            return self._is_connecting(connection, namespace)
        return self._backlogs.is_early(connection, namespace) or self._backlogs.must_wait(member)

    def _let_wait(self, connection: Connection, namespace: str, member: Member | None, event: Event) -> None:
        if member is None or self._backlogs.is_early(connection, namespace):
            self._backlogs.add_early(connection, namespace, event)
        else:
            self._backlogs.add(member, event)

    def _begin_waiting(self, member: Member, event: Event) -> None:
        """Begin an event that waited."""
        ack_id = event.ack_id if member.phase is _CONNECTED else None
        if not event.text:
            self._begin_decoded(member, event.data, ack_id, event.size)
            return
        lane = None if member.namespace in self._server.handlers else member.lane
        if lane is None or not lane.admit_text(event.text, event.start, ack_id):
            self._begin_text(member, event.text, ack_id)

    def _begin_text(self, member: Member, message: str, ack_id: int | None) -> None:
        """Decode an event and begin it; close the connection if it is invalid."""
        try:
            data = self._packet_class(encoded_packet=message).data
        except BadPacket as error:
            self._refuse_packet(member.connection.sid, error)
        else:
            self._begin_decoded(member, data, ack_id, len(message))

    def _begin_decoded(self, member: Member, data: Any, ack_id: int | None, size: int) -> None:
        if member.lane is not None and member.namespace not in self._server.handlers:
            name = data[0] if isinstance(data[0], str) else name_of(data[0])
            member.lane.admit(name, data[1:], ack_id)
            return
        eio_sid = member.connection.sid
        handling = self._handle(self._server, member.sid, eio_sid, data, member.namespace, ack_id)
        # The event begins now, even in a task, so that events begin in the order of their arrival.
        task = self._begin(handling)
        if task is not None:
            member.handling += 1
            self._backlogs.begun(member, size)
            task.add_done_callback(partial(self._handled, member, size))

    def _handled(self, member: Member, size: int, _: object) -> None:
        member.handling -= 1
        self._backlogs.handled(member, size)

    async def handle(self, eio_sid: str, namespace: str, data: list[Any], ack_id: int | None) -> None:
        """Begin an event that has attachments or that only the whole decoder can read, or let it wait."""
        connection: Connection | None = self._server.eio.find(eio_sid)
        if connection is None:
            return
        member, size = member_of(connection, namespace), self._arrived_bytes.pop(eio_sid, 0)
        if member is not None and member.phase is not _CONNECTED:
            member = None
        if member is not None and not self._is_native and self._exceeds(connection, member, ack_id):
            return
        if self._must_wait(connection, namespace, member):
            self._let_wait(connection, namespace, member, waiting_data(data, ack_id, size))
        elif member is not None:
            self._begin_decoded(member, data, ack_id, size)

    def _exceeds(self, connection: Connection, member: Member, ack_id: int | None) -> bool:
        """Return whether an event, which has been read, exceeds a rate; then its client has been told, or lost."""
        exceeded = _exceeded_by_one_more(connection, self._clock())
        if exceeded is None:
            return False
        connection.events_refused += 1
        if connection.events_refused > self._limits.max_refused_events:
            connection.close(Reason.TRANSPORT_ERROR, Bound.REFUSED_EVENTS)
            return True
        self._exceeded(exceeded)
        self._refuse_too_fast(member, ack_id, exceeded)
        return True

    def _refuse_too_fast(self, member: Member, ack_id: int | None, exceeded: Bound) -> None:
        self._replies.answer_error(member, ack_id, too_fast(exceeded))
        member.events += 1
        self._count(RateLimited.code, 0.0)

    async def run(self, sid: str, data: list[object], namespace: str, ack_id: int | None) -> None:
        """Run an event's handler. Its `ClientError` reaches the client."""
        # A client that left while this event waited is not a member any more.
        member: Member | None = self._rooms.member(sid, namespace) or self._backlogs.leaving.get(sid)
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
