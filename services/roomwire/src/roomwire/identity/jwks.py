"""Public keys from a JWKS, cached: one fetch serves many tokens, and strangers cannot trigger fetches at will.

This module owns when to fetch, and what to use if that fails. `jwk` defines keys, and `provider` what may be fetched.
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
    """A source of public keys."""

    async def key(self, kid: str) -> PublicKey | None:
        """Return the key of this id, or None if there is none.

        Raises:
            Unavailable: No keys are known yet and they cannot be fetched.

        """


class JwksClient:
    """Public keys from a JWKS, cached: a `KeySource`.

    Known keys are used without a request. An unknown key id, or keys older than `max_age_s`, cause one fetch, at most one per
    `cooldown_s` whatever clients send. If a fetch fails, the known keys remain in use. A key that is malformed, weak, private or
    symmetric is left out, logged and counted; the others are used.

    Args:
        where: The URL of the JWKS, or the metadata that name it. Redirects are not followed.
        tls: The TLS context for https URLs, including the metadata's. Default: the system's certificate authorities.
        algorithms: The accepted algorithms. Default: EdDSA only.
        timeout_s: Time limit for one fetch, including the metadata. Default: 2 seconds.
        cooldown_s: Minimum time between two fetches. Default: 10 seconds.
        max_age_s: Maximum age of keys before they are fetched again. Default: 300 seconds.
        count_refused: Called for each refused key, at each fetch. Default: refused keys are not counted.
        dependency: Records whether keys can be fetched. Default: only the log does.
        published: Records whether unusable keys are published. Default: only the log does.
        issuers_clock: Compares the issuer's clock with ours at each answer. Default: there is no comparison.
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
        """Close the HTTP connections. Idempotent."""
        await self._http.aclose()

    async def _refresh(self, kid: str) -> None:
        async with self._fetching:
            fresh = self._clock() - self._fetched_at <= self._max_age_s
            # Without any key no client can be served, so a failed fetch is repeated after a second.
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
