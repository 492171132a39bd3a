"""HTTP answers that Roomwire itself builds as bytes, without uvicorn. Pure.

Source: RFC 9112, and RFC 6455, section 4.2.2, for the one that accepts a WebSocket.
"""

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Final

Header = tuple[bytes, bytes]

_OF_ONE_CONNECTION: Final = frozenset({b"connection", b"content-length", b"transfer-encoding"})
_LINE_BREAK: Final = re.compile(rb"[\r\n\0]")


def assembled(status: HTTPStatus, headers: Iterable[Header], body: bytes = b"") -> bytes:
    """Return an answer of these headers and no others.

    Raises:
        ValueError: A header breaks its line.

    """
    line = b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode())
    return b"".join([line, *_lines(headers), b"\r\n", body])


def closing_headers(body: bytes, kind: str) -> Sequence[Header]:
    """Return the headers of an answer after which the connection is closed, and which no cache keeps."""
    return [
        (b"content-type", kind.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]


def http_answer(
    status: HTTPStatus, body: bytes = b"", *headers: Header, kind: str = "application/json"
) -> bytes:
    """Return a whole answer after which the connection is closed; no cache keeps it."""
    closing = [(name.title(), value) for name, value in closing_headers(body, kind)]
    return assembled(status, [*headers, *closing], body)


def denial(status: int, headers: Iterable[Header], body: bytes) -> bytes:
    """Return a whole answer of an application that does not accept a WebSocket; the connection is closed after it.

    Raises:
        ValueError: A header breaks its line, or there is no such status.

    """
    kept = [(name, value) for name, value in headers if name.lower() not in _OF_ONE_CONNECTION]
    closing = [(b"Content-Length", b"%d" % len(body)), (b"Connection", b"close")]
    return assembled(HTTPStatus(status), [*kept, *closing], body)


def acceptance(key: bytes, headers: Iterable[Header]) -> bytes:
    """Return what accepts a WebSocket.

    Args:
        key: What proves that the request was read, base64.
        headers: Further headers.

    Raises:
        ValueError: A header breaks its line.

    """
    own = [(b"Upgrade", b"websocket"), (b"Connection", b"Upgrade"), (b"Sec-WebSocket-Accept", key)]
    return assembled(HTTPStatus.SWITCHING_PROTOCOLS, [*own, *headers])


def _lines(headers: Iterable[Header]) -> Iterable[bytes]:
    for name, value in headers:
        if _LINE_BREAK.search(name) or _LINE_BREAK.search(value):
            raise ValueError("a header of an answer has no line breaks")
        yield b"%s: %s\r\n" % (name, value)
