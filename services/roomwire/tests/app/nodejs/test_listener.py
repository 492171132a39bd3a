"""What Node's emitters say is heard by the clients of two gateways, of which one listens."""

import contextlib
from pathlib import Path

import pytest
import redis.asyncio
from emitters_of_node import LEASE, STATE, Emitters, listener, opts
from recovering import Browser, nodes_of
from redis_homes import ClusterHome, SentinelHome, eventually, running
from waiting import until

from roomwire.app.nodejs.lease import Place

VALKEY = pytest.mark.parametrize("redis_binary", ["valkey"], indirect=True)


class World:
    """Two gateways that listen, a client of each, and the emitters."""

    def __init__(self, nodes, listeners, clients, emitters):
        self.nodes = nodes
        self.listeners = listeners
        self.ann, self.bob = self.clients = clients
        self.emitters = emitters
        self.redis = emitters.redis

    def metric(self, name, **labels):
        return sum(node.metric(f"nodejs_{name}", **labels) for node in self.nodes)

    def owner(self):
        """Return the number of the gateway that listens, or None."""
        listening = [number for number, node in enumerate(self.nodes) if node.metric("nodejs_listening")]
        assert len(listening) <= 1
        return listening[0] if listening else None

    async def is_listened_to(self):
        """Tell whether a gateway has the lease, and reads both ways from a known place."""
        patterns = await self.redis.pubsub_numpat()
        return self.owner() is not None and patterns == 2 and await self.redis.hexists(STATE, "position")

    async def heard(self, *clients, until_event="end"):
        """Return what each client gets until the last event."""
        heard = []
        for client in clients or self.clients:
            of_client = []
            while (event := await client.event()) != [until_event]:
                of_client.append(event)
            heard.append(of_client)
        return heard


@contextlib.asynccontextmanager
async def world_at(url, **options):
    async with nodes_of(url) as start, contextlib.AsyncExitStack() as stack:
        nodes = [await start(), await start()]
        emitters = Emitters(options.pop("direct_url", url))
        stack.push_async_callback(emitters.close)
        listeners = [listener(node, url, **options) for node in nodes]
        for one in listeners:
            stack.push_async_callback(one.close)
        clients = [Browser(), Browser()]
        for client, node, room in zip(clients, nodes, ("a", "b"), strict=True):
            await client.connect(node)
            await client.ask("join", "both")
            await client.ask("join", room)
        world = World(nodes, listeners, clients, emitters)
        for one in listeners:
            one.start()
        await until(world.is_listened_to)
        yield world


@pytest.fixture
async def world(redis_url):
    async with world_at(redis_url) as world:
        yield world


async def say_everything(say, world):
    """Emit to everyone, to rooms, to one client, and to rooms without others."""
    await say("all", 1)
    await say("one", b"\0\xff" if say == world.emitters.publish else "text", to=["a"])
    await say("two", {"deep": [1.5, None]}, to=["a", "b"])
    await say("client", to=[world.bob.sid])
    await say("but", to=["both"], but=["a"])
    await say("rest", but=[world.ann.sid])
    await say("elsewhere", namespace="/den")
    await say("flags", compress=False, local=True)
    await say("nobody", to=["x"])
    await say("empty", to=[""])
    await say("end")


def expected(binary):
    return [
        [["all", 1], ["one", binary], ["two", {"deep": [1.5, None]}], ["flags"]],
        [["all", 1], ["two", {"deep": [1.5, None]}], ["client"], ["but"], ["rest"], ["flags"]],
    ]


async def test_what_is_published_is_heard_once_and_in_order_by_those_it_is_for(world):
    den = Browser()
    await den.connect(world.nodes[0], namespace="/den")
    await say_everything(world.emitters.publish, world)

    assert expected(b"\0\xff") == await world.heard()
    assert ["elsewhere"] == await den.event()
    await until(lambda: world.metric("messages_total", kind="broadcast") == 11)


async def test_what_is_appended_is_heard_once_and_in_order_by_those_it_is_for(world):
    await say_everything(world.emitters.append, world)

    assert expected("text") == await world.heard()
    await until(lambda: world.metric("messages_total", kind="broadcast") == 11)
    await until(lambda: world.metric("lag_entries") == 0)
    last = (await world.redis.xinfo_stream("socket.io"))["last-generated-id"]
    assert {b"position": last, b"count": b"11"} == await world.redis.hgetall(STATE)


async def test_a_volatile_event_is_not_in_the_log(world):
    for say in (world.emitters.publish, world.emitters.append):
        await say("gone", to=["a"], volatile=True)
        assert ["gone"] == await world.ann.event()
        await say("end")
        assert [[], []] == await world.heard()
    await until(lambda: world.metric("messages_total", kind="volatile") == 2)
    assert not await world.redis.exists("rw:{0}:room:r:/:a")


async def test_clients_are_joined_parted_and_disconnected(world):
    emitters, requests = world.emitters, (2, 3, 4)
    for kinds, say, ask in (
        (requests, emitters.publish, emitters.request),
        ((4, 5, 6), emitters.append, None),
    ):

        async def change(kind, *, to=(), but=(), ask=ask, **more):
            if ask is not None:
                await ask(kind, to=to, but=but, **more)
            else:
                await emitters.entry(kind, {"opts": opts(to=to, but=but), **more})

        join, leave, disconnect = kinds
        await change(join, to=["a"], rooms=["new", "other"])
        await change(join, to=["both"], but=["a"], rooms=["rest"])
        await say("n", to=["new"])
        await say("o", to=["other"])
        await say("r", to=["rest"])
        await change(leave, rooms=["new", "other", "rest"])
        await say("n", to=["new"])
        await say("r", to=["rest"])
        await say("end")
        assert [[["n"], ["o"]], [["r"]]] == await world.heard()

        await change(disconnect, to=["b"], close=True)
        assert "41" == await world.bob.take()
        await world.bob.connect(world.nodes[1])
        for room in ("both", "b"):
            await world.bob.ask("join", room)
    kinds = ("join", "leave", "disconnect")
    await until(lambda: [4, 2, 2] == [world.metric("messages_total", kind=one) for one in kinds])
    assert 0 == world.metric("lost_total", reason="unperformed")


async def test_an_event_for_servers_reaches_the_handlers_of_all_gateways(world):
    got = []
    for number, node in enumerate(world.nodes):
        node.server.on_server_side("hello", lambda *args, number=number: got.append((number, *args)))
    await world.redis.publish("socket.io-request#/#", b'{"uid":"emitter","type":6,"data":["hello",1]}')
    await until(lambda: len(got) == 2)
    await world.emitters.entry(9, {"packet": ["hello", {"two": 2}]})
    await until(lambda: len(got) == 4)

    assert [(0, 1), (1, 1)] == sorted(got[:2])
    assert [(0, {"two": 2}), (1, {"two": 2})] == sorted(got[2:], key=lambda one: one[0])
    await until(lambda: world.metric("messages_total", kind="server_side") == 2)


BAD = {
    "undecodable": (b"\xc1", {"nsp": "/", "type": "3", "data": "{"}),
    "malformed": (b"\x01", {"other": "fields"}),
    "unsupported": (b'["e",{"type":0,"data":["x"]},{}]', {"nsp": "/", "type": "99"}),
    "too_large": (b"[" + b" " * 1_000_000, {"nsp": "/", "type": "3", "data": "x" * 1_000_000}),
    "namespace": (
        b'["e",{"type":2,"data":["x"],"nsp":"/"},{}]',
        {"nsp": "/no", "type": "9", "data": '{"packet":["x"]}'},
    ),
    # It is a message, but nothing that a client can be sent.
    "failed": (
        b'["e",{"type":2,"data":["x",' + b"[" * 501 + b"]" * 501 + b"]},{}]",
        {
            "nsp": "/",
            "type": "3",
            "data": '{"packet":{"type":2,"data":["x",' + "[" * 501 + "]" * 501 + ']},"opts":{}}',
        },
    ),
}


async def test_what_cannot_be_performed_is_counted_logged_once_and_in_nobodys_way(world, log_events):
    for reason, (published, _) in BAD.items():
        for _again in range(2):
            await world.emitters.publish("good", reason, to=["a"])
            if reason == "namespace":
                await world.redis.publish("socket.io#/no#", published.replace(b'"/"', b'"/no"'))
            else:
                await world.redis.publish("socket.io#/#", published)
    await world.emitters.publish("end")
    heard = await world.heard()
    for reason, (_, fields) in BAD.items():
        for _ in range(2):
            await world.emitters.append("good", reason, to=["a"])
            await world.redis.xadd("socket.io", fields)
    await world.emitters.append("end")

    good = [["good", reason] for reason in BAD for _ in range(2)]
    assert [good, []] == heard
    assert [good, []] == await world.heard()
    for reason in BAD:
        assert 4 == world.metric("refused_total", reason=reason), reason
        logged = [one for one in log_events if one.get("reason") == reason]
        assert 1 == len(logged), reason


async def test_the_next_owner_goes_on_where_the_last_one_ended(world):
    first = world.owner()
    for number in range(150):
        await world.emitters.append("n", number)
    await world.listeners[first].close()
    for number in range(150, 300):
        await world.emitters.append("n", number)
    await until(lambda: world.owner() == 1 - first)
    await world.emitters.append("end")

    assert [[["n", number] for number in range(300)]] * 2 == await world.heard()
    assert 0 == world.metric("lost_total", reason="trimmed")


async def test_what_an_owner_published_before_it_died_is_not_published_again(world):
    before = await world.redis.hgetall(STATE)
    for number in range(5):
        await world.emitters.append("n", number)
    await world.emitters.append("end")
    assert [[["n", number] for number in range(5)]] * 2 == await world.heard()
    first = world.owner()
    await world.listeners[first].close()
    # It died before it stored the position.
    await world.redis.hset(STATE, mapping=before)
    await until(lambda: world.owner() == 1 - first)
    await world.emitters.append("after")
    await world.emitters.append("end", to=["both"])

    assert [[["after"]]] * 2 == await world.heard()


async def test_an_owner_that_lost_the_lease_stores_nothing_and_stops(world):
    await world.redis.set(LEASE, "another")
    await until(lambda: world.owner() is None)
    before = await world.redis.hgetall(STATE)
    await world.emitters.append("n")
    await world.redis.delete(LEASE)
    await until(lambda: world.owner() is not None)
    await world.emitters.append("end")

    assert [[["n"]]] * 2 == await world.heard()
    assert before != await world.redis.hgetall(STATE)


async def test_what_was_trimmed_while_nobody_read_is_counted_as_lost(world):
    await world.redis.set(LEASE, "another")
    await until(lambda: world.owner() is None)
    for number in range(10):
        await world.emitters.append("n", number)
    await world.redis.xtrim("socket.io", maxlen=4, approximate=False)
    await world.redis.delete(LEASE)
    await world.emitters.append("end")

    assert [[["n", number] for number in range(6, 10)]] * 2 == await world.heard()
    assert 6 == world.metric("lost_total", reason="trimmed")


async def test_a_stream_that_was_deleted_is_read_from_its_new_beginning(world):
    await world.emitters.append("n", 1)
    await world.emitters.append("end")
    assert [[["n", 1]]] * 2 == await world.heard()
    await world.redis.delete("socket.io")
    # An id below the last one, as of a server whose clock is behind.
    await until(lambda: _begins_anew(world))
    fields = {"nsp": "/", "type": "3", "data": '{"packet":{"type":2,"data":["n",2]},"opts":{}}'}
    await world.redis.xadd("socket.io", fields, id="1-1")
    await world.emitters.append("end", to=["both"])

    assert [[["n", 2]]] * 2 == await world.heard()


async def _begins_anew(world):
    reader = world.listeners[world.owner()]._stream
    return reader._place == Place("0-0", 0)


async def test_a_restarted_redis_is_listened_to_again(own_redis):
    async with world_at(own_redis.url) as world:
        await world.emitters.append("n", 1)
        await world.emitters.append("end")
        assert [[["n", 1]]] * 2 == await world.heard()
        own_redis.kill()
        own_redis.start()
        await until(lambda: all(node.log.is_live for node in world.nodes))
        await eventually(world.is_listened_to)
        await world.emitters.append("n", 2)
        await world.emitters.append("mid")
        assert [[["n", 2]]] * 2 == await world.heard(until_event="mid")
        await _listened_to_again(world.emitters, world.nodes)
        await world.emitters.publish("n", 3)
        await world.emitters.publish("end", to=["both"])

        assert [[["n", 3]]] * 2 == await world.heard()


async def _listened_to_again(emitters, nodes):
    """Wait until what is published is read: redis-py subscribes once in vain when it notices that a connection is lost."""

    def read():
        return sum(node.metric("nodejs_messages_total", kind="broadcast") for node in nodes)

    async def is_read():
        await emitters.publish("probe", to=["nobody"])
        return read() > before

    before = read()
    await until(is_read)


async def test_one_kind_can_be_listened_to_alone(redis_url):
    for options, is_heard in (({"key": ""}, "append"), ({"stream": ""}, "publish")):
        async with nodes_of(redis_url) as start:
            node, client, emitters = await start(), Browser(), Emitters(redis_url)
            await emitters.redis.delete(LEASE, STATE)
            await client.connect(node)
            one = listener(node, redis_url, **options)
            one.start()
            ready = emitters.redis.pubsub_numpat if is_heard == "publish" else emitters.redis.hlen
            await until(lambda ready=ready, is_heard=is_heard: ready(*[STATE] * (is_heard == "append")))
            for say in (emitters.publish, emitters.append):
                await say(say.__name__)
            assert [is_heard] == await client.event()
            assert 1 == node.metric("nodejs_messages_total", kind="broadcast")
            await one.close()
            await emitters.close()


def rights(of):
    """Return the rights that the documentation names."""
    text = (Path(__file__).parents[5] / "docs" / "redis.md").read_text().split("## Rights")[1]
    return text.split(f"### {of}\n")[1].split("```")[1].split()


@VALKEY
async def test_a_gateway_needs_the_documented_rights_to_listen(own_server):
    granted = [*rights("A gateway"), *rights("A gateway that hears Node's emitters")]
    async with redis.asyncio.from_url(own_server.url) as admin:
        await admin.execute_command("ACL", "SETUSER", "wire", "on", ">p", "-@all", *granted)
        url = own_server.url.replace("redis://", "redis://wire:p@")
        async with world_at(url, direct_url=own_server.url) as world:
            await world.emitters.publish("n", 1)
            await world.emitters.publish("mid")
            assert [[["n", 1]]] * 2 == await world.heard(until_event="mid")
            await world.emitters.append("n", 2, but=["x"])
            await world.emitters.append("end")
            assert [[["n", 2]]] * 2 == await world.heard()
        denied = [one[b"object"] for one in await admin.execute_command("ACL", "LOG")]
    # redis-py says its name, and goes on without.
    assert [b"client|setinfo"] == denied


@VALKEY
async def test_emitters_of_a_cluster_are_heard_whichever_member_has_the_stream(redis_binary, tmp_path):
    async with running(ClusterHome(redis_binary, tmp_path)) as home:
        _, second, third = home.primaries
        # 100 members of the slots: the stream is not where the log is.
        where = await _member_of(home, "socket.io")
        assert where in (second, third)
        direct = f"redis://127.0.0.1:{where.port}"
        async with nodes_of(home.url) as start:
            node, client, emitters = await start(), Browser(), Emitters(direct)
            await client.connect(node)
            one = listener(node, home.url)
            one.start()
            await until(lambda: _listens(home, node))
            await emitters.publish("n", 1)
            assert ["n", 1] == await client.event()
            await emitters.append("n", 2)
            assert ["n", 2] == await client.event()
            await one.close()
            await emitters.close()


async def _member_of(home, key):
    slot = int(await home.primaries[0].ask("CLUSTER", "KEYSLOT", key))
    return home.primaries[1] if slot <= 6_000 else home.primaries[2] if slot <= 12_000 else home.primaries[0]


async def _listens(home, node):
    patterns = [await one.ask("PUBSUB", "NUMPAT") for one in home.primaries]
    return sum(patterns) == 2 and await home.primaries[0].ask("EXISTS", STATE)


@VALKEY
async def test_after_a_failover_the_new_primary_is_listened_to(redis_binary, tmp_path):
    async with running(SentinelHome(redis_binary, tmp_path)) as home, nodes_of(home.url) as start:
        node, client = await start(), Browser()
        await client.connect(node)
        one = listener(node, home.url)
        one.start()
        await until(lambda: home.primary.ask("EXISTS", STATE))
        await home.replicated()
        home.primary.kill()
        await home.promoted()
        await until(lambda: node.log.is_live)
        emitters = Emitters(f"redis://127.0.0.1:{home.replica.port}")
        await _listened_to_again(emitters, [node])
        await emitters.append("n", 1)
        assert ["n", 1] == await client.event()
        await emitters.publish("n", 2)
        assert ["n", 2] == await client.event()
        await one.close()
        await emitters.close()
