"""Connections being opened: the handshakes of both transports, many at a time, in one thread.

A flow is a generator that follows the protocol exactly and yields whenever it needs more bytes; `open_links`
resumes it when some arrive. When a flow has ended, its WebSocket is handed over to the generator.
"""

import contextlib
import itertools
import select
import socket
import struct
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Final

from roomwire_loadtest.generator.dialects import Centrifuge, Dialect
from roomwire_loadtest.generator.masking import masked
from roomwire_loadtest.generator.scanner import TEXT, walk

HOST: Final = "127.0.0.1"
STALL_S: Final = 20.0
_KEY: Final = "cm9vbXdpcmUtYmVuY2hfXw=="
_ACCEPT: Final = b"MQ5g6hrAU6IxmAAMHbe1Vqf6v8M="
_FEW: Final = 16
_PAUSE_S: Final = 0.0002
_READ_BYTES: Final = 65_536
_RESET: Final = struct.pack("ii", 1, 0)

Flow = Generator[None, None, "Link"]


class LinkError(Exception):
    """A connection could not be opened."""


class Link:
    """A TCP connection to the server, and the bytes that have arrived but have not been read."""

    __slots__ = ("inbox", "sock")

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(0)
        self.sock = sock
        self.inbox = bytearray()

    @classmethod
    def open(cls, port: int) -> "Link":
        """Connect; on the loopback this does not block while the server's backlog has room."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.settimeout(STALL_S)
        try:
            sock.connect((HOST, port))
        except OSError:
            sock.close()
            raise
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(sock)

    def send(self, data: bytes) -> None:
        """Send a small amount of data."""
        if self.sock.send(data) != len(data):
            raise LinkError("the server does not read")

    def receive(self) -> bool:
        """Receive what has arrived; returns False if the server has closed the connection."""
        data = self.sock.recv(_READ_BYTES)
        self.inbox += data
        return bool(data)

    def close(self) -> None:
        """Close at once, without a port in TIME_WAIT; idempotent."""
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.sock.close()

    def head(self) -> Generator[None, None, bytes]:
        """Wait for the head of an HTTP answer."""
        while (end := self.inbox.find(b"\r\n\r\n")) < 0:
            yield
        head = bytes(self.inbox[:end])
        del self.inbox[: end + 4]
        return head

    def answer(self) -> Generator[None, None, bytes]:
        """Wait for an HTTP answer; returns its body."""
        head = yield from self.head()
        lines = head.lower().split(b"\r\n")
        if b" 200" not in lines[0]:
            raise LinkError(f"answered {head[:80]!r}")
        length = next((line for line in lines if line.startswith(b"content-length:")), None)
        if length is not None:
            return (yield from self._exactly(int(length[15:])))
        body = b""
        while True:
            while (end := self.inbox.find(b"\r\n")) < 0:
                yield
            size = int(self.inbox[:end], 16)
            del self.inbox[: end + 2]
            chunk = yield from self._exactly(size + 2)
            if size == 0:
                return body
            body += chunk[:size]

    def text(self) -> Generator[None, None, bytes]:
        """Wait for a text frame; returns its payload."""
        while True:
            frame = next(walk(self.inbox, 0, len(self.inbox)), None)
            if frame is None:
                yield
                continue
            kind, start, end = frame
            payload = bytes(self.inbox[start:end])
            del self.inbox[:end]
            if kind != TEXT:
                raise LinkError(f"a frame of kind {kind:#x} while connecting")
            return payload

    def _exactly(self, size: int) -> Generator[None, None, bytes]:
        while len(self.inbox) < size:
            yield
        data = bytes(self.inbox[:size])
        del self.inbox[:size]
        return data


class Opening:
    """The opening of one connection: the links that it uses so far, and the flow that is resumed when bytes arrive.

    Args:
        port: The server's port.
        dialect: The protocol.
        room: The room to join, whose answer is awaited; None for no room.
        auth: The JSON in Socket.IO's CONNECT. Default: none.

    Attributes:
        room: The room.
        answer: The answer to the CONNECT.

    """

    def __init__(self, port: int, dialect: Dialect, room: str | None, *, auth: bytes = b"") -> None:
        self._port = port
        self._dialect = dialect
        self.room = room
        self._auth = auth
        self.answer = b""
        self.links: list[Link] = []

    def websocket(self) -> Flow:
        """Open a WebSocket at once."""
        link = self._link()
        yield from self._upgrade(link, self._dialect.path)
        if isinstance(self._dialect, Centrifuge):
            link.send(self._dialect.connect)
            _expect(b'{"id":1,"connect":', (yield from link.text()))
        else:
            _expect(b'0{"sid":', (yield from link.text()))
            link.send(masked(b"40" + self._auth))
            self.answer = yield from link.text()
            _expect(b'40{"sid":', self.answer)
        yield from self._join(link)
        return link

    def polling_then_upgrade(self) -> Flow:
        """Poll first, then upgrade, as the official client does by default."""
        http = self._link()
        path = f"/socket.io/?EIO=4&transport=polling&sid={(yield from self._open_polling(http))}"
        http.send(_request(path, b"40" + self._auth))
        yield from http.answer()
        http.send(_request(path))
        _expect(b'40{"sid":', (yield from http.answer()))
        # A poll is pending while the WebSocket is probed; the server ends it.
        http.send(_request(path))
        link = self._link()
        yield from self._upgrade(link, path.replace("polling", "websocket"))
        link.send(masked(b"2probe"))
        _expect(b"3probe", (yield from link.text()))
        _expect(b"6", (yield from http.answer()))
        link.send(masked(b"5"))
        yield from self._join(link)
        return link

    def _link(self) -> Link:
        link = Link.open(self._port)
        self.links.append(link)
        return link

    def _open_polling(self, http: Link) -> Generator[None, None, str]:
        http.send(_request("/socket.io/?EIO=4&transport=polling"))
        opened = yield from http.answer()
        _expect(b'0{"sid":"', opened)
        return opened.split(b'"', 4)[3].decode()

    def _upgrade(self, link: Link, path: str) -> Generator[None, None, None]:
        link.send(
            f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {_KEY}\r\n\r\n".encode()
        )
        head = yield from link.head()
        if b" 101 " not in head[:16] or _ACCEPT not in head:
            raise LinkError(f"no upgrade: {head[:200]!r}")

    def _join(self, link: Link) -> Generator[None, None, None]:
        if self.room is None:
            return
        link.send(self._dialect.join(self.room))
        while not self._dialect.is_joined((yield from link.text())):
            pass


def _request(path: str, body: bytes | None = None) -> bytes:
    if body is None:
        return f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAccept: */*\r\n\r\n".encode()
    return (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nAccept: */*\r\n"
        f"Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def _expect(prefix: bytes, payload: bytes) -> None:
    if not payload.startswith(prefix):
        raise LinkError(f"expected {prefix!r}, got {payload[:80]!r}")


def openings(ports: Sequence[int], dialect: Dialect, rooms: Iterable[str | None]) -> list[Opening]:
    """Return an opening for each room, on the ports in turn."""
    return [Opening(port, dialect, room) for port, room in zip(itertools.cycle(ports), rooms, strict=False)]


def open_links(openings: Sequence[Opening], flow: Callable[[Opening], Flow], *, under_way: int) -> list[Link]:
    """Open connections, `under_way` at a time; returns their WebSockets in the order of the openings.

    Raises:
        LinkError: A connection could not be opened, or nothing arrived for `STALL_S`.

    """
    try:
        with select.epoll() as epoll:
            opened = _Opener(epoll, flow).open(openings, under_way)
    except (LinkError, OSError):
        for opening in openings:
            for link in opening.links:
                link.close()
        raise
    return [opened[opening] for opening in openings]


class _Opener:
    """Resumes each flow when bytes have arrived for it."""

    def __init__(self, epoll: select.epoll, flow: Callable[[Opening], Flow]) -> None:
        self._epoll = epoll
        self._flow = flow
        self._by_fd: dict[int, tuple[Link, Opening, Flow]] = {}
        self._opened: dict[Opening, Link] = {}

    def open(self, openings: Sequence[Opening], under_way: int) -> dict[Opening, Link]:
        waiting = iter(openings)
        for opening in itertools.islice(waiting, under_way):
            self._resume(opening, self._flow(opening))
        heard = time.monotonic()
        while len(self._opened) < len(openings):
            ready = self._epoll.poll(1.0)
            for fd, _ in ready:
                heard = time.monotonic()
                if self._receive(fd) and (following := next(waiting, None)):
                    self._resume(following, self._flow(following))
            if len(ready) < _FEW:
                # Data that arrives meanwhile is read at once, with a single wake-up of this process.
                time.sleep(_PAUSE_S)
            if time.monotonic() - heard > STALL_S:
                raise LinkError(f"nothing arrived for {STALL_S:.0f} s; {len(self._opened)} had connected")
        return self._opened

    def _receive(self, fd: int) -> bool:
        """Receive what has arrived; returns whether that opened a connection."""
        if fd not in self._by_fd:
            return False
        link, opening, running = self._by_fd[fd]
        if link.receive():
            return self._resume(opening, running)
        if link is opening.links[-1]:
            raise LinkError(f"the server closed: {bytes(link.inbox[:80])!r}")
        # This is the polling connection, which a server may close after its last answer.
        self._epoll.unregister(link.sock)
        return False

    def _resume(self, opening: Opening, running: Flow) -> bool:
        """Continue a flow; returns whether it has ended."""
        known = len(opening.links)
        try:
            next(running)
        except StopIteration as stop:
            self._opened[opening] = stop.value
            self._finish(opening, stop.value)
            return True
        for link in opening.links[known:]:
            self._by_fd[link.sock.fileno()] = (link, opening, running)
            self._epoll.register(link.sock, select.EPOLLIN)
        return False

    def _finish(self, opening: Opening, websocket: Link) -> None:
        for link in opening.links:
            self._by_fd.pop(link.sock.fileno(), None)
            with contextlib.suppress(FileNotFoundError):
                self._epoll.unregister(link.sock)
            if link is not websocket:
                link.close()
