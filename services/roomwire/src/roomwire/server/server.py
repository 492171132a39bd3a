"""The Socket.IO server: python-socketio's `AsyncServer`, put together with the ordered log.

Everything written for `socketio.AsyncServer` runs on it. What it adds: session ids that name their node,
authentication before a connection is accepted, errors that reach the client, metrics, an orderly start and
a drain that spreads reconnects.

It is made of three others: `events` takes messages to their handlers, `connects` lets clients in and out, `cluster`
asks the other nodes. Each overrides what it needs of python-socketio. What is overridden in all of them stands in
`drop_in.OVERRIDDEN`; a test fails when a release moves it.
"""

import asyncio
import logging
import os
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import engineio
import socketio

from roomwire.cluster.operations import Operations
from roomwire.engine.asgi import AsgiEngine
from roomwire.engine.session import Reason
from roomwire.errors import ClientError
from roomwire.limits.client import Limits
from roomwire.log.contract import Log
from roomwire.log.memory.log import MemoryLog
from roomwire.logs import get_logger
from roomwire.metrics.gateway import Metrics
from roomwire.protocol.sources import Proxies
from roomwire.recovery.decisions import RecoveryLimits
from roomwire.recovery.sessions import Sessions
from roomwire.rooms.delivery import LoggedRooms
from roomwire.rooms.handshake import Authenticate, everyone
from roomwire.rooms.registry import Rooms
from roomwire.server.admissions import Admissions
from roomwire.server.cluster import ClusterServer
from roomwire.server.drop_in import packets_within, times_of, unread_settings, with_our_own_way
from roomwire.server.rates import EventRates

DRAIN_BATCHES_PER_S: Final = 10

_log = get_logger(__name__)


class Server(ClusterServer):
    """A Socket.IO server that is one of many.

    It takes what it needs as arguments, and reads no environment: the variables `ROOMWIRE_...` are settings of the gateway
    service. Alone it lets everybody in, has no bounds of rates, no HTTP API, no relay and no revocations, and drains only when
    `drain` is called. A variable that says who may come in, or where Redis is, and is not heeded, is named in the log.

    It may be used on several event loops, one after the other, as tests do. What a loop leaves behind that ended without `close`
    is parted from on the next one; a log on Redis has to be started on each (`start`).

    Args:
        log: Connects it with the other nodes, see `roomwire.log.opening`; started and closed by the server. Default: it is alone.
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
        options: As for `socketio.AsyncServer`, less those that could not be honoured.

    Raises:
        ValueError: `client_manager`, `serializer`, `json` or `async_mode` ask for something else than what is built in.

    """

    def __init__(
        self,
        *,
        log: Log | None = None,
        node_name: str = "node",
        authenticate: Authenticate = everyone,
        metrics: Metrics | None = None,
        limits: Limits | None = None,
        recovery: RecoveryLimits | bool | None = None,
        trusted_proxies: Sequence[str] = (),
        **options: Any,
    ) -> None:
        unread = unread_settings(
            os.environ, has_log=log is not None, authenticates=authenticate is not everyone
        )
        if unread:
            _log.warning("settings not read by a server alone", names=unread)
        self.node_name = node_name
        self._metrics = metrics or Metrics()
        self.log = log = log or MemoryLog.alone(
            node=node_name, metrics=self._metrics, config=times_of(options, limits or Limits())
        )
        rooms = LoggedRooms(log)
        limits_of_recovery = RecoveryLimits()
        if isinstance(recovery, RecoveryLimits):
            limits_of_recovery, recovery = recovery, recovery.is_offered
        self._is_recovery_offered = recovery
        self._sessions = Sessions(log, rooms, limits=limits_of_recovery, metrics=self._metrics)
        rooms.finish = self._sessions.finish
        self._operations = Operations(rooms)
        self._authenticate = authenticate
        self._admissions: dict[str, Admissions] = {}
        super().__init__(
            client_manager=rooms,
            node_name=node_name,
            proxies=Proxies(trusted_proxies),
            limits=limits,
            exceeded=self._metrics.exceeded,
            **with_our_own_way(options),
        )
        self.packet_class = packets_within(self.eio.limits)
        self._rates = EventRates(
            per_s=self.eio.limits.max_events_per_s,
            per_user_per_s=self.eio.limits.max_events_per_user_per_s,
            per_address_per_s=self.eio.limits.max_events_per_address_per_s,
        )
        self.eio.takes_now = self._take_event_in_time if self._rates else self._take_event_now
        self.eio.delay_of = self._delay_of
        self.eio.pulse = self._sessions
        self.eio.left_loop = self._leave_loop
        if isinstance(log, MemoryLog):
            # Programs written for `socketio.AsyncServer` do not start it.
            log.start_now(rooms)
        self.begin = self.eio.starter.start
        self.begin_now = self.eio.starter.start_now
        self.count_event = self._metrics.events.count
        self._count_connect = self._metrics.connects.labels("ok").inc
        self._metrics.watch_connections(self.count_connections)
        self._metrics.watch_load(rooms=rooms.count, tasks=_count_tasks)

    async def start(self) -> None:
        """Connect to the other nodes, then run the `after_init` hook of each gateway.

        Raises:
            Unavailable: The log does not answer; starting again later is right.

        """
        self.eio.use_loop()
        # Those that the last loop took with it are parted from before others come.
        await self.eio.settle()
        await self.log.start(self.manager)
        for namespace in self.namespace_handlers.values():
            if hasattr(namespace, "after_init"):
                await namespace.after_init()

    def _leave_loop(self) -> None:
        """Go on on another event loop, as far as that is not the engine's matter."""
        self._binary_packet.clear()
        self._admissions.clear()
        self._sessions.leave_loop()
        self.manager.leave_loop()
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
        sids = list(self.eio.sockets)
        random.shuffle(sids)
        batches = max(1, min(len(sids), round(window_s * DRAIN_BATCHES_PER_S)))
        for number in range(batches):
            if number:
                await asyncio.sleep(random.uniform(0.5, 1.5) * window_s / batches)  # noqa: S311 - jitter
            for sid in sids[number::batches]:
                self.eio.close(sid, Reason.SERVER)

        # Those that came meanwhile; what is waiting for an answer has to get one before the port closes.
        await self.eio.disconnect()

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

    # What follows overrides python-socketio: see `drop_in`.

    def _engineio_server_class(self) -> type[engineio.AsyncServer]:
        return AsgiEngine

    async def emit(
        self,
        event: str,
        data: Any = None,
        to: Any = None,
        room: Any = None,
        skip_sid: Any = None,
        namespace: str | None = None,
        callback: Any = None,
        ignore_queue: bool = False,  # noqa: FBT001, FBT002 - stock's
        *,
        message_id: str = "",
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

        Raises:
            Unavailable: It is not in the log; trying again makes sense.
            OutcomeUnknown: Nobody knows; try again with the same `message_id`.
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
        )

    async def save_session(self, sid: str, session: Any, namespace: str | None = None) -> None:
        """Keep the application's data of a client; after a recovery they are there on whatever node it is.

        They are what MessagePack can hold; what it cannot stays on this node.

        Raises:
            Unavailable: They are here, but not where a recovery would find them.

        """
        await super().save_session(sid, session, namespace)
        member = self.manager.member(sid, namespace or "/")
        if member is not None:
            await self._sessions.store(member, session)

    async def call(
        self,
        event: str,
        data: Any = None,
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

        def answered() -> None:
            self._is_call_answered = True

        answer = _Answer(answered)
        try:
            async with asyncio.timeout(timeout):
                await self.emit(
                    event, data, room=client, namespace=namespace, callback=answer, ignore_queue=ignore_queue
                )
                args = await answer.coming
        except TimeoutError:
            raise socketio.exceptions.TimeoutError from None
        finally:
            rooms: Rooms = self.manager
            rooms.forget_callback(client, answer)
        return args if len(args) > 1 else args[0] if args else None


class _Answer:
    """Takes the ack that a call waits for, as a callback.

    Args:
        answered: Is called when it has come.

    Attributes:
        coming: The ack's arguments.

    """

    def __init__(self, answered: Callable[[], None]) -> None:
        self._answered = answered
        self.coming: asyncio.Future[tuple[Any, ...]] = asyncio.get_running_loop().create_future()

    def __call__(self, *args: Any) -> None:
        """Take the ack."""
        if not self.coming.done():
            self.coming.set_result(args)
            self._answered()

    def refuse(self, error: ClientError) -> None:
        """Take why the client was not asked."""
        if not self.coming.done():
            self.coming.set_exception(error)


def _count_tasks() -> int:
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:
        # Nothing runs where nobody's loop does.
        return 0
