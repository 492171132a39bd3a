"""The connection to Redis or Valkey: bounded waits, the names of keys, and the translation of errors.

Keys (all carry one hash tag, so that a cluster keeps them together):

====================================  ==========================================================
``<prefix>:{auth}:account:<name>``    hash: an account, by its name in lower case (`accounts`)
``<prefix>:{auth}:session:<digest>``  hash: a family of refresh tokens, with its time to live (`sessions`)
``<prefix>:{auth}:repeat:<digest>``   hash: the family's last rotation, for the grace (`sessions`)
``<prefix>:{auth}:sessions:<user>``   set: the families of a user, by their digests (`sessions`)
``<prefix>:{auth}:cut:<user>``        hash: when all that the user had was revoked, for a minute (`sessions`)
``<prefix>:{auth}:revoked``           stream: sessions and users whose tokens ended, for as long as one lasts (`sessions`)
``<prefix>:{auth}:throttle:<what>``   hash: a count of a window, or a mark, with its time to live (`throttle`)
====================================  ==========================================================

The modules in parentheses own what is in them; neither holds anything that lets a reader sign in.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any

import redis.asyncio
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from roomwire.errors import Unavailable
from roomwire.health.dependencies import Dependency
from roomwire.identity.revocations import revocations_key


class Store:
    """Asks Redis, and waits for an answer only so long.

    Args:
        client: The connections; closed by `close`.
        prefix: What every key begins with.
        timeout_s: How long one answer may take.
        dependency: Where it is noted whether it answers. Default: nowhere but in the log.

    Attributes:
        revocations: The name of the stream of what was revoked, which gateways read.

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

    def key(self, kind: str, name: str) -> str:
        """Return the full name of a key."""
        return f"{slot_key(self._prefix)}{kind}:{name}"

    def script(self, source: str) -> AsyncScript:
        """Return a Lua script that is sent once and called by its digest."""
        return self.client.register_script(source)

    async def ask(self, command: Awaitable[object]) -> Any:
        """Await an answer.

        Raises:
            Unavailable: There was none in time, or it was an error. Whether the command was applied is not known.

        """
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await command
        except (RedisError, OSError, TimeoutError) as error:
            self._dependency.failed(error)
            raise Unavailable("Accounts are temporarily unavailable: try again.") from error
        self._dependency.works()
        return answer

    async def ping(self) -> None:
        """Ask for a sign of life; raises `Unavailable`."""
        await self.ask(self.client.ping())

    async def close(self) -> None:
        """Close the connections; idempotent."""
        await self.client.aclose()


def slot_key(prefix: str) -> str:
    """Return what all keys begin with, itself a key: in a cluster, of the slot that all are in."""
    return f"{prefix}:{{auth}}:"
