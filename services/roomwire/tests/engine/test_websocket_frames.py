"""RFC 6455 on the fast path, frame by frame: what a browser never sends and a stranger may."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fixtures.protocol import OPTIONS
from peers import WAIT_S
from serving import served

from roomwire.engine import Engine
from roomwire.engine.fast import fast_websocket
from roomwire.engine.limits import Limits

MAX_FRAGMENTS = Limits().max_fragments
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
LIMIT = 100_000
MASK = b"\x37\xfa\x21\x3d"
PATH = "/engine.io/"


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, length: bytes | None = None
) -> bytes:
    """Return a masked frame, with a length of the test's own if it gives one."""
    if length is None:
        size = len(payload)
        if size <= 125:
            length = bytes([size])
        elif size <= 0xFFFF:
            length = b"\x7e" + struct.pack("!H", size)
        else:
            length = b"\x7f" + struct.pack("!Q", size)
    first = opcode | rsv | (0x80 if fin else 0)
    masked = bytes(byte ^ MASK[place % 4] for place, byte in enumerate(payload))
    return bytes([first, length[0] | 0x80]) + length[1:] + MASK + masked


def message(text: str = "4hello") -> bytes:
    return frame(TEXT, text.encode())


def close(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason)


class Wire:
    """A TCP connection that speaks WebSocket by hand."""

    def __init__(self, engine: Engine, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.engine = engine
        self._reader = reader
        self._writer = writer

    async def put(self, *frames: bytes) -> None:
        """Send frames in one piece."""
        self._writer.write(b"".join(frames))
        await self._writer.drain()

    async def read(self) -> tuple[int, bytes]:
        """Return opcode and payload of the next frame; Engine.IO's pings are answered and left out."""
        while (found := await self._read()) == (TEXT, b"2"):
            await self.put(message("3"))
        return found

    async def _read(self) -> tuple[int, bytes]:
        async with asyncio.timeout(WAIT_S):
            first, second = await self._reader.readexactly(2)
            assert 0x80 == first & 0xF0, "a server of ours fragments nothing and reserves nothing"
            assert 0 == second & 0x80, "a server must not mask"
            size = second
            if second == 126:
                (size,) = struct.unpack("!H", await self._reader.readexactly(2))
            elif second == 127:
                (size,) = struct.unpack("!Q", await self._reader.readexactly(8))
            return first & 0x0F, await self._reader.readexactly(size)

    async def closed(self) -> tuple[int, bytes]:
        """Return the code of the close frame that must come next, and what comes after it until the end."""
        opcode, payload = await self.read()
        assert CLOSE == opcode, payload
        async with asyncio.timeout(WAIT_S):
            try:
                rest = await self._reader.read()
            except ConnectionResetError:
                # The kernel says so if the server has not read all that we sent.
                rest = b""
        return struct.unpack("!H", payload[:2])[0], rest

    async def gone(self) -> None:
        """Return once the engine has forgotten the session."""
        async with asyncio.timeout(WAIT_S):
            while self.engine.sockets:
                await asyncio.sleep(0)


@pytest.fixture
async def wire(free_port: int) -> AsyncIterator[Wire]:
    async with opened(free_port) as found:
        yield found


@asynccontextmanager
async def opened(port: int) -> AsyncIterator[Wire]:
    """Serve an echo with all messages taken, and yield a connection whose session has begun."""
    engine = Engine(**OPTIONS | {"max_http_buffer_size": LIMIT, "ping_interval": 60, "ping_timeout": 60})

    @engine.on("message")
    async def echo(sid: str, data: str | bytes) -> None:
        await engine.send(sid, data)

    async def nothing_else(_scope, _receive, _send) -> None:
        raise AssertionError("a WebSocket of ours came over ASGI")

    async with served(nothing_else, port=port, ws=fast_websocket(engine, PATH)):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"GET {PATH}?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
        wire = Wire(engine, reader, writer)
        opcode, payload = await wire.read()
        assert (TEXT, b"0") == (opcode, payload[:1])
        yield wire
        writer.close()
    await engine.shutdown()


SPLIT = "4\u20ac".encode()

ECHOED = [
    pytest.param([message()], [(TEXT, b"4hello")], id="text"),
    pytest.param([frame(TEXT, b"4")], [(TEXT, b"4")], id="empty text"),
    pytest.param([frame(BINARY, b"\x00\xff")], [(BINARY, b"\x00\xff")], id="binary"),
    pytest.param([frame(BINARY)], [(BINARY, b"")], id="empty binary"),
    *(
        pytest.param([frame(BINARY, b"x" * size)], [(BINARY, b"x" * size)], id=f"{size} bytes")
        for size in [125, 126, 127, 65_535, 65_536, LIMIT]
    ),
    pytest.param(
        [frame(TEXT, b"4" + b"x" * (LIMIT - 1))], [(TEXT, b"4" + b"x" * (LIMIT - 1))], id="the limit"
    ),
    pytest.param(
        [frame(TEXT, b"4he", fin=False), frame(CONTINUATION, b"llo")], [(TEXT, b"4hello")], id="text in two"
    ),
    pytest.param(
        [
            frame(BINARY, b"\x00", fin=False),
            frame(CONTINUATION, b"\x01", fin=False),
            frame(CONTINUATION, b"\x02"),
        ],
        [(BINARY, b"\x00\x01\x02")],
        id="binary in three",
    ),
    pytest.param(
        [frame(TEXT, fin=False), frame(CONTINUATION, b"4x", fin=False), frame(CONTINUATION)],
        [(TEXT, b"4x")],
        id="empty fragments",
    ),
    pytest.param(
        [frame(TEXT, SPLIT[:2], fin=False), frame(CONTINUATION, SPLIT[2:])],
        [(TEXT, SPLIT)],
        id="a split character",
    ),
    pytest.param(
        [frame(BINARY, b"x" * (LIMIT // 2), fin=False), frame(CONTINUATION, b"x" * (LIMIT // 2))],
        [(BINARY, b"x" * LIMIT)],
        id="the limit in two",
    ),
    pytest.param(
        [
            frame(BINARY, b"x", fin=False),
            *[frame(CONTINUATION, b"x", fin=False)] * (MAX_FRAGMENTS - 2),
            frame(CONTINUATION, b"x"),
        ],
        [(BINARY, b"x" * MAX_FRAGMENTS)],
        id="as many fragments as allowed",
    ),
    pytest.param([frame(PING, b"are you there")], [(PONG, b"are you there")], id="ping"),
    pytest.param([frame(PING)], [(PONG, b"")], id="empty ping"),
    pytest.param([frame(PING, b"x" * 125)], [(PONG, b"x" * 125)], id="the largest ping"),
    pytest.param([frame(PONG, b"unasked"), message()], [(TEXT, b"4hello")], id="an unasked pong"),
    pytest.param(
        [frame(TEXT, b"4he", fin=False), frame(PING, b"!"), frame(PONG), frame(CONTINUATION, b"llo")],
        [(PONG, b"!"), (TEXT, b"4hello")],
        id="control frames between fragments",
    ),
    pytest.param(
        [message("4a"), frame(BINARY, b"b"), message("4c")] * 50,
        [(TEXT, b"4a"), (BINARY, b"b"), (TEXT, b"4c")] * 50,
        id="many frames",
    ),
]


@pytest.mark.parametrize(("frames", "echo"), ECHOED)
async def test_what_keeps_to_the_rfc_is_echoed_from_one_segment(wire: Wire, frames, echo):
    await wire.put(*frames)
    assert echo == [await wire.read() for _ in echo]
    assert 1 == len(wire.engine.sockets)


@pytest.mark.parametrize(
    ("frames", "echo"), [case for case in ECHOED if len(b"".join(case.values[0])) < 1_000]
)
async def test_what_keeps_to_the_rfc_is_echoed_byte_by_byte(wire: Wire, frames, echo):
    for byte in b"".join(frames):
        await wire.put(bytes([byte]))
        await asyncio.sleep(0)
    assert echo == [await wire.read() for _ in echo]


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        pytest.param([b"\x81\x064hello"], 1002, id="no mask"),
        pytest.param([b"\x89\x00"], 1002, id="a ping without a mask"),
        *(
            pytest.param([frame(TEXT, b"4x", rsv=bit)], 1002, id=f"reserved bit {bit:#x}")
            for bit in (64, 32, 16)
        ),
        *(
            pytest.param([frame(BINARY, b"x", rsv=bit)], 1002, id=f"binary, reserved {bit:#x}")
            for bit in (64, 16)
        ),
        *(
            pytest.param([frame(PING, b"x", rsv=bit)], 1002, id=f"ping, reserved bit {bit:#x}")
            for bit in (64, 16)
        ),
        *(
            pytest.param([frame(opcode)], 1002, id=f"opcode {opcode}")
            for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]
        ),
        pytest.param([frame(PING, b"x", fin=False)], 1002, id="a fragmented ping"),
        pytest.param([frame(CLOSE, fin=False)], 1002, id="a fragmented close"),
        pytest.param([frame(PING, b"x" * 126)], 1002, id="too long a ping"),
        pytest.param([close(1000, b"x" * 124)], 1002, id="too long a close"),
        pytest.param([frame(CONTINUATION, b"x")], 1002, id="a continuation of nothing"),
        pytest.param([frame(CONTINUATION, b"x", fin=False)], 1002, id="an endless continuation of nothing"),
        pytest.param(
            [frame(TEXT, b"4", fin=False), frame(CONTINUATION), frame(CONTINUATION)],
            1002,
            id="a continuation after the end",
        ),
        *(
            pytest.param(
                [frame(first, b"4", fin=False), frame(second, b"4")], 1002, id=f"{second} inside {first}"
            )
            for first in (TEXT, BINARY)
            for second in (TEXT, BINARY)
        ),
        pytest.param([frame(TEXT, fin=False), message()], 1002, id="a message inside an empty fragment's"),
        pytest.param([frame(TEXT, b"4\xff")], 1007, id="no UTF-8"),
        pytest.param([frame(TEXT, b"4\xed\xa0\x80")], 1007, id="half a surrogate pair"),
        pytest.param([frame(TEXT, SPLIT[:2])], 1007, id="a character cut short"),
        pytest.param(
            [frame(TEXT, b"4\xff", fin=False), frame(CONTINUATION, b"x")], 1007, id="no UTF-8 in a fragment"
        ),
        pytest.param(
            [frame(TEXT, SPLIT[:2], fin=False), frame(CONTINUATION, b"x")],
            1007,
            id="a split character continued wrongly",
        ),
        pytest.param([frame(TEXT, b"4" + b"x" * LIMIT)], 1009, id="a text over the limit"),
        pytest.param([frame(BINARY, b"x" * (LIMIT + 1))], 1009, id="binary over the limit"),
        pytest.param(
            [frame(TEXT, length=b"\x7f" + struct.pack("!Q", 1 << 62))], 1009, id="a length of exabytes"
        ),
        pytest.param(
            [frame(BINARY, b"x" * 20_000, fin=False), *[frame(CONTINUATION, b"x" * 20_000, fin=False)] * 5],
            1009,
            id="fragments over the limit",
        ),
        pytest.param(
            [frame(BINARY, b"x", fin=False), *[frame(CONTINUATION, b"x", fin=False)] * MAX_FRAGMENTS],
            1009,
            id="one fragment too many",
        ),
        pytest.param(
            [frame(TEXT, fin=False), *[frame(CONTINUATION, fin=False)] * 10_000],
            1009,
            id="endless empty fragments",
        ),
        pytest.param([frame(TEXT, b"4hi", length=b"\x7e\x00\x03")], 1002, id="a short length in two bytes"),
        pytest.param(
            [frame(TEXT, b"4hi", length=b"\x7f" + struct.pack("!Q", 3))], 1002, id="a short length in eight"
        ),
        pytest.param(
            [frame(TEXT, b"4" * 126, length=b"\x7f" + struct.pack("!Q", 126))],
            1002,
            id="a medium length in eight",
        ),
        pytest.param([frame(TEXT, length=b"\x7f" + struct.pack("!Q", 1 << 63))], 1002, id="the highest bit"),
        pytest.param([message("abc")], 1000, id="no Engine.IO packet"),
        pytest.param([message("1")], 1000, id="an Engine.IO close"),
    ],
)
async def test_what_breaks_the_rfc_ends_in_its_code_and_nothing_follows(wire: Wire, frames, code):
    await wire.put(*frames, message("4after"))
    assert (code, b"") == await wire.closed()
    await wire.gone()


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(frame(CLOSE), 1000, id="no code"),
        *(
            pytest.param(close(code, b"bye"), code, id=str(code))
            for code in [
                1000,
                1001,
                1002,
                1003,
                1007,
                1008,
                1009,
                1010,
                1011,
                1012,
                1013,
                1014,
                3000,
                3999,
                4000,
                4999,
            ]
        ),
        *(
            pytest.param(close(code), 1002, id=f"{code}, which may not be sent")
            for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535]
        ),
        pytest.param(frame(CLOSE, b"\x03"), 1002, id="half a code"),
        pytest.param(close(1000, b"\xff"), 1007, id="a reason that is no UTF-8"),
    ],
)
async def test_a_close_is_answered_with_its_code_if_it_may_have_one(wire: Wire, sent, code):
    await wire.put(sent, message("4after"), frame(PING))
    assert (code, b"") == await wire.closed()
    await wire.gone()


async def test_a_close_between_fragments_is_answered(wire: Wire):
    await wire.put(frame(TEXT, b"4", fin=False), close(1001))
    assert (1001, b"") == await wire.closed()
    await wire.gone()


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="between frames"),
        pytest.param(b"\x81", id="inside a header"),
        pytest.param(frame(TEXT, b"4hello")[:-2], id="inside a payload"),
        pytest.param(frame(TEXT, b"4", fin=False), id="between fragments"),
    ],
)
async def test_a_connection_that_is_cut_is_forgotten(wire: Wire, sent):
    await wire.put(sent)
    wire._writer.transport.abort()
    await wire.gone()


async def test_what_came_before_a_broken_frame_in_other_segments_is_echoed(wire: Wire):
    await wire.put(message("4before"))
    assert (TEXT, b"4before") == await wire.read()
    await wire.put(frame(TEXT, b"4\xff"))
    assert (1007, b"") == await wire.closed()
    await wire.gone()
