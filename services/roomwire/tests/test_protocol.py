"""What a conforming server does: the cases of the Engine.IO 4 and Socket.IO 5 protocols, over the wire."""

import asyncio
import json

import httpx
import pytest
from fixtures.protocol import eio_app, sio_app
from peers import Peer, closed, peer_of, take
from websockets.exceptions import InvalidStatus

HANDSHAKE = {"pingInterval": 300, "pingTimeout": 200, "maxPayload": 1_000_000}


@pytest.fixture(params=["asgi", "fast"])
def fast(request):
    return request.param == "fast"


@pytest.fixture
async def eio(free_port, fast):
    async with peer_of(eio_app(), free_port, "/engine.io/", fast=fast) as peer:
        yield peer


@pytest.fixture
async def sio(free_port, fast):
    async with peer_of(sio_app(), free_port, "/socket.io/", fast=fast) as peer:
        yield peer


@pytest.fixture(params=["eio", "sio"])
async def peer(request, free_port, fast):
    app, path = (eio_app(), "/engine.io/") if request.param == "eio" else (sio_app(), "/socket.io/")
    async with peer_of(app, free_port, path, fast=fast) as found:
        yield found


class TestHandshake:
    async def test_polling_opens_a_session_that_can_be_upgraded(self, peer: Peer):
        handshake = await peer.open()
        assert {*HANDSHAKE, "sid", "upgrades"} == set(handshake)
        assert HANDSHAKE.items() <= handshake.items()
        assert ["websocket"] == handshake["upgrades"]

    async def test_a_websocket_opens_a_session_that_is_upgraded_already(self, peer: Peer):
        async with peer.websocket() as socket:
            handshake = json.loads((await socket.recv())[1:])
        assert {*HANDSHAKE, "sid", "upgrades"} == set(handshake)
        assert HANDSHAKE.items() <= handshake.items()
        assert [] == handshake["upgrades"]

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

    @pytest.mark.parametrize(
        "query",
        [
            "transport=websocket",
            "EIO=abc&transport=websocket",
            "EIO=4",
            "EIO=4&transport=abc",
            "EIO=4&transport=websocket&sid=unknown",
        ],
    )
    async def test_a_websocket_with_a_wrong_query_is_refused(self, peer: Peer, query):
        peer.path = f"{peer.path.partition('?')[0]}?{query}"
        with pytest.raises(InvalidStatus):
            async with peer.websocket(""):
                pass

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
    async def test_a_session_begins_with_get_only(self, peer: Peer, method):
        assert 400 == (await peer.http.request(method, peer.polling())).status_code


class TestMessages:
    @pytest.mark.parametrize("payload", ["4hello", "4test1\x1e4test2\x1e4test3", "4hello\x1ebAQIDBA=="])
    async def test_a_payload_is_taken_apart_and_put_together(self, eio: Peer, payload):
        sid = (await eio.open())["sid"]
        posted = await eio.post(sid, payload)
        assert (200, "ok") == (posted.status_code, posted.text)
        assert payload == (await eio.poll(sid)).text

    @pytest.mark.parametrize("payload", ["abc", "4ok\x1eabc", "b!!", "0{}", "2", "", "6", "5"])
    async def test_a_malformed_payload_closes_the_session(self, peer: Peer, payload):
        sid = (await peer.open())["sid"]
        assert 400 == (await peer.post(sid, payload)).status_code
        assert 400 == (await peer.poll(sid)).status_code

    async def test_a_second_poll_while_one_is_pending_closes_the_session(self, eio: Peer):
        sid = (await eio.open())["sid"]
        first = asyncio.create_task(eio.poll(sid))
        await asyncio.sleep(0.05)
        second = await eio.poll(sid)
        assert 400 == second.status_code
        assert (200, "1") == ((await first).status_code, first.result().text)
        assert 400 == (await eio.poll(sid)).status_code

    async def test_a_cancelled_poll_ends_the_session(self, eio: Peer):
        sid = (await eio.open())["sid"]
        with pytest.raises(httpx.ReadTimeout):
            await eio.http.get(eio.polling(sid), timeout=0.05)
        await asyncio.sleep(0.05)
        assert 400 == (await eio.poll(sid)).status_code

    @pytest.mark.parametrize("message", ["4hello", b"\x01\x02\x03\x04"])
    async def test_a_message_comes_back_over_websocket(self, eio: Peer, message):
        async with eio.websocket() as socket:
            await socket.recv()
            await socket.send(message)
            assert message == await take(socket)

    @pytest.mark.parametrize("packet", ["abc", "", "0", "2", "5", "6", "7"])
    async def test_a_packet_that_is_none_closes_the_websocket_at_once(self, peer: Peer, packet):
        async with peer.websocket() as socket:
            await socket.recv()
            await socket.send(packet)
            assert [] == [message async for message in socket]

    async def test_a_body_over_the_limit_is_refused(self, eio: Peer):
        sid = (await eio.open())["sid"]
        assert 400 == (await eio.post(sid, "4" + "x" * 1_000_000)).status_code
        assert 400 == (await eio.poll(sid)).status_code


class TestHeartbeat:
    async def test_pings_are_sent_and_answered_over_polling(self, peer: Peer):
        sid = (await peer.open())["sid"]
        for _ in range(3):
            assert "2" == (await peer.poll(sid)).text
            assert 200 == (await peer.post(sid, "3")).status_code

    async def test_pings_are_sent_and_answered_over_websocket(self, peer: Peer):
        async with peer.websocket() as socket:
            await socket.recv()
            for _ in range(3):
                assert "2" == await socket.recv()
                await socket.send("3")

    async def test_a_client_that_does_not_poll_is_gone_after_interval_and_timeout(self, peer: Peer):
        sid = (await peer.open())["sid"]
        await asyncio.sleep(0.55)
        assert 400 == (await peer.poll(sid)).status_code

    async def test_a_client_that_does_not_answer_is_closed_on_time(self, peer: Peer):
        async with peer.websocket() as socket:
            assert "0" == (await socket.recv())[0]
            async with asyncio.timeout(0.3 + 0.2 + 0.3):
                assert ["2"] == [message async for message in socket]


class TestClose:
    async def test_a_close_packet_ends_the_pending_poll_with_a_noop(self, peer: Peer):
        sid = (await peer.open())["sid"]
        pending = asyncio.create_task(peer.poll(sid))
        await asyncio.sleep(0.05)
        assert 200 == (await peer.post(sid, "1")).status_code
        assert (200, "6") == ((await pending).status_code, pending.result().text)
        assert 400 == (await peer.poll(sid)).status_code

    async def test_a_close_packet_closes_the_websocket(self, peer: Peer):
        async with peer.websocket() as socket:
            await socket.recv()
            await socket.send("1")
            await closed(socket)


class TestUpgrade:
    async def test_websocket_takes_over_from_polling(self, eio: Peer):
        sid = (await eio.open())["sid"]
        async with eio.websocket(sid=sid) as socket:
            await socket.send("2probe")
            assert "3probe" == await socket.recv()
            assert (200, "6") == ((answer := await eio.poll(sid)).status_code, answer.text)
            await socket.send("5")
            await socket.send("4hello")
            assert "4hello" == await take(socket)

    async def test_the_pending_poll_ends_with_a_noop(self, eio: Peer):
        sid = (await eio.open())["sid"]
        pending = asyncio.create_task(eio.poll(sid))
        async with eio.websocket(sid=sid) as socket:
            await socket.send("2probe")
            assert "3probe" == await socket.recv()
            assert "6" == (await pending).text

    async def test_polling_is_over_after_the_upgrade(self, peer: Peer):
        sid = (await peer.open())["sid"]
        async with peer.websocket(sid=sid) as socket:
            await socket.send("2probe")
            await socket.send("5")
            assert "3probe" == await socket.recv()
            assert 400 == (await peer.poll(sid)).status_code
            assert 400 == (await peer.post(sid, "4x")).status_code

    async def test_a_second_websocket_is_refused(self, peer: Peer):
        sid = (await peer.open())["sid"]
        async with peer.websocket(sid=sid) as socket:
            await socket.send("2probe")
            await socket.send("5")
            assert "3probe" == await socket.recv()
            with pytest.raises(InvalidStatus):
                async with peer.websocket(sid=sid):
                    pass

    async def test_a_second_probe_does_not_disturb_the_first(self, eio: Peer):
        sid = (await eio.open())["sid"]
        async with eio.websocket(sid=sid) as socket:
            await socket.send("2probe")
            assert "3probe" == await socket.recv()
            for packet in ("2probe", "5"):
                async with eio.websocket(sid=sid) as second:
                    await second.send(packet)
                    await closed(second)
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


class TestConnect:
    @pytest.mark.parametrize(
        ("packet", "reply", "auth"),
        [
            ("40", "40", '42["auth",{}]'),
            ('40{"token":"123"}', "40", '42["auth",{"token":"123"}]'),
            ("40/custom,", "40/custom,", '42/custom,["auth",{}]'),
            ('40/custom,{"token":"abc"}', "40/custom,", '42/custom,["auth",{"token":"abc"}]'),
        ],
    )
    async def test_the_reply_comes_before_what_the_connect_handler_emits(
        self, sio: Peer, packet, reply, auth
    ):
        async with sio.websocket() as socket:
            await socket.recv()
            await socket.send(packet)
            answer = await take(socket)
            assert reply == answer[: len(reply)]
            assert {"sid"} == set(json.loads(answer[len(reply) :]))
            assert auth == await take(socket)

    async def test_an_unknown_namespace_is_refused_in_these_words(self, sio: Peer):
        async with sio.websocket() as socket:
            await socket.recv()
            await socket.send("40/random")
            assert '44/random,{"message":"Invalid namespace"}' == await take(socket)

    async def test_who_does_not_connect_in_time_is_closed(self, sio: Peer):
        async with sio.websocket() as socket:
            async with asyncio.timeout(3):
                async for message in socket:
                    if message == "2":
                        await socket.send("3")

    @pytest.mark.parametrize(
        "packet",
        [
            "4abc",
            "42{}",
            '42abc["x"]',
            "42",
            "42[]",
            "42[1]",
            '49["x"]',
            '44{"message":"x"}',
            "4" + "0" * 5,
            '45["x"]',
            '4511-["x"]',
            '459999999999-["x"]',
            "40[]",
            "41{}",
            '43["x"]',
            "4",
            '42["x"',
            '42["x"]]',
            "40/custom" + "x" * 300,
        ],
    )
    async def test_a_bad_packet_closes_at_once(self, sio: Peer, packet):
        async with sio.connected("40") as socket:
            await socket.send(packet)
            assert [] == [message async for message in socket]

    @pytest.mark.parametrize("packet", ['450-["message",{"_placeholder":true,"num":0}]'])
    async def test_a_placeholder_without_attachments_closes(self, sio: Peer, packet):
        async with sio.connected("40") as socket:
            await socket.send(packet)
            assert [] == [message async for message in socket]

    async def test_a_placeholder_out_of_range_closes(self, sio: Peer):
        async with sio.connected("40") as socket:
            await socket.send('451-["message",{"_placeholder":true,"num":1}]')
            await socket.send(b"x")
            assert [] == [message async for message in socket]

    async def test_a_text_where_an_attachment_belongs_closes(self, sio: Peer):
        async with sio.connected("40") as socket:
            await socket.send('451-["message",{"_placeholder":true,"num":0}]')
            await socket.send('42["message"]')
            assert [] == [message async for message in socket]


class TestStrangers:
    async def test_who_only_asks_for_unknown_namespaces_is_closed_in_time_as_well(self, sio: Peer):
        async with sio.websocket() as socket:
            await socket.recv()
            await socket.send("40/random")
            assert "44/random" in await take(socket)
            async with asyncio.timeout(3):
                async for message in socket:
                    if message == "2":
                        await socket.send("3")

    async def test_an_attachment_count_of_a_client_that_is_not_connected_closes(self, sio: Peer):
        async with sio.websocket() as socket:
            await socket.recv()
            await socket.send('451-["x",{"_placeholder":true,"num":0}]')
            assert [] == [message async for message in socket]

    async def test_a_number_too_long_for_python_closes(self, sio: Peer):
        async with sio.websocket() as socket:
            await socket.recv()
            await socket.send('40{"a":"\\ud800","b":' + "9" * 5_000 + "}")
            assert [] == [message async for message in socket]

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

    async def test_events_keep_their_order_whatever_came_before_them(self, sio: Peer):
        async with sio.connected("40") as socket:
            for number in range(100):
                await socket.send("431[]")
                await socket.send(f'42["message",{number}]')
            got = [await take(socket) for _ in range(100)]
            assert [f'42["message-back",{number}]' for number in range(100)] == got


class TestEvents:
    async def test_leaving_a_namespace_leaves_the_others(self, sio: Peer):
        async with sio.connected("40", "40/custom") as socket:
            await socket.send("41/custom")
            await socket.send('42["message","to the main namespace"]')
            assert '42["message-back","to the main namespace"]' == await take(socket)

    async def test_leaving_the_main_namespace_closes_in_time(self, sio: Peer):
        async with sio.connected("40") as socket:
            await socket.send("41")
            await closed(socket)

    @pytest.mark.parametrize(
        ("sent", "expected"),
        [
            (['42["message",1,"2",{"3":[true]}]'], ['42["message-back",1,"2",{"3":[true]}]']),
            (['42456["message-with-ack",1,"2",{"3":[false]}]'], ['43456[1,"2",{"3":[false]}]']),
            (
                [
                    '452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
                    b"\1\2\3",
                    b"\4\5\6",
                ],
                [
                    '452-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
                    b"\1\2\3",
                    b"\4\5\6",
                ],
            ),
            (
                [
                    '452-789["message-with-ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
                    b"\1\2\3",
                    b"\4",
                ],
                ['462-789[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', b"\1\2\3", b"\4"],
            ),
        ],
    )
    async def test_events_and_acks_carry_their_arguments(self, sio: Peer, sent, expected):
        async with sio.connected("40") as socket:
            for packet in sent:
                await socket.send(packet)
            assert expected == [await take(socket) for _ in expected]
