"""The relay port, on which other nodes deliver requests for sessions of this node.

A caller that does not know the secret gets no answer. A forwarded request is served as if its client had come to the public port
itself: by the same HTTP parser with the same limits, and with the client's own address. It is never
relayed again.
"""

import asyncio
import enum
from typing import Any, Final, cast

import msgspec
import uvicorn
from uvicorn.server import ServerState

from roomwire.engine import polling
from roomwire.engine.engine import Engine
from roomwire.engine.fast import fast_websocket
from roomwire.errors import UnusablePort
from roomwire.limits.http import HttpLimits
from roomwire.metrics.gateway import Metrics
from roomwire.metrics.http import HttpMetrics
from roomwire.protocol.asgi import Receive, Scope, Send
from roomwire.relay.proof import ENVELOPE_BYTES, HELLO_BYTES, BadProof, Nonces, Proof, RelayRequest
from roomwire.serving.http import bounded_http
from roomwire.serving.ports import BACKLOG, bind

_ADDED_HEADERS: Final = 2
_ADDED_BYTES: Final = 128
_CLOSE_TIMEOUT_S: Final = 1.0


class Taken(enum.StrEnum):
    """The outcome of a connection to the port: the label of `roomwire_relays_taken_total`."""

    TAKEN = "taken"
    REFUSED = "refused"
    """It had no proof of the secret, or was meant for another node or incarnation."""
    TIMEOUT = "timeout"
    FULL = "full"


class RelayListener:
    """Accepts requests from other nodes.

    Args:
        engine: Holds the sessions.
        path: The engine's path, with slashes: `/socket.io/`.
        node: This incarnation of this node.
        secret: The secret of all nodes.
        limits: The limits of a connection; `max_connections` limits the number of open ones, as on the public port.
        metrics: Counts connections.

    """

    def __init__(
        self, engine: Engine, *, path: str, node: str, secret: str, limits: HttpLimits, metrics: Metrics
    ) -> None:
        limits = msgspec.structs.replace(
            limits,
            max_header_bytes=limits.max_header_bytes + _ADDED_BYTES,
            max_headers=limits.max_headers + _ADDED_HEADERS,
        )

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await polling.serve(engine, scope, receive, send)
            else:
                await receive()
                await send({"type": "websocket.close"})

        self.proof = Proof(secret, node)
        self.limits = limits
        self.counts = {taken: metrics.relays_taken.labels(taken.value).inc for taken in Taken}
        self.guests: set[asyncio.Transport] = set()
        self._state = ServerState()
        websocket: Any = fast_websocket(engine, path, may_relay=False)
        self._config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            http=bounded_http(
                limits, metrics=HttpMetrics(metrics.registry, name="roomwire_relay_http_refused_total")
            ),
            ws=websocket,
            proxy_headers=False,
            server_header=False,
        )
        self._servers: list[asyncio.Server] = []

    async def open(self, host: str, port: int) -> None:
        """Listen; idempotent.

        Raises:
            ConfigurationError: The port cannot be bound.

        """
        if self._servers:
            return
        if not self._config.loaded:
            self._config.load()
        loop = asyncio.get_running_loop()
        try:
            sockets = bind(host, port)
        except OSError as error:
            raise UnusablePort(host, port, problem=error.strerror, setting="ROOMWIRE_RELAY_PORT") from None
        for each in sockets:
            self._servers.append(await loop.create_server(lambda: _Guest(self), sock=each, backlog=BACKLOG))

    async def close(self) -> None:
        """Stop listening, let running answers finish, then cut the remaining connections; idempotent."""
        if not self._servers:
            return
        while self._servers:
            self._servers.pop().close()
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(self._state.tasks, timeout=_CLOSE_TIMEOUT_S)
        for transport in list(self.guests):
            transport.abort()

    def serve(self, transport: asyncio.Transport, request: RelayRequest, rest: bytes) -> None:
        """Serve a request, and the bytes after it."""
        make: Any = self._config.http_protocol_class
        protocol = make(config=self._config, server_state=self._state, app_state={})
        transport.set_protocol(protocol)
        protocol.connection_made(SeenFrom(transport, request))
        protocol.data_received(request.head + rest)


class SeenFrom:
    """A transport that reports the client's address, where the real one knows only the node in between.

    Args:
        transport: The real one.
        request: The client's request.

    """

    __slots__ = ("_peer", "_scheme", "_transport", "write")

    def __init__(self, transport: asyncio.Transport, request: RelayRequest) -> None:
        self._transport = transport
        self._peer = (request.peer, request.port) if request.peer else None
        self._scheme = request.scheme
        self.write = transport.write

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Return a property of the connection; for TLS, whether the client used it."""
        if name == "peername":
            return self._peer
        if name == "sslcontext":
            return True if self._scheme == "https" else default
        return self._transport.get_extra_info(name, default)

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)


class _Guest(asyncio.Protocol):
    """A connection that has not proved its identity yet. It buffers at most one message, of a limited length."""

    def __init__(self, listener: RelayListener) -> None:
        self._listener = listener
        self._said = b""
        self._nonces: Nonces | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast without a check: uvloop's transports do not inherit from asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)
        limits = self._listener.limits
        if limits.max_connections and len(self._listener.guests) >= limits.max_connections:
            self._end(Taken.FULL)
            return
        self._listener.guests.add(self._transport)
        self._timer = asyncio.get_running_loop().call_later(limits.header_timeout_s, self._end, Taken.TIMEOUT)

    def data_received(self, data: bytes) -> None:
        if self._timer is None:
            return  # it is being cut
        self._said += data
        try:
            if self._nonces is None:
                self._greet()
            if self._nonces is not None:
                self._hear(self._nonces)
        except BadProof:
            self._end(Taken.REFUSED)

    def connection_lost(self, _: Exception | None) -> None:
        if self._timer is not None:
            self._end(Taken.REFUSED)

    def _greet(self) -> None:
        if len(self._said) >= HELLO_BYTES:
            welcome, self._nonces = self._listener.proof.welcome(self._said[:HELLO_BYTES])
            self._said = self._said[HELLO_BYTES:]
            self._transport.write(welcome)

    def _hear(self, nonces: Nonces) -> None:
        """Read the request once it is complete, and hand the connection over."""
        if len(self._said) < ENVELOPE_BYTES:
            return
        proof, envelope = self._listener.proof, self._said[:ENVELOPE_BYTES]
        end = ENVELOPE_BYTES + proof.request_bytes(
            envelope, max_head_bytes=self._listener.limits.max_header_bytes
        )
        if len(self._said) < end:
            return
        request = proof.read(nonces, envelope, self._said[ENVELOPE_BYTES:end])
        self._leave(Taken.TAKEN)
        self._listener.serve(self._transport, request, self._said[end:])

    def _end(self, taken: Taken) -> None:
        self._leave(taken)
        self._transport.abort()

    def _leave(self, taken: Taken) -> None:
        """Stop being a guest, and count the outcome."""
        self._listener.counts[taken]()
        self._listener.guests.discard(self._transport)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
