"""Runs an `App`: its lifespan, the gateways that are created in it, and the server with which they are registered."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from roomwire.app.app import App
from roomwire.app.lifespans import Lifespan, asgi_lifespan
from roomwire.app.providers import Kind, arguments_of
from roomwire.app.tracebacks import failed
from roomwire.errors import ApplicationError, ConfigurationError, Unavailable
from roomwire.gateways import Gateway
from roomwire.logs import get_logger
from roomwire.protocol.asgi import Receive, Scope, Send
from roomwire.recovery.decisions import RecoveryLimits
from roomwire.server import Server

LIFESPAN_END_S: Final = 10.0
"""How long the end of an application's lifespan may take, in seconds."""

_log = get_logger(__name__)
_T = TypeVar("_T")


def server_of(app: App, **arguments: Any) -> Server:
    """Return the server of an app, made with these arguments; one that the app brings is put together anew with them.

    Raises:
        ApplicationError: The server that the app brings was instrumented too early.

    """
    if app.server is None:
        return Server(**arguments)
    app.refuse_instrumented()
    recovery = arguments.get("recovery")
    if isinstance(recovery, RecoveryLimits) and recovery.is_offered:
        # Functions may not be made for clients that come back: whether these are offered it stays the program's choice.
        own = app.server.arguments["recovery"]
        is_offered = own.is_offered if isinstance(own, RecoveryLimits) else own
        arguments["recovery"] = msgspec.structs.replace(recovery, is_offered=is_offered)
    app.server.served_with(**arguments)
    return app.server


class Running:
    """One run of an app.

    It raises `ApplicationError` at once if the app has no lifespan and a gateway needs what nothing provides.

    Args:
        app: What is run. The lifespan gets a copy, whose provided values are this run's.
        server: Where its gateways are registered; its log has been started before `start`.
        provided: What the process provides, by type.
        max_connections_per_user: As `Gateway.max_connections_per_user`, in place of what gateways say. 0: they decide.

    Attributes:
        app: What the lifespan got last.

    """

    def __init__(
        self,
        app: App,
        server: Server,
        provided: Mapping[Kind, object],
        *,
        max_connections_per_user: int = 0,
    ) -> None:
        self.app = app
        self._declared = app
        self._server = server
        self._max_connections_per_user = max_connections_per_user
        self._given: dict[Kind, object] = {Server: server, **provided}
        if app.lifespan is None:
            # Nothing more will be provided: what lacks now will lack then.
            for gateway in app.gateways:
                if isinstance(gateway, type):
                    arguments_of(gateway, {**self._given, **app.provided})
        self._lifespan: Lifespan | None = None
        self._state: dict[str, object] = {}

    async def start(self) -> None:
        """Enter the lifespan, make the gateways, register them, and run the `after_init` hook of each.

        Raises:
            Unavailable: Of the application: something that it depends on does not answer. Nothing is left of it; starting again
                later is right.
            ApplicationError: It cannot be bound or started.

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
        """Give all gateways what the app puts around each call, and what it provides."""
        self.app.refuse_unguarded(self._server)
        for gateway in self._server.namespace_handlers.values():
            if isinstance(gateway, Gateway):
                try:
                    gateway.surround(self.app.around, self.app.provided)
                except ConfigurationError as error:
                    raise ApplicationError("lifespan", str(error)) from error

    def _made(self) -> Iterator[Gateway]:
        """Yield the gateways in the order in which the app names them; those that the lifespan has not added are made."""
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
        """Wait until the application has ended by itself, after `start`.

        Raises:
            ApplicationError: The lifespan failed, though nobody told it to end.

        """
        if self._lifespan is not None:
            await _told("the lifespan", self._lifespan.ended())

    async def close(self) -> None:
        """End the streams of replies, then leave the lifespan; idempotent. What it raises is logged."""
        for gateway in self._server.namespace_handlers.values():
            if isinstance(gateway, Gateway):
                await gateway.close_streams()
        lifespan, self._lifespan = self._lifespan, None
        if lifespan is not None:
            await self._end(lifespan)

    async def http(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request to the HTTP application of the app, which has one; see ASGI."""
        if self.app.http is not None:
            state = {**scope.get("state", {}), **self._state}
            await self.app.http({**scope, "state": state}, receive, send)

    def made(self, what: str, make: Callable[[App], _T]) -> _T:
        """Return what the application makes of itself, after `start`.

        Args:
            what: What people call it.
            make: Makes it.

        Raises:
            ApplicationError: It raised.

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
    """Make something of the application's; the unexpected becomes a sentence and the application's own traceback."""
    try:
        return make()
    except (Unavailable, ApplicationError):
        raise
    except Exception as error:
        raise failed("lifespan", what, error) from error


async def _told(what: str, step: Awaitable[None]) -> None:
    """Take a step of the application, as `_made_by` does."""
    try:
        await step
    except (Unavailable, ApplicationError):
        raise
    except Exception as error:
        raise failed("lifespan", what, error) from error
