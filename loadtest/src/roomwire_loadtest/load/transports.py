"""Engine.IO 4 over a WebSocket and over HTTP long-polling, with blocking calls, during which gevent runs other users."""

import base64
import http.client
import os
import select
from typing import ClassVar, Final, Protocol
from urllib.parse import urlencode

from roomwire_loadtest.generator.masking import BINARY, PONG, masked
from roomwire_loadtest.load.packets import FrameReader
from roomwire_loadtest.load.target import Target

_PATH: Final = "/socket.io/?EIO=4&transport="
_TEXT: Final = 1
_CLOSE: Final = 8
_PING: Final = 9
_RECORD_SEPARATOR: Final = "\x1e"
_MAX_HEAD_BYTES: Final = 16_384


Packet = str | bytes


class Closed(Exception):
    """The connection ended, or could not be opened."""


class Transport(Protocol):
    """An Engine.IO connection; every method raises Closed or `OSError` once it has ended."""

    def send(self, *packets: Packet) -> None:
        """Send Engine.IO packets together; bytes are an attachment of the packet before."""
        ...

    def receive(self) -> list[str]:
        """Wait for packets."""
        ...

    def fileno(self) -> int:
        """Return the number of the socket on which packets arrive, for `select`."""
        ...

    def is_open(self) -> bool:
        """Drop what has arrived; return whether the connection is still open. Never raises."""
        ...

    def close(self) -> None:
        """End the connection; never raises."""
        ...


class WebSocketTransport:
    """A WebSocket.

    Args:
        target: The ingress.
        timeout_s: Time limit for the handshake, and for every wait for bytes.

    """

    name: ClassVar = "websocket"

    def __init__(self, target: Target, *, timeout_s: float) -> None:
        self._socket = target.connected(timeout_s)
        self._frames = FrameReader()
        try:
            self._waiting = self._shake_hands(target)
        except BaseException:
            self._socket.close()
            raise

    def _shake_hands(self, target: Target) -> bytes:
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET {target.prefix}{_PATH}websocket HTTP/1.1\r\nHost: {target.authority}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        head = b""
        while b"\r\n\r\n" not in head and len(head) < _MAX_HEAD_BYTES:
            head += self._read()
        if not head.startswith(b"HTTP/1.1 101"):
            raise Closed(head.partition(b"\r\n")[0].decode("latin-1"))
        return head.partition(b"\r\n\r\n")[2]

    def _read(self) -> bytes:
        data = self._socket.recv(65_536)
        if not data:
            raise Closed("the server closed the connection")
        return data

    def send(self, *packets: Packet) -> None:
        """Send each packet in its own frame, all of them at once."""
        frames = (masked(one, BINARY) if isinstance(one, bytes) else masked(one.encode()) for one in packets)
        self._socket.sendall(b"".join(frames))

    def receive(self) -> list[str]:
        """Wait for bytes, and return the packets that are complete."""
        data, self._waiting = self._waiting or self._read(), b""
        texts = []
        for kind, payload in self._frames.feed(data):
            if kind == _CLOSE:
                raise Closed(f"close frame {int.from_bytes(payload[:2], 'big')}")
            if kind == _PING:
                self._socket.sendall(masked(payload, PONG))
            elif kind == _TEXT:
                texts.append(payload.decode())
        return texts

    def fileno(self) -> int:
        """See `Transport`."""
        return self._socket.fileno()

    def is_open(self) -> bool:
        """See `Transport`; it does not wait."""
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        try:
            while waiting.poll(0):
                self.receive()
        except (Closed, OSError):
            return False
        return True

    def close(self) -> None:
        """Close the connection without a handshake."""
        self._socket.close()


class PollingTransport:
    """HTTP long-polling: one connection polls, another sends; the ingress's cookies are kept.

    Args:
        target: The ingress.
        timeout_s: Time limit for an answer.

    """

    name: ClassVar = "polling"

    def __init__(self, target: Target, *, timeout_s: float) -> None:
        self._path = f"{target.prefix}{_PATH}polling"
        self._headers: dict[str, str] = {}
        self._polls = target.http(timeout_s)
        self._posts = target.http(timeout_s)
        self._waiting: list[str] = []
        try:
            self._waiting = self.receive()
            sid = self._waiting[0].partition('"sid":"')[2].partition('"')[0]
        except BaseException:
            self.close()
            raise
        self._path += "&" + urlencode({"sid": sid})

    def send(self, *packets: Packet) -> None:
        """Send the packets in one request."""
        texts = (f"b{base64.b64encode(one).decode()}" if isinstance(one, bytes) else one for one in packets)
        self._ask(self._posts, "POST", _RECORD_SEPARATOR.join(texts).encode())

    def receive(self) -> list[str]:
        """Return the packets of one poll."""
        if waiting := self._waiting:
            self._waiting = []
            return waiting
        return self._ask(self._polls, "GET", None).split(_RECORD_SEPARATOR)

    def fileno(self) -> int:
        """See `Transport`."""
        return self._polls.sock.fileno()

    def is_open(self) -> bool:
        """See `Transport`. No connection shows whether the session is open; a POST of nothing but a pong does."""
        try:
            self.send("3")
        except (Closed, OSError):
            return False
        return True

    def _ask(self, connection: http.client.HTTPConnection, method: str, body: bytes | None) -> str:
        _drop_if_closed(connection)
        try:
            connection.request(method, self._path, body, self._headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        except http.client.HTTPException as error:
            raise Closed(str(error) or type(error).__name__) from error
        if answer.status != http.client.OK:
            raise Closed(f"HTTP {answer.status}")
        if cookie := answer.getheader("Set-Cookie"):
            self._headers["Cookie"] = cookie.partition(";")[0]
        return text

    def close(self) -> None:
        """Close both connections."""
        self._polls.close()
        self._posts.close()


def _drop_if_closed(connection: http.client.HTTPConnection) -> None:
    """Discard a connection that the server has closed because it was idle, so that a new one is opened."""
    if connection.sock is not None:
        waiting = select.poll()
        waiting.register(connection.sock, select.POLLIN)
        # No request is pending on it, so there is nothing to read except its end.
        if waiting.poll(0):
            connection.close()
