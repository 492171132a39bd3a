"""Compressed frames: made once for all receivers of a turn, and what one client may cost by them."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from fuzz.entry import DEFLATED, DEFLATING, REQUEST, Transport, deflated, frame

from roomwire.engine import deflater as module
from roomwire.engine.asgi import AsgiEngine
from roomwire.engine.deflater import Deflater
from roomwire.engine.fast_socket import FastSocket
from roomwire.limits.bounds import Bound
from roomwire.limits.client import Limits
from roomwire.protocol.deflate import PerMessageDeflate
from roomwire.protocol.frames import text_frame

LARGE = 100_000


def compresses(threshold_bytes: int = 1_024) -> Deflater:
    return Deflater(PerMessageDeflate(threshold_bytes=threshold_bytes))


class TestFrames:
    async def test_all_receivers_of_a_turn_get_the_same_bytes_and_the_next_turn_keeps_none(self):
        deflater, broadcast = compresses(), text_frame(b"4" * 2_000)
        one, two = deflater.frames([broadcast]), deflater.frames([broadcast])
        assert len(one[0]) < 100
        assert one[0] is two[0]
        await asyncio.sleep(0)
        assert one[0] is not deflater.frames([broadcast])[0]

    @pytest.mark.parametrize("threshold", [1, 125, 126, 1_024, 65_535, 65_536])
    async def test_a_message_is_compressed_from_the_threshold_on(self, threshold):
        deflater = compresses(threshold)
        below, at = text_frame(b"4" * (threshold - 1)), text_frame(b"4" * threshold)
        first, second = deflater.frames([below, at])
        assert below is first
        assert threshold < 10 or len(second) < len(at)

    async def test_what_a_turn_keeps_is_bounded(self, monkeypatch):
        monkeypatch.setattr(module, "_MOST_KEPT_BYTES", 10_000)
        deflater = compresses()
        for number in range(100):
            deflater.frames([text_frame(b"%d" % number * 2_000)])
            assert sum(len(part) for pair in deflater._made.values() for part in pair) < 20_000


class Connected:
    """A client of a socket without a network."""

    def __init__(self, engine: AsgiEngine, request: bytes) -> None:
        self.transport = Transport()
        self.socket = FastSocket(engine, set())
        self.socket.connection_made(self.transport)
        self.socket.data_received(request)

    async def send(self, *messages: bytes) -> None:
        """Send compressed messages in one read."""
        self.socket.data_received(b"".join(frame(1, deflated(each), reserved=DEFLATED) for each in messages))


@asynccontextmanager
async def connected(request: bytes = DEFLATING, **options):
    limits = Limits(ping_interval_s=60.0, ping_timeout_s=60.0, max_payload_bytes=2 * LARGE)
    engine = AsgiEngine(per_message_deflate=PerMessageDeflate(), limits=limits, **options)
    client = Connected(engine, request)
    await asyncio.sleep(0)
    yield engine, client
    client.socket.connection_lost(None)
    await engine.shutdown()


async def test_of_a_short_read_no_more_is_decompressed_while_the_client_is_not_read():
    taken, connections = [], []

    def take(connection, message):
        taken.append(message)
        if not connections:
            connections.append(connection)
            connection.pause_reading()
        return True

    async with connected(takes_now=take) as (_, client):
        texts = [b"4%d" % number + b"x" * LARGE for number in range(50)]
        await client.send(*texts)
        for _ in range(20):
            await asyncio.sleep(0)
        assert 1 == len(taken)
        assert len(client.socket._reader._buffer) < 50 * 1_000
        assert client.transport.is_paused
        connections[0].resume_reading()
        while len(taken) < len(texts):
            await asyncio.sleep(0)
        assert [text[1:].decode() for text in texts] == taken
        while client.transport.is_paused:
            await asyncio.sleep(0)
        await client.send(b"4more")
        await asyncio.sleep(0)
        assert "more" == taken[-1]


async def test_of_a_short_read_no_more_is_handled_in_a_turn_than_of_a_long_one():
    turns = []
    options = {"takes_now": lambda _, message: turns.append(message) or True}
    async with connected(**options) as (_, client):
        await client.send(*[b"4" + b"x" * LARGE] * 20)
        seen = []
        while len(turns) < 20:
            seen.append(len(turns))
            await asyncio.sleep(0)
        # Each of them is longer than what is taken at once.
        assert [*range(1, 20)] == seen
        while client.transport.is_paused:
            await asyncio.sleep(0)
        # What came behind the last message was handled as well: nothing is left.
        assert client.socket._reader is None


async def test_a_bomb_ends_the_session_as_too_large_and_is_counted():
    exceeded = []
    async with connected(exceeded=exceeded.append) as (engine, client):
        await client.send(b"4" + b"x" * (2 * LARGE))
        await asyncio.sleep(0)
        assert [Bound.MESSAGE_BYTES] == exceeded
        assert not engine.sockets
        assert client.transport.data.endswith(b"\x88\x02\x03\xf1")


@pytest.mark.parametrize(
    ("request_", "line"),
    [
        (REQUEST, None),
        (DEFLATING.replace(b"client_max", b"new"), None),
        (DEFLATING, b"permessage-deflate; server_no_context_takeover; client_no_context_takeover"),
        (
            DEFLATING.replace(b"client_max_window_bits", b"server_max_window_bits=12"),
            b"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12",
        ),
    ],
    ids=["no offer", "an unknown parameter", "an offer", "a window"],
)
async def test_what_is_agreed_on_stands_in_the_answer(request_, line):
    async with connected(request_) as (_, client):
        head = client.transport.data.partition(b"\r\n\r\n")[0]
        assert b"HTTP/1.1 101 " == head[:13]
        named = [each for each in head.split(b"\r\n") if b"Extensions" in each]
        assert ([] if line is None else [b"Sec-WebSocket-Extensions: " + line]) == named


async def test_a_malformed_offer_is_refused_where_offers_are_read():
    malformed = DEFLATING.replace(b"; client_max", b";; client_max")
    async with connected(malformed) as (_, client):
        assert b"HTTP/1.1 400 " == client.transport.data[:13]
    async with connected(malformed) as (engine, _):
        engine.deflater = None
        assert b"HTTP/1.1 101 " == Connected(engine, malformed).transport.data[:13]
