"""Clients that connect to a namespace, leave it and connect again, while others on the same connection go on."""

import asyncio
import contextlib
import json

import pytest
import socketio
from clients import js_clients
from live import Client, served
from peers import closed, peer_by, take
from waiting import until

from roomwire import Gateway, Server, Socket, subscribe
from roomwire.errors import Forbidden
from roomwire.log.streams import sid_stream

WAYS = ["fast", "asgi", "hypercorn"]
STRICT = ["disconnect", "connect"]


class Site:
    """A server whose connect handler in `/b` can be held up, and what happened there."""

    def __init__(self, **options):
        self.server = Server(**options)
        self.happened = []
        self.may_connect = asyncio.Event()
        self.may_connect.set()
        self.may_part = asyncio.Event()
        self.may_part.set()
        for namespace in ("/", "/b", "/c"):
            self.server.on("echo", lambda _, value: value, namespace=namespace)
        for namespace in ("/", "/c"):
            self.server.on("connect", lambda *_: None, namespace=namespace)
        self.server.on("connect", self._connect, namespace="/b")
        self.server.on("disconnect", self._disconnect, namespace="/b")

    async def _connect(self, sid, environ, auth):
        self.happened.append(("connect", (auth or {}).get("n")))
        await self.may_connect.wait()
        if (auth or {}).get("refuse"):
            raise Forbidden("Not you.")

    async def _disconnect(self, sid, reason):
        if not self.may_part.is_set():
            self.happened.append("parting")
            await self.may_part.wait()
        self.happened.append(("disconnect", reason))

    @contextlib.asynccontextmanager
    async def serve(self, way):
        async with peer_by(way, socketio.ASGIApp(self.server), "/socket.io/") as peer:
            yield peer
            await self.server.eio.shutdown()


@contextlib.asynccontextmanager
async def connected(peer, *packets):
    async with peer.websocket() as socket:
        await socket.recv()
        for packet in packets:
            await socket.send(packet)
            assert (await take(socket)).startswith(packet)
        yield socket


async def still(socket, namespace=""):
    """Assert that a namespace goes on."""
    await socket.send(f'42{namespace}9["echo","still"]')
    while (packet := await take(socket)) != f'43{namespace}9["still"]':
        assert packet.startswith(("40", "44")), packet


LEFT = ("disconnect", "client disconnect")


@pytest.mark.parametrize("way", WAYS)
async def test_a_second_connect_takes_the_place_of_the_first_and_no_other_namespace_notices(way):
    site = Site()
    async with site.serve(way) as peer, connected(peer, "40", "40/c,") as socket:
        await socket.send('40/b,{"n":1}')
        await socket.send('40/b,{"n":2}')
        replies = [json.loads((await take(socket)).removeprefix("40/b,")) for _ in range(2)]
        assert replies[0]["sid"] != replies[1]["sid"]
        assert [("connect", 1), LEFT, ("connect", 2)] == site.happened
        assert [replies[1]["sid"]] == list(site.server.manager.rooms["/b"][None])
        for namespace in ("", "/b,", "/c,"):
            await still(socket, namespace)


async def answers(socket, namespace):
    """Return the ids of the CONNECT replies in a namespace up to the ack of an event that was sent after all requests."""
    await socket.send(f'42{namespace}7["echo","last"]')
    found = []
    while (packet := await take(socket)) != f'43{namespace}7["last"]':
        found.append(json.loads(packet.removeprefix(f"40{namespace}"))["sid"])
    return found


@pytest.mark.parametrize("way", WAYS)
async def test_leaving_and_connecting_in_one_tick_is_a_new_connect(way):
    site = Site()
    async with site.serve(way) as peer, connected(peer, "40", "40/b,") as socket:
        for _ in range(3):
            await socket.send("41/b,")
            await socket.send("40/b,")
        # A request that arrives while an earlier one is decided about takes the place of others that wait: one reply or more.
        sids = await answers(socket, "/b,")
        assert [("connect", None), *[LEFT, ("connect", None)] * len(sids)] == site.happened
        assert sids[-1:] == list(site.server.manager.rooms["/b"][None])
        await still(socket, "/b,")
        await still(socket)


async def test_over_polling_both_may_come_in_one_payload():
    site = Site()
    async with site.serve("asgi") as peer:
        sid = (await peer.open())["sid"]
        payload = ["40", "40/b,", "40/b,", "41/b,", "40/b,", '42/b,1["echo","still"]', '422["echo","too"]']
        assert 200 == (await peer.post(sid, "\x1e".join(payload))).status_code
        kinds = []
        while '43/b,1["still"]' not in kinds:
            kinds += [packet.partition("{")[0] for packet in (await peer.poll(sid)).text.split("\x1e")]
        assert "40" == kinds[0]
        # No namespace waits for another.
        assert {"40", "40/b,", '43/b,1["still"]', '432["too"]'} == {*kinds}
        assert kinds.index("40/b,") < kinds.index('43/b,1["still"]')


@contextlib.asynccontextmanager
async def sent_away(site, way):
    """Yield a client that was sent away from `/b`, whose disconnect handler there waits for `may_part`."""
    async with site.serve(way) as peer, connected(peer, "40", "40/b,") as socket:
        site.may_part.clear()
        (sid,) = site.server.manager.rooms["/b"][None]
        kicking = asyncio.create_task(site.server.disconnect(sid, namespace="/b"))
        assert "41/b," == await take(socket)
        await until(lambda: "parting" in site.happened)
        site.happened.clear()
        yield socket
        site.may_part.set()
        await kicking
        await still(socket)


AWAY = ("disconnect", "server disconnect")


@pytest.mark.parametrize("way", WAYS)
async def test_who_is_sent_away_and_comes_back_waits_for_its_disconnect_handler_and_holds_up_nothing(way):
    site = Site()
    async with sent_away(site, way) as socket:
        await socket.send('40/b,{"n":1}')
        await still(socket)
        assert [] == site.happened
        site.may_part.set()
        assert "40/b," == (await take(socket))[:5]
        assert [AWAY, ("connect", 1)] == site.happened
        await still(socket, "/b,")


@pytest.mark.parametrize("way", WAYS)
async def test_of_several_connects_that_wait_the_last_is_decided_about_and_answered(way):
    site = Site()
    async with sent_away(site, way) as socket:
        for number in range(1, 4):
            await socket.send(f'40/b,{{"n":{number}}}')
        await still(socket)
        site.may_part.set()
        assert "40/b," == (await take(socket))[:5]
        await still(socket, "/b,")
        assert [AWAY, ("connect", 3)] == site.happened


async def test_who_leaves_while_its_connect_waits_is_not_let_in():
    site = Site()
    async with sent_away(site, "fast") as socket:
        await socket.send("40/b,")
        await socket.send("41/b,")
        await still(socket)
        site.may_part.set()
        await until(lambda: {} == site.server._parts.connects.admissions)
        await still(socket)
        assert [AWAY] == site.happened


@pytest.mark.parametrize(
    ("first", "then", "happened"),
    [
        ({"n": 1}, '40/b,{"n":2}', [("connect", 1), LEFT, ("connect", 2)]),
        ({"n": 1, "refuse": True}, '40/b,{"n":2}', [("connect", 1), ("connect", 2)]),
        ({"n": 1}, "41/b,", [("connect", 1), LEFT]),
    ],
    ids=["connects again", "connects again though it is refused", "leaves"],
)
async def test_what_a_client_asks_for_while_its_connect_is_decided_about_is_done_after_it(
    first, then, happened
):
    site = Site()
    async with sent_away(site, "fast") as socket:
        await socket.send(f"40/b,{json.dumps(first)}")
        await still(socket)
        site.may_connect.clear()
        site.may_part.set()
        await until(lambda: ("connect", 1) in site.happened)
        await socket.send(then)
        await still(socket)
        site.may_connect.set()
        await until(lambda: {} == site.server._parts.connects.admissions or "refuse" in first)
        await until(lambda: [AWAY, *happened] == site.happened)


async def test_a_gateways_second_connect_takes_the_place_of_the_first():
    class Room(Gateway):
        def __init__(self):
            super().__init__("/b")
            self.seen = []

        async def on_connection(self, socket: Socket) -> None:
            self.seen.append("in")

        async def on_disconnection(self, socket: Socket) -> None:
            self.seen.append("out")

        @subscribe("echo")
        async def echo(self, value: str) -> str:
            return value

    server, room = Server(), Room()
    server.register_namespace(room)
    async with peer_by("fast", socketio.ASGIApp(server), "/socket.io/") as peer, peer.websocket() as socket:
        await socket.recv()
        for _ in range(3):
            await socket.send("40/b,")
        sids = await answers(socket, "/b,")
        assert ["in", *["out", "in"] * (len(sids) - 1)] == room.seen
        assert sids[-1:] == list(server.manager.rooms["/b"][None])
    await server.eio.shutdown()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "auth", ["[1]", '"x"', "true", "[]", '""', "false", "-1", "1.5", "1e21", '[{"token":"x"}]']
)
async def test_auth_that_is_no_object_is_refused_and_no_other_namespace_notices(way, auth):
    site = Site()
    async with site.serve(way) as peer, connected(peer, "40", "40/b,") as socket:
        await socket.send(f"40/b,{auth}")
        refusal = json.loads((await take(socket)).removeprefix("44/b,"))
        assert "invalid_body" == refusal["data"]["code"]
        # Its client knows that it is not there any more.
        assert "/b" not in site.server.manager.rooms
        await still(socket)


@pytest.mark.parametrize("packet", ["407", '401{"n":1}', "40null", "40{}"])
async def test_what_the_reference_takes_for_no_auth_is_taken(packet):
    site = Site()
    async with site.serve("fast") as peer, connected(peer, "40/b,") as socket:
        await socket.send(packet)
        assert "40{" == (await take(socket))[:3]


@pytest.mark.parametrize("packet", ['421["x"', "40abc"])
async def test_what_is_no_json_closes(packet):
    site = Site()
    async with site.serve("fast") as peer, connected(peer, "40") as socket:
        await socket.send(packet)
        await closed(socket)


@pytest.fixture(params=["websocket", "polling"])
async def official(request):
    """An official client's Manager with the namespaces `/` and `/c` open, and how to open others on it."""
    site = Site()
    app = socketio.ASGIApp(site.server)
    async with served_fast(site.server, app) as address, js_clients() as clients:
        options = {"transports": [request.param], "forceNew": False}
        others = [await clients.connect(f"http://{address}{nsp}", **options) for nsp in ("/", "/c")]
        engine = (await others[0].state())["engine"]

        async def opened(namespace, **more):
            return await clients.open(f"http://{address}{namespace}", **options, **more)

        yield site, opened
        for other in others:
            assert "still" == await other.emit("echo", "still")
            assert engine == (await other.state())["engine"]
            assert [] == [happening for happening, _ in other.happenings if happening == "disconnect"]


@contextlib.asynccontextmanager
async def served_fast(server, app):
    async with peer_by("fast", app, "/socket.io/") as peer:
        yield peer.http.base_url.netloc.decode()
    await server.eio.shutdown()


async def test_the_official_client_may_disconnect_and_connect_in_the_tick_in_which_it_was_made(official):
    site, opened = official
    for _ in range(3):
        client = await opened("/b", calls=STRICT)
        assert "x" == await client.emit("echo", "x")
        assert 1 == len(site.server.manager.rooms["/b"][None])
        await client.close()
        await until(lambda: "/b" not in site.server.manager.rooms)


async def test_the_official_client_may_do_so_many_times_over(official):
    site, opened = official
    client = await opened("/b", calls=STRICT * 5)
    assert "x" == await client.emit("echo", "x")
    await client.again(*STRICT * 5)
    assert "x" == await client.emit("echo", "x")
    assert 1 == len(site.server.manager.rooms["/b"][None])


async def test_the_official_client_may_do_so_while_it_is_let_in(official):
    site, opened = official
    site.may_connect.clear()
    client = await opened("/b", calls=STRICT)
    await until(lambda: site.happened)
    await client.again(*STRICT)
    site.may_connect.set()
    assert "x" == await client.emit("echo", "x")
    await until(lambda: 1 == len(site.server.manager.rooms["/b"][None]))


async def test_namespaces_that_are_refused_leave_the_official_clients_others_alone(official):
    _, opened = official
    for number in range(5):
        client = await opened(f"/nowhere-{number}")
        assert ["Invalid namespace", None] == await client.wait_for("connect_error")


async def test_the_official_client_calls_an_event_by_a_number(official):
    site, opened = official
    site.server.on("1", lambda _, text: ["one", text], namespace="/b")
    client = await opened("/b")
    assert ["one", "x"] == await client.emit(1, "x")
    assert ["one", "x"] == await client.emit("1", "x")


async def test_a_gateway_subscribes_to_a_number_by_its_text():
    class Numbers(Gateway):
        @subscribe("1")
        async def one(self, text: str) -> str:
            return text

        @subscribe("1.5")
        def half(self, text: str) -> str:
            return text

    server = Server()
    server.register_namespace(Numbers())
    async with served(socketio.ASGIApp(server)) as address, Client.connected(address) as client:
        assert "x" == await client.emit(1, "x")
        assert "y" == await client.emit(1.5, "y")
        assert "not_found" == (await client.emit(2, "z"))["error"]["code"]
        await client.send(3, "nobody waits for an ack")
        assert "not_found" == (await client.event("exception"))[0]["code"]
    await server.eio.shutdown()


async def test_the_event_of_everything_gets_the_number_as_on_stock():
    server = Server()
    server.on("connect", lambda *_: None)
    server.on("*", lambda event, _, text: [event, text])
    async with served(socketio.ASGIApp(server)) as address, Client.connected(address) as client:
        assert [1, "x"] == await client.emit(1, "x")
    await server.eio.shutdown()


@pytest.mark.parametrize("data", [b"x", [b"x"], object()], ids=["bytes", "bytes in a list", "an object"])
async def test_a_refusal_that_cannot_be_sent_is_an_internal_one_and_ends_nothing(data, log_lines):
    def connect(*_):
        raise socketio.exceptions.ConnectionRefusedError("no", data)

    site = Site()
    site.server.on("connect", connect, namespace="/b")
    async with site.serve("fast") as peer, connected(peer, "40") as socket:
        await socket.send("40/b,")
        assert "internal" == json.loads((await take(socket)).removeprefix("44/b,"))["data"]["code"]
        await still(socket)
    assert "refusal cannot be sent" in [line["event"] for line in log_lines()]


@pytest.mark.parametrize("recovery", [True, False])
async def test_what_is_sent_to_one_client_is_stored_only_where_it_can_be_recovered(recovery):
    server = Server(recovery=recovery)
    server.on("connect", lambda *_: None)
    async with peer_by("fast", socketio.ASGIApp(server), "/socket.io/") as peer, peer.websocket() as socket:
        await socket.recv()
        await socket.send('40{"recovery":true}')
        sid = json.loads((await take(socket))[2:])["sid"]
        await server.emit("news", "x" * 100_000, to=sid)
        await take(socket)
        assert int(recovery) == len(await server.log.newest(sid_stream(sid), limit=10))
    await server.eio.shutdown()
