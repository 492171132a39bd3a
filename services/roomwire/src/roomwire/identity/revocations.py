"""The sessions and users whose unexpired tokens are revoked.

Auth appends each revocation to a stream in Redis (`revocations_key`), in the same step that ends the session there.
Every gateway reads new revocations a few times a second (`RevocationReader`) and remembers each for as long as a token could
outlive it (`Revoked`). Without Redis nothing can be revoked and no gateway receives revocations. Those that a gateway has received
remain in force, and it reads missed ones when Redis is available again.

An entry has the fields `session` or `user` (an id), and `for_s`: how many seconds tokens may outlive it.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import redis.asyncio
from redis.exceptions import RedisError

from roomwire.errors import Unavailable
from roomwire.health.dependencies import Dependency
from roomwire.identity.tokens import User
from roomwire.logs import get_logger

MAX_REVOCATIONS: Final = 500_000
"""Maximum number of revocations at a gateway; above it, all tokens that are as old as a discarded one are refused."""

_PAGE: Final = 1_000
_SETTLED_S: Final = 30.0
_FORGETS_S: Final = 10.0

_log = get_logger(__name__)


def revocations_key(prefix: str) -> str:
    """Return the key of the stream: the one of auth's keys that gateways may read."""
    return f"{prefix}:{{auth}}:revoked"


class Revoked:
    """The known revocations. Pure; the time is passed in.

    Args:
        max_entries: Maximum number of revocations. Above it the oldest is discarded, and from then on every token of a person is
            refused that was issued no later than that revocation: whoever holds such a token has to refresh it, and no revoked
            token comes in again. Default: `MAX_REVOCATIONS`.

    """

    def __init__(self, *, max_entries: int = MAX_REVOCATIONS) -> None:
        self._max_entries = max_entries
        self._entries: dict[tuple[str, str], tuple[float, float]] = {}
        self._discarded_at = float("-inf")

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, kind: str, id_: str, *, at: float, until: float) -> bool:
        """Remember a revocation; return False if the oldest was discarded for it, so that older tokens are refused.

        Args:
            kind: `session` or `user`.
            id_: The id of the session or user.
            at: The time of the revocation, in seconds since 1970.
            until: The time until which it is remembered, in seconds since 1970.

        """
        self._entries.pop((kind, id_), None)
        self._entries[kind, id_] = (at, until)
        if len(self._entries) <= self._max_entries:
            return True
        at_discarded, _ = self._entries.pop(next(iter(self._entries)))
        self._discarded_at = max(self._discarded_at, at_discarded)
        return False

    def forget_before(self, now: float) -> None:
        """Discard revocations that no token can outlive any more."""
        for key in [key for key, (_, until) in self._entries.items() if until < now]:
            del self._entries[key]

    def holds(self, user: User) -> bool:
        """Return whether a user's token was revoked, by its session or by its user after it was issued, or may have been."""
        if user.issued_at <= self._discarded_at and user.kind != "service":
            return True
        if user.session and ("session", user.session) in self._entries:
            return True
        found = self._entries.get(("user", user.id))
        # Times of tokens are whole seconds: one of the same second may be older.
        return found is not None and user.issued_at <= found[0]


class RevocationReader:
    """Keeps a `Revoked` up to date.

    Args:
        client: Redis; closed by `close`.
        prefix: The prefix of every key in Redis.
        revoked: The revocations to update.
        apply: Called after a new revocation, and for half a minute afterwards, because a client may be connecting.
        interval_s: Interval between reads. Default: 0.4 seconds.
        timeout_s: Time limit for one answer. Default: 1 second.
        dependency: Records whether revocations can be read. Default: only the log does.

    """

    def __init__(
        self,
        client: "redis.asyncio.Redis",
        *,
        prefix: str,
        revoked: Revoked,
        apply: Callable[[], None],
        interval_s: float = 0.4,
        timeout_s: float = 1.0,
        dependency: Dependency | None = None,
    ) -> None:
        self._dependency = dependency or Dependency("revocations")
        self._client = client
        self._key = revocations_key(prefix)
        self._revoked = revoked
        self._apply = apply
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._last = b"-"
        self._unsettled_until = self._forgets_at = 0.0
        self._is_away = False
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read all revocations, then keep reading new ones.

        Raises:
            Unavailable: Redis does not answer; start again later.

        """
        try:
            await self._read()
        except (RedisError, OSError, TimeoutError) as error:
            self._dependency.failed(error)
            raise Unavailable("Revocations cannot be read.") from error
        self._reading = asyncio.create_task(self._read_on())

    async def close(self) -> None:
        """Stop reading and close the connections. Idempotent."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        await self._client.aclose()

    async def _read_on(self) -> None:
        # A cancellation alone might not end it: on Python 3.11, redis-py swallows one that comes just as a command has been sent.
        while self._reading is not None:
            await asyncio.sleep(self._interval_s)
            try:
                await self._read()
            except (RedisError, OSError, TimeoutError) as error:
                if not self._is_away:
                    _log.warning("revocations not read", error=repr(error))
                self._is_away = True
                self._dependency.failed(error)
            except Exception:
                _log.exception("revocations not applied")
            else:
                self._is_away = False

    async def _read(self) -> None:
        """Read and apply new revocations."""
        while True:
            async with asyncio.timeout(self._timeout_s):
                entries: Any = await self._client.xrange(self._key, min=self._last, count=_PAGE)
            for id_, fields in entries:
                self._last = b"(" + id_
                try:
                    self._take(id_, fields)
                except ValueError:
                    _log.warning("revocation not understood", entry=id_.decode())
            if len(entries) < _PAGE:
                break
        self._dependency.works()
        now = time.monotonic()
        if now < self._unsettled_until:
            self._apply()
        if now >= self._forgets_at:
            # It visits all of them.
            self._forgets_at = now + _FORGETS_S
            self._revoked.forget_before(time.time())

    def _take(self, id_: bytes, fields: Mapping[bytes, Any]) -> None:
        self._unsettled_until = time.monotonic() + _SETTLED_S
        at = int(id_.partition(b"-")[0]) / 1_000
        for kind in ("session", "user"):
            whose = fields.get(kind.encode())
            if whose is None:
                continue
            until = at + float(fields.get(b"for_s", 0))
            if not self._revoked.add(kind, whose.decode(), at=at, until=until):
                _log.warning("too many revocations: older tokens are refused", limit=len(self._revoked))
