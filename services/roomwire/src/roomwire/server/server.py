"""The Socket.IO server: python-socketio's `AsyncServer` on Roomwire's log.

Everything written for `socketio.AsyncServer` runs on it. It adds session ids that name their node, authentication before a
connection is accepted, errors that reach the client, metrics, an orderly start, and a drain that spreads reconnects.

Its parts do the work, and `Parts` assembles them: `Events` passes messages to their handlers, `Connects` connects and disconnects
clients, `Lifecycle` runs the handlers of both, `Clients` has the connected clients, `Calls` waits for acks; `NamespaceCalls` and
`ClusterCalls` have the methods about namespaces and about all nodes. The methods that override python-socketio pass each call on to
one of them, in the order of `drop_in.OVERRIDDEN`; a test fails when a release of python-socketio moves a name.
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

from roomwire.cluster.standings.contract import StandingStore
from roomwire.cluster.standings.memory import MemoryStandings
from roomwire.cluster.standings.standings import Standings
from roomwire.engine.asgi import AsgiEngine
from roomwire.engine.engine import Engine
from roomwire.engine.relay import SessionRelay
from roomwire.engine.session import Reason
from roomwire.errors import ClientError, Unavailable
from roomwire.history.contract import History
from roomwire.history.memory import MemoryHistory
from roomwire.identity.tokens import User
from roomwire.limits.client import Limits
from roomwire.log.contract import Log
from roomwire.log.kept import Keep
from roomwire.log.memory.log import MemoryLog
from roomwire.logs import get_logger
from roomwire.metrics.gateway import Metrics
from roomwire.protocol.deflate import PerMessageDeflate
from roomwire.protocol.packets import EnginePacket
from roomwire.protocol.sources import Proxies
from roomwire.protocol.wire_format import wire_format
from roomwire.recovery.decisions import RecoveryLimits
from roomwire.rooms.handshake import Authenticate, everyone
from roomwire.rooms.member import Member
from roomwire.server.calls import Answer
from roomwire.server.client_managers import managed_log
from roomwire.server.cluster import ClusterCalls
from roomwire.server.drain import drain
from roomwire.server.drop_in import (
    OPTIONS_OF_LIMITS,
    longest_round_of,
    node_name_of,
    open_managed,
    times_of,
    unread_settings,
    with_our_own_way,
    with_values,
)
from roomwire.server.namespaces import NamespaceCalls
from roomwire.server.parts import Parts
from roomwire.server.self_start import SelfStart
from roomwire.server.stock import Initiated, StockSteps
from roomwire.tracing import Tracing

_log = get_logger(__name__)


class Server(ClusterCalls, NamespaceCalls, socketio.AsyncServer):  # type: ignore[misc] # python-socketio has no types
    """A Socket.IO server that is one of many.

    The server takes everything as arguments and reads no environment: the variables `ROOMWIRE_...` are settings of the gateway
    service. By itself it admits every client, has no rate limits, HTTP API, relay or revocations, and drains only when `drain` is
    called. If the environment has a variable about admission or Redis that the server does not read, it logs the variable's name.

    The server may be used on several event loops one after the other, as tests do. Connections of a loop that ended without
    `close` are closed on the next loop. Not more than one of them may run at a time. A `log` on Redis must be started on each loop
    (`start`); with a `client_manager` the server starts itself on each loop, with its first request or emit.

    Args:
        log: The log that connects the nodes, see `roomwire.log.opening`. The server starts and closes it. Default: a single node.
        history: Reads the history of rooms, see `roomwire.history.opening`. Its owner starts and closes it. Default: the history of
            a log in memory; with another log, no history can be read.
        standings: Stores the bans, mutes and numbers of sockets of users for all nodes, see `roomwire.cluster.standings.opening`. Its owner
            closes it. Default: with a log in memory, this process stores them; otherwise gateways that need them are refused.
        node_name: The name of this node, unique among all nodes. Engine.IO session ids begin with it and a dot, so that a proxy
            can find the node that a request belongs to.
        authenticate: Decides about every connection, in every namespace, before its connect handler runs.
            Default: every client is admitted as an anonymous user.
        metrics: Counts connects, events and connections. Default: a new registry.
        recovery: Whether clients that support recovery (see `roomwire.recovery.offers`) are offered it; a `RecoveryLimits` offers it
            with those limits. The default, None, offers it in namespaces that a `Gateway` serves, but not where functions or
            `socketio.AsyncNamespace` handle events, because recovered clients keep their old ids.
        limits: The limits of one client. python-socketio's own options `ping_interval`, `ping_timeout` and
            `max_http_buffer_size` take precedence where they are given.
        trusted_proxies: Addresses or networks whose X-Forwarded-* and Forwarded headers are trusted. Default: none.
        relay: Creates the relay, which forwards requests to the nodes that hold their sessions; see `roomwire.engine.relay`.
            Default: such requests are refused.
        per_message_deflate: Agrees with WebSockets on compression. Default: no compression.
        tracing: Makes a span of each event, connection, publish and delivery. Default: there are none.
        clock: Monotonic seconds, for rates and durations. The event loop times everything that is due later.
        wall_clock: Seconds since 1970, for the expiry of tokens and the times in histories.
        client_manager: A `socketio.AsyncRedisManager` stands for the ordered log at its URL; its channel is the prefix of the keys
            in Redis (`socketio`: the default prefix). A `socketio.AsyncManager` stands for a single node. By default the node's name
            is then unique.
        logger: As for `socketio.AsyncServer`.
        json: A module or an object with `dumps` and `loads`, which is used instead of the codec's own JSON. It makes every packet
            slower.
        async_handlers: As for `socketio.AsyncServer`.
        namespaces: As for `socketio.AsyncServer`.
        serializer: `default`, `msgpack`, or a class of packets as python-socketio has them. All processes of a deployment must use
            the same. Another one than the default makes every packet slower.
        options: As for `socketio.AsyncServer`, except those that would have no effect.

    Attributes:
        node_name: Its name.
        log: Connects the node with the other nodes.
        history: Reads the history of rooms; None if it cannot be read.
        standings: The standings of users; None if there are none.
        arguments: Its arguments by name, without `metrics` and `relay`.
        replies: Answers the events of clients.
        accounts: What its clients hold of this process.
        begin: Starts a task that the server owns.
        begin_now: Starts a task that the server owns, and runs its first step immediately.
        charges: Charges the rates of clients for what costs more than an ordinary event.
        backlogs: The events of clients that are not handled yet.
        count_event: Counts an event by its outcome and its duration in seconds.
        recovery_limits: The limits of recoveries.
        tracing: Makes spans; None if there are none.

    Raises:
        ValueError: `client_manager` has no ordered log, or `async_mode` is not ASGI's, or `serializer` or `json` is neither.

    """

    handlers: Any
    namespace_handlers: Any

    def __init__(
        self,
        client_manager: object = None,
        logger: object = False,  # noqa: FBT002 - stock's
        json: object = None,
        async_handlers: bool = True,  # noqa: FBT001, FBT002 - stock's
        namespaces: object = None,
        *,
        serializer: object = "default",
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
        per_message_deflate: PerMessageDeflate | None = None,
        tracing: Tracing | None = None,
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
            "per_message_deflate": per_message_deflate,
            "tracing": tracing,
            "clock": clock,
            "wall_clock": wall_clock,
            **options,
            **with_values(
                client_manager=client_manager,
                logger=logger,
                json=json,
                async_handlers=async_handlers,
                namespaces=namespaces,
                serializer=serializer,
            ),
        }
        managed = managed_log(client_manager)
        if managed is not None and log is not None:
            raise ValueError("client_manager and log both say where the log is: leave out one of them")
        unread = unread_settings(
            os.environ,
            has_log=log is not None or managed is not None,
            authenticates=authenticate is not everyone,
        )
        if unread:
            _log.warning("settings not read by a server alone", names=unread)
        self.node_name = node_name = node_name_of(managed, node_name)
        self.tracing = tracing
        limits, metrics = limits or Limits(), metrics or Metrics()
        wire = wire_format(serializer, json, limits)
        self.recovery_limits = recovery if isinstance(recovery, RecoveryLimits) else RecoveryLimits()
        times = times_of(options, limits)
        if managed is not None:
            log = open_managed(managed, node=node_name, config=times, metrics=metrics)
        self.log = log = log or MemoryLog.alone(node=node_name, metrics=metrics, config=times, clock=clock)
        self._self_start = None if managed is None else SelfStart(self.start)
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
            wire=wire,
            recovery=self.recovery_limits,
            is_recovery_offered=recovery.is_offered if isinstance(recovery, RecoveryLimits) else recovery,
            proxies=proxies,
            tracing=tracing,
            stock=StockSteps(
                open=super()._handle_eio_connect,
                close=super()._handle_eio_disconnect,
                read=super()._handle_eio_message,
                receive_connect=self._handle_connect,
                connect=super()._handle_connect,
                leave=super()._handle_disconnect,
                handle=self._handle_event_internal,
                trigger=self._trigger,
                run_handler=super()._trigger_event,
            ),
            clock=clock,
            wall_clock=wall_clock,
        )
        if tracing is not None:
            tracing.label_of = parts.dynamic.label_of
        self.replies = parts.replies
        self.accounts = parts.accounts
        self.begin = parts.starter.start
        self.begin_now = parts.starter.start_now
        self.charges = parts.charges
        self.backlogs = parts.backlogs
        self.standings: Standings | None = None
        if standings is not None:
            self.standings = Standings(
                standings, node=log.node, begin=self.begin, send_away=self._send_user_away, clock=clock
            )
        self.count_event = metrics.events.count
        ClusterCalls.__init__(self, parts.operations, parts.node_events)
        NamespaceCalls.__init__(self, parts.dynamic, parts.connects.serves)
        # Not by its name: a program may have put this class in the place of `socketio.AsyncServer`.
        super(NamespaceCalls, self).__init__(
            client_manager=parts.rooms,
            logger=logger,
            async_handlers=async_handlers,
            namespaces=namespaces,
            node_name=node_name,
            proxies=proxies,
            limits=limits,
            exceeded=metrics.exceeded,
            relay=relay,
            per_message_deflate=per_message_deflate,
            longest_round_s=longest_round_of(log),
            **parts.of_engine(self._leave_loop),
            **with_our_own_way(options, wire=wire),
        )
        # python-socketio has created its own in its constructor; nothing has arrived yet.
        self._binary_packet = parts.attachments
        if managed is not None:
            # A program may emit by its manager as well.
            vars(client_manager)["emit"] = self._emit_by_manager
        if isinstance(log, MemoryLog):
            # Programs written for `socketio.AsyncServer` do not start it.
            log.start_now(parts.delivery)
        metrics.watch_connections(self.count_connections)
        metrics.watch_namespaces(self.count_dynamic_namespaces)
        metrics.watch_load(rooms=parts.rooms.count, tasks=_count_tasks)

    def served_with(self, **arguments: Any) -> None:
        """Assemble the server again with other arguments, such as settings that take precedence over the program's; keep its handlers.

        The server must not have been used: its rooms, its engine and its log are replaced.

        Args:
            arguments: As for `Server`; other arguments do not change. With `limits`, the options of python-socketio that would take
                precedence over them have no effect any more.

        """
        handlers, namespace_handlers = self.handlers, self.namespace_handlers
        server_side, templates = self._parts.node_events.handlers, self._parts.dynamic.templates
        kept = self.arguments.keys() - (OPTIONS_OF_LIMITS if "limits" in arguments else set())
        kept -= {"client_manager"} if "log" in arguments else set()
        Server.__init__(self, **{**{name: self.arguments[name] for name in kept}, **arguments})
        self.handlers, self.namespace_handlers = handlers, namespace_handlers
        for template in templates:
            self._parts.dynamic.add(template)
        for (namespace, event), handler in server_side.items():
            self.on_server_side(event, handler, namespace=namespace)

    async def start(self) -> None:
        """Connect to the other nodes, then run the `after_init` hook of each gateway.

        Raises:
            Unavailable: The log does not answer; start again later.

        """
        await self.join_nodes()
        for initiated in self.initiated():
            await initiated.after_init()

    def initiated(self) -> Sequence[Initiated]:
        """Return the handlers of namespaces that have an `after_init` hook, in the order of registration."""
        return [one for one in self.registered_handlers().values() if isinstance(one, Initiated)]

    async def join_nodes(self) -> None:
        """Connect to the other nodes: the first half of `start`.

        Raises:
            Unavailable: As for `start`.

        """
        self.eio.use_loop()
        # Members of the last loop are removed before new ones connect.
        await self.eio.settle()
        await self.log.start(self._parts.delivery)

    def _trigger(self, *arguments: Any) -> Awaitable[object]:
        # This is looked up with each call, because `instrument` replaces it.
        awaitable: Awaitable[object] = self._trigger_event(*arguments)
        return awaitable

    def _leave_loop(self) -> None:
        """Continue on another event loop, except for the engine's part."""
        self._parts.leave_loop()
        if self.standings is not None:
            self.standings.leave_loop()
        self.log.leave_loop()
        if not self.log.is_live:
            # They connect again once it is live.
            for connection in [*self.eio.sockets.values()]:
                connection.close(Reason.SERVER)

    async def drain(self, window_s: float) -> None:
        """Close all transports, in jittered batches spread over a window.

        Clients see a lost transport, not a DISCONNECT, so they reconnect by themselves to another node. While Redis is away, the drain
        waits within its window, so that they can recover.

        Args:
            window_s: The window in seconds. `0` closes all at once.

        """
        await drain(self.eio, window_s, log=self.log)

    async def handle_request(self, *args: object, **kwargs: object) -> object:
        """Serve a request as `socketio.AsyncServer` does: with the first one on an event loop, a server with a manager starts."""
        if self._self_start is not None:
            try:
                await self._self_start.ready()
            except Unavailable as error:
                # Clients are told to come again.
                _log.warning("not started", error=error.message, code=error.code)
        return await super().handle_request(*args, **kwargs)

    async def shutdown(self) -> None:
        """End all connections, as `socketio.AsyncServer` does. A server with a manager leaves the other nodes until its next use."""
        await super().shutdown()
        if self._self_start is not None:
            self._self_start.forget()
            await self.log.close()

    async def close(self) -> None:
        """End the streams of replies, and disconnect from the other nodes. Call it after `drain`."""
        for one in self.registered_handlers().values():
            if hasattr(one, "close_streams"):
                await one.close_streams()
        await self.shutdown()
        await self.log.close()

    def count_connections(self) -> Mapping[str, int]:
        """Return the number of open Engine.IO connections by transport."""
        return Counter(
            "websocket" if socket.upgraded else "polling"
            for socket in self.eio.sockets.values()
            if not socket.closed
        )

    # -- namespaces

    def register_namespace(self, namespace_handler: Any) -> None:
        """Register an object that handles the events of a namespace, or a `Gateway` that serves all namespaces of a pattern.

        Raises:
            ConfigurationError: The same names are served already.
            ValueError: As for `socketio.AsyncServer.register_namespace`.

        """
        if getattr(namespace_handler, "pattern", None) is None:
            super().register_namespace(namespace_handler)
            return
        self._parts.dynamic.add(namespace_handler)
        namespace_handler._set_server(self)  # noqa: SLF001 - as python-socketio does

    # -- clients of this node

    def member(self, sid: str, namespace: str = "/") -> Member:
        """Return the member for a connected client.

        Raises:
            KeyError: The client is not connected to this node.

        """
        return self._parts.clients.member(sid, namespace)

    def renew(self, member: Member, user: User) -> None:
        """Extend a client's connection with a new token, whose permissions and expiry then apply.

        Args:
            member: The client.
            user: The user that the new token identifies.

        Raises:
            Forbidden: The token belongs to another user, or it expires sooner than the client's present token.

        """
        self._parts.clients.renew(member, user)

    async def send_away(self, member: Member, error: ClientError) -> None:
        """Send a client the event `exception` with an error, then end its session, which cannot be recovered."""
        await self._parts.clients.send_away(member, error)

    def send_away_all(self, whom: Callable[[User], bool], error: ClientError) -> None:
        """Disconnect every client of this node for whose user `whom` returns True; see `send_away`."""
        self._parts.clients.send_away_all(whom, error)

    def _send_user_away(self, user: str, error: ClientError) -> None:
        self.send_away_all(lambda one: one.kind != "anonymous" and one.id == user, error)

    def expect_connect(self, eio_sid: str) -> None:
        """Close a connection unless it connects to a namespace in time."""
        self._parts.connects.expect_connect(eio_sid)

    # -- overrides of python-socketio: see `drop_in`; methods that are called for each event return the awaitable of their part

    def _engineio_server_class(self) -> type[engineio.AsyncServer]:
        return AsgiEngine

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: object) -> None:
        if self.tracing is None:
            await self._parts.connects.connect(eio_sid, namespace or "/", data)
            return
        with self.tracing.connection(namespace or "/"):
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
        except_rooms: object = None,
        volatile: bool = False,
    ) -> None:
        """Emit an event as `socketio.AsyncServer.emit` does; return when the event is in the log.

        Args:
            event: The event's name.
            data: The event's argument; a tuple for several.
            to: A room, a client's id, or a list of them. Default: all clients of the namespace.
            room: An alias of `to`.
            skip_sid: A client, or a list of clients, that does not receive the event.
            namespace: The namespace. Default: `/`.
            callback: Called with the ack of the single client that receives the event. Such an event is not stored in the log.
            ignore_queue: Sends the event only to the clients of this node, without the log.
            message_id: A further emit with the same id within `LogConfig.message_id_ttl_s` is dropped, on all nodes. At most 256
                bytes; scope the ids of clients to the client (`Socket.own_id`). Default: none.
            keeps_history: Whether the history of the room stores the event; a `Keep` sets the entry and its lifetime. The event is
                published and stored, or neither. An event that is dropped because of its `message_id` is not stored again.
                Default: no.
            except_rooms: A room, a client's id, or a list of them, whose members do not receive the event. Each client is judged by
                its rooms at the event's place in the log, also when it recovers later. The history of a room stores the event for
                all who may read it. Default: none.
            volatile: Whether the event is only for clients that are connected now, on all nodes, and read what they get. It is not
                in the log, so it is neither recovered nor kept, and it is dropped instead of waiting: for a client that lags,
                connects or recovers, and for all while the link to Redis is lost. The call does not wait. Default: no.

        Raises:
            Unavailable: The event was not published; try again. With `except_rooms` also while the deployment has a gateway of a
                version that cannot leave out rooms.
            OutcomeUnknown: The event may have been published; try again with the same `message_id`.
            ValueError: `keeps_history` is set, but no room is named, or the event bypasses the log; or a volatile event has a
                `callback`, a `message_id` or `keeps_history`.
            TooLarge: The message id is too long.
            InvalidBody: A value has more than 500 lists and objects within each other.
            RateLimited: With `callback` and a single client, `Limits.max_pending_acks` acks of this client are pending already.
                Among several clients, such a client is skipped.

        """
        if self.eio.loop is not asyncio.get_running_loop():
            self.eio.use_loop()
        if self._self_start is not None and not self.log.is_live:
            await self._self_start.ready()
        namespace, target = namespace or "/", to or room
        # For a `Logger`, its own level decides in nearly all cases; other objects are called.
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
            except_rooms=except_rooms,
            volatile=volatile,
        )

    def _emit_by_manager(
        self,
        event: str,
        data: object,
        namespace: str | None = None,
        room: object = None,
        skip_sid: object = None,
        callback: object = None,
        to: object = None,
        **kwargs: Any,
    ) -> Awaitable[None]:
        return self.emit(
            event, data, to, room, skip_sid, namespace, callback, bool(kwargs.get("ignore_queue"))
        )

    async def save_session(self, sid: str, session: object, namespace: str | None = None) -> None:
        """Store the application's data of a client. After a recovery they are available on any node.

        Data that MessagePack cannot encode stay on this node.

        Raises:
            Unavailable: The data are stored on this node, but not where a recovery would find them.

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
        """Emit to a client and wait for its ack as `socketio.AsyncServer.call` does; a timeout leaves nothing behind.

        Raises:
            RateLimited: `Limits.max_pending_acks` acks of this client are pending already; the event was not sent.

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
        # Without a running loop there are no tasks.
        return 0
