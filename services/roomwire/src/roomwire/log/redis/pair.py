"""The two connections of a gateway to the primary, which live and die together.

The log link carries the subscriptions and every command whose position in the order matters. The bulk link carries
publishes, reads and everything else that may take long.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from roomwire.health.dependencies import detail_of
from roomwire.log.errors import RedisEvicts, RedisUnreached
from roomwire.log.redis.scripts import Scripts
from roomwire.log.sessions import NodeId
from roomwire.logs import get_logger
from roomwire.redis.address import Primaries, RedisAddress
from roomwire.redis.link import LinkLost, RedisLink, ReplyError, open_link

_log = get_logger(__name__)


class Pair:
    """Both links. When one of them is lost, both are closed.

    Args:
        on_lost: Called once with the reason, synchronously.

    """

    log: RedisLink
    bulk: RedisLink

    def __init__(self, on_lost: "Callable[[Pair, str], None]") -> None:
        self.reason = ""
        self._is_lost = asyncio.Event()
        # Whether later subscriptions are sent: before that, the first one sends all of them.
        self.is_subscribed = False
        self._on_lost = on_lost

    @property
    def is_lost(self) -> bool:
        """Whether the links were closed."""
        return self._is_lost.is_set()

    async def wait_lost(self) -> None:
        """Wait until the links are closed."""
        await self._is_lost.wait()

    def close(self, reason: str) -> None:
        """Close both links. Idempotent."""
        if self.is_lost:
            return
        self.reason = reason
        self._is_lost.set()
        self._on_lost(self, reason)
        for name in ("log", "bulk"):
            link: RedisLink | None = getattr(self, name, None)
            if link is not None:
                link.close(reason)

    async def wait_closed(self) -> None:
        """Wait until the sockets of closed links are gone."""
        for name in ("log", "bulk"):
            link: RedisLink | None = getattr(self, name, None)
            if link is not None:
                await link.wait_closed()


async def open_pair(
    primaries: Primaries,
    *,
    node: NodeId,
    scripts: Scripts,
    timeout_s: float,
    on_push: Callable[[bytes, bytes], None],
    on_lost: Callable[[Pair, str], None],
) -> Pair:
    """Connect twice, check the server and load the scripts.

    Raises:
        Unavailable: The server cannot be reached, or refuses.
        ConfigurationError: The server would evict keys when memory is short, or is too old.

    """
    pair = Pair(on_lost)
    try:
        address = await primaries.find()
        pair.log = await open_link(
            address,
            name=f"roomwire-log:{node}",
            timeout_s=timeout_s,
            on_push=on_push,
            on_lost=lambda reason: pair.close(f"log link: {reason}"),
        )
        pair.bulk = await open_link(
            address,
            name=f"roomwire-bulk:{node}",
            timeout_s=timeout_s,
            on_push=lambda _, __: None,
            on_lost=lambda reason: pair.close(f"bulk link: {reason}"),
        )
        await _check_server(pair.log, address)
        # The server stores scripts for all connections.
        await asyncio.gather(*(pair.log.ask(b"SCRIPT", b"LOAD", script.text) for script in scripts))
    except (OSError, TimeoutError, LinkLost, ReplyError) as error:
        pair.close(f"not connected: {error!r}")
        raise RedisUnreached(detail_of(error)) from error
    except BaseException:
        pair.close("not connected")
        raise
    return pair


async def _check_server(link: RedisLink, address: RedisAddress) -> None:
    """Refuse a server that evicts keys, because messages would be lost without a trace; warn of a server without persistence."""
    # `CONFIG` is often forbidden, `INFO` is not.
    text = cast("bytes", await link.ask(b"INFO", b"memory", b"persistence"))
    info = dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line)
    policy = info.get("maxmemory_policy", "")
    if policy != "noeviction":
        raise RedisEvicts(policy)
    if info.get("aof_enabled") == "0":
        _log.warning("redis keeps no append-only file", address=str(address))
