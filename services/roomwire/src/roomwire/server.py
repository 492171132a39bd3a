"""The Socket.IO server: python-socketio's `AsyncServer`, put together with our backplane.

Everything written for `socketio.AsyncServer` runs on it. What it adds: session ids that name their node,
authentication before a connection is accepted, errors that reach the client, metrics, an orderly start and
a drain that spreads reconnects.

What of python-socketio and python-engineio is overridden, here and in the modules below, stands in
`OVERRIDDEN`; a test fails when a release moves it.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import engineio
import socketio

from roomwire.addresses import ClientAddress
from roomwire.backplane import Backplane, LogConfig, MemoryBackplane, MemoryLog
from roomwire.bounds import Bound
from roomwire.codec import BadPacket, Packet, ack_frames, arguments_of, event_head, packet_frames
from roomwire.engine import Engine
from roomwire.engine.connection import Connection
from roomwire.engine.limits import Limits
from roomwire.engine.packets import Packet as EnginePacket
from roomwire.engine.session import Reason
from roomwire.errors import ClientError, Internal, InvalidBody, RateLimited, Unavailable
from roomwire.handshake import Authenticate, Handshake, everyone
from roomwire.logged import LoggedRooms
from roomwire.logs import get_logger
from roomwire.metrics import Metrics
from roomwire.recovery import RecoveryLimits, wish_of
from roomwire.rooms import Member, Phase, Rooms, member_of
from roomwire.sessions import Sessions

OVERRIDDEN: Final[Mapping[str, tuple[str, ...]]] = {
    "socketio.AsyncServer": (
        "_engineio_server_class",
        "_handle_connect",
        "_handle_eio_connect",
        "_handle_eio_disconnect",
        "_handle_eio_message",
        "_handle_event",
        "_handle_event_internal",
        "_send_packet",
        "_trigger_event",
        "save_session",
        "call",
    ),
    "socketio.AsyncManager": (
        "_generate_ack_id",
        "basic_disconnect",
        "basic_enter_room",
        "basic_leave_room",
        "can_disconnect",
        "close_room",
        "connect",
        "disconnect",
        "eio_sid_from_sid",
        "emit",
        "enter_room",
        "get_participants",
        "get_rooms",
        "is_connected",
        "is_pre_connected",
        "is_sid_room",
        "leave_room",
        "pre_connect",
        "pre_disconnect",
        "sid_from_eio_sid",
    ),
    "socketio.packet.Packet": ("add_attachment", "data_is_binary", "decode", "encode", "reconstruct_binary"),
    "engineio.AsyncServer": (
        "_get_socket",
        "disconnect",
        "generate_id",
        "handle_request",
        "send",
        "send_packet",
        "shutdown",
    ),
}
"""Names of python-socketio and python-engineio that are overridden, here and in the modules below."""

DRAIN_BATCHES_PER_S: Final = 10
_VERDICTS: Final = frozenset(
    {socketio.packet.CONNECT, socketio.packet.CONNECT_ERROR, socketio.packet.DISCONNECT}
)

_log = get_logger(__name__)


class Server(socketio.AsyncServer):  # type: ignore[misc] # python-socketio has no types
    """A Socket.IO server that is one of many.

    Args:
        backplane: Connects it with the other nodes; started and closed by the server. Default: it is alone.
        node_name: Its name among them. Engine.IO session ids begin with it and a dot, so that a proxy can
            find the node a request belongs to.
        authenticate: Decides about every connection, in every namespace, before its connect handler runs.
            Default: everyone may come in, anonymously.
        metrics: Where connects, events and connections are counted. Default: a registry of its own.
        recovery: The bounds of recoveries of sessions. Default: see `RecoveryLimits`.
        limits: What one client may cost: one struct for all bounds. python-socketio's own options
            `ping_interval`, `ping_timeout` and `max_http_buffer_size` count instead of it where they are given.
        trusted_proxies: Addresses or networks whose X-Forwarded-* headers are believed. Default: none.
        options: As for `socketio.AsyncServer`, less those that could not be honoured.

    Raises:
        ValueError: `client_manager`, `serializer`, `json` or `async_mode` ask for something else than what is built in.

    """

    def __init__(
        self,
        *,
        backplane: Backplane | None = None,
        node_name: str = "node",
        authenticate: Authenticate = everyone,
        metrics: Metrics | None = None,
        limits: Limits | None = None,
        recovery: RecoveryLimits | None = None,
        trusted_proxies: Sequence[str] = (),
        **options: Any,
    ) -> None:
        self.node_name = node_name
        self._metrics = metrics or Metrics()
        self.backplane = backplane or MemoryBackplane(
            node=node_name, metrics=self._metrics, config=_times_of(options, limits or Limits())
        )
        log = self.backplane.log
        rooms = LoggedRooms(log)
        limits_of_recovery = recovery or RecoveryLimits()
        self._may_recover = limits_of_recovery.is_offered
        self._sessions = Sessions(log, rooms, limits=limits_of_recovery, metrics=self._metrics)
        rooms.finish = self._sessions.finish
        self._authenticate = authenticate
        self._refusals: dict[str, int] = {}
        self._connecting: set[tuple[str, str]] = set()
        super().__init__(
            client_manager=rooms,
            node_name=node_name,
            addresses=ClientAddress(trusted_proxies),
            limits=limits,
            exceeded=self._metrics.exceeded,
            **_with_our_own_way(options),
        )
        self.packet_class = _packets_within(self.eio.limits)
        self.eio.takes_now = self._take_event_now
        self.eio.pulse = self._sessions
        if isinstance(log, MemoryLog):
            # Programs written for `socketio.AsyncServer` do not start it.
            log.start_now(rooms)
        self.begin = self.eio.starter.start
        self.count_event = self._metrics.events.count
        self._count_connect = self._metrics.connects.labels("ok").inc
        self._metrics.watch_connections(self.count_connections)

    async def start(self) -> None:
        """Connect to the other nodes, then run the `after_init` hook of each gateway.

        Raises:
            Unavailable: The backplane does not answer; starting again later is right.

        """
        await self.backplane.start()
        await self.backplane.log.start(self.manager)
        for namespace in self.namespace_handlers.values():
            if hasattr(namespace, "after_init"):
                await namespace.after_init()

    async def drain(self, window_s: float) -> None:
        """Close all transports, in jittered batches spread over a window.

        Clients see a lost transport, not a DISCONNECT: they reconnect by themselves, to another node.

        Args:
            window_s: How many seconds to take. 0 closes all at once.

        """
        sids = list(self.eio.sockets)
        random.shuffle(sids)
        batches = max(1, round(window_s * DRAIN_BATCHES_PER_S))
        size = -(-len(sids) // batches) or 1
        for start in range(0, len(sids), size):
            for sid in sids[start : start + size]:
                self.eio.close(sid, Reason.SERVER)
            if start + size < len(sids):
                await asyncio.sleep(random.uniform(0.5, 1.5) / DRAIN_BATCHES_PER_S)  # noqa: S311 - jitter

        # Those that came meanwhile; what is waiting for an answer has to get one before the port closes.
        await self.eio.disconnect()

    async def close(self) -> None:
        """Leave the other nodes. Call it after `drain`."""
        await self.shutdown()
        await self.backplane.log.close()
        await self.backplane.close()

    def member(self, sid: str, namespace: str = "/") -> Member:
        """Return what is known about a connected client.

        Raises:
            KeyError: There is no such client here.

        """
        rooms: Rooms = self.manager
        member = rooms.member(sid, namespace)
        if member is None:
            raise KeyError(sid)
        return member

    def count_connections(self) -> Mapping[str, int]:
        """Return the number of open Engine.IO connections by transport."""
        return Counter(
            "websocket" if socket.upgraded else "polling"
            for socket in self.eio.sockets.values()
            if not socket.closed
        )

    def acknowledge(self, member: Member, ack_id: int, result: Any) -> None:
        """Send what a handler returned: nothing, a value, or a tuple of several: hot."""
        frames = ack_frames(member.namespace, arguments_of(result), ack_id)
        if len(frames) == 1:
            self.eio.turn.put(member.outlet, frames[0])
        else:
            self.eio.turn.put_all((member.outlet,), frames)

    def answer_error(self, member: Member, ack_id: int | None, error: ClientError) -> None:
        """Tell a client of an error: in the ack if it waits for one, else by the event `exception`."""
        if ack_id is not None:
            self.acknowledge(member, ack_id, dict(error.body()))
        else:
            self.manager.say((member,), member.namespace, ["exception", dict(error.details())])

    def _refuse_packet(self, eio_sid: str, error: ValueError) -> None:
        """Close the connection of a client that does not keep to the protocol."""
        _log.info("bad packet", sid=eio_sid, error=str(error))
        exceeded = error.exceeded if isinstance(error, BadPacket) else None
        self.eio.close(eio_sid, Reason.TRANSPORT_ERROR, exceeded)

    def _serves(self, namespace: str) -> bool:
        return (
            namespace in self.handlers
            or namespace in self.namespace_handlers
            or self.namespaces == "*"
            or namespace in self.namespaces
        )

    # What follows overrides python-socketio: see OVERRIDDEN.

    def _engineio_server_class(self) -> type[engineio.AsyncServer]:
        return Engine

    async def _handle_eio_connect(self, eio_sid: str, environ: Mapping[str, Any]) -> None:
        await super()._handle_eio_connect(eio_sid, environ)
        self.expect_connect(eio_sid)

    def expect_connect(self, eio_sid: str) -> None:
        """Close a connection unless it is in a namespace before long."""
        self.eio.alarm_in(self.eio.limits.connect_timeout_s, partial(self._close_if_silent, eio_sid))

    def _close_if_silent(self, eio_sid: str, _: float) -> None:
        connection = self.eio.find(eio_sid)
        if connection is not None and not connection.members:
            connection.close(Reason.TRANSPORT_ERROR, Bound.CONNECT_TIMEOUT)

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        connection = self.eio.sockets.get(eio_sid)
        for member in () if connection is None else connection.members:
            member.is_lost = True
        await super()._handle_eio_disconnect(eio_sid, reason)
        # Those whose verdict came while handlers of other namespaces were being told.
        for member in () if connection is None else connection.members:
            member.is_lost = True
            await self._handle_disconnect(eio_sid, member.namespace, reason)
        # A header whose attachments never came, with what its client chose to put into it.
        self._binary_packet.pop(eio_sid, None)
        self._refusals.pop(eio_sid, None)

    async def _handle_eio_message(self, eio_sid: str, data: str | bytes) -> None:
        try:
            if not data and eio_sid not in self._binary_packet:
                raise BadPacket("an empty packet")
            await super()._handle_eio_message(eio_sid, data)
        except ValueError as error:
            # BadPacket is one, and so is what python-socketio raises for attachments of an unknown client.
            self._refuse_packet(eio_sid, error)
        except Exception:
            _log.exception("message handling failed", sid=eio_sid)
            self.eio.close(eio_sid, Reason.TRANSPORT_ERROR)

    async def _send_packet(self, eio_sid: str, pkt: Any) -> None:
        connection: Connection | None = self.eio.find(eio_sid)
        if connection is None:
            return
        member = member_of(connection, pkt.namespace or "/")
        if pkt.packet_type == socketio.packet.CONNECT and member is not None and member.pid is not None:
            pkt.data = {**pkt.data, "pid": member.pid}
        # A verdict goes by what is held back until there is one.
        outlet = connection if member is None or pkt.packet_type in _VERDICTS else member.outlet
        self.eio.turn.put_all((outlet,), packet_frames(pkt))

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        """Connect a client to a namespace: the reply comes first, then what the connect handler emitted."""
        namespace = namespace or "/"
        connection: Connection | None = self.eio.find(eio_sid)
        if connection is None:
            return
        if not self._serves(namespace):
            await self._turn_away(connection, namespace, "Invalid namespace")
            return
        key = (eio_sid, namespace)
        if key in self._connecting or member_of(connection, namespace) is not None:
            raise BadPacket("a second CONNECT to a namespace")
        if len(connection.members) >= self.eio.limits.max_namespaces:
            self.eio.exceeded(Bound.NAMESPACES)
            await self._turn_away(connection, namespace, "Too many namespaces")
            return
        self._connecting.add(key)
        try:
            await self._connect(Member("", namespace, connection), data)
        finally:
            self._connecting.discard(key)

    async def _connect(self, member: Member, data: Any) -> None:
        """Authenticate a client, give it its session, ask its connect handler, answer, and tell it what it missed."""
        connection, namespace = member.connection, member.namespace
        wish = wish_of(data, connection.environ, may_recover=self._may_recover)
        member.handshake = Handshake(connection.environ, wish.auth, addresses=self.eio.addresses)
        try:
            refusal = await self._authenticated(member)
            if refusal is not None:
                error = self.packet_class(socketio.packet.CONNECT_ERROR, data=refusal, namespace=namespace)
                await self._send_packet(connection.sid, error)
                return
            subject = "" if member.user.kind == "anonymous" else member.user.id
            missed = await self._sessions.begin(member, wish, subject)
            if connection.sid not in self.environ:
                await self._withdraw(member)
                return
            await super()._handle_connect(connection.sid, namespace, wish.auth)
        except Unavailable as error:
            # A refusal would keep the client away for good; a lost transport makes it come back.
            _log.warning("connect postponed", error=error.message)
            self._metrics.connects.labels(error.code).inc()
            await self._withdraw(member)
            self.eio.close(connection.sid, Reason.SERVER)
            return
        except (Exception, asyncio.CancelledError):
            # A replay that this version cannot read, say, or what carried the connection has ended in the middle
            # of the decision: nothing else would take the client out of its rooms.
            await self._withdraw(member)
            raise
        if member_of(connection, namespace) is not member:
            return  # refused: what was said to it meanwhile is nobody's
        member.release(missed)
        if member.recovered:
            # Its answer says that it has all that.
            connection.ping()
        if connection.closed and connection.sid not in self.environ:
            # The client left while it was being authenticated: nothing else would take it away.
            member.is_lost = True
            self.manager.pre_disconnect(member.sid, namespace)
            await self._trigger_event("disconnect", namespace, member.sid, self.reason.TRANSPORT_CLOSE)
            await self.manager.disconnect(member.sid, namespace, ignore_queue=True)

    async def _withdraw(self, member: Member) -> None:
        """Let go of a client that is not connected yet and will come again, or never."""
        member.is_lost = member.recovered
        self.manager.forget(member)
        await self._sessions.finish(member)

    async def _authenticated(self, member: Member) -> Any:
        """Find out who a client is; returns the refusal if nobody that may come in."""
        try:
            member.user = await self._authenticate(member.handshake)
        except Unavailable:
            raise
        except ClientError as error:
            self._refused(member, error.code)
            return _refusal(error).error_args
        except Exception:
            _log.exception("authentication failed", namespace=member.namespace)
            self._refused(member, Internal.code)
            return _refusal(Internal()).error_args
        return None

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

    async def _turn_away(self, connection: Connection, namespace: str, message: str) -> None:
        """Refuse a client a namespace before anybody is asked about it."""
        refusal = self.packet_class(
            socketio.packet.CONNECT_ERROR, data={"message": message}, namespace=namespace
        )
        await self._send_packet(connection.sid, refusal)

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
        """Emit to a client and wait for its ack; as `socketio.AsyncServer.call`, and nothing is left when it gives up."""
        client = to or sid
        if client is None:
            raise ValueError("Cannot use call() to broadcast.")
        if not self.async_handlers:
            raise RuntimeError("Cannot use call() when async_handlers is False.")
        answer: asyncio.Future[tuple[Any, ...]] = asyncio.get_running_loop().create_future()

        def take(*args: Any) -> None:
            if not answer.done():
                answer.set_result(args)

        try:
            async with asyncio.timeout(timeout):
                await self.emit(
                    event, data, room=client, namespace=namespace, callback=take, ignore_queue=ignore_queue
                )
                args = await answer
        except TimeoutError:
            raise socketio.exceptions.TimeoutError from None
        finally:
            rooms: Rooms = self.manager
            rooms.forget_callback(client, take)
        return args if len(args) > 1 else args[0] if args else None

    async def _trigger_event(self, event: str, namespace: str, *args: Any) -> Any:
        if event == "connect":
            return await self._accept(namespace, *args)
        if event == "disconnect":
            return await self._part(namespace, *args)
        return await super()._trigger_event(event, namespace, *args)

    async def _accept(self, namespace: str, sid: str, environ: Mapping[str, Any], auth: Any = None) -> Any:
        """Run the connect handler; a `ClientError` of it becomes the refusal."""
        member = self.member(sid, namespace)
        if member.recovered:
            # Another namespace's client on this connection may be new.
            environ = {**environ, "roomwire.recovered": True}
        try:
            accepted = await self._run_connect_handler(namespace, sid, environ, auth)
        except Unavailable:
            raise
        except ClientError as error:
            self._refused(member, error.code)
            raise _refusal(error) from None
        except (socketio.exceptions.ConnectionRefusedError, ConnectionRefusedError):
            # python-socketio takes Python's own exception of this name for a refusal, too.
            self._refused(member, "refused")
            raise
        except Exception:
            _log.exception("connect handler failed", sid=sid, namespace=namespace)
            self._refused(member, Internal.code)
            raise _refusal(Internal()) from None
        if accepted is False:
            self._refused(member, "refused")
            return False
        member.opened_at = time.monotonic()
        self._count_connect()
        _log.info(
            "connection opened",
            sid=sid,
            namespace=namespace,
            user=member.user.id,
            kind=member.user.kind,
            recovered=member.recovered,
        )
        return accepted

    async def _run_connect_handler(
        self, namespace: str, sid: str, environ: Mapping[str, Any], auth: Any
    ) -> Any:
        try:
            return await super()._trigger_event("connect", namespace, sid, environ, auth)
        except TypeError as error:
            if auth:
                raise
            # As stock does: a connect handler of python-socketio may do without `auth`.
            try:
                return await super()._trigger_event("connect", namespace, sid, environ)
            except TypeError:
                raise error from None

    def _refused(self, member: Member, code: str) -> None:
        self._metrics.connects.labels(code).inc()
        _log.info("connection refused", sid=member.sid, namespace=member.namespace, code=code)
        eio_sid = member.connection.sid
        self._refusals[eio_sid] = self._refusals.get(eio_sid, 0) + 1
        if self._refusals[eio_sid] > self.eio.limits.max_refused_connects:
            # Whoever goes on asking on one connection only fills the log.
            member.connection.close(Reason.TRANSPORT_ERROR, Bound.REFUSED_CONNECTS)

    async def _part(self, namespace: str, sid: str, reason: str) -> Any:
        # Events that came in the same payload have tasks that have not begun yet: they come first.
        await asyncio.sleep(0)
        try:
            return await super()._trigger_event("disconnect", namespace, sid, reason)
        except Exception:
            # Raised further, it would leave the socket in its rooms for good.
            _log.exception("disconnect handler failed", sid=sid, namespace=namespace)
        finally:
            self._metrics.disconnects.labels(reason).inc()
            member = self.manager.member(sid, namespace)
            if member is not None and member.opened_at:
                _log.info(
                    "connection closed",
                    sid=sid,
                    namespace=namespace,
                    user=member.user.id,
                    reason=reason,
                    events=member.events,
                    duration_s=round(time.monotonic() - member.opened_at, 3),
                )

    def _take_event_now(self, connection: Connection, message: EnginePacket) -> bool:
        """Take a text event without awaiting; False if this message is none, or has to wait its turn: hot."""
        if isinstance(message, bytes) or message[:1] != "2":
            return False
        head = None if connection.sid in self._binary_packet else event_head(message)
        if head is None:
            return False
        namespace, ack_id, start = head
        member = member_of(connection, namespace)
        if member is None or member.phase is not Phase.CONNECTED:
            return False
        if member.lane is not None and namespace not in self.handlers:
            taken: bool = member.lane.take_text(message, start, ack_id)
            return taken
        return self.async_handlers and self._begin_event(member, message, ack_id)

    def _begin_event(self, member: Member, message: EnginePacket, ack_id: int | None) -> bool:
        """Run the handlers of python-socketio's own kinds for an event, or refuse it."""
        eio_sid = member.connection.sid
        try:
            data = self.packet_class(encoded_packet=message).data
        except BadPacket as error:
            self._refuse_packet(eio_sid, error)
        else:
            self._begin_handling(member, data, ack_id)
        return True

    def _begin_handling(self, member: Member, data: Any, ack_id: int | None) -> None:
        """Handle an event beside the others of its client, unless too many are being handled."""
        if member.handling >= self.eio.limits.max_waiting_events:
            self.eio.exceeded(Bound.WAITING_EVENTS)
            self.answer_error(member, ack_id, RateLimited())
            member.events += 1
            self.count_event(RateLimited.code, 0.0)
            return
        eio_sid = member.connection.sid
        handling = self._handle_event_internal(self, member.sid, eio_sid, data, member.namespace, ack_id)
        task = self.begin(handling)
        if task is not None:
            member.handling += 1
            task.add_done_callback(member.handled)

    async def _handle_event(
        self,
        eio_sid: str,
        namespace: str | None,
        id: int | None,  # noqa: A002
        data: list[Any],
    ) -> None:
        namespace = namespace or "/"
        connection: Connection | None = self.eio.find(eio_sid)
        member = None if connection is None else member_of(connection, namespace)
        if member is None or member.phase is not Phase.CONNECTED:
            return
        if member.lane is not None and namespace not in self.handlers:
            member.lane.take(data[0], data[1:], id)
        elif self.async_handlers:
            self._begin_handling(member, data, id)
        else:
            await self._handle_event_internal(self, member.sid, eio_sid, data, namespace, id)

    async def _handle_event_internal(
        self,
        server: Any,  # noqa: ARG002 - python-socketio passes the server to itself
        sid: str,
        eio_sid: str,  # noqa: ARG002 - the same
        data: list[Any],
        namespace: str,
        id: int | None,  # noqa: A002
    ) -> None:
        """Run an event's handler; what it raises as a `ClientError` reaches the client."""
        member: Member | None = self.manager.member(sid, namespace)
        if member is None:
            return
        started, outcome = time.perf_counter(), "ok"
        try:
            self._check_event_name(data[0])
            result = await self._trigger_event(data[0], namespace, sid, *data[1:])
            if id is not None and result is not self.not_handled:
                self.acknowledge(member, id, result)
        except ClientError as error:
            outcome = error.code
            self.answer_error(member, id, error)
        except Exception:
            outcome = Internal.code
            _log.exception("handler failed", event_name=data[0], sid=sid, namespace=namespace)
        finally:
            member.events += 1
            self.count_event(outcome, time.perf_counter() - started)

    def _check_event_name(self, event: Any) -> None:
        """Refuse the events that are the server's alone: by `connect` a client could pose as another."""
        if not isinstance(event, str) or event in self.reserved_events:
            raise InvalidBody("An event needs a name, and not one of Socket.IO's own.")


def _packets_within(limits: Limits) -> type[Packet]:
    """Return the class of packets with the bounds of these limits."""
    bounds = {name: getattr(limits, name) for name in ("max_attachments", "max_attachments_bytes")}
    return type("Packet", (Packet,), bounds)


def _with_our_own_way(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return python-socketio's options with what is built in; what would have no effect is refused."""
    if type(options.get("client_manager", None)) not in {type(None), socketio.AsyncManager}:
        raise ValueError(
            "client_manager: the nodes are connected by Roomwire's own log: give it as `backplane`"
        )
    if options.get("serializer", "default") not in {"default", Packet}:
        raise ValueError("serializer: packets are read and written by Roomwire's own codec; leave it out")
    if options.get("json") is not None:
        raise ValueError("json: Roomwire's codec has a JSON of its own, msgspec's; leave it out")
    if options.get("async_mode") not in {None, "asgi"}:
        raise ValueError("async_mode: Roomwire is an ASGI application; leave it out")
    return {
        **{name: value for name, value in options.items() if name != "client_manager"},
        "serializer": Packet,
        # Left to itself, python-socketio takes Tornado's or Sanic's mode where one is installed.
        "async_mode": "asgi",
        # What it is for, emitting in a connect handler, works without; and a refusal is a CONNECT_ERROR.
        "always_connect": False,
    }


def _times_of(options: Mapping[str, Any], limits: Limits) -> LogConfig:
    """Return the times of a log whose clients are pinged as the options say, or else the limits."""
    interval = options.get("ping_interval", limits.ping_interval_s)
    interval_s = float(interval[0] if isinstance(interval, tuple) else interval)
    return LogConfig.for_pings(interval_s, float(options.get("ping_timeout", limits.ping_timeout_s)))


def _refusal(error: ClientError) -> Any:
    """Return what makes python-socketio refuse a connection, with the error as the refusal's data."""
    return socketio.exceptions.ConnectionRefusedError(error.message, dict(error.details()))
