"""The HTTP API of an application that is not the chat: two processes' worth of nodes, and a backend that calls one of them."""

import contextlib
import functools
import json
from typing import Any

import httpx
import pytest
import redis.asyncio
from live import Client, served

from roomwire import App, Gateway, Server, Socket, User, subscribe
from roomwire.app.node import Node
from roomwire.app.settings import GatewaySettings
from roomwire.identity.capabilities import load_policy
from roomwire.log.errors import NotReadByAll
from roomwire.log.sessions import new_pid, sid_of
from roomwire.protocol.values import MAX_LEVELS

EVERY_SERVER = pytest.mark.parametrize("redis_binary", ["valkey", "redis"], indirect=True)
SECRET = "s" * 40
DEEPEST = functools.reduce(lambda inner, _: [inner], range(MAX_LEVELS), None)
POLICY = """
[roles.guest]
"*" = ["join"]
[roles.user]
"*" = ["join"]
[roles.shop]
"acme:*" = ["publish", "presence", "history"]
"/private/tenant-7" = ["connect"]
[roles.root]
"*" = ["join", "publish", "history", "presence", "rooms", "broadcast", "admin"]
"""


class Board(Gateway, namespace="/board"):
    @subscribe("join")
    async def enter(self, socket: Socket, room: str) -> None:
        await socket.join(room)

    @subscribe("move")
    async def move(self, room: str, column: str) -> None:
        await self.emit("moved", column, to=room, keeps_history=True)

    @subscribe("place")
    async def place(self, room: str, card: Any) -> Any:
        await self.emit("placed", card, to=room, keeps_history=True)
        return card


class Inbox(Gateway, namespace="/inbox", user_rooms=True):
    """A gateway that has rooms of users."""


class Square(Gateway, namespace="/square", moderated=True):
    @subscribe("say")
    async def say(self, text: str) -> str:
        return text


class Tenant(Gateway, namespace="/tenant-{tenant}", user_rooms=True):
    async def on_connection(self, socket: Socket) -> None:
        await socket.join("acme:den")


class Private(Gateway, namespace="/private/tenant-{tenant}", requires_connect=True):
    """A gateway whose namespaces capabilities must name."""


async def known(handshake):
    """Authenticate a client as the user that it says it is."""
    name = handshake.auth.get("name") if isinstance(handshake.auth, dict) else None
    return User(name, name, "account") if name else User.anonymous(load_policy().of_role("guest"))


def app(*more):
    server = Server()
    server.on("connect", lambda sid, environ: None)
    return App(Board, Inbox, *more, server=server, authenticate=known)


class Backend:
    """Two nodes of the application, and who calls the API of the first."""

    def __init__(self, addresses, http):
        self.addresses = addresses
        self.http = http

    async def call(self, method, path, *, secret=SECRET, **options):
        headers = {"authorization": f"Bearer {secret}"}
        answer = await self.http.request(method, path, headers=headers, **options)
        return answer.status_code, answer.json()

    async def publish(self, *messages, **options):
        return await self.call("POST", "/publish", json={"messages": messages}, **options)


@pytest.fixture
async def backend(redis_url, free_port_factory, tmp_path):
    async with backend_on(redis_url, free_port_factory, tmp_path) as started:
        yield started


@pytest.fixture
async def square(own_server, free_port_factory, tmp_path):
    """A backend of an application with a moderated gateway, on a server of its own; the test names the kinds of server."""
    async with backend_on(own_server.url, free_port_factory, tmp_path, Square) as started:
        yield started


@contextlib.asynccontextmanager
async def backend_on(url, free_port_factory, tmp_path, *gateways, **more):
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    async with contextlib.AsyncExitStack() as stack:
        addresses, ports = [], [free_port_factory(), free_port_factory()]
        for number, port in enumerate(ports):
            settings = GatewaySettings(
                redis_url=url,
                node_name=f"n{number}",
                auth_mode="off",
                policy_file=policy,
                api_port=port,
                api_keys=f"root root {SECRET}\nshop shop {'t' * 40}",
                **more,
            )
            node = Node(app(*gateways), settings)
            stack.push_async_callback(node.close)
            await node.start()
            addresses.append(await stack.enter_async_context(served(node.asgi)))
        http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports[0]}/api/v1", trust_env=False, timeout=60)
        yield Backend(addresses, await stack.enter_async_context(http))


@contextlib.asynccontextmanager
async def member(backend, of, room):
    async with Client.open(backend.addresses[of]) as client:
        client.sid = (await client.connect(namespace="/board"))["sid"]
        await client.send_frame(f'42/board,1["join","{room}"]')
        await client.ack(1)
        yield client


async def test_events_reach_a_room_of_any_namespace_on_all_nodes(backend):
    async with member(backend, 0, "acme:den") as here, member(backend, 1, "acme:den") as there:
        said = {"namespace": "/board", "room": "acme:den", "event": "moved", "args": [1, {"a": 2}]}
        assert (200, {"published": 1}) == await backend.publish(said)

        assert [1, {"a": 2}] == await here.event("moved")
        assert [1, {"a": 2}] == await there.event("moved")


async def test_calls_name_a_namespace_of_a_pattern_and_need_the_capability_that_its_gateway_requires(
    redis_url, free_port_factory, tmp_path
):
    shop = {"secret": "t" * 40}
    of_private = {"room": "acme:den", "event": "moved"}
    async with (
        backend_on(redis_url, free_port_factory, tmp_path, Tenant, Private) as backend,
        Client.connected(backend.addresses[1], {"name": "ann"}, namespace="/tenant-7") as ann,
    ):
        said = {"namespace": "/tenant-7", "room": "acme:den", "event": "moved", "args": [1]}
        to_ann = {"namespace": "/tenant-7", "user": "ann", "event": "moved", "args": [2]}
        answers = [
            await backend.publish(said, **shop),
            await backend.publish(to_ann),
            await backend.publish(of_private | {"namespace": "/private/tenant-7"}, **shop),
            await backend.publish(of_private | {"namespace": "/private/tenant-8"}, **shop),
            await backend.publish(of_private | {"namespace": "/private/tenant-8"}),
            await backend.publish(said | {"namespace": "/tenant-ä"}),
            await backend.publish(said | {"namespace": "/tenants"}),
        ]
        where = {"namespace": "/tenant-7", "room": "acme:den"}
        presence = await backend.call("GET", "/presence", params=where)

        assert [1, 2] == [(await ann.event("moved"))[0] for _ in range(2)]
    assert [200, 200, 200, 403, 200, 404, 404] == [status for status, _ in answers]
    assert (200, ["ann"]) == (presence[0], [each["user"] for each in presence[1]["members"]])


async def test_members_of_excepted_rooms_do_not_receive_an_event_to_a_room_or_to_everybody(backend):
    async with member(backend, 0, "acme:den") as here, member(backend, 1, "acme:den") as there:
        await there.send_frame('42/board,2["join","muted"]')
        await there.ack(2)
        said = {"namespace": "/board", "event": "moved", "except_rooms": ["muted"]}
        to_room, to_all = said | {"room": "acme:den", "args": [1]}, said | {"everyone": True, "args": [2]}
        end = {"namespace": "/board", "event": "moved", "everyone": True, "args": ["end"]}
        assert (200, {"published": 3}) == await backend.publish(to_room, to_all, end)

        assert [[1], [2], ["end"]] == [await here.event("moved") for _ in range(3)]
        assert ["end"] == await there.event("moved")


async def test_an_event_to_a_user_leaves_out_no_rooms(backend):
    said = {"namespace": "/inbox", "user": "ann", "event": "mail", "except_rooms": ["muted"]}
    status, _ = await backend.publish(said)

    assert 400 <= status < 500


async def test_while_an_earlier_gateway_is_there_leaving_out_rooms_is_unavailable_and_all_else_is_not(
    backend, redis_url
):
    async with redis.asyncio.from_url(redis_url) as admin:
        seconds, _ = await admin.time()
        await admin.hset("rw:{0}:registry", "old", f"{(seconds + 60) * 1000} old.1 ")
        said = {"namespace": "/board", "room": "acme:den", "event": "moved"}
        status, answer = await backend.publish(said | {"except_rooms": ["muted"]})
        assert (503, NotReadByAll().details()) == (status, answer["error"])
        assert (200, {"published": 1}) == await backend.publish(said)


async def test_events_reach_everybody_of_a_namespace_and_of_no_other(backend):
    async with member(backend, 1, "acme:den") as client, Client.connected(backend.addresses[1]) as other:
        assert (200, {"published": 2}) == await backend.publish(
            {"namespace": "/board", "everyone": True, "event": "notice"}, {"everyone": True, "event": "last"}
        )
        assert [] == await client.event("notice")
        assert [] == await other.event("last")
        assert ["notice"] not in other.events


async def test_what_is_said_again_under_its_id_is_heard_once(backend):
    async with member(backend, 1, "acme:den") as client:
        said = {"namespace": "/board", "room": "acme:den", "event": "moved", "args": ["once"], "id": "a"}
        for _ in range(2):
            assert (200, {"published": 1}) == await backend.publish(said)
        await backend.publish({**said, "id": "b", "args": ["after"]})

        assert [["once"], ["after"]] == [await client.event("moved") for _ in range(2)]


@pytest.mark.parametrize(
    ("method", "path", "options", "sentence"),
    [
        pytest.param(
            "POST",
            "/ban",
            {"json": {"user": "ann", "for_s": 60}},
            "This application cannot ban or mute a user: none of its gateways is moderated.",
            id="a ban without a moderated gateway",
        ),
        pytest.param(
            "POST",
            "/publish",
            {"json": {"messages": [{"namespace": "/bord", "room": "den", "event": "x"}]}},
            "This application does not serve the namespace '/bord'.",
            id="a namespace that is not served",
        ),
        pytest.param(
            "POST",
            "/publish",
            {"json": {"messages": [{"user": "ann", "event": "x"}]}},
            "This application cannot publish to a user: name a room.",
            id="a user",
        ),
        pytest.param(
            "GET",
            "/history",
            {"params": {"room": "den", "namespace": "/bord"}},
            "This application does not serve the namespace '/bord'.",
            id="history of a namespace that is not served",
        ),
        pytest.param(
            "GET",
            "/presence",
            {"params": {"room": "den", "namespace": "/bord"}},
            "This application does not serve the namespace '/bord'.",
            id="presence in a namespace that is not served",
        ),
        pytest.param(
            "POST",
            "/disconnect",
            {"json": {"user": "ann"}},
            "This application cannot disconnect a user: revoke the user's sessions.",
            id="disconnect",
        ),
        pytest.param(
            "POST",
            "/publish",
            {"json": {"messages": [{"namespace": "/inbox", "room": "user:ann", "event": "x"}]}},
            "This room is a user's own: name the user.",
            id="the room of a user",
        ),
    ],
)
async def test_what_the_application_cannot_do_it_says(backend, method, path, options, sentence):
    status, body = await backend.call(method, path, **options)

    assert (404, "not_found", sentence) == (status, body["error"]["code"], body["error"]["message"])


async def test_rooms_and_presence_are_those_of_all_nodes(backend):
    async with (
        member(backend, 0, "acme:den") as here,
        member(backend, 1, "acme:den") as there,
        member(backend, 1, "hall"),
    ):
        _, found = await backend.call("GET", "/rooms", params={"namespace": "/board"})
        assert {"rooms": [{"room": "acme:den", "members": 2}, {"room": "hall", "members": 1}]} == found
        _, found = await backend.call("GET", "/presence", params={"namespace": "/board", "room": "acme:den"})
        assert {here.sid: "n0", there.sid: "n1"} == {one["id"]: one["gateway"] for one in found["members"]}
        assert (2, []) == (found["total"], found["missing"])


async def test_history_is_what_the_application_kept_of_a_room(backend):
    async with member(backend, 1, "acme:den") as client:
        for column in ("doing", "done"):
            await client.send_frame(f'42/board,["move","acme:den","{column}"]')
            await client.event("moved")
        where = {"namespace": "/board", "room": "acme:den"}

        _, found = await backend.call("GET", "/history", params=where)
        assert [("moved", ["doing"]), ("moved", ["done"])] == [
            (one["entry"]["event"], one["entry"]["args"]) for one in found["messages"]
        ]
        after = found["messages"][0]["position"]
        _, rest = await backend.call("GET", "/history", params={**where, "after": after})
        assert (found["messages"][1:], True, False) == (rest["messages"], rest["joined"], rest["more"])
        _, other = await backend.call("GET", "/history", params={"room": "acme:den"})
        assert [] == other["messages"]


async def test_whatever_a_gateway_accepts_is_answered_by_history_and_what_is_nested_more_deeply_is_refused(
    backend,
):
    async with member(backend, 1, "den") as client:
        said = {"namespace": "/board", "room": "den", "event": "placed", "keeps_history": True}
        text = json.dumps(DEEPEST)
        await client.send_frame(f'42/board,2["place","den",{text}]')
        assert [DEEPEST] == await client.event("placed")
        assert [DEEPEST] == await client.ack(2)
        assert (200, {"published": 2}) == await backend.publish(
            {**said, "args": [DEEPEST]}, {**said, "args": [1], "keeps_history": {"entry": DEEPEST}}
        )
        await client.send_frame(f'42/board,3["place","den",[{text}]]')
        assert "invalid_body" == (await client.ack(3))[0]["error"]["code"]

        status, found = await backend.call("GET", "/history", params={"namespace": "/board", "room": "den"})
        assert 200 == status
        first, second, third = (one["entry"] for one in found["messages"])
        assert [[DEEPEST], [DEEPEST], DEEPEST] == [first["args"], second["args"], third]


async def test_a_published_event_is_in_the_history_of_its_room_as_an_emit_of_the_gateway_is(backend):
    said = {"namespace": "/board", "room": "acme:den", "event": "moved"}
    where = {"namespace": "/board", "room": "acme:den"}
    async with member(backend, 1, "acme:den") as client:
        await client.send_frame('42/board,["move","acme:den","by the gateway"]')
        await client.event("moved")
        for _ in range(2):
            await backend.publish({**said, "args": ["once"], "id": "a", "keeps_history": True})
        await backend.publish({**said, "args": ["not kept"]})
        _, found = await backend.call("GET", "/history", params=where)
        first, second = (one["entry"] for one in found["messages"])
        assert [["by the gateway"], ["once"]] == [first["args"], second["args"]]
        assert first.keys() == second.keys()

        own = {"entry": {"column": None}, "entries": 2, "ttl_s": 60}
        assert (200, {"published": 2}) == await backend.publish(
            {**said, "args": ["own"], "keeps_history": own},
            {**said, "args": ["null"], "keeps_history": {"entry": None, "entries": 2}},
        )
        _, found = await backend.call("GET", "/history", params=where)
        assert [{"column": None}, None] == [one["entry"] for one in found["messages"]]
        assert [["once"], ["not kept"], ["own"], ["null"]] == [await client.event("moved") for _ in range(4)]


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"everyone": True, "keeps_history": True}, id="everyone"),
        pytest.param({"room": "den", "keeps_history": {"entries": 0}}, id="no entry"),
        pytest.param({"room": "den", "keeps_history": {"entries": 10_001}}, id="too many entries"),
        pytest.param({"room": "den", "keeps_history": {"ttl_s": 31 * 86_400 + 1}}, id="for too long"),
        pytest.param({"room": "den", "keeps_history": {"entry": [DEEPEST]}}, id="too deep a nest"),
        pytest.param(
            {"room": "den", "keeps_history": True, "args": [[DEEPEST]]}, id="arguments of that kind"
        ),
        pytest.param({"room": "den", "keeps_history": {"room": "hall"}}, id="another room"),
        pytest.param({"room": sid_of(new_pid()), "keeps_history": True}, id="a client's own room"),
    ],
)
async def test_what_no_history_can_store_is_refused_and_nothing_is_published(backend, wrong):
    async with member(backend, 1, "den") as client:
        before = {"namespace": "/board", "room": "den", "event": "moved", "args": ["before"]}
        status, body = await backend.publish(before, {"namespace": "/board", "event": "x", **wrong})
        assert (422, "invalid_body") == (status, body["error"]["code"])

        await backend.publish({**before, "args": ["after"]})
        assert ["after"] == await client.event("moved")


async def test_a_user_is_reached_and_disconnected_on_all_nodes_where_there_are_rooms_of_users(backend):
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(Client.connected(address, {"name": name}, namespace="/inbox"))
            for name, address in zip(
                ("ann", "ann", "bob"), (*backend.addresses, backend.addresses[1]), strict=True
            )
        ]
        assert (200, {"published": 2}) == await backend.publish(
            {"namespace": "/inbox", "user": "ann", "event": "bill", "args": [7]},
            {"namespace": "/inbox", "everyone": True, "event": "last"},
        )
        for client, before in zip(clients, ([["bill", 7]], [["bill", 7]], []), strict=True):
            await client.event("last")
            assert before == client.events
        _, rooms = await backend.call("GET", "/rooms", params={"namespace": "/inbox"})
        assert {"rooms": []} == rooms

        done = await backend.call("POST", "/disconnect", json={"namespace": "/inbox", "user": "ann"})
        assert (200, {"disconnected": 2, "failed": 0, "missing": []}) == done
        _, left = await backend.call("GET", "/presence", params={"namespace": "/inbox", "room": "user:bob"})
        assert (1, ["bob"]) == (left["total"], [one["user"] for one in left["members"]])


async def test_members_are_moved_on_all_nodes(backend):
    async with member(backend, 0, "acme:den") as here, member(backend, 1, "acme:den") as there:
        moved = await backend.call(
            "POST", "/move", json={"namespace": "/board", "room": "acme:den", "to": "hall"}
        )
        assert (200, {"moved": 2, "refused": 0, "failed": 0, "missing": []}) == moved
        await backend.publish(
            {"namespace": "/board", "room": "acme:den", "event": "left"},
            {"namespace": "/board", "room": "hall", "event": "joined"},
        )
        for client in (here, there):
            await client.event("joined")
            assert ["left"] not in client.events


async def test_a_caller_does_in_each_namespace_what_its_role_allows(backend):
    allowed = {"namespace": "/board", "room": "acme:den", "event": "x"}
    assert (200, {"published": 1}) == await backend.publish(allowed, secret="t" * 40)
    for refused in ({**allowed, "room": "den"}, {"namespace": "/board", "everyone": True, "event": "x"}):
        status, body = await backend.publish(allowed, refused, secret="t" * 40)
        assert (403, "forbidden") == (status, body["error"]["code"])


@EVERY_SERVER
async def test_a_user_is_banned_and_let_in_again_on_all_nodes(square):
    async def status(user, of):
        async with Client.open(square.addresses[of]) as client:
            answer = await client.connect({"name": user}, namespace="/square")
            return answer.get("data", {}).get("code", "let in")

    async with Client.connected(square.addresses[1], {"name": "ann"}, namespace="/square") as ann:
        banned = await square.call("POST", "/ban", json={"user": "ann", "for_s": 3_600})
        assert (200, {"missing": []}) == banned
        assert "forbidden" == (await ann.event("exception"))[0]["code"]
    assert ["forbidden", "forbidden", "let in"] == [
        await status("ann", 0),
        await status("ann", 1),
        await status("bob", 1),
    ]

    assert (200, {"missing": []}) == await square.call("POST", "/ban", json={"user": "ann", "for_s": 0})
    assert "let in" == await status("ann", 1)


@EVERY_SERVER
async def test_a_user_is_muted_and_heard_again_on_all_nodes(square):
    async with Client.connected(square.addresses[1], {"name": "ann"}, namespace="/square") as ann:
        for number, for_s in enumerate((3_600, 0)):
            muted = await square.call("POST", "/mute", json={"user": "ann", "for_s": for_s})
            assert (200, {"missing": []}) == muted
            await ann.send_frame(f'42/square,{number}["say","hi"]')
            (answer,) = await ann.ack(number)
            assert ("hi" if number else "forbidden") == (answer if number else answer["error"]["code"])


@pytest.mark.parametrize("path", ["/ban", "/mute"])
@pytest.mark.parametrize(
    "wrong",
    [{"for_s": -1}, {"for_s": "60"}, {"for_s": True}, {"for_s": 1e12}, {}, {"for_s": 1, "namespace": "/"}],
    ids=str,
)
async def test_a_time_that_is_none_bans_and_mutes_nobody(backend, path, wrong):
    status, body = await backend.call("POST", path, json={"user": "ann", **wrong})

    assert (422, "invalid_body") == (status, body["error"]["code"])


async def test_a_setting_bounds_the_sockets_of_a_user_over_all_nodes(redis_url, free_port_factory, tmp_path):
    async with (
        backend_on(redis_url, free_port_factory, tmp_path, max_connections_per_user=2) as backend,
        Client.connected(backend.addresses[0], {"name": "ann"}, namespace="/board"),
        Client.connected(backend.addresses[1], {"name": "ann"}, namespace="/inbox"),
        Client.open(backend.addresses[1]) as third,
    ):
        refused = await third.connect({"name": "ann"}, namespace="/board")
        assert "rate_limited" == refused["data"]["code"]
        assert "sid" in await third.connect({"name": "bob"}, namespace="/inbox")
