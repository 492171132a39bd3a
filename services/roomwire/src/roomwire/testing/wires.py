"""Carries a client's packets to a node and back, as the ASGI messages that a server creates from WebSockets and HTTP.

There are no sockets and no HTTP bytes: the layers below ASGI belong to the server and are not simulated. A wire calls `hear` with
each Engine.IO packet as it arrives, and `ended` once when the other side has ended it. It calls nothing after that or once it is cut.
"""

import asyncio
import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, Protocol

from roomwire.protocol.asgi import App, Message, Scope
from roomwire.protocol.packets import CLOSE, NOOP, EnginePacket
from roomwire.testing.life import Life

PATH: Final = "/socket.io/"
_BINARY: Final = "b"
_SEPARATOR: Final = "\x1e"


class Wire(Protocol):
    """One connection of a client to a node."""

    def open(self) -> None:
        """Ask for a session."""

    def say(self, packets: list[EnginePacket]) -> None:
        """Send packets, in order."""

    def cut(self) -> None:
        """Break the wire: nothing is sent or received any more, and neither side is told."""

    def close(self) -> None:
        """End the wire as a client does."""


@dataclass(eq=False)
class _AsgiWire:
    """The common part of both transports: the node at the other end, and the single end of a wire.

    Attributes:
        asgi: The node's ASGI application.
        life: The node's life.
        headers: The headers of each request.
        hear: Called with each packet that arrives.
        ended: Called with the reason, as far as it is known, when the node has ended the wire.

    """

    asgi: App
    life: Life
    headers: Mapping[str, str]
    hear: Callable[[EnginePacket], None]
    ended: Callable[[str], None]
    _is_over: bool = field(default=False, init=False)

    def cut(self) -> None:
        """See `Wire`."""
        self._is_over = True

    def _end(self, reason: str) -> None:
        if not self._is_over:
            self._is_over = True
            self.ended(reason)


@dataclass(eq=False)
class WebSocketWire(_AsgiWire):
    """A WebSocket; its arguments are those of any wire."""

    _said: "asyncio.Queue[Message]" = field(default_factory=asyncio.Queue, init=False)
    _is_accepted: bool = field(default=False, init=False)

    def open(self) -> None:
        """See `Wire`."""
        self._said.put_nowait({"type": "websocket.connect"})
        scope = _scope("websocket", "EIO=4&transport=websocket", self.headers)
        self.life.start(self._serve({**scope, "scheme": "ws", "subprotocols": []}))

    def say(self, packets: list[EnginePacket]) -> None:
        """See `Wire`."""
        if not self._is_over:
            for packet in packets:
                kind = "bytes" if isinstance(packet, bytes) else "text"
                self._said.put_nowait({"type": "websocket.receive", kind: packet})

    def close(self) -> None:
        """See `Wire`."""
        if not self._is_over:
            self._is_over = True
            self._said.put_nowait({"type": "websocket.disconnect", "code": 1005})

    async def _serve(self, scope: Scope) -> None:
        try:
            await self.asgi(scope, self._said.get, self._take)
        finally:
            self._end("transport close")

    async def _take(self, message: Message) -> None:
        """Process a message of the node."""
        if self._is_over:
            return
        kind: str = message["type"]
        if kind == "websocket.accept":
            self._is_accepted = True
        elif kind == "websocket.send":
            data = message.get("bytes")
            self.hear(message["text"] if data is None else data)
        elif kind == "websocket.close":
            self._said.put_nowait({"type": "websocket.disconnect", "code": message.get("code", 1000)})
            self._end("transport close" if self._is_accepted else "the WebSocket is refused")


@dataclass(eq=False)
class PollingWire(_AsgiWire):
    """HTTP long-polling: one poll waits at a time, and one payload is sent at a time, as the official client does."""

    _sid: str = field(default="", init=False)
    _waiting: list[EnginePacket] = field(default_factory=list, init=False)
    _is_posting: bool = field(default=False, init=False)

    def open(self) -> None:
        """See `Wire`."""
        self._ask("GET", b"", self._opened)

    def say(self, packets: list[EnginePacket]) -> None:
        """See `Wire`."""
        if not self._is_over:
            self._waiting += packets
            self._post()

    def close(self) -> None:
        """See `Wire`; this answers the pending poll, and its answer is dropped."""
        if not self._is_over:
            self._is_over = True
            self._ask("POST", CLOSE.encode(), lambda _, __: None)

    def _opened(self, status: int, body: str) -> None:
        if status != HTTPStatus.OK:
            self._end(f"the request is refused: {status} {body}")
            return
        self._sid = body.partition('"sid":"')[2].partition('"')[0]
        self._polled(status, body)

    def _polled(self, status: int, body: str) -> None:
        """Process the answer of a poll, then poll again."""
        if status != HTTPStatus.OK:
            self._end("transport close")
            return
        for packet in body.split(_SEPARATOR):
            if packet == CLOSE:
                self._end("transport close")
            elif packet != NOOP and not self._is_over:
                is_binary = packet.startswith(_BINARY)
                self.hear(base64.b64decode(packet[1:]) if is_binary else packet)
        if not self._is_over:
            self._ask("GET", b"", self._polled)

    def _post(self) -> None:
        if self._waiting and not self._is_posting and not self._is_over:
            packets, self._waiting = self._waiting, []
            self._is_posting = True
            payload = _SEPARATOR.join(
                f"{_BINARY}{base64.b64encode(one).decode()}" if isinstance(one, bytes) else one
                for one in packets
            )
            self._ask("POST", payload.encode(), self._posted)

    def _posted(self, status: int, _: str) -> None:
        self._is_posting = False
        if status == HTTPStatus.OK:
            self._post()
        else:
            self._end("transport error")

    def _ask(self, method: str, body: bytes, then: Callable[[int, str], None]) -> None:
        """Send a request; `then` gets the status and body of the answer, unless the wire has ended by then."""
        query = "EIO=4&transport=polling" + (f"&sid={self._sid}" if self._sid else "")
        headers = {**self.headers, "content-length": str(len(body))} if body else self.headers
        scope = {**_scope("http", query, headers), "method": method, "scheme": "http"}
        self.life.start(self._serve(scope, body, then))

    async def _serve(self, scope: Scope, body: bytes, then: Callable[[int, str], None]) -> None:
        requests: list[Message] = [{"type": "http.request", "body": body}]
        never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        answer: list[Message] = []

        async def receive() -> Message:
            return requests.pop() if requests else await never

        async def send(message: Message) -> None:
            answer.append(message)

        await self.asgi(scope, receive, send)
        if not self._is_over:
            start, *parts = answer
            then(start["status"], b"".join(part.get("body", b"") for part in parts).decode())


WIRES: Final[Mapping[str, Callable[..., Wire]]] = {"websocket": WebSocketWire, "polling": PollingWire}
"""The wires by the name of the transport."""


def _scope(kind: str, query: str, headers: Mapping[str, str]) -> dict[str, object]:
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "server": ("testing", 80),
        "client": ("127.0.0.1", 50_000),
        "root_path": "",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "extensions": {},
    }
