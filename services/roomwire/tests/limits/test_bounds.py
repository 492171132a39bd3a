"""What one client may cost: each bound holds, over every transport it concerns, and what exceeds it is counted."""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import socketio
from peers import Peer, closed, joined, peer_by, polling_and_joined, raw, take
from waiting import until
from websockets.exceptions import ConnectionClosed

from roomwire import Gateway, Server, Socket, subscribe
from roomwire.engine.fast_socket import FastSocket
from roomwire.engine.session import Reason
from roomwire.errors import RateLimited
from roomwire.identity.tokens import User
from roomwire.limits.bounds import Bound
from roomwire.limits.client import Limits
from roomwire.metrics.gateway import Metrics
from roomwire.protocol.codec import Packet
from roomwire.server.admissions import MAX_LATE
from roomwire_gateway.settings import Settings

MASK = b"\0\0\0\0"
BINARIES = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'
WAYS = ["fast", "asgi", "hypercorn"]
SESSIONS = {"max_sessions", "max_sessions_per_address"}
"""A gateway takes these from its limits of connections, in front of which a library's server may have any listener."""
QUIET = {"ping_interval_s": 60.0, "ping_timeout_s": 60.0}


class Waiting(Gateway):
    """Has a handler that waits until it may go on."""

    def __init__(self) -> None:
        super().__init__("/")
        self.go_on = asyncio.Event()

    @subscribe("wait")
    async def wait(self) -> str:
        await self.go_on.wait()
        return "done"


class Site:
    """A server within limits, and what it counted."""

    def __init__(self, **limits: float) -> None:
        self.metrics = Metrics()
        self.server = Server(metrics=self.metrics, limits=Limits(**QUIET | limits))

    def exceeded(self) -> dict[str, float]:
        """Return which bounds have been exceeded, and how often."""
        counts = {
            bound.value: self.metrics.registry.get_sample_value(
                "roomwire_bounds_exceeded_total", {"bound": bound.value}
            )
            for bound in Bound
        }
        assert None not in counts.values()
        return {bound: count for bound, count in counts.items() if count}

    async def counted(self, bound: Bound) -> None:
        """Return when a bound, and no other, has been exceeded once."""
        await until(self.exceeded)
        assert {bound.value: 1} == self.exceeded()

    @contextlib.asynccontextmanager
    async def serve(self, way: str):
        """Serve it, for a peer."""
        async with peer_by(way, socketio.ASGIApp(self.server), "/socket.io/") as peer:
            yield peer
            await self.server.eio.shutdown()


async def polled(peer: Peer, sid: str, count: int) -> list[str]:
    """Poll until there are so many packets; returns them."""
    packets: list[str] = []
    while len(packets) < count:
        packets += (await peer.poll(sid)).text.split("\x1e")
    return packets


def members(site: Site) -> list[Any]:
    return [member for connection in site.server.eio.sockets.values() for member in connection.members]


def handles(site: Site, event: str, handler: Callable) -> None:
    site.server.on("connect", lambda *_: None)
    site.server.on(event, handler)


class TestEveryBound:
    def test_it_is_a_setting_of_the_gateway_with_the_same_default(self):
        shown = {"max_payload_bytes": "max_body_bytes"}
        # A library's user may have a server send events as fast as it likes; whoever runs a gateway has strangers.
        rates = {"max_events_per_s", "max_events_per_user_per_s", "max_events_of_guests_per_s"}
        differ = {"ping_grace_s", *rates, *SESSIONS}
        for name in set(Limits.__struct_fields__) - differ:
            assert getattr(Limits(), name) == Settings.model_fields[shown.get(name, name)].default

    def test_what_packets_know_of_their_own_is_the_default(self):
        limits = Limits()
        assert (limits.max_attachments, limits.max_attachments_bytes) == (
            Packet.max_attachments,
            Packet.max_attachments_bytes,
        )

    def test_python_socketios_own_options_count_instead_where_they_are_given(self):
        server = Server(limits=Limits(ping_interval_s=9, max_payload_bytes=99), ping_interval=(3, 2))
        limits = server.eio.limits
        assert (3, 2, 99) == (limits.ping_interval_s, limits.ping_grace_s, limits.max_payload_bytes)
        assert (3, 2, 99) == (
            server.eio.ping_interval,
            server.eio.ping_interval_grace_period,
            server.eio.max_http_buffer_size,
        )


class TestMessageBytes:
    @pytest.mark.parametrize("way", WAYS)
    async def test_a_larger_message_closes(self, way):
        site = Site(max_payload_bytes=1_000)
        handles(site, "x", lambda *_: None)
        async with site.serve(way) as peer, joined(peer) as websocket:
            await websocket.send("42" + '["x","' + "x" * (1_000 - len('42["x",""]')) + '"]')
            await websocket.send("4" + "2" * 1_000)
            await closed(websocket)
            await site.counted(Bound.MESSAGE_BYTES)

    async def test_a_larger_body_is_refused_and_the_session_goes_on(self):
        site, handled = Site(max_payload_bytes=1_000), []
        handles(site, "say", lambda _, number: handled.append(number))
        async with site.serve("asgi") as peer:
            sid = await polling_and_joined(peer)
            await peer.post(sid, '42["say",1]')
            refused = await peer.post(sid, '42["say",2]\x1e' * 100)
            assert (413, 3) == (refused.status_code, refused.json()["code"])
            await site.counted(Bound.MESSAGE_BYTES)
            assert 200 == (await peer.post(sid, '42["say",3]')).status_code
        assert [1, 3] == handled

    @pytest.mark.parametrize("way", WAYS)
    async def test_attachments_are_as_large_as_messages_may_be(self, way):
        site, handled = Site(max_payload_bytes=50_000_000), []
        handles(site, "say", lambda _, data: handled.append(len(data)))
        async with site.serve(way) as peer, joined(peer) as websocket:
            await websocket.send('451-["say",{"_placeholder":true,"num":0}]')
            # As browsers send it.
            await websocket.send(b"x" * 131_072 for _ in range(69))
            await until(lambda: handled)
        assert [69 * 131_072] == handled
        assert {} == site.exceeded()

    @pytest.mark.parametrize("way", WAYS)
    async def test_what_waits_alone_is_as_large_as_a_message_may_be(self, way):
        site, gateway = Site(max_payload_bytes=9_000_000), Waiting()
        site.server.register_namespace(gateway)
        async with site.serve(way) as peer, joined(peer) as websocket:
            await websocket.send('420["wait"]')
            await websocket.send(f'421["wait","{"x" * 8_000_000}"]')
            await until(lambda: [member.lane.events for member in members(site)] == [2])
            gateway.go_on.set()
            assert ['430["done"]', '431["done"]'] == [await take(websocket) for _ in range(2)]
        assert {Bound.WAITING_EVENTS.value: 1} == site.exceeded()


class TestPackets:
    async def test_of_a_payload_what_is_no_message_is_bounded(self):
        site = Site(max_payload_packets=4)
        async with site.serve("asgi") as peer:
            sid = (await peer.open())["sid"]
            assert 200 == (await peer.post(sid, "\x1e".join(["3"] * 4))).status_code
            assert 400 == (await peer.post(sid, "\x1e".join(["3"] * 5))).status_code
            await site.counted(Bound.PAYLOAD_PACKETS)

    async def test_of_messages_a_payload_may_hold_as_many_as_fit(self):
        site, handled = Site(max_payload_packets=4, max_payload_bytes=80_000), []
        handles(site, "x", lambda _: handled.append(True))
        async with site.serve("asgi") as peer:
            sid = await polling_and_joined(peer)
            payload = "\x1e".join(['42["x"]'] * 10_000)
            assert 200 == (await peer.post(sid, payload)).status_code
        assert 10_000 == len(handled)
        assert {} == site.exceeded()


class TestAPayloadOfMoreThanIsTakenAtOnce:
    """Over polling a client sends nothing more until its payload is taken, so it waits for the answer."""

    async def test_a_gateway_handles_its_events_in_order_and_refuses_none(self):
        site, gateway = Site(max_waiting_events_bytes=20_000), Waiting()
        site.server.register_namespace(gateway)
        async with site.serve("asgi") as peer:
            sid = await polling_and_joined(peer)
            post = asyncio.create_task(peer.post(sid, "\x1e".join(f'42{n}["wait"]' for n in range(300))))
            await until(lambda: peer.engine.find(sid).state.is_paused)
            assert not post.done()
            gateway.go_on.set()
            assert 200 == (await post).status_code
            answers = await polled(peer, sid, 300)
        assert [f'43{number}["done"]' for number in range(300)] == answers
        assert {"waiting_events": 1} == site.exceeded()

    async def test_functions_handle_them_all_as_well(self):
        site, go_on = Site(max_waiting_events_bytes=1_000), asyncio.Event()

        async def wait(_: str) -> bool:
            return await go_on.wait()

        handles(site, "wait", wait)
        async with site.serve("asgi") as peer:
            sid = await polling_and_joined(peer)
            post = asyncio.create_task(peer.post(sid, "\x1e".join(f'42{n}["wait"]' for n in range(30))))
            await until(lambda: peer.engine.find(sid).state.is_paused)
            assert not post.done()
            go_on.set()
            assert 200 == (await post).status_code
            answers = await polled(peer, sid, 30)
        assert {f"43{number}[true]" for number in range(30)} == set(answers)

    async def test_its_events_wait_until_they_may_come(self):
        site, handled = Site(max_events_per_s=200), []
        handles(site, "say", lambda _, number, *__: handled.append(number))
        text = [f'42["say",{number}]' for number in range(250)]
        binary = ['451-["say",250,{"_placeholder":true,"num":0}]', "beA=="]
        async with site.serve("asgi") as peer:
            sid = await polling_and_joined(peer)
            assert 200 == (await peer.post(sid, "\x1e".join(text + binary))).status_code
        assert list(range(251)) == handled
        assert {} == site.exceeded()

    async def test_a_payload_that_comes_meanwhile_is_taken_after_it(self):
        site, gateway = Site(max_waiting_events_bytes=500), Waiting()
        site.server.register_namespace(gateway)
        async with site.serve("asgi") as peer:
            sid = await polling_and_joined(peer)
            connection = peer.engine.find(sid)
            posts = [asyncio.create_task(peer.post(sid, "\x1e".join(f'42{n}["wait"]' for n in range(9))))]
            await until(lambda: connection.state.is_paused)
            posts.append(asyncio.create_task(peer.post(sid, '429["wait"]')))
            await until(lambda: connection.posting._waiters)
            gateway.go_on.set()
            assert [200, 200] == [(await post).status_code for post in posts]
            assert [f'43{number}["done"]' for number in range(10)] == await polled(peer, sid, 10)

    async def test_a_pong_that_comes_meanwhile_is_taken_at_once(self):
        site, gateway = Site(max_waiting_events_bytes=500), Waiting()
        site.server.register_namespace(gateway)
        async with site.serve("asgi") as peer:
            sid = await polling_and_joined(peer)
            connection = peer.engine.find(sid)
            posts = [asyncio.create_task(peer.post(sid, "\x1e".join(['42["wait"]'] * 9)))]
            await until(lambda: connection.state.is_paused)
            assert 200 == (await peer.post(sid, "3")).status_code
            posts += [asyncio.create_task(peer.post(sid, '42["wait"]')) for _ in range(8)]
            await until(lambda: any(post.done() for post in posts))
            assert [400] == [post.result().status_code for post in posts if post.done()]
            gateway.go_on.set()
            assert {200: 8, 400: 1} == Counter([(await post).status_code for post in posts])

    async def test_a_payload_whose_session_ends_meanwhile_is_not_taken(self):
        site, gateway = Site(max_waiting_events_bytes=500), Waiting()
        site.server.register_namespace(gateway)
        async with site.serve("asgi") as peer:
            sid = await polling_and_joined(peer)
            posts = [
                asyncio.create_task(peer.post(sid, "\x1e".join(f'42{n}["wait"]' for n in range(9))))
                for _ in range(2)
            ]
            await until(lambda: peer.engine.find(sid).posting._waiters)
            peer.engine.close(sid, Reason.SERVER)
            assert [400, 400] == [(await post).status_code for post in posts]
            gateway.go_on.set()


async def test_more_fragments_close_on_the_fast_path():
    """On plain ASGI the server puts messages together: `TestEmptyContinuationFramesPileUpWithoutLimit`."""
    site = Site(max_fragments=3)
    async with site.serve("fast") as peer, raw(peer) as (reader, writer):
        writer.write(b"\x01\x80" + MASK + (b"\x00\x80" + MASK) * 3)
        assert b"\x03\xf1" == (await reader.read())[-2:]
        await site.counted(Bound.FRAGMENTS)


@pytest.mark.parametrize("size", [1, 500])
async def test_a_client_of_whom_more_events_wait_is_not_read_until_half_are_handled(size):
    """On plain ASGI they wait in the server, which stops to read."""
    site = Site(max_waiting_events_bytes=20_000)
    go_on, handled = asyncio.Event(), []

    async def say(_: str, number: int, __: str) -> None:
        await go_on.wait()
        handled.append(number)

    site.server.async_handlers = False
    handles(site, "say", say)
    async with site.serve("fast") as peer, joined(peer) as websocket:
        (protocol,) = [each for each in peer.place.state.connections if isinstance(each, FastSocket)]
        sending = asyncio.create_task(
            send_all(websocket, [f'42["say",{n},"{"x" * size}"]' for n in range(20_000)])
        )
        await site.counted(Bound.WAITING_EVENTS)
        assert not protocol._transport.is_reading()
        assert [] == handled
        go_on.set()
        await sending
        await until(lambda: len(handled) == 20_000)
        await until(protocol._transport.is_reading)
    assert list(range(20_000)) == handled


async def send_all(websocket, packets):
    for packet in packets:
        await websocket.send(packet)


class TestBacklog:
    @pytest.mark.parametrize("way", ["fast", "asgi"])
    async def test_a_client_that_is_to_ack_is_read_up_to_four_times_as_far_and_closed_beyond(self, way):
        site, go_on = Site(max_waiting_events_bytes=10_000), asyncio.Event()

        async def wait(_: str, __: str) -> None:
            await go_on.wait()

        handles(site, "wait", wait)
        reasons: list[str] = []
        site.server.on("disconnect", lambda _, reason: reasons.append(reason))
        async with site.serve(way) as peer, joined(peer) as websocket:
            (member,) = members(site)
            asking = asyncio.create_task(site.server.call("ask", to=member.sid))
            assert "[" in await take(websocket)
            with contextlib.suppress(ConnectionClosed):
                for _ in range(100):
                    await websocket.send(f'42["wait","{"x" * 1_000}"]')
            await closed(websocket)
            await site.counted(Bound.BACKLOG)
            await until(lambda: reasons)
            asking.cancel()
            go_on.set()
        assert [Reason.BACKLOG] == reasons


@pytest.mark.parametrize("way", WAYS)
async def test_a_client_that_is_given_much_more_and_does_not_read_is_a_slow_consumer_at_once(way):
    site = Site(max_unread_bytes=10_000, unread_timeout_s=600.0)
    handles(site, "x", lambda *_: None)
    async with site.serve(way) as peer, joined(peer) as websocket:
        reasons = []
        site.server.on("disconnect", lambda _, reason: reasons.append(reason))
        websocket.transport.pause_reading()
        while not reasons:
            await site.server.emit("flood", "x" * 100_000)
            await asyncio.sleep(0)
        await site.counted(Bound.UNREAD_BYTES)
        assert ["slow consumer"] == reasons


LARGE = "x" * 12_000_000
MANY = [f"{number}." + "x" * 100_000 for number in range(100)]


class Large(Gateway):
    """Sends more at once than may wait for a client that does not read."""

    @subscribe("one")
    async def one(self, socket: Socket) -> None:
        await socket.emit("news", LARGE)

    @subscribe("many")
    async def many(self, socket: Socket) -> None:
        for each in MANY:
            await socket.emit("news", each)

    @subscribe("all")
    async def all(self, socket: Socket) -> None:
        await self.emit("news", LARGE)

    @subscribe("ask")
    async def ask(self) -> str:
        return LARGE

    @subscribe("binary")
    async def binary(self, socket: Socket) -> None:
        await socket.emit("news", LARGE.encode())


SENT = {
    "one": [f'42["news","{LARGE}"]'],
    "many": [f'42["news","{each}"]' for each in MANY],
    "all": [f'42["news","{LARGE}"]'],
    "ask": [f'430["{LARGE}"]'],
    "binary": ['451-["news",{"_placeholder":true,"num":0}]', LARGE.encode()],
}


class TestMuchAtOnce:
    """It is let through to a client that reads."""

    @pytest.mark.parametrize("way", [*WAYS, "deflated"])
    async def test_over_a_websocket(self, way):
        site = Site(unread_timeout_s=600.0)
        site.server.register_namespace(Large("/"))
        async with site.serve(way) as peer, joined(peer, max_size=None) as websocket:
            for event, packets in SENT.items():
                await websocket.send(f'42{"0" if event == "ask" else ""}["{event}"]')
                assert packets == [await take(websocket) for _ in packets]
        assert {} == site.exceeded()

    @pytest.mark.parametrize("way", ["fast", "asgi"])
    async def test_over_polling_and_after_the_upgrade(self, way):
        site = Site(unread_timeout_s=600.0)
        site.server.register_namespace(Large("/"))
        async with site.serve(way) as peer:
            sid = await polling_and_joined(peer)
            await peer.post(sid, '42["one"]')
            await peer.post(sid, '42["many"]')
            assert SENT["one"] + SENT["many"] == await polled(peer, sid, 1 + len(MANY))
            # What waits when the transport changes goes over the new one.
            await peer.post(sid, '42["one"]')
            async with peer.websocket(sid=sid, max_size=None) as websocket:
                await websocket.send("2probe")
                assert "3probe" == await take(websocket)
                await websocket.send("5")
                assert SENT["one"] == [await take(websocket)]
                await websocket.send('42["many"]')
                assert SENT["many"] == [await take(websocket) for _ in MANY]
        assert {} == site.exceeded()

    @pytest.mark.parametrize("way", WAYS)
    async def test_while_it_connects(self, way):
        site = Site()

        @site.server.on("connect")
        async def connect(sid, *_):
            for each in MANY:
                await site.server.emit("news", each, to=sid)

        async with site.serve(way) as peer, joined(peer) as websocket:
            assert SENT["many"] == [await take(websocket) for _ in MANY]
        assert {} == site.exceeded()


def has_read(connection: Any, taken: int) -> bool:
    """Return whether a client has read since its backlog was looked at, or has nothing left to read."""
    left, now_taken = connection.backlog()
    return now_taken > taken or not left


class TestUnreadTimeout:
    """The time runs in looks of its alarm, which the test rings: nothing depends on how fast a machine reads."""

    @pytest.mark.parametrize("way", WAYS)
    async def test_a_client_that_reads_nothing_of_what_waits_is_closed_after_its_time(self, way):
        site = Site(max_unread_bytes=100_000, unread_timeout_s=0.2)
        handles(site, "x", lambda *_: None)
        reasons = []
        site.server.on("disconnect", lambda _, reason: reasons.append(reason))
        async with site.serve(way) as peer, joined(peer, max_size=None) as websocket:
            websocket.transport.pause_reading()
            await site.server.emit("news", LARGE)
            if way != "fast":
                # Another server takes one message, whether its client reads or not; the next one waits.
                await asyncio.sleep(0)
                await site.server.emit("news", LARGE)
            await until(lambda: reasons)
            await site.counted(Bound.UNREAD_BYTES)
        assert ["slow consumer"] == reasons

    async def test_a_client_that_polls_no_more_is_closed_after_its_time(self):
        site = Site(max_unread_bytes=100_000, unread_timeout_s=0.2)
        handles(site, "x", lambda *_: None)
        async with site.serve("asgi") as peer:
            sid = await polling_and_joined(peer)
            await site.server.emit("news", LARGE)
            await site.counted(Bound.UNREAD_BYTES)
            assert 400 == (await peer.poll(sid)).status_code

    @pytest.mark.parametrize("way", ["fast", "asgi"])
    async def test_a_client_that_reads_between_two_looks_stays_though_it_is_given_as_much(self, way):
        site = Site(max_unread_bytes=1_000_000, unread_timeout_s=600.0)
        handles(site, "x", lambda *_: None)
        async with site.serve(way) as peer, joined(peer, max_size=None) as websocket:
            (connection,) = site.server.eio.sockets.values()
            websocket.transport.pause_reading()
            for _ in range(2):
                await site.server.emit("news", LARGE)
                await asyncio.sleep(0)
            for _ in range(8):
                waiting, taken = connection.backlog()
                websocket.transport.resume_reading()
                await until(partial(has_read, connection, taken))
                websocket.transport.pause_reading()
                connection._look(0.0)
                if waiting < len(LARGE):
                    await site.server.emit("news", "x" * 20_000)
            assert not connection.closed
            websocket.transport.resume_reading()

    async def test_a_client_that_has_caught_up_is_watched_no_more(self):
        site = Site(max_unread_bytes=10_000, unread_timeout_s=600.0)
        handles(site, "x", lambda *_: None)
        async with site.serve("asgi") as peer:
            sid = await polling_and_joined(peer)
            connection = peer.engine.find(sid)
            await site.server.emit("news", "x" * 20_000)
            await until(lambda: connection.backlog()[0] > 10_000)
            assert connection._look(0.0) is not None
            await peer.poll(sid)
            assert connection._look(0.0) is None
            await site.server.emit("news", "x" * 20_000)
            await until(lambda: connection.backlog()[0] > 10_000)
            looks = [connection._look(0.0) for _ in range(4)]
            assert (None, "slow consumer") == (looks[-1], connection.state.closed)
            assert None not in looks[:-1]


class TestAttachments:
    @pytest.mark.parametrize("way", WAYS)
    async def test_one_too_many_closes(self, way):
        site = Site(max_attachments=2)
        handles(site, "x", lambda *_: None)
        async with site.serve(way) as peer, joined(peer) as websocket:
            await websocket.send('453-["x"]')
            await closed(websocket)
            await site.counted(Bound.ATTACHMENTS)

    @pytest.mark.parametrize("way", WAYS)
    async def test_a_byte_too_many_closes(self, way):
        site, taken = Site(max_attachments_bytes=100), []
        handles(site, "x", lambda _, *args: taken.append(args))
        head = '452-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'
        async with site.serve(way) as peer, joined(peer) as websocket:
            for packet in (head, b"x" * 50, b"x" * 50, head, b"x" * 50, b"x" * 51):
                await websocket.send(packet)
            await closed(websocket)
            await site.counted(Bound.ATTACHMENTS_BYTES)
        assert [(b"x" * 50, b"x" * 50)] == taken


class TestPendingAcks:
    @pytest.mark.parametrize("way", WAYS)
    async def test_beyond_them_the_newest_is_refused_and_the_first_ones_are_answered(self, way):
        site, answers = Site(max_pending_acks=2), []
        handles(site, "x", lambda *_: None)
        async with site.serve(way) as peer, joined(peer) as websocket:
            (sid,) = site.server.manager.rooms["/"][None]
            for number in range(2):
                await site.server.emit(
                    "ask", to=sid, callback=lambda *args, n=number: answers.append((n, *args))
                )
            with pytest.raises(RateLimited, match="Too many acks"):
                await site.server.call("ask", to=sid)
            await site.counted(Bound.PENDING_ACKS)
            for ack_id in (1, 2):
                assert f'42{ack_id}["ask"]' == await take(websocket)
                await websocket.send(f'43{ack_id}["a"]')
            await until(lambda: len(answers) == 2)
            assert [(0, "a"), (1, "a")] == answers
            calling = asyncio.create_task(site.server.call("ask", to=sid))
            assert '423["ask"]' == await take(websocket)
            await websocket.send('433["again"]')
            assert "again" == await calling
            assert {"pending_acks": 1} == site.exceeded()

    async def test_of_several_clients_one_that_cannot_be_asked_is_left_out_and_no_other_is_charged_for_it(
        self,
    ):
        site = Site(max_pending_acks=2)
        handles(site, "x", lambda *_: None)
        async with site.serve("fast") as peer, joined(peer) as one, joined(peer) as other:
            first, second = site.server.manager.rooms["/"][None]
            for _ in range(2):
                await site.server.emit("fill", to=second, callback=print)
            answers = []
            for _ in range(5):
                await site.server.emit("ask", callback=lambda *args: answers.append(args))
                ack_id = (await take(one)).removeprefix("42").removesuffix('["ask"]')
                await one.send(f'43{ack_id}["a"]')
                await until(lambda: len(site.server.manager.callbacks[first]) == 1)
            assert [("a",)] * 5 == answers
            await site.server.emit("end")
            assert ['421["fill"]', '422["fill"]', '42["end"]'] == [await take(other) for _ in range(3)]

    async def test_an_event_that_cannot_be_encoded_leaves_no_answer_awaited(self):
        site = Site()
        handles(site, "x", lambda *_: None)
        async with site.serve("fast") as peer, joined(peer):
            (sid,) = site.server.manager.rooms["/"][None]
            with pytest.raises(TypeError):
                await site.server.emit("ask", object(), to=sid, callback=print)
            assert {} == site.server.manager.callbacks

    async def test_a_call_that_nobody_answers_leaves_nothing_behind(self):
        site = Site()
        handles(site, "x", lambda *_: None)
        async with site.serve("fast") as peer, joined(peer) as websocket:
            (sid,) = site.server.manager.rooms["/"][None]
            with pytest.raises(socketio.exceptions.TimeoutError):
                await site.server.call("ask", to=sid, timeout=0.01)
            assert [0] == list(site.server.manager.callbacks[sid])
            call = asyncio.create_task(site.server.call("ask", to=sid))
            assert '421["ask"]' == await take(websocket)
            assert '422["ask"]' == await take(websocket)
            call.cancel()
            await asyncio.wait({call})
            assert [0] == list(site.server.manager.callbacks[sid])
            assert {} == site.exceeded()


@pytest.mark.parametrize("limit", [{"max_held_frames": 10}, {"max_held_bytes": 1_000}])
@pytest.mark.parametrize("way", WAYS)
async def test_more_said_to_a_client_that_is_connecting_closes(way, limit):
    site = Site(**limit)

    @site.server.on("connect")
    async def connect(sid, *_):
        for _ in range(11):
            await site.server.emit("x", "x" * 2_000, to=sid)
            await asyncio.sleep(0)

    async with site.serve(way) as peer, peer.websocket() as websocket:
        await websocket.recv()
        await websocket.send("40")
        await closed(websocket)
        await site.counted(Bound.HELD)


@pytest.mark.parametrize("way", WAYS)
async def test_one_namespace_too_many_is_refused_and_the_others_stay(way):
    site = Site(max_namespaces=2)
    for namespace in ("/", "/a", "/b"):
        site.server.on("connect", lambda *_: None, namespace=namespace)
    async with site.serve(way) as peer, joined(peer) as websocket:
        await websocket.send("40/a,")
        assert "40/a," == (await take(websocket))[:5]
        await websocket.send("40/b,")
        assert '44/b,{"message":"Too many namespaces"}' == await take(websocket)
        await site.counted(Bound.NAMESPACES)
        await websocket.send("41/a,")
        await until(lambda: "/a" not in site.server.manager.rooms)
        await websocket.send("40/b,")
        assert "40/b," == (await take(websocket))[:5]


@pytest.mark.parametrize("way", WAYS)
async def test_events_that_come_too_fast_are_refused_and_the_others_are_handled(way):
    site = Site(max_events_per_s=5)
    handled = []
    handles(site, "say", lambda _, number: handled.append(number))
    async with site.serve(way) as peer, joined(peer) as websocket:
        for number in range(50):
            await websocket.send(f'42{number}["say",{number}]')
        answers = [json.loads((await take(websocket))[2:].lstrip("0123456789")) for _ in range(50)]
        refused = [answer for answer in answers if answer]
        assert 50 == len(handled) + len(refused)
        # What is allowed at once, and what the time that passed meanwhile has added.
        assert list(range(5)) == handled[:5]
        assert len(refused) > 20
        assert {"rate_limited"} == {answer[0]["error"]["code"] for answer in refused}
        assert {"events_per_s": len(refused)} == site.exceeded()


@pytest.mark.parametrize(
    ("bound", "who"), [("events_per_user_per_s", "user"), ("events_per_address_per_s", "address")]
)
async def test_what_one_connection_has_used_of_what_its_user_or_address_may_others_of_it_cannot(bound, who):
    async def authenticate(handshake):
        return User(id=handshake.auth["user"], name="", kind="account")

    metrics = Metrics()
    server = Server(
        metrics=metrics,
        limits=Limits(**QUIET, **{f"max_{bound}": 0.1}),
        authenticate=authenticate,
        trusted_proxies=["127.0.0.1"],
    )
    server.on("connect", lambda *_: None)
    server.on("say", lambda *_: "heard")
    async with (
        peer_by("fast", socketio.ASGIApp(server), "/socket.io/") as peer,
        contextlib.AsyncExitStack() as stack,
    ):

        async def say(user, address):
            headers = {"X-Forwarded-For": address}
            websocket = await stack.enter_async_context(peer.websocket(additional_headers=headers))
            await websocket.recv()
            await websocket.send("40" + json.dumps({"user": user}))
            await take(websocket)
            await websocket.send('421["say"]')
            return await take(websocket)

        assert '431["heard"]' == await say("ann", "192.0.2.1")
        same = ("ann", "192.0.2.2") if who == "user" else ("bob", "192.0.2.1")
        refused = await say(*same)
        assert who in refused
        assert "rate_limited" in refused
        assert '431["heard"]' == await say("bob", "192.0.2.2")
        sample = metrics.registry.get_sample_value("roomwire_bounds_exceeded_total", {"bound": bound})
        assert 1 == sample
    await server.eio.shutdown()


async def test_guests_who_take_more_than_their_part_are_refused_and_accounts_and_other_guests_are_not(
    log_lines,
):
    async def authenticate(handshake):
        return User(id=handshake.auth["user"], name="", kind=handshake.auth["kind"])

    metrics = Metrics()
    limits = Limits(**QUIET, max_events_of_guests_per_s=0.1)
    server = Server(metrics=metrics, limits=limits, authenticate=authenticate)
    server.on("connect", lambda *_: None)
    server.on("say", lambda *_: "heard")
    async with (
        peer_by("fast", socketio.ASGIApp(server), "/socket.io/") as peer,
        contextlib.AsyncExitStack() as stack,
    ):

        async def enter(user, kind):
            websocket = await stack.enter_async_context(peer.websocket())
            await websocket.recv()
            await websocket.send("40" + json.dumps({"user": user, "kind": kind}))
            await take(websocket)
            return websocket

        async def say(websocket):
            await websocket.send('421["say"]')
            return await take(websocket)

        guests = [await enter("eve", "guest"), await enter("mallory", "guest"), await enter("", "anonymous")]
        # There is nobody else whose time they could take.
        for guest in guests * 2:
            assert '431["heard"]' == await say(guest)
        accounts = [await enter("ann", "account"), await enter("bot", "service")]
        assert '431["heard"]' == await say(guests[0])
        # Together the guests have used their rate; each of the others is within its part.
        for guest in guests[1:]:
            assert '431["heard"]' == await say(guest)
        for guest in guests:
            refused = await say(guest)
            assert "rate_limited" in refused
            assert "guests" in refused
        for account in accounts * 3:
            assert '431["heard"]' == await say(account)
        counted = {"bound": "events_of_guests_per_s"}
        assert 3 == metrics.registry.get_sample_value("roomwire_bounds_exceeded_total", counted)
        (line,) = (line for line in log_lines() if line["event"] == "guests send too many events")
        assert 0.1 == line["max_per_s"]
    await server.eio.shutdown()


class Rooms(Gateway):
    """Lets clients choose rooms."""

    @subscribe("enter")
    async def enter(self, socket: Socket, room: str) -> str:
        socket.require_room(room)
        await socket.join(room)
        return room


async def test_a_room_too_many_is_refused_and_those_that_a_client_is_in_are_not(log_events):
    site = Site(max_new_rooms=2)
    site.server.register_namespace(Rooms("/"))
    answers = []
    async with site.serve("fast") as peer, joined(peer) as websocket:
        for number, room in enumerate("aabcda"):
            await websocket.send(f'42{number}["enter","{room}"]')
            answers.append(await take(websocket))

    assert [False, False, False, True, True, False] == ["rate_limited" in answer for answer in answers]
    assert {"new_rooms": 2} == site.exceeded()
    # One line names the client, however often it tries.
    assert 1 == len([line for line in log_events if line["event"] == "client opens too many rooms"])


@pytest.mark.parametrize("way", WAYS)
async def test_who_goes_on_when_told_that_it_is_too_fast_is_closed(way):
    site = Site(max_events_per_s=1, max_refused_events=5)
    handled = []
    handles(site, "say", lambda _, number: handled.append(number))
    async with site.serve(way) as peer, joined(peer) as websocket:
        with contextlib.suppress(ConnectionClosed):
            # Few beyond: hypercorn waits for an application that does not take them, and closes nothing meanwhile.
            for number in range(10):
                await websocket.send(f'42{number}["say",{number}]')
        await closed(websocket)
        await until(lambda: "refused_events" in site.exceeded())

    assert {"events_per_s": 5, "refused_events": 1} == site.exceeded()
    # One, and as many as the seconds of a slow machine have added.
    assert 0 in handled


@pytest.mark.parametrize("way", WAYS)
async def test_whoever_pauses_begins_anew(way):
    site = Site(max_events_per_s=50, max_refused_events=50)
    handles(site, "say", lambda *_: None)
    async with site.serve(way) as peer, joined(peer) as websocket:
        for _ in range(3):
            for number in range(90):
                await websocket.send(f'42{number}["say"]')
            answers = [await take(websocket) for _ in range(90)]
            assert any("rate_limited" in answer for answer in answers)
            ((rate,),) = (connection.rates for connection in site.server.eio.sockets.values())
            until_then = rate.until
            await until(lambda then=until_then: time.monotonic() > then)

    assert {"events_per_s"} == site.exceeded().keys()


class TestBinaryEventsThatComeTooFast:
    @pytest.mark.parametrize("way", WAYS)
    async def test_they_are_refused_as_text_events_are_and_the_others_are_handled(self, way):
        site = Site(max_events_per_s=5)
        handled = []
        handles(site, "say", lambda _, number, *data: handled.append((number, data)))
        async with site.serve(way) as peer, joined(peer) as websocket:
            for number in range(150):
                await websocket.send(f'452-{number}["say",{number},{BINARIES}]')
                await websocket.send(b"a%d" % number)
                await websocket.send(b"b%d" % number)
            answers = [await take(websocket) for _ in range(150)]
            ids = [int(answer[2:].partition("[")[0]) for answer in answers]
            assert list(range(150)) == sorted(ids)
            refused = [answer for answer in answers if "rate_limited" in answer]
            assert 150 == len(handled) + len(refused)
            assert len(refused) > 100
            assert [(number, (b"a%d" % number, b"b%d" % number)) for number, _ in handled] == handled
            assert {"events_per_s": len(refused)} == site.exceeded()
            ((rate,),) = (connection.rates for connection in site.server.eio.sockets.values())
            await until(lambda: time.monotonic() > rate.until)
            for packet in ('451-150["say",150,{"_placeholder":true,"num":0}]', b"a"):
                await websocket.send(packet)
            assert "43150[]" == await take(websocket)
        assert (150, (b"a",)) == handled[-1]

    @pytest.mark.parametrize("way", WAYS)
    async def test_who_asks_for_no_ack_is_told_by_an_event(self, way):
        site = Site(max_events_per_s=0.1)
        handles(site, "say", lambda *_: None)
        async with site.serve(way) as peer, joined(peer) as websocket:
            for packet in ('42["say"]', f'452-["say",{BINARIES}]', b"a", b"b"):
                await websocket.send(packet)
            assert '42["exception",{"code":"rate_limited"' == (await take(websocket))[:37]
            await site.counted(Bound.EVENTS_PER_S)

    @pytest.mark.parametrize(
        "packets",
        [
            pytest.param([f'452-["say",{BINARIES}]', b"a", '42["say"]'], id="a text for an attachment"),
            pytest.param([f'452-["say",{BINARIES}]', b"a", b"b", b"c"], id="an attachment too many"),
            pytest.param(['45["say"]'], id="no number of attachments"),
            pytest.param(['4511-["say"]'], id="too many attachments"),
            pytest.param(['421-["say"]'], id="attachments of a text event"),
        ],
    )
    @pytest.mark.parametrize("way", WAYS)
    async def test_what_breaks_the_protocol_closes_as_ever(self, way, packets):
        site = Site(max_events_per_s=0.1)
        handles(site, "say", lambda *_: None)
        async with site.serve(way) as peer, joined(peer) as websocket:
            with contextlib.suppress(ConnectionClosed):
                for packet in ('42["say"]', *packets):
                    await websocket.send(packet)
            await closed(websocket)

    @pytest.mark.parametrize("way", WAYS)
    async def test_one_for_a_namespace_that_is_not_connected_is_told_to_nobody(self, way):
        site = Site(max_events_per_s=0.1)
        handles(site, "say", lambda *_: None)
        async with site.serve(way) as peer, joined(peer) as websocket:
            for packet in ('42["say"]', f'452-/other,["say",{BINARIES}]', b"a", b"b", '427["say"]'):
                await websocket.send(packet)
            assert '437[{"error":{"code":"rate_limited"' == (await take(websocket))[:35]


@pytest.mark.parametrize("way", WAYS)
async def test_what_is_refused_often_is_refused_later_and_later_and_holds_up_nothing_else(way):
    site = Site(max_refused_connects=2)
    handles(site, "say", lambda _, text: text)
    async with site.serve(way) as peer, joined(peer) as websocket:
        for number in range(5):
            await websocket.send(f"40/nowhere-{number},")
        await websocket.send('421["say","meanwhile"]')
        got = [await take(websocket) for _ in range(6)]
        assert [f'44/nowhere-{number},{{"message":"Invalid namespace"}}' for number in range(2)] == got[:2]
        assert '431["meanwhile"]' == got[2]
        # The third waits shorter than the fourth, and so on.
        assert [f"44/nowhere-{number}," for number in range(2, 5)] == [each[:13] for each in got[3:]]
        assert {"refused_connects": 3} == site.exceeded()


@pytest.mark.parametrize("way", WAYS)
async def test_who_asks_again_while_a_refusal_waits_is_answered_once_by_what_it_asked_for_last(way):
    site, brought = Site(max_refused_connects=1), []

    async def connect(_, __, auth):
        brought.append(auth["number"])
        return auth["number"] > 3

    site.server.on("connect", connect)
    async with site.serve(way) as peer, peer.websocket() as websocket:
        await websocket.recv()
        for number in range(5):
            await websocket.send(f'40{{"number":{number}}}')
        assert "44" == (await take(websocket))[:2]
        assert "40{" == (await take(websocket))[:3]
        assert [0, 1, 4] == brought
        assert {"refused_connects": 1} == site.exceeded()


@pytest.mark.parametrize("way", WAYS)
async def test_a_defect_met_by_who_asks_again_while_a_refusal_waits_ends_its_connection(way):
    site = Site(max_refused_connects=1)
    site.server.on("connect", lambda _, __, auth: False)

    async def break_down(*_, **__):
        raise RuntimeError("as the test wants it")

    async with site.serve(way) as peer, peer.websocket() as websocket:
        await websocket.recv()
        for number in range(2):
            await websocket.send(f'40{{"number":{number}}}')
        assert "44" == (await take(websocket))[:2]
        await websocket.send('40{"number":2}')
        site.server._parts.sessions.begin = break_down
        await closed(websocket)


async def test_beyond_many_refusals_that_wait_nobody_is_asked_any_more_and_each_is_answered():
    site = Site(max_refused_connects=0)
    handles(site, "say", lambda _: "still here")
    async with site.serve("fast") as peer, joined(peer) as websocket:
        for number in range(MAX_LATE + 1):
            await websocket.send(f"40/nowhere-{number},")
        answer = f'44/nowhere-{MAX_LATE},{{"message":"Too many refused connects"}}'
        while (await take(websocket)) != answer:
            pass
        await websocket.send('421["say"]')
        while (await take(websocket)) != '431["still here"]':
            pass
        assert {"refused_connects": MAX_LATE + 1} == site.exceeded()


@pytest.mark.parametrize("way", WAYS)
async def test_a_client_that_never_connects_is_closed(way):
    site = Site(connect_timeout_s=0.1)
    async with site.serve(way) as peer, peer.websocket() as websocket:
        await closed(websocket)
        await site.counted(Bound.CONNECT_TIMEOUT)


@pytest.mark.parametrize("way", WAYS)
async def test_a_client_that_leaves_its_last_namespace_and_stays_is_closed(way):
    site = Site(connect_timeout_s=0.5)
    async with site.serve(way) as peer, peer.websocket() as websocket:
        await websocket.recv()
        await websocket.send("40")
        assert "40{" == (await websocket.recv())[:3]
        await websocket.send("41")
        await closed(websocket)
        await site.counted(Bound.CONNECT_TIMEOUT)


@pytest.mark.parametrize("probes", [False, True])
@pytest.mark.parametrize("way", WAYS)
async def test_a_websocket_that_never_takes_over_is_closed_and_polling_goes_on(way, probes):
    site = Site(upgrade_timeout_s=0.1)
    async with site.serve(way) as peer:
        sid = (await peer.open())["sid"]
        async with peer.websocket(sid=sid) as websocket:
            if probes:
                await websocket.send("2probe")
            await closed(websocket)
            await site.counted(Bound.UPGRADE_TIMEOUT)
        assert 200 == (await peer.post(sid, "3")).status_code


async def test_a_websocket_that_does_not_go_is_cut():
    site = Site(close_timeout_s=0.1)
    async with site.serve("fast") as peer, raw(peer) as (reader, writer):
        writer.write(b"\x83\x80" + MASK)
        await reader.read()
        writer.write(b"\x81\x80" + MASK)
        await until(lambda: not site.server.eio.sockets and not peer.place.state.connections)
