"""What the fuzzer and the properties feed: any bytes, as a stranger could send them, into a whole server.

The first byte of an input says where it goes, the second how it is cut, the rest is what is sent:

    0  a connection's bytes, its request included      1  what follows a good request
    2  what follows the CONNECT of two namespaces      3  the text of one packet of a connected client
    4  the body of a POST                              5  as 2, where compression is agreed on
    6  as 3, in a compressed message

A first byte of 255 is an exception: the rest, repeated, is a text in the log, from which secrets are removed.

Whatever comes, no exception may leave the server or be logged as one, and after the connection's end nothing
may be left of it. An input may cost lines and memory in proportion to its size (`costs`).
"""

import asyncio
import contextlib
import zlib
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import msgspec
import structlog.testing

from roomwire import Gateway, Key, Server, Socket, subscribe
from roomwire.engine.fast_socket import FastSocket
from roomwire.limits.client import Limits
from roomwire.logs import redact_text
from roomwire.protocol import packets
from roomwire.protocol.codec import BadPacket, Packet
from roomwire.protocol.deflate import PerMessageDeflate

from .costs import check_time, work_of

REQUEST = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
DEFLATING = REQUEST[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
LIMITS = Limits(max_payload_bytes=10_000, max_fragments=8, max_waiting_messages=8, max_waiting_events=8)
MASK = b"\x37\xfa\x21\x3d"
DEFLATED = 0x40
TURNS = 200
LOGGED = 255
LOGGED_CHARS = 200_000


def frame(opcode: int, payload: bytes, *, is_last: bool = True, reserved: int = 0) -> bytes:
    """Return a masked frame."""
    size = len(payload)
    length = bytes([size | 0x80]) if size <= 125 else b"\xfe" + size.to_bytes(2, "big")
    masked = bytes(byte ^ MASK[place % 4] for place, byte in enumerate(payload))
    return bytes([opcode | reserved | (0x80 if is_last else 0)]) + length + MASK + masked


def deflated(message: bytes) -> bytes:
    """Return the payload of a compressed message: RFC 7692, section 7.2.1."""
    compressor = zlib.compressobj(wbits=-15)
    return (compressor.compress(message) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def seeds() -> Iterator[bytes]:
    """Yield inputs from which the fuzzer begins: each of them does something else that is allowed, or nearly so."""
    texts = [
        b'42["function",1]', b'421["function",{"a":[1.5,null,"\xc3\xa9"]}]', b'42/g,3["typed",{"text":"x","number":1}]',
        b'42/g,["key",{"name":"x"}]', b'42/g,4["slow"]', b'43/g,1["x"]', b"41/g,", b"41", b"3", b"1", b"40/none,{}",
        b'42["ask"]', b'431["x"]', b'42/g,5["nobody"]', b'42["disconnect"]',
    ]  # fmt: skip
    binary = b'451-["function",{"_placeholder":true,"num":0}]'
    for text in texts:
        yield b"\3\0" + text
    yield b"\2\0" + b"".join(frame(1, text) for text in texts[:6])
    yield b"\2\0" + frame(1, binary) + frame(2, b"\0\xff") + frame(1, b"46" + binary[2:])
    yield (
        b"\2\1" + frame(1, b"42[", is_last=False) + frame(9, b"!") + frame(0, b'"function"]') + frame(10, b"")
    )
    yield b"\2\0" + frame(1, b"42/g," + b'7["typed",{"text":"' + b"x" * 200 + b'","number":2}]')
    yield b"\1\0" + frame(1, b"40") + frame(1, b'40/g,{"token":"x"}') + frame(8, b"\x03\xe8bye")
    yield b"\1\5" + frame(1, b"40") + frame(1, b"41") + frame(1, b"40")
    yield b"\0\0" + REQUEST + frame(1, b"40")
    yield b"\0\0" + REQUEST.replace(b"websocket HTTP", b"websocket&sid=node.x HTTP")
    yield b"\0\0" + REQUEST.replace(b"Version: 13", b"Version: 8")
    yield b"\4\0" + b'42["x"]\x1eb/+8=\x1e3'
    yield b"\5\0" + b"".join(frame(1, deflated(text), reserved=DEFLATED) for text in texts[:6])
    yield (
        b"\5\1"
        + frame(1, deflated(texts[1])[:9], reserved=DEFLATED, is_last=False)
        + frame(0, deflated(texts[1])[9:])
    )
    yield b"\5\0" + frame(1, b"3") + frame(2, deflated(b"x" * 10_001), reserved=DEFLATED)
    yield b"\5\0" + frame(9, b"!", reserved=DEFLATED) + frame(1, b"\xff", reserved=DEFLATED)
    yield b"\5\0" + b"".join(frame(1, deflated(b"4" + b"x" * 9_000), reserved=DEFLATED) for _ in range(20))
    for text in texts[:3]:
        yield b"\6\0" + deflated(text)
    for text in (b"password=x&", b"eyJ.", b"://a:", b"bearer ", b"token"):
        yield bytes([LOGGED, 0]) + text


class _Body(msgspec.Struct):
    text: str
    number: int = 0


class _Gateway(Gateway):
    @subscribe("typed")
    async def typed(self, body: _Body) -> _Body:
        return body

    @subscribe("key")
    def key(self, name: Annotated[str, Key("name")]) -> str:
        return name

    @subscribe("slow")
    async def slow(self, socket: Socket) -> str:
        await asyncio.sleep(0)
        await socket.emit("slow", b"\0")
        return "slow"


class Transport:
    """Takes what is written, and stops and resumes reading as it is told."""

    def __init__(self) -> None:
        self.is_over = False
        self.is_paused = False
        self.data = bytearray()

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def write(self, data: bytes) -> None:
        self.data += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        pass

    def close(self) -> None:
        self.is_over = True

    abort = close

    def is_closing(self) -> bool:
        return self.is_over

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, _: str) -> Any:
        return ("203.0.113.9", 1)


class Target:
    """A whole server without a network, on an event loop of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._failures: list[Any] = []
        self._loop.set_exception_handler(lambda _, context: self._failures.append(context))
        self.server = Server(
            limits=LIMITS, cors_allowed_origins="*", per_message_deflate=PerMessageDeflate(threshold_bytes=20)
        )
        self.server.on("connect", lambda *_: None)
        self.server.on("function", lambda _, *args: args)
        self.server.on("ask", self._ask)
        self.server.register_namespace(_Gateway("/g"))

    async def _ask(self, sid: str, *_: Any) -> None:
        await self.server.emit("ask", to=sid, callback=lambda *args: args)

    def close(self) -> None:
        """End it."""
        self._loop.run_until_complete(self.server.shutdown())
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def feed(self, data: bytes) -> None:
        """Take one input.

        Raises:
            Exception: A finding.

        """
        kind, cut, rest = (data + b"\0\0")[0] % 7, (data + b"\0\0")[1], data[2:]
        if data[:1] == bytes([LOGGED]):
            _redact(data[2:])
            return
        kind, cut, rest = (data + b"\0\0")[0] % 5, (data + b"\0\0")[1], data[2:]
        with structlog.testing.capture_logs() as logged:
            if kind == 4:
                _decode(rest)
            else:
                self._loop.run_until_complete(self._converse(kind, cut, rest))
        errors = [entry for entry in logged if entry["log_level"] in {"error", "critical"}]
        if errors or self._failures:
            found, self._failures = [*errors, *self._failures], []
            raise AssertionError(f"an exception inside the server: {found}")

    def measure(self, data: bytes) -> None:
        """Take one input, as `feed` does, and count what it costs.

        Raises:
            TooDear: It costs more than its size allows.
            Exception: Another finding.

        """
        size = LOGGED_CHARS if data[:1] == bytes([LOGGED]) else len(data)
        work_of(lambda: self.feed(data)).check(size)

    async def _converse(self, kind: int, cut: int, rest: bytes) -> None:
        transport, connections = Transport(), set[Any]()
        socket = FastSocket(self.server.eio, connections)
        socket.connection_made(transport)
        put = _putting(socket, transport)
        request = REQUEST if kind < 5 else DEFLATING
        before = [request, frame(1, b"40"), frame(1, b"40/g,")][: (0, 1, 3, 3, 0, 3, 3)[kind]]
        for data in before:
            put(data)
        await asyncio.sleep(0)
        if kind in {3, 6}:
            rest = frame(1, rest[:9_000], reserved=DEFLATED if kind == 6 else 0)
        size = cut or max(1, len(rest))
        for start in range(0, len(rest), size):
            put(rest[start : start + size])
            if cut % 3 == 1:
                await asyncio.sleep(0)
            await _reading(transport)
        await asyncio.sleep(0)
        socket.connection_lost(None)
        for _ in range(TURNS):
            if not self._left():
                break
            await asyncio.sleep(0)
        assert {} == self._left(), "left of a connection that is gone"
        assert not connections

    def _left(self) -> dict[str, Any]:
        server = self.server
        kept = {
            "sockets": server.eio.sockets,
            "rooms": server.manager.rooms,
            "callbacks": server.manager.callbacks,
            "environ": server.environ,
            "attachments": server._binary_packet,
            "admissions": server._parts.connects.admissions,
        }
        return {name: list(value) for name, value in kept.items() if value}


def _putting(socket: FastSocket, transport: Transport) -> Callable[[bytes], None]:
    def put(data: bytes) -> None:
        # After the end, asyncio hands over no more.
        if data and not transport.is_over:
            socket.data_received(data)

    return put


async def _reading(transport: Transport) -> None:
    """Wait as asyncio does, which hands over nothing while reading is paused."""
    for _ in range(TURNS):
        if not transport.is_paused or transport.is_over:
            return
        await asyncio.sleep(0)
    raise AssertionError("reading was paused and never resumed")


def _redact(text: bytes) -> None:
    line = text.decode("utf-8", "replace")
    if line:
        line *= LOGGED_CHARS // len(line)
        check_time(lambda: redact_text(line))


def _decode(body: bytes) -> None:
    with contextlib.suppress(packets.BadEnginePacket):
        for packet in packets.decode_payload(body, max_packets=8):
            if isinstance(packet, str):
                with contextlib.suppress(BadPacket):
                    found = Packet(encoded_packet=packet)
                    if found.attachment_count == 0:
                        Packet(encoded_packet=found.encode())
