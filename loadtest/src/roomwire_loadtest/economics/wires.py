"""A stranger's connections: those of the load test, with every byte counted.

Everything blocks, because an attacker of this program does one thing at a time; `things` knows what is sent.
"""

import contextlib
import http.client
import socket
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from roomwire_loadtest.generator.links import HOST
from roomwire_loadtest.load.target import Target
from roomwire_loadtest.load.transports import Closed, Packet, PollingTransport, Transport, WebSocketTransport

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

TIMEOUT_S: Final = 20.0


class Meter:
    """The bytes that a stranger has sent and received, without the headers of TCP and IP."""

    def __init__(self) -> None:
        self.up = 0
        self.down = 0


class MeteredSocket(socket.socket):
    """A socket whose bytes are counted.

    Args:
        plain: The connected socket, which this one replaces.
        meter: Counts the bytes.

    """

    def __init__(self, plain: socket.socket, meter: Meter) -> None:
        timeout = plain.gettimeout()
        super().__init__(plain.family, plain.type, plain.proto, fileno=plain.detach())
        self.settimeout(timeout)
        self._meter = meter

    def sendall(self, data: "ReadableBuffer", flags: int = 0, /) -> None:
        """Send all of the data."""
        super().sendall(data, flags)
        self._meter.up += memoryview(data).nbytes

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Receive data."""
        data = super().recv(size, flags)
        self._meter.down += len(data)
        return data

    def recv_into(self, buffer: "WriteableBuffer", size: int = 0, flags: int = 0) -> int:
        """Receive data into a buffer, as the files do that are made of a socket."""
        received = super().recv_into(buffer, size, flags)
        self._meter.down += received
        return received


class _MeteredHttp(http.client.HTTPConnection):
    """An HTTP connection whose bytes are counted."""

    def __init__(self, authority: str, meter: Meter, timeout_s: float) -> None:
        super().__init__(authority, timeout=timeout_s)
        self._meter = meter

    def connect(self) -> None:
        """Connect."""
        super().connect()
        self.sock = MeteredSocket(self.sock, self._meter)


@dataclass(frozen=True, kw_only=True)
class MeteredTarget(Target):
    """A service whose connections are counted.

    Attributes:
        meter: Counts their bytes.

    """

    meter: Meter

    @classmethod
    def at(cls, port: int, meter: Meter) -> "MeteredTarget":
        """Return the target of a port."""
        target = Target.of(f"http://{HOST}:{port}")
        return cls(**{field.name: getattr(target, field.name) for field in fields(target)}, meter=meter)

    def http(self, timeout_s: float) -> http.client.HTTPConnection:
        """See `Target`."""
        return _MeteredHttp(self.authority, self.meter, timeout_s)

    def connected(self, timeout_s: float) -> socket.socket:
        """See `Target`."""
        return MeteredSocket(super().connected(timeout_s), self.meter)


class Http:
    """A connection for requests, which stays open as long as the service keeps it.

    Args:
        port: The service's port.
        meter: Counts the bytes.

    """

    def __init__(self, port: int, meter: Meter) -> None:
        self._connection = MeteredTarget.at(port, meter).http(TIMEOUT_S)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        kind: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """Send a request; return the status and the body of the answer. Raises `Closed`."""
        own = {} if body is None else {"Content-Type": kind}
        with _closed():
            self._connection.request(method, path, body, {**(headers or {}), **own})
            answer = self._connection.getresponse()
            return answer.status, answer.read()

    def close(self) -> None:
        """Close; idempotent."""
        self._connection.close()


class Session:
    """An Engine.IO session that is open. Its methods raise `Closed` once it has ended.

    Args:
        way: The transport.
        port: The gateway's port.
        meter: Counts the bytes.

    """

    def __init__(self, way: str, port: int, meter: Meter) -> None:
        self._packets = deque[str]()
        make = PollingTransport if way == "polling" else WebSocketTransport
        with _closed():
            self._transport: Transport = make(MeteredTarget.at(port, meter), timeout_s=TIMEOUT_S)
        self.until("0")

    def send(self, *packets: Packet) -> None:
        """Send packets together."""
        with _closed():
            self._transport.send(*packets)

    def until(self, *prefixes: str) -> str:
        """Return the next packet with one of the prefixes; pings are answered."""
        while True:
            while self._packets:
                packet = self._packets.popleft()
                if packet == "2":
                    self.send("3")
                if packet.startswith(prefixes):
                    return packet
            with _closed():
                self._packets += self._transport.receive()

    def rest(self) -> None:
        """Receive everything up to the end of the session."""
        with contextlib.suppress(Closed), _closed():
            while True:
                self._transport.receive()

    def fileno(self) -> int:
        """Return the number of the socket on which packets arrive, for `select`."""
        return self._transport.fileno()

    def answer_pings(self) -> None:
        """Wait for packets, drop them, and answer the pings among them."""
        with _closed():
            pings = self._transport.receive().count("2")
        if pings:
            self.send(*["3"] * pings)

    def is_open(self) -> bool:
        """Drop what has arrived; return whether the session is still open. Never raises."""
        return self._transport.is_open()

    def close(self) -> None:
        """Close its connections; idempotent."""
        self._transport.close()


@contextlib.contextmanager
def _closed() -> Iterator[None]:
    """Raise `Closed` for every way in which a connection fails."""
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        raise Closed(str(error)) from error
