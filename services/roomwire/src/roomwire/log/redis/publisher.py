"""The publishes of this gateway: connects the outbox with the current bulk link."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final, Protocol, cast

from roomwire.errors import ClientError, OutcomeUnknown, Unavailable
from roomwire.log.config import LogConfig
from roomwire.log.contract import Published
from roomwire.log.errors import LogSilent, NotReadByAll, SessionGone
from roomwire.log.kept import Kept
from roomwire.log.outbox import Batch, Outbox, Publish
from roomwire.log.positions import Epoch, Position
from roomwire.log.redis.keys import Keys
from roomwire.log.redis.scripts import Scripts
from roomwire.log.sample import Sample
from roomwire.log.sessions import NodeId
from roomwire.log.streams import Stream, is_sid_stream
from roomwire.metrics.gateway import Metrics
from roomwire.redis.link import Argument, LinkLost, RedisLink, ReplyError, is_unknown_script
from roomwire.redis.refusals import is_stale, translated

_EXPIRY_PERIOD_S: Final = 0.1
_NUMBER_TTL_S: Final = 86_400.0


class Knowledge(Protocol):
    """The log's state as a publisher needs it, and positions known from its publishes."""

    epoch: Epoch

    def learn(self, position: Position) -> None:
        """Note that a position exists."""


class PublishGuard(Protocol):
    """The guard of the log's memory as a publisher needs it.

    Attributes:
        limits: The text that the script reads; empty if nothing is counted.
        stream_bytes: Approximate maximum size of a room's stored messages.

    """

    limits: str
    stream_bytes: int

    def refused(self, what: str) -> ClientError:
        """Note what the script refused, and return the error."""


class Publisher:
    """Sends publishes in order over the current link.

    Args:
        node: The publishing node.
        keys: Names of keys.
        scripts: The scripts that append, and measure streams.
        config: The times and limits.
        subscriber: Knows the epoch, and receives the positions that exist.
        metrics: Counts publishes.
        guard: Limits the rooms that are made, and their size.
        number_ttl_s: Time for which the primary remembers the last number after a publish; at least the time of a call.

    """

    def __init__(
        self,
        *,
        node: NodeId,
        keys: Keys,
        scripts: Scripts,
        config: LogConfig,
        subscriber: Knowledge,
        metrics: Metrics,
        guard: PublishGuard,
        number_ttl_s: float = _NUMBER_TTL_S,
    ) -> None:
        self._keys = keys
        self._script = scripts.publish
        self._measure = scripts.measure
        self._sample = Sample()
        self._timeout_s = config.call_timeout_s
        self._subscriber = subscriber
        self._metrics = metrics
        self._writes = metrics.redis_writes
        self._outbox: Outbox[asyncio.Future[Published]] = Outbox(
            max_publishes=config.max_publishes, max_bytes=config.max_publish_bytes, settled=self._settled
        )
        self._link: RedisLink | None = None
        self._number_key = keys.published(node)
        self._number_ttl_ms = int(number_ttl_s * 1000)
        self._guard = guard
        self._limits: tuple[Argument, ...] = (
            config.max_stream_entries,
            int(config.stream_ttl_s * 1000),
            int(config.message_id_ttl_s * 1000),
        )
        self._max_sid_entries = config.max_sid_entries
        self._newest: asyncio.Future[Published] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_flushing = False
        self._is_closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Event | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether a publish waits for its answer."""
        return bool(self._outbox)

    def publish(
        self, stream: Stream, blob: bytes, message_id: bytes, kept: Kept | None = None
    ) -> "asyncio.Future[Published]":
        """Append a message; see `Log.publish`."""
        if self._is_closed or not self._outbox.has_room(len(blob)):
            return self.refused(Unavailable("Too many messages wait for the log: try again."))
        loop = self._loop
        if loop is None:
            # The value is cached, because reading it costs a system call before Python 3.12.
            loop = self._loop = asyncio.get_running_loop()
        future = self._newest = loop.create_future()
        self._outbox.add(Publish(stream, blob, message_id, loop.time() + self._timeout_s, future, kept))
        if self._timer is None:
            self._timer = loop.call_later(_EXPIRY_PERIOD_S, self._expire)
        if not self._is_flushing and self._link is not None:
            self._is_flushing = True
            loop.call_soon(self._flush)
        return future

    async def answered(self) -> None:
        """Wait for the answers to the publishes that were made before."""
        if self._newest is not None and not self._newest.done():
            await asyncio.wait((self._newest,))

    def refused(self, error: Unavailable) -> "asyncio.Future[Published]":
        """Return a failed future, as `publish` would, for a message that is refused, and count it."""
        self._metrics.publishes.count(error.code)
        future: asyncio.Future[Published] = asyncio.get_running_loop().create_future()
        future.set_exception(error)
        return future

    def use(self, link: RedisLink) -> None:
        """Use a link from now on; first send the unanswered publishes of the last one."""
        self._link = link
        self._send()

    def link_lost(self) -> None:
        """Keep the unanswered publishes for the next link."""
        self._link = None
        self._outbox.link_lost()

    def refuse(self, error: ClientError) -> None:
        """Give up the waiting publishes, because there will be no link; those that may have been done have an unknown outcome."""
        self._outbox.give_up(lambda publish: OutcomeUnknown() if publish.is_uncertain else error)

    async def close(self, *, within_s: float) -> None:
        """Wait briefly for publishes under way, then give them up. Idempotent."""
        self._is_closed = True
        if self._link is not None and self._outbox:
            self._emptied = self._emptied or asyncio.Event()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._emptied.wait()
        self._outbox.give_up(_too_late)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _flush(self) -> None:
        """Send the publishes of the tick that ends here. In the next tick, everything that is read there would precede them."""
        self._is_flushing = False
        self._send()
        if self._link is not None:
            self._link.flush()

    def _send(self) -> None:
        link = self._link
        while link is not None and (batch := self._outbox.next_batch()) is not None:
            link.command(self._command(batch), lambda value: self._answered(link, value))
            if streams := self._sample.take(batch.publishes, batch.size):
                names = self._keys
                measured = [names.log, *(names.stream(one) for one in streams)]
                # Without the rights for it, nothing is measured; see `Guard`.
                link.call(self._measure, measured, (b"", names.prefix), lambda _: None)

    def _command(self, batch: Batch[asyncio.Future[Published]]) -> Sequence[Argument]:
        names = self._keys
        kept_of = [(place, kept) for place, one in enumerate(batch.publishes, 1) if (kept := one.kept)]
        keys: list[Argument] = [names.log, self._number_key]
        arguments: list[Argument] = [
            self._subscriber.epoch,
            names.prefix,
            self._number_ttl_ms,
            batch.predecessor,
            *self._limits,
            len(kept_of),
            self._guard.limits,
            self._guard.stream_bytes,
            self._max_sid_entries,
        ]
        for publish in batch.publishes:
            stream = publish.stream
            channel = b"" if is_sid_stream(stream) else names.channel(stream)
            keys.append(names.stream(stream))
            arguments += (publish.number, channel, publish.blob, publish.message_id)
        for place, kept in kept_of:
            keys.append(names.history(kept.name))
            arguments += (place, kept.entry, kept.entries, kept.ttl_s)
        return (b"EVALSHA", self._script.sha, len(keys), *keys, *arguments)

    def _answered(self, link: RedisLink, value: object) -> None:
        if isinstance(value, LinkLost) or link is not self._link:
            return
        if not isinstance(value, ReplyError):
            self._writes.works()
            self._outbox.answered(cast("Sequence[object]", value))
        elif is_unknown_script(value):
            # The later batches are refused as well, and are sent again after the script is loaded.
            link.command((b"SCRIPT", b"LOAD", self._script.text), lambda _: None)
            self._outbox.returned()
        elif str(value).startswith("CHAIN"):
            self._outbox.returned()
        elif is_stale(value):
            link.close(str(value))
            return
        else:
            error = translated(value)
            self._writes.failed(value)
            self._outbox.failed(lambda publish: OutcomeUnknown() if publish.is_uncertain else error)
        self._send()

    def _settled(self, publish: Publish[asyncio.Future[Published]], result: object) -> None:
        """Pass a publish's outcome to its waiting caller, and count it: hot."""
        future = publish.waiting
        outcome = "ok"
        if type(result) is int:
            position = Position(abs(result))
            self._subscriber.learn(position)
            if not future.done():
                future.set_result(Published(position or None, is_repeat=result <= 0))
        else:
            error = self._guard.refused("room") if result == b"FULL" else _error_of(result)
            outcome = "unknown" if isinstance(error, OutcomeUnknown) else error.code
            if not future.done():
                future.set_exception(error)
        self._metrics.publishes.count(outcome)
        self._metrics.publish_seconds.count(future.get_loop().time() - publish.deadline + self._timeout_s)
        if self._emptied is not None and not self._outbox:
            self._emptied.set()

    def _expire(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        self._outbox.expire(loop.time(), _too_late)
        if self._outbox:
            self._timer = loop.call_later(_EXPIRY_PERIOD_S, self._expire)


def _too_late(publish: Publish[asyncio.Future[Published]]) -> ClientError:
    return OutcomeUnknown() if publish.is_uncertain else LogSilent()


def _error_of(result: object) -> ClientError:
    if isinstance(result, ClientError):
        return result
    if isinstance(result, ReplyError):
        return translated(result)
    if result == b"UNREAD":
        return NotReadByAll()
    if result == b"UNSURE":
        return OutcomeUnknown()
    return SessionGone()
