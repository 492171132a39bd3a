"""Carries messages between the log and the members of this node.

No member receives an event locally first: events go to the log and are delivered in the log's order, on every node. Only events
that bypass the log go to the members directly.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from functools import partial

from roomwire.engine.session import Reason
from roomwire.engine.turn import Turn
from roomwire.errors import NotFound
from roomwire.log.contract import Log
from roomwire.log.entries import Entry, Message
from roomwire.log.positions import Position
from roomwire.log.sessions import NodeId, Tenure
from roomwire.log.streams import Stream, namespace_stream
from roomwire.log.targets import stream_to, streams_to
from roomwire.logs import get_logger
from roomwire.protocol.payloads import skipped_sids
from roomwire.protocol.wire_format import NATIVE, WireFormat
from roomwire.rooms.emit import Emit
from roomwire.rooms.member import Member
from roomwire.rooms.order import Order
from roomwire.rooms.registry import Audience, Registry, audience_of

Answer = Callable[[bytes], Awaitable[bytes]]
Begin = Callable[[Coroutine[object, object, object]], "asyncio.Task[object] | None"]

_log = get_logger(__name__)


class Delivery:
    """Publishes messages to the log, and delivers the log's entries to the members. It is the log's `LogObserver`.

    Args:
        log: The log.
        registry: The members on this node.
        turn: Collects frames.
        wire: The form of packets on the wire.
        order: Keeps what bypasses the log behind what was published.
        begin_now: Starts a task, and runs its first step immediately.
        answer: Answers the requests of other nodes.
        count_dropped: Counts the receivers for which a volatile event was dropped.
        wall_clock: Seconds since 1970, for the entries of histories.

    """

    def __init__(
        self,
        log: Log,
        registry: Registry,
        turn: Turn,
        *,
        wire: WireFormat = NATIVE,
        order: Order,
        begin_now: Begin,
        answer: Answer,
        count_dropped: Callable[[int], None],
        wall_clock: Callable[[], float],
    ) -> None:
        self._log = log
        self._registry = registry
        self._streams = registry.streams
        self._turn = turn
        self._payload, self._frames = wire.payload, wire.frames
        self._order = order
        self._begin_now = begin_now
        self._answer = answer
        self._count_dropped = count_dropped
        self._wall_clock = wall_clock
        self._was_held = False

    async def publish(self, emit: Emit) -> None:
        """Publish an event for a room, one client or all clients; return when it is in the log: hot.

        Raises:
            Unavailable: The event was not published; try again.
            OutcomeUnknown: The event may have been published.

        """
        payload = self._payload(emit.arguments())
        kept = None if emit.keep is None else emit.kept(self._wall_clock())
        addressed = self._addressed(emit, payload)
        if addressed is None:
            return
        stream, message = addressed
        answer = self._log.publish(stream, message, message_id=emit.message_id, kept=kept)
        if not answer.done():
            self._order.note(stream, answer)
        try:
            await answer
        except NotFound:
            # The session of this client has ended, so no client is left to receive the event.
            return

    def publish_volatile(self, emit: Emit) -> None:
        """Pass an event to clients that are connected and keep up; nothing waits for the others: hot."""
        addressed = self._addressed(emit, self._payload(emit.arguments()))
        if addressed is None:
            return
        if emit.is_local:
            self.on_volatile(*addressed)
        else:
            self._log.publish_volatile(*addressed)

    def _addressed(self, emit: Emit, payload: bytes) -> tuple[Stream, Message] | None:
        """Return the stream and the message of an event, or None if no client can receive it: hot."""
        namespace, target = emit.namespace, emit.target
        skipped = () if emit.skip_sid is None else skipped_sids(emit.skip_sid)
        excepted = () if emit.except_rooms is None else streams_to(namespace, emit.except_rooms)
        if not isinstance(target, str) and hasattr(target, "__len__"):
            rooms = streams_to(namespace, target)
            return (
                (namespace_stream(namespace), Message(payload, skipped, rooms, excepted)) if rooms else None
            )
        stream = self._streams.get((namespace, target))
        if stream is None:
            member = self._registry.find(target)
            if member is not None and member.namespace != namespace:
                return None
            stream = namespace_stream(namespace) if target is None else stream_to(namespace, target)
        return stream, Message(payload, skipped, (), excepted)

    def put(self, members: Collection[Member], payload: bytes) -> None:
        """Send an event to members of one namespace without the log, behind what this node has published to them.

        A member that holds an offset gets one with the event, because it takes any last text for an offset.
        """
        self._order.act_for_each(members, partial(self._put_now, payload), size=len(payload))

    def _put_now(self, payload: bytes, members: Collection[Member]) -> None:
        audience = audience_of(members)
        if audience is not None:
            self._put(audience, payload, str(self._log.offset()))

    def _put(self, audience: Audience, payload: bytes, offset: str) -> None:
        namespace, recoverable, others = audience
        if recoverable:
            self._turn.put_all(recoverable, self._frames(namespace, payload, offset))
        if others:
            self._turn.put_all(others, self._frames(namespace, payload))

    # -- the log's reports: see `LogObserver`

    def on_entry(self, entry: Entry) -> None:
        """Deliver an entry to the members on this node: hot."""
        order = self._order
        if order.has_waiting:
            order.receive(Position(entry.position - 1))
        audience = self._audience(entry.stream, entry.message)
        if audience is not None:
            # The text of an `Offset`, without creating one for each entry.
            self._put(audience, entry.message.payload, f"{self._log.epoch}.{entry.position}")
        if order.has_waiting:
            order.receive(entry.position)

    def on_volatile(self, stream: Stream, message: Message) -> None:
        """Deliver a volatile message to the members on this node that can receive it now: hot.

        A member that connects or recovers does not receive it, because the event would have to wait. The others get it with the
        offset of their last event, like every event that bypasses the log; see `put`.
        """
        audience = self._audience(stream, message)
        if audience is not None:
            self._put_volatile(audience, message)

    def _put_volatile(self, audience: Audience, message: Message) -> None:
        namespace, recoverable, others = audience
        ready = [outlet for outlet in recoverable if not outlet.is_congested]
        others_ready = [outlet for outlet in others if not outlet.is_congested]
        dropped = len(recoverable) + len(others) - len(ready) - len(others_ready)
        if dropped:
            self._count_dropped(dropped)
        self._put((namespace, ready, others_ready), message.payload, str(self._log.offset()))

    def _audience(self, stream: Stream, message: Message) -> Audience | None:
        """Return the receivers of a message on this node: hot."""
        if message.rooms or message.except_rooms:
            return self._registry.audience_within(
                stream, message.rooms, message.skip_sids, message.except_rooms
            )
        if message.skip_sids:
            return self._registry.audience_without(stream, message.skip_sids)
        return self._registry.audience(stream)

    def on_fenced(self, tenure: Tenure) -> None:
        """Close the transport; a DISCONNECT could reach the rightful client."""
        member = self._registry.find(tenure.sid)
        if member is not None and member.tenure == tenure:
            _log.info("session continues elsewhere", sid=member.sid)
            member.connection.close(Reason.SERVER)

    def on_incomplete(self, stream: Stream) -> None:
        """Close the transports of all receivers of a stream."""
        for member in list(self._registry.members_of(stream)):
            member.connection.close(Reason.SERVER)

    def on_loss(self) -> None:
        """Close all transports."""
        _log.warning("the log lost entries, all clients have to come again")
        for member in self._registry.all_members():
            member.connection.close(Reason.SERVER)
        self._order.forget_publishes()

    def on_held(self) -> None:
        """Note that the log is held."""
        self._was_held = True
        _log.warning("backplane degraded")

    def on_live(self) -> None:
        """Ping all clients, so that their sessions are confirmed in an epoch that may be new."""
        if self._was_held:
            self._was_held = False
            _log.info("backplane live")
        for connection in {member.connection for member in self._registry.all_members()}:
            connection.ping()
        self._order.log_is_live()

    def on_request(self, _sender: NodeId, body: bytes) -> Awaitable[bytes]:
        """Begin to perform the request of another node at its place in the log's order, and return its answer."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        task = self._begin_now(self._perform(body, answer))
        if task is not None:
            # Whoever waits for the answer may be cancelled.
            answer.add_done_callback(lambda _: task.cancel() if answer.cancelled() else None)
        return answer

    async def _perform(self, body: bytes, answer: "asyncio.Future[bytes]") -> None:
        try:
            result = await self._answer(body)
        except Exception as error:
            if not answer.done():
                answer.set_exception(error)
        else:
            if not answer.done():
                answer.set_result(result)
