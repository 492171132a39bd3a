"""Which clients are offered recovery: the table, and on the wire what each kind of them gets."""

import asyncio
import json
import re

import pytest
import socketio
import websockets
from clients import js_clients
from flaky_proxy import Proxy
from peers import peer_by, take
from recovering import nodes_of
from waiting import until

from roomwire import Gateway, Server, subscribe
from roomwire.log.sessions import new_pid
from roomwire.recovery.decisions import RecoveryLimits, recovery_request_of
from roomwire.recovery.offers import RULES, client_of, is_offered

OTHERS = [
    "Python/3.12 aiohttp/3.9",
    "python-requests/2.31",
    "Dart/3.2 (dart:io)",
    "okhttp/4.12.0",
    "okhttp/3.12.12",
    "Go-http-client/1.1",
    "Go-http-client/2.0",
    "MyGame/1.0 Mozilla/5.0",
    "node",
    "Bun/1.1",
    "curl/8.0",
    "x",
]


@pytest.mark.parametrize(
    ("auth", "query", "headers", "expected"),
    [
        pytest.param(
            {"recovery": False, "pid": new_pid()}, "recovery=1", {"UA": "Mozilla/5.0"}, False, id="auth"
        ),
        pytest.param({"recovery": True}, "recovery=0", {"UA": "okhttp/4"}, True, id="auth before the query"),
        pytest.param({"recovery": "false"}, "", {"UA": "Mozilla/5.0"}, False, id="auth as a text"),
        pytest.param({"recovery": 1}, "", {"UA": "okhttp/4"}, True, id="auth as a number"),
        pytest.param({"pid": new_pid()}, "EIO=4&recovery=0", {"UA": "Mozilla/5.0"}, False, id="query"),
        pytest.param(None, "recovery=true", {"UA": "okhttp/4"}, True, id="query, yes"),
        pytest.param(None, "recovery=0&recovery=1", {"UA": "okhttp/4"}, True, id="the last of a query"),
        pytest.param(None, "recovery=", {"UA": "Mozilla/5.0"}, True, id="a query that says nothing"),
        pytest.param({"pid": new_pid()}, "", {"UA": "okhttp/4"}, True, id="a pid"),
        pytest.param({"pid": new_pid()}, "", {"ORIGIN": "http://here"}, True, id="a pid, and an origin"),
        pytest.param({"pid": "mine"}, "", {"UA": "okhttp/4"}, False, id="the application's own pid"),
        pytest.param({"pid": 17}, "", {"UA": "okhttp/4"}, False, id="that is a number"),
        pytest.param(None, "", {"UA": "Mozilla/5.0 (X11)", "ORIGIN": "http://here"}, True, id="a browser"),
        pytest.param(None, "", {"UA": "mozilla/5.0"}, True, id="a browser in other letters"),
        pytest.param(None, "", {}, True, id="Node over WebSocket"),
        pytest.param(None, "", {"UA": ""}, True, id="an empty User-Agent is none"),
        pytest.param(None, "", {"UA": "node-XMLHttpRequest"}, True, id="Node over polling"),
        pytest.param(None, "", {"ORIGIN": "http://here"}, False, id="websocket-client, of Python"),
        *(pytest.param(None, "", {"UA": agent}, False, id=agent) for agent in OTHERS),
    ],
)
def test_the_first_rule_that_fits_decides(auth, query, headers, expected):
    names = {"UA": "HTTP_USER_AGENT", "ORIGIN": "HTTP_ORIGIN"}
    environ = {"QUERY_STRING": query} | {names[name]: value for name, value in headers.items()}
    assert expected == recovery_request_of(auth, environ).is_offered


def test_every_rule_decides_about_a_client():
    clients = [
        client_of({"recovery": False}, {}, has_pid=True),
        client_of({}, {"HTTP_USER_AGENT": "x"}, has_pid=True),
        client_of({}, {"HTTP_USER_AGENT": "Mozilla/5.0"}, has_pid=False),
        client_of({}, {}, has_pid=False),
        client_of({}, {"HTTP_USER_AGENT": "node-XMLHttpRequest"}, has_pid=False),
        client_of({}, {"HTTP_USER_AGENT": "x"}, has_pid=False),
    ]
    assert [*RULES] == [next(rule for rule in RULES if rule.fits(client)) for client in clients]
    assert [False, True, True, True, True, False] == [is_offered(client) for client in clients]


class Hall(Gateway):
    @subscribe("echo")
    async def echo(self, text: str) -> str:
        return text


def functions(server):
    server.on("connect", lambda *_: None)


def a_class_of_functions(server):
    server.register_namespace(socketio.AsyncNamespace("/"))


def a_gateway(server):
    server.register_namespace(Hall())


def a_gateway_without(server):
    server.register_namespace(type("Plain", (Hall,), {"offers_recovery": False})())


def a_gateway_beside_functions(server):
    a_gateway(server)
    functions(server)


@pytest.mark.parametrize(
    ("recovery", "write", "expected"),
    [
        (None, functions, False),
        (None, a_class_of_functions, False),
        (None, a_gateway, True),
        (None, a_gateway_without, False),
        # Functions take the events then.
        (None, a_gateway_beside_functions, False),
        *((True, write, True) for write in (functions, a_class_of_functions, a_gateway, a_gateway_without)),
        *((False, write, False) for write in (functions, a_gateway)),
        *((RecoveryLimits(max_entries=5), write, True) for write in (functions, a_gateway)),
        *((RecoveryLimits(is_offered=False), write, False) for write in (functions, a_gateway)),
    ],
)
@pytest.mark.parametrize("way", ["fast", "asgi"])
async def test_whether_a_server_offers_recovery(way, recovery, write, expected):
    server = Server(recovery=recovery)
    write(server)
    async with peer_by(way, socketio.ASGIApp(server), "/socket.io/") as peer:
        async with peer.websocket(user_agent_header="Mozilla/5.0") as socket:
            await socket.recv()
            await socket.send("40")
            assert expected is ("pid" in json.loads((await take(socket))[2:]))
            await server.emit("n", "x")
            assert (["n", "x"] == json.loads((await take(socket))[2:])) is not expected
        await server.shutdown()


@pytest.fixture
async def node(redis_url):
    async with nodes_of(redis_url) as start:
        yield await start(is_fast=True)


@pytest.mark.parametrize("agent", OTHERS)
async def test_who_does_not_know_recovery_gets_what_was_sent_and_nothing_else(node, agent):
    url = f"ws://{node.address}/socket.io/?EIO=4&transport=websocket"
    async with websockets.connect(url, user_agent_header=agent, proxy=None) as socket:
        await socket.recv()
        await socket.send("40")
        reply = json.loads((await socket.recv())[2:])
        assert ["sid"] == [*reply]
        sid = reply["sid"]
        await node.server.enter_room(sid, "den")
        for target in ({"to": sid}, {"to": "den"}, {"to": ["den", "other"]}, {"skip_sid": "nobody"}, {}):
            await node.server.emit("n", ("x", b"y"), **target)
            assert '451-["n","x",{"_placeholder":true,"num":0}]' == await socket.recv()
            assert b"y" == await socket.recv()
        await node.server.emit("n", "x", to=sid, ignore_queue=True)
        assert '42["n","x"]' == await socket.recv()
        await node.server.emit("n", "x", to=sid, callback=print)
        assert '421["n","x"]' == await socket.recv()


async def test_in_one_room_each_gets_what_it_can_take(node):
    async with js_clients() as clients:
        knows = await clients.connect(f"http://{node.address}")
        url = f"ws://{node.address}/socket.io/?EIO=4&transport=websocket"
        async with websockets.connect(url, user_agent_header="okhttp/4", proxy=None) as socket:
            await socket.recv()
            await socket.send("40")
            await socket.recv()
            for number in range(3):
                await node.server.emit("n", number)
                assert f'42["n",{number}]' == await socket.recv()
            await knows.wait_for_event("n", 2)
            assert [["n", number] for number in range(3)] == knows.events
            assert 3 == (await knows.state())["offsets"]


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_the_official_client_on_node_recovers_from_its_first_drop(node, transport):
    proxy = Proxy(int(node.address.rpartition(":")[2]))
    async with js_clients() as clients, proxy:
        client = await clients.connect(f"http://127.0.0.1:{proxy.port}", transports=[transport])
        before = (await client.state())["id"]
        await node.server.emit("n", 0)
        await client.wait_for_event("n", 0)
        (connection,) = node.server.eio.sockets.values()
        # Between two polls there is nothing to be cut.
        await until(lambda: connection.upgraded or connection.state.is_polled)
        proxy.cut()
        await until(lambda: connection.closed)
        await node.server.emit("n", 1)
        await client.wait_for_event("n", 1)
        state = await client.state()
        assert (True, before) == (state["recovered"], state["id"])
        assert [["n", 0], ["n", 1]] == client.events
        await client.close()


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]], ids="-".join)
@pytest.mark.parametrize("agent", [None, "Orders/1.0"], ids=["its own User-Agent", "the application's"])
@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
async def test_pythons_client_gets_exactly_the_arguments_that_were_sent(node, is_async, agent, transports):
    got = []
    client = (socketio.AsyncClient if is_async else socketio.Client)(reconnection=False)
    client.on("n", lambda *arguments: got.append(arguments))

    async def call(method, *arguments, **options):
        if is_async:
            await method(*arguments, **options)
        else:
            await asyncio.to_thread(method, *arguments, **options)

    headers = {"User-Agent": agent} if agent else {}
    await call(client.connect, f"http://{node.address}", headers=headers, transports=transports)
    await node.server.emit("n", ("x", b"y"))
    await node.server.emit("n")
    await until(lambda: len(got) == 2)
    await call(client.disconnect)
    assert [("x", b"y"), ()] == got


async def test_a_client_that_can_be_taken_for_another_says_what_it_is(node):
    url = f"ws://{node.address}/socket.io/?EIO=4&transport=websocket"
    # As Rust's, over WebSocket alone.
    async with websockets.connect(url, user_agent_header=None, proxy=None) as socket:
        await socket.recv()
        await socket.send('40{"recovery":false}')
        assert re.fullmatch(r'40\{"sid":"[\w-]{20}"\}', await socket.recv())
        await node.server.emit("n", "x")
        assert '42["n","x"]' == await socket.recv()
