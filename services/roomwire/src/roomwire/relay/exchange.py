"""One polling request and its answer, between a client's ASGI messages and its session's owner."""

import asyncio
from typing import Final

import httptools

from roomwire.protocol.asgi import Receive, Scope, Send
from roomwire.relay.link import RelayLink

MAX_ANSWER_HEADER_BYTES: Final = 16_384
_OF_ONE_CONNECTION: Final = frozenset(
    {b"connection", b"content-length", b"date", b"keep-alive", b"server", b"transfer-encoding"}
)


class Cut(Exception):
    """The exchange ended before the answer was complete."""


class Exchange:
    """Forwards one request to an owner, and the answer back.

    Args:
        scope: ASGI's scope of the request.
        receive: ASGI's.
        send: ASGI's.
        max_body_bytes: The maximum body that an owner accepts; of a longer one it gets enough to see that it is too long.
        timeout_s: Time limit for the complete answer.

    Attributes:
        has_begun: Whether the client has received a part of the answer.

    """

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, *, max_body_bytes: int, timeout_s: float
    ) -> None:
        self._has_body = scope["method"] == "POST"
        self._receive = receive
        self._send = send
        self._max_body_bytes = max_body_bytes
        self._timeout_s = timeout_s
        self._cutting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.has_begun = False

    def cut(self) -> None:
        """Cut the exchange now."""
        if not self._cutting.done():
            self._cutting.set_result(None)

    async def over(self, link: RelayLink) -> None:
        """Run the exchange over a connection to the owner, which already has the head.

        Raises:
            Cut: The exchange ended too early, but not because the client left.

        """
        asking = asyncio.create_task(self._ask(link))
        answering = asyncio.create_task(self._answer(link))
        try:
            await asyncio.wait(
                {asking, answering, self._cutting},
                timeout=self._timeout_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if answering.done():
                answering.result()
            elif asking.done():
                asking.result()
            else:
                raise Cut
        finally:
            asking.cancel()
            answering.cancel()
            await asyncio.gather(asking, answering, return_exceptions=True)

    async def _ask(self, link: RelayLink) -> None:
        """Send the body, then wait until the client disconnects."""
        size = 0
        is_more = self._has_body
        while (event := await self._receive())["type"] != "http.disconnect":
            if not is_more:
                continue
            body = event.get("body", b"")[: self._max_body_bytes + 1 - size]
            size += len(body)
            is_more = event.get("more_body", False) and size <= self._max_body_bytes
            if body:
                link.write(b"%x\r\n%b\r\n" % (len(body), body))
            if not is_more:
                link.write(b"0\r\n\r\n")
            await link.drain()

    async def _answer(self, link: RelayLink) -> None:
        """Forward the answer.

        Raises:
            Cut: The answer is incomplete or missing.

        """
        answer = _Answer()
        while not answer.is_whole:
            data = await link.read()
            if not data:
                raise Cut
            try:
                answer.feed(data)
            except httptools.HttpParserError as error:
                raise Cut from error
            if answer.has_head:
                await self._pass_on(answer)

    async def _pass_on(self, answer: "_Answer") -> None:
        if not self.has_begun:
            self.has_begun = True
            headers = answer.headers
            if not any(name == b"cache-control" for name, _ in headers):
                # An owner of an earlier release does not send this header.
                headers.append((b"cache-control", b"no-store"))
            await self._send({"type": "http.response.start", "status": answer.status, "headers": headers})
        body = answer.drain()
        if body or answer.is_whole:
            await self._send({"type": "http.response.body", "body": body, "more_body": not answer.is_whole})


class _Answer:
    """Parses an HTTP answer; the callbacks have httptools' names."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._unread_bytes = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.has_head = False
        self.is_whole = False

    @property
    def status(self) -> int:
        status: int = self._parser.get_status_code()
        return status

    def feed(self, data: bytes) -> None:
        self._parser.feed_data(data)
        self._unread_bytes += len(data)
        if not self.has_head and self._unread_bytes > MAX_ANSWER_HEADER_BYTES:
            raise httptools.HttpParserError("too long a head")

    def drain(self) -> bytes:
        """Return the part of the body that has arrived."""
        body, self._body = b"".join(self._body), []
        return body

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.has_head and name.lower() not in _OF_ONE_CONNECTION:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.has_head = True

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self.is_whole = True
