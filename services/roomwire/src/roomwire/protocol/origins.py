"""Decides which web pages may use a service: compares `Origin` (RFC 6454) with the request's own source or with a list.

Pure. A browser names the page's origin with each request that a page of another origin makes, and with every WebSocket;
clients that are no browsers mostly send none, and are not judged by it.

A page is the service's own if its origin has the host and port of the request. The scheme is not compared: behind a
proxy that ends TLS, and that nobody told the service to trust, a page's `https` meets the connection's `http`. A port
that only one side names is another port: where a proxy drops the port from `Host`, a page on another port of that host
could not be told from the service's own, so neither is let in. Such a proxy has to pass `Host` as it is, or be
trusted and say `X-Forwarded-Host` or `X-Forwarded-Port`; or the page's origin is listed.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from roomwire.protocol.sources import DEFAULT_PORTS, SCHEMES, Source, parse_authority

_MAX_ORIGIN_CHARACTERS: Final = 270
"""The longest scheme, host and port."""


class Origin(NamedTuple):
    """The origin of a page.

    Attributes:
        scheme: `http` or `https`; those of WebSockets are taken for these.
        host: As `Authority.host`.
        port: The port, also where it is the scheme's own.

    """

    scheme: str
    host: str
    port: int


def parse_origin(text: str) -> Origin | None:
    """Return an origin; None if the text is none of HTTP's, as `null`, an empty string and two origins are not."""
    return _read_origin(text) if len(text) <= _MAX_ORIGIN_CHARACTERS else None


# Few pages talk to a service: the same origin comes with each of their requests.
@lru_cache(maxsize=512)
def _read_origin(text: str) -> Origin | None:
    scheme, separator, rest = text.partition("://")
    known = SCHEMES.get(scheme.lower())
    authority = None if rest != rest.strip() or rest.endswith(":") else parse_authority(rest)
    if not separator or known is None or authority is None:
        return None
    return Origin(known, authority.host, authority.port or DEFAULT_PORTS[known])


def is_spelled(origin: str, host: str) -> bool:
    """Say whether an origin spells its host and port as `Host` does, as nearly all own pages do: then `is_own` holds."""
    return origin.partition("://")[2] == host and parse_origin(origin) is not None


def is_own(origin: str, source: Source) -> bool:
    """Say whether a page of this origin is the service's own, which the request of this source went to."""
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
    """Say whether an origin is one of a list, as a whole: scheme, host and port."""
    page = parse_origin(origin)
    return any(origin == other or (page is not None and page == parse_origin(other)) for other in listed)
