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
from roomwire.engine.eager import Starter
from roomwire.engine.turn import Turn
from roomwire.limits.client import Limits
from roomwire.log.contract import Log
from roomwire.metrics.gateway import Metrics
from roomwire.protocol.codec import Packet
from roomwire.protocol.sources import Proxies
from roomwire.recovery.decisions import RecoveryLimits
from roomwire.recovery.sessions import Sessions
from roomwire.recovery.tenures import Tenures
from roomwire.rooms.delivery import Delivery
from roomwire.rooms.handshake import Authenticate
from roomwire.rooms.manager import Rooms
from roomwire.rooms.registry import Registry
from roomwire.rooms.traced_delivery import TracedDelivery
from roomwire.server.calls import Calls
from roomwire.server.clients import Clients
from roomwire.server.connects import Connects
from roomwire.server.drop_in import packets_within
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
        recovery: The limits of recoveries.
        is_recovery_offered: Whether clients that support recovery are offered it. None lets the namespace decide.
        proxies: The trusted proxies.
        tracing: Makes spans. None means that there are none.
        stock: python-socketio's own steps.
        clock: Monotonic seconds.
        wall_clock: Seconds since 1970.

    Attributes:
        packet_class: The packets with the server's limits.
        attachments: Events that still wait for attachments, by the ids of their connections.
        rooms: The clients and their rooms.

    """

    def __init__(
        self,
        server: Stock,
        log: Log,
        *,
        authenticate: Authenticate,
        metrics: Metrics,
        limits: Limits,
        recovery: RecoveryLimits,
        is_recovery_offered: bool | None,
        proxies: Proxies,
        tracing: Tracing | None,
        stock: StockSteps,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        self.packet_class = packets_within(limits)
        self.attachments: dict[str, Packet] = {}
        self.turn, self.starter = Turn(), Starter()
        self.peers, registry = Peers(log), Registry()
        self.tenures = Tenures(log)
        deliver = Delivery if tracing is None else partial(TracedDelivery, tracing=tracing)
        self.delivery: Delivery = deliver(
            log,
            registry,
            self.turn,
            answer=self.peers.answer,
            count_dropped=lambda number: metrics.volatile_dropped.count("congested", number),
            wall_clock=wall_clock,
        )
        self.rooms = Rooms(
            log, registry, self.delivery, RemoteClients(log, self.peers), finish=self.tenures.finish
        )
        self.sessions = Sessions(log, self.rooms, limits=recovery, metrics=metrics)
        LocalClients(self.rooms, self.peers, server)
        Answers(self.rooms, log.node, self.peers, server, clock=clock)
        self.operations = Operations(log, self.peers, Presences(self.rooms, log, self.peers))
        self.node_events = NodeEvents(self.peers, start=self.starter.start)
        rates = EventRates(
            per_s=limits.max_events_per_s,
            per_user_per_s=limits.max_events_per_user_per_s,
            per_address_per_s=limits.max_events_per_address_per_s,
        )
        self.replies = Replies(self.turn, self.rooms)
        self.clients = Clients(
            server, rooms=self.rooms, replies=self.replies, begin=self.starter.start, wall_clock=wall_clock
        )
        self.lifecycle = Lifecycle(
            self.clients,
            rooms=self.rooms,
            packet_class=self.packet_class,
            stock=stock,
            metrics=metrics,
            refused_in_span=None if tracing is None else tracing.refused,
            clock=clock,
        )
        self.events = Events(
            server,
            rooms=self.rooms,
            replies=self.replies,
            attachments=self.attachments,
            packet_class=self.packet_class,
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
            attachments=self.attachments,
            packet_class=self.packet_class,
            limits=limits,
            proxies=proxies,
            turn=self.turn,
            exceeded=metrics.exceeded,
            begin=self.starter.start,
            is_recovery_offered=is_recovery_offered,
            stock=stock,
        )
        self.calls = Calls(self.rooms, answered=self.events.note_answer)

    def of_engine(self, left_loop: Callable[[], None]) -> Mapping[str, object]:
        """Return the arguments of the engine."""
        return {
            "turn": self.turn,
            "starter": self.starter,
            "takes_now": self.events.takes_now,
            "delay_of": self.events.delay_of,
            "pulse": self.tenures.pinged,
            "left_loop": left_loop,
        }

    def leave_loop(self) -> None:
        """Discard the pending state of an event loop that has ended."""
        self.attachments.clear()
        self.connects.leave_loop()
        self.sessions.leave_loop()
        self.rooms.leave_loop()
