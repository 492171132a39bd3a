"""The engine: the sessions of one process, behind the interface that python-socketio expects.

It is an `engineio.AsyncServer` whose sessions, transports and request handling are ours. Of the original it
keeps the settings, the handlers, the CORS headers and the methods that python-socketio calls. The names that are
overridden are listed in `roomwire.server.drop_in.OVERRIDDEN`. Requests reach the engine through `roomwire.engine.asgi` and
`roomwire.engine.fast`.
"""

import asyncio
import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import engineio
import msgspec

from roomwire.engine.connection import Connection, Pulse
from roomwire.engine.deflater import Deflater
from roomwire.engine.eager import Starter
from roomwire.engine.relay import SessionRelay
from roomwire.engine.session import POLLING, Reason, Session
from roomwire.engine.turn import Turn
from roomwire.engine.wheel import Alarm, Wheel
from roomwire.limits.accounts import Accounts
from roomwire.limits.bounds import Bound
from roomwire.limits.client import Limits
from roomwire.limits.connections import Connections, Full
from roomwire.logs import get_logger
from roomwire.protocol.addresses import household
from roomwire.protocol.asgi import Environ, Scope
from roomwire.protocol.deflate import PerMessageDeflate
from roomwire.protocol.environ import decoded, environ_of, kept, request_bytes
from roomwire.protocol.origins import is_listed, is_own, is_spelled
from roomwire.protocol.packets import MESSAGE, PONG, BadEnginePacket, EnginePacket, open_packet
from roomwire.protocol.sources import Proxies

SETTLE_TIMEOUT_S: Final = 5.0
_ID_BYTES: Final = 16
_LARGE_BYTES: Final = 65_536
"""The size of a message that closes its connection while the memory is exhausted."""
SESSION_BYTES: Final = 8_192
"""What an open session costs by itself, beside what its client sent."""
_FULL: Final[Mapping[Full, Bound]] = {
    Full.CONNECTIONS: Bound.SESSIONS,
    Full.CONNECTIONS_PER_ADDRESS: Bound.SESSIONS_PER_ADDRESS,
    Full.MEMORY: Bound.MEMORY,
}

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
        ack_awaited: Called when the server begins to wait for an ack of a connection that is not read. Default: nothing happens.
        pulse: Told of pings and pongs. Default: none.
        left_loop: Called when the engine moves to another event loop.
        accounts: What the clients of the process hold. Default: new ones.
        longest_round_s: Maximum sum of ping interval and ping timeout that may be set later. Default: no maximum.
        relay: Creates the relay that forwards requests to the nodes that hold their sessions. Default: no relay.
        per_message_deflate: Agrees with WebSockets on compression. Default: no compression. On plain ASGI, the server of the
            application decides about it.
        options: As for `engineio.AsyncServer`. Compression of polling and JSONP are not offered.

    Attributes:
        deflater: Compresses the messages of WebSockets that have agreed on it; None if compression is off.

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
        ack_awaited: Callable[[Connection], None] = lambda _: None,
        pulse: Pulse | None = None,
        left_loop: Callable[[], None] = lambda: None,
        accounts: Accounts | None = None,
        longest_round_s: float = math.inf,
        relay: "Callable[[Engine], SessionRelay] | None" = None,
        per_message_deflate: PerMessageDeflate | None = None,
        **options: object,
    ) -> None:
        self.limits = limits = limits or Limits()
        # python-engineio's constructor sets the times.
        self._longest_round_s = math.inf
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
        self._longest_round_s = longest_round_s
        self.accounts = accounts or Accounts()
        self.sessions = Connections(
            limits.max_sessions, max_connections_per_address=limits.max_sessions_per_address
        )
        self.loop: asyncio.AbstractEventLoop | None = None
        self._wheel = Wheel()
        self._partings: set[asyncio.Task[None]] = set()
        self.turn = turn or Turn()
        self.deflater = None if per_message_deflate is None else Deflater(per_message_deflate)
        self.starter = starter or Starter()
        self.delay_of = delay_of
        self.ack_awaited = ack_awaited
        self._takes_now = takes_now
        self._pulse = pulse
        self._left_loop = left_loop
        # Relay and engine refer to each other, so the engine creates the relay.
        self.relay = None if relay is None else relay(self)

    @property
    def ping_interval(self) -> float:
        """Seconds between pings. Like the settings below it may be set later, for the connections that are opened from then on.

        Raises:
            ValueError: It is not a positive number, or the log would forget sessions between two pings.

        """
        return self.limits.ping_interval_s

    @ping_interval.setter
    def ping_interval(self, interval_s: float) -> None:
        self._set("ping_interval_s", interval_s)

    @property
    def ping_interval_grace_period(self) -> float:
        """Seconds by which a ping may be late."""
        return self.limits.ping_grace_s

    @ping_interval_grace_period.setter
    def ping_interval_grace_period(self, grace_s: float) -> None:
        self._set("ping_grace_s", grace_s, least=0.0)

    @property
    def ping_timeout(self) -> float:
        """Seconds within which a client must answer a ping."""
        return self.limits.ping_timeout_s

    @ping_timeout.setter
    def ping_timeout(self, timeout_s: float) -> None:
        self._set("ping_timeout_s", timeout_s)

    @property
    def max_http_buffer_size(self) -> int:
        """Maximum number of bytes of a message."""
        return self.limits.max_payload_bytes

    @max_http_buffer_size.setter
    def max_http_buffer_size(self, size: int) -> None:
        self._set("max_payload_bytes", size)

    def _set(self, name: str, value: object, *, least: float = 0.001) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or value < least:
            raise ValueError(f"{name} must be a number of at least {least:g}, not {value!r}")
        limits = msgspec.structs.replace(self.limits, **{name: value})
        if limits.ping_interval_s + limits.ping_timeout_s > self._longest_round_s:
            raise ValueError(
                f"{name}={value:g} is too long for the server's log, which keeps sessions for pings and answers within "
                f"{self._longest_round_s:g} s: pass ping_interval and ping_timeout to the server's constructor"
            )
        self.limits = limits

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

        Raises:
            RuntimeError: The last loop still runs, in another thread.

        """
        loop = asyncio.get_running_loop()
        if loop is self.loop:
            return
        if self.loop is not None and self.loop.is_running():
            raise RuntimeError(
                "this server is in use on another event loop, which still runs: use one server for each, or emit by an `Emitter`"
            )
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

    def refusal_of(self, environ: Environ) -> Bound | None:
        """Return the limit that refuses a new session, whatever its transport, and count that; None if it may be opened."""
        is_refusing = self.accounts.is_refusing
        full = Full.MEMORY if is_refusing else self.sessions.full(self._household_of(environ))
        if full is None:
            return None
        refusal = _FULL[full]
        self.exceeded(refusal)
        _log.debug("session refused", bound=refusal.value, address=self.proxies.address_of(environ))
        return refusal

    def _household_of(self, environ: Environ) -> str:
        """Return the address that a session is counted for; empty if sessions are not counted by address."""
        return household(self.proxies.address_of(environ)) if self.limits.max_sessions_per_address else ""

    async def open(self, environ: Environ, transport: str) -> Connection | None:
        """Open a session; None if it was refused: by the connect handler, or because there are too many by now."""
        address, environ = self._household_of(environ), kept(environ)
        if self.sessions.admit(address) is not None:
            return None
        now = asyncio.get_running_loop().time()
        sid = self.generate_id()
        account = self.accounts.open(sid, lambda: self._cut(sid))
        account.hold(SESSION_BYTES + request_bytes(environ))
        state = Session(sid, transport=transport, limits=self.limits, now=now, account=account)
        connection = Connection(
            state, environ, self.turn, self._closed, self._pulse, account=account, alarm_in=self.alarm_in
        )
        connection.household = address
        self.sockets[state.sid] = connection
        upgrades = self._upgrades(state.sid, transport) if transport == POLLING else []
        state.send(open_packet(state.sid, self.limits, upgrades=upgrades))
        accepted = await self._tell("connect", state.sid, environ)
        if accepted is not None and accepted is not True:
            self.sockets.pop(state.sid, None)
            self._uncount(connection)
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

    def dispatch(self, connection: Connection, packet: EnginePacket) -> None:
        """Process a packet that came over the session's transport: hot.

        No packet waits here for another. What must wait, waits in the application, which pauses the reading if that becomes too
        much (`Connection.pause_reading`).

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
            return
        if self.accounts.is_exhausted and len(message) > _LARGE_BYTES:
            # Decoded, it may take many times its size.
            connection.cut()
        elif not self._takes_now(connection, message):
            # It begins now, so that messages begin in the order of their arrival.
            self.starter.start_now(self._tell("message", connection.sid, message))

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
        """Have an alarm called after a delay; see `Wheel` for what it may refer to."""
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

    def _uncount(self, connection: Connection) -> None:
        """Stop counting a session, and what it holds; idempotent."""
        connection.account.close()
        if connection.household is not None:
            self.sessions.release(connection.household)
            connection.household = None

    def _cut(self, sid: str) -> None:
        connection = self.find(sid)
        if connection is not None:
            connection.cut()

    def _closed(self, connection: Connection, reason: Reason) -> None:
        self._uncount(connection)
        if connection.state.exceeded is not None:
            self.exceeded(connection.state.exceeded)
        parting = asyncio.create_task(self._tell_of(connection, reason))
        self._partings.add(parting)
        parting.add_done_callback(self._partings.discard)

    async def _tell_of(self, connection: Connection, reason: Reason) -> None:
        """Tell the application of an end; until it has been told, it can still look up the session.

        If the event loop ends in the middle, the session stays: the application is told again on the next loop (`use_loop`).
        """
        telling = asyncio.current_task()
        await self._trigger_event("disconnect", connection.sid, str(reason), run_async=False)
        if telling is not None and _goes_on(telling):
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


def _goes_on(task: asyncio.Task[None]) -> bool:
    """Return whether the running code is a task that was neither cancelled nor discarded with its event loop.

    python-engineio catches both in a handler and goes on.
    """
    try:
        return asyncio.current_task() is task and not task.cancelling()
    except RuntimeError:
        return False
