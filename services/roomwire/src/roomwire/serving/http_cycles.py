"""Answers requests in uvicorn's way, without its faults in HTTP/1.0 and without answers that a cache could keep.

Owns the form of answers. When one may be given is its neighbour's matter, `roomwire.serving.http`, which also lists the names of
uvicorn that are relied on here.
"""

from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from roomwire.protocol.answers import closing_headers

_WITHOUT_BODY: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class Cycle(RequestResponseCycle):
    """Answers a request; what it says of a defect is kept by no cache, and the last answer of a connection says that it is."""

    async def send(self, message: Any) -> None:
        """Send a part of the answer; see ASGI."""
        if message["type"] == "http.response.start" and not self.keep_alive:
            message = _as_the_last(message)
        await super().send(message)

    async def send_500_response(self) -> None:
        """Tell the client that the application has failed."""
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        body = status.phrase.encode()
        headers = closing_headers(body, "text/plain; charset=utf-8")
        await self.send({"type": "http.response.start", "status": status.value, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


class OldHttpCycle(Cycle):
    """Answers a request of HTTP/1.0, which knows no chunks: where an answer has no length, its end is the connection's.

    The connection is kept if the client asked for that, and is told: RFC 9112, sections 6.1, 6.3 and 9.3.
    """

    _ends_with_connection = False

    async def send(self, message: Any) -> None:
        """Send a part of the answer; see ASGI."""
        if message["type"] == "http.response.start" and not self.response_started:
            message = self._started(message)
        elif self._ends_with_connection and message["type"] == "http.response.body":
            self.expected_content_length = len(message.get("body", b""))
        await super().send(message)

    def _started(self, message: Any) -> Any:
        headers = [
            (name, value)
            for name, value in message.get("headers", ())
            if name.lower() != b"transfer-encoding"
        ]
        names = {name.lower() for name, _ in headers}
        has_end = (
            b"content-length" in names or self.scope["method"] == "HEAD" or message["status"] in _WITHOUT_BODY
        )
        if not has_end:
            self.chunked_encoding = False
            self._ends_with_connection = True
            self.keep_alive = False
        elif self.keep_alive and b"connection" not in names:
            headers.append((b"connection", b"keep-alive"))
        return {**message, "headers": headers}


def _as_the_last(message: Any) -> Any:
    """Return the beginning of an answer that says that the connection ends, as uvicorn itself says it since 0.53."""
    headers = list(message.get("headers", ()))
    if any(name.lower() == b"connection" and b"close" in value.lower() for name, value in headers):
        return {**message, "headers": headers}
    return {**message, "headers": [*headers, (b"connection", b"close")]}
