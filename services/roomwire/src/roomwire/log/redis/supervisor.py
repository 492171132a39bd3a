"""Keeps the links to the primary alive: it connects, brings the gateway up to date, detects a loss and starts again.

A loss takes effect immediately, in the callback that detects it: both links are closed, the log is held, and pending calls
fail with an unknown outcome.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, TypeVar

from roomwire.errors import ConfigurationError, OutcomeUnknown, Unavailable
from roomwire.log.config import LogConfig
from roomwire.log.entries import UnreadableEntry, parse_push
from roomwire.log.errors import LogClosed, LogFull, LogHeld, LogNotResumed, LogSilent
from roomwire.log.redis.keys import Keys
from roomwire.log.redis.pair import Pair, open_pair
from roomwire.log.redis.publisher import Publisher
from roomwire.log.redis.resync import Resync
from roomwire.log.redis.scripts import Scripts
from roomwire.log.requests import REQUEST, Requests
from roomwire.log.sessions import NodeId, Sid
from roomwire.log.streams import Stream
from roomwire.log.subscriber import Interrupted, Subscriber
from roomwire.logs import get_logger
from roomwire.metrics.gateway import Metrics
from roomwire.redis.address import Primaries
from roomwire.redis.link import Argument, LinkLost, Reply, ReplyError
from roomwire.redis.refusals import is_stale, translated
from roomwire.redis.script import Script

_log = get_logger(__name__)

_MAX_CALLS: Final = 20_000
_FIRST_PAUSE_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 1.0

T = TypeVar("T")
Apply = Callable[[object], T]
"""Applies a reply at its position in the order, synchronously; it returns or raises the caller's result."""


class Supervisor:
    """Owns the links and the task that maintains them.

    Args:
        primaries: Finds the primary.
        node: This gateway.
        keys: Names of keys.
        scripts: The scripts that run on the primary.
        config: The times and limits.
        subscriber: The state of what the gateway has received from the log.
        publisher: Sends publishes.
        requests: Accepts other nodes' requests.
        resync: Brings the gateway up to date.
        on_lost: Called when the log is held.
        metrics: Counts the state and losses.

    """

    def __init__(
        self,
        *,
        primaries: Primaries,
        node: NodeId,
        keys: Keys,
        scripts: Scripts,
        config: LogConfig,
        subscriber: Subscriber,
        publisher: Publisher,
        requests: Requests,
        resync: Resync,
        on_lost: Callable[[], None],
        metrics: Metrics,
    ) -> None:
        self._primaries = primaries
        self._node = node
        self._keys = keys
        self._scripts = scripts
        self._config = config
        self._subscriber = subscriber
        self._publisher = publisher
        self._requests = requests
        self._resync = resync
        self._on_lost = on_lost
        self._metrics = metrics
        self._redis = metrics.dependencies.add("redis", where=str(primaries))
        self._pair: Pair | None = None
        self._live = asyncio.Event()
        self._held_at: float | None = None
        self._task: asyncio.Task[None] | None = None
        self._own_channel = keys.node(node)
        self._calls = 0

    @property
    def is_live(self) -> bool:
        """Whether the log is live."""
        return self._live.is_set()

    @property
    def is_given_up(self) -> bool:
        """Whether the log has been held for as long as a call may take, so that later callers need not wait."""
        held_at = self._held_at
        return (
            held_at is not None and asyncio.get_running_loop().time() - held_at > self._config.call_timeout_s
        )

    @property
    def pair(self) -> Pair | None:
        """The current links, live or not yet."""
        return self._pair

    @property
    def is_started(self) -> bool:
        """Whether the links are maintained: the log has been live, and is not closed."""
        return self._task is not None

    async def start(self) -> None:
        """Become and stay live; see `Log.start`."""
        try:
            pair = await self._connect()
        except (Unavailable, ConfigurationError) as error:
            self._redis.failed(error)
            raise
        self._task = asyncio.create_task(self._keep(pair))

    async def close(self) -> None:
        """Disconnect. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        # The observer is not told that the log is held, because this end is intended.
        pair, self._pair = self._pair, None
        self._live.clear()
        self._metrics.backplane_up.set(0)
        if pair is not None:
            self._publisher.link_lost()
            pair.close("closed")
            await pair.wait_closed()

    async def until_live(self) -> Pair:
        """Wait until the log is live, and return its links.

        Raises:
            Unavailable: The log is closed, or others have waited for it in vain.

        """
        if self.is_given_up:
            raise LogHeld
        while True:
            if self._task is None:
                raise LogClosed
            if self._live.is_set() and self._pair is not None:
                return self._pair
            await self._live.wait()

    def live_pair(self) -> Pair:
        """Return the links if the log is live.

        Raises:
            Unavailable: The log is held.

        """
        if self._pair is None or not self._live.is_set():
            raise LogHeld
        return self._pair

    def begin_again(self, reason: str) -> None:
        """Abandon the present links."""
        if self._pair is not None:
            self._pair.close(reason)

    async def call(
        self, script: Script, keys: Sequence[bytes], arguments: Sequence[Argument], apply: Apply[T]
    ) -> T:
        """Call a script on the log link, and apply its reply at its position in the order.

        Raises:
            Unavailable: Nothing was done.
            OutcomeUnknown: It may have been done.
            RoomwireError: `apply` raised it.

        """

        def send(pair: Pair, reply: Reply) -> None:
            pair.log.call(script, [self._keys.log, *keys], [self._subscriber.epoch, *arguments], reply)

        return await self._call(send, apply)

    async def command(self, arguments: Sequence[Argument], apply: Apply[T]) -> T:
        """Send a command on the log link, as `call` does."""
        return await self._call(lambda pair, reply: pair.log.command(arguments, reply), apply)

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Pair]:
        """Lend the links to a reader, for as long as a call may take.

        Raises:
            Unavailable: The log cannot be read now.

        """
        try:
            async with asyncio.timeout(self._config.call_timeout_s):
                pair = await self.until_live()
                try:
                    yield pair
                except ReplyError as error:
                    if is_stale(error):
                        pair.close(str(error))
                    raise translated(error) from error
        except (LinkLost, TimeoutError) as error:
            raise LogSilent from error

    async def _call(self, send: Callable[[Pair, Reply], None], apply: Apply[T]) -> T:
        if self._calls >= _MAX_CALLS:
            raise LogFull
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        was_sent = False
        self._calls += 1
        try:
            async with asyncio.timeout(self._config.call_timeout_s):
                pair = await self.until_live()
                send(pair, lambda value: self._reply(pair, future, value, apply))
                was_sent = True
                return await future
        except (LinkLost, TimeoutError) as error:
            if was_sent:
                raise OutcomeUnknown from error
            raise LogSilent from error
        finally:
            self._calls -= 1

    def _reply(self, pair: Pair, future: "asyncio.Future[T]", value: object, apply: Apply[T]) -> None:
        error: Exception | None = None
        if isinstance(value, ReplyError):
            error = translated(value)
            if is_stale(value):
                pair.close(str(value))
            elif isinstance(error, Unavailable):
                self._metrics.redis_writes.failed(value)
        elif isinstance(value, LinkLost):
            error = value
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
            return
        try:
            future.set_result(apply(value))
        except Exception as raised:
            future.set_exception(raised)

    # -- the life of the links

    async def _connect(self) -> Pair:
        """Return links over which the log is live."""
        pair = await open_pair(
            self._primaries,
            node=self._node,
            scripts=self._scripts,
            timeout_s=self._config.link_timeout_s,
            on_push=self._push,
            on_lost=self._lost,
        )
        self._pair = pair
        try:
            # The time limit is that of a recovery, and streams are kept for that long.
            async with asyncio.timeout(self._config.claim_deadline_s):
                await self._resync.run(pair)
        except (LinkLost, ReplyError, Interrupted, TimeoutError) as error:
            pair.close(f"not brought up to date: {error!r}")
            raise LogNotResumed(repr(error)) from error
        except BaseException:
            pair.close("not brought up to date")
            raise
        if pair.is_lost:
            raise LogNotResumed(pair.reason)
        self._live.set()
        self._held_at = None
        self._metrics.backplane_up.set(1)
        self._redis.works()
        self._publisher.use(pair.bulk)
        _log.info("log live", epoch=self._subscriber.epoch, position=self._subscriber.cut)
        return pair

    async def _keep(self, pair: Pair) -> None:
        pause_s = 0.0
        while True:
            await pair.wait_lost()
            while True:
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret
                pause_s = min(max(pause_s * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
                try:
                    pair = await self._connect()
                    break
                except (Unavailable, ConfigurationError) as error:
                    self._redis.failed(error)
                    _log.debug("log still held", error=str(error))
                except Exception:
                    _log.exception("taking up the log failed")
            pause_s = 0.0

    def _lost(self, pair: Pair, reason: str) -> None:
        if pair is not self._pair:
            return
        if self._live.is_set():
            self._live.clear()
            self._held_at = asyncio.get_running_loop().time()
            self._metrics.backplane_up.set(0)
            self._metrics.links_lost.inc()
            _log.warning("log held", reason=reason)
            self._redis.failed(LinkLost(reason))
        self._publisher.link_lost()
        self._subscriber.pause()
        self._on_lost()

    def _push(self, channel: bytes, data: bytes) -> None:
        try:
            if channel != self._own_channel:
                self._subscriber.receive(parse_push(self._keys.stream_of(channel), data))
            elif data.startswith(b"e"):
                epoch, position, stream, blob = data[1:].split(b" ", 3)
                self._subscriber.receive(parse_push(Stream(stream), b"%s %s %s" % (epoch, position, blob)))
            elif data.startswith(b"f"):
                sid, claim = data[1:].split(b" ")
                self._subscriber.fence(Sid(sid.decode()), int(claim))
            elif data.startswith(REQUEST):
                self._subscriber.act_in_order(lambda: self._requests.dispatch(data), size=len(data))
            else:
                self._requests.dispatch(data)
        except (Interrupted, UnreadableEntry, ValueError) as error:
            if self._pair is not None:
                self._pair.close(f"push: {error}")
