"""Whose request it is: the client's address, as far as the proxies in between are trusted.

Pure: it knows addresses and header names, no requests. The engine's two shells drop by `is_believed` what a
stranger says about itself; the server asks `ClientAddress` for the address that limits and logs go by.
"""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from typing import Final

FORWARDED_HEADERS: Final = frozenset(
    {
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-prefix",
        "x-forwarded-proto",
        "x-real-ip",
    }
)
"""What a proxy says about the client, in lower case."""

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOP: Final = re.compile(
    r"\[(?P<bracketed>[0-9a-f:.]+)\](:\d{1,5})?|(?P<v4>[0-9.]+)(:\d{1,5})?|(?P<v6>[0-9a-f:.]+)",
    re.ASCII | re.IGNORECASE,
)
_HOST_BITS: Final = 64
_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")


class ClientAddress:
    """Tells who a client is from its peer's address and what proxies added to its request.

    Args:
        trusted: Addresses or networks of the proxies that are believed, IPv4 or IPv6. Empty: none is.

    Raises:
        ValueError: One of them is neither.

    """

    def __init__(self, trusted: Sequence[str] = ()) -> None:
        self._trusted = tuple(_unmapped_network(ipaddress.ip_network(network)) for network in trusted)

    def is_trusted(self, peer: str) -> bool:
        """Say whether a peer is one of our proxies; something that is no address never is."""
        # Most services have no proxy to trust: they do not pay for reading addresses.
        return bool(self._trusted) and self._trusts(_parse(peer))

    def of(self, peer: str, forwarded_for: str) -> str:
        """Return the client's address.

        Walks X-Forwarded-For from the right, as long as those who wrote it are trusted. Where it says
        nothing that can be read, the last trusted proxy's own address is all that is known.

        Args:
            peer: Who is at the other end of the connection. Returned as it is if it is no address.
            forwarded_for: The values of X-Forwarded-For, joined by commas; ignored if a stranger sent it.

        """
        client = _parse(peer)
        if client is None:
            return peer
        for hop in _from_the_right(forwarded_for):
            if not self._trusts(client):
                break
            address = _parse_hop(hop)
            if address is None:
                break
            client = address
        return str(client)

    def _trusts(self, address: _Address | None) -> bool:
        return address is not None and any(address in network for network in self._trusted)


def household(address: str) -> str:
    """Return what an address is limited by: itself, or the /64 that one home or machine has to itself in IPv6."""
    if ":" not in address:
        return address
    parsed = _parse(address)
    if not isinstance(parsed, ipaddress.IPv6Address):
        return address if parsed is None else str(parsed)
    return str(ipaddress.IPv6Address(int(parsed) >> _HOST_BITS << _HOST_BITS)) + "/64"


def is_believed(name: str, *, is_from_proxy: bool) -> bool:
    """Say whether a request's header may be seen by whoever decides: all may but what strangers forge.

    A WSGI-like environment writes `X_Forwarded_For` and `X-Forwarded-For` the same, but a proxy replaces
    only its own spelling: with underscores it is a stranger's, whoever passed it on.

    Args:
        name: The header's name, in any case.
        is_from_proxy: Whether a trusted proxy sent the request.

    """
    plain = name.lower().replace("_", "-")
    return plain not in FORWARDED_HEADERS or (is_from_proxy and "_" not in name)


def _from_the_right(values: str) -> Iterator[str]:
    """Yield the values of a list from its end; what is not asked for is not looked at."""
    comma = ","
    while comma:
        values, comma, value = values.rpartition(",")
        yield value.strip()


def _parse_hop(hop: str) -> _Address | None:
    """Read an element of X-Forwarded-For: an address, perhaps with brackets and a port."""
    match = _HOP.fullmatch(hop)
    return _parse(match["bracketed"] or match["v4"] or match["v6"]) if match else None


def _parse(text: str) -> _Address | None:
    try:
        # A zone (`fe80::1%eth0`) says where the address is to be found here, not whose it is.
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _unmapped_network(network: _Network) -> _Network:
    """Return an IPv4-mapped network as the IPv4 network that it is."""
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        bits = _MAPPED.prefixlen
        return ipaddress.IPv4Network((int(network.network_address) & 0xFFFF_FFFF, network.prefixlen - bits))
    return network
