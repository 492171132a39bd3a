"""Fetches documents of bounded size from an identity provider over HTTP, and finds the URL of its keys.

Redirects are never followed, and a provider's metadata (OpenID Connect Discovery 1.0, RFC 8414) are trusted only about the
issuer for which they were requested. The caller sets the time limit. This module does not know keys.
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
        http: The HTTP client.
        url: The URL of the document.
        clock: Gets the time that the answer carries. Default: it is ignored.

    Raises:
        ValueError: The status is not 200, it is packed (its size would say nothing), or it has more than
            `MAX_DOCUMENT_BYTES`.
        httpx.HTTPError, httpx.InvalidURL: The document cannot be fetched.

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
    """Return whether no other host can answer in place of a URL's: it is https, or on this machine."""
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
        url: The URL of the metadata, such as `https://id.example.org/.well-known/openid-configuration`.
        issuer: The issuer that the metadata must name.

    """

    url: str
    issuer: str

    async def jwks_url(self, http: httpx.AsyncClient) -> str:
        """Return the URL of the keys.

        Raises:
            ValueError: The document is not metadata, belongs to another issuer, or names a URL at which others could replace the keys.
            httpx.HTTPError, httpx.InvalidURL: The metadata cannot be fetched.

        """
        metadata = msgspec.json.decode(await fetch(http, self.url), type=_Metadata)
        # OpenID Connect Discovery 1.0, section 4.3, requires the exact issuer.
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
