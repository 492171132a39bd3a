"""The primary that Sentinels name: found, lost, found again; nobody is left without a word."""

import asyncio

import msgspec
import pytest
from gateways_of_a_log import DEN, QUICK, check_that_nothing_is_silent, speaking, world_of
from redis_homes import HOST, SERVICE, SentinelHome, eventually, running
from waiting import until

from roomwire.errors import Unavailable
from roomwire.log.sessions import ClaimRefused
from roomwire.redis.address import RedisAddress
from roomwire.redis.sentinel import SentinelPrimaries
from roomwire_local.free_ports import free_ports

pytestmark = pytest.mark.parametrize("redis_binary", ["valkey", "redis"], indirect=True)
CONFIG = msgspec.structs.replace(QUICK, link_timeout_s=1.0)


@pytest.fixture
async def home(redis_binary, tmp_path):
    async with running(SentinelHome(redis_binary, tmp_path)) as home:
        yield home


def primaries(ports, service=SERVICE, timeout_s=1.0):
    sentinels = [RedisAddress(host=HOST, port=port) for port in ports]
    return SentinelPrimaries(sentinels, service=service, server=RedisAddress(), timeout_s=timeout_s)


async def test_when_the_primary_is_killed_under_load_everybody_has_everything_or_is_told(home):
    async with world_of(home.url, CONFIG) as world:
        gateways = [await world.start(name) for name in "ab"]
        for gateway in gateways:
            await gateway.hear(DEN)
        async with speaking(gateways) as acked:
            await until(lambda: len(acked) > 100)
            home.primary.kill()
            await home.promoted()
            at_failover = len(acked)
            await until(lambda: len(acked) > at_failover + 100)

        assert [2, 2] <= [gateway.lives for gateway in gateways]
        await check_that_nothing_is_silent(gateways, acked)


async def test_when_a_replica_that_lags_is_promoted_everybody_is_told_and_no_session_goes_on(home):
    async with world_of(home.url, CONFIG) as world:
        first, second = await world.start("a"), await world.start("b")
        tenure = await first.session(DEN)
        await second.hear(DEN)
        await first.say("kept")
        await second.hears("kept")
        # The replica cannot log in any more: what is said from now on has the primary alone.
        await home.replica.ask("CONFIG", "SET", "masteruser", "nobody", "masterauth", "x")
        await home.primary.ask("CLIENT", "KILL", "TYPE", "replica")
        await eventually(lambda: is_alone(home.primary))
        await first.say("lost")
        await second.hears("kept", "lost")
        home.primary.kill()
        await home.promoted()
        for gateway in (first, second):
            await until(lambda gateway=gateway: gateway.losses == 1 and gateway.log.is_live)

        assert ClaimRefused.GONE == await second.log.claim(tenure.sid, namespace="/", subject="")
        await first.hear(DEN)
        await first.say("anew")
        for gateway in (first, second):
            await until(lambda gateway=gateway: gateway.texts[-1] == "anew")
            assert 1 == gateway.losses


async def is_alone(server):
    return int((await server.info("replication"))["connected_slaves"]) == 0


async def test_with_a_replica_required_no_acknowledged_message_is_lost_while_there_are_two_primaries(home):
    for server in (home.primary, home.replica):
        await server.ask("CONFIG", "SET", "min-replicas-to-write", 1)
    async with world_of(home.url, CONFIG) as world:
        gateway = await world.start()
        tenure = await gateway.session(DEN)
        await gateway.say("a")
        # The old primary learns of it seconds later only; until then it would take what nobody will ever read.
        await home.sentinels[0].ask("SENTINEL", "FAILOVER", SERVICE)
        await home.promoted()
        with pytest.raises(Unavailable):
            await gateway.say("refused", message_id="b")
        await eventually(lambda: is_live(gateway), within_s=40)
        await gateway.say("b", message_id="b")
        await gateway.hears("a", "b")

        assert 0 == gateway.losses
        assert await gateway.log.join(tenure, DEN)


async def is_live(gateway):
    return gateway.lives > 1 and gateway.log.is_live


async def test_sentinels_that_are_dead_or_hang_are_passed_over_and_the_good_one_comes_first_then(home):
    dead, hangs, good = (sentinel.port for sentinel in home.sentinels)
    home.sentinels[0].kill()
    home.sentinels[1].pause()
    finder = primaries([dead, hangs, good], timeout_s=0.5)

    assert f"{HOST}:{home.primary.port}" == str(await finder.find())
    home.sentinels[1].resume()
    async with asyncio.timeout(0.4):
        home.sentinels[1].pause()
        assert f"{HOST}:{home.primary.port}" == str(await finder.find())


async def test_who_is_named_but_is_a_replica_is_not_believed(home, one_who_names):
    liar = await one_who_names(home.replica.port)

    with pytest.raises(OSError, match=f"{HOST}:{home.replica.port} is a slave"):
        await primaries([liar]).find()
    found = await primaries([liar, home.sentinels[0].port]).find()
    assert home.primary.port == found.port


async def test_what_no_sentinel_knows_is_said_with_what_each_answered(home):
    (nobody,) = free_ports(1)
    with pytest.raises(
        OSError, match=r"no Sentinel names a primary 'other' .*it does not know this primary"
    ) as caught:
        await primaries([home.sentinels[0].port, nobody], service="other").find()
    assert f"{HOST}:{nobody}: " in str(caught.value)
    async with world_of(home.url.replace("/chat/", "/other/"), CONFIG) as world:
        gateway = world.make()
        with pytest.raises(Unavailable, match="no Sentinel names a primary"):
            await gateway.log.start(gateway)


@pytest.fixture
async def one_who_names():
    """Servers that name whom they are told to, as a Sentinel that has not noticed yet."""
    servers = []

    async def start(port):
        async def serve(reader, writer):
            while data := await reader.read(65_536):
                if b"HELLO" in data:
                    writer.write(b"%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.0.1\r\n")
                else:
                    writer.write(b"*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%d\r\n" % (len(str(port)), port))
            writer.close()

        servers.append(await asyncio.start_server(serve, HOST, 0))
        return servers[-1].sockets[0].getsockname()[1]

    yield start
    for server in servers:
        server.close()
        await server.wait_closed()
