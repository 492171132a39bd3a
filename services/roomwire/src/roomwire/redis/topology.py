"""The topologies of a Redis or Valkey, by its URL. This is the only module that knows all of them.

`open_primaries` returns an object that finds the primary, and `connect` a client of redis-py that does so for each connection.
"""

import weakref
from collections.abc import Mapping
from typing import Any, Final

import redis.asyncio
from redis.asyncio.connection import Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    ReadOnlyError,
)
from redis.maint_notifications import MaintNotificationsConfig

from roomwire.redis.address import OnePrimary, Primaries, RedisAddress, address_of
from roomwire.redis.cluster import ClusterPrimaries
from roomwire.redis.sentinel import SentinelPrimaries, sentinel_addresses
from roomwire.redis.url import parse_redis_url

_MAX_CONNECTIONS: Final = 32
_LEADS_ELSEWHERE: Final = (AskError, ClusterDownError, MasterDownError, MovedError, ReadOnlyError)


def open_primaries(url: str, *, key: bytes, timeout_s: float) -> Primaries:
    """Return an object that finds the primary of a URL. Nothing is connected yet.

    Args:
        url: See `parse_redis_url`.
        key: Any of the keys that will be used. In a cluster, all of them must carry the same hash tag.
        timeout_s: Time limit for the answer of each server that is asked.

    Raises:
        ConfigurationError: The URL is invalid, or a file that it names cannot be read.

    """
    said = parse_redis_url(url)
    server = address_of(said)
    if said.kind == "sentinel":
        sentinels = sentinel_addresses(
            server, said.hosts, user=said.sentinel_user, password=said.sentinel_password
        )
        return SentinelPrimaries(sentinels, service=said.service, server=server, timeout_s=timeout_s)
    if said.kind == "cluster":
        return ClusterPrimaries([server.at(host) for host in said.hosts], key=key, timeout_s=timeout_s)
    return OnePrimary(server)


def connect(url: str, *, key: str, timeout_s: float = 1.0) -> "redis.asyncio.Redis":
    """Return a client that answers within `timeout_s` and never repeats a command by itself.

    A repeated command could be applied twice, so the caller decides. The pool notices connections that Redis has closed when
    it hands them out, and opens them again to the present primary. A command that reaches a former primary is refused, and
    the next one reaches the present primary.

    Args:
        url: As for `open_primaries`.
        key: As for `open_primaries`.
        timeout_s: Time limit for an answer. Connecting may take as long for each server that is asked.

    Raises:
        ConfigurationError: As for `open_primaries`.

    """
    options: dict[str, Any] = {
        "max_connections": _MAX_CONNECTIONS,
        "timeout": timeout_s,
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 0),
        # With these notifications, redis-py does not notice closed connections, so that each would fail once.
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }
    said = parse_redis_url(url)
    if said.kind == "one":
        pool = redis.asyncio.BlockingConnectionPool.from_url(url, **options)
        return redis.asyncio.Redis.from_pool(pool)
    primaries = open_primaries(url, key=key.encode(), timeout_s=timeout_s)
    pool = redis.asyncio.BlockingConnectionPool(
        connection_class=_FoundConnection,
        primaries=primaries,
        username=said.user or None,
        password=said.password or None,
        db=said.database,
        **options,
    )
    pool.connection_kwargs["pool"] = weakref.proxy(pool)
    return redis.asyncio.Redis.from_pool(pool)


class _FoundConnection(Connection):
    """A connection of redis-py that finds the primary when it connects."""

    def __init__(self, *, primaries: Primaries, pool: Any, **options: Any) -> None:
        self._primaries = primaries
        self._pool = pool
        self._found = RedisAddress()
        super().__init__(**options)

    async def _connect(self) -> None:
        self._found = await self._primaries.find()
        self.host, self.port = self._found.host, self._found.port
        await super()._connect()  # type: ignore[no-untyped-call]

    def _connection_arguments(self) -> Mapping[str, Any]:
        return {"host": self.host, "port": self.port, "ssl": self._found.tls}

    async def read_response(self, *arguments: Any, **options: Any) -> object:
        try:
            return await super().read_response(*arguments, **options)
        except _LEADS_ELSEWHERE:
            # The other connections of the pool lead to the same server.
            await self.disconnect()
            await self._pool.disconnect(inuse_connections=False)
            raise
