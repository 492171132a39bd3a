"""A WebSocket's opening handshake: the request's bytes in, what python-engineio calls an environ and the answer out.

Pure. Source: RFC 6455, section 4.2.
"""

import binascii
import hashlib
from typing import Any, Final, NamedTuple

from roomwire.engine.environ import environ_of
from roomwire.sources import Proxies

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_VERSION: Final = "13"
_KEY_BYTES: Final = 16
_ACCEPTED: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
)
_REQUEST_LINE_PARTS: Final = 3


class BadUpgrade(Exception):
    """A request that is no handshake.

    Args:
        answer: What is said to it, whole.

    """

    def __init__(self, answer: bytes) -> None:
        super().__init__(answer)
        self.answer = answer


class Upgrade(NamedTuple):
    """A request for a WebSocket.

    Attributes:
        environ: The request as python-engineio describes one.
        answer: What accepts it.
        rest: What came behind the request.

    """

    environ: dict[str, Any]
    answer: bytes
    rest: bytes


def http_answer(status: str, body: bytes, *headers: str, kind: str = "application/json") -> bytes:
    """Return a whole answer after which the connection is closed."""
    lines = [
        f"HTTP/1.1 {status}",
        *headers,
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


_BAD_REQUEST: Final = http_answer("400 Bad Request", b"", kind="text/plain")


def read_upgrade(request: bytes, peer: Any, *, scheme: str, proxies: Proxies) -> Upgrade:
    """Read a request, as the HTTP parser has left it.

    Args:
        request: The bytes.
        peer: The other side, as asyncio has it; None if it has no address.
        scheme: `http` or `https`: what it came by.
        proxies: Knows which peers are believed about their clients.

    Raises:
        BadUpgrade: It is no handshake of RFC 6455.

    """
    head, end, rest = request.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if not end or len(parts) != _REQUEST_LINE_PARTS:
        raise BadUpgrade(_BAD_REQUEST)
    method, target, version = parts
    path, _, query = target.partition("?")
    scope = {
        "type": "websocket",
        "path": path,
        "query_string": query.encode("latin-1"),
        "client": tuple(peer[:2]) if peer else None,
        "scheme": scheme,
    }
    environ = environ_of(scope, map(_field, lines), proxies=proxies)
    if method != "GET":
        raise BadUpgrade(http_answer("405 Method Not Allowed", b"", "Allow: GET"))
    if version != "HTTP/1.1" or not _asks(environ):
        raise BadUpgrade(_BAD_REQUEST)
    if environ.get("HTTP_SEC_WEBSOCKET_VERSION") != _VERSION:
        raise BadUpgrade(http_answer("426 Upgrade Required", b"", f"Sec-WebSocket-Version: {_VERSION}"))
    return Upgrade(environ, _accept(environ.get("HTTP_SEC_WEBSOCKET_KEY", "")), rest)


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip(" \t")


def _asks(headers: dict[str, Any]) -> bool:
    """Say whether a request asks for a WebSocket; both headers may name other things beside it."""
    return "websocket" in _tokens(headers.get("HTTP_UPGRADE", "")) and "upgrade" in _tokens(
        headers.get("HTTP_CONNECTION", "")
    )


def _tokens(value: str) -> list[str]:
    return [token.strip(" \t").lower() for token in value.split(",")]


def _accept(key: str) -> bytes:
    try:
        is_valid = len(binascii.a2b_base64(key, strict_mode=True)) == _KEY_BYTES
    except ValueError:
        is_valid = False
    if not is_valid:
        raise BadUpgrade(_BAD_REQUEST)
    digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
    return _ACCEPTED + binascii.b2a_base64(digest, newline=False) + b"\r\n\r\n"
