"""Namespaces of patterns: they come with their first client and go with their last."""

import asyncio
import contextlib
import enum
import re
from collections.abc import AsyncIterator
from typing import Annotated

import pytest
from recovering import Browser, nodes_of
from waiting import until

from roomwire import App, Call, Gateway, Keep, Pipe, Reply, Socket, User, subscribe
from roomwire.errors import ApplicationError, ConfigurationError, Unavailable
from roomwire.identity.capabilities import Capabilities
from roomwire.limits.accounts import Account
from roomwire.limits.client import Limits
from roomwire.log.emitter import AsyncEmitter
from roomwire.recovery.sessions import Sessions
from roomwire.server import Server
from roomwire.server.dynamic import NAMESPACE_BYTES
from roomwire.testing import Disconnected, Refused


class Tenancy(enum.Enum):
    FREE = "free"
    PAID = "paid"


class Greeting:
    def __init__(self, text: str) -> None:
        self.text = text


def allowed(call: Call) -> bool:
    return call.socket.parameters.get("tenant") != "13"


def doubled(tenant: int) -> int:
    return tenant * 2


class Tenant(Gateway, namespace="/tenant-{tenant}", user_rooms=True, presence_event="presence"):
    """A gateway of many namespaces, with a hook and a handler of each kind; what happened is kept."""

    guards = (allowed,)

    def __init__(self, namespace=None):
        super().__init__(namespace)
        self.happened = []
        self.number = 0

    async def after_init(self) -> None:
        self.happened.append(("init", self.namespace))

    async def on_connection(self, socket: Socket, tenant: int) -> None:
        self.happened.append(("came", tenant, self.namespace, dict(socket.parameters)))
        await socket.join("all")

    async def on_disconnection(self, tenant: int, reason: str) -> None:
        self.happened.append(("went", tenant, reason))

    async def on_join(self, room: str, tenant: str) -> None:
        self.happened.append(("joined", room, tenant))

    async def on_leave(self, room: str, tenant: str) -> None:
        self.happened.append(("left", room, tenant))

    @subscribe("say")
    async def say(self, text: str, tenant: str) -> str:
        await self.emit("said", (text, tenant), to="all", keeps_history=Keep(room="all"))
        return f"{tenant}: {text}"

    @subscribe("number")
    def numbered(self, tenant: int, by: int = 1) -> int:
        self.number += by
        return tenant + self.number

    @subscribe("doubled")
    async def twice(self, tenant: Annotated[int, Pipe(doubled)]) -> int:
        return tenant

    @subscribe("counted")
    async def counted(self, tenant: int, count: int) -> AsyncIterator[int]:
        for number in range(count):
            yield tenant + number

    @subscribe("reply")
    async def reply(self, tenant: str) -> Reply:
        return Reply("replied", tenant)

    @subscribe("history")
    async def past(self) -> int:
        return len((await self.history("all")).entries)


def alive(node) -> list[str]:
    """Return the namespaces for which a node has handlers or members."""
    server = node.get(Server)
    kept = {*server.handlers, *server.namespace_handlers, *server.manager.rooms}
    return sorted(name for name in kept if name.startswith("/tenant"))


def account(name: str, **grants: list[str]) -> User:
    """Return an account with some capabilities."""
    return User(id=name, name=name, kind="account", capabilities=Capabilities.of(grants))


def kept_by_the_log(server: Server) -> list[str]:
    """Return the streams to which the log is subscribed for a server."""
    return sorted(server.log._subscriber._subscriptions)


async def code_of(connecting) -> str:
    with pytest.raises(Refused) as refused:
        await connecting
    return refused.value.code


async def test_a_gateway_serves_all_namespaces_of_its_pattern_with_their_parameters(nodes):
    async with nodes(gateway := Tenant()) as cluster:
        ann = await cluster.connect("ann", namespace="/tenant-7")
        bob = await cluster.connect("bob", namespace="/tenant-8")

        assert "7: hello" == await ann.call("say", "hello")
        assert ("hello", "7") == await ann.next("said")
        assert 14 == await ann.call("doubled")
        ann.emit("counted", 2)
        assert [7, 8] == [await ann.next("counted"), await ann.next("counted")]
        ann.emit("reply")
        assert "7" == await ann.next("replied")
        assert (1, 0) == (await ann.call("history"), await bob.call("history"))
        assert ["/tenant-7", "/tenant-8"] == alive(cluster.nodes[0])
        assert [
            ("init", "/tenant-{tenant}"),
            ("came", 7, "/tenant-7", {"tenant": "7"}),
            ("joined", "all", "7"),
            ("came", 8, "/tenant-8", {"tenant": "8"}),
            ("joined", "all", "8"),
        ] == gateway.happened


async def test_what_a_handler_assigns_belongs_to_the_namespace_and_goes_with_it(nodes):
    async with nodes(gateway := Tenant()) as cluster:
        ann = await cluster.connect("ann", namespace="/tenant-7")
        bob = await cluster.connect("bob", namespace="/tenant-8")
        assert [8, 9, 9] == [await one.call("number") for one in (ann, ann, bob)]
        ann.close()
        await cluster.settle()
        assert ["/tenant-8"] == alive(cluster.nodes[0])

        again = await cluster.connect("ann", namespace="/tenant-7")
        assert 8 == await again.call("number")
        assert 0 == gateway.number


async def test_a_namespace_without_members_costs_nothing(nodes):
    async with nodes(gateway := Tenant()) as cluster:
        [node] = cluster.nodes
        server = node.get(Server)
        before = kept_by_the_log(server)
        for number in range(50, 100):
            client = await cluster.connect(f"user {number % 3}", namespace=f"/tenant-{number}")
            await client.call("say", "hello")
            (client.close if number % 2 else client.disconnect)()
        await cluster.settle()

        assert [] == alive(node)
        assert {"/tenant-{tenant}": 0} == server.count_dynamic_namespaces()
        assert before == kept_by_the_log(server)
        assert 50 == len([each for each in gateway.happened if each[0] == "went"])


async def test_a_refused_client_leaves_no_namespace_behind(nodes):
    async with nodes(Tenant()) as cluster:
        assert "forbidden" == await code_of(cluster.connect("ann", namespace="/tenant-13"))
        assert [] == alive(cluster.nodes[0])


async def test_events_that_wait_behind_the_last_client_are_handled_before_the_namespace_goes(nodes):
    server, handled = Server(async_handlers=False), []
    tenants = server.of("/tenant-{tenant}")
    go_on = asyncio.Event()

    @tenants.event
    async def say(_sid, text, tenant):
        await go_on.wait()
        handled.append((tenant, text))

    async with nodes(App(server=server)) as cluster:
        ann = await cluster.connect("ann", namespace="/tenant-7")
        for number in range(3):
            ann.emit("say", number)
        await cluster.settle()
        ann.disconnect()
        await cluster.settle()
        go_on.set()
        await cluster.settle()

        assert [("7", 0), ("7", 1), ("7", 2)] == handled
        assert [] == alive(cluster.nodes[0])


async def test_a_client_whose_session_cannot_be_opened_leaves_no_namespace_behind(nodes, monkeypatch):
    async def unavailable(*_: object) -> None:
        raise Unavailable

    async with nodes(Tenant()) as cluster:
        monkeypatch.setattr(Sessions, "begin", unavailable)
        with pytest.raises(Disconnected):
            await cluster.connect("ann", namespace="/tenant-7")
        await cluster.settle()

        assert [] == alive(cluster.nodes[0])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("/tenant-x", "There is no namespace of this name: tenant: Expected `int`, got `str`."),
        ("/tenant--0", "There is no namespace of this name: tenant: This is another way to write a value."),
        ("/tenant-" + "7" * 121, "There is no namespace of this name: it may have at most 128 characters."),
        (
            "/tenant-7%20",
            "There is no namespace of this name: it may have letters, digits and the characters - . _ ~ between slashes, all of ASCII.",
        ),
    ],
)
async def test_a_name_whose_value_does_not_fit_is_refused_with_a_code(nodes, name, message):
    async with nodes(Tenant()) as cluster:
        with pytest.raises(Refused) as refused:
            await cluster.connect("ann", namespace=name)

        assert ("invalid_namespace", message) == (refused.value.code, refused.value.message)
        assert [] == alive(cluster.nodes[0])


async def test_names_have_precedence_over_patterns_and_the_first_of_two_patterns_serves_a_name(nodes):
    class Named(Gateway):
        def __init__(self, namespace):
            super().__init__(namespace)
            self.name = namespace

        @subscribe("which")
        def which(self) -> str:
            return self.name

    served = [Named("/a-{x}-{y}"), Named("/a-{x}"), Named("/a-1")]
    async with nodes(*served) as cluster:
        answers = [
            await (await cluster.connect("ann", namespace=name)).call("which")
            for name in ("/a-1", "/a-2", "/a-2-3")
        ]

    assert ["/a-1", "/a-{x}", "/a-{x}-{y}"] == answers


def test_two_patterns_of_the_same_names_are_an_error():
    server = Server()
    server.register_namespace(Tenant())

    with pytest.raises(
        ConfigurationError, match=re.escape("'/tenant-{id}' are served as '/tenant-{tenant}'")
    ):
        server.register_namespace(Tenant("/tenant-{id}"))
    with pytest.raises(ConfigurationError, match="are served as"):
        server.of("/tenant-{tenant}")


async def test_the_gateway_of_a_pattern_emits_only_where_it_is_told_to(nodes):
    async with nodes(gateway := Tenant()) as cluster:
        ann = await cluster.connect("ann", namespace="/tenant-7")
        await gateway.emit("news", 1, namespace="/tenant-7", to="all")

        assert 1 == await ann.next("news")
        for asked in (
            lambda: gateway.emit("news", 2),
            lambda: gateway.presence("all"),
            lambda: gateway.history("all"),
        ):
            with pytest.raises(ConfigurationError, match="say which one"):
                await asked()


class Private(Tenant, namespace="/tenant-{tenant}", requires_connect=True, renewal_event="renew"):
    """Its namespaces are for users whose capabilities name them."""


async def test_capabilities_name_the_namespaces_that_a_user_may_connect_to(nodes):
    of_7 = account("ann", **{"/tenant-7": ["connect"], "*": ["join"]})
    async with nodes(Private()) as cluster:
        client = await cluster.connect(of_7, namespace="/tenant-7")
        refusals = [
            await code_of(cluster.connect(user, namespace=namespace))
            for user, namespace in ((of_7, "/tenant-8"), ("bob", "/tenant-7"), (None, "/tenant-7"))
        ]
        of_all = account("root", **{"/tenant-*": ["connect"]})
        await cluster.connect(of_all, namespace="/tenant-8")

        assert ["forbidden"] * 3 == refusals
        with pytest.raises(Refused) as refused:
            await client.call("renew", {"token": cluster.token(account("ann", **{"*": ["join"]}))})
        assert "forbidden" == refused.value.code
        assert "expiresAt" in await client.call("renew", {"token": cluster.token(of_7)})


class Moderated(Gateway, namespace="/tenant-{tenant}", moderated=True, max_connections_per_user=2):
    @subscribe("ban")
    async def banned(self, user: str) -> None:
        await self.ban(user, for_s=60)


async def test_a_ban_in_one_namespace_of_a_pattern_holds_in_all_of_them_on_all_nodes(nodes):
    async with nodes(Moderated, count=2) as cluster:
        ann = await cluster.connect("ann", namespace="/tenant-7")
        bobs = [await cluster.connect("bob", namespace=f"/tenant-{number}", node=1) for number in (7, 8)]
        assert "rate_limited" == await code_of(cluster.connect("bob", namespace="/tenant-9"))
        await ann.call("ban", "bob")

        for bob in bobs:
            await bob.ended()
        assert "forbidden" == await code_of(cluster.connect("bob", namespace="/tenant-9"))


class Greeted(Gateway, namespace="/tenant-{tenant}"):
    """A gateway whose guards are the application's, and whose values the application provides."""

    @subscribe("ask")
    async def ask(self, tenant: Tenancy, greeting: Greeting) -> str:
        return f"{greeting.text} {tenant.value}"


async def test_an_applications_guards_and_values_reach_the_namespaces_of_a_pattern(nodes):
    @contextlib.asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[None]:
        app.provide(Greeting, Greeting("hello"))
        yield

    async with nodes(App(Greeted, lifespan=lifespan, guards=[allowed])) as cluster:
        assert "hello free" == await (await cluster.connect("ann", namespace="/tenant-free")).call("ask")
        assert "invalid_namespace" == await code_of(cluster.connect("ann", namespace="/tenant-13"))


def test_an_application_whose_guards_cannot_run_around_the_functions_of_a_pattern_is_refused():
    server = Server()
    server.of("/tenant-{tenant}")

    with pytest.raises(ApplicationError, match=re.escape("'/tenant-{tenant}' by functions")):
        App(server=server, guards=[allowed])


async def test_a_gateway_of_one_namespace_may_require_the_capability_as_well(nodes):
    class Board(Gateway, namespace="/board", requires_connect=True):
        """A board."""

    async with nodes(Board) as cluster:
        await cluster.connect(account("ann", **{"/board": ["connect"]}), namespace="/board")
        assert "forbidden" == await code_of(cluster.connect("bob", namespace="/board"))


async def test_a_process_has_no_more_namespaces_than_its_bound_and_guests_open_half_of_them(nodes):
    async with nodes(Tenant(), limits=Limits(max_dynamic_namespaces=4)) as cluster:
        guests = [await cluster.connect(namespace=f"/tenant-{number}") for number in range(2)]
        assert "rate_limited" == await code_of(cluster.connect(namespace="/tenant-2"))
        await cluster.connect(namespace="/tenant-1")
        users = [await cluster.connect("ann", namespace=f"/tenant-{number}") for number in (2, 3)]
        assert "rate_limited" == await code_of(cluster.connect("bob", namespace="/tenant-4"))
        assert 4 == len(alive(cluster.nodes[0]))

        users[0].close()
        guests[0].close()
        await cluster.settle()
        await cluster.connect("bob", namespace="/tenant-4")
        await cluster.connect(namespace="/tenant-5")
        assert "rate_limited" == await code_of(cluster.connect(namespace="/tenant-6"))


async def test_the_memory_of_a_namespace_is_charged_to_the_connection_that_opened_it(nodes, monkeypatch):
    charged, hold = [], Account.hold

    def noted(account: Account, size: int) -> None:
        if abs(size) == NAMESPACE_BYTES:
            charged.append((account.sid, size))
        hold(account, size)

    monkeypatch.setattr(Account, "hold", noted)
    async with nodes(Tenant()) as cluster:
        clients = [await cluster.connect("ann", namespace="/tenant-7") for _ in range(2)]
        [first, _] = cluster.nodes[0].server.eio.sockets
        for client in clients:
            assert [(first, NAMESPACE_BYTES)] == charged
            client.disconnect()
            await cluster.settle()

    assert [(first, NAMESPACE_BYTES), (first, -NAMESPACE_BYTES)] == charged


async def test_an_account_is_in_no_more_namespaces_than_its_bound(nodes):
    async with nodes(Tenant(), limits=Limits(max_dynamic_namespaces_per_user=2)) as cluster:
        clients = [await cluster.connect("ann", namespace=f"/tenant-{number}") for number in (1, 2, 2)]
        await cluster.connect("bob", namespace="/tenant-3")
        assert "rate_limited" == await code_of(cluster.connect("ann", namespace="/tenant-3"))

        clients[2].close()
        await cluster.settle()
        assert "rate_limited" == await code_of(cluster.connect("ann", namespace="/tenant-3"))
        clients[1].close()
        await cluster.settle()
        await cluster.connect("ann", namespace="/tenant-3")


async def test_a_client_recovers_on_a_node_that_has_never_seen_the_namespace(nodes):
    async with nodes(Tenant, count=2) as cluster:
        ann = await cluster.connect("ann", namespace="/tenant-7")
        bob = await cluster.connect("bob", namespace="/tenant-7")
        assert [] == alive(cluster.nodes[1])
        ann.cut()
        await bob.call("say", "missed")

        await ann.back(node=1)
        assert ann.recovered
        assert ("missed", "7") == await ann.next("said")
        assert ["/tenant-7"] == alive(cluster.nodes[1])
        assert "7: here" == await ann.call("say", "here")


async def test_the_last_client_that_only_lost_its_connection_takes_the_namespace_along_and_brings_it_back(
    nodes,
):
    async with nodes(Tenant()) as cluster:
        ann = await cluster.connect("ann", namespace="/tenant-7")
        ann.cut()
        await cluster.advance(60)
        assert [] == alive(cluster.nodes[0])
        await cluster.nodes[0].get(Server).emit("said", 1, namespace="/tenant-7", to="all")

        await ann.back()
        assert ann.recovered
        assert 1 == await ann.next("said")


async def test_a_second_connect_of_a_connection_and_a_stop_leave_nothing(nodes):
    async with nodes(Tenant, count=2) as cluster:
        await cluster.connect("ann", namespace="/tenant-7")
        await cluster.connect("ann", namespace="/tenant-7", node=1)
        server = cluster.nodes[0].get(Server)
        await cluster.stop(0)

        assert {"/tenant-{tenant}": 0} == server.count_dynamic_namespaces()
        assert ["/tenant-7"] == alive(cluster.nodes[1])


async def test_over_redis_a_client_recovers_where_nobody_has_seen_its_namespace_and_hears_an_emitter(
    redis_url,
):
    async def served(start):
        node = await start()
        tenants = node.server.of("/tenant-{tenant}")

        @tenants.event
        async def connect(sid, _environ, _auth, namespace, tenant: int):
            node.connects.append(tenant)
            await node.server.enter_room(sid, "all", namespace=namespace)

        return node

    async with nodes_of(redis_url) as start:
        here, there = [await served(start) for _ in range(2)]
        ann, bob = Browser(), Browser()
        await ann.connect(here, namespace="/tenant-7")
        await bob.connect(here, namespace="/tenant-8")
        async with AsyncEmitter(redis_url) as emitter:
            await emitter.emit("said", 1, to="all", namespace="/tenant-7")
            assert ["said", 1] == (await ann.event())[:2]
            ann.cut()
            await emitter.emit("said", 2, to="all", namespace="/tenant-7")
        await ann.connect(there, namespace="/tenant-7")

        assert ann.recovered
        assert ["said", 2] == (await ann.event())[:2]
        assert ([7, 8], [7]) == (here.connects, there.connects)
        assert ["/tenant-7"] == sorted(there.server.dynamic_namespaces())
        await until(lambda: ["/tenant-8"] == sorted(here.server.dynamic_namespaces()))
