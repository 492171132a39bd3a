"""What the server's parts use of python-socketio's server, which they are parts of: its public names."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from roomwire.engine.engine import Engine


class Stock(Protocol):
    """A `socketio.AsyncServer`, as far as the parts look at it.

    python-socketio makes most of it within its own constructor, so that a part, which is an argument of that, finds it later.

    Attributes:
        eio: The engine.
        environ: The requests that connections began with, by their ids.
        handlers: namespace → event → function.
        namespace_handlers: namespace → object.
        namespaces: The namespaces that are served without handlers, or `*`.
        async_handlers: Whether the events of a client are handled beside each other.
        not_handled: What `_trigger_event` returns where there is no handler.
        reserved_events: Events that are the server's alone.
        reason: Why a client left.

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
        """Return the application's data of a client; raises KeyError if there is none."""

    async def disconnect(self, sid: str, namespace: str | None = None, *, ignore_queue: bool = False) -> None:
        """Send a client away."""


class Initiated(Protocol):
    """What handles a namespace and wants to know of the start."""

    async def after_init(self) -> None:
        """Do what has to be done before clients come."""


@dataclass(frozen=True, slots=True)
class StockSteps:
    """What python-socketio itself does at some point, as the parts call it.

    Attributes:
        open: Takes a connection: its `_handle_eio_connect`.
        close: Forgets one: its `_handle_eio_disconnect`.
        read: Reads a message, and does what it says: its `_handle_eio_message`.
        connect: Asks the handler about a client, and answers: its `_handle_connect`.
        leave: Parts from a client: its `_handle_disconnect`.
        handle: Has an event handled and answered: the server's `_handle_event_internal`.
        trigger: Has a handler found and run: the server's `_trigger_event`, whatever stands there.
        run_handler: Finds a handler and runs it: its `_trigger_event`.

    """

    open: Callable[..., Awaitable[None]]
    close: Callable[..., Awaitable[None]]
    read: Callable[..., Awaitable[None]]
    connect: Callable[..., Awaitable[None]]
    leave: Callable[..., Awaitable[None]]
    handle: Callable[..., Coroutine[object, object, None]]
    trigger: Callable[..., Awaitable[object]]
    run_handler: Callable[..., Awaitable[object]]
