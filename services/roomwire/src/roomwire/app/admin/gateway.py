"""The gateway of the namespace `/admin`: what a page is told when it connects, and what it may do to the clients of all gateways."""

import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Final

from roomwire.app.admin.login import NAMESPACE, SESSION_S, Login
from roomwire.app.admin.reports import Reporter
from roomwire.app.admin.watch import Watch
from roomwire.app.audit import recorded
from roomwire.cluster.results import Changed
from roomwire.errors import Forbidden, InvalidBody, RateLimited
from roomwire.gateways import Gateway, Socket, subscribe
from roomwire.gateways.errors import NoSuchNamespace
from roomwire.gateways.lane import Handler
from roomwire.limits.rate import RateLimiter
from roomwire.logs import get_logger
from roomwire.metrics.gateway import Metrics
from roomwire.rooms.users import is_user_room
from roomwire.server import Server

MAX_PAGES: Final = 10
MAX_COMMANDS_PER_S: Final = 5.0
COMMANDS: Final = ("EMIT", "JOIN", "LEAVE", "DISCONNECT", "MJOIN", "MLEAVE", "MDISCONNECT")
_RESERVED: Final = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)

_log = get_logger("gateway.admin.audit")


class Admin(Gateway, namespace=NAMESPACE, max_connections_per_user=MAX_PAGES):
    """Serves the official admin UI.

    Args:
        server: The server with which it will be registered.
        login: Has admitted each client.
        metrics: The server's metrics.
        max_sockets: Maximum number of sockets that pages are told of. 0: they are told of the gateways alone.
        is_read_only: Whether pages only look.
        clock: Monotonic seconds.
        wall_clock: Seconds since 1970.

    """

    # A page gets the present state when it connects, and what it missed is of no use to it.
    offers_recovery = False

    def __init__(
        self,
        server: Server,
        login: Login,
        *,
        metrics: Metrics,
        max_sockets: int,
        is_read_only: bool,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self._login = login
        self._is_read_only = is_read_only
        self._clock = clock
        self._wall_clock = wall_clock
        self._rate = RateLimiter(MAX_COMMANDS_PER_S)
        features = [] if is_read_only else [*COMMANDS]
        self._config = {
            "supportedFeatures": [*features, "AGGREGATED_EVENTS", *(["ALL_EVENTS"] if max_sockets else [])]
        }
        reporter = Reporter(server, metrics, clock=clock, wall_clock=wall_clock)
        self._watch = Watch(server, reporter, max_sockets=max_sockets, wall_clock=wall_clock)
        # An event may have any number of arguments, which no signature has.
        self._handlers = {
            **self._handlers,
            "emit": Handler("emit", self._emit, _Whole(), is_plain=False),
        }

    async def on_connection(self, socket: Socket) -> None:
        """Give a page its session and its abilities; what it shows comes with the next round."""
        if not self._login.session_of(socket.handshake.auth):
            await socket.emit("session", self._login.new_session(self._wall_clock() + SESSION_S))
        # It may have the password, which nothing needs any more.
        socket.handshake.auth = None
        await socket.emit("config", self._config)
        self._watch.add(socket)

    async def on_disconnection(self, socket: Socket) -> None:
        """Tell a page no more."""
        self._watch.remove(socket)

    @subscribe("join")
    async def join(self, socket: Socket, namespace: str, room: str, to: str | None = None) -> None:
        """Let a client, the members of a room, or all clients of a namespace join a room."""
        await self._change(socket, "join", self._joining, namespace, room, to)

    @subscribe("leave")
    async def leave(self, socket: Socket, namespace: str, room: str, to: str | None = None) -> None:
        """Let a client, the members of a room, or all clients of a namespace leave a room."""
        await self._change(socket, "leave", self._leaving, namespace, room, to)

    @subscribe("_disconnect")
    async def send_away(
        self,
        socket: Socket,
        namespace: str,
        *,
        close: bool = False,  # noqa: ARG002 - the UI sends it
        to: str | None = None,
    ) -> None:
        """Disconnect a client, the members of a room, or all clients from a namespace; connections stay open, whatever `close` says."""
        facts = {"namespace": namespace, "to": to or "all"}
        with recorded(_log, "admin command", **_who(socket), operation="disconnect", **facts) as known:
            self._admit(socket, namespace)
            changed = await self.server.disconnect_sockets(to or None, namespace=namespace)
            known.update(_outcome(changed))

    async def _change(
        self, socket: Socket, operation: str, change: "_Change", namespace: str, room: str, to: str | None
    ) -> None:
        """Change the rooms of clients."""
        facts = {"namespace": namespace, "room": room, "to": to or "all"}
        with recorded(_log, "admin command", **_who(socket), operation=operation, **facts) as known:
            self._admit(socket, namespace)
            if is_user_room(room) and self.server.has_user_rooms(namespace):
                raise Forbidden("The room of a user is neither joined nor left by a command.")
            try:
                known.update(_outcome(await change(namespace, room, to or None)))
            except ValueError as error:
                raise InvalidBody(str(error)) from error

    def _joining(self, namespace: str, room: str, to: str | None) -> Coroutine[object, object, Changed]:
        return self.server.sockets_join(to, room, namespace=namespace)

    def _leaving(self, namespace: str, room: str, to: str | None) -> Coroutine[object, object, Changed]:
        return self.server.sockets_leave(to, room, namespace=namespace)

    async def _emit(self, socket: Socket, body: Sequence[object]) -> None:
        """Emit an event to a client, the members of a room, or all clients of a namespace, by the log."""
        namespace, to, event, *arguments = [*body, None, None, None][: max(len(body), 3)]
        if not isinstance(namespace, str) or not isinstance(event, str) or not isinstance(to, str | None):
            raise InvalidBody(
                "The arguments are a namespace, a room or null, an event, and the event's arguments."
            )
        facts = {"namespace": namespace, "to": to or "all", "emitted": event}
        with recorded(_log, "admin command", **_who(socket), operation="emit", **facts):
            self._admit(socket, namespace)
            if namespace == NAMESPACE or event in _RESERVED:
                raise Forbidden("This event cannot be emitted.")
            await self.server.emit(event, tuple(arguments), to=to or None, namespace=namespace)

    def _admit(self, socket: Socket, namespace: str) -> None:
        """Charge a command.

        Raises:
            Forbidden: The client is no admin, or pages only look.
            RateLimited: The commands of all pages exceed their rate.
            NoSuchNamespace: Nothing serves the namespace.

        """
        socket.user.capabilities.require("admin")
        if self._is_read_only:
            raise Forbidden("The settings allow no commands.")
        now = self._clock()
        if self._rate.is_exceeded(now):
            raise RateLimited
        self._rate.charge(now)
        served = {*self.server.handlers, *self.server.namespace_handlers}
        if namespace not in served and not self.server.is_of_pattern(namespace):
            raise NoSuchNamespace(namespace)


_Change = Callable[[str, str, str | None], Coroutine[object, object, Changed]]


class _Whole:
    """Binds an event as a list, whatever its arguments are."""

    def decoded(self, text: str, socket: Socket) -> None:
        """Leave every event to `arguments`."""

    def arguments(self, socket: Socket, body: Sequence[object]) -> dict[str, object]:
        """Return the socket, and the event's arguments."""
        return {"socket": socket, "body": body}


def _who(socket: Socket) -> dict[str, object]:
    return {"caller": socket.user.id, "address": socket.handshake.address}


def _outcome(changed: Changed) -> dict[str, object]:
    return {"done": changed.done, "failed": changed.failed, "missing": len(changed.missing)}
