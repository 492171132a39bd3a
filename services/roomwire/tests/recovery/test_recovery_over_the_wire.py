"""Recovery over real connections, on two servers that share a log, with a client that sends the bytes itself."""

import asyncio
import contextlib
import json

import httpx
import pytest
import websockets
from recovering import WAIT_S, Browser, nodes_of
from waiting import time_passes, until

from roomwire.errors import RateLimited, Unauthenticated, Unavailable
from roomwire.identity.tokens import User
from roomwire.limits.client import Limits
from roomwire.log.config import LogConfig
from roomwire.log.sessions import new_pid, sid_of
from roomwire.log.streams import room_stream, sid_stream


@pytest.fixture(params=["memory", "redis"])
async def nodes(request):
    url = "memory://" if request.param == "memory" else request.getfixturevalue("redis_url")
    async with nodes_of(url) as start:
        yield start


async def test_a_client_that_was_cut_off_gets_what_it_missed_once_and_in_order_on_another_node(nodes):
    one, two = await nodes(), await nodes()
    client = Browser()
    reply = await client.connect(one)
    assert {"sid", "pid"} == set(reply)
    await client.ask("join", "red")
    await one.server.emit("n", 1, to="red")
    assert [1] == await client.events(1)

    client.cut()
    await two.server.emit("n", 2, to="red")
    await one.server.emit("n", 3)
    await two.server.emit("n", 4, to=client.sid)
    await two.server.emit("n", 5, to=["red", "blue"])
    await two.server.emit("n", "not for it", to="blue")
    await two.server.emit("n", "nor this", to="red", skip_sid=client.sid)
    await client.connect(two)
    assert client.recovered
    await two.server.emit("n", 6, to="red")

    assert [2, 3, 4, 5, 6] == await client.events(5)
    assert (client.sid, True, None) == two.connects[-1]
    assert 1 == two.metric("recoveries_total", outcome="recovered")


async def test_1_and_2_the_session_is_there_though_its_gateway_noticed_nothing_and_the_old_socket_is_closed(
    nodes,
):
    one, two = await nodes(), await nodes()
    client = Browser()
    await client.connect(one)
    old = client._socket
    await one.server.emit("n", 1)

    await client.connect(two)
    assert client.recovered
    assert [1] == await client.events(1)
    with contextlib.suppress(websockets.ConnectionClosed):
        while True:
            assert not (await asyncio.wait_for(old.recv(), WAIT_S)).startswith("41")
    await until(lambda: one.gone == [client.sid])
    await one.server.emit("n", 2, to=client.sid)
    assert [2] == await client.events(1)


async def test_3_and_4_while_others_speak_nothing_is_lost_doubled_or_reordered(nodes):
    one, two = await nodes(), await nodes()
    client, number, stop = Browser(), 0, asyncio.Event()
    await client.connect(one)
    await client.ask("join", "red")

    async def speak():
        nonlocal number
        while not stop.is_set():
            number += 1
            await (one, two)[number % 2].server.emit("n", number, to="red")
            await time_passes(0.002)

    speaking = asyncio.create_task(speak())
    heard = []
    for turn in range(12):
        heard += await client.events(turn % 4 + 1)
        client.cut()
        await client.connect((two, one)[turn % 2])
        # What two tabs would do as well; see LogConfig.max_claims.
        assert client.recovered or turn >= LogConfig().max_claims
        if not client.recovered:
            break
    stop.set()
    await speaking
    if client.recovered:
        heard += await client.events(number - len(heard))
    assert list(range(1, len(heard) + 1)) == heard


async def test_5_volatile_events_and_events_with_acks_are_not_replayed_and_the_offset_stays_ours(nodes):
    one = await nodes()
    client = Browser()
    await client.connect(one)
    await one.server.emit("n", "direct, with a text last", to=client.sid, ignore_queue=True)
    assert ["direct, with a text last"] == await client.events(1)
    await one.server.emit("n", "asked", to=client.sid, callback=lambda *_: None)
    assert '421["n","asked"]' == await client.take()
    client.cut()
    await one.server.emit("n", 1)

    await client.connect(one)
    assert client.recovered
    assert [1] == await client.events(1)


async def test_a_call_to_a_client_of_another_node_that_owes_too_many_acks_is_refused(nodes):
    one, two = await nodes(limits=Limits(max_pending_acks=1)), await nodes()
    client = Browser()
    await client.connect(one)
    await one.server.emit("n", "asked", to=client.sid, callback=lambda *_: None)
    assert '421["n","asked"]' == await client.take()
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(RateLimited, match="Too many acks"):
            await two.server.call("n", "again", to=client.sid)


async def test_6_a_client_that_got_nothing_yet_is_recovered(nodes):
    one, two = await nodes(), await nodes()
    client = Browser()
    await client.connect(one)
    client.cut()
    await one.server.emit("n", 1)
    await client.connect(two)
    assert client.recovered
    assert [1] == await client.events(1)


async def test_6_an_idle_client_is_recovered_though_its_offset_was_trimmed(nodes):
    config = LogConfig(max_stream_entries=10)
    one, two = await nodes(config=config), await nodes(config=config)
    client = Browser()
    await client.connect(one)
    for number in range(500):
        await one.server.emit("n", number, to="elsewhere")
    client.cut()
    await client.connect(two)
    assert client.recovered


async def test_7_a_second_drop_during_recovery_loses_nothing(nodes):
    one, two = await nodes(), await nodes()
    client = Browser()
    await client.connect(one)
    client.cut()
    await one.server.emit("n", 1)
    await client.connect(two)
    # The replay is on its way, or lost.
    client.cut()
    await client.connect(one)
    assert client.recovered
    assert [1] == await client.events(1)


class Gate:
    """Keeps the marks of a node's log until it is opened: a recovery stands between its claim and its admission."""

    def __init__(self, node):
        self._log = node.server.manager.log
        self._mark = self._log.mark
        self._log.mark = self._wait
        self._is_open = asyncio.Event()
        self.waiting = 0

    async def _wait(self, then=None):
        self.waiting += 1
        await self._is_open.wait()
        return await self._mark(then)

    def open(self):
        self._log.mark = self._mark
        self._is_open.set()


def twin_of(client):
    """Return a client that knows what another one knows, as a second tab with a copied storage."""
    twin = Browser()
    twin.pid, twin.offset = client.pid, client.offset
    return twin


async def test_a_recovery_that_another_one_overtook_before_its_admission_is_not_admitted(nodes):
    one, two = await nodes(), await nodes()
    client = Browser()
    await client.connect(one)
    client.cut()
    first, second = twin_of(client), twin_of(client)
    gate = Gate(one)

    overtaken = asyncio.create_task(first.connect(one))
    await until(lambda: gate.waiting == 1)
    overtaking = asyncio.create_task(second.connect(two))
    if one is two:
        await until(lambda: gate.waiting == 2)
        gate.open()
    await overtaking
    gate.open()

    with pytest.raises(websockets.ConnectionClosed):
        await overtaken
    assert second.recovered
    await two.server.emit("n", 1, to=client.sid)
    assert [1] == await second.events(1)
    await two.server.emit("n", 2)
    assert [2] == await second.events(1)
    assert 1 == one.metric("recoveries_total", outcome="postponed")
    assert one is two or not one.server.manager.rooms.get("/")


async def test_a_recovery_whose_session_was_lost_with_the_log_before_its_admission_is_not_admitted(nodes):
    one = await nodes()
    client = Browser()
    await client.connect(one)
    client.cut()
    gate = Gate(one)
    returning = asyncio.create_task(client.connect(one))
    await until(lambda: gate.waiting == 1)
    log = one.server.manager.log
    log._subscriber.attached(log.epoch, is_whole=False)
    gate.open()
    with pytest.raises(websockets.ConnectionClosed):
        await returning


async def test_9_a_token_that_does_not_hold_any_more_ends_recovery(nodes):
    async def authenticate(handshake):
        if handshake.auth != {"token": "good"}:
            raise Unauthenticated
        return User(id="account:1", name="Ann", kind="account")

    one, two = await nodes(authenticate=authenticate), await nodes(authenticate=authenticate)
    client = Browser()
    await client.connect(one, {"token": "good"})
    client.cut()
    assert "unauthenticated" == (await client.connect(two, {"token": "bad"}))["data"]["code"]
    client.cut()
    await client.connect(two, {"token": "good"})
    assert client.recovered


async def test_somebody_elses_session_is_not_recovered(nodes):
    async def authenticate(handshake):
        return User(id=handshake.auth["who"], name="", kind="account")

    one = await nodes(authenticate=authenticate)
    client = Browser()
    await client.connect(one, {"who": "ann"})
    client.cut()
    await client.connect(one, {"who": "eve"})
    assert not client.recovered


async def test_a_user_of_another_kind_and_the_same_id_is_somebody_else(nodes):
    async def authenticate(handshake):
        return User(id="provider|1", name="", kind=handshake.auth["kind"])

    one = await nodes(authenticate=authenticate)
    client = Browser()
    await client.connect(one, {"kind": "account"})
    client.cut()
    await client.connect(one, {"kind": "account"})
    assert client.recovered
    for kind in ("guest", "service"):
        client.cut()
        await client.connect(one, {"kind": kind})
        assert not client.recovered


async def test_an_offset_that_the_log_has_not_reached_is_refused(nodes, log_lines):
    one = await nodes()
    client = Browser()
    await client.connect(one)
    await one.server.emit("n", 1)
    assert [1] == await client.events(1)
    epoch, _, position = client.offset.partition(".")
    client.cut()
    client.offset = f"{epoch}.{int(position) + 1_000_000}"
    await client.connect(one)

    assert not client.recovered
    assert ["offset"] == [line["reason"] for line in log_lines() if line["event"] == "recovery refused"]
    await one.server.emit("n", 2)
    assert [2] == await client.events(1)


async def test_a_session_of_nobody_is_recovered_by_its_secret_alone_and_only_by_nobody(nodes):
    async def authenticate(handshake):
        who = (handshake.auth or {}).get("who")
        return User(id=who, name="", kind="account") if who else User.anonymous()

    one, two = await nodes(authenticate=authenticate), await nodes(authenticate=authenticate)
    client = Browser()
    await client.connect(one)
    client.cut()
    await client.connect(two)
    assert client.recovered
    client.cut()
    # Whoever has a name goes on as himself.
    await client.connect(one, {"who": "ann"})
    assert not client.recovered
    client.cut()
    await client.connect(two)
    assert not client.recovered


async def test_who_said_goodbye_is_not_recovered(nodes):
    one = await nodes()
    client = Browser()
    await client.connect(one)
    await client.say("41")
    await until(lambda: one.gone == [client.sid])
    await client.connect(one)
    assert not client.recovered


async def test_who_said_goodbye_and_was_gone_before_its_handlers_were_told_has_ended_its_session(nodes):
    one, two = await nodes(is_fast=True), await nodes(is_fast=True)
    told, may_go = asyncio.Event(), asyncio.Event()

    async def disconnected(sid, reason):
        told.set()
        await may_go.wait()

    one.server.on("disconnect", disconnected)
    client = Browser()
    await client.connect(one)
    await client.say("41")
    await told.wait()
    client.cut()
    await until(lambda: not one.server.count_connections())
    may_go.set()
    await until(lambda: not one.server.eio.sockets)

    async def it_is_over():
        return await two.log.find(client.sid) is None

    await until(it_is_over)
    await client.connect(two)
    assert not client.recovered


async def test_what_is_said_to_a_client_whose_session_is_over_is_kept_nowhere(nodes):
    one, two = await nodes(), await nodes()
    client = Browser()
    await client.connect(one)
    await client.say("41")
    await until(lambda: one.gone == [client.sid])
    for node in (one, two):
        await node.server.emit("n", 1, to=client.sid)
        await node.server.emit("n", 2, to=client.sid, skip_sid="x")

    log = two.log
    for stream in (sid_stream(client.sid), room_stream("/", client.sid)):
        assert [] == await log.newest(stream, limit=10)


async def test_a_room_whose_name_is_as_long_as_an_id_is_a_room(nodes):
    one, two = await nodes(), await nodes()
    client = Browser()
    await client.connect(one)
    await client.ask("join", "general-discussion-1")
    await two.server.emit("n", 1, to="general-discussion-1")
    await two.server.emit("n", 2, to=["general-discussion-1", "blue"])
    assert [1, 2] == await client.events(2)


async def test_nobody_enters_the_room_of_anothers_id_wherever_that_is_or_was(nodes):
    one, two = await nodes(), await nodes()
    client, other = Browser(), Browser()
    await client.connect(one)
    await other.connect(two)
    for sid in (client.sid, sid_of(new_pid())):
        with pytest.raises(ValueError, match="sid room"):
            await two.server.enter_room(other.sid, sid)


async def test_who_was_sent_away_from_another_node_is_not_recovered(nodes):
    one, two = await nodes(), await nodes()
    client = Browser()
    await client.connect(one)
    await two.server.disconnect(client.sid)
    assert "41" == await client.take()
    await client.connect(two)
    assert not client.recovered


async def test_session_data_come_back_on_another_node(nodes):
    one, two = await nodes(), await nodes()
    client = Browser()
    await client.connect(one)
    await one.server.save_session(client.sid, {"name": "Ann", "raw": b"\0"})
    client.cut()
    await client.connect(two)
    assert {"name": "Ann", "raw": b"\0"} == await two.server.get_session(client.sid)
    assert [] == two.server.rooms(client.sid)[1:]


async def test_rooms_are_entered_and_clients_asked_from_another_node(nodes):
    one, two = await nodes(), await nodes()
    client = Browser()
    await client.connect(one)
    await two.server.enter_room(client.sid, "red")
    assert ["red"] == one.server.rooms(client.sid)[1:]
    asking = asyncio.create_task(two.server.call("sum", (1, 2), to=client.sid, timeout=3))
    packet = await client.take()
    assert packet.startswith("421[")
    await client.say("431[3]")
    assert 3 == await asking


async def test_binary_events_are_replayed(nodes):
    one, two = await nodes(), await nodes()
    client = Browser()
    await client.connect(one)
    client.cut()
    await one.server.emit("n", b"\0\xff")
    await client.connect(two)
    assert [b"\0\xff"] == await client.events(1)


async def test_a_namespace_is_recovered_for_itself(nodes):
    one, two = await nodes(), await nodes()
    client = Browser()
    await client.connect(one, namespace="/den")
    client.cut()
    await one.server.emit("n", 1, namespace="/den")
    await one.server.emit("n", "elsewhere")
    await client.connect(two, namespace="/den")
    assert client.recovered
    assert [1] == await client.events(1)


async def test_recovery_works_over_polling(nodes):
    one = await nodes()
    async with httpx.AsyncClient(
        base_url=f"http://{one.address}", trust_env=False, headers={"User-Agent": "Mozilla/5.0"}
    ) as http:

        async def connect(body):
            url = "/socket.io/?EIO=4&transport=polling"
            sid = json.loads((await http.get(url)).text[1:])["sid"]
            url += f"&sid={sid}"
            await http.post(url, content=f"40{json.dumps(body)}")
            return url, (await http.get(url)).text.split("\x1e")

        url, (reply,) = await connect({})
        mine = json.loads(reply[2:])
        await http.post(url, content="1")
        await one.server.emit("n", 1)
        _, (reply, event, *_) = await connect({"pid": mine["pid"]})
        assert mine == json.loads(reply[2:])
        assert event.startswith('42["n",1,"')


async def test_a_log_that_is_held_is_said_and_its_clients_stay(own_redis, log_lines):
    async with nodes_of(own_redis.url) as start:
        node = await start()
        client = Browser()
        await client.connect(node)
        own_redis.kill()
        await until(lambda: not node.metric("backplane_up"))
        with pytest.raises(Unavailable) as caught:
            await node.server.emit("n", "not said")
        own_redis.start()
        await until(lambda: node.metric("backplane_up"))
        await node.server.emit("n", 1)
        assert [1] == await client.events(1)
        assert {"code": "unavailable", "message": caught.value.message, "retryable": True} == dict(
            caught.value.details()
        )
        assert 1 == node.metric("log_links_lost_total")
    said = [line["event"] for line in log_lines() if line["event"].startswith("backplane")]
    assert ["backplane degraded", "backplane live"] == said


async def test_a_log_that_lost_what_it_had_acknowledged_is_told_to_every_client(own_redis):
    async with nodes_of(own_redis.url) as start:
        config = LogConfig(heartbeat_s=0.2)
        one, two = await start(config=config), await start(config=config)
        before = one.log.epoch
        clients = [Browser() for _ in range(4)]
        for number, client in enumerate(clients):
            await client.connect((one, two)[number % 2])
        await one.server.emit("n", 1)
        for client in clients:
            await client.events(1)
        own_redis.kill()
        own_redis.empty()
        own_redis.start()
        for client in clients:
            assert await client.ended()
        # Whoever knows more than the other proves another loss.
        await until(lambda: before < one.log.epoch == two.log.epoch and two.log.is_live)
        for number, client in enumerate(clients):
            await client.connect((two, one)[number % 2])
            assert not client.recovered
        await two.server.emit("n", 2)
        for client in clients:
            assert [2] == await client.events(1)


@pytest.mark.parametrize(
    ("auth", "query", "agent"),
    [
        ({"recovery": False}, "", "Mozilla/5.0"),
        ({}, "&recovery=0", "Mozilla/5.0"),
        ({}, "", "Python/3.11 aiohttp/3.9"),
        ({}, "", "python-requests/2.31"),
        ({}, "", "Dart/3.2 (dart:io)"),
    ],
)
async def test_who_does_not_want_recovery_gets_neither_pid_nor_offsets(nodes, auth, query, agent):
    one = await nodes()
    url = f"ws://{one.address}/socket.io/?EIO=4&transport=websocket{query}"
    async with websockets.connect(url, user_agent_header=agent, proxy=None) as socket:
        await socket.recv()
        await socket.send("40" + json.dumps(auth))
        assert ["sid"] == list(json.loads((await socket.recv())[2:]))
        await one.server.emit("n", "x")
        assert '42["n","x"]' == await socket.recv()
