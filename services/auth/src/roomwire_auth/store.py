"""The connection to Redis or Valkey: bounded waits, names of keys, and translated errors.

All keys carry one hash tag, so that a cluster keeps them together:

====================================  ==========================================================
``<prefix>:{auth}:account:<name>``    hash: an account, by its name in lower case (`accounts`)
``<prefix>:{auth}:session:<digest>``  hash: a family of refresh tokens, with a time to live (`sessions`)
``<prefix>:{auth}:repeat:<digest>``   hash: the family's last rotation, for the grace period (`sessions`)
``<prefix>:{auth}:sessions:<user>``   set: a user's families, by their digests (`sessions`)
``<prefix>:{auth}:cut:<user>``        hash: when everything of the user was revoked, kept for a minute (`sessions`)
``<prefix>:{auth}:revoked``           stream: sessions and users whose tokens ended, kept for a token's life (`sessions`)
``<prefix>:{auth}:lives:all``         hash: how long revocations are kept, and when the last one was made (`sessions`)
``<prefix>:{auth}:guests:all``        hash: guests' sessions by when they expire (`sessions`)
``<prefix>:{auth}:throttle:<what>``   hash: the count of a window, or a mark, with a time to live (`throttle`)
====================================  ==========================================================

The modules in parentheses own the keys; no value lets its reader sign in.
"""

import asyncio
import time
from collections.abc import Awaitable
from typing import Any, Final

import redis.asyncio
from redis.commands.core import AsyncScript
from redis.exceptions import NoPermissionError, RedisError

from roomwire.errors import Unavailable
from roomwire.health.dependencies import Dependency
from roomwire.identity.revocations import revocations_key
from roomwire.logs import get_logger

_MEMORY_S: Final = 1.0

_log = get_logger(__name__)


class Store:
    """Sends commands to Redis, with a time limit for each answer.

    Args:
        client: The connections; `close` closes them.
        prefix: The prefix of every key.
        timeout_s: Time limit for one answer.
        dependency: Notes whether Redis answers. Default: only the log says so.

    Attributes:
        revocations: The name of the stream of revocations, which gateways read.

    """

    def __init__(
        self,
        client: "redis.asyncio.Redis",
        *,
        prefix: str,
        timeout_s: float,
        dependency: Dependency | None = None,
    ) -> None:
        self.client = client
        self._dependency = dependency or Dependency("store")
        self._prefix = prefix
        self.revocations = revocations_key(prefix)
        self._timeout_s = timeout_s
        self._asks_memory_at = float("-inf")
        self._used_part = 0.0
        self._was_refused = False

    def key(self, kind: str, name: str) -> str:
        """Return the full name of a key."""
        return f"{slot_key(self._prefix)}{kind}:{name}"

    def script(self, source: str) -> AsyncScript:
        """Return a Lua script that is sent once and called by its digest."""
        return self.client.register_script(source)

    async def ask(self, command: Awaitable[object]) -> Any:
        """Await an answer and return it.

        Raises:
            Unavailable: No answer came in time, or it was an error. The command may or may not have been applied.

        """
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await command
        except (RedisError, OSError, TimeoutError) as error:
            self._dependency.failed(error)
            raise Unavailable("Accounts are temporarily unavailable: try again.") from error
        self._dependency.works()
        return answer

    async def used_part(self) -> float:
        """Return the part of Redis' memory limit that is used; 0 if there is no limit, or if its user may not ask.

        The answer is up to a second old.
        """
        now = time.monotonic()
        if now >= self._asks_memory_at:
            self._asks_memory_at = now + _MEMORY_S
            self._used_part = await self._ask_memory()
        return self._used_part

    async def _ask_memory(self) -> float:
        try:
            async with asyncio.timeout(self._timeout_s):
                info: Any = await self.client.info("memory")
        except NoPermissionError:
            if not self._was_refused:
                self._was_refused = True
                _log.warning("redis not watched", command="INFO")
            return 0.0
        except (RedisError, OSError, TimeoutError):
            # The next command says so.
            return 0.0
        most = info.get("maxmemory", 0)
        return (info["used_memory"] - info.get("mem_not_counted_for_evict", 0)) / most if most else 0.0

    async def ping(self) -> None:
        """Check that Redis answers; raises `Unavailable`."""
        await self.ask(self.client.ping())

    async def close(self) -> None:
        """Close the connections; idempotent."""
        await self.client.aclose()


def slot_key(prefix: str) -> str:
    """Return the common prefix of all keys, which is a key itself and determines their slot in a cluster."""
    return f"{prefix}:{{auth}}:"
