"""The Engine.IO clients below the Socket.IO clients: python-engineio's own, with what a recovery needs.

- They tell the server by the query of the URL that they know recovery, so that `auth` stays the application's own.
- They hand over messages in the order of their arrival. python-engineio gives each message a task or a thread of its own.
- The server's CLOSE is a lost connection, after which the client connects again, as the official client does. For python-engineio
  it is the end.
- The answer to a poll may have any number of packets. python-engineio takes 16, and a client has missed more than that soon.
- Whatever fails while a connection is made is a `ConnectionError`, so that the next attempt follows.
"""

import contextlib
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, urlsplit, urlunsplit

import engineio
from engineio import exceptions, packet, payload
from engineio.base_client import connected_clients

_SAID: Final = "recovery=1"
_SEPARATOR: Final = b"\x1e"


class AsyncRest(NamedTuple):
    """The rest of an answer to a poll, in the form of aiohttp's."""

    status: int
    body: bytes

    async def read(self) -> bytes:
        """Return the body."""
        return self.body


class ThreadedRest(NamedTuple):
    """The rest of an answer to a poll, in the form of requests'."""

    status_code: int
    content: bytes


def begun(body: bytes) -> tuple[list[packet.Packet], bytes]:
    """Divide the body of an answer: packets that are too many for python-engineio, and the rest, which it takes."""
    *first, rest = body.split(
        _SEPARATOR, max(0, body.count(_SEPARATOR) + 1 - payload.Payload.max_decode_packets)
    )
    return [packet.Packet(encoded_packet=one.decode()) for one in first], rest


def said_in(url: str) -> str:
    """Return a URL whose query says that the client knows recovery, unless it says something about that already."""
    parts = urlsplit(url)
    if "recovery" in parse_qs(parts.query, keep_blank_values=True):
        return url
    return urlunsplit(parts._replace(query=f"{parts.query}&{_SAID}" if parts.query else _SAID))


class AsyncEngine(engineio.AsyncClient):  # type: ignore[misc] # python-engineio has no types
    """The Engine.IO client of an `AsyncClient`."""

    http: Any

    def _get_engineio_url(self, url: str, engineio_path: str, transport: str) -> Any:
        return super()._get_engineio_url(said_in(url), engineio_path, transport)

    async def connect(self, url: str, *args: Any, **options: Any) -> None:
        """Connect to a server; see python-engineio.

        Raises:
            ConnectionError: The connection failed.

        """
        was_ready = self.state == "disconnected"
        try:
            await super().connect(url, *args, **options)
        except exceptions.ConnectionError:
            await self._reset()
            raise
        except Exception as error:
            if isinstance(error, ValueError) and not (was_ready and self.state == "connected"):
                raise
            with contextlib.suppress(ValueError):
                connected_clients.remove(self)
            await self._reset()
            raise exceptions.ConnectionError(f"Connection failed: {error!r}") from error

    async def _reset(self) -> None:
        # python-engineio forgets its session after it is closed; by then it may be the next connection's.
        http = None
        if not self.external_http:
            http, self.http = self.http, None
        await super()._reset()
        if http is not None and not http.closed:
            await http.close()

    async def _trigger_event(self, event: str, *args: Any, **options: Any) -> Any:
        if event != "message":
            return await super()._trigger_event(event, *args, **options)
        try:
            self.handlers["message"](*args)
        except Exception:
            self.logger.exception("message handler error")
        return None

    async def _receive_packet(self, pkt: packet.Packet) -> None:
        if pkt.packet_type != packet.CLOSE:
            await super()._receive_packet(pkt)
            return
        await self.queue.put(None)
        if self.current_transport == "websocket":
            await self.ws.close()

    async def _send_request(self, method: str, *args: Any, **options: Any) -> Any:
        answer = await super()._send_request(method, *args, **options)
        if isinstance(answer, str | None):
            return answer
        try:
            # This frees its connection, also where python-engineio looks at the status alone.
            body = await answer.read()
        except Exception as error:
            return f"The answer is incomplete: {error!r}"
        if method != "GET" or answer.status != HTTPStatus.OK:
            return answer
        first, rest = begun(body)
        for pkt in first:
            await self._receive_packet(pkt)
        return AsyncRest(answer.status, rest) if first else answer


class ThreadedEngine(engineio.Client):  # type: ignore[misc] # python-engineio has no types
    """The Engine.IO client of a `Client`."""

    def _get_engineio_url(self, url: str, engineio_path: str, transport: str) -> Any:
        return super()._get_engineio_url(said_in(url), engineio_path, transport)

    def connect(self, url: str, *args: Any, **options: Any) -> None:
        """Connect to a server; see python-engineio.

        Raises:
            ConnectionError: The connection failed.

        """
        was_ready = self.state == "disconnected"
        if was_ready:
            while not self.queue.empty():  # what the last connection left unsent
                self.queue.get_nowait()
        try:
            super().connect(url, *args, **options)
        except exceptions.ConnectionError:
            raise
        except Exception as error:
            if isinstance(error, ValueError) and not (was_ready and self.state == "connected"):
                raise
            with contextlib.suppress(ValueError):
                connected_clients.remove(self)
            self._reset()
            raise exceptions.ConnectionError(f"Connection failed: {error!r}") from error

    def _trigger_event(self, event: str, *args: Any, **options: Any) -> Any:
        if event != "message":
            return super()._trigger_event(event, *args, **options)
        try:
            self.handlers["message"](*args)
        except Exception:
            self.logger.exception("message handler error")
        return None

    def _read_loop_websocket(self) -> None:
        connection = self.ws
        super()._read_loop_websocket()
        # python-engineio leaves the socket open of a connection that was reset or fell silent.
        connection.shutdown()

    def _receive_packet(self, pkt: packet.Packet) -> None:
        if pkt.packet_type != packet.CLOSE:
            super()._receive_packet(pkt)
            return
        self.queue.put(None)
        if self.current_transport == "websocket":
            self.ws.close()

    def _send_request(self, method: str, *args: Any, **options: Any) -> Any:
        answer = super()._send_request(method, *args, **options)
        if method != "GET" or isinstance(answer, str | None) or answer.status_code != HTTPStatus.OK:
            return answer
        first, rest = begun(answer.content)
        for pkt in first:
            self._receive_packet(pkt)
        return ThreadedRest(answer.status_code, rest) if first else answer
