"""Functions for the namespaces of a pattern."""

import enum
import re

import pytest

from roomwire import App
from roomwire.errors import ConfigurationError, InvalidNamespace
from roomwire.identity.capabilities import Capabilities
from roomwire.identity.tokens import User
from roomwire.server import Server
from roomwire.server.namespace_functions import NamespaceFunctions
from roomwire.server.patterns import NamespacePattern
from roomwire.testing import Refused


class Plan(enum.Enum):
    FREE = "free"
    PAID = "paid"


def functions(pattern: str | re.Pattern[str] = "/{plan}-{tenant}") -> NamespaceFunctions:
    async def emit(*_: object, **__: object) -> None:
        """Emit nothing."""

    return NamespaceFunctions(NamespacePattern(pattern), emit=emit, requires_connect=False)


def plain(sid, data):
    return sid, data


def first(namespace, sid, data):
    return namespace, sid, data


def last(sid, data, tenant: int):
    return sid, data, tenant


def between(sid, plan: Plan, data, *, tenant):
    return sid, plan, data, tenant


def optional(sid, data="none", tenant: int = 0):
    return sid, data, tenant


def several(sid, tenant, *data):
    return sid, tenant, data


@pytest.mark.parametrize(
    ("handler", "arguments", "result"),
    [
        (plain, ("s", 1), ("s", 1)),
        (first, ("s", 1), ("/paid-7", "s", 1)),
        (last, ("s", 1), ("s", 1, 7)),
        (between, ("s", 1), ("s", Plan.PAID, 1, "7")),
        (optional, ("s",), ("s", "none", 7)),
        (optional, ("s", 1), ("s", 1, 7)),
        (several, ("s", 1, 2), ("s", "7", (1, 2))),
    ],
)
def test_a_function_gets_the_parameters_that_it_names_wherever_they_stand(handler, arguments, result):
    served = functions()
    served.on("x", handler)

    assert result == served.made_for("/paid-7", {"plan": "paid", "tenant": "7"})["x"](*arguments)


def test_a_function_with_too_few_or_too_many_arguments_raises_as_without_a_pattern():
    served = functions()
    served.on("x", last)
    made = served.made_for("/paid-7", {"plan": "paid", "tenant": "7"})["x"]

    for arguments in (("s",), ("s", 1, 2)):
        with pytest.raises(TypeError):
            made(*arguments)


def test_a_value_that_is_none_of_the_type_of_a_function_refuses_the_namespace():
    served = functions()
    served.on("x", between)

    with pytest.raises(InvalidNamespace):
        served.made_for("/gold-7", {"plan": "gold", "tenant": "7"})


async def test_the_functions_of_a_pattern_serve_its_namespaces(nodes):
    server = Server()
    rooms = server.of("/{plan}-{tenant}")

    @rooms.event
    async def connect(sid, environ, auth, tenant: int, namespace):
        await server.enter_room(sid, "all", namespace=namespace)
        return tenant != 13

    @rooms.event
    async def say(sid, text, plan: Plan, tenant: int, namespace):
        await rooms.emit("said", text, to="all", namespace=namespace)
        return f"{plan.name} {tenant}"

    @rooms.on("*")
    def anything(event, sid, data, tenant):
        return f"{event} {data} {tenant}"

    async with nodes(App(server=server)) as cluster:
        ann = await cluster.connect("ann", namespace="/paid-7", auth={"a": 1})
        bob = await cluster.connect("bob", namespace="/free-7", auth={"a": 1})
        for number in ("13", "x"):
            with pytest.raises(Refused):
                await cluster.connect("bob", namespace=f"/free-{number}", auth={"a": 1})

        assert "PAID 7" == await ann.call("say", "hello")
        assert "hello" == await ann.next("said")
        assert "dance 1 7" == await bob.call("dance", 1)
        await rooms.emit("said", "outside", namespace="/free-7", to="all")
        assert "outside" == await bob.next("said")
        assert {"/{plan}-{tenant}": 2} == server.count_dynamic_namespaces()


async def test_a_regular_expression_is_searched_in_the_name_as_in_node(nodes):
    server = Server()
    numbered = server.of(re.compile(r"^/dynamic-(?P<number>\d+)$"))
    anywhere = server.of(re.compile("chat"))
    for served in (numbered, anywhere):
        served.on("which", lambda _sid, namespace: namespace)

    async with nodes(App(server=server)) as cluster:
        for name in ("/dynamic-101", "/my/chat"):
            assert name == await (await cluster.connect("ann", namespace=name)).call("which")
        with pytest.raises(Refused, match="Invalid namespace"):
            await cluster.connect("ann", namespace="/dynamic-x")


async def test_a_pattern_has_precedence_over_the_handlers_of_all_namespaces(nodes):
    server = Server(namespaces="*")
    server.of("/tenant-{tenant}").on("which", lambda _sid, tenant: tenant)
    server.on("which", lambda namespace, _sid: f"all: {namespace}", namespace="*")
    long = "/other-" + "x" * 200

    async with nodes(App(server=server)) as cluster:
        answers = [
            await (await cluster.connect("ann", namespace=name)).call("which")
            for name in ("/tenant-7", "/ä", long)
        ]
        with pytest.raises(Refused, match="invalid_namespace"):
            await cluster.connect("ann", namespace="/tenant-ä")

    assert ["7", "all: /ä", f"all: {long}"] == answers


async def test_a_pattern_may_require_that_capabilities_name_the_namespace(nodes):
    server = Server()
    server.of("/tenant-{tenant}", requires_connect=True).on("ask", lambda _sid: "answer")
    ann = User(id="ann", name="Ann", kind="account", capabilities=Capabilities.of({"/tenant-7": ["connect"]}))

    async with nodes(App(server=server)) as cluster:
        assert "answer" == await (await cluster.connect(ann, namespace="/tenant-7")).call("ask")
        with pytest.raises(Refused) as refused:
            await cluster.connect(ann, namespace="/tenant-8")

    assert "forbidden" == refused.value.code


async def test_only_namespaces_of_the_pattern_are_emitted_to():
    tenants = Server().of("/tenant-{tenant}")

    await tenants.emit("x", namespace="/tenant-7")
    for namespace in ("/tenants", None):
        with pytest.raises(ConfigurationError, match="is no namespace of the pattern"):
            await tenants.emit("x", namespace=namespace)


def test_the_same_pattern_returns_the_same_functions():
    server = Server()

    assert server.of("/tenant-{tenant}") is server.of("/tenant-{tenant}")
    assert server.of(re.compile("chat")) is server.of(re.compile("chat"))
    with pytest.raises(ConfigurationError):
        server.of("/tenant")
