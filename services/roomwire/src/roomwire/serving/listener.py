"""The ports of a service: uvicorn without its signals, with TLS if there is a certificate.

This is the only module that uses uvicorn's server. `process` decides when a port opens and closes.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, NamedTuple, Self

import uvicorn

from roomwire.engine.asgi_socket import AsgiSocket, asgi_websocket
from roomwire.errors import UnusablePort
from roomwire.limits.client import Limits
from roomwire.limits.http import HttpLimits
from roomwire.metrics.http import HttpMetrics
from roomwire.protocol.asgi import App as Asgi
from roomwire.serving.http import bounded_http, let_part
from roomwire.serving.ports import BACKLOG, ListeningSockets, bind
from roomwire.serving.settings import ServiceSettings
from roomwire.serving.tls import REREAD_S, Certificate

CLOSE_TIMEOUT_S: Final = 5
"""The maximum time for running requests when a port closes, in seconds."""


NO_WEBSOCKETS: Final = "none"
"""Tells `Listener` that there are no WebSockets: a request for one is then an ordinary request."""


class Listener:
    """A uvicorn server that leaves signals to the process.

    Args:
        app: The ASGI application.
        listening: The port's sockets; they are closed with the server.
        settings: The service's settings, for the limits.
        http: As for `uvicorn.Config`.
        websocket: As for `uvicorn.Config`; None: the application's WebSockets, within the limits of `AsgiSocket`;
            `NO_WEBSOCKETS`: none.
        tls: The TLS context of its connections. Default: none, connections are plain.

    Attributes:
        task: The server's task, from `open` on; it ends with the server.

    """

    def __init__(
        self,
        app: Asgi,
        listening: ListeningSockets,
        settings: ServiceSettings,
        *,
        http: type[asyncio.Protocol] | str = "httptools",
        websocket: Callable[..., asyncio.Protocol] | str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        ws: Any = websocket or asgi_websocket(Limits(max_payload_bytes=settings.max_body_bytes))
        config = uvicorn.Config(
            app,
            # By default, uvicorn takes a bound method for ASGI 2.
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            http=http,
            ws=ws,
            # The fast WebSockets bypass it; `roomwire.protocol.sources` resolves proxies in the same way for all transports.
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=CLOSE_TIMEOUT_S,
        )
        self._server = _Uvicorn(config, tls, settings.header_timeout_s)
        self._http = http
        self._sockets = listening
        self.task: asyncio.Task[None]

    async def open(self) -> None:
        """Accept connections; return as soon as the port is open."""
        self.task = asyncio.create_task(self._server.serve(sockets=self._sockets))
        await self._server.opened.wait()

    async def drain(self, window_s: float) -> None:
        """Disconnect the clients: each connection ends with its next answer, and the application's WebSockets end one by one.

        Args:
            window_s: The period over which WebSockets are closed, so that clients do not all reconnect at once.

        """
        let_part(self._http)
        sockets = [each for each in self._server.server_state.connections if isinstance(each, AsgiSocket)]
        for number, each in enumerate(sockets):
            if number:
                await asyncio.sleep(window_s / len(sockets))
            each.shutdown()

    async def close(self) -> None:
        """Finish running requests, then close; wait for at most `CLOSE_TIMEOUT_S`."""
        self._server.should_exit = True
        await self.task


class Ports(NamedTuple):
    """The two ports of every service, already listening. As a context manager, it closes them at the end.

    Attributes:
        public: The public port.
        ops: The operations port.

    """

    public: ListeningSockets
    ops: ListeningSockets

    @classmethod
    def open(cls, settings: ServiceSettings) -> Self:
        """Bind the ports of a service's settings.

        Raises:
            ConfigurationError: A port is in use or cannot be bound.

        """
        public = listen(settings, "port")
        try:
            return cls(public, listen(settings, "ops_port"))
        except BaseException:
            public.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self:
            each.close()


class SidePort:
    """A further HTTP port of a service, which its application opens and closes; it has the public port's limits and TLS.

    Args:
        app: The ASGI application.
        settings: The service's settings.
        field: The setting that names the port.
        metrics: Counts refusals.

    """

    def __init__(self, app: Asgi, settings: ServiceSettings, field: str, *, metrics: HttpMetrics) -> None:
        self._app = app
        self._settings = settings
        self._field = field
        self._http = bounded_http(http_limits(settings), metrics=metrics)
        self._listener: Listener | None = None
        self._rereading: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Accept connections; idempotent.

        Raises:
            ConfigurationError: The port cannot be bound, or the certificate is unusable.

        """
        if self._listener is None:
            known = certificate(self._settings)
            listening = listen(self._settings, self._field)
            tls = known.context if known else None
            self._listener = Listener(
                self._app, listening, self._settings, http=self._http, websocket=NO_WEBSOCKETS, tls=tls
            )
            await self._listener.open()
            self._rereading = asyncio.create_task(_reread(known)) if known else None

    async def close(self) -> None:
        """Finish running requests, then close; wait for at most `CLOSE_TIMEOUT_S`. Idempotent."""
        listener, self._listener = self._listener, None
        if self._rereading is not None:
            self._rereading.cancel()
            await asyncio.gather(self._rereading, return_exceptions=True)
            self._rereading = None
        if listener is not None:
            await listener.close()


class _Uvicorn(uvicorn.Server):
    """Uvicorn without its signal handling, which the process owns, and with an event when it is open.

    With TLS it opens the sockets itself: uvicorn allows a stranger asyncio's one minute for the handshake.
    """

    def __init__(
        self, config: uvicorn.Config, tls: ssl.SSLContext | None, handshake_timeout_s: float
    ) -> None:
        super().__init__(config)
        self.opened = asyncio.Event()
        self._tls = tls
        self._handshake_timeout_s = handshake_timeout_s

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets if self._tls is None else [])
        if self._tls is not None:
            self.servers = [await self._open(listening, self._tls) for listening in sockets or ()]
        self.opened.set()

    async def _open(self, listening: socket.socket, tls: ssl.SSLContext) -> asyncio.Server:
        def connection() -> asyncio.Protocol:
            protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg] # as uvicorn calls it
                config=self.config, server_state=self.server_state, app_state=self.lifespan.state
            )
            return protocol

        return await asyncio.get_running_loop().create_server(
            connection,
            sock=listening,
            ssl=tls,
            ssl_handshake_timeout=self._handshake_timeout_s,
            # A client that does not answer the TLS shutdown is not waited for.
            ssl_shutdown_timeout=CLOSE_TIMEOUT_S,
            backlog=BACKLOG,
        )

    def capture_signals(self) -> Any:
        return contextlib.nullcontext()


def certificate(settings: ServiceSettings) -> Certificate | None:
    """Return the public port's certificate; None: the port serves plain HTTP.

    Raises:
        ConfigurationError: The certificate is unusable.

    """
    if settings.tls_cert_file is None or settings.tls_key_file is None:
        return None
    return Certificate(settings.tls_cert_file, settings.tls_key_file)


@contextlib.asynccontextmanager
async def rereading(known: Certificate | None) -> AsyncIterator[None]:
    """Check a certificate's files every `REREAD_S` while the context lasts; do nothing for None."""
    if known is None:
        yield
        return
    async with asyncio.TaskGroup() as tasks:
        rereading = tasks.create_task(_reread(known))
        try:
            yield
        finally:
            rereading.cancel()


async def _reread(known: Certificate) -> None:
    while True:
        await asyncio.sleep(REREAD_S)
        known.reread()


def http_limits(settings: ServiceSettings) -> HttpLimits:
    """Return a listener's limits for clients: the settings of the same names."""
    return HttpLimits(**{name: getattr(settings, name) for name in HttpLimits.__struct_fields__})


def listen(settings: ServiceSettings, field: str) -> ListeningSockets:
    """Bind the port of this setting.

    Raises:
        ConfigurationError: The port is in use or cannot be bound.

    """
    return listen_at(settings.host, getattr(settings, field), chosen_by=f"ROOMWIRE_{field.upper()}")


def listen_at(host: str, port: int, *, chosen_by: str) -> ListeningSockets:
    """Bind a port.

    Args:
        host: As for `bind`.
        port: As for `bind`.
        chosen_by: The setting or option that chooses the port.

    Raises:
        ConfigurationError: As for `listen`.

    """
    try:
        return bind(host, port)
    except OSError as error:
        # The standard library appends the address, which the message already contains.
        problem = str(error.strerror).partition(" (while attempting")[0]
        raise UnusablePort(host, port, problem=problem, setting=chosen_by) from None
