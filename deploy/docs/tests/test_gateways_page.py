"""The gateways that `docs/gateways.md`, `docs/namespaces.md`, `docs/recovery.md` and `docs/application.md` show do what the pages say, on two nodes."""

import textwrap

import documents
import httpx
import pytest
from documents import ROOT

from roomwire import App, Gateway, Socket, User
from roomwire.identity.capabilities import Capabilities
from roomwire.testing import Refused

GATEWAYS = ROOT / "docs" / "gateways.md"
NAMESPACES = ROOT / "docs" / "namespaces.md"
APPLICATION = ROOT / "docs" / "application.md"


def shown(mark, page=GATEWAYS):
    """Return the names of the page's program that has a mark in it."""
    (code,) = [code for code in documents.programs(page, "python") if mark in code]
    names = {"__name__": "shown"}
    exec(compile(code, page.name, "exec"), names)
    return names


async def put(cluster, client, *rooms):
    """Put a client into rooms, as a handler elsewhere in the application would."""
    for room in rooms:
        await cluster.nodes[0].server.enter_room(client.sid, room)
    await cluster.settle()


async def test_a_guard_a_filter_and_a_pipe_run_around_a_call(nodes, capsys):
    async with nodes(shown("class Board(Gateway):\n    guards")["app"]) as cluster:
        guest, ann = await cluster.connect(), await cluster.connect(user="ann")

        with pytest.raises(Refused) as forbidden:
            await guest.call("archive", "7")
        with pytest.raises(Refused) as missing:
            await ann.call("archive", "7")

    assert "forbidden" == forbidden.value.code
    assert ("not_found", "There is no card '7'.") == (missing.value.code, missing.value.message)
    # The pipe comes before the interceptor, which therefore never ran.
    assert "before archive" not in capsys.readouterr().out


async def test_a_room_is_for_clients_whose_permissions_say_so(nodes):
    async with nodes(shown('require("join", room)')["Board"]) as cluster:
        permissions = Capabilities.of({"board": ["join"]})
        eve = await cluster.connect(user=User("eve", "Eve", "account", capabilities=permissions))

        assert (await eve.call("watch", "board")) is False
        with pytest.raises(Refused) as refused:
            await eve.call("watch", "cellar")

        assert "forbidden" == refused.value.code


async def test_a_client_leaves_the_rooms_that_its_new_token_forbids(nodes):
    names = shown("async def leave_forbidden", APPLICATION)
    allowed = [{"den": ["join"], "hall": ["join"]}]

    def ann():
        return User("ann", "Ann", "account", capabilities=Capabilities.of(allowed[-1]), expires_at=2**33)

    async def authenticate(_):
        return ann()

    async with nodes(App(names["Board"], authenticate=authenticate), count=2) as cluster:
        renewed, recovered = await cluster.connect(ann()), await cluster.connect()
        for client in (renewed, recovered):
            await put(cluster, client, "den", "hall")
        allowed.append({"hall": ["join"]})
        recovered.cut()

        assert "expiresAt" in await renewed.call("refreshToken", {"token": cluster.token(ann())})
        await recovered.back(node=1)

        assert recovered.recovered
        for number, client in enumerate((renewed, recovered)):
            assert {client.sid, "hall"} == {*cluster.nodes[number].server.rooms(client.sid)}


async def test_a_route_checks_the_token_of_its_caller(nodes):
    async with (
        nodes(shown("http.state.verifier", APPLICATION)["app"]) as cluster,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(cluster.nodes[0].asgi), base_url="http://board.example"
        ) as http,
    ):
        known = await http.get("/me", headers={"Authorization": f"Bearer {cluster.token('ann')}"})
        refused = [
            await http.get("/me", headers=headers) for headers in ({}, {"Authorization": "Bearer forged"})
        ]

    assert {"id": "ann", "name": "ann"} == known.json()
    assert [401, 401] == [answer.status_code for answer in refused]
    assert ["unauthenticated"] * 2 == [answer.json()["error"]["code"] for answer in refused]


async def test_a_login_of_the_applications_own_names_an_account(nodes):
    app = shown("handshake.auth !=", APPLICATION)["app"]
    async with nodes(app, count=2) as cluster:
        with pytest.raises(Refused, match="unauthenticated"):
            await cluster.connect(auth={"password": "guessed"})
        ann = await cluster.connect(auth={"password": "swordfish"})
        await put(cluster, ann, "den")
        ann.cut()
        await ann.back(node=1)

        assert ann.recovered
        assert "den" in cluster.nodes[1].server.rooms(ann.sid)


async def test_an_event_that_is_sent_again_is_delivered_once(nodes):
    async with nodes(shown("class Orders(Gateway)")["Orders"], count=2) as cluster:
        ann, cook = await cluster.connect(user="ann", node=0), await cluster.connect(user="cook", node=1)
        await put(cluster, cook, "kitchen")
        tea, cake = {"id": "1", "item": "tea"}, {"id": "2", "item": "cake"}

        assert ["1", "1", "2"] == [await ann.call("order", order) for order in (tea, tea, cake)]

        assert [tea, cake] == [await cook.next("ordered") for _ in range(2)]


async def test_a_handler_yields_several_answers(nodes):
    async with nodes(shown("class Assistant(Gateway)")["Assistant"], count=2) as cluster:
        ann, bob = await cluster.connect(user="ann", node=0), await cluster.connect(user="bob", node=1)

        assert "done" == await ann.call("ask", "what now")

        assert ["WHAT", "NOW"] == [await ann.next("token") for _ in range(2)]
        await ann.next("answered")
        assert [] == [*bob.untaken]


async def test_the_members_of_a_room_are_left_out(nodes):
    async with nodes(shown("class Hall(Gateway)")["Hall"], count=2) as cluster:
        ann, bob, cy = [
            await cluster.connect(user=name, node=number % 2) for number, name in enumerate("abc")
        ]
        for client in (ann, bob, cy):
            await put(cluster, client, "hall")
        await put(cluster, cy, "muted")

        await ann.call("cheer", "hooray")

        assert "hooray" == await bob.next("cheered")
        assert [] == [*ann.untaken, *cy.untaken]


async def test_positions_reach_the_others_in_the_arena(nodes):
    async with nodes(shown("class Game(Gateway)")["Game"], count=2) as cluster:
        ann, bob = await cluster.connect(user="ann", node=0), await cluster.connect(user="bob", node=1)
        for client in (ann, bob):
            await put(cluster, client, "arena")

        ann.emit("move", {"x": 1.0, "y": 2.5})

        assert {"x": 1.0, "y": 2.5} == await bob.next("position")
        assert [] == [*ann.untaken]


async def test_moves_are_kept_in_the_rooms_history(nodes):
    async with nodes(shown("keeps_history=Keep(entry=card")["Board"], count=2) as cluster:
        ann, bob = await cluster.connect(user="ann", node=0), await cluster.connect(user="bob", node=1)
        cards = [{"id": str(number), "column": "done"} for number in range(3)]
        for card in cards:
            await ann.call("move", card)

        assert cards == await bob.call("moves")
        assert cards[1:] == await bob.call("moves", 2)


async def test_a_client_with_a_new_session_gets_what_it_missed_and_no_repeat(nodes):
    async def read(client, position, shown):
        """Do what the page's three steps say; return the position of the last entry."""
        await client.call("watch")
        page = {"has_more": True}
        while page["has_more"]:
            page = await client.call("moves", *position)
            position = [page["position"]] if page["position"] else []
            shown |= {entry["id"]: entry["card"]["column"] for entry in page["entries"]}
        return position

    async with nodes(shown("keeps_history=Keep(entry=moved")["Board"], count=2) as cluster:
        ann = await cluster.connect(user="ann", node=1)
        bob, seen = await cluster.connect(user="bob", recovery=False), {}
        await ann.call("move", {"id": "1", "column": "0"})
        position = await read(bob, [], seen)
        bob.cut()
        # More than one answer has.
        for number in range(1, 61):
            await ann.call("move", {"id": "1", "column": str(number)})
        await bob.back()
        await bob.call("watch")
        await ann.call("move", {"id": "1", "column": "61"})
        live = await bob.next("moved")
        before = len(seen)
        await read(bob, position, seen)

        assert (False, 1) == (bob.recovered, before)
        # The live event is an entry as well, under one id.
        assert "61" == seen[live["id"]]
        assert [str(number) for number in range(62)] == [*seen.values()]


async def test_presence_lists_users_and_runs_the_hooks(nodes, capsys):
    async with nodes(shown('presence_event="presence"')["Board"], count=2) as cluster:
        ann, bob = await cluster.connect(user="ann", node=0), await cluster.connect(user="bob", node=1)
        await put(cluster, bob, "den")
        await put(cluster, ann, "den")

        (_, joined) = [await bob.next("presence") for _ in range(2)]
        assert {"ann": 1, "bob": 1} == await ann.call("who", "den")
        ann.disconnect()
        left = await bob.next("presence")

    assert ("den", "ann", {"room": "den", "left": joined["joined"]["id"]}) == (
        joined["room"],
        joined["joined"]["user"],
        left,
    )
    assert ["bob is in den", "ann is in den", "ann left den"] == [
        line for line in capsys.readouterr().out.splitlines() if " den" in line
    ][:3]


async def test_members_see_who_types(nodes):
    async with nodes(shown('typing_event="typing"')["Den"], count=2) as cluster:
        ann, bob = await cluster.connect(user="ann", node=0), await cluster.connect(user="bob", node=1)
        for client in (ann, bob):
            await client.call("join", "den")

        ann.emit("typing", "den")

        told = await bob.next("typing")
        assert ("den", "ann") == (told["room"], told["user"])


async def test_mail_reaches_all_sockets_of_a_user(nodes):
    async with nodes(shown("class Mail(Gateway")["Mail"], count=2) as cluster:
        ann = await cluster.connect(user="ann")
        sockets = [await cluster.connect(user="bob", node=number) for number in (0, 1)]

        await ann.call("send", "bob", "hello")

        for socket in sockets:
            assert {"from": "ann", "text": "hello"} == await socket.next("mail")


async def test_a_service_bans_a_user(nodes):
    async with nodes(shown("class Square(Gateway")["Square"], count=2) as cluster:
        ann = await cluster.connect(user="ann", node=1)
        service = await cluster.connect(user=User("shop", "shop", "service"))
        assert "Be kind." == await ann.call("rules")
        await ann.call("say", "hello")
        assert "hello" == await service.next("said")
        with pytest.raises(Refused, match="Only services ban"):
            await ann.call("ban", "shop")

        await service.call("ban", "ann")

        await ann.ended()
        with pytest.raises(Refused, match="forbidden"):
            await cluster.connect(user="ann")


async def test_a_recovered_client_is_not_welcomed_again(nodes):
    programs = documents.programs(ROOT / "docs" / "recovery.md", "python")
    (code,) = [code for code in programs if "on_connection" in code]
    names = {"Gateway": Gateway, "Socket": Socket}
    exec(f"class Welcome(Gateway):\n{textwrap.indent(code, '    ')}", names)
    async with nodes(names["Welcome"]) as cluster:
        ann = await cluster.connect(user="ann")
        assert "Nice to see you" == await ann.next("welcome")

        ann.cut()
        await ann.back()

        assert ann.recovered
        assert [] == [*ann.untaken]


async def test_a_gateway_serves_each_tenant(nodes):
    async with nodes(shown("class Tenant(Gateway", NAMESPACES)["app"], count=2) as cluster:
        await _tenants_are_told(cluster, cluster.nodes[1].server)


async def test_functions_serve_each_tenant(nodes):
    names = shown("import re", NAMESPACES)
    async with nodes(names["app"]) as cluster:
        await _tenants_are_told(cluster, names["server"])
        player = await cluster.connect(namespace="/match-3")

        assert "e4 in match 3" == await player.call("move", "e4")


async def _tenants_are_told(cluster, server):
    """Check what the clients of tenants receive, the last of them from a server that is any node's."""
    ann, eve = [
        await cluster.connect(namespace=f"/tenant-{number}", auth={"from": "test"}) for number in (7, 8)
    ]
    with pytest.raises(Refused, match="invalid_namespace"):
        await cluster.connect(namespace="/tenant-x", auth={"from": "test"})

    assert "told the clients of 7" == await ann.call("publish", "hello")
    assert "hello" == await ann.next("published")
    await server.emit("published", "outside", to="news", namespace="/tenant-8")
    assert "outside" == await eve.next("published")
    assert [] == [*ann.untaken]


async def test_a_tenants_namespace_is_for_clients_whose_permissions_name_it(nodes):
    async with nodes(shown("class Private(Gateway", NAMESPACES)["Private"]) as cluster:
        ann = User("ann", "Ann", "account", capabilities=Capabilities.of({"/tenant-7": ["connect"]}))
        await cluster.connect(user=ann, namespace="/tenant-7")

        with pytest.raises(Refused, match="forbidden"):
            await cluster.connect(user=ann, namespace="/tenant-8")
