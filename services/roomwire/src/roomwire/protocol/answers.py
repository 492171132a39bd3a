"""HTTP answers that Roomwire builds as bytes, without uvicorn. Pure.

Source: RFC 9112; for the answer that accepts a WebSocket, RFC 6455, section 4.2.2.
"""

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Final

Header = tuple[bytes, bytes]

RETRY_LATER: Final[Header] = (b"retry-after", b"5")
"""Says after how many seconds a client may try again that was refused for want of room."""

_OF_ONE_CONNECTION: Final = frozenset({b"connection", b"content-length", b"transfer-encoding"})
_LINE_BREAK: Final = re.compile(rb"[\r\n\0]")


def assembled(status: HTTPStatus, headers: Iterable[Header], body: bytes = b"") -> bytes:
    """Return an answer with exactly these headers.

    Raises:
        ValueError: A header contains a line break.

    """
    line = b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode())
    return b"".join([line, *_lines(headers), b"\r\n", body])


def closing_headers(body: bytes, kind: str) -> Sequence[Header]:
    """Return the headers of an answer that is not cached and after which the connection is closed."""
    return [
        (b"content-type", kind.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]


def http_answer(
    status: HTTPStatus, body: bytes = b"", *headers: Header, kind: str = "application/json"
) -> bytes:
    """Return a complete answer that is not cached and after which the connection is closed."""
    closing = [(name.title(), value) for name, value in closing_headers(body, kind)]
    return assembled(status, [*headers, *closing], body)


def denial(status: int, headers: Iterable[Header], body: bytes) -> bytes:
    """Return a complete answer of an application that refuses a WebSocket; the connection is closed after it.

    Raises:
        ValueError: A header contains a line break, or the status does not exist.

    """
    kept = [(name, value) for name, value in headers if name.lower() not in _OF_ONE_CONNECTION]
    closing = [(b"Content-Length", b"%d" % len(body)), (b"Connection", b"close")]
    return assembled(HTTPStatus(status), [*kept, *closing], body)


def acceptance(key: bytes, headers: Iterable[Header]) -> bytes:
    """Return the answer that accepts a WebSocket.

    Args:
        key: The proof that the request was read, in base64.
        headers: Further headers.

    Raises:
        ValueError: A header contains a line break.

    """
    own = [(b"Upgrade", b"websocket"), (b"Connection", b"Upgrade"), (b"Sec-WebSocket-Accept", key)]
    return assembled(HTTPStatus.SWITCHING_PROTOCOLS, [*own, *headers])


def _lines(headers: Iterable[Header]) -> Iterable[bytes]:
    for name, value in headers:
        if _LINE_BREAK.search(name) or _LINE_BREAK.search(value):
            raise ValueError("a response header must not contain line breaks")
        yield b"%s: %s\r\n" % (name, value)
