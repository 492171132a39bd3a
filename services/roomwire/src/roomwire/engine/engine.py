"""The engine: the sessions of one process, behind the interface that python-socketio expects.

It is an `engineio.AsyncServer` whose sessions, transports and request handling are ours. Of the original it
keeps the settings, the handlers, the CORS headers and the methods that python-socketio calls. The names that are
overridden are listed in `roomwire.server.drop_in.OVERRIDDEN`. Requests reach the engine through `roomwire.engine.asgi` and
`roomwire.engine.fast`.
"""

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

import engineio
import msgspec

from roomwire.engine.connection import Connection, Pulse
from roomwire.engine.eager import Starter
from roomwire.engine.relay import SessionRelay
from roomwire.engine.session import POLLING, Reason, Session
from roomwire.engine.turn import Turn
from roomwire.engine.wheel import Alarm, Wheel
from roomwire.limits.bounds import Bound
from roomwire.limits.client import Limits
from roomwire.logs import get_logger
from roomwire.protocol.asgi import Environ, Scope
from roomwire.protocol.environ import decoded, environ_of
from roomwire.protocol.origins import is_listed, is_own, is_spelled
from roomwire.protocol.packets import MESSAGE, PONG, BadEnginePacket, EnginePacket, open_packet
from roomwire.protocol.sources import Proxies

SETTLE_TIMEOUT_S: Final = 5.0
_ID_BYTES: Final = 16

_log = get_logger(__name__)


class Engine(engineio.AsyncServer):  # type: ignore[misc] # python-engineio has no types
    """The sessions of one process.

    Args:
        node_name: The prefix of session ids, before a dot.
        limits: The limits of one client. python-engineio's `ping_interval`, `ping_timeout` and
            `max_http_buffer_size` override the corresponding limits if they are given.
        exceeded: Called with each bound that a client exceeds.
        proxies: The trusted proxies. Default: none.
        turn: Collects the output of a turn of the event loop. Default: a new one.
        starter: Starts the engine's tasks. Default: a new one.
        takes_now: Handles a message without awaiting, or returns False: then the handlers get it. Default: always False.
        delay_of: Returns the seconds after which to retry a message that would be refused now. Default: 0.0, it is accepted.
        pulse: Told of pings and pongs. Default: none.
        left_loop: Called when the engine moves to another event loop.
        relay: Creates the relay that forwards requests to the nodes that hold their sessions. Default: no relay.
        options: As for `engineio.AsyncServer`. Compression and JSONP are not offered.

    """

    def __init__(
        self,
        *,
        node_name: str = "node",
        limits: Limits | None = None,
        exceeded: Callable[[Bound], None] = lambda _: None,
        proxies: Proxies | None = None,
        turn: Turn | None = None,
        starter: Starter | None = None,
        takes_now: Callable[[Connection, EnginePacket], bool] = lambda _, __: False,
        delay_of: Callable[[Connection, EnginePacket], float] = lambda _, __: 0.0,
        pulse: Pulse | None = None,
        left_loop: Callable[[], None] = lambda: None,
        relay: "Callable[[Engine], SessionRelay] | None" = None,
        **options: object,
    ) -> None:
        limits = limits or Limits()
        super().__init__(
            **{
                "ping_interval": (limits.ping_interval_s, limits.ping_grace_s),
                "ping_timeout": limits.ping_timeout_s,
                "max_http_buffer_size": limits.max_payload_bytes,
                **options,
            }
        )
        self.sockets: dict[str, Connection] = {}
        self.node_name = node_name
        self.proxies = proxies or Proxies()
        self.exceeded = exceeded
        self.limits = msgspec.structs.replace(
            limits,
            ping_interval_s=self.ping_interval,
            ping_grace_s=self.ping_interval_grace_period,
            ping_timeout_s=self.ping_timeout,
            max_payload_bytes=self.max_http_buffer_size,
        )
        self.loop: asyncio.AbstractEventLoop | None = None
        self._wheel = Wheel()
        self._partings: set[asyncio.Task[None]] = set()
        self.turn = turn or Turn()
        self.starter = starter or Starter()
        self.delay_of = delay_of
        self._takes_now = takes_now
        self._pulse = pulse
        self._left_loop = left_loop
        # Relay and engine refer to each other, so the engine creates the relay.
        self.relay = None if relay is None else relay(self)

    def generate_id(self) -> str:
        """Return a new session id: the node's name, a dot, and 128 random bits in base64url."""
        return f"{self.node_name}.{secrets.token_urlsafe(_ID_BYTES)}"

    def node_of(self, sid: str) -> str:
        """Return the name of the node that issued a session id, as far as the id has one; else an empty string."""
        return sid.rpartition(".")[0]

    def use_loop(self) -> None:
        """Bind to the running event loop; called wherever something begins on a loop.

        A process may have several loops in succession, as in tests. Objects that were bound to the last loop are created anew, and
        clients whose transports ended with it are lost.
        """
        loop = asyncio.get_running_loop()
        if loop is self.loop:
            return
        is_first, self.loop = self.loop is None, loop
        if is_first:
            return
        self._wheel.rebind()
        self.turn.rebind()
        self.starter.rebind()
        self._partings = set()
        self._left_loop()
        for connection in [*self.sockets.values()]:
            if connection.closed:
                # No transport will report its end any more.
                self._closed(connection, connection.state.closed or Reason.SERVER)
            else:
                connection.leave_loop()

    def environ_of(self, scope: Scope) -> dict[str, object]:
        """Return an ASGI request as python-socketio's handlers know it, without forged headers."""
        return environ_of(scope, decoded(scope["headers"]), proxies=self.proxies)

    async def open(self, environ: Mapping[str, object], transport: str) -> Connection | None:
        """Open a session; None if the connect handler refused it."""
        now = asyncio.get_running_loop().time()
        state = Session(self.generate_id(), transport=transport, limits=self.limits, now=now)
        connection = Connection(state, environ, self.turn, self._closed, self._pulse)
        self.sockets[state.sid] = connection
        upgrades = self._upgrades(state.sid, transport) if transport == POLLING else []
        state.send(open_packet(state.sid, self.limits, upgrades=upgrades))
        accepted = await self._tell("connect", state.sid, environ)
        if accepted is not None and accepted is not True:
            self.sockets.pop(state.sid, None)
            return None
        self._wheel.add(connection.tick, state.deadline)
        return connection

    def find(self, sid: str) -> Connection | None:
        """Return the open session of this id."""
        connection = self.sockets.get(sid)
        return None if connection is None or connection.closed else connection

    def find_now(self, sid: str) -> Connection | None:
        """Return the session of this id that is open at this moment, for a request that names it.

        Due alarms run first: the timer may be late, and a request must not find a session that has timed out.
        """
        connection = self.find(sid)
        if connection is not None:
            connection.tick(asyncio.get_running_loop().time())
        return None if connection is None or connection.closed else connection

    def dispatch(
        self, connection: Connection, packet: EnginePacket
    ) -> Coroutine[object, object, object] | None:
        """Process a packet that came over the session's transport; return a coroutine to await, if there is one: hot.

        Raises:
            BadEnginePacket: The packet is invalid; the session has been closed.

        """
        try:
            message = connection.state.receive(packet)
        except BadEnginePacket:
            connection.close(Reason.TRANSPORT_ERROR)
            raise
        if message is None:
            if packet == PONG:
                connection.ponged()
            connection.flush()
            return None
        if self._takes_now(connection, message):
            return None
        return self._tell("message", connection.sid, message)

    async def _tell(self, event: str, *arguments: object) -> object:
        """Run the application's handler; a failure is logged, and refuses the connection if the handler had to decide about it."""
        handler = self.handlers.get(event)
        try:
            result: object = None if handler is None else handler(*arguments)
            return await result if hasattr(result, "__await__") else result
        except Exception:
            _log.exception("handler failed", event_name=event)
            return False

    async def send(self, sid: str, data: object) -> None:
        """Send a message; nothing happens if the session is gone."""
        connection = self.find(sid)
        if connection is not None:
            connection.send(data if isinstance(data, bytes) else f"{MESSAGE}{data}")

    async def send_packet(self, sid: str, pkt: Any) -> None:
        """Send a packet of python-engineio."""
        connection = self.find(sid)
        if connection is not None:
            connection.send(pkt.data if pkt.binary else pkt.encode())

    async def disconnect(self, sid: str | None = None) -> None:
        """End one session or all sessions. Clients see a lost transport."""
        if sid is None:
            self.close_all(Reason.SERVER)
        else:
            self.close(sid, Reason.SERVER)
        await self.settle()

    def close(self, sid: str, reason: Reason, exceeded: Bound | None = None) -> None:
        """End a session, perhaps because of a bound; nothing happens if it is gone."""
        connection = self.find(sid)
        if connection is not None:
            connection.close(reason, exceeded)

    def close_all(self, reason: Reason) -> None:
        """End all sessions."""
        for sid in list(self.sockets):
            self.close(sid, reason)

    async def settle(self) -> None:
        """Wait, with a timeout, until the application has been told of the end of every ended session.

        If it is called by a handler of such an end, it waits for the others only.
        """
        others = self._partings - {asyncio.current_task()}
        if others:
            _, unfinished = await asyncio.wait(others, timeout=SETTLE_TIMEOUT_S)
            if unfinished:
                _log.warning("disconnect handlers not finished", sessions=len(unfinished))

    async def shutdown(self) -> None:
        """End all sessions, stop the timer, wait for running handlers; idempotent."""
        self.use_loop()
        self.close_all(Reason.SERVER)
        self._wheel.close()
        await self.settle()
        self.starter.close()

    def alarm_in(self, delay_s: float, alarm: Alarm) -> None:
        """Have an alarm called after a delay; see `Wheel`."""
        self._wheel.add(alarm, asyncio.get_running_loop().time() + delay_s)

    def sid_cookie(self, sid: str) -> str:
        """Return the cookie that the option `cookie` asks for."""
        attributes = (
            self.cookie
            if isinstance(self.cookie, dict)
            else {"name": self.cookie, "path": "/", "SameSite": "Lax"}
        )
        cookie: str = self._generate_sid_cookie(sid, attributes)
        return cookie

    def _closed(self, connection: Connection, reason: Reason) -> None:
        if connection.state.exceeded is not None:
            self.exceeded(connection.state.exceeded)
        parting = asyncio.create_task(self._tell_of(connection, reason))
        self._partings.add(parting)
        parting.add_done_callback(self._partings.discard)

    async def _tell_of(self, connection: Connection, reason: Reason) -> None:
        """Tell the application of an end; until it has been told, it can still look up the session."""
        try:
            await self._trigger_event("disconnect", connection.sid, str(reason), run_async=False)
        finally:
            self.sockets.pop(connection.sid, None)

    @property
    def is_parting(self) -> bool:
        """Return whether the running code was called because a session ended."""
        return asyncio.current_task() in self._partings

    def _cors_allowed_origins(self, environ: Environ) -> Sequence[str] | None:
        """Return the request's origin if it is allowed, nothing if it is not; None: every origin is allowed."""
        configured: Any = self.cors_allowed_origins
        if callable(configured) or (configured is not None and "*" in configured):
            allowed: Sequence[str] | None = super()._cors_allowed_origins(environ)
            return allowed
        origin = environ.get("HTTP_ORIGIN")
        if origin is None:
            return []
        if configured is None:
            is_near = is_spelled(origin, environ.get("HTTP_HOST", ""))
            return [origin] if is_near or is_own(origin, self.proxies.source_of(environ)) else []
        return (
            [origin] if is_listed(origin, [configured] if isinstance(configured, str) else configured) else []
        )

    def _cors_headers(self, environ: Mapping[str, object]) -> Sequence[tuple[str, str]]:
        """Return the headers that tell a browser which page may read the answer, and a cache that the answer depends on it."""
        headers: Sequence[tuple[str, str]] = super()._cors_headers(environ)
        return headers if self.cors_allowed_origins == [] else [*headers, ("Vary", "Origin")]

    def _get_socket(self, sid: str) -> Connection:
        return self.sockets[sid]
