"""The Python clients against our server, as the official client is tested: cut off, moved, forgotten."""

import contextlib

import pytest
from flaky_proxy import Proxy
from python_clients import KINDS, PythonClient
from recovering import nodes_of
from waiting import until

from roomwire.log.config import LogConfig

WAYS = {"websocket": ["websocket"], "polling": ["polling"], "upgrade": ["polling", "websocket"]}

pytestmark = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(params=["memory", "redis"])
async def nodes(request):
    url = "memory://" if request.param == "memory" else request.getfixturevalue("redis_url")
    async with nodes_of(url) as start:
        yield start


@pytest.fixture
async def two_nodes(redis_url):
    async with nodes_of(redis_url) as start:
        yield await start(), await start()


class Line:
    """A client behind a proxy, which can be cut and led to another node."""

    def __init__(self, kind, node, **options):
        self.person = PythonClient(kind, **options)
        self.proxy = Proxy(port_of(node))

    async def cut(self, *, to=None):
        """Lose the connection and wait until the client has noticed; it finds nobody until `lead`."""
        self._target, self.proxy._target_port = to, 1
        self.proxy.cut()
        await until(lambda: not self.person.client.connected)

    def lead(self, node):
        self.proxy._target_port = port_of(node)


def port_of(node):
    return int(node.address.rpartition(":")[2])


@contextlib.asynccontextmanager
async def line_to(node, kind, *, connect=None, **options):
    line = Line(kind, node, **options)
    async with line.proxy:
        await line.person.connect(line.proxy.port, **(connect or {}))
        try:
            yield line
        finally:
            await line.person.close()


@pytest.mark.parametrize("way", WAYS)
async def test_a_client_that_was_cut_off_gets_what_it_missed_once_and_in_order_on_another_node(
    two_nodes, kind, way
):
    one, two = two_nodes
    async with line_to(one, kind, connect={"transports": WAYS[way]}) as line:
        person = line.person
        sid = person.client.get_sid()
        assert ("/", sid, False) == person.connects[0]
        await one.server.enter_room(sid, "red")
        await one.server.emit("n", 0, to="red")
        await person.has(("n", 0))

        await line.cut()
        for number in range(1, 200):
            await (one, two)[number % 2].server.emit("n", number, to=(sid, "red", None)[number % 3])
        line.lead(two)
        await person.again(2)
        await two.server.emit("n", 200, to="red")

        await person.has(*(("n", number) for number in range(201)))
        assert person.client.recovered
        assert ("/", sid, True) == person.connects[1]
        assert (sid, True) == two.connects[-1][:2]


async def test_a_client_that_got_nothing_yet_is_recovered(nodes, kind):
    node = await nodes()
    async with line_to(node, kind) as line:
        await line.cut()
        await node.server.emit("n", 1)
        line.lead(node)
        await line.person.has(("n", 1))
        assert line.person.client.recovered


async def test_a_second_drop_brings_nothing_again(nodes, kind):
    node = await nodes()
    async with line_to(node, kind) as line:
        for number in range(0, 6, 2):
            await node.server.emit("n", number)
            await line.person.has(*(("n", one) for one in range(number + 1)))
            await line.cut()
            await node.server.emit("n", number + 1)
            line.lead(node)
            await line.person.has(*(("n", one) for one in range(number + 2)))
            assert line.person.client.recovered


async def test_handlers_get_exactly_the_arguments_that_were_sent(nodes, kind):
    node = await nodes()
    async with line_to(node, kind) as line:
        client, asked = line.person.client, []
        client.on("asked", lambda *arguments: asked.append(arguments) or "answer")
        sent = ((), ("text",), ("text", "1.2"), (b"\0\xff",), ("a", {"b": b"\1"}, b"\2"), (None,), ("",))

        async def send():
            for arguments in sent:
                await node.server.emit("n", arguments)

        await send()
        await line.person.has(*(("n", *arguments) for arguments in sent))
        for arguments in ((), ("text",), (b"\0", "text")):
            assert "answer" == await node.server.call("asked", arguments, to=client.get_sid())
        assert [(), ("text",), (b"\0", "text")] == asked
        await line.cut()
        await send()
        line.lead(node)
        await line.person.has(*(("n", *arguments) for arguments in sent * 2))


async def test_each_namespace_is_recovered_for_itself(two_nodes, kind):
    one, two = two_nodes
    async with line_to(one, kind, namespaces=("/", "/den")) as line:
        person = line.person
        sids = {name: person.client.get_sid(name) for name in ("/", "/den")}
        await one.server.emit("n", 1, namespace="/den")
        await person.has(("/den", "n", 1))
        await line.cut()
        await one.server.emit("n", 2)
        await one.server.emit("n", 3, namespace="/den")
        line.lead(two)
        await person.again(4)
        assert {(name, sid, True) for name, sid in sids.items()} == set(person.connects[2:])
        assert person.client.recovered
        await until(lambda: len(person.got) == 3)
        assert {("n", 2), ("/den", "n", 3)} == set(person.got[1:])


@pytest.mark.parametrize("form", ["nothing", "dict", "function", "coroutine function"])
async def test_the_application_gets_its_own_auth_at_each_connection(nodes, kind, form):
    node = await nodes()
    asked = []

    def auth():
        asked.append(len(asked))
        return {"token": "t", "turn": len(asked)}

    async def later():
        return auth()

    given = {"nothing": None, "dict": {"turn": 0}, "function": auth}.get(
        form, later if kind == "async" else auth
    )
    async with line_to(node, kind, connect={"auth": given}) as line:
        await line.cut()
        line.lead(node)
        await line.person.again(2)
        assert line.person.client.recovered
    seen = [auth or {} for _, _, auth in node.connects]
    if callable(given):
        assert [{"token": "t", "turn": 1}, {"token": "t", "turn": 2}] == seen
    else:
        assert [given or {}] * 2 == seen


async def test_a_client_that_says_no_is_not_offered_recovery(nodes, kind):
    node = await nodes()
    async with line_to(node, kind, connect={"auth": {"recovery": False}}) as line:
        await node.server.emit("n", "text")
        await line.person.has(("n", "text"))
        await line.cut()
        line.lead(node)
        await line.person.again(2)
        assert not line.person.client.recovered


async def test_a_client_that_leaves_on_purpose_begins_anew(nodes, kind):
    node = await nodes()
    async with line_to(node, kind) as line:
        person = line.person
        await node.server.emit("n", 1)
        await person.has(("n", 1))
        await person.do("disconnect")
        await node.server.emit("n", 2)
        await person.connect(line.proxy.port)
        await node.server.emit("n", 3)
        await person.has(("n", 1), ("n", 3))
        (_, before, _), (_, after, recovered) = person.connects
        assert (False, False) == (recovered, person.client.recovered)
        assert before != after
        # The new session is one like any other.
        await line.cut()
        await node.server.emit("n", 4)
        line.lead(node)
        await person.has(("n", 1), ("n", 3), ("n", 4))
        assert person.client.recovered


async def test_a_client_that_the_server_disconnects_stays_away_and_begins_anew(nodes, kind):
    node = await nodes()
    async with line_to(node, kind) as line:
        person = line.person
        await node.server.emit("n", 1)
        await person.has(("n", 1))
        await node.server.disconnect(person.client.get_sid())
        await until(lambda: person.disconnects)
        await until(lambda: person.client.eio.state == "disconnected")
        assert not person.client.recovered
        await person.connect(line.proxy.port)
        assert [False, False] == [recovered for _, _, recovered in person.connects]


async def test_a_client_without_reconnection_is_recovered_when_it_is_connected_again(nodes, kind):
    node = await nodes()
    async with line_to(node, kind, reconnection=False) as line:
        await line.cut()
        await node.server.emit("n", 1)
        line.lead(node)
        await until(lambda: line.person.client.eio.state == "disconnected")
        await line.person.connect(line.proxy.port)
        assert line.person.client.recovered
        await line.person.has(("n", 1))


async def test_a_client_is_told_when_the_log_has_forgotten_what_it_missed(nodes, kind):
    node = await nodes(config=LogConfig(max_stream_entries=10))
    async with line_to(node, kind) as line:
        person = line.person
        await node.server.emit("n", 0)
        await person.has(("n", 0))
        await line.cut()
        for number in range(1, 500):
            await node.server.emit("n", number)
        line.lead(node)
        await person.again(2)
        (_, before, _), (_, after, recovered) = person.connects
        assert (False, False) == (recovered, person.client.recovered)
        assert before != after
        assert [("n", 0)] == person.got
        # The old session's offset is not sent with the new session's secret.
        await line.cut()
        await node.server.emit("n", 500)
        line.lead(node)
        await person.has(("n", 0), ("n", 500))
        assert person.client.recovered


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_an_event_whose_handler_failed_is_replayed(nodes, kind):
    node = await nodes()
    async with line_to(node, kind) as line:
        person, tried = line.person, []

        def handle(number):
            tried.append(number)
            if tried == [1, 2]:
                raise RuntimeError("on purpose")

        person.client.on("n", handle)
        await node.server.emit("n", 1)
        await node.server.emit("n", 2)
        await until(lambda: tried == [1, 2])
        await line.cut()
        line.lead(node)
        await until(lambda: len(tried) == 3)
        assert person.client.recovered
        assert [1, 2, 2] == tried
