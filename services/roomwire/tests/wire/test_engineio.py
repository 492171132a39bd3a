"""What a conforming Engine.IO 4 server does, over the wire: the suite's cases, and what is like them.

On hypercorn as on uvicorn, over plain ASGI and on the fast path; where they differ, it stands with the case.
"""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from fixtures.protocol import eio_app
from peers import Peer, closed, peer_by, take
from waiting import until
from websockets.exceptions import InvalidStatus
from wire.cases import ENGINE_IO, Cases

from roomwire.engine.session import NOOP_INTERVAL_S, Reason

HANDSHAKE = {"pingInterval": 300, "pingTimeout": 200, "maxPayload": 1_000_000}
INTERVAL_S, TIMEOUT_S = 0.3, 0.2
LATE_S = 0.3
"""How much later than its time something may be noticed; a busy machine is no defect."""

REFUSED_WITH = {"fast": 400, "deflated": 400, "asgi": 403, "hypercorn": 403}
"""A WebSocket that is refused: ASGI's close before the accept leaves the status to the server, which says 403."""

TOO_BIG = {"fast": 1009, "deflated": 1009, "asgi": 1009, "hypercorn": 1000}
"""How a message over the limit is answered: hypercorn takes larger ones, so the engine itself closes the session."""

case = Cases(ENGINE_IO)


class TestHandshake:
    @case("handshake, polling: opens a session")
    async def test_polling_opens_a_session_that_can_be_upgraded(self, peer: Peer):
        handshake = await peer.open()
        assert {*HANDSHAKE, "sid", "upgrades"} == set(handshake)
        assert HANDSHAKE.items() <= handshake.items()
        assert ["websocket"] == handshake["upgrades"]

    @case("handshake, websocket: opens a session")
    async def test_a_websocket_opens_a_session_that_is_upgraded_already(self, peer: Peer):
        async with peer.websocket() as socket:
            handshake = json.loads((await socket.recv())[1:])
        assert {*HANDSHAKE, "sid", "upgrades"} == set(handshake)
        assert HANDSHAKE.items() <= handshake.items()
        assert [] == handshake["upgrades"]

    @case("handshake, polling: wrong EIO", "handshake, polling: wrong transport")
    @pytest.mark.parametrize(
        "query",
        [
            "transport=polling",
            "EIO=abc&transport=polling",
            "EIO=3&transport=polling",
            "EIO=4",
            "EIO=4&transport=abc",
            "EIO=4&transport=polling&sid=unknown",
        ],
    )
    async def test_a_wrong_query_is_400(self, peer: Peer, query):
        answer = await peer.http.get(f"{peer.path.partition('?')[0]}?{query}")
        assert 400 == answer.status_code
        assert {"code", "message"} == set(answer.json())

    @case("handshake, websocket: wrong EIO", "handshake, websocket: wrong transport")
    @pytest.mark.parametrize(
        "query",
        [
            "transport=websocket",
            "EIO=abc&transport=websocket",
            "EIO=4",
            "EIO=4&transport=abc",
            "EIO=4&transport=polling",
            "EIO=4&transport=websocket&sid=unknown",
        ],
    )
    async def test_a_websocket_with_a_wrong_query_is_refused(self, peer: Peer, way, query):
        peer.path = f"{peer.path.partition('?')[0]}?{query}"
        with pytest.raises(InvalidStatus) as refused:
            await peer.websocket("").__aenter__()
        assert REFUSED_WITH[way] == refused.value.response.status_code

    @case("handshake, polling: wrong method")
    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "HEAD"])
    async def test_a_session_begins_with_get_only(self, peer: Peer, method):
        assert 400 == (await peer.http.request(method, peer.polling())).status_code

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD"])
    async def test_a_session_goes_on_with_get_and_post_only(self, eio: Peer, method):
        sid = (await eio.open())["sid"]
        assert 400 == (await eio.http.request(method, eio.polling(sid))).status_code
        assert 200 == (await eio.post(sid, "4hello")).status_code
        assert "4hello" == (await eio.poll(sid)).text


class TestMessages:
    @case(
        "message, polling: one text", "message, polling: several texts", "message, polling: text and binary"
    )
    @pytest.mark.parametrize("payload", ["4hello", "4test1\x1e4test2\x1e4test3", "4hello\x1ebAQIDBA=="])
    async def test_a_payload_is_taken_apart_and_put_together(self, eio: Peer, payload):
        sid = (await eio.open())["sid"]
        posted = await eio.post(sid, payload)
        assert (200, "ok") == (posted.status_code, posted.text)
        assert payload == (await eio.poll(sid)).text

    @case("message, polling: malformed payload")
    @pytest.mark.parametrize("payload", ["abc", "4ok\x1eabc", "b!!", "0{}", "2", "", "6", "5"])
    async def test_a_malformed_payload_closes_the_session(self, peer: Peer, payload):
        sid = (await peer.open())["sid"]
        assert 400 == (await peer.post(sid, payload)).status_code
        assert 400 == (await peer.poll(sid)).status_code

    @case("message, polling: two polls at a time")
    async def test_a_second_poll_while_one_is_pending_closes_the_session(self, eio: Peer):
        sid = (await eio.open())["sid"]
        first = await eio.pending_poll(sid)
        second = await eio.poll(sid)
        assert 400 == second.status_code
        assert (200, "1") == ((await first).status_code, first.result().text)
        assert 400 == (await eio.poll(sid)).status_code

    @case("message, polling: cancelled poll")
    async def test_a_cancelled_poll_ends_the_session(self, eio: Peer):
        sid = (await eio.open())["sid"]
        poll = await eio.pending_poll(sid)
        poll.cancel()
        await until(lambda: not eio.engine.sockets)
        assert 400 == (await eio.poll(sid)).status_code

    @case("message, websocket: text", "message, websocket: binary")
    @pytest.mark.parametrize("message", ["4hello", "4", b"\x01\x02\x03\x04", b""])
    async def test_a_message_comes_back_over_websocket(self, eio: Peer, message):
        async with eio.websocket() as socket:
            await socket.recv()
            await socket.send(message)
            assert message == await take(socket)

    @case("message, websocket: malformed packet")
    @pytest.mark.parametrize("packet", ["abc", "", "0", "2", "5", "6", "7"])
    async def test_a_packet_that_is_none_closes_the_websocket_at_once(self, peer: Peer, packet):
        async with peer.websocket() as socket:
            await socket.recv()
            await socket.send(packet)
            # At once: no ping comes before the end, and the end is no timeout.
            assert [] == [message async for message in socket]

    async def test_a_body_over_the_limit_is_refused_and_the_session_goes_on(self, eio: Peer):
        sid = (await eio.open())["sid"]
        assert 413 == (await eio.post(sid, "4" + "x" * 1_000_000)).status_code
        assert 200 == (await eio.post(sid, "4" + "x" * 999_999)).status_code
        assert "4" + "x" * 999_999 == (await eio.poll(sid)).text

    @pytest.mark.parametrize("message", ["4" + "x" * 1_000_000, b"x" * 1_000_001])
    async def test_a_websocket_message_over_the_limit_closes(self, eio: Peer, way, message):
        async with eio.websocket() as socket:
            await socket.recv()
            await socket.send(message)
            await closed(socket)
            assert TOO_BIG[way] == socket.close_code

    @pytest.mark.parametrize("message", ["4" + "x" * 999_999, b"x" * 1_000_000])
    async def test_a_websocket_message_of_the_limit_comes_back(self, eio: Peer, message):
        async with eio.websocket() as socket:
            await socket.recv()
            await socket.send(message)
            assert message == await take(socket)


class TestHeartbeat:
    @case("heartbeat, polling: pings and pongs")
    async def test_pings_are_sent_and_answered_over_polling(self, peer: Peer):
        sid = (await peer.open())["sid"]
        for _ in range(3):
            assert "2" == (await peer.poll(sid)).text
            assert 200 == (await peer.post(sid, "3")).status_code

    @case("heartbeat, websocket: pings and pongs")
    async def test_pings_are_sent_and_answered_over_websocket(self, peer: Peer):
        async with peer.websocket() as socket:
            await socket.recv()
            for _ in range(3):
                assert "2" == await socket.recv()
                await socket.send("3")

    @case("heartbeat, polling: timeout")
    async def test_a_client_that_does_not_poll_is_gone_after_interval_and_timeout(self, peer: Peer):
        loop = asyncio.get_running_loop()
        before = loop.time()
        sid = (await peer.open())["sid"]
        async with asyncio.timeout(INTERVAL_S + TIMEOUT_S + LATE_S):
            await until(lambda: not peer.engine.sockets)
        assert loop.time() - before >= INTERVAL_S + TIMEOUT_S
        assert 400 == (await peer.poll(sid)).status_code
        assert 400 == (await peer.post(sid, "3")).status_code

    @case("heartbeat, polling: timeout")
    @pytest.mark.parametrize("method", ["GET", "POST"])
    async def test_a_request_at_the_ping_timeout_finds_the_session_closed_although_the_timer_is_late(
        self, peer: Peer, method
    ):
        loop = asyncio.get_running_loop()
        sid = (await peer.open())["sid"]
        state = peer.engine.find(sid).state
        await until(lambda: state.outbox)
        peer.engine._wheel.close()
        await until(lambda: loop.time() >= state.pinged_at + TIMEOUT_S)
        assert state.closed is None
        assert 400 == (await peer.http.request(method, peer.polling(sid), content="3")).status_code
        assert Reason.PING_TIMEOUT == state.closed

    @case("heartbeat, websocket: timeout")
    async def test_a_client_that_does_not_answer_is_closed_on_time(self, peer: Peer):
        async with peer.websocket() as socket:
            assert "0" == (await socket.recv())[0]
            async with asyncio.timeout(INTERVAL_S + TIMEOUT_S + LATE_S):
                assert ["2"] == [message async for message in socket]

    async def test_a_ping_timeout_closes_both_transports_of_an_upgrade_under_way(self, eio: Peer):
        sid = (await eio.open())["sid"]
        async with eio.websocket(sid=sid) as socket:
            await socket.send("2probe")
            assert "3probe" == await socket.recv()
            async with asyncio.timeout(INTERVAL_S + TIMEOUT_S + LATE_S):
                await until(lambda: not eio.engine.sockets)
            await socket.send("5")
            await closed(socket)
        assert 400 == (await eio.poll(sid)).status_code


class TestClose:
    @case("close, polling: by the client")
    async def test_a_close_packet_ends_the_pending_poll_with_a_noop(self, peer: Peer):
        sid = (await peer.open())["sid"]
        pending = await peer.pending_poll(sid)
        assert 200 == (await peer.post(sid, "1")).status_code
        assert (200, "6") == ((await pending).status_code, pending.result().text)
        assert 400 == (await peer.poll(sid)).status_code

    @case("close, websocket: by the client")
    async def test_a_close_packet_closes_the_websocket(self, peer: Peer):
        async with peer.websocket() as socket:
            await socket.recv()
            await socket.send("1")
            assert [] == [message async for message in socket]


@pytest.fixture
async def quiet(way) -> AsyncIterator[Peer]:
    """The same application, with no ping among what a test looks at."""
    app = eio_app(ping_interval=60, ping_timeout=60)
    async with peer_by(way, app, "/engine.io/") as peer:
        yield peer


async def upgraded(peer: Peer, sid: str, socket) -> None:
    """Let a WebSocket take over a session."""
    await socket.send("2probe")
    assert "3probe" == await socket.recv()
    await socket.send("5")
    await until(lambda: peer.engine.find(sid).upgraded)


class TestUpgrade:
    @case("upgrade: websocket takes over")
    async def test_websocket_takes_over_from_polling(self, eio: Peer):
        sid = (await eio.open())["sid"]
        async with eio.websocket(sid=sid) as socket:
            await socket.send("2probe")
            assert "3probe" == await socket.recv()
            assert (200, "6") == ((answer := await eio.poll(sid)).status_code, answer.text)
            await socket.send("5")
            await socket.send("4hello")
            assert "4hello" == await take(socket)

    async def test_a_namespace_is_connected_after_the_upgrade_as_before_it(self, sio: Peer):
        sid = (await sio.open())["sid"]
        await sio.post(sid, "40/custom,")
        assert "40/custom," == (await sio.poll(sid)).text[:10]
        async with sio.websocket(sid=sid) as socket:
            await upgraded(sio, sid, socket)
            await socket.send("40")
            assert "40{" == (await take(socket))[:3]

    async def test_the_pending_poll_ends_with_a_noop(self, eio: Peer):
        sid = (await eio.open())["sid"]
        pending = await eio.pending_poll(sid)
        async with eio.websocket(sid=sid) as socket:
            await socket.send("2probe")
            assert "3probe" == await socket.recv()
            assert "6" == (await pending).text

    async def test_while_the_upgrade_does_not_come_polls_end_no_faster_than_the_reference_ends_them(
        self, quiet: Peer
    ):
        eio, loop = quiet, asyncio.get_running_loop()
        sid = (await eio.open())["sid"]
        async with eio.websocket(sid=sid) as socket:
            await socket.send("2probe")
            await until(lambda: eio.engine.find(sid).state.is_probed)
            before = loop.time()
            assert ["6"] * 5 == [(await eio.poll(sid)).text for _ in range(5)]
            assert loop.time() - before >= (5 - 2) * NOOP_INTERVAL_S
            await eio.post(sid, "4hello")
            assert "4hello" == (await eio.poll(sid)).text

    async def test_a_poll_that_is_pending_when_the_websocket_takes_over_ends_with_a_noop(self, quiet: Peer):
        eio, sid = quiet, (await quiet.open())["sid"]
        state = eio.engine.find(sid).state
        async with eio.websocket(sid=sid) as socket:
            await socket.send("2probe")
            assert "3probe" == await socket.recv()
            for _ in range(2):
                await eio.poll(sid)
            pending = asyncio.create_task(eio.poll(sid))
            await until(lambda: state.is_polled)
            await socket.send("5")
            await socket.send("4hello")
            assert "4hello" == await take(socket)
            assert "6" == (await pending).text
        await until(lambda: sid not in eio.engine.sockets)

    @case("upgrade: polling is over")
    async def test_polling_is_over_after_the_upgrade(self, peer: Peer):
        sid = (await peer.open())["sid"]
        async with peer.websocket(sid=sid) as socket:
            await upgraded(peer, sid, socket)
            assert 400 == (await peer.poll(sid)).status_code
            assert 400 == (await peer.post(sid, "4x")).status_code
            assert "2" == await socket.recv(), "the session goes on"

    @case("upgrade: no second websocket")
    async def test_a_second_websocket_is_accepted_and_closed_and_the_first_goes_on(self, peer: Peer):
        sid = (await peer.open())["sid"]
        async with peer.websocket(sid=sid) as socket:
            await upgraded(peer, sid, socket)
            async with peer.websocket(sid=sid) as second:
                assert [] == [message async for message in second]
            assert "2" == await socket.recv(), "the session goes on"

    async def test_a_session_that_began_as_a_websocket_has_no_second_one(self, eio: Peer):
        async with eio.websocket() as socket:
            sid = json.loads((await socket.recv())[1:])["sid"]
            async with eio.websocket(sid=sid) as second:
                assert [] == [message async for message in second]
            await socket.send("4hello")
            assert "4hello" == await take(socket)

    async def test_a_second_probe_does_not_disturb_the_first(self, eio: Peer):
        sid = (await eio.open())["sid"]
        async with eio.websocket(sid=sid) as socket, eio.websocket(sid=sid) as earlier:
            await socket.send("2probe")
            assert "3probe" == await socket.recv()
            await earlier.send("2probe")
            await closed(earlier)
            async with eio.websocket(sid=sid) as later:
                assert [] == [message async for message in later]
            await socket.send("5")
            await socket.send("4hello")
            assert "4hello" == await take(socket)

    async def test_a_failed_probe_leaves_polling_as_it_was(self, eio: Peer):
        sid = (await eio.open())["sid"]
        async with eio.websocket(sid=sid) as socket:
            await socket.send("4not a probe")
            await closed(socket)
        await eio.post(sid, "4hello")
        assert "4hello" == (await eio.poll(sid)).text

    async def test_a_body_that_was_cut_off_on_its_way_is_not_taken(self, eio: Peer):
        sid = (await eio.open())["sid"]
        host, port = eio.http.base_url.host, eio.http.base_url.port
        reader, writer = await asyncio.open_connection(host, port)
        request = f"POST {eio.polling(sid)} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 500\r\n\r\n"
        writer.write(request.encode() + b"4half")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert not await reader.read()
        assert 200 == (await eio.post(sid, "4whole")).status_code
        assert "4whole" == (await eio.poll(sid)).text


def test_no_case_of_the_suite_is_missing():
    assert 25 == len(ENGINE_IO)
    assert set() == case.missing
