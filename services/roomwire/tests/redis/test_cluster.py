"""The primary of a cluster that has the log's slot: found, moved, failed over."""

import asyncio

import msgspec
import pytest
from gateways_of_a_log import (
    DEN,
    QUICK,
    check_that_nothing_is_silent,
    speaking,
    world_of,
)  # fmt: skip
from redis_homes import HOST, SLOT, ClusterHome, eventually, running
from waiting import time_passes, until

from roomwire.errors import Unavailable
from roomwire.log.sessions import Claimed
from roomwire.log.streams import room_stream
from roomwire.redis.address import RedisAddress
from roomwire.redis.cluster import ClusterPrimaries
from roomwire_local.free_ports import free_ports

pytestmark = pytest.mark.parametrize("redis_binary", ["valkey", "redis"], indirect=True)
CONFIG = msgspec.structs.replace(QUICK, link_timeout_s=1.0)


@pytest.fixture
async def home(redis_binary, tmp_path):
    async with running(ClusterHome(redis_binary, tmp_path)) as home:
        yield home


@pytest.fixture
async def home_with_replica(redis_binary, tmp_path):
    async with running(ClusterHome(redis_binary, tmp_path, replica=True)) as home:
        yield home


def primaries(ports, timeout_s=1.0):
    members = [RedisAddress(host=HOST, port=port) for port in ports]
    return ClusterPrimaries(members, key=b"rw:{0}:log", timeout_s=timeout_s)


async def fill(gateway, count=60):
    """Say something in many rooms, so that moving the slot takes a while."""
    await asyncio.gather(
        *(gateway.say("x", stream=room_stream("/", f"r{number}")) for number in range(count))
    )


async def test_the_slot_may_be_moved_key_by_key_under_load_and_back_and_nothing_is_lost_or_doubled(home):
    first, second, _ = home.primaries
    async with world_of(home.url, CONFIG) as world:
        gateways = [await world.start(name) for name in "ab"]
        for gateway in gateways:
            await gateway.hear(DEN)
        tenure = await gateways[0].session(DEN)
        await fill(gateways[0])
        async with speaking(gateways) as acked:
            for source, target in ((first, second), (second, first)):
                before = len(acked)
                await until(lambda before=before: len(acked) > before + 100)
                await home.move(source, target, pause_s=0.05)
            before = len(acked)
            await until(lambda: len(acked) > before + 100)
        assert gateways == await check_that_nothing_is_silent(gateways, acked)

        assert [True, True] == [gateway.held > 0 for gateway in gateways]
        gateways[0].log.receipt(tenure, gateways[0].log.offset())
        await gateways[0].receipts_arrive()
        assert isinstance(await gateways[1].log.claim(tenure.sid, namespace="/", subject=""), Claimed)


async def test_while_the_slot_is_moved_a_batch_that_is_refused_was_not_done_in_part(home):
    first, second, _ = home.primaries
    async with world_of(home.url, CONFIG) as world:
        gateway = await world.start()
        await gateway.hear(DEN)
        await gateway.say("before", message_id="known")
        names = [await home.name(one) for one in (first, second)]
        await second.ask("CLUSTER", "SETSLOT", SLOT, "IMPORTING", names[0])
        await first.ask("CLUSTER", "SETSLOT", SLOT, "MIGRATING", names[1])
        # A message id that is not here could be on the other side by now.
        outcomes = await asyncio.gather(
            gateway.say("a"),
            gateway.say("b", message_id="unknown"),
            return_exceptions=True,
        )
        (known,) = await gateway.say("before", message_id="known")
        for member in (first, second):
            await member.ask("CLUSTER", "SETSLOT", SLOT, "STABLE")
        (after,) = await gateway.say("b", message_id="unknown")
        await gateway.log.mark()

        assert [Unavailable, Unavailable] == [type(one) for one in outcomes]
        assert (True, False) == (known.is_repeat, after.is_repeat)
        assert ["before", "b"] == gateway.texts
        assert 0 == gateway.held


async def test_a_gateway_that_says_nothing_learns_that_the_slot_has_moved(home):
    config = msgspec.structs.replace(CONFIG, heartbeat_s=30.0)
    first, second, third = home.primaries
    async with world_of(home.url, config) as world:
        idle = await world.start("idle")
        await idle.hear(DEN)
        await home.move(first, third)
        async with world_of(f"redis+cluster://{HOST}:{second.port}", config) as others:
            other = await others.start("other")
            await other.say("a")
        await idle.hears("a")

        assert 0 == idle.losses


async def test_the_slot_may_be_moved_all_at_once(home, redis_binary):
    if "valkey" not in str(redis_binary):
        pytest.skip("Redis 7 moves a slot key by key only")
    first, second, _ = home.primaries
    async with world_of(home.url, CONFIG) as world:
        gateways = [await world.start(name) for name in "ab"]
        for gateway in gateways:
            await gateway.hear(DEN)
        await fill(gateways[0])
        async with speaking(gateways) as acked:
            await until(lambda: len(acked) > 100)
            await first.ask(
                "CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", SLOT, SLOT, "NODE", await home.name(second)
            )
            await eventually(lambda: owns(home, second))
            moved = len(acked)
            await until(lambda: len(acked) > moved + 100)
        assert gateways == await check_that_nothing_is_silent(gateways, acked)


async def owns(home, member):
    return all([await home.owner(one) is member for one in home.primaries])


async def test_when_the_primary_is_killed_under_load_everybody_has_everything_or_is_told(home_with_replica):
    home = home_with_replica
    async with world_of(home.url, CONFIG) as world:
        gateways = [await world.start(name) for name in "ab"]
        for gateway in gateways:
            await gateway.hear(DEN)
        async with speaking(gateways) as acked:
            await until(lambda: len(acked) > 100)
            home.primaries[0].kill()
            await eventually(lambda: is_primary(home.replica))
            at_failover = len(acked)
            await until(lambda: len(acked) > at_failover + 100)
        await check_that_nothing_is_silent(gateways, acked)


async def takes_over(replica):
    """Ask a replica to become the primary; after five seconds it gives up, if the others did not vote in time.

    Nothing is cancelled here, because redis-py then leaves connections open.
    """
    await replica.ask("CLUSTER", "FAILOVER")
    given_up_at = asyncio.get_running_loop().time() + 6
    while not (has_taken_over := await is_primary(replica)):
        if asyncio.get_running_loop().time() > given_up_at:
            break
        await time_passes(0.05)
    return has_taken_over


async def is_primary(server):
    return (await server.ask("ROLE"))[0] == b"master"


async def test_a_failover_that_somebody_asks_for_loses_nothing(home_with_replica):
    home = home_with_replica
    async with world_of(home.url, CONFIG) as world:
        gateways = [await world.start(name) for name in "ab"]
        for gateway in gateways:
            await gateway.hear(DEN)
        async with speaking(gateways) as acked:
            await until(lambda: len(acked) > 100)
            await eventually(lambda: takes_over(home.replica))
            moved = len(acked)
            await until(lambda: len(acked) > moved + 100)
        assert gateways == await check_that_nothing_is_silent(gateways, acked)


async def test_every_member_leads_to_the_primary_and_dead_ones_are_passed_over(home):
    first, second, third = home.primaries
    (nobody,) = free_ports(1)
    for ports in ([first.port], [second.port], [nobody, third.port]):
        assert f"{HOST}:{first.port}" == str(await primaries(ports).find())


async def test_the_member_that_had_the_slot_last_is_asked_though_the_url_does_not_name_it(home):
    first, second, _ = home.primaries
    finder = primaries([second.port])
    await finder.find()
    second.kill()

    assert f"{HOST}:{first.port}" == str(await finder.find())


async def test_a_cluster_that_is_down_is_said_with_what_each_member_answered(home):
    first, *others = home.primaries
    for other in others:
        other.kill()
    await eventually(lambda: is_down(first))
    with pytest.raises(OSError, match=f"{HOST}:{first.port}: .*CLUSTERDOWN"):
        await primaries([first.port]).find()


async def is_down(member):
    return "cluster_state:fail" in str(await member.ask("CLUSTER", "INFO"))
