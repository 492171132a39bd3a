"""RFC 6455 on the fast path, frame by frame: what a browser never sends and a stranger may.

At the end stand the Autobahn test suite's groups of cases that these tables do not hold already, in our words.
"""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fixtures.protocol import OPTIONS
from peers import WAIT_S
from serving import served

from roomwire.engine.asgi import AsgiEngine
from roomwire.engine.fast import fast_websocket
from roomwire.limits.client import Limits

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

    def __init__(
        self, engine: AsgiEngine, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
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
    engine = AsgiEngine(**OPTIONS | {"max_http_buffer_size": LIMIT, "ping_interval": 60, "ping_timeout": 60})

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


def fragments(opcode: int, payload: bytes, size: int) -> list[bytes]:
    """Return a message in frames of so many bytes."""
    parts = [payload[start : start + size] for start in range(0, len(payload), size)] or [b""]
    last = len(parts) - 1
    return [
        frame(CONTINUATION if place else opcode, part, fin=place == last) for place, part in enumerate(parts)
    ]


def in_chops(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


async def put_in_chops(wire: Wire, data: bytes, size: int) -> None:
    for part in in_chops(data, size):
        await wire.put(part)
        await asyncio.sleep(0)


SIZES = [0, 1, 124, 125, 126, 127, 128, 65_534, 65_535, 65_536, LIMIT - 1]
CHOPS = [None, 997]


@pytest.mark.parametrize("chop", CHOPS, ids=["whole", "chopped"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_autobahn_1_framing(wire: Wire, opcode, size, chop):
    payload = b"4" + b"*" * size
    await put_in_chops(wire, frame(opcode, payload), chop or 1_000_000)
    assert (opcode, payload) == await wire.read()


class TestAutobahn2PingsAndPongs:
    @pytest.mark.parametrize(
        "payload", [b"", b"Hello", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", b"\xfe" * 125], ids=len
    )
    async def test_a_ping_is_answered_with_its_payload(self, wire: Wire, payload):
        await put_in_chops(wire, frame(PING, payload), 1)
        assert (PONG, payload) == await wire.read()

    async def test_ten_pings_in_a_row_are_answered_in_order(self, wire: Wire):
        pings = [b"%d" % number for number in range(10)]
        await wire.put(*(frame(PING, ping) for ping in pings))
        assert [(PONG, ping) for ping in pings] == [await wire.read() for _ in pings]
        await put_in_chops(wire, b"".join(frame(PING, ping) for ping in pings), 1)
        assert [(PONG, ping) for ping in pings] == [await wire.read() for _ in pings]

    @pytest.mark.parametrize("pong", [b"", b"unsolicited pong payload"])
    async def test_an_unasked_pong_before_a_ping_changes_nothing(self, wire: Wire, pong):
        await wire.put(frame(PONG, pong), frame(PING, b"ping"))
        assert (PONG, b"ping") == await wire.read()


@pytest.mark.parametrize("chop", [1_000, 1], ids=["whole", "chopped"])
@pytest.mark.parametrize("bits", [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70], ids=hex)
@pytest.mark.parametrize("opcode", [TEXT, BINARY, CLOSE, PING, PONG])
async def test_autobahn_3_reserved_bits(wire: Wire, opcode, bits, chop):
    await wire.put(message("4before"))
    assert (TEXT, b"4before") == await wire.read()
    await put_in_chops(wire, frame(opcode, b"\x03\xe8", rsv=bits), chop)
    assert (1002, b"") == await wire.closed()
    await wire.gone()


@pytest.mark.parametrize("chop", [1_000, 1], ids=["whole", "chopped"])
@pytest.mark.parametrize("payload", [b"", b"payload"], ids=["empty", "filled"])
@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
async def test_autobahn_4_opcodes(wire: Wire, opcode, payload, chop):
    await wire.put(message("4before"))
    assert (TEXT, b"4before") == await wire.read()
    await put_in_chops(wire, frame(opcode, payload), chop)
    assert (1002, b"") == await wire.closed()
    await wire.gone()


class TestAutobahn5Fragmentation:
    ANSWERED = (
        pytest.param(
            [frame(TEXT, b"4a", fin=False), frame(PING, b"!"), frame(CONTINUATION, b"b")],
            [(PONG, b"!"), (TEXT, b"4ab")],
            id="5.6 to 5.8",
        ),
        pytest.param(
            [
                frame(TEXT, b"4a", fin=False), frame(CONTINUATION, b"b", fin=False), frame(PING, b"1"),
                frame(CONTINUATION, b"c", fin=False), frame(CONTINUATION, b"d", fin=False), frame(PING, b"2"),
                frame(CONTINUATION, b"e"),
            ],
            [(PONG, b"1"), (PONG, b"2"), (TEXT, b"4abcde")],
            id="5.19 and 5.20",
        ),
    )  # fmt: skip
    REFUSED = (
        pytest.param([frame(PING, b"a", fin=False), frame(CONTINUATION, b"b")], id="5.1 a ping in two"),
        pytest.param([frame(PONG, b"a", fin=False), frame(CONTINUATION, b"b")], id="5.2 a pong in two"),
        *(
            pytest.param([frame(CONTINUATION, b"x", fin=fin), message()], id=f"5.9 to 5.14 {fin=}")
            for fin in (True, False)
        ),
        pytest.param(
            [frame(TEXT, b"4a", fin=False), frame(CONTINUATION, b"b", fin=False), message()],
            id="5.15 to 5.18 a message inside another",
        ),
    )

    @pytest.mark.parametrize("chop", [100_000, 1], ids=["whole", "chopped"])
    @pytest.mark.parametrize(("frames", "echo"), ANSWERED)
    async def test_control_frames_go_between_fragments(self, wire: Wire, frames, echo, chop):
        await put_in_chops(wire, b"".join(frames), chop)
        assert echo == [await wire.read() for _ in echo]

    @pytest.mark.parametrize("chop", [100_000, 1], ids=["whole", "chopped"])
    @pytest.mark.parametrize("frames", REFUSED)
    async def test_a_wrong_order_is_refused(self, wire: Wire, frames, chop):
        await put_in_chops(wire, b"".join(frames), chop)
        assert (1002, b"") == await wire.closed()
        await wire.gone()


VALID = {
    "6.2 words": "Hello-\xb5@\xdf\xf6\xe4\xfc\xe0\xe1-UTF-8!!".encode(),
    "6.5 greek": "\u03ba\u1f79\u03c3\u03bc\u03b5".encode(),
    **{
        f"6.6 to 6.9, 6.11 U+{code:X}": chr(code).encode()
        for code in [0, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFD, 0xFFFF, 0x10000, 0x10FFFF]
    },
    "6.22 noncharacters": "".join(chr(plane << 16 | 0xFFFE) for plane in range(15)).encode(),
    "6.22 the last noncharacters": "\U000ffffe\U0010fffe\U0010ffff".encode(),
    "6.23 replacement": "\ufffd\ufffb".encode(),
}
INVALID = {
    "6.3 in the middle": b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
    "6.4 beyond the last": b"\xce\xba\xf4\x90\x80\x80edited",
    "6.8 five bytes": b"\xf8\x88\x80\x80\x80",
    "6.8 six bytes": b"\xfc\x84\x80\x80\x80\x80",
    "6.10 the last of five": b"\xfb\xbf\xbf\xbf\xbf",
    "6.10 the last of six": b"\xfd\xbf\xbf\xbf\xbf\xbf",
    "6.11 beyond the last": b"\xf4\x90\x80\x80",
    "6.12 a continuation alone": b"\x80",
    "6.12 many continuations": b"\x80\xbf" * 9,
    "6.13 firsts alone": b" ".join(bytes([first]) for first in range(0xC0, 0xE0)),
    **{f"6.14 the last byte missing {size}": b for size, b in enumerate([b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xdf", b"\xef\xbf", b"\xf7\xbf\xbf"])},
    "6.15 all of them": b"\xc0\xe0\x80\xf0\x80\x80\xdf\xef\xbf\xf7\xbf\xbf",
    "6.16 fe": b"\xfe",
    "6.16 ff": b"\xff",
    "6.17 overlong slash in two": b"\xc0\xaf",
    "6.17 overlong slash in three": b"\xe0\x80\xaf",
    "6.17 overlong slash in four": b"\xf0\x80\x80\xaf",
    "6.18 the largest overlong in two": b"\xc1\xbf",
    "6.18 the largest overlong in three": b"\xe0\x9f\xbf",
    "6.18 the largest overlong in four": b"\xf0\x8f\xbf\xbf",
    "6.19 overlong null": b"\xc0\x80",
    **{f"6.20 surrogate {code:X}": b"\xed" + bytes([0x80 | code >> 6 & 0x3F, 0x80 | code & 0x3F]) for code in (0xD800, 0xDB7F, 0xDB80, 0xDBFF, 0xDC00, 0xDF80, 0xDFFF)},
    "6.21 a pair of surrogates": b"\xed\xa0\x80\xed\xb0\x80",
}  # fmt: skip


class TestAutobahn6Utf8:
    @pytest.mark.parametrize("size", [1, 1_000], ids=["a fragment an octet", "one frame"])
    @pytest.mark.parametrize("name", list(VALID))
    async def test_a_valid_text_comes_back(self, wire: Wire, name, size):
        payload = b"4" + VALID[name]
        await wire.put(*fragments(TEXT, payload, size))
        assert (TEXT, payload) == await wire.read()
        await put_in_chops(wire, frame(TEXT, payload), 1)
        assert (TEXT, payload) == await wire.read()

    @pytest.mark.parametrize("size", [1, 1_000], ids=["a fragment an octet", "one frame"])
    @pytest.mark.parametrize("name", list(INVALID))
    async def test_an_invalid_text_closes(self, wire: Wire, name, size):
        await wire.put(*fragments(TEXT, b"4" + INVALID[name], size))
        assert (1007, b"") == await wire.closed()
        await wire.gone()

    @pytest.mark.parametrize("name", list(INVALID))
    async def test_an_invalid_text_closes_though_it_comes_octet_by_octet(self, wire: Wire, name):
        await put_in_chops(wire, frame(TEXT, b"4" + INVALID[name]), 1)
        assert (1007, b"") == await wire.closed()


class TestAutobahn7Close:
    @pytest.mark.parametrize(
        "after", [message("4after"), frame(PING), close(1000), frame(TEXT, b"4", fin=False)]
    )
    async def test_nothing_counts_after_a_close(self, wire: Wire, after):
        """7.1.1 to 7.1.5."""
        await wire.put(frame(CLOSE, b"\x03\xe8"), after)
        assert (1000, b"") == await wire.closed()
        await wire.gone()

    async def test_a_close_in_a_message_larger_than_a_read_is_answered(self, wire: Wire):
        """7.1.6: what came whole before it is echoed."""
        await wire.put(frame(BINARY, b"x" * LIMIT), close(1000))
        assert (BINARY, b"x" * LIMIT) == await wire.read()
        assert (1000, b"") == await wire.closed()

    @pytest.mark.parametrize("chop", [1_000, 1], ids=["whole", "chopped"])
    @pytest.mark.parametrize(
        ("payload", "code"),
        [
            pytest.param(b"", 1000, id="7.3.1"),
            pytest.param(b"\x03", 1002, id="7.3.2"),
            pytest.param(b"\x03\xe8", 1000, id="7.3.3"),
            pytest.param(b"\x03\xe8Hello World!", 1000, id="7.3.4"),
            pytest.param(b"\x03\xe8" + b"*" * 123, 1000, id="7.3.5"),
            pytest.param(b"\x03\xe8" + b"*" * 124, 1002, id="7.3.6"),
            pytest.param(b"\x03\xe8" + INVALID["6.3 in the middle"], 1007, id="7.5.1"),
            *(
                pytest.param(struct.pack("!H", code), code, id=f"7.7.{code}")
                for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]
            ),
            *(
                pytest.param(struct.pack("!H", code), 1002, id=f"7.9.{code}")
                for code in [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535]
            ),
        ],
    )
    async def test_codes_and_reasons(self, wire: Wire, payload, code, chop):
        await put_in_chops(wire, frame(CLOSE, payload), chop)
        assert (code, b"") == await wire.closed()
        await wire.gone()


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
class TestAutobahn9Limits:
    async def test_a_message_of_the_limit_in_fragments_comes_back(self, wire: Wire, opcode):
        payload = b"4" + b"*" * (LIMIT - 1)
        await wire.put(*fragments(opcode, payload, -(-LIMIT // MAX_FRAGMENTS)))
        assert (opcode, payload) == await wire.read()

    @pytest.mark.parametrize("chop", [64, 1_024, 65_536])
    async def test_a_message_of_the_limit_in_chops_comes_back(self, wire: Wire, opcode, chop):
        payload = b"4" + b"*" * (LIMIT - 1)
        await put_in_chops(wire, frame(opcode, payload), chop)
        assert (opcode, payload) == await wire.read()

    async def test_a_byte_over_the_limit_in_fragments_closes(self, wire: Wire, opcode):
        await wire.put(*fragments(opcode, b"4" + b"*" * LIMIT, -(-LIMIT // MAX_FRAGMENTS) + 1))
        assert (1009, b"") == await wire.closed()
        await wire.gone()


@pytest.mark.parametrize("size", [1_024, 1_600, 4_096, 32_768])
async def test_autobahn_10_automatic_fragmentation(wire: Wire, size):
    payload = b"4" + b"*" * 65_535
    await wire.put(*fragments(TEXT, payload, size))
    assert (TEXT, payload) == await wire.read()
