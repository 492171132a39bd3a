"""The ordered log of a single gateway: everything is in this process and ends with it."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from roomwire.errors import ClientError, RoomwireError
from roomwire.log.config import LogConfig
from roomwire.log.contract import (
    MAX_MESSAGE_ID_BYTES,
    MAX_PRESENT_BYTES,
    Fenced,
    LogObserver,
    Published,
    Then,
    Unobserved,
)
from roomwire.log.entries import Entry, Message
from roomwire.log.errors import LogClosed, LogFull, MessageIdTooLong
from roomwire.log.kept import Kept
from roomwire.log.memory.hub import MemoryHub
from roomwire.log.memory.kept import KeptEntries
from roomwire.log.positions import Epoch, Offset, Position
from roomwire.log.reading import Range, RangeReader, Reading
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
    new_node_id,
)
from roomwire.log.streams import Stream
from roomwire.log.subscriber import Subscriber
from roomwire.metrics.gateway import Metrics

T = TypeVar("T")


class MemoryLog:
    """Implements `Log` in one process.

    Args:
        node: This gateway.
        hub: The part that gateways of this process share.
        address: The address at which other gateways reach this one. Default: none.
        metrics: Counts publishes and the log's state.

    Attributes:
        address: The address at which other gateways reach this one.

    """

    def __init__(self, *, node: NodeId, hub: MemoryHub, address: str = "", metrics: Metrics) -> None:
        self.node = node
        self._hub = hub
        self._primary = hub.primary
        self.address = address
        self._metrics = metrics
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_open = False
        self._unanswered = 0
        self._build(Unobserved())

    def _build(self, observer: LogObserver) -> None:
        """Assemble the parts for one start."""
        config = self._hub.config
        self._subscriber = Subscriber(
            observer, max_held_pushes=config.max_held_pushes, max_held_bytes=config.max_held_bytes
        )
        self._requests = Requests(self.node, self._send, observer=observer)

    @classmethod
    def alone(
        cls,
        *,
        node: str,
        address: str = "",
        config: LogConfig | None = None,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> "MemoryLog":
        """Return the log of a single gateway. A message has been delivered when the call that publishes it returns.

        Args:
            node: This gateway's name; this incarnation gets an id of its own.
            address: The address at which other gateways would reach this one. Default: none.
            config: The times and limits. Default: those of `LogConfig`.
            metrics: Counts publishes and the log's state.
            clock: Monotonic seconds.

        """
        hub = MemoryHub(config or LogConfig(), is_eager=True, clock=clock)
        return cls(node=new_node_id(node), hub=hub, address=address, metrics=metrics)

    @property
    def config(self) -> LogConfig:
        """See `Log`."""
        return self._hub.config

    @property
    def epoch(self) -> Epoch:
        """See `Log`."""
        return self._subscriber.epoch

    @property
    def cut(self) -> Position:
        """See `Log`."""
        return self._subscriber.cut

    @property
    def kept(self) -> KeptEntries:
        """The histories of rooms."""
        return self._primary.kept

    @property
    def is_live(self) -> bool:
        """See `Log`."""
        return self._is_open

    @property
    def is_given_up(self) -> bool:
        """See `Log`."""
        return not self._is_open

    def offset(self) -> Offset:
        """See `Log`."""
        return self._subscriber.offset

    async def start(self, observer: LogObserver) -> None:
        """See `Log`."""
        self.start_now(observer)

    def start_now(self, observer: LogObserver) -> None:
        """Start without waiting."""
        if self._is_open:
            return
        self._is_open = True
        self._build(observer)
        self._subscriber.attached(self._primary.epoch, is_whole=True)
        self._primary.nodes[self.node] = self
        self._hub.logs[self.node] = self
        self._subscriber.resume((), self._primary.last)
        self._metrics.backplane_up.set(1)

    async def close(self) -> None:
        """See `Log`."""
        self._is_open = False
        self._primary.nodes.pop(self.node, None)
        self._hub.logs.pop(self.node, None)
        await self._requests.close()
        self._metrics.backplane_up.set(0)

    def leave_loop(self) -> None:
        """See `Log`; the log stays live."""
        self._loop = None

    async def check(self) -> None:
        """See `Log`."""
        if not self._is_open:
            raise LogClosed

    # -- messages

    def publish(
        self, stream: Stream, message: Message, *, message_id: str = "", kept: Kept | None = None
    ) -> "asyncio.Future[Published]":
        """See `Log`."""
        if message_id and len(message_id.encode("utf-8", "surrogatepass")) > MAX_MESSAGE_ID_BYTES:
            future: asyncio.Future[Published] = self._future()
            future.set_exception(MessageIdTooLong(MAX_MESSAGE_ID_BYTES))
            return future
        if self._hub.is_at_rest and self._is_open:
            return self._publish_now(stream, message, message_id, kept)

        def change() -> Published:
            published = self._primary.publish(stream, message, message_id, kept)
            if published.position is not None:
                self._subscriber.learn(published.position)
            return published

        future = self._soon(change)
        if future.done():
            self._count(future)
        else:
            future.add_done_callback(self._count)
        return future

    def publish_volatile(self, stream: Stream, message: Message) -> None:
        """See `Log`."""
        if self._is_open:
            self._hub.soon(lambda: self._primary.push(stream, message))
        else:
            self._metrics.volatile_dropped.count("unpublished")

    def subscribe(self, stream: Stream) -> None:
        """See `Log`."""
        self._subscriber.subscribe(stream)

    def unsubscribe(self, stream: Stream) -> None:
        """See `Log`."""
        self._subscriber.unsubscribe(stream)

    async def mark(self, then: Then | None = None) -> Position:
        """See `Log`."""
        return await self._change(lambda: self._primary.last, then)

    async def read(self, ranges: Sequence[Range], *, max_entries: int, max_bytes: int) -> Sequence[Reading]:
        """See `Log`."""
        readers = [RangeReader(one, max_entries=max_entries, max_bytes=max_bytes) for one in ranges]

        def change() -> None:
            for reader in readers:
                if reader.is_open:
                    one = reader.range
                    reader.add(self._primary.page(one.stream, reader.cursor, one.upto))

        await self._soon(change)
        return [reader.result() for reader in readers]

    async def newest(self, stream: Stream, *, limit: int) -> Sequence[Entry]:
        """See `Log`."""
        return await self._soon(lambda: self._primary.newest(stream, limit))

    # -- sessions

    async def open(self, session: NewSession, then: Then | None = None) -> Tenure:
        """See `Log`."""
        tenure = Tenure(session.sid, 1)

        def change() -> Position:
            position = self._primary.open(session, self.node)
            self._subscriber.hold(tenure)
            return position

        await self._change(change, then)
        return tenure

    async def join(self, tenure: Tenure, stream: Stream, then: Then | None = None) -> Position:
        """See `Log`."""
        return await self._owned(tenure, lambda: self._primary.join(tenure, stream), then)

    async def leave(self, tenure: Tenure, stream: Stream, then: Then | None = None) -> Position:
        """See `Log`."""
        return await self._owned(tenure, lambda: self._primary.leave(tenure, stream), then)

    async def claim(self, sid: Sid, *, namespace: str, subject: str) -> Claimed | ClaimRefused:
        """See `Log`."""

        def change() -> Claimed | ClaimRefused:
            claimed = self._primary.claim(sid, self.node, namespace=namespace, subject=subject)
            if isinstance(claimed, Claimed):
                self._subscriber.hold(claimed.tenure)
                self._subscriber.advance(claimed.position)
            return claimed

        return await self._soon(change)

    def holds(self, tenure: Tenure) -> bool:
        """See `Log`."""
        return self._subscriber.holds(tenure)

    async def save(self, tenure: Tenure, data: bytes) -> None:
        """See `Log`."""

        def change() -> Position:
            self._primary.save(tenure, data)
            return self._primary.last

        await self._owned(tenure, change, None)

    async def end(self, sid: Sid, claim: int | None = None) -> bool:
        """See `Log`."""

        def change() -> bool:
            was_there = self._primary.end(sid, claim, self.node)
            if was_there:
                for held in [one for one in self._subscriber.held() if one.sid == sid]:
                    self._subscriber.fence(sid, held.claim + 1)
            return was_there

        return await self._soon(change)

    async def find(self, sid: Sid) -> SessionOwner | None:
        """See `Log`."""
        return await self._soon(lambda: self._primary.find(sid))

    async def present(self, stream: Stream, *, limit: int, max_bytes: int = MAX_PRESENT_BYTES) -> Attendance:
        """See `Log`."""
        return await self._soon(lambda: self._primary.present(stream, limit, max_bytes))

    def receipt(self, tenure: Tenure, received: Offset) -> None:
        """See `Log`."""

        def change() -> None:
            if not self._subscriber.holds(tenure):
                return
            try:
                self._primary.beat(tenure, received.position)
            except Fenced:
                self._subscriber.fence(tenure.sid, tenure.claim + 1)

        self._hub.soon(change)

    def release(self, tenure: Tenure) -> None:
        """See `Log`."""
        self._subscriber.release(tenure)

    # -- nodes

    async def nodes(self) -> Mapping[str, tuple[NodeId, str]]:
        """See `Log`."""
        return {node.rpartition(".")[0]: (node, log.address) for node, log in self._hub.logs.items()}

    async def request(self, node: NodeId, body: bytes, *, timeout_s: float) -> bytes:
        """See `Log`."""
        return await self._requests.ask(node, body, timeout_s=timeout_s)

    async def request_all(self, body: bytes, *, timeout_s: float) -> Mapping[NodeId, bytes | None]:
        """See `Log`."""
        return await self._requests.ask_all(list(self._hub.logs), body, timeout_s=timeout_s)

    # -- called by the primary

    def is_subscribed(self, stream: Stream) -> bool:
        """Return whether this gateway wants a stream."""
        return self._subscriber.is_subscribed(stream)

    def deliver(self, entry: Entry) -> None:
        """Deliver an entry."""
        self._subscriber.receive_entry(entry)

    def deliver_volatile(self, stream: Stream, message: Message) -> None:
        """Deliver a message that is not in the log."""
        self._subscriber.receive_volatile(stream, message)

    def fence(self, sid: Sid, newer_claim: int) -> None:
        """Drop a socket with an older claim."""
        self._subscriber.fence(sid, newer_claim)

    # -- called by the hub

    def take(self, message: bytes) -> None:
        """Accept a request of another gateway, or the answer to one of this gateway's requests."""
        self._requests.dispatch(message)

    # -- internals

    async def _owned(self, tenure: Tenure, change: Callable[[], Position], then: Then | None) -> Position:
        try:
            return await self._change(change, then)
        except Fenced:
            self._subscriber.fence(tenure.sid, tenure.claim + 1)
            raise

    async def _change(self, change: Callable[[], Position], then: Then | None) -> Position:
        def make() -> Position:
            position = change()
            self._subscriber.advance(self._primary.last)
            if then is not None:
                then(position)
            return position

        return await self._soon(make)

    def _soon(self, change: Callable[[], T]) -> "asyncio.Future[T]":
        future: asyncio.Future[T] = self._future()
        if not self._is_open:
            future.set_exception(LogClosed())
            return future
        if self._unanswered >= self._hub.config.max_publishes:
            future.set_exception(LogFull())
            return future
        self._unanswered += 1

        def make() -> None:
            self._unanswered -= 1
            if future.done():
                return
            try:
                future.set_result(change())
            except RoomwireError as error:
                future.set_exception(error)

        self._hub.soon(make)
        return future

    def _publish_now(
        self, stream: Stream, message: Message, message_id: str, kept: Kept | None
    ) -> "asyncio.Future[Published]":
        future: asyncio.Future[Published] = self._future()
        try:
            published = self._hub.publish(stream, message, message_id, kept)
        except ClientError as error:
            future.set_exception(error)
            self._metrics.publishes.count(error.code)
        else:
            future.set_result(published)
            self._metrics.publishes.count("ok")
            if published.position is not None:
                self._subscriber.learn(published.position)
        return future

    def _future(self) -> "asyncio.Future[T]":
        if self._loop is None:
            # The value is cached, because reading it costs a system call before Python 3.12.
            self._loop = asyncio.get_running_loop()
        return self._loop.create_future()

    def _count(self, future: "asyncio.Future[Published]") -> None:
        error = None if future.cancelled() else future.exception()
        self._metrics.publishes.count(error.code if isinstance(error, ClientError) else "ok")

    def _send(self, node: NodeId, message: bytes, unheard: Callable[[], None]) -> None:
        def make() -> None:
            log = self._hub.logs.get(node)
            if log is None:
                unheard()
            else:
                log.take(message)

        self._hub.soon(make)
