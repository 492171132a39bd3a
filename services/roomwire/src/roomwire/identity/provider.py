"""What is asked of an identity provider over HTTP: documents of bounded size, and where its keys are.

A redirect is never followed, and a provider's metadata (OpenID Connect Discovery 1.0, RFC 8414) are believed about the
issuer that they are asked for only. How long it may take is the caller's to bound. Nothing here knows keys.
"""

import ipaddress
import time
from typing import Final

import httpx
import msgspec

from roomwire.health.clocks import Clock

MAX_DOCUMENT_BYTES: Final = 65_536


async def fetch(http: httpx.AsyncClient, url: str, *, clock: Clock | None = None) -> bytes:
    """Return a document.

    Args:
        http: What asks.
        url: Where it is.
        clock: Is given the time that the answer carries. Default: nobody compares it.

    Raises:
        ValueError: The status is not 200, it is packed (its size would say nothing), or it has more than
            `MAX_DOCUMENT_BYTES`.
        httpx.HTTPError, httpx.InvalidURL: It cannot be had.

    """
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    asked_at = time.time()
    async with http.stream("GET", url, headers=headers, follow_redirects=False) as response:
        if clock is not None:
            date, age = (response.headers.get(name, "") for name in ("Date", "Age"))
            clock.compare_date(date, age, asked_at=asked_at, answered_at=time.time())
        if response.status_code != httpx.codes.OK:
            raise ValueError(f"status {response.status_code}")
        if (encoding := response.headers.get("Content-Encoding", "identity")) != "identity":
            raise ValueError(f"the content encoding {encoding!r}, which was not requested")
        body = b""
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_DOCUMENT_BYTES:
                raise ValueError(f"more than {MAX_DOCUMENT_BYTES} bytes")
        return body


def is_trustworthy(url: str) -> bool:
    """Say whether nobody on the way to a URL can answer in its place: https, or this machine."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return bool(parts.host) and (
        parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.host))
    )


class Discovery(msgspec.Struct, frozen=True):
    """Finds a provider's keys by its metadata.

    Attributes:
        url: Where the metadata are, such as `https://id.example.org/.well-known/openid-configuration`.
        issuer: The issuer that they have to be about.

    """

    url: str
    issuer: str

    async def jwks_url(self, http: httpx.AsyncClient) -> str:
        """Ask where the keys are.

        Raises:
            ValueError: These are no metadata, or another issuer's, or the keys are where others could replace them.
            httpx.HTTPError, httpx.InvalidURL: They cannot be had.

        """
        metadata = msgspec.json.decode(await fetch(http, self.url), type=_Metadata)
        # OpenID Connect Discovery 1.0, section 4.3: exactly.
        if metadata.issuer != self.issuer:
            raise ValueError(f"the metadata belong to the issuer {metadata.issuer!r}")
        if not is_trustworthy(metadata.jwks_uri):
            raise ValueError(f"the jwks_uri {metadata.jwks_uri!r} is not https")
        return metadata.jwks_uri


class _Metadata(msgspec.Struct):
    issuer: str
    jwks_uri: str


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
