"""The base class of gateways."""

import inspect
from contextvars import ContextVar
from typing import Any, Final

import socketio

from roomwire.errors import ClientError, ConfigurationError, Internal, NotFound, RateLimited
from roomwire.gateways.binding import Binding, Handler, subscribed_event
from roomwire.gateways.socket import Socket, to_wire
from roomwire.logs import get_logger
from roomwire.server import Server

MAX_WAITING_EVENTS: Final = 256
_MAX_SHOWN_NAME: Final = 64

# The event that the running code handles: tells a handler that sends its own client away from all others.
_handling: ContextVar[object] = ContextVar("roomwire_handling", default=None)

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
    - `on_disconnection(self, ...)` runs when a client has gone: a body parameter gets the reason.

    The events of one connection are handled in order: one that awaits holds up only its own connection's
    later events, at most `MAX_WAITING_EVENTS` of them. Connections do not wait for each other.

    Args:
        namespace: The namespace it serves. Default: `/`.

    Attributes:
        server: The server it is registered with; injected by `register_namespace`.

    Raises:
        ConfigurationError: A handler's parameters cannot be bound, or an event has two handlers.

    """

    server: Server

    def __init__(self, namespace: str = "/") -> None:
        super().__init__(namespace)
        self._sockets: dict[str, Socket] = {}
        self._handlers: dict[str, tuple[Handler, Binding]] = {}
        for _, method in inspect.getmembers(self, inspect.ismethod):
            if event := subscribed_event(method):
                if event in self._handlers:
                    raise ConfigurationError(f"{type(self).__name__}: the event {event!r} has two handlers")
                self._handlers[event] = (method, _bind(method))
        self._on_connection = self._hook("on_connection")
        self._on_disconnection = self._hook("on_disconnection")

    async def emit(self, event: str, data: Any = None, **options: Any) -> None:
        """Send an event to a room, a client or everybody, on all gateways.

        Args:
            event: The event's name.
            data: Its argument; a tuple for several. Structs become objects.
            options: `to`, `skip_sid`, ... as for `socketio.AsyncNamespace.emit`.

        Raises:
            Unavailable: The other gateways could not be reached; try again.

        """
        await super().emit(event, to_wire(data), **options)

    async def trigger_event(self, event: str, *args: Any) -> Any:
        """Take an event from python-socketio to the handler."""
        if event == "connect":
            return await self._connected(*args)
        sid, *body = args
        socket = self._sockets.get(sid)
        if socket is None:
            return None
        if event == "disconnect":
            return await self._disconnected(socket, body)
        return await self._received(socket, event, body)

    def _hook(self, name: str) -> tuple[Handler, Binding] | None:
        hook = getattr(self, name, None)
        return None if hook is None else (hook, _bind(hook))

    async def _connected(self, sid: str, _environ: Any, auth: Any) -> None:
        socket = Socket(self.server, sid, self.namespace)
        self._sockets[sid] = socket
        try:
            if self._on_connection is not None:
                await _run(self._on_connection, socket, [{} if auth is None else auth])
        except BaseException:
            del self._sockets[sid]
            raise

    async def _disconnected(self, socket: Socket, body: list[Any]) -> None:
        if _handling.get() is socket.handling and socket.turn.locked():
            # The handler of one of its own events sends it away.
            await self._part(socket, body)
            return
        # Its turn comes after the events that are being handled: none of them sees a socket cleaned up.
        async with socket.turn:
            await self._part(socket, body)

    async def _part(self, socket: Socket, body: list[Any]) -> None:
        self._sockets.pop(socket.id, None)
        if self._on_disconnection is not None:
            await _run(self._on_disconnection, socket, body)

    async def _received(self, socket: Socket, event: str, body: list[Any]) -> Any:
        handler = self._handlers.get(event)
        if handler is None:
            raise NotFound(f"No event `{event[:_MAX_SHOWN_NAME]}` here.")
        if socket.waiting >= MAX_WAITING_EVENTS:
            raise RateLimited
        socket.waiting += 1
        try:
            async with socket.turn:
                if socket.id not in self._sockets:
                    return None  # sent away by the handler of an earlier event
                socket.handling = marker = object()
                _handling.set(marker)
                return to_wire(await _run(handler, socket, body))
        except ClientError:
            raise
        except Exception:
            _log.exception("handler failed", event_name=event, sid=socket.id, namespace=self.namespace)
            raise Internal from None
        finally:
            socket.waiting -= 1


def _bind(method: Handler) -> Binding:
    try:
        return Binding(method, socket_type=Socket)
    except (TypeError, NameError) as error:
        raise ConfigurationError(str(error)) from error


async def _run(handler: tuple[Handler, Binding], socket: Socket, body: list[Any]) -> Any:
    method, binding = handler
    result = method(**binding.arguments(socket, body))
    return await result if inspect.isawaitable(result) else result
