"""Decides which web pages may use a service: compares `Origin` (RFC 6454) with the request's own source or with a list.

Pure. A browser sends the page's origin with each cross-origin request and with every WebSocket; most
other clients send none, and this check does not apply to them.

A page is the service's own if its origin has the host and port of the request. The scheme is not compared: behind a
proxy that ends TLS, and that the service was not told to trust, a page's `https` meets the connection's `http`. If only one side
names a port, the ports differ: where a proxy drops the port from `Host`, a page on another port of that host
could not be distinguished from the service's own, so neither is admitted. Such a proxy must pass `Host` unchanged, or be
trusted and send `X-Forwarded-Host` or `X-Forwarded-Port`; otherwise list the page's origin.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from roomwire.protocol.sources import DEFAULT_PORTS, SCHEMES, Source, parse_authority

_MAX_ORIGIN_CHARACTERS: Final = 270
"""The length of the longest scheme, host and port."""


class Origin(NamedTuple):
    """The origin of a page.

    Attributes:
        scheme: `http` or `https`; `ws` and `wss` are converted to these.
        host: As `Authority.host`.
        port: The port, even if it is the scheme's default.

    """

    scheme: str
    host: str
    port: int


def parse_origin(text: str) -> Origin | None:
    """Return an origin; None if the text is not an HTTP origin, such as `null`, an empty string or two origins."""
    return _read_origin(text) if len(text) <= _MAX_ORIGIN_CHARACTERS else None


# Few pages use a service, so the same origins come with many requests.
@lru_cache(maxsize=512)
def _read_origin(text: str) -> Origin | None:
    scheme, separator, rest = text.partition("://")
    known = SCHEMES.get(scheme.lower())
    authority = None if rest != rest.strip() or rest.endswith(":") else parse_authority(rest)
    if not separator or known is None or authority is None:
        return None
    return Origin(known, authority.host, authority.port or DEFAULT_PORTS[known])


def is_spelled(origin: str, host: str) -> bool:
    """Return whether an origin spells its host and port as `Host` does, as nearly all own pages do: then `is_own` holds."""
    return origin.partition("://")[2] == host and parse_origin(origin) is not None


def is_own(origin: str, source: Source) -> bool:
    """Return whether the page's origin is the service's own, to which the request of this source was sent."""
    page = parse_origin(origin)
    if page is None:
        return False
    is_default = page.port == DEFAULT_PORTS[page.scheme]
    return any(
        host == page.host
        and (port == page.port or (is_default and port in {None, DEFAULT_PORTS[source.scheme]}))
        for host, port in source.places
    )


def is_listed(origin: str, listed: Iterable[str]) -> bool:
    """Return whether an origin is in a list; scheme, host and port must all be equal."""
    page = parse_origin(origin)
    return any(origin == other or (page is not None and page == parse_origin(other)) for other in listed)
