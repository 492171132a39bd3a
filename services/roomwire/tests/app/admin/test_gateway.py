"""The admin's namespace over two gateways and one Redis: it shows both, and acts on both."""

import contextlib
import itertools
import json

import pytest
from argon2 import PasswordHasher
from live import Client, served
from pydantic import SecretStr
from waiting import until

from roomwire import App, Gateway, Socket, subscribe
from roomwire.app.admin.login import InvalidCredentials
from roomwire.app.node import Node
from roomwire.app.settings import GatewaySettings
from roomwire.errors import ConfigurationError

HASH = SecretStr(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("correct horse"))
LOGIN = {"username": "ops", "password": "correct horse"}
ADMIN = {"admin_name": "ops", "admin_password_hash": HASH, "admin_mode": "development"}
_number = itertools.count(1_000)
nodes: dict[str, Node] = {}


class Den(Gateway, user_rooms=True):
    async def on_connection(self, socket: Socket) -> None:
        await socket.join("den")

    @subscribe("rooms")
    async def rooms(self, socket: Socket) -> list[str]:
        return sorted(self.server.rooms(socket.id))


@pytest.fixture
async def start(redis_url, monkeypatch):
    """A factory of gateways of one deployment; returns their addresses. Rounds follow each other sooner."""
    monkeypatch.setattr("roomwire.app.admin.watch.ROUND_S", 0.05)
    monkeypatch.setattr("roomwire.app.admin.reports.FRESH_S", 0.0)
    nodes.clear()
    async with contextlib.AsyncExitStack() as stack:

        async def start(*names, app=None, **settings):
            addresses = []
            for name in names:
                chosen = {"auth_mode": "off", "redis_url": SecretStr(redis_url), "redis_timeout_s": 10}
                node = Node(app or App(Den), GatewaySettings(node_name=name, **(chosen | settings)))
                stack.push_async_callback(node.close)
                nodes[name] = node
                await node.start()
                addresses.append(await stack.enter_async_context(served(node.asgi)))
            return addresses

        yield start


@contextlib.asynccontextmanager
async def page(address, auth=LOGIN):
    """Connect as the UI does."""
    async with Client.connected(address, auth, namespace="/admin") as client:
        yield client


async def command(client, *arguments):
    """Send a command; returns what the ack carries."""
    number = next(_number)
    await client.send_frame(f"42/admin,{number}{json.dumps(arguments)}")
    return (await client.ack(number))[0]


async def first(client, name, fits=lambda *_: True):
    """Wait for an event that fits, and pass over earlier ones of its name."""
    while True:
        arguments = await client.event(name)
        if fits(*arguments):
            return arguments


async def all_sockets(client):
    (sockets,) = await client.event("all_sockets")
    return {one["id"]: one for one in sockets}


async def test_a_page_is_shown_both_gateways_and_the_sockets_of_both(start):
    one, two = await start("one", "two", **ADMIN)
    async with Client.connected(one) as ann, Client.connected(two) as ben, page(one) as admin:
        (session,) = await admin.event("session")
        assert session.count(".") == 2
        features = (await admin.event("config"))[0]["supportedFeatures"]
        assert ["AGGREGATED_EVENTS", "ALL_EVENTS"] == features[-2:]
        assert {"JOIN", "LEAVE", "DISCONNECT"} <= {*features}
        stats = {}
        while len(stats) < 2:
            (told,) = await admin.event("server_stats")
            stats[told["serverId"]] = told
        sockets = await all_sockets(admin)

    assert {"one", "two"} == {*stats}
    for told in stats.values():
        namespaces = {each["name"]: each["socketsCount"] for each in told["namespaces"]}
        assert 1 == namespaces["/"]
    assert [2, 1] == [stats[name]["clientsCount"] for name in ("one", "two")]
    assert {ann.sid, ben.sid, admin.sid} == {*sockets}
    shown = sockets[ben.sid]
    assert ("/", "websocket", {ben.sid, "den"}) == (shown["nsp"], shown["transport"], {*shown["rooms"]})
    assert "two" == shown["data"]["gateway"]
    assert "127.0.0.1" == shown["handshake"]["address"]


async def test_nothing_that_is_shown_opens_a_connection(start):
    (address,) = await start("one", **ADMIN)
    headers = {"Authorization": "Bearer sesame", "Cookie": "a=sesame"}
    query = "&token=sesame"
    async with Client.connected(address, {"token": "sesame"}, query=query, headers=headers) as ann:
        transport = next(json.loads(frame[1:])["sid"] for frame in ann.frames if frame.startswith("0"))
        async with page(address) as admin:
            await all_sockets(admin)
            seen = str(admin.frames)

    assert "sesame" not in seen
    assert transport not in seen


async def test_what_happens_on_the_other_gateway_is_shown(start):
    one, two = await start("one", "two", **ADMIN)
    async with page(one) as admin:
        await all_sockets(admin)
        async with Client.connected(two) as ben:
            (shown, _) = await first(admin, "socket_connected", lambda shown, _: shown["id"] == ben.sid)
            assert "/" == shown["nsp"]
        (_, _, reason, _) = await first(admin, "socket_disconnected", lambda _, id_, *__: id_ == ben.sid)
        assert "unknown" == reason


async def test_a_client_of_the_other_gateway_joins_leaves_and_is_disconnected(start, log_lines):
    one, two = await start("one", "two", **ADMIN)
    async with Client.connected(two) as ben, page(one) as admin:
        await all_sockets(admin)
        await command(admin, "join", "/", "club", ben.sid)
        assert {"club", "den"} <= {*await ben.emit("rooms")}
        await first(
            admin, "room_joined", lambda nsp, room, id_, _: [nsp, room, id_] == ["/", "club", ben.sid]
        )

        await command(admin, "emit", "/", "club", "hello", {"from": "ops"}, 2)
        assert [{"from": "ops"}, 2] == (await ben.event("hello"))[:2]

        await command(admin, "leave", "/", "club", ben.sid)
        assert "club" not in await ben.emit("rooms")
        await first(admin, "room_left", lambda nsp, room, id_, _: [nsp, room, id_] == ["/", "club", ben.sid])

        await command(admin, "_disconnect", "/", False, ben.sid)
        await ben.frame(lambda text: text == "41")

    lines = [line for line in log_lines() if line["event"] == "admin command"]
    assert [
        ("join", "/", "club", ben.sid, 1),
        ("emit", "/", None, "club", None),
        ("leave", "/", "club", ben.sid, 1),
        ("disconnect", "/", None, ben.sid, 1),
    ] == [
        (line["operation"], line["namespace"], line.get("room"), line["to"], line.get("done"))
        for line in lines
    ]
    assert {("admin:ops", "ok", True)} == {(line["caller"], line["code"], line["audit"]) for line in lines}
    assert "from" not in str(lines)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("join", "/nowhere", "club"), "not_found"),
        (("join", "/", "user:ann"), "forbidden"),
        (("leave", "/", "user:ann"), "forbidden"),
        (("emit", "/admin", None, "server_stats", {}), "forbidden"),
        (("emit", "/", None, "disconnect"), "forbidden"),
        (("emit", "/", None), "invalid_body"),
        (("emit", "/", 7, "hello"), "invalid_body"),
        (("join", "/"), "invalid_body"),
        (("_disconnect",), "invalid_body"),
        (("shutdown",), "not_found"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else value,
)
async def test_a_command_that_cannot_be_performed_is_refused(memory_gateway, arguments, code):
    async with page(memory_gateway) as admin:
        assert code == (await command(admin, *arguments))["error"]["code"]


@pytest.fixture
async def memory_gateway(start):
    (address,) = await start("one", redis_url=SecretStr("memory://"), **ADMIN)
    return address


async def test_a_client_cannot_be_put_into_the_room_of_another(memory_gateway):
    async with Client.connected(memory_gateway) as ann, page(memory_gateway) as admin:
        refused = await command(admin, "join", "/", ann.sid, ann.sid)

        assert "invalid_body" == refused["error"]["code"]


async def test_commands_have_a_rate(start, monkeypatch):
    monkeypatch.setattr("roomwire.app.admin.gateway.MAX_COMMANDS_PER_S", 1e-6)
    (address,) = await start("one", redis_url=SecretStr("memory://"), **ADMIN)
    async with page(address) as admin:
        answers = [await command(admin, "join", "/nowhere", "club") for _ in range(2)]

    assert ["not_found", "rate_limited"] == [answer["error"]["code"] for answer in answers]


async def test_a_page_that_may_only_look_can_change_nothing(start):
    (address,) = await start("one", admin_read_only=True, **ADMIN)
    async with Client.connected(address) as ann, page(address) as admin:
        assert ["AGGREGATED_EVENTS", "ALL_EVENTS"] == (await admin.event("config"))[0]["supportedFeatures"]
        for arguments in (("join", "/", "club"), ("_disconnect", "/", False), ("emit", "/", None, "hello")):
            assert "forbidden" == (await command(admin, *arguments))["error"]["code"]
        assert "club" not in await ann.emit("rooms")


async def test_in_production_a_page_is_told_of_gateways_and_of_no_sockets(start):
    (address,) = await start("one", **(ADMIN | {"admin_mode": "production"}))
    async with Client.connected(address), page(address) as admin:
        assert "ALL_EVENTS" not in (await admin.event("config"))[0]["supportedFeatures"]
        for _ in range(2):
            await admin.event("server_stats")

    assert not {"all_sockets", "socket_connected"} & {event[0] for event in admin.events}


async def test_a_page_returns_by_its_session_at_the_other_gateway(start):
    one, two = await start("one", "two", **ADMIN)
    async with page(one) as admin:
        (session,) = await admin.event("session")
    async with page(two, {"sessionId": session}) as admin:
        await admin.event("config")
        await admin.event("server_stats")

    assert "session" not in [event[0] for event in admin.events]


async def test_a_wrong_password_and_a_token_are_refused(start):
    (address,) = await start("one", **ADMIN)
    async with Client.open(address) as client:
        answer = await client.connect(LOGIN | {"password": "wrong"}, namespace="/admin")

    assert InvalidCredentials.default_message == answer["message"]


async def test_the_password_of_a_page_is_not_kept(memory_gateway):
    async with page(memory_gateway) as admin:
        await admin.event("config")

        assert nodes["one"].server.member(admin.sid, "/admin").handshake.auth is None


async def test_without_a_name_the_namespace_is_unknown(start):
    (address,) = await start("one")
    async with Client.open(address) as client:
        refused = [(await client.connect(LOGIN, namespace=name)) for name in ("/admin", "/nowhere")]

    assert refused[0] == refused[1]


async def test_the_login_admits_to_no_other_namespace(start):
    (address,) = await start("one", **(ADMIN | {"auth_mode": "required"}))
    async with page(address), Client.open(address) as client:
        assert "unauthenticated" == (await client.connect(LOGIN))["data"]["code"]


async def test_the_number_of_pages_is_limited(start):
    (address,) = await start("one", **ADMIN)
    async with contextlib.AsyncExitStack() as stack:
        first_page = await stack.enter_async_context(page(address))
        (session,) = await first_page.event("session")
        for _ in range(9):
            await stack.enter_async_context(page(address, {"sessionId": session}))
        client = await stack.enter_async_context(Client.open(address))
        answer = await client.connect({"sessionId": session}, namespace="/admin")

    assert "rate_limited" == answer["data"]["code"]


async def test_the_sockets_that_are_shown_are_limited_over_all_gateways(start):
    one, two = await start("one", "two", **(ADMIN | {"admin_max_sockets": 4}))
    async with contextlib.AsyncExitStack() as stack:
        for address in (one, two):
            for _ in range(4):
                await stack.enter_async_context(Client.connected(address))
        admin = await stack.enter_async_context(page(one))

        shown = [one["data"]["gateway"] for one in (await all_sockets(admin)).values()]
    assert ["one", "one", "two", "two"] == sorted(shown)


async def test_nothing_runs_when_the_last_page_has_gone(start):
    (address,) = await start("one", redis_url=SecretStr("memory://"), **ADMIN)
    watch = nodes["one"].server.namespace_handlers["/admin"]._watch
    async with page(address) as admin:
        await all_sockets(admin)
        assert watch._is_running

    await until(lambda: not watch._is_running)
    assert not watch._known


class Taken(Gateway, namespace="/admin"):
    pass


def test_an_application_that_serves_the_namespace_itself_is_refused():
    settings = GatewaySettings(auth_mode="off", redis_url=SecretStr("memory://"), **ADMIN)
    with pytest.raises(ConfigurationError, match="/admin"):
        Node(App(Taken), settings)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [({"admin_name": "ops"}, "hash"), ({"admin_name": "ops", "admin_password_hash": SecretStr("x")}, "hash")],
)
def test_a_name_needs_a_hash(settings, problem):
    with pytest.raises((ValueError, ConfigurationError), match=problem):
        Node(App(Den), GatewaySettings(auth_mode="off", redis_url=SecretStr("memory://"), **settings))
