"""A WebSocket's opening handshake: the request's bytes in, what python-engineio calls an environ and the answer out.

Pure. Source: RFC 6455, section 4.2.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable
from typing import Any, Final, NamedTuple

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_VERSION: Final = "13"
_KEY_BYTES: Final = 16
_ACCEPTED: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
)
_MAX_NAMES: Final = 512
_REQUEST_LINE_PARTS: Final = 3

Believes = Callable[[str], Callable[[str], bool]]
"""Returns, for a peer's address, what says of a header's name whether it is taken from that peer."""


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


def read_upgrade(request: bytes, peer: Any, believes: Believes) -> Upgrade:
    """Read a request, as the HTTP parser has left it.

    Args:
        request: The bytes.
        peer: The other side, as asyncio has it; None if it has no address.
        believes: Says whose X-Forwarded-* headers count.

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
    address = peer[0] if peer else ""
    headers = _headers(lines, believes(address))
    if method != "GET":
        raise BadUpgrade(http_answer("405 Method Not Allowed", b"", "Allow: GET"))
    if version != "HTTP/1.1" or not _asks(headers):
        raise BadUpgrade(_BAD_REQUEST)
    if headers.get("HTTP_SEC_WEBSOCKET_VERSION") != _VERSION:
        raise BadUpgrade(http_answer("426 Upgrade Required", b"", f"Sec-WebSocket-Version: {_VERSION}"))
    environ = headers | {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "RAW_URI": target,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": address,
        "wsgi.url_scheme": headers.get("HTTP_X_FORWARDED_PROTO", "http"),
        "asgi.scope": {"type": "websocket", "path": path, "client": tuple(peer[:2]) if peer else None},
    }
    return Upgrade(environ, _accept(headers.get("HTTP_SEC_WEBSOCKET_KEY", "")), rest)


def _asks(headers: dict[str, Any]) -> bool:
    """Say whether a request asks for a WebSocket; both headers may name other things beside it."""
    return "websocket" in _tokens(headers.get("HTTP_UPGRADE", "")) and "upgrade" in _tokens(
        headers.get("HTTP_CONNECTION", "")
    )


def _tokens(value: str) -> list[str]:
    return [token.strip(" \t").lower() for token in value.split(",")]


def _headers(lines: list[str], believes: Callable[[str], bool]) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if believes(name):
            key, value = _key(name), value.strip(" \t")
            headers[key] = f"{headers[key]},{value}" if key in headers else value
    return headers


_names: Final[dict[str, str]] = {}


def _key(name: str) -> str:
    """Return a header's name in an environ; the usual ones are kept, so that all connections share them."""
    key = _names.get(name)
    if key is None:
        key = f"HTTP_{name.upper().replace('-', '_')}"
        if len(_names) < _MAX_NAMES:
            _names[name] = key
    return key


def _accept(key: str) -> bytes:
    try:
        is_valid = len(base64.b64decode(key, validate=True)) == _KEY_BYTES
    except (binascii.Error, ValueError):
        is_valid = False
    if not is_valid:
        raise BadUpgrade(_BAD_REQUEST)
    digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
    return _ACCEPTED + base64.b64encode(digest) + b"\r\n\r\n"
