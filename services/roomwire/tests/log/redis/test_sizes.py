"""The bound of the log's streams in bytes, all together, against a real server with a limit (`sizes.lua`)."""

import contextlib
import re
from pathlib import Path

import msgspec
import pytest
import redis.asyncio
from gateways_of_a_log import QUICK, world_of
from recovering import Browser, nodes_of
from waiting import until

from roomwire import AsyncEmitter
from roomwire.limits.classes import ClientClass
from roomwire.log.entries import Message
from roomwire.log.guard import GuardConfig
from roomwire.log.positions import START
from roomwire.log.reading import Outcome, Range
from roomwire.log.sessions import NewSession, new_pid, sid_of
from roomwire.log.streams import room_stream, sid_stream

pytestmark = pytest.mark.parametrize("redis_binary", ["valkey", "redis"], indirect=True)

ROOT = Path(__file__).parents[5]
LIMIT = 64 << 20
LARGE = 50_000


@pytest.fixture
async def admin(own_server):
    async with redis.asyncio.from_url(own_server.url) as client:
        await client.config_set("maxmemory", LIMIT)
        yield client


@pytest.fixture(autouse=True)
def _each_publish_is_measured(monkeypatch):
    monkeypatch.setattr("roomwire.log.sample._random_distance", lambda: 1.0)


@contextlib.asynccontextmanager
async def gateway_of(server, **guard):
    async with world_of(server.url, msgspec.structs.replace(QUICK, guard=GuardConfig(**guard))) as world:
        yield await world.start()


async def fill(gateway, name, *, entries, size=LARGE):
    """Publish to a room that has a member; return its stream."""
    stream = room_stream("/", name)
    tenure = await gateway.log.open(NewSession(sid_of(new_pid()), "/", client_class=ClientClass.USERS))
    gateway.log.subscribe(stream)
    await gateway.log.join(tenure, stream)
    for _ in range(entries):
        await gateway.log.publish(stream, Message(b"x" * size))
    return stream


async def outcome(gateway, stream, *, since=START):
    mark = await gateway.log.mark()
    (reading,) = await gateway.log.read(
        [Range(stream, since, mark)], max_entries=5_000, max_bytes=100_000_000
    )
    return reading.outcome


async def until_bound(admin, expected):
    """Wait until a gateway has set the bound."""

    async def is_set():
        return b"%d" % expected == await admin.hget("rw:{0}:guard", "log:max")

    await until(is_set)


async def size_of(admin):
    return int(await admin.hget("rw:{0}:sizes", "total") or 0)


async def test_large_messages_of_one_sender_take_nothing_from_others_and_their_own_clients_are_told(
    own_server, admin
):
    small, large, newcomer = Browser(), Browser(), Browser()
    async with nodes_of(own_server.url) as start:
        node = await start(config=QUICK)
        for browser, room in ((small, "small"), (large, "large 0")):
            await browser.connect(node)
            await browser.ask("join", room)
            await node.server.emit("text", "first", room=room)
            assert ["text", "first"] == await browser.event()
            browser.cut()
        await until(lambda: 2 == len(node.gone))
        await node.server.emit("text", "second", room="small")
        sender = Browser()
        await sender.connect(node)
        for number in range(40):
            await sender.ask("join", f"large {number}")
        # The sender itself reads nothing more.
        sender.cut()
        for number in range(40):
            for _ in range(35):
                await node.server.emit("blob", "x" * LARGE, room=f"large {number}")
        used = (await admin.info("memory"))["used_memory"]
        await newcomer.connect(node)
        await small.connect(node)
        await large.connect(node)

        assert (True, ["text", "second"]) == (small.recovered, await small.event())
        assert (False, False) == (large.recovered, newcomer.recovered)
        assert used < 0.6 * LIMIT
        await until(lambda: node.metric("redis_log_max_bytes") == LIMIT // 2)
        await until(lambda: 0 < node.metric("redis_log_bytes") <= LIMIT // 2)
        assert node.metric("redis_streams_emptied_total") > 0


async def test_of_all_streams_those_that_were_written_longest_ago_are_emptied(own_server, admin):
    async with gateway_of(own_server, log_share=0.125) as gateway:
        await until_bound(admin, LIMIT // 8)
        streams = [await fill(gateway, f"{number}", entries=35) for number in range(4)]
        had_everything = await gateway.log.mark()
        # The first is written again by messages too small to be measured; it is the second's turn.
        for _ in range(3):
            await gateway.log.publish(streams[0], Message(b"hi"))
        streams.append(await fill(gateway, "4", entries=35))
        streams.append(await fill(gateway, "5", entries=35))

        assert [
            Outcome.COMPLETE,
            Outcome.TRIMMED,
            Outcome.TRIMMED,
            Outcome.COMPLETE,
            Outcome.COMPLETE,
            Outcome.COMPLETE,
        ] == [await outcome(gateway, stream) for stream in streams]
        assert Outcome.COMPLETE is await outcome(gateway, streams[1], since=had_everything)
        assert await size_of(admin) <= LIMIT // 8
        # What follows is complete from the next message on.
        next_one = await gateway.log.publish(streams[1], Message(b"hi"))
        await gateway.log.publish(streams[1], Message(b"hi"))
        assert Outcome.COMPLETE is await outcome(gateway, streams[1], since=next_one.position)
        assert Outcome.TRIMMED is await outcome(gateway, streams[1])


async def test_what_ends_is_given_back(own_server, admin):
    async with gateway_of(own_server) as gateway:
        tenure = await gateway.session()
        for _ in range(3):
            await gateway.log.publish(sid_stream(tenure.sid), Message(b"x" * 200_000))
        assert 600_000 < await size_of(admin)
        await gateway.log.end(tenure.sid)

        assert (0, 0) == (await size_of(admin), await admin.zcard("rw:{0}:written"))


async def test_small_streams_are_not_measured(own_server, admin):
    async with gateway_of(own_server) as gateway:
        for number in range(50):
            await fill(gateway, f"{number}", entries=40, size=200)

        assert 0 == await size_of(admin)
        assert 0 == await admin.exists("rw:{0}:written")


async def test_many_messages_that_are_not_large_are_measured_as_well(own_server, admin):
    async with gateway_of(own_server) as gateway:
        stream = await fill(gateway, "a", entries=900, size=500)
        held = await admin.memory_usage(b"rw:{0}:room:" + stream)

        assert held / 2 < await size_of(admin) <= held


async def test_what_expires_is_given_back(own_server, admin):
    async with gateway_of(own_server) as gateway:
        for number in range(3):
            await fill(gateway, f"{number}", entries=2, size=200_000)
        assert 1_200_000 < await size_of(admin)
        for number in (0, 1):
            await admin.pexpire(f"rw:{{0}}:room:r:/:{number}", 1)

        async def is_given_back():
            return 400_000 < await size_of(admin) < 500_000 and 1 == await admin.zcard("rw:{0}:written")

        await until(is_given_back)


async def test_streams_give_way_to_everything_else_from_the_first_mark_on(own_server, admin):
    async with gateway_of(own_server) as gateway:
        streams = [await fill(gateway, f"{number}", entries=30) for number in range(6)]
        used = (await admin.info("memory"))["used_memory"]
        # The server is full, and refuses every publish, until the streams are emptied.
        await admin.config_set("maxmemory", used - 1_000)

        async def is_accepted():
            with contextlib.suppress(redis.ResponseError):
                return await admin.set("probe", "x")

        await until(is_accepted)
        await until(lambda: gateway.metrics.registry.get_sample_value("roomwire_redis_streams_emptied_total"))
        assert Outcome.TRIMMED is await outcome(gateway, streams[0])
        # Only the newest one is never emptied.
        assert Outcome.COMPLETE is await outcome(gateway, streams[-1])


def rights(of):
    """Return the rights that the documentation names."""
    text = (ROOT / "docs" / "redis.md").read_text().split("## Rights")[1]
    return re.search(rf"### {of}\n.*?```\n(.*?)```", text, re.DOTALL)[1].split()


async def test_with_its_rights_an_emitter_keeps_the_bound_while_no_gateway_is_there(own_server, admin):
    async with gateway_of(own_server):
        await until_bound(admin, LIMIT // 2)
    granted = [*rights("An emitter"), *rights("An emitter whose messages are counted")]
    await admin.execute_command("ACL", "SETUSER", "wire", "on", ">p", "-@all", *granted)
    async with AsyncEmitter(own_server.url.replace("redis://", "redis://wire:p@")) as emitter:
        for number in range(40):
            for _ in range(20):
                await emitter.emit("blob", "x" * LARGE, to=f"{number}")

    assert LIMIT // 4 < await size_of(admin) <= LIMIT // 2
    assert (0, 20) == (await admin.xlen("rw:{0}:room:r:/:0"), await admin.xlen("rw:{0}:room:r:/:39"))


async def test_without_the_right_to_measure_nothing_is_bounded_and_the_log_says_so(
    own_server, admin, log_events
):
    await admin.execute_command("ACL", "SETUSER", "default", "-memory|usage")
    async with gateway_of(own_server, log_share=0.05) as gateway:
        await until_bound(admin, int(LIMIT * 0.05))
        stream = await fill(gateway, "a", entries=30)
        await fill(gateway, "b", entries=40)

        assert Outcome.COMPLETE is await outcome(gateway, stream)
        await until(lambda: "redis log not bounded" in {line["event"] for line in log_events})
        assert gateway.metrics.registry.get_sample_value("roomwire_redis_log_bytes") is None


async def test_a_server_without_a_limit_has_no_bound(own_server, admin):
    await admin.config_set("maxmemory", 0)
    async with gateway_of(own_server) as gateway:
        await until_bound(admin, 0)
        stream = await fill(gateway, "a", entries=20)
        await fill(gateway, "b", entries=20)

        assert Outcome.COMPLETE is await outcome(gateway, stream)
