"""The Socket.IO server: python-socketio's `AsyncServer`, put together with our log.

Everything written for `socketio.AsyncServer` runs on it. What it adds: session ids that name their node,
authentication before a connection is accepted, errors that reach the client, metrics, an orderly start and
a drain that spreads reconnects.

The work is done by its parts, which `Parts` puts together: `Events` takes messages to their handlers, `Connects` lets clients in
and out, `Lifecycle` runs the handlers of both, `Clients` keeps those that are in, `Calls` waits for acks. What `Server`
overrides of python-socketio hands each call on to one of them, in the order of `drop_in.OVERRIDDEN`; a test fails when a
release moves it.
"""

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

import engineio
import socketio

from roomwire.engine.asgi import AsgiEngine
from roomwire.engine.engine import Engine
from roomwire.engine.relay import SessionRelay
from roomwire.engine.session import Reason
from roomwire.errors import ClientError
from roomwire.history.contract import History
from roomwire.history.memory import MemoryHistory
from roomwire.identity.tokens import User
from roomwire.limits.client import Limits
from roomwire.log.contract import Log
from roomwire.log.kept import Keep
from roomwire.log.memory.log import MemoryLog
from roomwire.logs import get_logger
from roomwire.metrics.gateway import Metrics
from roomwire.protocol.packets import EnginePacket
from roomwire.protocol.sources import Proxies
from roomwire.recovery.decisions import RecoveryLimits
from roomwire.rooms.handshake import Authenticate, everyone
from roomwire.rooms.member import Member
from roomwire.server.calls import Answer
from roomwire.server.cluster import ClusterCalls
from roomwire.server.drain import drain
from roomwire.server.drop_in import OPTIONS_OF_LIMITS, times_of, unread_settings, with_our_own_way
from roomwire.server.parts import Parts
from roomwire.server.stock import Initiated, StockSteps
from roomwire.standings.contract import StandingStore
from roomwire.standings.memory import MemoryStandings
from roomwire.standings.standings import Standings

_log = get_logger(__name__)


class Server(ClusterCalls, socketio.AsyncServer):  # type: ignore[misc] # python-socketio has no types
    """A Socket.IO server that is one of many.

    It takes what it needs as arguments, and reads no environment: the variables `ROOMWIRE_...` are settings of the gateway
    service. Alone it lets everybody in, has no bounds of rates, no HTTP API, no relay and no revocations, and drains only when
    `drain` is called. A variable that says who may come in, or where Redis is, and is not heeded, is named in the log.

    It may be used on several event loops, one after the other, as tests do. What a loop leaves behind that ended without `close`
    is parted from on the next one; a log on Redis has to be started on each (`start`).

    Args:
        log: Connects it with the other nodes, see `roomwire.log.opening`; started and closed by the server. Default: it is alone.
        history: Reads what was kept of emits, see `roomwire.history.opening`; started and closed by its owner. Default: with a log
            in memory, that log's; else there is nothing to read.
        standings: Keeps who is banned or muted and how many sockets users have, for all nodes, see `roomwire.standings.opening`;
            closed by its owner. Default: with a log in memory, this process does; else gateways that ask for it are refused.
        node_name: Its name among them. Engine.IO session ids begin with it and a dot, so that a proxy can
            find the node a request belongs to.
        authenticate: Decides about every connection, in every namespace, before its connect handler runs.
            Default: everyone may come in, anonymously.
        metrics: Where connects, events and connections are counted. Default: a registry of its own.
        recovery: Whether clients that know recovery (see `roomwire.recovery.offers`) are offered to come back to their sessions; or its
            bounds, with which they are. Default, None: they are in namespaces that a `Gateway` serves, and not where functions
            or `socketio.AsyncNamespace` handle events, as their clients then would come back under their old ids.
        limits: What one client may cost: one struct for all bounds. python-socketio's own options
            `ping_interval`, `ping_timeout` and `max_http_buffer_size` count instead of it where they are given.
        trusted_proxies: Addresses or networks whose X-Forwarded-* and Forwarded headers are believed. Default: none.
        relay: Makes, for the server's engine, what takes requests to the nodes that hold their sessions; see
            `roomwire.engine.relay`. Default: such requests are refused.
        clock: Monotonic seconds, by which rates and durations are kept; what is due later is timed by the event loop.
        wall_clock: Seconds since 1970, in which tokens expire.
        options: As for `socketio.AsyncServer`, less those that could not be honoured.

    Attributes:
        node_name: Its name.
        log: Connects it with the other nodes.
        history: Reads the history of rooms; None: it cannot be read here.
        standings: Knows the standings of users here; None: nobody keeps them.
        arguments: What it was made with, by name, less `metrics` and `relay`.
        replies: Answers the events of clients.
        begin: Starts a task, which the server owns.
        begin_now: Does so, and takes its first step at once.
        count_event: Counts an event, by its outcome and the seconds it took.

    Raises:
        ValueError: `client_manager`, `serializer`, `json` or `async_mode` ask for something else than what is built in.

    """

    handlers: Any
    namespace_handlers: Any

    def __init__(
        self,
        *,
        log: Log | None = None,
        history: History | None = None,
        standings: StandingStore | None = None,
        node_name: str = "node",
        authenticate: Authenticate = everyone,
        metrics: Metrics | None = None,
        limits: Limits | None = None,
        recovery: RecoveryLimits | bool | None = None,
        trusted_proxies: Sequence[str] = (),
        relay: Callable[[Engine], SessionRelay] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        **options: object,
    ) -> None:
        self.arguments: Mapping[str, Any] = {
            "log": log,
            "history": history,
            "standings": standings,
            "node_name": node_name,
            "authenticate": authenticate,
            "limits": limits,
            "recovery": recovery,
            "trusted_proxies": trusted_proxies,
            "clock": clock,
            "wall_clock": wall_clock,
            **options,
        }
        unread = unread_settings(
            os.environ, has_log=log is not None, authenticates=authenticate is not everyone
        )
        if unread:
            _log.warning("settings not read by a server alone", names=unread)
        self.node_name = node_name
        limits, metrics = limits or Limits(), metrics or Metrics()
        self.log = log = log or MemoryLog.alone(
            node=node_name, metrics=metrics, config=times_of(options, limits), clock=clock
        )
        self.history = MemoryHistory(log.kept) if history is None and isinstance(log, MemoryLog) else history
        if standings is None and isinstance(log, MemoryLog):
            standings = MemoryStandings(clock)
        proxies = Proxies(trusted_proxies)
        parts = self._parts = Parts(
            self,
            log,
            authenticate=authenticate,
            metrics=metrics,
            limits=limits,
            recovery=recovery if isinstance(recovery, RecoveryLimits) else RecoveryLimits(),
            is_recovery_offered=recovery.is_offered if isinstance(recovery, RecoveryLimits) else recovery,
            proxies=proxies,
            stock=StockSteps(
                open=super()._handle_eio_connect,
                close=super()._handle_eio_disconnect,
                read=super()._handle_eio_message,
                connect=super()._handle_connect,
                leave=super()._handle_disconnect,
                handle=self._handle_event_internal,
                trigger=self._trigger,
                run_handler=super()._trigger_event,
            ),
            clock=clock,
            wall_clock=wall_clock,
        )
        self.replies = parts.replies
        self.begin = parts.starter.start
        self.begin_now = parts.starter.start_now
        self.standings: Standings | None = None
        if standings is not None:
            self.standings = Standings(
                standings, node=log.node, begin=self.begin, send_away=self._send_user_away, clock=clock
            )
        self.count_event = metrics.events.count
        ClusterCalls.__init__(self, parts.operations, parts.node_events)
        socketio.AsyncServer.__init__(
            self,
            client_manager=parts.rooms,
            node_name=node_name,
            proxies=proxies,
            limits=limits,
            exceeded=metrics.exceeded,
            relay=relay,
            **parts.of_engine(self._leave_loop),
            **with_our_own_way(options, packet_class=parts.packet_class),
        )
        # python-socketio has made its own within its constructor; nothing has come yet.
        self._binary_packet = parts.attachments
        if isinstance(log, MemoryLog):
            # Programs written for `socketio.AsyncServer` do not start it.
            log.start_now(parts.delivery)
        metrics.watch_connections(self.count_connections)
        metrics.watch_load(rooms=parts.rooms.count, tasks=_count_tasks)

    def served_with(self, **arguments: Any) -> None:
        """Be put together anew with other arguments, as settings that win over the program's own; handlers stay.

        For a server that has not been used: its rooms, its engine and its log are others afterwards.

        Args:
            arguments: As for `Server`; what is not among them is as it was. With `limits`, python-socketio's own options do not
                count any more that would count instead of them.

        """
        handlers, namespace_handlers = self.handlers, self.namespace_handlers
        server_side = self._parts.node_events.handlers
        kept = self.arguments.keys() - (OPTIONS_OF_LIMITS if "limits" in arguments else set())
        Server.__init__(self, **{**{name: self.arguments[name] for name in kept}, **arguments})
        self.handlers, self.namespace_handlers = handlers, namespace_handlers
        for (namespace, event), handler in server_side.items():
            self.on_server_side(event, handler, namespace=namespace)

    async def start(self) -> None:
        """Connect to the other nodes, then run the `after_init` hook of each gateway.

        Raises:
            Unavailable: The log does not answer; starting again later is right.

        """
        await self.join_nodes()
        for initiated in self.initiated():
            await initiated.after_init()

    def initiated(self) -> Sequence[Initiated]:
        """Return what handles namespaces and has an `after_init` hook, in the order of registration."""
        return [one for one in self.namespace_handlers.values() if hasattr(one, "after_init")]

    async def join_nodes(self) -> None:
        """Connect to the other nodes: the first half of `start`.

        Raises:
            Unavailable: As there.

        """
        self.eio.use_loop()
        # Those that the last loop took with it are parted from before others come.
        await self.eio.settle()
        await self.log.start(self._parts.delivery)

    def _trigger(self, *arguments: Any) -> Awaitable[object]:
        # Looked up with each call: `instrument` puts another in its place.
        awaitable: Awaitable[object] = self._trigger_event(*arguments)
        return awaitable

    def _leave_loop(self) -> None:
        """Go on on another event loop, as far as that is not the engine's matter."""
        self._parts.leave_loop()
        if self.standings is not None:
            self.standings.leave_loop()
        self.log.leave_loop()
        if not self.log.is_live:
            # They come again once it is.
            for connection in [*self.eio.sockets.values()]:
                connection.close(Reason.SERVER)

    async def drain(self, window_s: float) -> None:
        """Close all transports, in jittered batches spread over a window.

        Clients see a lost transport, not a DISCONNECT: they reconnect by themselves, to another node.

        Args:
            window_s: How many seconds to take. 0 closes all at once.

        """
        await drain(self.eio, window_s)

    async def close(self) -> None:
        """Leave the other nodes. Call it after `drain`."""
        await self.shutdown()
        await self.log.close()

    def count_connections(self) -> Mapping[str, int]:
        """Return the number of open Engine.IO connections by transport."""
        return Counter(
            "websocket" if socket.upgraded else "polling"
            for socket in self.eio.sockets.values()
            if not socket.closed
        )

    def has_user_rooms(self, namespace: str) -> bool:
        """Say whether each socket of a user is in that user's room: see `Gateway.has_user_rooms`."""
        return bool(getattr(self.namespace_handlers.get(namespace), "has_user_rooms", False))

    # -- clients of this node

    def member(self, sid: str, namespace: str = "/") -> Member:
        """Return what is known about a connected client.

        Raises:
            KeyError: There is no such client here.

        """
        return self._parts.clients.member(sid, namespace)

    def renew(self, member: Member, user: User) -> None:
        """Let a client stay by a new token: with what that allows, until that expires.

        Args:
            member: The client.
            user: Whom the new token speaks for.

        Raises:
            Forbidden: It is somebody else's, or it expires sooner than the one that the client has.

        """
        self._parts.clients.renew(member, user)

    async def send_away(self, member: Member, error: ClientError) -> None:
        """Tell a client of an error by the event `exception`, then end its session: it cannot be recovered."""
        await self._parts.clients.send_away(member, error)

    def send_away_all(self, whom: Callable[[User], bool], error: ClientError) -> None:
        """Send away every client here whose user `whom` says yes to; see `send_away`."""
        self._parts.clients.send_away_all(whom, error)

    def _send_user_away(self, user: str, error: ClientError) -> None:
        self.send_away_all(lambda one: one.kind != "anonymous" and one.id == user, error)

    def expect_connect(self, eio_sid: str) -> None:
        """Close a connection unless it is in a namespace before long."""
        self._parts.connects.expect_connect(eio_sid)

    # -- what follows overrides python-socketio: see `drop_in`; what is called for each event returns what is awaited as it is

    def _engineio_server_class(self) -> type[engineio.AsyncServer]:
        return AsgiEngine

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: object) -> None:
        await self._parts.connects.connect(eio_sid, namespace or "/", data)

    async def _handle_disconnect(
        self, eio_sid: str, namespace: str | None, reason: str | None = None
    ) -> None:
        await self._parts.connects.leave(eio_sid, namespace or "/", reason)

    async def _handle_eio_connect(self, eio_sid: str, environ: Mapping[str, object]) -> None:
        await self._parts.connects.open(eio_sid, environ)

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        await self._parts.connects.close(eio_sid, reason)

    async def _handle_eio_message(self, eio_sid: str, data: EnginePacket) -> None:
        await self._parts.events.read(eio_sid, data)

    async def _handle_event(
        self,
        eio_sid: str,
        namespace: str | None,
        id: int | None,  # noqa: A002 - stock's
        data: list[object],
    ) -> None:
        await self._parts.events.handle(eio_sid, namespace or "/", data, id)

    def _handle_event_internal(
        self,
        server: object,  # noqa: ARG002 - python-socketio passes the server to itself
        sid: str,
        eio_sid: str,  # noqa: ARG002 - the same
        data: list[object],
        namespace: str,
        id: int | None,  # noqa: A002 - the same
    ) -> Coroutine[object, object, None]:
        return self._parts.events.run(sid, data, namespace, id)

    async def _send_packet(self, eio_sid: str, pkt: object) -> None:
        await self._parts.connects.send(eio_sid, pkt)

    def _trigger_event(self, event: str, namespace: str, *args: object) -> Awaitable[object]:
        return self._parts.lifecycle.trigger(event, namespace, *args)

    async def emit(
        self,
        event: str,
        data: object = None,
        to: object = None,
        room: object = None,
        skip_sid: object = None,
        namespace: str | None = None,
        callback: object = None,
        ignore_queue: bool = False,  # noqa: FBT001, FBT002 - stock's
        *,
        message_id: str = "",
        keeps_history: bool | Keep = False,
    ) -> None:
        """Emit an event; as `socketio.AsyncServer.emit`, and it returns when the event is in the log.

        Args:
            event: The event's name.
            data: Its argument; a tuple for several.
            to: A room, a client's id, or a list of them. Default: everybody in the namespace.
            room: The same.
            skip_sid: A client, or a list of them, that does not get it.
            namespace: Default: `/`.
            callback: Is called with the ack of the one client it goes to; it is not kept in the log then.
            ignore_queue: Only to the clients of this node, past the log.
            message_id: What is emitted again under it within `LogConfig.message_id_ttl_s` is dropped, on all nodes. At
                most 256 bytes; make those of clients their own (`Socket.own_id`). Default: none.
            keeps_history: Whether the history of the room keeps it, or what of it and for how long (`Keep`): both are done, or
                neither is. A message that is dropped because of its `message_id` is not kept again. Default: no.

        Raises:
            Unavailable: It is not in the log; trying again makes sense.
            OutcomeUnknown: Nobody knows; try again with the same `message_id`.
            ValueError: `keeps_history` is asked for, and no room is named, or the event goes past the log.
            TooLarge: The message id is too long.
            RateLimited: With `callback`, and one client alone to be told: `Limits.max_pending_acks` acks of it are
                awaited already. Of several clients, such a one is left out.

        """
        loop = self.eio.loop
        if loop is None or loop.is_closed():
            self.eio.use_loop()
        namespace, target = namespace or "/", to or room
        # Its own level says enough of nearly all; what is no `Logger` is asked.
        if not isinstance(self.logger, logging.Logger) or self.logger.level <= logging.INFO:
            self.logger.info('emitting event "%s" to %s [%s]', event, target or "all", namespace)
        await self.manager.emit(
            event,
            data,
            namespace,
            target,
            skip_sid,
            callback,
            ignore_queue=ignore_queue,
            message_id=message_id,
            keeps_history=keeps_history,
        )

    async def save_session(self, sid: str, session: object, namespace: str | None = None) -> None:
        """Keep the application's data of a client; after a recovery they are there on whatever node it is.

        They are what MessagePack can hold; what it cannot stays on this node.

        Raises:
            Unavailable: They are here, but not where a recovery would find them.

        """
        await super().save_session(sid, session, namespace)
        member = self.manager.member(sid, namespace or "/")
        if member is not None:
            await self._parts.tenures.store(member, session)

    async def call(
        self,
        event: str,
        data: object = None,
        to: str | None = None,
        sid: str | None = None,
        namespace: str | None = None,
        timeout: float = 60,  # noqa: ASYNC109 - stock's
        ignore_queue: bool = False,  # noqa: FBT001, FBT002 - the same
    ) -> Any:
        """Emit to a client and wait for its ack; as `socketio.AsyncServer.call`, and nothing is left when it gives up.

        Raises:
            RateLimited: `Limits.max_pending_acks` acks of this client are awaited already; it was not asked.

        """
        client = to or sid
        if client is None:
            raise ValueError("Cannot use call() to broadcast.")
        if not self.async_handlers:
            raise RuntimeError("Cannot use call() when async_handlers is False.")

        async def ask(answer: Answer) -> None:
            await self.emit(
                event, data, room=client, namespace=namespace, callback=answer, ignore_queue=ignore_queue
            )

        return await self._parts.calls.call(ask, client, timeout_s=timeout)


def _count_tasks() -> int:
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:
        # Nothing runs where nobody's loop does.
        return 0
