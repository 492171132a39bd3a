"""A client that behaves like the official ones: it speaks Engine.IO and Socket.IO, answers pings, and keeps what recovery needs.

Socket.IO's packets are written and read by python-socketio's code, so that what the server writes is read by another's. Nothing
happens by itself but pongs: it does not reconnect before the test says so.
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
    """An event that a client got.

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
    """What a client has to know of a node."""

    def wire(
        self,
        make: Callable[..., Wire],
        headers: Mapping[str, str],
        *,
        hear: Callable[[EnginePacket], None],
        ended: Callable[[str], None],
    ) -> Wire:
        """Make a wire to it."""


class Client:
    """One client in one namespace; made by `Cluster.connect`.

    Args:
        name: What it is called in messages.
        loop: The test's loop.
        failures: What handlers raised.
        namespace: Its namespace.
        transport: `websocket` or `polling`.
        auth: What it sends in each CONNECT.
        headers: Of its requests.
        again: Connects it to a node, or to the one where it was.

    Attributes:
        name: What it is called in messages.
        namespace: Its namespace.
        sid: Its id; empty before its first connection.
        recovered: Whether its last connection went on with the session before.
        disconnected: Why it is not connected, in the official client's words; None: it is.
        events: All that it got, in order, over all its connections.

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
        """What it got and no `next` has taken."""
        return tuple(self._untaken)

    # -- its connection

    async def connect_to(self, place: Place) -> None:
        """Connect to a node: `Cluster.connect` and `back` do it.

        Raises:
            Refused: The server refuses the connection.
            Disconnected: The server has closed the connection, so that an official client would try again.

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

    async def back(self, *, node: int | None = None) -> None:
        """Connect again, as an official client does by itself, and go on with the session if the server lets it: see `recovered`.

        Args:
            node: The node's number. Default: where it was.

        Raises:
            Refused: The server refuses the connection.
            Disconnected: The server has closed the connection, so that an official client would try again.

        """
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
        """Close its transport, as a page that is left: the server is told, and keeps the session for a recovery."""
        if self._wire is not None:
            self._wire.close()
        self._lost("transport close")

    def disconnect(self) -> None:
        """Say goodbye by a DISCONNECT packet, and close: the session has ended."""
        self._say(packet.Packet(packet.DISCONNECT, namespace=self.namespace))
        if self._wire is not None:
            self._wire.close()
        self._lost("io client disconnect")

    async def ended(self) -> str:
        """Wait until it is connected no more; returns why."""
        while self.disconnected is None:
            await self._wait("the end of its connection")
        return self.disconnected

    # -- events

    def emit(self, event: str, *args: object) -> None:
        """Send an event, without asking for an ack.

        Raises:
            Disconnected: It is not connected.

        """
        self._say(packet.Packet(packet.EVENT, [event, *_plain(args)], self.namespace))

    @overload
    async def call(self, event: str, *args: object) -> Any: ...

    @overload
    async def call(self, event: str, *args: object, as_type: type[T]) -> T: ...

    async def call(self, event: str, *args: object, as_type: type[object] | None = None) -> Any:
        """Send an event and return its ack: a value, None, or a tuple of several.

        Args:
            event: The event's name.
            args: Its arguments: JSON's values, bytes, and what msgspec can make of them, such as structs.
            as_type: What the ack is converted to, by msgspec. Default: as it came.

        Raises:
            Refused: The ack is an error of the server's.
            NothingCame: Nothing answers, however long one waits, unless time passes.
            HandlerFailed: A handler raised what the test does not expect.
            Disconnected: It is not connected, or is so no more.

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
        """Take the first event of a name that has not been taken, and return its argument: a value, None, or a tuple.

        Events of other names stay to be taken. If it has not come, it is waited for.

        Args:
            event: The event's name.
            as_type: What the argument is converted to, by msgspec. Default: as it came.

        Raises:
            NothingCame: It never comes, unless time passes; the message lists what did.
            HandlerFailed: A handler raised what the test does not expect.

        """
        while (found := next((one for one in self._untaken if one.name == event), None)) is None:
            await self._wait(f"the event {event!r}")
        self._untaken.remove(found)
        return found.value if as_type is None else msgspec.convert(found.value, as_type)

    def on_call(self, event: str, answer: Callable[..., object]) -> None:
        """Answer events of a name for which the server wants an ack.

        Args:
            event: The event's name.
            answer: Gets the arguments, and returns the ack, a tuple for several; may be async. Without one for an event, the
                server gets no ack.

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
        """Wait until something has come; if nothing more can come, that is an error."""
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
        """Take a packet of Engine.IO."""
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
        """Take a packet of Socket.IO."""
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
            # Now: events may follow in the same turn, and an offset is told from an argument by it.
            pid = taken.data.get("pid")
            self.recovered = pid is not None and pid == self._pid
            self.sid, self._pid = taken.data["sid"], pid

    def _take_event(self, taken: packet.Packet) -> None:
        name, *args = taken.data
        if self._pid is not None and args and isinstance(args[-1], str):
            # As the official client does, which takes any last string for an offset.
            self._offset = args[-1]
            if taken.id is None:
                # Every event to a client that can be recovered ends with one, but those that want an ack.
                args.pop()
        event = Event(name, tuple(args))
        self.events.append(event)
        self._untaken.append(event)
        if taken.id is not None and name in self._answers:
            # Out of the node's life: what answers is the test's own code.
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
        """Note that it is connected no more."""
        if self.disconnected is None:
            self.disconnected = reason
        self._wake()


def _plain(args: Sequence[object]) -> list[Any]:
    """Return arguments as JSON and attachments have them."""
    plain: list[Any] = msgspec.to_builtins(list(args), builtin_types=(bytes, bytearray))
    return plain
