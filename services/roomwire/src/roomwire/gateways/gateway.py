"""The base class of gateways."""

import asyncio
import inspect
from collections.abc import Coroutine, Sequence
from typing import Any, ClassVar, Unpack

import socketio

from roomwire.errors import ConfigurationError
from roomwire.gateways.binding import Binding, subscribed_event
from roomwire.gateways.errors import TwoHandlers, UnknownEvent
from roomwire.gateways.lane import Handler, Lane
from roomwire.gateways.socket import Socket, to_wire
from roomwire.history.contract import Recalled
from roomwire.logs import get_logger
from roomwire.rooms.emit import EmitOptions
from roomwire.server import Server

_log = get_logger(__name__)


class Gateway(socketio.AsyncNamespace):  # type: ignore[misc] # python-socketio has no types
    """A namespace whose events are handled by methods.

    Write a class, mark methods with `subscribe`, and register an instance::

        server.register_namespace(ChatGateway("/"))

    Each method's parameters are bound by their types (see `roomwire.gateways.binding`) and its return value
    is the ack. A `ClientError` that it raises reaches the client as an error ack, or as the event
    `exception` if the client waits for no ack; any other exception is logged and becomes `internal`.

    Hooks are methods with these names, all optional; their parameters are bound like a handler's:

    - `after_init(self)` runs once, when the server has started;
    - `on_connection(self, ...)` runs when a client has been authenticated, before its connection is
      accepted: a body parameter gets its `auth` payload, and raising a `ClientError` refuses it;
    - `on_disconnection(self, ...)` runs when a client has gone and none of its events is being handled any
      more, or `parting_timeout_s` later: a body parameter gets the reason. A client that is sent away while an
      event of its is being handled has left its rooms by then.

    The events of one connection are handled in order: one that awaits holds up only its own connection's
    later events, at most `Limits.max_waiting_events` of them. Connections do not wait for each other.

    The namespace may stand at the class, where an `App` reads it before there is an instance::

        class Board(Gateway, namespace="/board"): ...

    Args:
        namespace: The namespace it serves. Default: the class's, which is `/` unless it says another.
        concurrent: Whether the events of one connection are handled at the same time, without an order.

    Attributes:
        class_namespace: What the class says of its namespace.
        server: The server it is registered with; injected by `register_namespace`.
        parting_timeout_s: How long a handler may hold up the end of its client, which stays in its rooms meanwhile.
            Default: 30.
        offers_recovery: Whether its clients are offered recovery where `Server(recovery=None)` leaves it open. Default: yes.

    Raises:
        ConfigurationError: A handler's parameters cannot be bound, or an event has two handlers.

    """

    class_namespace: ClassVar[str] = "/"
    server: Server
    parting_timeout_s: ClassVar[float] = 30.0
    offers_recovery: ClassVar[bool] = True

    def __init_subclass__(cls, *, namespace: str | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        if namespace is not None:
            cls.class_namespace = namespace

    def __init__(self, namespace: str | None = None, *, concurrent: bool = False) -> None:
        super().__init__(namespace or self.class_namespace)
        self._is_concurrent = concurrent
        self._handlers = self._bind()
        self._on_connection = self._hook("on_connection")
        self._on_disconnection = self._hook("on_disconnection")

    @classmethod
    def subscriptions(cls) -> Sequence[str]:
        """Return the events that the class subscribes to, in alphabetical order, without an instance made by its constructor.

        Raises:
            ConfigurationError: As of the constructor.

        """
        unmade = object.__new__(cls)
        handlers = unmade._bind()
        for name in ("on_connection", "on_disconnection"):
            unmade._hook(name)
        return sorted(handlers)

    def _bind(self) -> dict[str, Handler]:
        handlers: dict[str, Handler] = {}
        # Of the class, as a property of what is not made yet must not run.
        for name, member in inspect.getmembers_static(type(self)):
            if event := subscribed_event(member):
                if event in handlers:
                    raise TwoHandlers(type(self), event)
                handlers[event] = _handler(event, getattr(self, name))
        return handlers

    def emit(
        self, event: str, data: object = None, **options: Unpack[EmitOptions]
    ) -> Coroutine[object, object, None]:
        """Send an event to a room, a client or everybody, on all gateways.

        Args:
            event: The event's name.
            data: Its argument; a tuple for several. Structs become objects.
            options: As for `Server.emit`, by name: `to` or `room`, `skip_sid`, `callback`, `ignore_queue`, `message_id`,
                `keeps_history`, and `namespace`, whose default is its own.

        Raises:
            Unavailable: It is not in the log; try again.
            OutcomeUnknown: Nobody knows; try again with the same `message_id`.
            TooLarge: The message id is too long.

        """
        options["namespace"] = options.get("namespace") or self.namespace
        # As it is: a coroutine around that of the server would cost each message a step.
        return self.server.emit(event, to_wire(data), **options)

    async def history(self, room: str, *, limit: int = 50, after: str = "") -> Recalled:
        """Return what emits with `keeps_history` kept of a room, oldest first.

        Args:
            room: The room.
            limit: Most entries. Default: 50.
            after: A position (`Remembered.position`): the first entries behind it. Default: the newest entries.

        Raises:
            Unavailable: It cannot be read now.
            ConfigurationError: The server was made with a log in Redis and without a history.

        """
        if self.server.history is None:
            raise ConfigurationError("this server reads no history: make it with history=open_history(...)")
        return await self.server.history.recall(room, limit=limit, after=after, namespace=self.namespace)

    async def trigger_event(self, event: str, *args: Any) -> Any:
        """Take a connect or disconnect from python-socketio to its hook; events go by the lane of their connection."""
        if event == "connect":
            return await self._connected(*args)
        if event == "disconnect":
            return await self._disconnected(*args)
        raise UnknownEvent(event)

    def _hook(self, name: str) -> Handler | None:
        hook = getattr(self, name, None)
        return None if hook is None else _handler(name, hook)

    async def _connected(self, sid: str, _environ: object, auth: object) -> None:
        socket = Socket(self.server, self.server.member(sid, self.namespace))
        lane = Lane(socket, self._handlers, is_concurrent=self._is_concurrent)
        if self._on_connection is not None:
            await _run(self._on_connection, socket, {} if auth is None else auth)
        socket.member.lane = lane

    async def _disconnected(self, sid: str, reason: str) -> None:
        lane = self.server.member(sid, self.namespace).lane
        if not isinstance(lane, Lane):
            return
        lane.stop()
        if lane.events and not self.server.eio.is_parting:
            # Perhaps one of its own handlers sends it away: that one must not wait for its own end.
            self.server.begin(self._part(lane, reason))
        else:
            await self._part(lane, reason)

    async def _part(self, lane: Lane, reason: str) -> None:
        try:
            async with asyncio.timeout(self.parting_timeout_s):
                await lane.idle()
        except TimeoutError:
            _log.warning("handler outlives its client", sid=lane.socket.id, namespace=self.namespace)
        if self._on_disconnection is not None:
            await _run(self._on_disconnection, lane.socket, reason)


def _handler(event: str, method: Any) -> Handler:
    try:
        binding = Binding(method, socket_type=Socket)
    except (TypeError, NameError) as error:
        raise ConfigurationError(str(error)) from error
    return Handler(event, method, binding, is_plain=not inspect.iscoroutinefunction(method))


async def _run(hook: Handler, socket: Socket, body: object) -> None:
    result = hook.method(**hook.binding.arguments(socket, [body]))
    if inspect.isawaitable(result):
        await result
