"""The lease: of all gateways, only the one that holds it listens to emitters. The position in the stream belongs to it.

Both are in the log's Redis. The lease ends by itself `LEASE_S` after its holder was last heard of, and a gateway that stops gives it
back. `is_held` compares with this process's own clock, from before the lease was extended, so that a gateway that was paused knows that
it must not go on before another one has begun.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
import redis.asyncio

from roomwire.app.nodejs import scripts
from roomwire.app.nodejs.errors import LeaseLost

LEASE_S: Final = 5.0
"""The seconds after which a gateway that does not extend its lease has lost it."""
POSITION_TTL_S: Final = 600.0
"""The seconds for which a position is stored while no gateway listens: later, no client is left that waits for what was missed."""
_CLOCKS_MAY_DIFFER: Final = 0.9
"""The part of the lease that its holder uses: clocks do not run equally fast."""


class Place(msgspec.Struct, frozen=True):
    """How far a stream was read.

    Attributes:
        position: The id of the last entry that was read. Empty before the first reader.
        count: The number of entries that had been appended up to it, since the stream was created.

    """

    position: str = ""
    count: int = 0


class Lease:
    """The lease as one gateway sees it.

    Args:
        client: The log's Redis; closed by `close`.
        node: This incarnation of this gateway.
        prefix: The prefix of every key.
        stream: The name of the stream whose position belongs to the lease.
        clock: Monotonic seconds.

    """

    def __init__(
        self,
        client: "redis.asyncio.Redis",
        *,
        node: str,
        prefix: str,
        stream: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._node = node
        self._keys = [f"{prefix}:{{0}}:nodejs:lease", f"{prefix}:{{0}}:nodejs:stream:{stream}"]
        self._clock = clock
        self._held_until = float("-inf")
        self._hold = client.register_script(scripts.HOLD)
        self._advance = client.register_script(scripts.ADVANCE)
        self._release = client.register_script(scripts.RELEASE)

    @property
    def is_held(self) -> bool:
        """Whether no other gateway can hold the lease."""
        return self._clock() < self._held_until

    def check(self) -> None:
        """Raise `LeaseLost` unless the lease is held."""
        if not self.is_held:
            raise LeaseLost

    async def hold(self) -> Place | None:
        """Take or extend the lease; return the stored position, or None if another gateway holds it.

        Raises:
            RedisError, OSError: Redis does not answer.

        """
        asked_at = self._clock()
        is_held, position, count = [*await self._ask(self._hold, [LEASE_S, POSITION_TTL_S]), b"", b""][:3]
        if not is_held:
            self._held_until = float("-inf")
            return None
        self._held_until = asked_at + LEASE_S * _CLOCKS_MAY_DIFFER
        return Place(position.decode(), int(count or 0))

    async def advance(self, place: Place) -> None:
        """Store how far the stream was read.

        Raises:
            LeaseLost: Another gateway holds the lease, or none; nothing was stored.
            RedisError, OSError: Redis does not answer, or accepts nothing.

        """
        arguments: list[str | int] = [self._node, place.position, place.count, _ms(POSITION_TTL_S)]
        if not await self._advance(keys=self._keys, args=arguments):
            self._held_until = float("-inf")
            raise LeaseLost

    async def release(self) -> None:
        """Give the lease back, so that another gateway can take it at once.

        Raises:
            RedisError, OSError: Redis does not answer.

        """
        self._held_until = float("-inf")
        await self._release(keys=self._keys[:1], args=[self._node])

    async def close(self) -> None:
        """Disconnect; the lease stays."""
        await self._client.aclose()

    async def _ask(self, script: Callable[..., Awaitable[Any]], times_s: list[float]) -> Any:
        return await script(keys=self._keys, args=[self._node, *map(_ms, times_s)])


def _ms(seconds: float) -> int:
    return int(seconds * 1_000)
