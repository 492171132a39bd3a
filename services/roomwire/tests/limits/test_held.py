"""What a server holds for its clients: it is charged while it is held, it is bounded, and nothing stays charged afterwards."""

import asyncio
import contextlib
import gc
import json
import weakref

import pytest
import socketio
from peers import closed, joined, peer_by, polling_and_joined, raw, take
from waiting import until
from websockets.exceptions import ConnectionClosed, InvalidStatus

from roomwire import Gateway, Server, subscribe
from roomwire.engine.engine import SESSION_BYTES
from roomwire.identity.tokens import User
from roomwire.limits.bounds import Bound
from roomwire.limits.classes import ClientClass
from roomwire.limits.client import Limits
from roomwire.metrics.gateway import Metrics

WAYS = ["fast", "asgi", "hypercorn"]
SOCKETS = ["fast", "asgi"]
MUCH = 200_000
"""Many times what a session costs by itself, and less than a message may have."""
HEAD = '451-["say",{"_placeholder":true,"num":0},"' + "x" * MUCH + '"]'


class Slow(Gateway):
    """Has a handler that waits until it may go on."""

    def __init__(self) -> None:
        super().__init__("/")
        self.go_on = asyncio.Event()

    @subscribe("wait")
    async def wait(self, _: str = "") -> str:
        await self.go_on.wait()
        return "done"


class Site:
    """A server within limits, and what it counted."""

    def __init__(self, **limits: float) -> None:
        self.metrics = Metrics()
        self.reasons: list[str] = []
        quiet = {"ping_interval_s": 60.0, "ping_timeout_s": 60.0}
        self.server = Server(metrics=self.metrics, limits=Limits(**quiet | limits))
        self.slow = Slow()
        self.server.register_namespace(self.slow)
        self.server.on("connect", lambda *_: None, namespace="/plain")
        self.server.on("disconnect", lambda _, reason: self.reasons.append(reason), namespace="/plain")
        self.server.on("say", lambda *_: None, namespace="/plain")

    @property
    def held(self) -> int:
        return self.server.accounts.total.held_bytes

    def counted(self, bound: Bound) -> float:
        return self.metrics.registry.get_sample_value(
            "roomwire_bounds_exceeded_total", {"bound": bound.value}
        )

    @contextlib.asynccontextmanager
    async def serve(self, way: str):
        async with peer_by(way, socketio.ASGIApp(self.server), "/socket.io/") as peer:
            yield peer
            await self.server.eio.shutdown()
        assert 0 == self.held
        assert 0 == self.server.eio.sessions.open


class TestASession:
    @pytest.mark.parametrize("way", WAYS)
    async def test_it_costs_what_it_keeps_of_its_request_and_belongs_to_the_guests(self, way):
        site = Site()
        async with site.serve(way) as peer:
            await peer.http.get(peer.polling(), headers={"X-Padding": "x" * 12_000})
            assert SESSION_BYTES + 12_000 < site.held < SESSION_BYTES + 2 * 12_000
            assert site.held == site.server.accounts.classes[ClientClass.GUESTS].held_bytes

    async def test_it_belongs_to_the_class_of_its_user_from_the_verdict_on(self):
        site = Site()

        async def everyone_is_ann(_):
            return User("ann", "Ann", "account")

        site.server.served_with(authenticate=everyone_is_ann)
        async with site.serve("fast") as peer:
            await polling_and_joined(peer)
            assert site.held == site.server.accounts.classes[ClientClass.USERS].held_bytes > 0

    @pytest.mark.parametrize("way", WAYS)
    async def test_one_too_many_gets_503_whatever_carries_it_and_a_place_that_is_free_again_is_given(
        self, way
    ):
        site = Site(max_sessions=2)
        async with site.serve(way) as peer:
            first = (await peer.open())["sid"]
            async with joined(peer):
                refused = await peer.http.get(peer.polling())
                assert (503, True) == (refused.status_code, int(refused.headers["retry-after"]) > 0)
                with pytest.raises(InvalidStatus) as refusal:
                    async with peer.websocket():
                        pass
                # hypercorn refuses a WebSocket by itself, with its own status.
                assert way == "hypercorn" or refusal.value.response.status_code == 503
                assert 2 == site.counted(Bound.SESSIONS)
                # The sessions that are open are served.
                await peer.post(first, "40")
                assert "40{" == (await peer.poll(first)).text[:3]
                await peer.post(first, "1")
            await until(lambda: site.server.eio.sessions.open == 0)
            assert await peer.open()

    async def test_many_on_one_tcp_connection_are_many_for_its_address(self):
        site = Site(max_sessions_per_address=2)
        async with site.serve("fast") as peer:
            answers = [(await peer.http.get(peer.polling())).status_code for _ in range(3)]
        assert [200, 200, 503] == answers
        assert 1 == site.counted(Bound.SESSIONS_PER_ADDRESS)

    @pytest.mark.parametrize("way", SOCKETS)
    async def test_none_is_opened_while_there_is_too_little_memory_and_the_open_ones_are_served(self, way):
        site = Site()
        async with site.serve(way) as peer:
            sid = await polling_and_joined(peer)
            site.server.accounts.is_refusing = True
            assert 503 == (await peer.http.get(peer.polling())).status_code
            with pytest.raises(InvalidStatus) as refusal:
                async with peer.websocket():
                    pass
            assert 503 == refusal.value.response.status_code
            assert 2 == site.counted(Bound.MEMORY)
            assert "ok" == (await peer.post(sid, '420["wait"]')).text
            site.slow.go_on.set()
            assert '430["done"]' == (await peer.poll(sid)).text


class TestAuth:
    @pytest.mark.parametrize(
        "auth",
        [
            pytest.param({"x": "x" * 8_192}, id="a little too large"),
            pytest.param({"x": "x" * 100_000}, id="too large to be read"),
            pytest.param({"token": "x" * 40_000}, id="a token that nobody has"),
        ],
    )
    @pytest.mark.parametrize("way", SOCKETS)
    async def test_more_than_its_bound_is_refused_by_code_and_the_connection_stays(self, way, auth):
        site = Site()
        async with site.serve(way) as peer, peer.websocket() as websocket:
            await websocket.recv()
            await websocket.send("40" + json.dumps(auth))
            answer = await take(websocket)
            assert answer.startswith("44")
            assert "too_large" == json.loads(answer[2:])["data"]["code"]
            assert 1 == site.counted(Bound.AUTH_BYTES)
            await websocket.send("40")
            assert "40{" == (await take(websocket))[:3]

    async def test_a_token_comes_in_addition_and_is_not_kept_after_the_verdict(self):
        site = Site()
        async with site.serve("fast") as peer, peer.websocket() as websocket:
            await websocket.recv()
            await websocket.send("40" + json.dumps({"x": "x" * 8_000, "token": "t" * 12_000}))
            assert "40{" == (await take(websocket))[:3]
            (connection,) = site.server.eio.sockets.values()
            (member,) = connection.members
            assert {"x": "x" * 8_000} == member.handshake.auth
            assert SESSION_BYTES + 8_000 < site.held < SESSION_BYTES + 2 * 8_000
            assert {"x": "x" * 8_000} == member.handshake.auth

    async def test_it_is_charged_once_for_each_namespace_and_not_after_that(self):
        site = Site()
        async with site.serve("fast") as peer, peer.websocket() as websocket:
            await websocket.recv()
            levels = []
            for packet in ("40", "41", "40", "40/plain,", "41/plain,", "40/plain,"):
                await websocket.send(packet + (json.dumps({"x": "x" * 1_000}) if packet[1] == "0" else ""))
                if packet[1] == "0":
                    await take(websocket)
                    levels.append(site.held)
            assert levels[0] == levels[1] < levels[2] == levels[3]


class TestIncomplete:
    @pytest.mark.parametrize("way", WAYS)
    async def test_an_event_whose_attachment_does_not_come_is_charged_and_closes_in_its_time(self, way):
        site = Site(attachments_timeout_s=0.5)
        async with site.serve(way) as peer, joined(peer, "/plain,") as websocket:
            await websocket.send(HEAD.replace('["say"', '/plain,["say"'))
            await until(lambda: site.held > MUCH)
            await closed(websocket)
            await until(lambda: site.held == 0)
        assert 1 == site.counted(Bound.ATTACHMENTS_TIMEOUT)
        assert ["transport error"] == site.reasons

    @pytest.mark.parametrize("way", SOCKETS)
    async def test_an_event_whose_attachments_have_come_is_not_charged_any_more(self, way):
        site = Site()
        async with site.serve(way) as peer, joined(peer, "/plain,") as websocket:
            await until(lambda: site.held)
            before = site.held
            for _ in range(3):
                await websocket.send(HEAD.replace('["say"', '/plain,["say"'))
                await until(lambda: site.held > MUCH)
                await websocket.send(b"x")
                await until(lambda: site.held == before)

    async def test_a_message_of_which_a_part_has_come_is_charged(self):
        site = Site()
        async with site.serve("fast") as peer, raw(peer) as (_, writer):
            await until(lambda: site.held)
            before = site.held
            writer.write(b"\x81\xff" + (500_000).to_bytes(8, "big") + bytes(4) + b"x" * MUCH)
            await until(lambda: site.held >= before + MUCH)

    async def test_a_body_of_which_a_part_has_come_is_charged(self):
        site = Site()
        async with site.serve("asgi") as peer:
            sid = await polling_and_joined(peer)
            before = site.held
            url = peer.http.base_url
            _, writer = await asyncio.open_connection(url.host, url.port)
            writer.write(
                f"POST {peer.polling(sid)} HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n".encode()
                + b"x" * MUCH
            )
            await until(lambda: site.held >= before + MUCH)
            writer.close()
            await until(lambda: site.held == before)


class TestWaiting:
    @pytest.mark.parametrize("way", WAYS)
    async def test_events_that_wait_are_charged_until_they_are_handled(self, way):
        site = Site()
        async with site.serve(way) as peer, joined(peer) as websocket:
            await until(lambda: site.held)
            before = site.held
            await websocket.send('420["wait"]')
            await websocket.send(json.dumps(["wait", "x" * MUCH]).join(["421", ""]))
            await until(lambda: site.held > before + MUCH)
            site.slow.go_on.set()
            for number in range(2):
                assert f'43{number}["done"]' == await take(websocket)
            await until(lambda: site.held == before)

    async def test_messages_that_wait_for_a_slow_one_are_charged_until_they_are_handled(self):
        site, go_on = Site(), asyncio.Event()

        async def slow_connect(*_):
            await go_on.wait()

        site.server.on("connect", slow_connect, namespace="/plain")
        async with site.serve("fast") as peer, peer.websocket() as websocket:
            await until(lambda: site.held)
            await websocket.recv()
            await websocket.send("40/plain,")
            before = site.held
            await websocket.send('42/plain,["say","' + "x" * MUCH + '"]')
            await until(lambda: site.held > before + MUCH)
            go_on.set()
            await until(lambda: site.held < before + MUCH)


class TestUnread:
    async def test_what_a_polling_client_has_not_fetched_is_charged_until_it_has(self):
        site = Site()
        async with site.serve("fast") as peer:
            sid = await polling_and_joined(peer)
            before = site.held
            await site.server.emit("news", "x" * MUCH)
            await until(lambda: site.held > before + MUCH)
            await peer.poll(sid)
            assert before == site.held

    @pytest.mark.parametrize("way", SOCKETS)
    async def test_what_a_websocket_does_not_read_is_charged_until_it_does(self, way):
        site = Site(max_unread_bytes=100_000_000)
        async with site.serve(way) as peer, joined(peer) as websocket:
            await until(lambda: site.held)
            before = site.held
            websocket.transport.pause_reading()
            while site.held < before + MUCH:
                await site.server.emit("news", "x" * 1_000_000)
                await asyncio.sleep(0)
            websocket.transport.resume_reading()
            with contextlib.suppress(TimeoutError, ConnectionClosed):
                while site.held != before:
                    await take(websocket)


class TestAHolderThatIsCut:
    @pytest.mark.parametrize("way", WAYS)
    async def test_it_loses_its_connection_with_a_reason_of_its_own_and_the_others_keep_theirs(self, way):
        site = Site()
        async with site.serve(way) as peer, joined(peer, "/plain,") as websocket, joined(peer) as other:
            await websocket.send(HEAD.replace('["say"', '/plain,["say"'))
            await until(lambda: site.held > MUCH)
            for account in [*site.server.accounts.largest(1)]:
                account.cut()
            await closed(websocket)
            await until(lambda: site.reasons)
            site.slow.go_on.set()
            await other.send('420["wait"]')
            assert '430["done"]' == await take(other)
        assert ["held too much"] == site.reasons
        assert 1 == site.counted(Bound.HELD_BYTES)

    async def test_a_polling_client_gets_nothing_of_its_output_any_more(self):
        site = Site()
        async with site.serve("fast") as peer:
            sid = await polling_and_joined(peer)
            await site.server.emit("news", "x" * MUCH)
            await until(lambda: site.held > MUCH)
            for account in [*site.server.accounts.largest(1)]:
                account.cut()
            assert 0 == site.held
            assert 400 == (await peer.poll(sid)).status_code


@pytest.fixture
def collected_by_count_alone():
    """Run without the cyclic collector, which runs rarely in a service."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("collected_by_count_alone")
class TestAfterItsEnd:
    @pytest.mark.parametrize("way", WAYS)
    async def test_nothing_of_a_session_that_nobody_polls_is_kept_until_its_alarms_ring(self, way):
        site = Site()
        async with site.serve(way) as peer:
            await peer.http.get(peer.polling(), headers={"X-Padding": "x" * 5_000})
            (kept,) = map(weakref.ref, site.server.eio.sockets.values())
            for account in [*site.server.accounts.largest(1)]:
                account.cut()
            await until(lambda: kept() is None)

    @pytest.mark.parametrize("way", SOCKETS)
    async def test_nothing_of_a_websocket_is_kept_until_its_alarms_ring(self, way):
        site = Site()
        async with site.serve(way) as peer:
            async with joined(peer):
                (kept,) = map(weakref.ref, site.server.eio.sockets.values())
            await until(lambda: kept() is None)

    @pytest.mark.parametrize("way", WAYS)
    async def test_no_event_is_kept_until_its_next_attachment_would_be_late(self, way):
        site = Site(attachments_timeout_s=3_600.0)
        async with site.serve(way) as peer, joined(peer, "/plain,") as websocket:
            for attachments in (b"x", b""):
                await websocket.send(HEAD.replace('["say"', '/plain,["say"'))
                await until(lambda: site.server._binary_packet)
                (kept,) = map(weakref.ref, site.server._binary_packet.values())
                if attachments:
                    await websocket.send(attachments)
                else:
                    await websocket.close()
                await until(lambda kept=kept: kept() is None)
