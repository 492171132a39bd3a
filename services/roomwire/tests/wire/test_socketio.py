"""What a conforming Socket.IO 5 server does, over the wire: the suite's cases, and what is like them.

The first half of the suite is Engine.IO's on the path of Socket.IO: test_engineio runs it there as well.
"""

import asyncio
import json

import pytest
from peers import Peer, closed, take
from wire.cases import HANDSHAKE, LIFE, SOCKET_IO, SOCKET_PACKETS, Cases

case = Cases(SOCKET_PACKETS)

CONNECT_TIMEOUT_S = 1.0
LATE_S = 0.5

BINARY = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'


async def end_of(socket) -> float:
    """Answer pings until the server closes; returns how long that took."""
    loop = asyncio.get_running_loop()
    before = loop.time()
    async with asyncio.timeout(CONNECT_TIMEOUT_S + LATE_S):
        async for message in socket:
            if message == "2":
                await socket.send("3")
    return loop.time() - before


class TestConnect:
    @case(
        "connect: main namespace",
        "connect: main namespace, with auth",
        "connect: custom namespace",
        "connect: custom namespace, with auth",
    )
    @pytest.mark.parametrize(
        ("packet", "reply", "auth"),
        [
            ("40", "40", '42["auth",{}]'),
            ('40{"token":"123"}', "40", '42["auth",{"token":"123"}]'),
            ("40/custom,", "40/custom,", '42/custom,["auth",{}]'),
            ("40/custom", "40/custom,", '42/custom,["auth",{}]'),
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

    @case("connect: unknown namespace")
    async def test_an_unknown_namespace_is_refused_in_these_words(self, sio: Peer):
        async with sio.websocket() as socket:
            await socket.recv()
            await socket.send("40/random")
            assert '44/random,{"message":"Invalid namespace"}' == await take(socket)

    @case("connect: malformed")
    @pytest.mark.parametrize("packet", ["4abc", "4", "40abc", "4x"])
    async def test_what_is_no_connect_closes_at_once(self, sio: Peer, packet):
        async with sio.websocket() as socket:
            await socket.recv()
            await socket.send(packet)
            assert [] == [message async for message in socket]

    @case("connect: never")
    async def test_who_does_not_connect_in_time_is_closed(self, sio: Peer):
        async with sio.websocket() as socket:
            assert CONNECT_TIMEOUT_S <= 0.02 + await end_of(socket)

    async def test_who_only_asks_for_unknown_namespaces_is_closed_in_time_as_well(self, sio: Peer):
        async with sio.websocket() as socket:
            await socket.recv()
            await socket.send("40/random")
            assert "44/random" in await take(socket)
            await end_of(socket)


class TestDisconnect:
    @case("disconnect: custom namespace")
    async def test_leaving_a_namespace_leaves_the_others(self, sio: Peer):
        async with sio.connected("40", "40/custom") as socket:
            await socket.send("41/custom")
            await socket.send('42["message","to the main namespace"]')
            assert '42["message-back","to the main namespace"]' == await take(socket)

    @case("disconnect: main namespace")
    async def test_leaving_the_main_namespace_closes_in_time(self, sio: Peer):
        async with sio.connected("40") as socket:
            await socket.send("41")
            await closed(socket)


class TestMessage:
    @case("message: text", "message: binary", "message: text with ack", "message: binary with ack")
    @pytest.mark.parametrize(
        ("sent", "expected"),
        [
            (['42["message",1,"2",{"3":[true]}]'], ['42["message-back",1,"2",{"3":[true]}]']),
            (['42456["message-with-ack",1,"2",{"3":[false]}]'], ['43456[1,"2",{"3":[false]}]']),
            (
                [f'452-["message",{BINARY}]', b"\1\2\3", b"\4\5\6"],
                [f'452-["message-back",{BINARY}]', b"\1\2\3", b"\4\5\6"],
            ),
            (
                [f'452-789["message-with-ack",{BINARY}]', b"\1\2\3", b"\4"],
                [f"462-789[{BINARY}]", b"\1\2\3", b"\4"],
            ),
        ],
    )
    async def test_events_and_acks_carry_their_arguments(self, sio: Peer, sent, expected):
        async with sio.connected("40") as socket:
            for packet in sent:
                await socket.send(packet)
            assert expected == [await take(socket) for _ in expected]

    @case("message: unknown packet type", "message: malformed payload", "message: malformed ack id")
    @pytest.mark.parametrize(
        "packet",
        [
            "4abc",
            "42{}",
            '42abc["x"]',
            '42abc["message-with-ack",1,"2",{"3":[false]}]',
            "42",
            "42[]",
            "42[true]",
            '49["x"]',
            '44{"message":"x"}',
            '45["x"]',
            '4511-["x"]',
            "41{}",
            '43["x"]',
            "4",
            '42["x"',
            '42["x"]]',
            "40/custom" + "x" * 300,
            '450-["message",{"_placeholder":true,"num":0}]',
        ],
    )
    async def test_a_bad_packet_closes_at_once(self, sio: Peer, packet):
        async with sio.connected("40") as socket:
            await socket.send(packet)
            # At once: no ping comes before the end, and the end is no timeout.
            assert [] == [message async for message in socket]

    @pytest.mark.parametrize("num", [1, -1, '"0"', "null", 0.5, "true"])
    async def test_a_placeholder_out_of_range_closes(self, sio: Peer, num):
        async with sio.connected("40") as socket:
            await socket.send(f'451-["message",{{"_placeholder":true,"num":{num}}}]')
            await socket.send(b"x")
            assert [] == [message async for message in socket]

    async def test_an_attachment_that_no_placeholder_names_closes(self, sio: Peer):
        async with sio.connected("40") as socket:
            await socket.send('451-["message"]')
            await socket.send(b"x")
            assert [] == [message async for message in socket]

    async def test_a_text_where_an_attachment_belongs_closes(self, sio: Peer):
        async with sio.connected("40") as socket:
            await socket.send('451-["message",{"_placeholder":true,"num":0}]')
            await socket.send('42["message"]')
            assert [] == [message async for message in socket]

    async def test_an_attachment_that_nothing_announced_closes(self, sio: Peer):
        async with sio.connected("40") as socket:
            await socket.send(b"x")
            assert [] == [message async for message in socket]

    async def test_an_event_with_ten_attachments_is_taken(self, sio: Peer):
        places = ",".join(f'{{"_placeholder":true,"num":{number}}}' for number in range(10))
        attachments = [bytes([number]) for number in range(10)]
        async with sio.connected("40") as socket:
            for packet in (f'4510-["message",{places}]', *attachments):
                await socket.send(packet)
            assert [f'4510-["message-back",{places}]', *attachments] == [
                await take(socket) for _ in range(11)
            ]

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

    async def test_events_keep_their_order_whatever_came_before_them(self, sio: Peer):
        async with sio.connected("40") as socket:
            for number in range(100):
                await socket.send("431[]")
                await socket.send(f'42["message",{number}]')
            got = [await take(socket) for _ in range(100)]
            assert [f'42["message-back",{number}]' for number in range(100)] == got


def test_no_case_of_the_suite_is_missing():
    assert 32 == len(SOCKET_IO) == len(HANDSHAKE) + len(LIFE) + len(SOCKET_PACKETS)
    assert set() == case.missing
