"""Runs an `App`: its lifespan, the gateways that are created in it, and the server with which they are registered."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from roomwire.app.app import App
from roomwire.app.lifespans import Lifespan, asgi_lifespan
from roomwire.app.providers import arguments_of
from roomwire.app.tracebacks import failed
from roomwire.errors import ApplicationError, ConfigurationError, Unavailable
from roomwire.gateways import Gateway
from roomwire.gateways.chain import Kind, Provided
from roomwire.logs import get_logger
from roomwire.protocol.asgi import Receive, Scope, Send
from roomwire.recovery.decisions import RecoveryLimits
from roomwire.server import Server

LIFESPAN_END_S: Final = 10.0
"""Time limit for the end of an application's lifespan, in seconds."""

_log = get_logger(__name__)
_T = TypeVar("_T")


def server_of(app: App, **arguments: Any) -> Server:
    """Return the server of an app: a new one with these arguments, or the app's own, assembled again with them.

    Raises:
        ApplicationError: The app's own server was instrumented too early.

    """
    if app.server is None:
        return Server(**arguments)
    app.refuse_instrumented()
    recovery = arguments.get("recovery")
    if isinstance(recovery, RecoveryLimits) and recovery.is_offered:
        # Function handlers may not be prepared for recovered clients, so the program decides whether to offer recovery.
        own = app.server.arguments["recovery"]
        is_offered = own.is_offered if isinstance(own, RecoveryLimits) else own
        arguments["recovery"] = msgspec.structs.replace(recovery, is_offered=is_offered)
    app.server.served_with(**arguments)
    return app.server


class Running:
    """One run of an app.

    The constructor raises `ApplicationError` if the app has no lifespan and a gateway needs a value that is not provided.

    Args:
        app: The app. Its lifespan gets a copy, whose provided values belong to this run.
        server: The server with which its gateways are registered. Its log must be started before `start`.
        provided: The values that the process provides, by type.
        max_connections_per_user: Replaces the `max_connections_per_user` of every gateway. 0 leaves it to the gateways.

    Attributes:
        app: The app that the lifespan got last.

    """

    def __init__(
        self,
        app: App,
        server: Server,
        provided: Provided,
        *,
        max_connections_per_user: int = 0,
    ) -> None:
        self.app = app
        self._declared = app
        self._server = server
        self._max_connections_per_user = max_connections_per_user
        self._given: dict[Kind, object] = {Server: server, **provided}
        if app.lifespan is None:
            # Without a lifespan nothing more is provided: a value that is missing now stays missing.
            for gateway in app.gateways:
                if isinstance(gateway, type):
                    arguments_of(gateway, {**self._given, **app.provided})
        self._lifespan: Lifespan | None = None
        self._state: dict[str, object] = {}

    async def start(self) -> None:
        """Enter the lifespan, create the gateways, register them, and run the `after_init` hook of each.

        Raises:
            Unavailable: The application raised it because a dependency does not answer. Everything was undone; start again
                later.
            ApplicationError: The application cannot be bound or started.

        """
        self.app = self._declared.running()
        for kind, value in self._given.items():
            self.app.provide(kind, value)
        lifespan = Lifespan(self._live)
        await _told("the lifespan", lifespan.start())
        try:
            for gateway in self._made():
                if self._max_connections_per_user:
                    gateway.max_connections_per_user = self._max_connections_per_user
                self._server.register_namespace(gateway)
            self._surround()
            for initiated in self._server.initiated():
                await _told(f"{type(initiated).__name__}.after_init", initiated.after_init())
        except BaseException:
            await self._end(lifespan)
            raise
        self._lifespan = lifespan

    def _surround(self) -> None:
        """Give all gateways the app's guards, interceptors and filters, and the provided values."""
        self.app.refuse_unguarded(self._server)
        for gateway in self._server.registered_handlers().values():
            if isinstance(gateway, Gateway):
                try:
                    gateway.surround(self.app.around, self.app.provided)
                except ConfigurationError as error:
                    raise ApplicationError("lifespan", str(error)) from error

    def _made(self) -> Iterator[Gateway]:
        """Yield the gateways in the app's order, and create those that the lifespan has not added."""
        gateway: Any
        for gateway in self.app.gateways:
            if isinstance(gateway, Gateway):
                yield gateway
                continue
            made = self.app.provided.get(gateway)
            if not isinstance(made, Gateway):
                arguments = arguments_of(gateway, self.app.provided)
                made = _made_by(f"{gateway.__name__}(...)", partial(gateway, **arguments))
                self.app.add(made)
            if made.namespace != gateway.class_namespace:
                raise ApplicationError(
                    "bind",
                    f"{gateway.__name__} serves {made.namespace!r}, but its class declares {gateway.class_namespace!r}: "
                    f"write class {gateway.__name__}(Gateway, namespace={made.namespace!r})",
                )
            yield made

    async def ended(self) -> None:
        """Wait until the application ends by itself, after `start`.

        Raises:
            ApplicationError: The lifespan failed before it was told to end.

        """
        if self._lifespan is not None:
            await _told("the lifespan", self._lifespan.ended())

    async def close(self) -> None:
        """End the streams of replies, then leave the lifespan, and log what it raises. Idempotent."""
        for gateway in self._server.registered_handlers().values():
            if isinstance(gateway, Gateway):
                await gateway.close_streams()
        lifespan, self._lifespan = self._lifespan, None
        if lifespan is not None:
            await self._end(lifespan)

    async def http(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the HTTP application of the app, which must have one; see ASGI."""
        if self.app.http is not None:
            state = {**scope.get("state", {}), **self._state}
            await self.app.http({**scope, "state": state}, receive, send)

    def made(self, what: str, make: Callable[[App], _T]) -> _T:
        """Return an object that a function of the application creates, after `start`.

        Args:
            what: The object's name in messages.
            make: The function.

        Raises:
            ApplicationError: The function raised an exception.

        """
        return _made_by(what, partial(make, self.app))

    @contextlib.asynccontextmanager
    async def _live(self) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            if self.app.lifespan is not None:
                await stack.enter_async_context(self.app.lifespan(self.app))
            if self.app.http is not None:
                self._state.clear()
                await stack.enter_async_context(asgi_lifespan(self.app.http, self._state))
            yield

    async def _end(self, lifespan: Lifespan) -> None:
        try:
            await lifespan.end(timeout_s=LIFESPAN_END_S)
        except TimeoutError:
            _log.exception("lifespan not ended", timeout_s=LIFESPAN_END_S)
        except Exception:
            _log.exception("lifespan failed at its end")


def _made_by(what: str, make: Callable[[], _T]) -> _T:
    """Call a function of the application. An unexpected exception becomes one sentence and the application's own traceback."""
    try:
        return make()
    except (Unavailable, ApplicationError):
        raise
    except Exception as error:
        raise failed("lifespan", what, error) from error


async def _told(what: str, step: Awaitable[None]) -> None:
    """Await a step of the application, with exceptions handled as in `_made_by`."""
    try:
        await step
    except (Unavailable, ApplicationError):
        raise
    except Exception as error:
        raise failed("lifespan", what, error) from error
