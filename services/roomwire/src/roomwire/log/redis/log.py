"""The ordered log on Redis or Valkey: `Log`, assembled from its parts. `scripts` documents the layout of keys.

====================================  ================================================================
``<prefix>:{0}:log``                  hash: seq, epoch, run, since, end:<epoch>
``<prefix>:{0}:room:<stream>``        stream: id ``<position>-0``, one field `e`: the stored message
``<prefix>:{0}:session:<sid>``        hash: v, ns, sub, data, about, node, claim, claims, epoch, born, start, known, class, transient;
                                      a field per room
``<prefix>:{0}:members:<stream>``     sorted set: session in the room → when it is checked again
``<prefix>:{0}:due``                  sorted set: stream with members → when the first of them is
``<prefix>:{0}:pub:<node>``           number of a gateway's last publish
``<prefix>:{0}:mid:<id>``             position of the message that a client gave this id
``<prefix>:{0}:guard``                hash: the memory that is used, its limit, bytes of histories by class
``<prefix>:{0}:made:<kind>:<class>``  sorted set: key of that kind (session, members, room, history) → when it is looked at again
``<prefix>:{0}:kept``                 hash: history → bytes that it was charged
``<prefix>:{0}:kept:<class>``         sorted set: history → when it was charged last
``<prefix>:{0}:registry``             hash: node name → when it expires, incarnation, address
``<prefix>:{0}:reads``                hash: node name → incarnation, highest format of entries that it reads
``<prefix>:{0}:ch:<stream>``          channel: ``<epoch> <position> <stored message>``
``<prefix>:{0}:node:<node>``          channel: ``e`` entries of sockets, ``f`` fences, ``q`` requests, ``a`` answers
====================================  ================================================================
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from roomwire.errors import Internal, Unavailable
from roomwire.log import sessions
from roomwire.log.config import LogConfig
from roomwire.log.contract import (
    MAX_MESSAGE_ID_BYTES,
    MAX_PRESENT_BYTES,
    LogObserver,
    NodeAway,
    Published,
    Then,
    Unobserved,
)
from roomwire.log.entries import NARROWED_FORMAT, Entry, Message, UnreadableEntry, encode_message
from roomwire.log.errors import LogHeld, MessageIdTooLong
from roomwire.log.kept import Kept
from roomwire.log.positions import Epoch, Offset, Position
from roomwire.log.reading import Range, Reading
from roomwire.log.recent import KEPT_BYTES, RecentReads
from roomwire.log.redis.guard import Guard
from roomwire.log.redis.heartbeat import Heartbeat
from roomwire.log.redis.keys import Keys
from roomwire.log.redis.publisher import Publisher
from roomwire.log.redis.reads import Reads
from roomwire.log.redis.replies import nodes_reply, place_reply
from roomwire.log.redis.resync import Resync
from roomwire.log.redis.scripts import Scripts
from roomwire.log.redis.session_calls import SessionCalls, reach
from roomwire.log.redis.supervisor import Supervisor
from roomwire.log.redis.volatile import VolatilePublisher
from roomwire.log.redis.watch import Watch
from roomwire.log.requests import Requests
from roomwire.log.sessions import (
    Attendance,
    Claimed,
    ClaimRefused,
    NewSession,
    NodeId,
    SessionOwner,
    Sid,
    Tenure,
)
from roomwire.log.streams import Stream, is_sid_stream
from roomwire.log.subscriber import Subscriber
from roomwire.metrics.gateway import Metrics
from roomwire.redis.address import Primaries


class RedisLog:
    """Implements `Log`.

    Args:
        primaries: Finds the primary.
        node: This incarnation of this gateway. Each later start, after `close` or on another event loop, is a new incarnation.
        address: The address at which other gateways reach this one. Default: none.
        prefix: The prefix of every key.
        config: The times and limits.
        metrics: Counts publishes and the log's state.

    Raises:
        ConfigurationError: The times would lose messages.

    """

    def __init__(
        self,
        primaries: Primaries,
        *,
        node: NodeId,
        address: str = "",
        prefix: str = "rw",
        config: LogConfig,
        metrics: Metrics,
    ) -> None:
        config.check()
        self.node = node
        self.config = config
        self._keys = Keys(prefix)
        self._scripts = Scripts()
        self._primaries = primaries
        self._address = address
        self._metrics = metrics
        self._count_read = metrics.history_read
        self._predecessor = ""
        self._is_used = self._is_closed = False
        self._build(Unobserved())

    def _build(self, observer: LogObserver) -> None:
        """Assemble the parts for one start. They are bound to an event loop, and numbers belong to one incarnation."""
        node, config, keys, scripts, metrics = (
            self.node,
            self.config,
            self._keys,
            self._scripts,
            self._metrics,
        )
        self._subscriber = subscriber = Subscriber(
            observer, max_held_pushes=config.max_held_pushes, max_held_bytes=config.max_held_bytes
        )
        metrics.log_lag.set_function(lambda: subscriber.lag)
        self._requests = Requests(node, self._send, observer=observer)
        self._guard = guard = Guard(keys=keys, scripts=scripts, config=config, metrics=metrics)
        self._reads = Reads(keys, scripts.read)
        self._recent = RecentReads(self._fetch, count=self._count_read)
        self._publisher = Publisher(
            node=node,
            keys=keys,
            scripts=scripts,
            config=config,
            subscriber=subscriber,
            metrics=metrics,
            guard=guard,
        )
        resync = Resync(
            node=node,
            keys=keys,
            scripts=scripts,
            reads=self._reads,
            config=config,
            subscriber=subscriber,
        )
        self._supervisor = Supervisor(
            primaries=self._primaries,
            node=node,
            keys=keys,
            scripts=scripts,
            config=config,
            subscriber=subscriber,
            publisher=self._publisher,
            requests=self._requests,
            resync=resync,
            on_lost=self._recent.forget,
            metrics=metrics,
        )
        self._volatile = VolatilePublisher(
            keys=keys,
            script=scripts.volatile,
            subscriber=subscriber,
            supervisor=self._supervisor,
            count_dropped=lambda number: metrics.volatile_dropped.count("unpublished", number),
        )
        self._session_calls = SessionCalls(
            node=node,
            keys=keys,
            scripts=scripts,
            config=config,
            subscriber=subscriber,
            supervisor=self._supervisor,
            crowded=guard.refused,
        )
        self._heartbeat = Heartbeat(
            node=node,
            predecessor=self._predecessor,
            address=self._address,
            keys=keys,
            scripts=scripts,
            config=config,
            subscriber=subscriber,
            supervisor=self._supervisor,
            guard=guard,
            watch=Watch(metrics=metrics, max_skew_s=config.max_clock_skew_s),
            name_is_ours=metrics.dependencies.add("node_name"),
            writes=metrics.redis_writes,
        )

    @property
    def epoch(self) -> Epoch:
        """See `Log`."""
        return self._subscriber.epoch

    @property
    def cut(self) -> Position:
        """See `Log`."""
        return self._subscriber.cut

    @property
    def is_live(self) -> bool:
        """See `Log`."""
        return self._supervisor.is_live

    @property
    def is_given_up(self) -> bool:
        """See `Log`."""
        return self._supervisor.is_given_up

    def offset(self) -> Offset:
        """See `Log`."""
        return self._subscriber.offset

    async def start(self, observer: LogObserver) -> None:
        """See `Log`."""
        if not self._supervisor.is_started:
            if self._is_closed:
                self._be_another()
            self._is_used = True
            self._build(observer)
            await self._supervisor.start()
        await self._heartbeat.start()

    def leave_loop(self) -> None:
        """See `Log`; the log must be started again."""
        if self._is_used:
            self._be_another()
            self._build(Unobserved())

    def _be_another(self) -> None:
        """Become another incarnation of this gateway."""
        self._is_used = self._is_closed = False
        self._metrics.backplane_up.set(0)
        self._predecessor, self.node = self.node, sessions.new_node_id(self.node.rpartition(".")[0])

    async def close(self) -> None:
        """See `Log`."""
        self._is_closed = True
        await self._requests.close()
        await self._recent.close()
        await self._publisher.close(within_s=self.config.link_timeout_s)
        await self._heartbeat.close()
        self._guard.close()
        await self._supervisor.close()

    async def check(self) -> None:
        """See `Log`."""
        if not self.is_live:
            raise LogHeld
        await self.mark()

    # -- messages

    def publish(
        self, stream: Stream, message: Message, *, message_id: str = "", kept: Kept | None = None
    ) -> "asyncio.Future[Published]":
        """See `Log`."""
        raw_id = message_id.encode("utf-8", "surrogatepass") if message_id else b""
        if len(raw_id) > MAX_MESSAGE_ID_BYTES:
            future: asyncio.Future[Published] = asyncio.get_running_loop().create_future()
            future.set_exception(MessageIdTooLong(MAX_MESSAGE_ID_BYTES))
            return future
        if self.is_given_up:
            return self._publisher.refused(LogHeld())
        return self._publisher.publish(stream, encode_message(message), raw_id, kept)

    def publish_volatile(self, stream: Stream, message: Message) -> None:
        """See `Log`."""
        self._volatile.publish(stream, encode_message(message))

    def subscribe(self, stream: Stream) -> None:
        """See `Log`."""
        pair = self._supervisor.pair
        if self._subscriber.subscribe(stream) and pair is not None and pair.is_subscribed:
            pair.log.subscribe([self._keys.channel(stream)])

    def unsubscribe(self, stream: Stream) -> None:
        """See `Log`."""
        pair = self._supervisor.pair
        if self._subscriber.unsubscribe(stream) and pair is not None and pair.is_subscribed:
            pair.log.unsubscribe([self._keys.channel(stream)])

    async def mark(self, then: Then | None = None) -> Position:
        """See `Log`."""

        def apply(reply: object) -> Position:
            last = place_reply(reply, self.epoch)
            if last is None:
                self._supervisor.begin_again("another epoch")
                raise Unavailable("The log has begun a new epoch: try again.")
            return reach(self._subscriber, last, then)

        return await self._supervisor.command((b"HMGET", self._keys.log, b"seq", b"epoch"), apply)

    async def read(self, ranges: Sequence[Range], *, max_entries: int, max_bytes: int) -> Sequence[Reading]:
        """See `Log`."""
        # A socket's own stream is read for it alone. Clients that return together share the reads of rooms.
        own = [one for one in ranges if is_sid_stream(one.stream)]
        shared = [one for one in ranges if not is_sid_stream(one.stream)]
        # Another link may belong to another epoch, in which these positions have another meaning.
        pair = self._supervisor.live_pair()
        for _ in own:
            self._count_read("own")
        async with self._supervisor.reading():
            of_own, of_shared = await asyncio.gather(
                self._reads.read(pair.bulk, self.epoch, own, max_entries=max_entries, max_bytes=max_bytes),
                asyncio.gather(
                    *(self._recent.read(one, max_entries=max_entries, max_bytes=max_bytes) for one in shared)
                ),
            )
        found = {one.range: one for one in (*of_own, *of_shared)}
        return [found[one] for one in ranges]

    async def newest(self, stream: Stream, *, limit: int) -> Sequence[Entry]:
        """See `Log`."""
        try:
            async with self._supervisor.reading() as pair:
                return await self._reads.newest(pair.bulk, stream, limit=limit)
        except UnreadableEntry as error:
            raise Internal from error

    # -- sessions

    async def open(self, session: NewSession, then: Then | None = None) -> Tenure:
        """See `Log`."""
        return await self._session_calls.open(session, then)

    async def join(self, tenure: Tenure, stream: Stream, then: Then | None = None) -> Position:
        """See `Log`."""
        return await self._session_calls.join(tenure, stream, then)

    async def leave(self, tenure: Tenure, stream: Stream, then: Then | None = None) -> Position:
        """See `Log`."""
        return await self._session_calls.leave(tenure, stream, then)

    async def claim(self, sid: Sid, *, namespace: str, subject: str) -> Claimed | ClaimRefused:
        """See `Log`."""
        return await self._session_calls.claim(sid, namespace=namespace, subject=subject)

    def holds(self, tenure: Tenure) -> bool:
        """See `Log`."""
        return self._subscriber.holds(tenure)

    async def save(self, tenure: Tenure, data: bytes) -> None:
        """See `Log`."""
        await self._session_calls.save(tenure, data)

    async def end(self, sid: Sid, claim: int | None = None) -> bool:
        """See `Log`."""
        return await self._session_calls.end(sid, claim)

    async def find(self, sid: Sid) -> SessionOwner | None:
        """See `Log`."""
        return await self._session_calls.find(sid)

    async def present(self, stream: Stream, *, limit: int, max_bytes: int = MAX_PRESENT_BYTES) -> Attendance:
        """See `Log`."""
        return await self._session_calls.present(stream, limit=limit, max_bytes=max_bytes)

    def receipt(self, tenure: Tenure, received: Offset) -> None:
        """See `Log`."""
        # After a loss no session is held: a late answer must not confirm a session whose client was told of the loss.
        if self._subscriber.holds(tenure):
            self._heartbeat.receipt(tenure, received)

    def release(self, tenure: Tenure) -> None:
        """See `Log`."""
        self._heartbeat.forget(tenure)
        self._subscriber.release(tenure)

    # -- nodes

    async def nodes(self) -> Mapping[str, tuple[NodeId, str]]:
        """See `Log`."""
        async with self._supervisor.reading() as pair:
            flat = await pair.bulk.ask_script(
                self._scripts.nodes,
                [self._keys.registry, self._keys.reads],
                ("", self.node, "", 0, NARROWED_FORMAT),
            )
        return nodes_reply(flat)

    async def request(self, node: NodeId, body: bytes, *, timeout_s: float) -> bytes:
        """See `Log`."""
        if not self.is_live:
            raise NodeAway
        await self._publisher.answered()
        return await self._requests.ask(node, body, timeout_s=timeout_s)

    async def request_all(self, body: bytes, *, timeout_s: float) -> Mapping[NodeId, bytes | None]:
        """See `Log`."""
        nodes = [node for node, _ in (await self.nodes()).values()]
        await self._publisher.answered()
        return await self._requests.ask_all(nodes, body, timeout_s=timeout_s)

    # -- internals

    async def _fetch(self, wanted: Range) -> Reading:
        pair = self._supervisor.live_pair()
        most = 2 * self.config.most_entries
        (reading,) = await self._reads.read(
            pair.bulk, self.epoch, [wanted], max_entries=most, max_bytes=KEPT_BYTES, takes_rest=True
        )
        return reading

    def _send(self, node: NodeId, message: bytes, unheard: Callable[[], None]) -> None:
        pair = self._supervisor.pair
        if pair is None:
            unheard()
            return

        def answered(receivers: object) -> None:
            if not isinstance(receivers, int) or receivers == 0:
                unheard()

        pair.bulk.command((b"SPUBLISH", self._keys.node(node), message), answered)
