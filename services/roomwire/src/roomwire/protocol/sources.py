"""The source of a request: the scheme, host and port that its client used, and the client's address.

This is the only module that determines it, for every entrance: polling, both kinds of WebSocket, the relay, the auth service, the
HTTP API, and all limits and logs by address. Pure: its input is the peer, the scheme and the headers of a request.

Only trusted proxies are believed about their clients. `origins` uses the result to recognize the service's own pages.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Final, NamedTuple

from roomwire.protocol.addresses import Networks, parse_address, parse_node
from roomwire.protocol.asgi import Environ
from roomwire.protocol.forwarded import FORWARDED_HEADERS, Hops, read_hops

Header = Callable[[str], str]
"""Returns the values of a header, named in lower case, joined by commas; an empty string if there is none."""

Believes = Callable[[str], bool]
"""Returns whether a header, by its name, is accepted from the peer that sent it."""

SCHEMES: Final[Mapping[str, str]] = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
"""A scheme's equivalent in HTTP. Proxies such as Traefik name a WebSocket's scheme `ws` or `wss`, and so does Swift's client."""

DEFAULT_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}

_AUTHORITY: Final = re.compile(
    r"(?P<host>\[[0-9a-f:.]+\]|[\w.~-]{1,255})(:(?P<port>\d{0,5}))?", re.ASCII | re.IGNORECASE
)
_MAX_PORT: Final = 65_535
_MAX_AUTHORITY_CHARACTERS: Final = 262
"""The length of the longest host, a colon and a port."""
_IN_ENVIRON: Final[Mapping[str, str]] = {
    name: f"HTTP_{name.upper().replace('-', '_')}" for name in ("host", *FORWARDED_HEADERS)
}


class Authority(NamedTuple):
    """A host and a port.

    Attributes:
        host: A name in lower case, or an address; an IPv6 address has no brackets.
        port: None if it is not given.

    """

    host: str
    port: int | None


class Source(NamedTuple):
    """Where a request came from.

    Attributes:
        address: The client's address; the peer's own text if that is not an address.
        scheme: The scheme that the client used, `http` or `https`.
        host: The host that the client asked for. Empty if it named none, or more than one.
        port: The port that the client asked for.
        places: The hosts and ports that the client may have asked for: by `Host`, and by the headers of a trusted proxy.

    """

    address: str
    scheme: str
    host: str
    port: int
    places: Sequence[Authority]


class Proxies:
    """Determines where requests came from, as far as the proxies in between are trusted.

    Args:
        trusted: Addresses or networks of the trusted proxies, IPv4 or IPv6. Default: none.

    Raises:
        ValueError: An entry is neither an address nor a network.

    """

    def __init__(self, trusted: Sequence[str] = ()) -> None:
        self._trusted = Networks(trusted)

    def is_trusted(self, peer: str) -> bool:
        """Return whether a peer is a trusted proxy; a text that is not an address never is."""
        # Most services trust no proxy: they do not pay for parsing addresses.
        return bool(self._trusted) and parse_address(peer) in self._trusted

    def believes(self, peer: str) -> Believes:
        """Return a function that tells whether a header is accepted from this peer."""
        return partial(is_believed, is_from_proxy=self.is_trusted(peer))

    def address(self, peer: str, header: Header) -> str:
        """Return the client's address.

        The addresses that proxies have written are followed from the right, as long as their writers are trusted. If
        the next address cannot be read, the result is the last trusted proxy's own address.

        Args:
            peer: The other end of the connection. Returned as it is if it is no address.
            header: Returns the request's headers; headers that only a stranger wrote are ignored.

        """
        hops = read_hops(header) if self.is_trusted(peer) else Hops()
        return self._walk(peer, hops.nodes)[0]

    def scheme(self, peer: str, scheme: str, header: Header) -> str:
        """Return the scheme that the client used, `http` or `https`; see `source`."""
        told: str | None = None
        if self.is_trusted(peer):
            hops = read_hops(header)
            told = self._scheme(hops, self._walk(peer, hops.nodes)[1])
        return told or SCHEMES.get(scheme.lower(), "http")

    def source(self, peer: str, scheme: str, header: Header) -> Source:
        """Return where a request came from.

        Args:
            peer: See `address`.
            scheme: The scheme of the connection: `http`, `https`, `ws` or `wss`.
            header: See `address`.

        """
        hops = read_hops(header) if self.is_trusted(peer) else Hops()
        address, trusted = self._walk(peer, hops.nodes)
        by_host = parse_authority(header("host"))
        by_proxy = parse_authority(hops.value(hops.hosts, trusted))
        named = [place for place in (by_proxy, by_host) if place is not None]
        port = _parse_port(hops.value(hops.ports, trusted))
        # A proxy that drops the port from Host may send it in another header.
        places = named + [
            Authority(host, port) for host, missing in named if missing is None and port is not None
        ]
        known = self._scheme(hops, trusted) or SCHEMES.get(scheme.lower(), "http")
        host, asked = named[0] if named else ("", None)
        return Source(address, known, host, asked or port or DEFAULT_PORTS[known], places)

    def address_of(self, environ: Mapping[str, object]) -> str:
        """Return the address of the client of a request, given its environ."""
        return self.address(_peer_of(environ), header_of(environ))

    def source_of(self, environ: Environ) -> Source:
        """Return where a request came from, given its environ."""
        scheme = environ.get("wsgi.url_scheme", "http")
        return self.source(_peer_of(environ), scheme, header_of(environ))

    @staticmethod
    def _scheme(hops: Hops, trusted: int) -> str | None:
        """Return the scheme that the proxies name; None if they name none that is known."""
        return SCHEMES.get(hops.value(hops.schemes, trusted).lower())

    def _walk(self, peer: str, nodes: Sequence[str]) -> tuple[str, int]:
        """Return the client's address, and how many of the last nodes trusted proxies have written."""
        client = parse_address(peer)
        if client is None:
            return peer, 0
        trusted = 0
        for node in reversed(nodes):
            if client not in self._trusted:
                break
            trusted += 1
            address = parse_node(node)
            if address is None:
                break
            client = address
        return str(client), trusted


def header_of(environ: Environ) -> Header:
    """Return a function for those headers of a request, given its environ, that tell where the request came from."""
    return lambda name: environ.get(_IN_ENVIRON[name], "")


def _peer_of(environ: Environ) -> str:
    """Return the address of the peer of a request's connection; empty if it has none."""
    peer: str = (environ.get("asgi.scope", {}).get("client") or ("", 0))[0]
    return peer


def is_believed(name: str, *, is_from_proxy: bool) -> bool:
    """Return whether a request's header may be used in decisions: all may, except those that strangers forge.

    A WSGI environ has one key for `X_Forwarded_For` and `X-Forwarded-For`, but a proxy replaces
    only its own spelling: the one with underscores is a stranger's, even if a proxy passed it on.

    Args:
        name: The header's name, in any case.
        is_from_proxy: Whether a trusted proxy sent the request.

    """
    plain = name.lower().replace("_", "-")
    return plain not in FORWARDED_HEADERS or (is_from_proxy and "_" not in name)


def parse_authority(text: str) -> Authority | None:
    """Return a host and a port in the syntax of `Host`; None if the text has another syntax, such as two values of Host."""
    return _read_authority(text) if len(text) <= _MAX_AUTHORITY_CHARACTERS else None


# A service has few names, so the same one comes with many requests.
@lru_cache(maxsize=512)
def _read_authority(text: str) -> Authority | None:
    match = _AUTHORITY.fullmatch(text.strip())
    if match is None:
        return None
    host = match["host"].lower()
    port = _parse_port(match["port"] or "")
    if match["port"] and port is None:
        return None
    if host.startswith("["):
        try:
            host = str(ipaddress.IPv6Address(host[1:-1]))
        except ValueError:
            return None
    return Authority(host, port)


def _parse_port(text: str) -> int | None:
    """Return a port; None if the text is not one."""
    port = int(text) if text.isascii() and text.isdecimal() and len(text) <= len(str(_MAX_PORT)) else 0
    return port if 0 < port <= _MAX_PORT else None
