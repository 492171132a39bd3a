"""The events of one connection at one gateway: in order, one at a time.

A handler that awaits delays only later events of its own connection; when too many wait, the server stops reading from the client. A handler that does not await costs no
task, and a plain function costs no coroutine either.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Protocol

from roomwire.errors import ClientError, Internal
from roomwire.gateways.chain import ACKNOWLEDGED, Ack, AcknowledgedFailed
from roomwire.gateways.errors import NoSuchEvent
from roomwire.gateways.socket import Socket, to_wire
from roomwire.logs import get_logger
from roomwire.rooms.member import members_of
from roomwire.server import Server

_log = get_logger(__name__)


class Arguments(Protocol):
    """Builds the arguments of a handler from an event; see `roomwire.gateways.binding.Binding`."""

    def decoded(self, text: str, socket: Socket) -> dict[str, object] | None:
        """Return the keyword arguments for a raw event, or None."""

    def arguments(self, socket: Socket, body: Sequence[object]) -> dict[str, object]:
        """Return the keyword arguments for a decoded event."""


@dataclass(frozen=True, slots=True)
class Handler:
    """A gateway's method for one event.

    Attributes:
        event: The event's name.
        method: The bound method, or the chain around it.
        binding: Its parameters.
        is_plain: Whether the method is not a coroutine function.
        takes_ack: Whether it gets the ack, as the argument `ack`, and sends it itself.
        surcharge: What its event costs beyond an ordinary event, in units of the rates.

    """

    event: str
    method: Callable[..., object]
    binding: Arguments
    is_plain: bool
    takes_ack: bool = False
    surcharge: int = 0


_Event = tuple[Handler, dict[str, object], int | None, int]
"""An event whose arguments fit: its handler, the keyword arguments, the ack's id, and its approximate size."""


class Lane:
    """Passes one connection's events to their handlers.

    Args:
        socket: The connection.
        handlers: The gateway's handlers by event.
        is_concurrent: Whether events do not wait for each other.

    """

    __slots__ = (
        "_backlogs",
        "_charge",
        "_count",
        "_handlers",
        "_is_concurrent",
        "_parting",
        "_refusal_of_waiting",
        "_replies",
        "_running",
        "_server",
        "_start",
        "_start_now",
        "_waiting",
        "socket",
    )

    def __init__(self, socket: Socket, handlers: Mapping[str, Handler], *, is_concurrent: bool) -> None:
        self.socket = socket
        self._server: Server = socket.server
        self._replies = socket.server.replies
        self._start = socket.server.begin
        self._start_now = socket.server.begin_now
        self._count = socket.server.count_event
        self._backlogs = socket.server.backlogs
        self._charge = socket.server.charges.charge
        self._refusal_of_waiting = socket.server.charges.refusal_of_waiting
        self._handlers = handlers
        self._is_concurrent = is_concurrent
        self._running = 0
        self._waiting: deque[_Event] | None = None
        self._parting: asyncio.Future[None] | None = None

    def admit_text(self, text: str, start: int, ack_id: int | None) -> bool:
        """Accept a raw event whose JSON begins at `start`; return False if only `admit` can handle it: hot."""
        handler = self._handlers.get(text[start + 2 : text.find('"', start + 2)])
        if handler is None or text[start + 1] != '"':
            return False
        try:
            arguments = handler.binding.decoded(text[start:], self.socket)
        except Exception:
            return False
        if arguments is None:
            return False
        if handler.takes_ack:
            arguments["ack"] = self._ack(ack_id)
        if handler.surcharge:
            self._charge(self.socket.member.connection, handler.surcharge)
        self._put((handler, arguments, ack_id, len(text)))
        return True

    def admit(self, event: str, body: Sequence[object], ack_id: int | None) -> None:
        """Accept an event with its arguments."""
        handler = self._handlers.get(event)
        if handler is None:
            self._refuse(NoSuchEvent(event), ack_id)
            return
        try:
            arguments = handler.binding.arguments(self.socket, body)
        except ClientError as error:
            self._refuse(error, ack_id)
        except Exception:
            _log.exception("arguments failed", event_name=event, sid=self.socket.id)
            self._refuse(Internal(), ack_id)
        else:
            if handler.takes_ack:
                arguments["ack"] = self._ack(ack_id)
            if handler.surcharge:
                self._charge(self.socket.member.connection, handler.surcharge)
            size = sum(len(value) for value in body if isinstance(value, str | bytes))
            self._put((handler, arguments, ack_id, size))

    def _ack(self, ack_id: int | None) -> Ack:
        """Return the ack of an event for its handler."""
        return Ack(None if ack_id is None else partial(self._replies.acknowledge, self.socket.member, ack_id))

    def stop(self) -> None:
        """Discard the events after the present one."""
        waiting, self._waiting = self._waiting or (), None
        for event in waiting:
            self._backlogs.handled(self.socket.member, event[3])

    async def idle(self) -> None:
        """Wait until no event of the connection is being handled. A handler of the connection must not wait for this."""
        if self._running:
            self._parting = self._parting or asyncio.get_running_loop().create_future()
            await self._parting

    @property
    def events(self) -> int:
        """The number of events that are being handled or wait."""
        return self._running + (len(self._waiting) if self._waiting else 0)

    @property
    def owed(self) -> int:
        """What the waiting events have been charged."""
        return sum(1 + handler.surcharge for handler, *_ in self._waiting or ())

    @property
    def _max_events(self) -> int:
        limit: int = self._server.eio.limits.max_waiting_events
        return limit

    def _put(self, event: _Event) -> None:
        if self._running and (not self._is_concurrent or self._running >= self._max_events):
            self._wait(event)
        elif event[0].is_plain:
            self._run_plain(event)
        else:
            self._running += 1
            self._start_now(self._run(event))

    def _wait(self, event: _Event) -> None:
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(event)
        self._backlogs.begun(self.socket.member, event[3])

    def _next(self) -> _Event | None:
        """Return the next event. An event for which those before it have left no time is refused."""
        while self._waiting:
            refusal = self._refusal_of_waiting(self.socket.member.connection, self._owed)
            event = self._waiting.popleft()
            self._backlogs.handled(self.socket.member, event[3])
            if refusal is None:
                return event
            self._refuse(refusal, event[2])
        return None

    def _owed(self) -> int:
        """Return what the waiting events of the connection have been charged."""
        lanes = (member.lane for member in members_of(self.socket.member.connection))
        return sum(lane.owed for lane in lanes if lane is not None)

    async def _run(self, event: _Event | None, result: object = None) -> None:
        """Handle an event, or await the result of one that has begun; then handle the waiting events."""
        member, replies = self.socket.member, self._replies
        try:
            while event is not None:
                handler, arguments, ack_id, _ = event
                started, outcome = perf_counter(), "ok"
                try:
                    if result is None:
                        result = handler.method(**arguments)
                    if hasattr(result, "__await__"):
                        result = await result
                    if ack_id is not None and result is not ACKNOWLEDGED:
                        replies.acknowledge(member, ack_id, to_wire(result))
                except asyncio.CancelledError:
                    outcome = Internal.code
                    replies.answer_error(member, ack_id, Internal())
                    raise
                except Exception as error:
                    outcome = self._failed(error, event)
                finally:
                    member.events += 1
                    self._count(outcome, perf_counter() - started)
                event, result = self._next(), None
        finally:
            self._running -= 1
            if self._waiting:
                # A handler was cancelled; the waiting events must be handled nevertheless.
                self._running += 1
                self._start(self._run(self._next()))
            elif not self._running and self._parting is not None and not self._parting.done():
                self._parting.set_result(None)

    def _run_plain(self, event: _Event) -> None:
        handler, arguments, ack_id, _ = event
        started, outcome = perf_counter(), "ok"
        try:
            result = handler.method(**arguments)
            if hasattr(result, "__await__"):
                # A plain function may be a decorator's wrapper around a coroutine function.
                self._running += 1
                self._start_now(self._run(event, result))
                return
            if ack_id is not None:
                self._replies.acknowledge(self.socket.member, ack_id, to_wire(result))
        except Exception as error:
            outcome = self._failed(error, event)
        self.socket.member.events += 1
        self._count(outcome, perf_counter() - started)

    def _failed(self, error: Exception, event: _Event) -> str:
        """Report an error to the client; return its code."""
        ack_id = None if isinstance(error, AcknowledgedFailed) else event[2]
        told = client_error(error, event[0].event, self.socket)
        self._replies.answer_error(self.socket.member, ack_id, told)
        return told.code

    def _refuse(self, error: ClientError, ack_id: int | None) -> None:
        self._replies.answer_error(self.socket.member, ack_id, error)
        self.socket.member.events += 1
        self._count(error.code, 0.0)


def client_error(error: BaseException, event: str, socket: Socket) -> ClientError:
    """Return the error that a client receives for what a handler raised; an unexpected exception is logged.

    Args:
        error: What the handler, or the chain around it, raised.
        event: The event.
        socket: The client.

    """
    if isinstance(error, AcknowledgedFailed):
        error = error.error
    if isinstance(error, ClientError):
        return error
    _log.exception(
        "handler failed", event_name=event, sid=socket.id, namespace=socket.namespace, exc_info=error
    )
    return Internal()
