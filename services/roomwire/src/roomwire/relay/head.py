"""Determines which parts of a client's request are forwarded to the node that holds its session. Pure.

Only the parts that the owner needs for decisions are forwarded: it has known the client since its handshake. Cookies,
tokens in headers and everything that marks the end of a request stay here: relayed data is framed anew.
"""

from collections.abc import Iterable
from typing import Final

from roomwire.protocol.asgi import Scope
from roomwire.protocol.forwarded import FORWARDED_HEADERS
from roomwire.protocol.sources import Believes

_OF_ORIGIN: Final = frozenset({"host", "origin"}) | FORWARDED_HEADERS
_OF_WEBSOCKETS: Final = frozenset(
    {
        "connection",
        "upgrade",
        "sec-websocket-extensions",
        "sec-websocket-key",
        "sec-websocket-protocol",
        "sec-websocket-version",
    }
)


def polling_head(scope: Scope, *, believes: Believes) -> bytes:
    """Return the head of a polling request; the body of a POST follows in chunks.

    Args:
        scope: ASGI's scope of the request.
        believes: Returns whether a header is accepted from the peer that sent it.

    """
    target: bytes = scope.get("raw_path") or b"/"
    query: bytes = scope.get("query_string", b"")
    lines = [b"%s %s?%s HTTP/1.1" % (scope["method"].encode(), target, query)]
    lines += _kept(scope["headers"], _OF_ORIGIN, believes)
    lines.append(b"Connection: close")
    if scope["method"] == "POST":
        lines.append(b"Transfer-Encoding: chunked")
    return b"\r\n".join([*lines, b"", b""])


def websocket_head(request: bytes, *, believes: Believes) -> bytes:
    """Return the head of a WebSocket's request.

    Args:
        request: The complete head of the request, as received.
        believes: Returns whether a header is accepted from the peer that sent it.

    """
    first, *lines = request.partition(b"\r\n\r\n")[0].split(b"\r\n")
    fields = ((name, value.strip(b" \t")) for name, _, value in (line.partition(b":") for line in lines))
    return b"\r\n".join([first, *_kept(fields, _OF_ORIGIN | _OF_WEBSOCKETS, believes), b"", b""])


def _kept(
    headers: Iterable[tuple[bytes, bytes]], names: frozenset[str], believes: Believes
) -> Iterable[bytes]:
    for raw, value in headers:
        name = raw.decode("latin-1").lower()
        if name in names and believes(name):
            yield raw + b": " + value
