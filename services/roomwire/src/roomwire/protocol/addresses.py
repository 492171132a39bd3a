"""Addresses of machines: how to parse them, the unit by which they are limited, and networks of addresses.

Pure. It knows nothing of requests; `sources` finds the address that a request came from.
"""

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# A proxy may write a name of its own choice instead of a port: RFC 7239, section 6.2.
_NODE: Final = re.compile(
    r"\[(?P<bracketed>[0-9a-f:.]+)\](:(\d{1,5}|_[\w.-]+))?"
    r"|(?P<v4>[0-9.]+)(:(\d{1,5}|_[\w.-]+))?"
    r"|(?P<v6>[0-9a-f:.]+)",
    re.ASCII | re.IGNORECASE,
)
_HOST_BITS: Final = 64
_MAX_CHARACTERS: Final = 64
"""More than any address has, including its zone."""
_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")


class Networks:
    """A set of addresses and networks, IPv4 or IPv6.

    Args:
        networks: The addresses and networks, as text.

    Raises:
        ValueError: An entry is neither an address nor a network.

    """

    def __init__(self, networks: Sequence[str] = ()) -> None:
        self._networks = tuple(_unmapped_network(ipaddress.ip_network(network)) for network in networks)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __contains__(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


def host_and_port(address: object) -> tuple[str, int] | None:
    """Return the host and port of a TCP socket's address; other sockets have no useful address."""
    return (address[0], address[1]) if isinstance(address, tuple) else None


def household(address: str) -> str:
    """Return the unit by which an address is limited: the address itself, or in IPv6 the /64 of one home or machine."""
    if ":" not in address:
        return address
    parsed = parse_address(address)
    if not isinstance(parsed, ipaddress.IPv6Address):
        return address if parsed is None else str(parsed)
    return str(ipaddress.IPv6Address(int(parsed) >> _HOST_BITS << _HOST_BITS)) + "/64"


def parse_address(text: str) -> Address | None:
    """Return an address, or None if the text is not one; an IPv4-mapped IPv6 address is returned as IPv4."""
    return _parsed(text) if len(text) <= _MAX_CHARACTERS else None


# A proxy's address comes with each request, and a client's address with each of its requests.
@lru_cache(maxsize=1_024)
def _parsed(text: str) -> Address | None:
    try:
        # A zone (`fe80::1%eth0`) names an interface of this machine; it is not part of the client's address.
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def parse_node(text: str) -> Address | None:
    """Return the address of a node as proxies write it, perhaps with brackets and a port; None if there is none."""
    match = _NODE.fullmatch(text)
    return parse_address(match["bracketed"] or match["v4"] or match["v6"]) if match else None


def _unmapped_network(network: _Network) -> _Network:
    """Return an IPv4-mapped network as the IPv4 network that it stands for."""
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        bits = _MAPPED.prefixlen
        return ipaddress.IPv4Network((int(network.network_address) & 0xFFFF_FFFF, network.prefixlen - bits))
    return network
