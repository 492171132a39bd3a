"""The history on Redis or Valkey, over connections of its own.

``<prefix>:{0}:history:<room>`` is a stream whose entries have one field, `e`. It carries the log's hash tag, so that a cluster keeps
both together and the log's script can append to it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError

from roomwire.errors import Unavailable
from roomwire.health.dependencies import REFUSES_WRITES, cause_of
from roomwire.history import scripts
from roomwire.history.contract import (
    HISTORY_BYTES,
    HISTORY_ENTRIES,
    HISTORY_TTL_S,
    Recalled,
    Remembered,
    check_one_position,
)
from roomwire.log.errors import LogHeld
from roomwire.log.kept import history_name
from roomwire.log.redis.keys import Keys
from roomwire.metrics.gateway import Metrics
from roomwire.redis.errors import BackplaneSilent


class RedisHistory:
    """Implements `History` on Redis or Valkey.

    Args:
        client: The connections; closed by `close`.
        prefix: The prefix of every key.
        timeout_s: Time limit for one call.
        metrics: Counts entries that were not stored, by reason. Default: new metrics.
        is_given_up: Returns whether this Redis is known to be unavailable; then calls fail at once. Default: every call is tried.
        where: The address of Redis without secrets, for log lines. Default: no address.

    """

    def __init__(
        self,
        client: "redis.asyncio.Redis",
        *,
        prefix: str = "rw",
        timeout_s: float = 1.0,
        metrics: Metrics | None = None,
        is_given_up: Callable[[], bool] = lambda: False,
        where: str = "",
    ) -> None:
        self._metrics = metrics = metrics or Metrics()
        self._history = metrics.dependencies.add("history", where=where)
        self._writes = metrics.redis_writes
        self._client = client
        self._recall = client.register_script(scripts.RECALL)
        self._is_given_up = is_given_up
        self._loop: asyncio.AbstractEventLoop | None = None
        self._keys = Keys(prefix)
        self._timeout_s = timeout_s

    async def start(self) -> None:
        """See `History`."""
        loop = asyncio.get_running_loop()
        if self._loop not in {None, loop}:
            # The pool's connections ended with the event loop on which they were opened.
            self._client.connection_pool.reset()  # type: ignore[no-untyped-call]
        self._loop = loop
        await self.ping()

    async def close(self) -> None:
        """See `History`."""
        await self._client.aclose()

    async def ping(self) -> None:
        """Ask Redis for a sign of life; raises `Unavailable`."""
        await self._ask(self._client.ping())

    async def check(self) -> None:
        """See `History`."""
        await self.ping()

    async def remember(self, room: str, entry: bytes, *, namespace: str = "/") -> None:
        """See `History`."""
        key = self._keys.history(history_name(namespace, room))
        async with self._client.pipeline(transaction=False) as pipe:
            pipe.xadd(key, {"e": entry}, maxlen=HISTORY_ENTRIES, approximate=False)
            pipe.expire(key, HISTORY_TTL_S)
            try:
                await self._ask(pipe.execute())
            except Unavailable:
                # The caller does not publish an entry that was not stored.
                self._metrics.publishes.count(Unavailable.code)
                raise

    async def recall(
        self,
        room: str,
        *,
        limit: int = 50,
        after: str = "",
        before: str = "",
        max_bytes: int = HISTORY_BYTES,
        namespace: str = "/",
    ) -> Recalled:
        """See `History`."""
        check_one_position(after, before)
        key = self._keys.history(history_name(namespace, room))
        asked = [after or before, "after" if after else "before", limit, max_bytes]
        joined, more, found = await self._ask(self._recall(keys=[key], args=asked))
        entries = [
            Remembered(position.decode(), entry)
            for position, entry in zip(found[::2], found[1::2], strict=True)
        ]
        if after:
            return Recalled(entries, is_joined=bool(joined), has_more=bool(more))
        return Recalled(entries[::-1], has_more=bool(before), has_earlier=bool(more))

    async def _ask(self, command: Awaitable[object]) -> Any:
        if self._is_given_up():
            # Otherwise each event would wait for the timeout.
            if asyncio.iscoroutine(command):
                command.close()
            raise LogHeld
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await command
        except (RedisError, OSError, TimeoutError) as error:
            # If Redis refuses writes only, its entries can still be read.
            refuses_writes = cause_of(error) in REFUSES_WRITES
            (self._writes if refuses_writes else self._history).failed(error)
            raise BackplaneSilent from error
        self._history.works()
        return answer
