"""Assembles the parts of a server: the only place where they meet."""

from collections.abc import Callable, Mapping
from functools import partial

from roomwire.cluster.answers import Answers
from roomwire.cluster.local_clients import LocalClients
from roomwire.cluster.node_events import NodeEvents
from roomwire.cluster.operations import Operations
from roomwire.cluster.peers import Peers
from roomwire.cluster.presence import Presences
from roomwire.cluster.remote_clients import RemoteClients
from roomwire.engine.connection import Connection
from roomwire.engine.eager import Starter
from roomwire.engine.turn import Turn
from roomwire.limits.accounts import Accounts
from roomwire.limits.client import Limits
from roomwire.log.contract import Log
from roomwire.metrics.gateway import Metrics
from roomwire.protocol.codec import Packet
from roomwire.protocol.sources import Proxies
from roomwire.protocol.wire_format import WireFormat
from roomwire.recovery.decisions import RecoveryLimits
from roomwire.recovery.sessions import Sessions
from roomwire.recovery.tenures import Tenures
from roomwire.recovery.traced_sessions import TracedSessions
from roomwire.rooms.delivery import Delivery
from roomwire.rooms.handshake import Authenticate
from roomwire.rooms.manager import Rooms
from roomwire.rooms.member import Member
from roomwire.rooms.order import Order
from roomwire.rooms.registry import Registry
from roomwire.rooms.traced_delivery import TracedDelivery
from roomwire.server.backlogs import Backlogs
from roomwire.server.calls import Calls
from roomwire.server.charges import Charges
from roomwire.server.clients import Clients
from roomwire.server.connects import Connects
from roomwire.server.dynamic import DynamicNamespaces
from roomwire.server.events import Events
from roomwire.server.lifecycle import Lifecycle
from roomwire.server.rates import EventRates
from roomwire.server.replies import Replies
from roomwire.server.stock import Stock, StockSteps
from roomwire.tracing import Tracing


class Parts:
    """The parts of one server.

    python-socketio's constructor creates the engine and passes on the arguments that it does not use itself. The parts that the
    engine calls are therefore created before it, as its arguments. They share objects with it (`turn`, `starter`), or find what
    they need at the server when they are called.

    Args:
        server: The server that they are parts of.
        log: Connects the nodes.
        authenticate: Identifies a client, or refuses it.
        metrics: All metrics.
        limits: The limits of one client.
        wire: The form of packets on the wire.
        recovery: The limits of recoveries.
        is_recovery_offered: Whether clients that support recovery are offered it. None lets the namespace decide.
        proxies: The trusted proxies.
        tracing: Makes spans. None means that there are none.
        stock: python-socketio's own steps.
        clock: Monotonic seconds.
        wall_clock: Seconds since 1970.

    Attributes:
        attachments: Events that still wait for attachments, by the ids of their connections.
        rooms: The clients and their rooms.
        accounts: What the clients hold.
        dynamic: The namespaces of patterns.

    """

    def __init__(
        self,
        server: Stock,
        log: Log,
        *,
        authenticate: Authenticate,
        metrics: Metrics,
        limits: Limits,
        wire: WireFormat,
        recovery: RecoveryLimits,
        is_recovery_offered: bool | None,
        proxies: Proxies,
        tracing: Tracing | None,
        stock: StockSteps,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        self.attachments: dict[str, Packet] = {}
        self.turn, self.starter = Turn(), Starter()
        self.accounts = Accounts()
        self.peers, registry = Peers(log), Registry()
        self.tenures = Tenures(log)
        self.order = Order(log, registry, self.turn, begin=self.starter.start)
        deliver = Delivery if tracing is None else partial(TracedDelivery, tracing=tracing)
        self.delivery: Delivery = deliver(
            log,
            registry,
            self.turn,
            wire=wire,
            order=self.order,
            begin_now=self.starter.start_now,
            answer=self.peers.answer,
            count_dropped=lambda number: metrics.volatile_dropped.count("congested", number),
            wall_clock=wall_clock,
        )
        self.rooms = Rooms(
            log,
            registry,
            self.delivery,
            RemoteClients(log, self.peers, wire=wire),
            wire=wire,
            order=self.order,
            finish=self.tenures.finish,
            gone=self._gone,
        )
        self.dynamic = DynamicNamespaces(server, limits=limits, exceeded=metrics.exceeded)
        recover = Sessions if tracing is None else partial(TracedSessions, tracing=tracing)
        self.sessions: Sessions = recover(log, self.rooms, limits=recovery, metrics=metrics, wire=wire)
        LocalClients(self.rooms, self.peers, server)
        Answers(self.rooms, log.node, self.peers, server, clock=clock)
        self.operations = Operations(log, self.peers, Presences(self.rooms, log, self.peers), wire=wire)
        self.node_events = NodeEvents(self.peers, start=self.starter.start)
        rates = EventRates(
            per_s=limits.max_events_per_s,
            per_user_per_s=limits.max_events_per_user_per_s,
            per_address_per_s=limits.max_events_per_address_per_s,
            of_guests_per_s=limits.max_events_of_guests_per_s,
            accounts=self.accounts,
        )
        self.charges = Charges(clock, metrics.exceeded)
        self.replies = Replies(self.turn, self.rooms, self.charges, self.order, wire=wire)
        self.backlogs = Backlogs(
            self.rooms,
            limits,
            is_sequential=lambda: not server.async_handlers,
            exceeded=metrics.exceeded,
            drained=self._drained,
        )
        self.clients = Clients(
            server,
            rooms=self.rooms,
            replies=self.replies,
            order=self.order,
            begin=self.starter.start,
            wall_clock=wall_clock,
            require_connect=self.dynamic.require_connect,
        )
        self.lifecycle = Lifecycle(
            self.clients,
            rooms=self.rooms,
            packet_class=wire.packet_class,
            left=self.backlogs.left,
            stock=stock,
            metrics=metrics,
            refused_in_span=None if tracing is None else tracing.refused,
            clock=clock,
        )
        self.events = Events(
            server,
            rooms=self.rooms,
            replies=self.replies,
            backlogs=self.backlogs,
            is_connecting=self._is_connecting,
            attachments=self.attachments,
            wire=wire,
            limits=limits,
            is_limited=bool(rates),
            exceeded=metrics.exceeded,
            count=metrics.events.count,
            begin=self.starter.start_now,
            clock=clock,
            stock=stock if tracing is None else stock.traced(tracing),
        )
        self.connects = Connects(
            server,
            rooms=self.rooms,
            clients=self.clients,
            lifecycle=self.lifecycle,
            sessions=self.sessions,
            tenures=self.tenures,
            authenticate=authenticate,
            rates=rates,
            forget_incomplete=self.events.forget,
            backlogs=self.backlogs,
            charges=self.charges,
            packet_class=wire.packet_class,
            limits=limits,
            proxies=proxies,
            turn=self.turn,
            order=self.order,
            exceeded=metrics.exceeded,
            begin=self.starter.start,
            is_recovery_offered=is_recovery_offered,
            dynamic=self.dynamic,
            stock=stock,
        )
        self.calls = Calls(self.rooms, answered=self.events.note_answer)

    def _gone(self, member: Member) -> None:
        if self.backlogs.leaving.get(member.sid) is not member:
            self.dynamic.leave(member)

    def _drained(self, member: Member) -> None:
        if self.rooms.member(member.sid, member.namespace) is not member:
            self.dynamic.leave(member)

    def _is_connecting(self, connection: Connection, namespace: str) -> bool:
        # The part is created after the one that asks.
        return self.connects.is_connecting(connection, namespace)

    def of_engine(self, left_loop: Callable[[], None]) -> Mapping[str, object]:
        """Return the arguments of the engine."""
        return {
            "turn": self.turn,
            "starter": self.starter,
            "accounts": self.accounts,
            "takes_now": self.events.takes_now,
            "delay_of": self.events.delay_of,
            "ack_awaited": self.backlogs.look_again,
            "pulse": self.tenures.pinged,
            "left_loop": left_loop,
        }

    def leave_loop(self) -> None:
        """Discard the pending state of an event loop that has ended."""
        self.attachments.clear()
        self.connects.leave_loop()
        self.backlogs.leave_loop()
        self.sessions.leave_loop()
        self.rooms.leave_loop()
