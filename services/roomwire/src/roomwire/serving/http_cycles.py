"""Answers requests as uvicorn does, but with correct HTTP/1.0 and without cacheable errors.

This module owns the form of answers. Its neighbour `roomwire.serving.http` decides when to answer; the names of uvicorn that
both rely on are in `roomwire.serving.uvicorn_names`.
"""

from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from roomwire.protocol.answers import closing_headers

_WITHOUT_BODY: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class Cycle(RequestResponseCycle):
    """Answers a request. Answers about a defect are not cacheable, and the last answer of a connection announces its end."""

    async def send(self, message: Any) -> None:
        """Send a part of the answer; see ASGI."""
        if message["type"] == "http.response.start" and not self.keep_alive:
            message = _as_the_last(message)
        await super().send(message)

    async def send_500_response(self) -> None:
        """Answer that the application has failed."""
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        body = status.phrase.encode()
        headers = closing_headers(body, "text/plain; charset=utf-8")
        await self.send({"type": "http.response.start", "status": status.value, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


class OldHttpCycle(Cycle):
    """Answers a request of HTTP/1.0, which has no chunks: an answer without a length ends with the connection.

    The connection is kept if the client asked for it, and the answer says so: RFC 9112, sections 6.1, 6.3 and 9.3.
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
    """Return the start of an answer with the announcement that the connection ends, as uvicorn sends it since 0.53."""
    headers = list(message.get("headers", ()))
    if any(name.lower() == b"connection" and b"close" in value.lower() for name, value in headers):
        return {**message, "headers": headers}
    return {**message, "headers": [*headers, (b"connection", b"close")]}
