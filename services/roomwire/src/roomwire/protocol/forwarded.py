"""Parses the headers in which proxies describe a request, `X-Forwarded-*` or `Forwarded` (RFC 7239), into one form.

Pure. It does not decide about trust; `sources` does.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

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
"""The headers by which a proxy describes the client, in lower case."""

_PAIR: Final = re.compile(
    r"""(?P<name>[!#$%&'*+.^`|~\w-]+)=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s",;]*))""", re.ASCII
)
_ESCAPED: Final = re.compile(r"\\(.)")


class Hops(NamedTuple):
    """The values that the proxies of a request have written, the proxy nearest to the client first.

    Each list has one value for each hop if every proxy appended one; a proxy that replaces a header instead of appending
    to it shortens that list.

    Attributes:
        nodes: The address of each proxy's caller.
        schemes: The scheme of the request to each proxy.
        hosts: The host of the request to each proxy, perhaps with a port.
        ports: The port of the request to each proxy.

    """

    nodes: Sequence[str] = ()
    schemes: Sequence[str] = ()
    hosts: Sequence[str] = ()
    ports: Sequence[str] = ()

    def value(self, values: Sequence[str], trusted: int) -> str:
        """Return the value that describes the client's own request.

        A list with one value for each node is read at the client's position; the client itself wrote the values before
        that position. In any other list it is unknown which proxy wrote which value; the first one counts, as in most
        servers. A page cannot forge it: a script's request with such a header needs a preflight, which is judged
        without the header.

        Args:
            values: One of the lists.
            trusted: The number of last nodes that trusted proxies have written.

        """
        if trusted and len(values) == len(self.nodes):
            values = values[-trusted:]
        return next((value for value in values if value), "")


def read_hops(header: Callable[[str], str]) -> Hops:
    """Read the values that the proxies of a request have written.

    `Forwarded` counts only without any `X-Forwarded-*`: a proxy that writes one kind passes the other on as
    its client sent it, and nearly all proxies write `X-Forwarded-*`.

    Args:
        header: Returns the values of a header, joined by commas; an empty string if there is none.

    """
    hops = Hops(*(_listed(header(f"x-forwarded-{name}")) for name in ("for", "proto", "host", "port")))
    return hops if any(hops) else _read_forwarded(header("forwarded"))


def _listed(values: str) -> Sequence[str]:
    return [value.strip() for value in values.split(",")] if values else ()


def _read_forwarded(text: str) -> Hops:
    """Read a `Forwarded` header; a malformed one is ignored, as it may hide where an element ends."""
    if not text:
        return Hops()
    elements: list[dict[str, str]] = [{}]
    position = 0
    while position < len(text):
        match = _PAIR.match(text, position)
        if match is not None:
            name = match["name"].lower()
            if name in elements[-1]:
                return Hops()
            quoted = match["quoted"]
            elements[-1][name] = match["plain"] if quoted is None else _ESCAPED.sub(r"\1", quoted)
            position = match.end()
        if position < len(text):
            if text[position] == ",":
                elements.append({})
            elif text[position] not in "; \t":
                return Hops()
            position += 1
    return Hops(*([element.get(name, "") for element in elements] for name in ("for", "proto", "host")))
