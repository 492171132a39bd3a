"""That a client gets its turn and no more. What it may send is in `limits/test_bounds.py`, its frames in `protocol/test_reader.py`."""

import asyncio
import contextlib
import socket

import socketio
from fuzz.entry import frame
from peers import peer_by, raw

from roomwire.engine.asgi import AsgiEngine
from roomwire.limits.client import Limits
from roomwire.protocol.frames import close_frame
from roomwire.protocol.reader import CloseCode, Opcode

FRAME = b"\x81\x85\0\0\0\0" + b"4quux"
READ_BYTES = 262_144
"""What a loop reads at once, at most."""


async def test_a_client_that_sent_very_much_is_read_once_a_turn():
    engine = AsgiEngine(limits=Limits(ping_interval_s=60.0, ping_timeout_s=60.0))
    taken, turns = 0, []

    def take(*_):
        nonlocal taken
        taken += 1

    def tick(seen):
        turns.append(taken - seen)
        ticking[0] = loop.call_soon(tick, taken)

    engine.on("message", take)
    loop = asyncio.get_running_loop()
    app = socketio.ASGIApp(engine, socketio_path="engine.io")
    async with peer_by("fast", app, "/engine.io/") as peer, raw(peer) as (_, writer):
        # Past asyncio, and in one turn of ours: the server finds all that the kernel takes.
        other = socket.socket(fileno=writer.get_extra_info("socket").fileno())
        try:
            sent = fill(other)
        finally:
            other.detach()
        ticking = [loop.call_soon(tick, 0)]
        async with asyncio.timeout(30):
            while taken < sent // len(FRAME):
                await asyncio.sleep(0)
        ticking[0].cancel()

    assert sent > 2 * READ_BYTES
    assert max(turns) <= READ_BYTES // len(FRAME) + 1


async def test_what_follows_a_broken_probe_in_the_same_read_is_not_looked_at():
    engine = AsgiEngine(limits=Limits(ping_interval_s=60.0, ping_timeout_s=60.0))
    app = socketio.ASGIApp(engine, socketio_path="engine.io")
    failures = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    async with peer_by("fast", app, "/engine.io/") as peer:
        session = await peer.open()
        async with raw(peer, session["sid"]) as (reader, writer), asyncio.timeout(10):
            writer.write(frame(Opcode.TEXT, b"x") + frame(Opcode.TEXT, b"2probe"))
            assert close_frame(CloseCode.PROTOCOL_ERROR) == await reader.read()
            assert not failures


def fill(other):
    """Send until the kernel takes no more; returns the bytes."""
    block, sent = FRAME * 1_000, 0
    with contextlib.suppress(BlockingIOError):
        while True:
            sent += other.send(block[sent % len(FRAME) :])
    return sent
