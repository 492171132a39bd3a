"""What python-engineio and uvicorn get wrong, one test each by its name: strangers must not be able to do it to us.

Those of the Redis manager are in history/test_redis.py; that a stopping process spreads its farewells over time is also
tested with a whole process (services/gateway).
"""

import asyncio
import os
import socket
import struct
import zlib

import pytest
import socketio
from fixtures.protocol import OPTIONS
from peers import WAIT_S, Peer, closed, peer_by, raw, take
from waiting import until
from websockets.asyncio.client import connect

from roomwire import Server
from roomwire.engine.asgi import AsgiEngine
from roomwire.limits.client import Limits

MAX_FRAGMENTS = Limits().max_fragments
QUIET = OPTIONS | {"ping_interval": 60, "ping_timeout": 60}
MASK = b"\0\0\0\0"
TEXT, CONTINUATION, FIN = 0x1, 0x0, 0x80

COMPRESSED = {"fast": False, "deflated": True, "asgi": False, "hypercorn": True}
"""Whether compression is agreed on: of our own ways only where it is switched on. hypercorn has no setting for it, and plain ASGI
no say in it."""


class TestTheQueueOfAClientHasNoBound:
    @pytest.mark.parametrize("way", ["fast", "asgi", "hypercorn"])
    async def test_a_client_that_reads_nothing_is_evicted_and_costs_no_more_than_the_bound(self, way):
        reasons = []
        engine = AsgiEngine(**QUIET, limits=Limits(max_unread_bytes=100_000))
        engine.on("disconnect", lambda _, reason: reasons.append(reason))
        async with peer_by(way, socketio.ASGIApp(engine, socketio_path="engine.io"), "/engine.io/") as peer:
            async with raw(peer) as (_, writer):
                # What the kernel keeps for it is bounded as well, or it would take megabytes to notice.
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
                writer.transport.pause_reading()
                (sid,) = await until(lambda: list(engine.sockets))
                connection, sent_bytes = engine.sockets[sid], 0
                while not connection.closed:
                    connection.send("4" + "x" * 10_000)
                    sent_bytes += 10_000
                    await asyncio.sleep(0)
                # What the kernel and the server's own buffers hold comes on top of the bound.
                assert sent_bytes < 20_000_000
                await until(lambda: reasons)
            await engine.shutdown()
        assert ["slow consumer"] == reasons

    async def test_a_polling_client_that_does_not_poll_is_evicted(self):
        reasons = []
        engine = AsgiEngine(**QUIET, limits=Limits(max_unread_bytes=100_000, unread_timeout_s=0.2))
        engine.on("disconnect", lambda _, reason: reasons.append(reason))
        async with peer_by(
            "asgi", socketio.ASGIApp(engine, socketio_path="engine.io"), "/engine.io/"
        ) as peer:
            sid = (await peer.open())["sid"]
            for _ in range(11):
                await engine.send(sid, "x" * 10_000)
            await until(lambda: reasons)
            assert 400 == (await peer.poll(sid)).status_code
            await engine.shutdown()
        assert ["slow consumer"] == reasons


class TestAClientThatNeverSendsConnectStaysForEver:
    async def test_it_is_closed_in_time_though_it_answers_pings(self, sio: Peer):
        async with sio.websocket() as websocket, asyncio.timeout(WAIT_S):
            async for message in websocket:
                if message == "2":
                    await websocket.send("3")
        assert {} == sio.engine.sockets


class TestEmptyContinuationFramesPileUpWithoutLimit:
    async def test_on_the_fast_path_they_end_the_connection_at_the_bound(self):
        engine = AsgiEngine(**QUIET)
        async with peer_by(
            "fast", socketio.ASGIApp(engine, socketio_path="engine.io"), "/engine.io/"
        ) as peer:
            async with raw(peer) as (reader, writer):
                writer.write(bytes([TEXT, FIN]) + MASK + (bytes([CONTINUATION, FIN]) + MASK) * MAX_FRAGMENTS)
                async with asyncio.timeout(WAIT_S):
                    # Its handshake, and a close frame that says: too big.
                    assert struct.pack("!BBH", 0x88, 2, 1009) == (await reader.read())[-4:]
            await until(lambda: not engine.sockets)
            await engine.shutdown()

    @pytest.mark.parametrize("way", ["asgi", "hypercorn"])
    async def test_on_plain_asgi_the_server_puts_messages_together_and_none_reaches_the_engine(self, way):
        """Stated, not mended: how many frames a message has, plain ASGI does not say."""
        engine = AsgiEngine(**QUIET)
        taken = []
        engine.on("message", lambda _, message: taken.append(message))
        async with peer_by(way, socketio.ASGIApp(engine, socketio_path="engine.io"), "/engine.io/") as peer:
            async with raw(peer) as (_, writer):
                writer.write(
                    bytes([TEXT, FIN]) + MASK + (bytes([CONTINUATION, FIN]) + MASK) * MAX_FRAGMENTS * 2
                )
                await writer.drain()
                async with peer.websocket() as other:
                    await other.recv()
                    await other.send("4other")
                    await until(lambda: taken)
            await engine.shutdown()
        assert ["other"] == taken


class TestAnAttachmentCountOf9999999999IsAccepted:
    @pytest.mark.parametrize("count", ["11", "999", "9999999999", "9" * 100, "-1", "\u0661"])
    async def test_it_closes_at_once(self, sio: Peer, count):
        async with sio.connected("40") as websocket:
            await websocket.send(f'45{count}-["message",{{"_placeholder":true,"num":0}}]')
            assert [] == [message async for message in websocket]


class TestAStopCutsEverySocketInOneInstant:
    async def test_a_drain_spreads_it_and_leaves_no_disconnect_packet(self):
        server = Server(**OPTIONS)
        server.on("connect", lambda *_: None)
        ends = []

        async def end_of(peer: Peer) -> None:
            async with peer.websocket() as websocket:
                await websocket.recv()
                await websocket.send("40")
                assert "40" == (await take(websocket))[:2]
                joined.release()
                ends.append((await anext(aiter(websocket), "end"), asyncio.get_running_loop().time()))

        joined = asyncio.Semaphore(0)
        async with peer_by("fast", socketio.ASGIApp(server), "/socket.io/") as peer:
            async with asyncio.TaskGroup() as group:
                for _ in range(4):
                    group.create_task(end_of(peer))
                for _ in range(4):
                    await joined.acquire()
                await server.drain(0.2)
            await server.close()
        assert ["end"] * 4 == [what for what, _ in ends]
        assert ends[-1][1] - ends[0][1] >= 0.02


class TestMessagesOf16MebibytesAndCompressionAreAccepted:
    async def test_a_message_over_our_own_limit_closes(self, eio: Peer):
        async with eio.websocket() as websocket:
            assert '"maxPayload":1000000' in await websocket.recv()
            await websocket.send(os.urandom(1_000_001))
            await closed(websocket)

    async def test_no_compression_is_agreed_on_that_a_small_frame_could_make_large(self, eio: Peer, way):
        url = f"{str(eio.http.base_url).replace('http', 'ws')}{eio.path}&transport=websocket"
        async with connect(url, compression="deflate") as websocket:
            assert COMPRESSED[way] == ("Sec-WebSocket-Extensions" in websocket.response.headers)

    async def test_a_compressed_body_is_not_unpacked(self, eio: Peer):
        sid = (await eio.open())["sid"]
        body = zlib.compress(b"4" + b"x" * 100_000)
        answer = await eio.http.post(eio.polling(sid), content=body, headers={"Content-Encoding": "deflate"})
        assert 400 == answer.status_code


class TestTheSubSecondPingIntervalIsLost:
    async def test_it_is_announced_in_milliseconds(self, eio: Peer):
        assert 300 == (await eio.open())["pingInterval"]
