"""The public names of python-socketio's server that the parts of our server use."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, runtime_checkable

from roomwire.engine.engine import Engine
from roomwire.tracing import Tracing

_MAX_EVENT: Final = 64
"""The length of an event's name in a span: clients choose it where functions handle events."""


class Stock(Protocol):
    """The attributes of a `socketio.AsyncServer` that the parts use.

    python-socketio creates most of them in its constructor, so the parts, which are arguments of it, find them later.

    Attributes:
        eio: The engine.
        environ: The first requests of connections, by the connections' ids.
        handlers: namespace → event → function.
        namespace_handlers: namespace → object.
        namespaces: The namespaces that are served without handlers, or `*`.
        async_handlers: Whether the events of a client are handled concurrently.
        not_handled: The result of `_trigger_event` without a handler.
        reserved_events: The events that only the server may emit.
        reason: The reasons of disconnects.

    """

    eio: Engine
    environ: Mapping[str, object]
    handlers: Mapping[str, Mapping[str, object]]
    namespace_handlers: Mapping[str, object]
    namespaces: Any
    async_handlers: bool
    not_handled: object
    reserved_events: list[str]
    reason: Any

    async def get_session(self, sid: str, namespace: str | None = None) -> Any:
        """Return the application's data of a client; raise KeyError if there is none."""

    async def disconnect(self, sid: str, namespace: str | None = None, *, ignore_queue: bool = False) -> None:
        """Disconnect a client."""


@runtime_checkable
class Initiated(Protocol):
    """A handler of a namespace with a hook for the start."""

    async def after_init(self) -> None:
        """Run before clients are accepted."""


@dataclass(frozen=True, slots=True)
class StockSteps:
    """The steps of python-socketio itself that the parts call.

    Attributes:
        open: Accepts a connection: its `_handle_eio_connect`.
        close: Removes a connection: its `_handle_eio_disconnect`.
        read: Reads a message and acts on it: its `_handle_eio_message`.
        receive_connect: Receives a CONNECT: the server's `_handle_connect`.
        connect: Runs the connect handler of a client, and answers: its `_handle_connect`.
        leave: Removes a client: its `_handle_disconnect`.
        handle: Handles an event and answers it: the server's `_handle_event_internal`.
        trigger: Finds a handler and runs it: the server's current `_trigger_event`.
        run_handler: Finds a handler and runs it: python-socketio's own `_trigger_event`.

    """

    open: Callable[..., Awaitable[None]]
    close: Callable[..., Awaitable[None]]
    read: Callable[..., Awaitable[None]]
    receive_connect: Callable[..., Awaitable[None]]
    connect: Callable[..., Awaitable[None]]
    leave: Callable[..., Awaitable[None]]
    handle: Callable[..., Coroutine[object, object, None]]
    trigger: Callable[..., Awaitable[object]]
    run_handler: Callable[..., Awaitable[object]]

    def traced(self, tracing: Tracing) -> "StockSteps":
        """Return the steps with a span around each event that `trigger` is called with."""

        async def trigger(event: object, namespace: str, *args: object) -> object:
            with tracing.event(str(event)[:_MAX_EVENT], namespace):
                return await self.trigger(event, namespace, *args)

        return replace(self, trigger=trigger)
