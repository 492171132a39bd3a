"""Listens to emitters on the one gateway that holds the lease: the only place where the parts of this package meet."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, Final

from redis.exceptions import RedisError

from roomwire.app.nodejs.channel_reader import ChannelReader
from roomwire.app.nodejs.channels import Channels
from roomwire.app.nodejs.lease import Lease, Place
from roomwire.app.nodejs.speaker import Speaker
from roomwire.app.nodejs.stream_reader import StreamReader
from roomwire.health.dependencies import Dependency
from roomwire.log.redis.keys import Keys
from roomwire.logs import get_logger
from roomwire.metrics.gateway import Metrics
from roomwire.metrics.nodejs import EmitterMetrics
from roomwire.redis.topology import connect
from roomwire.redis.url import shown_hosts
from roomwire.server import Server

PERIOD_S: Final = 1.0
"""The seconds after which a gateway extends the lease, or asks for it again."""

_log = get_logger(__name__)


class Listener:
    """Takes the lease when it is free, and listens while it holds it.

    Args:
        server: Performs the messages.
        metrics: The gateway's metrics.
        log_url: The log's Redis, which has the lease.
        emitters_url: The emitters' Redis.
        prefix: The prefix of every key in the log's Redis.
        key: The option `key` of the emitters that publish. Empty if they are not listened to.
        stream: The name of the stream. Empty if it is not read.
        timeout_s: Time limit for one answer of Redis.

    Raises:
        ConfigurationError: A URL is invalid.

    """

    def __init__(
        self,
        server: Server,
        metrics: Metrics,
        *,
        log_url: str,
        emitters_url: str,
        prefix: str,
        key: str,
        stream: str,
        timeout_s: float,
    ) -> None:
        self._metrics = EmitterMetrics(metrics.registry)
        self._lease_dependency = metrics.dependencies.add("nodejs_lease", where=shown_hosts(log_url))
        self._lease = Lease(
            connect(log_url, key=Keys(prefix).log.decode(), timeout_s=timeout_s),
            node=server.log.node,
            prefix=prefix,
            stream=stream,
        )
        speaker = Speaker(server, self._metrics)

        def dependency(name: str) -> Dependency:
            return metrics.dependencies.add(name, where=shown_hosts(emitters_url))

        self._channels = self._stream = None
        if key:
            self._channels = ChannelReader(
                connect(emitters_url, key=key, timeout_s=timeout_s),
                channels=Channels(key),
                speaker=speaker,
                check=self._lease.check,
                dependency=dependency("nodejs_channels"),
            )
        if stream:
            self._stream = StreamReader(
                connect(emitters_url, key=stream, timeout_s=timeout_s),
                stream=stream,
                lease=self._lease,
                speaker=speaker,
                metrics=self._metrics,
                dependency=dependency("nodejs_stream"),
            )
        self._running: asyncio.Task[None] | None = None
        self._is_closing = asyncio.Event()

    def start(self) -> None:
        """Begin to ask for the lease. Idempotent."""
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Stop listening, give the lease back, and disconnect. Idempotent."""
        self._is_closing.set()
        running, self._running = self._running, None
        if running is not None:
            await running
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await self._lease.release()
        for connection in (self._channels, self._stream, self._lease):
            if connection is not None:
                await connection.close()

    async def _run(self) -> None:
        while not self._is_closing.is_set():
            place = await self._held()
            if place is not None:
                await self._listen(place)
            await self._pause()

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PERIOD_S):
                await self._is_closing.wait()

    async def _held(self) -> Place | None:
        """Take or extend the lease; None if that was refused, or failed."""
        try:
            place = await self._lease.hold()
        except (RedisError, OSError, TimeoutError) as error:
            self._lease_dependency.failed(error)
            return None
        self._lease_dependency.works()
        return place

    async def _listen(self, place: Place) -> None:
        """Read until the lease is lost."""
        _log.info("listening to Node emitters", position=place.position)
        self._metrics.is_listening.set(1)
        readers = [asyncio.get_running_loop().create_task(one) for one in self._reading(place)]
        while (
            self._lease.is_held and not self._is_closing.is_set() and not any(one.done() for one in readers)
        ):
            await self._pause()
            await self._held()
        await _ended(readers)
        self._metrics.is_listening.set(0)
        _log.info("no longer listening to Node emitters")

    def _reading(self, place: Place) -> list[Coroutine[Any, Any, None]]:
        reading = [] if self._channels is None else [self._channels.run()]
        return reading if self._stream is None else [*reading, self._stream.run(place)]


async def _ended(readers: list[asyncio.Task[None]]) -> None:
    """End readers, and log what failed."""
    waiting = {*readers}
    while waiting:
        for one in waiting:
            # More than once: redis-py may take a cancellation for a timeout.
            one.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=PERIOD_S)
    for one in readers:
        if not one.cancelled() and (error := one.exception()) is not None:
            _log.error("listening to Node emitters failed", exc_info=error)
