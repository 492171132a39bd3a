"""The standings on Redis or Valkey, over connections of its own.

``<prefix>:{0}:sockets:<user>`` is a hash of the user's sockets. Each value has the time until which the socket counts, in milliseconds
by the clock of Redis, and its node. ``<prefix>:{0}:ban:<user>`` and ``<prefix>:{0}:mute:<user>`` have the end of a ban or mute by the
same clock, and expire then.
"""

import asyncio
from collections.abc import Awaitable, Collection, Mapping
from typing import Any, Final

import redis.asyncio
from redis.exceptions import RedisError

from roomwire.cluster.standings import scripts
from roomwire.cluster.standings.contract import SOCKET_TTL_S, Admission, Standing
from roomwire.redis.errors import BackplaneSilent

_AT_ONCE: Final = 100
_TTL_MS: Final = int(SOCKET_TTL_S * 1_000)


class RedisStandings:
    """Implements `StandingStore` on Redis or Valkey; nothing is connected before the first call.

    Args:
        client: The connections; closed by `close`.
        prefix: The prefix of every key.
        timeout_s: Time limit for one call.

    """

    def __init__(self, client: "redis.asyncio.Redis", *, prefix: str = "rw", timeout_s: float = 1.0) -> None:
        self._client = client
        self._prefix = f"{prefix}:{{0}}:"
        self._timeout_s = timeout_s
        self._admit = client.register_script(scripts.ADMIT)
        self._hold = client.register_script(scripts.HOLD)
        self._part = client.register_script(scripts.PART)
        self._refresh = client.register_script(scripts.REFRESH)

    async def close(self) -> None:
        """See `StandingStore`."""
        await self._client.aclose()

    async def admit(self, user: str, sid: str, *, node: str, most: int) -> Admission:
        """See `StandingStore`."""
        banned, muted, is_admitted = await self._ask(
            self._admit(keys=self._keys(user), args=[sid, node, most, _TTL_MS])
        )
        return Admission(_standing(banned, muted), is_admitted=bool(is_admitted))

    async def part(self, user: str, sid: str, *, node: str) -> None:
        """See `StandingStore`."""
        await self._ask(self._part(keys=self._keys(user)[:1], args=[sid, node]))

    async def refresh(
        self, held: Mapping[str, str], *, counted: Collection[str], node: str
    ) -> Mapping[str, Standing]:
        """See `StandingStore`."""
        standings: dict[str, Standing] = {}
        sockets = [*held.items()]
        for start in range(0, len(sockets), _AT_ONCE):
            some = sockets[start : start + _AT_ONCE]
            keys = [key for _, user in some for key in self._keys(user)]
            sids = [sid if sid in counted else "" for sid, _ in some]
            left = await self._ask(self._refresh(keys=keys, args=[node, _TTL_MS, *sids]))
            for (_, user), banned, muted in zip(some, left[::2], left[1::2], strict=True):
                standings[user] = _standing(banned, muted)
        return standings

    async def ban(self, user: str, *, for_s: float) -> None:
        """See `StandingStore`."""
        await self._set(self._keys(user)[1], for_s)

    async def mute(self, user: str, *, for_s: float) -> None:
        """See `StandingStore`."""
        await self._set(self._keys(user)[2], for_s)

    async def _set(self, key: str, for_s: float) -> None:
        if for_s > 0:
            await self._ask(self._hold(keys=[key], args=[max(1, int(for_s * 1_000))]))
        else:
            await self._ask(self._client.delete(key))

    def _keys(self, user: str) -> list[str]:
        return [f"{self._prefix}{kind}:{user}" for kind in ("sockets", "ban", "mute")]

    async def _ask(self, command: Awaitable[object]) -> Any:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await command
        except (RedisError, OSError, TimeoutError) as error:
            raise BackplaneSilent from error


def _standing(banned_ms: int, muted_ms: int) -> Standing:
    return Standing(banned_ms / 1_000, muted_ms / 1_000)
