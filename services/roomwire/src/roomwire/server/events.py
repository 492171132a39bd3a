"""The server's events: from a message of a client to its handler and the ack."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

import socketio

from roomwire.engine.connection import Connection
from roomwire.engine.engine import Engine
from roomwire.engine.session import Reason
from roomwire.errors import ClientError, Internal, InvalidBody, RateLimited
from roomwire.limits.bounds import Bound
from roomwire.logs import get_logger
from roomwire.protocol.codec import BadPacket, ack_frames, any_event_head, event_head, name_of
from roomwire.protocol.packets import EnginePacket
from roomwire.protocol.payloads import arguments_of
from roomwire.rooms.registry import Member, Phase, member_of

_CONNECTED: Final = Phase.CONNECTED
"""Kept, as before Python 3.12 an enum's member takes a while to be found."""

_EVENTS: Final = frozenset({"2", "5"})
"""What packets of events begin with: without and with attachments."""

_EVENTS_OF_ENGINE: Final = frozenset({"42", "45"})
"""The same in Engine.IO's messages."""

_FULL_DELAY_S: Final = 0.01

_TOO_FAST: Final = {
    Bound.EVENTS_PER_S: "Too many events a second: slow down.",
    Bound.EVENTS_PER_USER_PER_S: "Too many events a second of this user: slow down.",
    Bound.EVENTS_PER_ADDRESS_PER_S: "Too many events a second from this address: slow down.",
}

_log = get_logger(__name__)


class EventServer(socketio.AsyncServer):  # type: ignore[misc] # python-socketio has no types
    """Handles events; the rest is `Server`'s."""

    eio: Engine
    begin: Callable[[Coroutine[Any, Any, Any]], "asyncio.Task[Any] | None"]
    begin_now: Callable[[Coroutine[Any, Any, Any]], "asyncio.Task[Any] | None"]
    _is_call_answered = False
    count_event: Callable[[str, float], None]

    def acknowledge(self, member: Member, ack_id: int, result: Any) -> None:
        """Send what a handler returned: nothing, a value, or a tuple of several: hot."""
        frames = ack_frames(member.namespace, arguments_of(result), ack_id)
        if len(frames) == 1:
            self.eio.turn.put(member.outlet, frames[0])
        else:
            self.eio.turn.put_all((member.outlet,), frames)

    def answer_error(self, member: Member, ack_id: int | None, error: ClientError) -> None:
        """Tell a client of an error: in the ack if it waits for one, else by the event `exception`."""
        if ack_id is not None:
            self.acknowledge(member, ack_id, dict(error.body()))
        else:
            self.manager.say((member,), member.namespace, ["exception", dict(error.details())])

    def _refuse_packet(self, eio_sid: str, error: ValueError) -> None:
        """Close the connection of a client that does not keep to the protocol."""
        _log.info("bad packet", sid=eio_sid, error=str(error))
        exceeded = error.exceeded if isinstance(error, BadPacket) else None
        self.eio.close(eio_sid, Reason.TRANSPORT_ERROR, exceeded)

    async def _handle_eio_message(self, eio_sid: str, data: str | bytes) -> None:
        try:
            if not data and eio_sid not in self._binary_packet:
                raise BadPacket("an empty packet")
            await super()._handle_eio_message(eio_sid, data)
            if self._is_call_answered:
                # Who waited for this ack goes on before the events that the client sent after it begin.
                self._is_call_answered = False
                await asyncio.sleep(0)
        except ValueError as error:
            # BadPacket is one, and so is what python-socketio raises for attachments of an unknown client.
            self._refuse_packet(eio_sid, error)
        except Exception:
            _log.exception("message handling failed", sid=eio_sid)
            self.eio.close(eio_sid, Reason.TRANSPORT_ERROR)

    def _take_event_in_time(self, connection: Connection, message: EnginePacket) -> bool:
        """Take an event as `_take_event_now`, but not faster than they may come: hot."""
        if connection.attachments_refused:
            self._drop_attachment(connection, message)
            return True
        if isinstance(message, bytes) or message[:1] not in _EVENTS:
            return self._take_event_now(connection, message)
        exceeded = _exceeded_by_one_more(connection)
        if exceeded is None or connection.sid in self._binary_packet:
            return self._take_event_now(connection, message)
        connection.events_refused += 1
        if connection.events_refused > self.eio.limits.max_refused_events:
            # To refuse is not for nothing: whoever is told so often and goes on takes the time of others.
            connection.close(Reason.TRANSPORT_ERROR, Bound.REFUSED_EVENTS)
            return True
        try:
            self._refuse_event(connection, message, exceeded)
        except BadPacket as error:
            self._refuse_packet(connection.sid, error)
        return True

    def _refuse_event(self, connection: Connection, message: str, exceeded: Bound) -> None:
        """Tell a client that an event came too fast; its attachments, if it has some, are dropped as they come.

        Raises:
            BadPacket: It has no head that a client may send.

        """
        namespace, ack_id, attachments = any_event_head(
            message, max_attachments=self.eio.limits.max_attachments
        )
        self.eio.exceeded(exceeded)
        connection.attachments_refused = attachments
        member = member_of(connection, namespace)
        if member is None or member.phase is not _CONNECTED:
            # As one that comes in time: there is nobody to tell.
            return
        self.answer_error(member, ack_id, RateLimited(_TOO_FAST[exceeded]))
        member.events += 1
        self.count_event(RateLimited.code, 0.0)

    def _drop_attachment(self, connection: Connection, message: EnginePacket) -> None:
        if isinstance(message, bytes):
            connection.attachments_refused -= 1
        else:
            self._refuse_packet(connection.sid, BadPacket("a text where an attachment belongs"))

    def _delay_of(self, connection: Connection, message: EnginePacket) -> float:
        """Say in how many seconds an event is worth another look that would be refused now; 0.0: take it.

        For a transport that can let it wait.
        """
        if isinstance(message, bytes) or message[:2] not in _EVENTS_OF_ENGINE:
            return 0.0
        now = time.monotonic()
        delay_s = max((rate.delay_s(now) for rate in connection.rates), default=0.0)
        if not delay_s and any(self._is_full(member, len(message)) for member in connection.members):
            delay_s = _FULL_DELAY_S
        return delay_s

    def _is_full(self, member: Member, size: int) -> bool:
        if member.lane is not None:
            return not member.lane.has_room(size)
        return member.handling >= self.eio.limits.max_waiting_events

    def _take_event_now(self, connection: Connection, message: EnginePacket) -> bool:
        """Take a text event without awaiting; False if this message is none, or has to wait its turn: hot."""
        if isinstance(message, bytes) or message[:1] != "2":
            return False
        head = None if connection.sid in self._binary_packet else event_head(message)
        if head is None:
            return False
        namespace, ack_id, start = head
        member = member_of(connection, namespace)
        if member is None or member.phase is not _CONNECTED:
            return False
        if member.lane is not None and namespace not in self.handlers:
            taken: bool = member.lane.admit_text(message, start, ack_id)
            return taken
        return self.async_handlers and self._begin_event(member, message, ack_id)

    def _begin_event(self, member: Member, message: EnginePacket, ack_id: int | None) -> bool:
        """Run the handlers of python-socketio's own kinds for an event, or refuse it."""
        eio_sid = member.connection.sid
        try:
            data = self.packet_class(encoded_packet=message).data
        except BadPacket as error:
            self._refuse_packet(eio_sid, error)
        else:
            self._begin_handling(member, data, ack_id)
        return True

    def _begin_handling(self, member: Member, data: Any, ack_id: int | None) -> None:
        """Handle an event beside the others of its client, unless too many are being handled."""
        if member.handling >= self.eio.limits.max_waiting_events:
            self.eio.exceeded(Bound.WAITING_EVENTS)
            self.answer_error(member, ack_id, RateLimited())
            member.events += 1
            self.count_event(RateLimited.code, 0.0)
            return
        eio_sid = member.connection.sid
        handling = self._handle_event_internal(self, member.sid, eio_sid, data, member.namespace, ack_id)
        # Now, also where a task has taken it, so that events begin in the order in which they came.
        task = self.begin_now(handling)
        if task is not None:
            member.handling += 1
            task.add_done_callback(member.handled)

    async def _handle_event(
        self,
        eio_sid: str,
        namespace: str | None,
        id: int | None,  # noqa: A002
        data: list[Any],
    ) -> None:
        namespace = namespace or "/"
        connection: Connection | None = self.eio.find(eio_sid)
        member = None if connection is None else member_of(connection, namespace)
        if member is None or member.phase is not _CONNECTED:
            return
        if member.lane is not None and namespace not in self.handlers:
            name = data[0] if isinstance(data[0], str) else name_of(data[0])
            member.lane.admit(name, data[1:], id)
        elif self.async_handlers:
            self._begin_handling(member, data, id)
        else:
            await self._handle_event_internal(self, member.sid, eio_sid, data, namespace, id)

    async def _handle_event_internal(
        self,
        server: Any,  # noqa: ARG002 - python-socketio passes the server to itself
        sid: str,
        eio_sid: str,  # noqa: ARG002 - the same
        data: list[Any],
        namespace: str,
        id: int | None,  # noqa: A002
    ) -> None:
        """Run an event's handler; what it raises as a `ClientError` reaches the client."""
        member: Member | None = self.manager.member(sid, namespace)
        if member is None:
            return
        started, outcome = time.perf_counter(), "ok"
        try:
            event = self._event_of(data[0], namespace)
            result = await self._trigger_event(event, namespace, sid, *data[1:])
            if id is not None and result is not self.not_handled:
                self.acknowledge(member, id, result)
        except ClientError as error:
            outcome = error.code
            self.answer_error(member, id, error)
        except Exception:
            outcome = Internal.code
            _log.exception("handler failed", event_name=data[0], sid=sid, namespace=namespace)
        finally:
            member.events += 1
            self.count_event(outcome, time.perf_counter() - started)

    def _event_of(self, name: Any, namespace: str) -> Any:
        """Return what an event is called here: a number, as on stock, where a function is there for it, else its text.

        Refused are the events that are the server's alone: by `connect` a client could pose as another.
        """
        if not isinstance(name, str):
            handlers = self.handlers.get(namespace) or self.handlers.get("*") or ()
            text = name_of(name)
            return name if name in handlers or ("*" in handlers and text not in handlers) else text
        if name in self.reserved_events:
            raise InvalidBody("An event needs a name, and not one of Socket.IO's own.")
        return name


def _exceeded_by_one_more(connection: Connection) -> Bound | None:
    """Count an event of a connection, unless that is faster than something allows: what that is."""
    now = time.monotonic()
    rates = connection.rates
    for rate in rates:
        if rate.is_exceeded(now):
            bound: Bound = rate.bound
            return bound
    if connection.events_refused and not any(rate.until > now for rate in rates):
        connection.events_refused = 0
    for rate in rates:
        rate.charge(now)
    return None
