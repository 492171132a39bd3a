"""Requests as no browser sends them: spellings of a path, forms of a target, methods, upgrades, lengths, and what is no HTTP.

A request of `REQUESTS` is answered or cut at once on every port; none is answered by an error of ours, and only a path below the
engine's becomes a WebSocket.
"""

from collections.abc import Mapping
from typing import Final

_WEBSOCKET: Final = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
_ENGINE: Final = b"?EIO=4&transport=websocket"
SECRET: Final = b"secret-of-a-cookie"


def _request(
    target: bytes, more: bytes = b"", *, method: bytes = b"GET", host: bytes = b"Host: chat\r\n"
) -> bytes:
    return b"%b %b HTTP/1.1\r\n%b%b\r\n" % (method, target, host, more)


def _upgrade(path: bytes, more: bytes = _WEBSOCKET) -> bytes:
    return _request(path + _ENGINE, more)


def _post(headers: bytes, body: bytes = b"", *, target: bytes = b"/") -> bytes:
    return _request(target, headers, method=b"POST") + body


_CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"

REQUESTS: Final[Mapping[str, bytes]] = {
    "dot segments": _upgrade(b"/x/../socket.io/"),
    "encoded dot segments": _upgrade(b"/x/%2e%2e/socket.io/"),
    "two slashes": _upgrade(b"//socket.io/"),
    "two slashes behind": _upgrade(b"/socket.io//"),
    "a parameter": _upgrade(b"/socket.io;x=1/"),
    "an encoded slash": _upgrade(b"/socket.io%2f"),
    "encoded twice": _upgrade(b"/%2573ocket.io/"),
    "a NUL": _upgrade(b"/socket.io/%00"),
    "overlong UTF-8": _upgrade(b"/socket.io/%c0%af"),
    "a backslash": _upgrade(b"/socket.io\\"),
    "capitals": _upgrade(b"/SOCKET.IO/"),
    "an absolute target": _request(b"http://chat/socket.io/?EIO=4&transport=polling"),
    "an absolute target elsewhere": _upgrade(b"http://elsewhere/socket.io/"),
    "an asterisk": _request(b"*", method=b"OPTIONS"),
    "CONNECT of a host": _request(b"chat:80", method=b"CONNECT"),
    "CONNECT of a path": _request(b"/", method=b"CONNECT"),
    "TRACE": _request(b"/", b"Cookie: %b\r\n" % SECRET, method=b"TRACE"),
    "TRACE of the engine": _request(b"/socket.io/", b"Cookie: %b\r\n" % SECRET, method=b"TRACE"),
    "a method in small letters": _request(b"/", method=b"get"),
    "a long method": _request(b"/", method=b"A" * 9_000),
    "h2c": _request(
        b"/", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    ),
    "h2c and a WebSocket": _upgrade(b"/socket.io/", _WEBSOCKET.replace(b"websocket", b"h2c, websocket")),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a WebSocket with a body": _upgrade(b"/socket.io/", _WEBSOCKET + b"Content-Length: 5\r\n") + b"12345",
    "a WebSocket with chunks": _upgrade(b"/socket.io/", _WEBSOCKET + _CHUNKED) + b"0\r\n\r\n",
    "a WebSocket of another version": _upgrade(b"/socket.io/", _WEBSOCKET.replace(b"13", b"8")),
    "a WebSocket of the operations port": _request(b"/metrics", _WEBSOCKET),
    "a WebSocket behind a request": _request(b"/x") + _upgrade(b"/socket.io/"),
    "many requests at once": _request(b"/x") * 200,
    "Expect": _post(b"Expect: 100-continue\r\nContent-Length: 5\r\n"),
    "Expect of another kind": _post(b"Expect: 200-maybe\r\nContent-Length: 5\r\n", b"12345"),
    "trailers": _post(_CHUNKED, b"1\r\n4\r\n0\r\nX: y\r\nHost: elsewhere\r\n\r\n", target=b"/socket.io/"),
    "many trailers": _post(_CHUNKED, b"1\r\n4\r\n0\r\n" + b"X: y\r\n" * 2_000 + b"\r\n"),
    "a long extension of a chunk": _post(_CHUNKED, b"1;" + b"e" * 20_000 + b"\r\n4\r\n0\r\n\r\n"),
    "a length and chunks": _post(b"Content-Length: 5\r\n" + _CHUNKED, b"0\r\n\r\n"),
    "two lengths": _post(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"12345"),
    "a negative length": _post(b"Content-Length: -5\r\n"),
    "a length with a sign": _post(b"Content-Length: +5\r\n", b"12345"),
    "a length beyond numbers": _post(b"Content-Length: 99999999999999999999\r\n"),
    "chunked twice": _post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n"),
    "another encoding": _post(b"Transfer-Encoding: identity\r\n"),
    "a folded header": _request(b"/", b"X: a\r\n b\r\n"),
    "a space before a colon": _request(b"/", b"X : a\r\n"),
    "a NUL in a header": _request(b"/", b"X: a\x00b\r\n"),
    "bare line feeds": b"GET / HTTP/1.1\nHost: chat\n\n",
    "two hosts": _request(b"/", host=b"Host: a\r\nHost: b\r\n"),
    "HTTP/1.2": _request(b"/").replace(b"HTTP/1.1", b"HTTP/1.2"),
    "many ranges": _request(
        b"/", b"Range: bytes=" + b",".join(b"0-%d" % end for end in range(900)) + b"\r\n"
    ),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300),
    "a proxy's line": b"PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\n" + _request(b"/"),
    "a proxy's head": b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes(12) + _request(b"/"),
}
