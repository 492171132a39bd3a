"""Recovery over real connections, on two servers that share a log, with a client that sends the bytes itself."""

import asyncio
import contextlib
import json

import httpx
import pytest
import socketio
import websockets
from live import served, until

from roomwire import Server
from roomwire.backplane import LogConfig, open_backplane
from roomwire.backplane.sessions import new_pid, sid_of
from roomwire.backplane.streams import room_stream, sid_stream
from roomwire.errors import Unauthenticated
from roomwire.metrics import Metrics
from roomwire.recovery import RecoveryLimits
from roomwire.tokens import User

WAIT_S = 5.0


class Browser:
    """A client that knows recovery, as the official one: what it got, its pid, its offset."""

    def __init__(self):
        self.got = []
        self.sid = self.pid = self.offset = None
        self.recovered = None
        self._socket = None
        self._replies = 0

    async def connect(self, node, auth=None, *, namespace="/"):
        url = f"ws://{node.address}/socket.io/?EIO=4&transport=websocket"
        self._socket = await websockets.connect(url, user_agent_header="Mozilla/5.0", proxy=None)
        await self._socket.recv()
        known = {name: value for name, value in (("pid", self.pid), ("offset", self.offset)) if value}
        body = known | (auth or {})
        await self._socket.send("40" + of(namespace) + (json.dumps(body) if body else ""))
        reply = await self.take()
        start = f"40{of(namespace)}"
        if not reply.startswith(start):
            return json.loads(reply[2 + len(of(namespace)) :])
        reply = json.loads(reply[len(start) :])
        self.recovered, self.sid, self.pid = self.pid == reply["pid"], reply["sid"], reply["pid"]
        return reply

    async def take(self):
        async with asyncio.timeout(WAIT_S):
            while (packet := await self._socket.recv()) == "2":
                await self._socket.send("3")
        return packet

    async def event(self):
        """Take the next event; remembers its offset."""
        packet = await self.take()
        attachments = int(packet[2]) if packet.startswith("45") else 0
        *data, offset = json.loads(packet[packet.index("[") :])
        assert isinstance(offset, str)
        assert "." in offset
        self.offset = offset
        for number in range(attachments):
            blob = await self.take()
            data = [blob if value == {"_placeholder": True, "num": number} else value for value in data]
        self.got.append(data)
        return data

    async def events(self, count):
        return [(await self.event())[1] for _ in range(count)]

    async def ask(self, event, *args):
        await self._socket.send("427" + json.dumps([event, *args]))
        while not (packet := await self.take()).startswith("437"):
            pass
        return packet

    async def say(self, text):
        await self._socket.send(text)

    def cut(self):
        """Lose the transport, without a farewell."""
        self._socket.transport.abort()

    async def ended(self):
        """Wait until the server has closed the transport; nothing but pings came until then."""
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                packet = await self.take()
                assert not packet.startswith("41")
        return True


def of(namespace):
    return "" if namespace == "/" else f"{namespace},"


class Node:
    """A server, and where it is."""

    def __init__(self, url, name, backplane=None, **options):
        self.metrics = Metrics()
        self.connects = []
        self.gone = []
        self.backplane = open_backplane(
            url, node=name, config=options.pop("config", LogConfig()), metrics=self.metrics
        )
        self.server = Server(backplane=self.backplane, node_name=name, metrics=self.metrics, **options)
        for namespace in ("/", "/den"):
            self.server.on("connect", self.connect, namespace=namespace)
        self.server.on("disconnect", lambda sid, reason: self.gone.append(sid))
        self.server.on("join", self.server.enter_room)

    async def connect(self, sid, environ, auth):
        recovered = environ.get("roomwire.recovered", False)
        self.connects.append((sid, recovered, auth))

    def metric(self, name, **labels):
        return self.metrics.registry.get_sample_value(f"roomwire_{name}", labels) or 0


@pytest.fixture(params=["memory", "redis"])
async def nodes(request):
    """A factory: starts a node on the log that all of a test share; in memory there is one node only."""
    url = "memory://" if request.param == "memory" else request.getfixturevalue("redis_url")
    async with contextlib.AsyncExitStack() as stack:
        made = []

        async def start(**options):
            if made and url == "memory://":
                return made[0]
            node = Node(url, f"n{len(made) + 1}", **options)
            made.append(node)
            stack.push_async_callback(node.server.close)
            await node.server.start()
            node.address = await stack.enter_async_context(served(socketio.ASGIApp(node.server)))
            return node

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
            await asyncio.sleep(0.002)

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


async def test_8_a_replay_beyond_its_bound_is_refused_and_told(nodes):
    limits = RecoveryLimits(max_entries=20)
    one, two = await nodes(recovery=limits), await nodes(recovery=limits)
    client = Browser()
    await client.connect(one)
    before = client.pid
    client.cut()
    for number in range(30):
        await one.server.emit("n", number)
    await client.connect(two)
    assert not client.recovered
    assert before != client.pid
    assert 1 == two.metric("recoveries_total", outcome="refused")
    await one.server.emit("n", "new", to=client.sid)
    assert ["new"] == await client.events(1)


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


async def test_who_said_goodbye_is_not_recovered(nodes):
    one = await nodes()
    client = Browser()
    await client.connect(one)
    await client.say("41")
    await until(lambda: one.gone == [client.sid])
    await client.connect(one)
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

    log = two.backplane.log
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
