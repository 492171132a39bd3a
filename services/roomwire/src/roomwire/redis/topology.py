"""The topologies that a Redis or Valkey can have, by the URL: the one place that knows all of them.

Whoever connects gets from here who finds the primary, or a client of redis-py that asks it.
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
    """Return who finds the primary that a URL stands for; nothing is connected yet.

    Args:
        url: See `parse_redis_url`.
        key: object key that is going to be used: in a cluster all have to carry the same hash tag.
        timeout_s: How long each server that is asked may take to answer.

    Raises:
        ConfigurationError: It is no such URL, or a file that it names cannot be read.

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
    """Return a client whose every answer takes at most `timeout_s` and that repeats nothing by itself.

    A repeated command could be applied twice; who calls knows better. Connections that Redis closed are noticed when
    they are taken from the pool, and opened again, to wherever the primary is then. A command that reaches a server
    that is not the primary any more is refused, and the next finds the right one.

    Args:
        url: As `open_primaries`.
        key: As `open_primaries`.
        timeout_s: How long an answer may take; connecting may take as long for each server that is asked.

    Raises:
        ConfigurationError: As `open_primaries`.

    """
    options: dict[str, Any] = {
        "max_connections": _MAX_CONNECTIONS,
        "timeout": timeout_s,
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 0),
        # With these, redis-py does not look whether a connection was closed: each would fail once.
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
    """A connection of redis-py to wherever the primary is when it connects."""

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
            # The others of the pool lead there as well.
            await self.disconnect()
            await self._pool.disconnect(inuse_connections=False)
            raise
