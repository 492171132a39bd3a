"""Public keys from a JWKS, cached: one fetch serves many tokens, and strangers cannot trigger fetches at will.

Owns when to fetch and what to go on with when that fails. What a key is, is `jwk`'s; what may be fetched, `provider`'s.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, Protocol

import httpx

from roomwire.errors import Unavailable
from roomwire.health.clocks import Clock
from roomwire.health.dependencies import Cause, Dependency
from roomwire.identity.jwk import EDDSA, Fault, PublicKey, read_jwks
from roomwire.identity.provider import Discovery, fetch
from roomwire.logs import get_logger

_SHOWN_FAULTS: Final = 10
_SHOWN_ID_CHARS: Final = 64

_log = get_logger(__name__)


class KeySource(Protocol):
    """Where public keys come from."""

    async def key(self, kid: str) -> PublicKey | None:
        """Return the key of this id, or None if there is none.

        Raises:
            Unavailable: No keys are known yet and they cannot be fetched.

        """


class JwksClient:
    """Public keys from a JWKS, cached: a `KeySource`.

    Known keys are used without asking. An unknown key id, or keys older than `max_age_s`, lead to one fetch,
    at most one per `cooldown_s` whatever clients send. When a fetch fails, the known keys go on being used.
    A key that is malformed, weak, private or symmetric is left out, logged and counted; the others are used.

    Args:
        where: The URL of the JWKS, or the metadata that say it. Redirects are not followed.
        tls: What an https address has to show, that of the metadata too. Default: what the system's certificates
            vouch for.
        algorithms: The algorithms that keys are wanted for. Default: EdDSA alone.
        timeout_s: How long one fetch may take, that of the metadata included. Default: 2 seconds.
        cooldown_s: Least time between two fetches. Default: 10 seconds.
        max_age_s: How old keys may get before they are fetched anew. Default: 300 seconds.
        count_refused: Called for each key that is refused, at each fetch. Default: nobody counts.
        dependency: Where it is noted whether they can be fetched. Default: nowhere but in the log.
        published: Where it is noted whether keys are published that cannot be used. Default: nowhere but in the log.
        issuers_clock: Is compared with ours by each answer. Default: it is not.
        clock: Monotonic seconds.
        transport: The HTTP transport; for tests.

    """

    def __init__(
        self,
        where: str | Discovery,
        *,
        tls: ssl.SSLContext | None = None,
        algorithms: Collection[str] = (EDDSA,),
        timeout_s: float = 2.0,
        cooldown_s: float = 10.0,
        max_age_s: float = 300.0,
        count_refused: Callable[[Fault], None] = lambda _: None,
        dependency: Dependency | None = None,
        published: Dependency | None = None,
        issuers_clock: Clock | None = None,
        clock: Callable[[], float] = time.monotonic,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._where = where
        self._algorithms = frozenset(algorithms)
        self._timeout_s = timeout_s
        self._cooldown_s = cooldown_s
        self._max_age_s = max_age_s
        self._count_refused = count_refused
        self._issuers_clock = issuers_clock
        self._published = published
        self._dependency = dependency or Dependency("keys")
        self._clock = clock
        self._keys: Mapping[str, PublicKey] = {}
        self._faults: Sequence[tuple[str, Fault]] = []
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._fetching = asyncio.Lock()
        self._http = httpx.AsyncClient(
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=False,
            transport=transport,
            verify=tls or True,
        )

    async def key(self, kid: str) -> PublicKey | None:
        """Return the key of this id, or None; see `KeySource`."""
        if kid not in self._keys or self._clock() - self._fetched_at > self._max_age_s:
            await self._refresh(kid)
        if not self._keys:
            raise Unavailable("Tokens cannot be verified at the moment: try again.")
        return self._keys.get(kid)

    async def close(self) -> None:
        """Close the HTTP connections; idempotent."""
        await self._http.aclose()

    async def _refresh(self, kid: str) -> None:
        async with self._fetching:
            fresh = self._clock() - self._fetched_at <= self._max_age_s
            # Without any key nobody can be served: then a failed fetch is repeated after a second.
            cooldown_s = self._cooldown_s if self._keys else min(1.0, self._cooldown_s)
            if (kid in self._keys and fresh) or self._clock() - self._tried_at < cooldown_s:
                return
            self._tried_at = self._clock()
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._fetch()
                self._fetched_at = self._clock()
                self._dependency.works()
            except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError, RecursionError) as error:
                url = self._where if isinstance(self._where, str) else self._where.url
                cause = self._dependency.failed(error)
                _log.warning(
                    "jwks fetch failed",
                    url=url,
                    cause=cause.value,
                    error=repr(error),
                    known_keys=len(self._keys),
                )

    async def _fetch(self) -> None:
        where = self._where
        url = where if isinstance(where, str) else await where.jwks_url(self._http)
        found = read_jwks(await fetch(self._http, url, clock=self._issuers_clock), self._algorithms)
        self._tell(url, found.faults)
        if not found.keys:
            raise ValueError(f"no key for {', '.join(sorted(self._algorithms))} in the JWKS")
        self._keys = found.keys

    def _tell(self, url: str, faults: Sequence[tuple[str, Fault]]) -> None:
        """Count keys that are refused at every fetch, and log them when others are."""
        for _, fault in faults:
            self._count_refused(fault)
        if self._published is not None:
            if faults:
                self._published.is_down(
                    Cause.WRONG_ANSWER,
                    f"{len(faults)} keys are refused; see the log line 'jwks keys refused'",
                )
            else:
                self._published.works()
        if faults and faults != self._faults:
            shown = [f"{kid[:_SHOWN_ID_CHARS]!r} {fault}" for kid, fault in faults[:_SHOWN_FAULTS]]
            _log.warning("jwks keys refused", url=url, number=len(faults), keys=shown)
        self._faults = faults
