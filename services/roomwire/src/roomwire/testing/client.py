"""A client that behaves like the official ones: it speaks Engine.IO and Socket.IO, answers pings, and can recover its session.

python-socketio's code encodes and decodes Socket.IO packets, so that the server's output is read by independent code. Only pongs
are sent automatically: the client reconnects only when the test says so.
"""

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeVar, overload

import msgspec
from socketio import packet

from roomwire.protocol.packets import CLOSE, MESSAGE, OPEN, PING, PONG, EnginePacket
from roomwire.testing.errors import Disconnected, NothingCame, Refused
from roomwire.testing.failures import Failures
from roomwire.testing.loop import Idle, VirtualLoop
from roomwire.testing.wires import WIRES, Wire

T = TypeVar("T")

_NEVER: Final = "it has not been connected"
_ERROR: Final = frozenset({"code", "message", "retryable"})
_VERDICTS: Final = frozenset({packet.CONNECT, packet.CONNECT_ERROR})
_ACKS: Final = frozenset({packet.ACK, packet.BINARY_ACK})


class Event(NamedTuple):
    """An event that a client received.

    Attributes:
        name: Its name.
        args: Its arguments, without the offset.

    """

    name: str
    args: tuple[Any, ...]

    @property
    def value(self) -> Any:
        """Its argument; None if it has none, a tuple if it has several."""
        return self.args[0] if len(self.args) == 1 else self.args or None

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(repr, self.args))})"


class Place(Protocol):
    """A node as a client sees it."""

    def wire(
        self,
        make: Callable[..., Wire],
        headers: Mapping[str, str],
        *,
        hear: Callable[[EnginePacket], None],
        ended: Callable[[str], None],
    ) -> Wire:
        """Create a wire to the node."""


class Client:
    """One client in one namespace; created by `Cluster.connect`.

    Args:
        name: Its name in messages.
        loop: The test's loop.
        failures: Collects exceptions of handlers.
        namespace: Its namespace.
        transport: `websocket` or `polling`.
        auth: The payload of each CONNECT.
        headers: The headers of its requests.
        again: Connects it to a node; by default, to its last node.

    Attributes:
        name: Its name in messages.
        namespace: Its namespace.
        sid: Its id; empty before its first connection.
        recovered: Whether its last connection continued the session before.
        disconnected: Why it is not connected, in the official client's words; None if it is connected.
        events: All events that it received, in order, over all its connections.

    """

    def __init__(
        self,
        name: str,
        *,
        loop: VirtualLoop,
        failures: Failures,
        namespace: str,
        transport: str,
        auth: Mapping[str, Any],
        headers: Mapping[str, str],
        again: "Callable[[Client, int | None], Awaitable[None]]",
    ) -> None:
        self.name = name
        self.namespace = namespace
        self.sid = ""
        self.recovered = False
        self.disconnected: str | None = _NEVER
        self.events: list[Event] = []
        self._untaken: list[Event] = []
        self._loop = loop
        self._failures = failures
        self._transport = transport
        self._auth = auth
        self._headers = headers
        self._again = again
        self._context = contextvars.copy_context()
        self._wire: Wire | None = None
        self._verdict: packet.Packet | None = None
        self._partial: packet.Packet | None = None
        self._pid: str | None = None
        self._offset: str | None = None
        self._last_ack = 0
        self._acks: dict[int, list[object]] = {}
        self._answers: dict[str, Callable[..., object]] = {}
        self._waiting: list[asyncio.Future[Idle | None]] = []

    def __repr__(self) -> str:
        return f"<Client {self.name} {self.disconnected or 'connected'}>"

    @property
    def untaken(self) -> Sequence[Event]:
        """The events that `next` has not returned yet."""
        return tuple(self._untaken)

    # -- connection

    async def connect_to(self, place: Place) -> None:
        """Connect to a node; called by `Cluster.connect` and `back`.

        Raises:
            Refused: The server refuses the connection.
            Disconnected: The server closes the connection; an official client would try again.

        """
        if self.disconnected is None:
            raise RuntimeError(f"{self.name} is connected: cut or close it first")
        self.disconnected, self._verdict, self._partial = None, None, None
        wire = self._wire = place.wire(
            WIRES[self._transport], self._headers, hear=self._hear, ended=self._lost
        )
        wire.open()
        verdict = await self._answered()
        if verdict.packet_type == packet.CONNECT_ERROR:
            self.close()
            refusal: Mapping[str, Any] = verdict.data
            raise Refused(f"the connection of {self.name}", refusal["message"], refusal.get("data"))

    async def back(self, *, node: int | None = None, token: str | None = None) -> None:
        """Connect again, as an official client does automatically, and recover the session if possible: see `recovered`.

        Args:
            node: The node's number. Default: its last node.
            token: The token that it sends from now on, such as a renewed one. Default: the token of its last connection, if any.

        Raises:
            Refused: The server refuses the connection.
            Disconnected: The server closes the connection; an official client would try again.

        """
        if token is not None:
            self._auth = {**self._auth, "token": token}
        await self._again(self, node)

    async def _answered(self) -> packet.Packet:
        await self._until(lambda: self._verdict is not None, "the answer to its CONNECT")
        return self._verdict

    def cut(self) -> None:
        """Break its transport: the client notices, and the server is not told."""
        if self._wire is not None:
            self._wire.cut()
        self._lost("transport close")

    def close(self) -> None:
        """Close its transport, as when a page is left: the server is told, and keeps the session for a recovery."""
        if self._wire is not None:
            self._wire.close()
        self._lost("transport close")

    def disconnect(self) -> None:
        """Send a DISCONNECT packet and close: the session has ended."""
        self._say(packet.Packet(packet.DISCONNECT, namespace=self.namespace))
        if self._wire is not None:
            self._wire.close()
        self._lost("io client disconnect")

    async def ended(self) -> str:
        """Wait until it is disconnected; return why."""
        while self.disconnected is None:
            await self._wait("the end of its connection")
        return self.disconnected

    # -- events

    def emit(self, event: str, *args: object) -> None:
        """Send an event, without asking for an ack.

        Raises:
            Disconnected: The client is not connected.

        """
        self._say(packet.Packet(packet.EVENT, [event, *_plain(args)], self.namespace))

    @overload
    async def call(self, event: str, *args: object) -> Any: ...

    @overload
    async def call(self, event: str, *args: object, as_type: type[T]) -> T: ...

    async def call(self, event: str, *args: object, as_type: type[object] | None = None) -> Any:
        """Send an event and return its ack: one value, None, or a tuple of several values.

        Args:
            event: The event's name.
            args: Its arguments: JSON values, bytes, and values that msgspec can encode, such as structs.
            as_type: The type to which msgspec converts the ack. Default: no conversion.

        Raises:
            Refused: The ack is an error of the server.
            NothingCame: No ack can arrive unless time passes.
            HandlerFailed: A handler raised an exception that the test does not expect.
            Disconnected: The client is not or no longer connected.

        """
        self._last_ack += 1
        id_ = self._last_ack
        self._say(packet.Packet(packet.EVENT, [event, *_plain(args)], self.namespace, id_))
        await self._until(lambda: id_ in self._acks, f"the ack of {event!r}")
        value = Event(event, tuple(self._acks.pop(id_))).value
        error = value.get("error") if isinstance(value, dict) and len(value) == 1 else None
        if isinstance(error, dict) and error.keys() >= _ERROR:
            raise Refused(f"the event {event!r}", error["message"], error)
        return value if as_type is None else msgspec.convert(value, as_type)

    @overload
    async def next(self, event: str) -> Any: ...

    @overload
    async def next(self, event: str, *, as_type: type[T]) -> T: ...

    async def next(self, event: str, *, as_type: type[object] | None = None) -> Any:
        """Return the argument of the next event of this name: one value, None, or a tuple of several.

        Events of other names are left. If the event has not arrived, wait for it.

        Args:
            event: The event's name.
            as_type: The type to which msgspec converts the argument. Default: no conversion.

        Raises:
            NothingCame: The event cannot arrive unless time passes; the message lists the events that arrived.
            HandlerFailed: A handler raised an exception that the test does not expect.

        """
        while (found := next((one for one in self._untaken if one.name == event), None)) is None:
            await self._wait(f"the event {event!r}")
        self._untaken.remove(found)
        return found.value if as_type is None else msgspec.convert(found.value, as_type)

    def on_call(self, event: str, answer: Callable[..., object]) -> None:
        """Answer events of this name for which the server wants an ack.

        Args:
            event: The event's name.
            answer: Gets the arguments, and returns the ack, a tuple for several values; may be async. Without it, the
                server gets no ack for the event.

        """
        self._answers[event] = answer

    # -- waiting

    async def _until(self, is_so: Callable[[], bool], wanted: str) -> None:
        while not is_so():
            if self.disconnected is not None:
                raise Disconnected(self.name, self.disconnected)
            await self._wait(wanted)
        self._failures.check()

    async def _wait(self, wanted: str) -> None:
        """Wait for the next arrival; raise an error if nothing more can arrive."""
        self._failures.check()
        wait = self._loop.when_idle(is_wanted=True)
        self._waiting.append(wait)
        idle = await wait
        self._failures.check()
        if idle is not None:
            raise NothingCame(
                self.name, wanted, self._untaken, due_s=idle.due_s, ended=self.disconnected or ""
            )

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for wait in waiting:
            if not wait.done():
                wait.set_result(None)

    # -- packets

    def _say(self, said: packet.Packet) -> None:
        if self.disconnected is not None or self._wire is None:
            raise Disconnected(self.name, self.disconnected or _NEVER)
        encoded = said.encode()
        text, *attachments = [encoded] if isinstance(encoded, str) else encoded
        self._wire.say([f"{MESSAGE}{text}", *map(bytes, attachments)])

    def _hear(self, heard: EnginePacket) -> None:
        """Process an Engine.IO packet."""
        if isinstance(heard, bytes):
            if self._partial is not None and self._partial.add_attachment(heard):
                whole, self._partial = self._partial, None
                self._take(whole)
        elif heard == PING:
            if self._wire is not None:
                self._wire.say([PONG])
        elif heard.startswith(OPEN):
            known = {"pid": self._pid, "offset": self._offset} if self._pid else {}
            auth = {**self._auth, **{name: value for name, value in known.items() if value}}
            self._say(packet.Packet(packet.CONNECT, auth or None, self.namespace))
        elif heard.startswith(MESSAGE):
            taken = packet.Packet(encoded_packet=heard[1:])
            if taken.attachment_count:
                self._partial = taken
            else:
                self._take(taken)
        elif heard.startswith(CLOSE):
            self.close()

    def _take(self, taken: packet.Packet) -> None:
        """Process a Socket.IO packet."""
        kind = taken.packet_type
        if kind in _VERDICTS:
            self._take_verdict(taken)
        elif kind == packet.DISCONNECT:
            if self._wire is not None:
                self._wire.close()
            self._lost("io server disconnect")
        elif kind in _ACKS:
            self._acks[taken.id] = taken.data or []
        else:
            self._take_event(taken)
        self._wake()

    def _take_verdict(self, taken: packet.Packet) -> None:
        self._verdict = taken
        if taken.packet_type == packet.CONNECT:
            # Set it now: events may follow in the same turn, and it decides whether their last argument is an offset.
            pid = taken.data.get("pid")
            self.recovered = pid is not None and pid == self._pid
            self.sid, self._pid = taken.data["sid"], pid

    def _take_event(self, taken: packet.Packet) -> None:
        name, *args = taken.data
        if self._pid is not None and args and isinstance(args[-1], str):
            # As in the official client, which takes any last string for an offset.
            self._offset = args[-1]
            if taken.id is None:
                # Every event to a client that can recover ends with an offset, except events that want an ack.
                args.pop()
        event = Event(name, tuple(args))
        self.events.append(event)
        self._untaken.append(event)
        if taken.id is not None and name in self._answers:
            # Outside of the node's life: the answer is the test's own code.
            self._context.copy().run(self._loop.create_task, self._answer(event, taken.id))

    async def _answer(self, event: Event, id_: int) -> None:
        try:
            value = self._answers[event.name](*event.args)
            value = await value if inspect.isawaitable(value) else value
        except Exception as error:
            self._failures.note(f"the answer of {self.name} to {event.name!r} failed", error)
            return
        if self.disconnected is None:
            args = list(value) if isinstance(value, tuple) else [] if value is None else [value]
            self._say(packet.Packet(packet.ACK, _plain(args), self.namespace, id_))

    def _lost(self, reason: str) -> None:
        """Note that the client is disconnected."""
        if self.disconnected is None:
            self.disconnected = reason
        self._wake()


def _plain(args: Sequence[object]) -> list[Any]:
    """Return arguments as they are after JSON and attachments."""
    plain: list[Any] = msgspec.to_builtins(list(args), builtin_types=(bytes, bytearray))
    return plain
