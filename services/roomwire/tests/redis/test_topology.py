"""Every home of a Redis, for whoever asks: TLS, rights, redis-py's client."""

import asyncio
import re
from pathlib import Path

import msgspec
import pytest
import redis.asyncio
from gateways_of_a_log import DEN, QUICK, sid_stream, world_of
from redis_homes import (
    HOST,
    SERVICE,
    ClusterHome,
    SentinelHome,
    data_server,
    eventually,
    running,
)  # fmt: skip

from roomwire.errors import ConfigurationError, Unavailable
from roomwire.history.opening import open_history
from roomwire.log.reading import Range
from roomwire.metrics.gateway import Metrics
from roomwire.redis.topology import connect
from roomwire.redis.url import believing
from roomwire_local.free_ports import free_ports

CONFIG = msgspec.structs.replace(QUICK, link_timeout_s=1.0)
EVERY_SERVER = pytest.mark.parametrize("redis_binary", ["valkey", "redis"], indirect=True)
# The Valkey of the tests is built without TLS.
WITH_TLS = pytest.mark.parametrize("redis_binary", ["redis"], indirect=True)


def history_of(url):
    return open_history(url, timeout_s=1.0, metrics=Metrics())


async def works(history, round_):
    await history.remember(f"room {round_}", b"said")

    assert [b"said"] == [one.entry for one in (await history.recall(f"room {round_}")).entries]


# -- redis-py's client, which history and the auth service use


async def recovers(history, round_):
    """Wait until it works again: what leads to the old primary is refused, and told."""

    async def tried():
        try:
            await works(history, round_)
        except Unavailable:
            return False
        return True

    await eventually(tried)


@EVERY_SERVER
async def test_history_follows_the_slot_of_a_cluster(redis_binary, tmp_path):
    async with running(ClusterHome(redis_binary, tmp_path)) as home:
        history = history_of(home.url)
        await history.start()
        await asyncio.gather(*(works(history, f"a{number}") for number in range(40)))
        await home.move(home.primaries[0], home.primaries[1])
        await recovers(history, "b")
        # Once one has learnt it, no connection of the pool leads to the old one.
        await asyncio.gather(*(works(history, f"c{number}") for number in range(40)))
        assert [b"said"] == [one.entry for one in (await history.recall("room a7")).entries]
        await history.close()


@EVERY_SERVER
async def test_history_follows_the_primary_that_sentinels_name(redis_binary, tmp_path):
    async with running(SentinelHome(redis_binary, tmp_path)) as home:
        history = history_of(home.url)
        await history.start()
        await works(history, "a")
        home.primary.kill()
        await home.promoted()
        await recovers(history, "b")
        await history.close()


@EVERY_SERVER
async def test_a_client_that_was_demoted_to_a_replica_finds_the_primary(redis_binary, tmp_path):
    async with running(SentinelHome(redis_binary, tmp_path)) as home:
        client = connect(home.url, key="rw:{0}:log")
        await client.set("rw:{0}:x", 1)
        await home.sentinels[0].ask("SENTINEL", "FAILOVER", SERVICE)
        await home.promoted()
        # As the Sentinels will do when they find the time, but without closing the connections.
        await home.primary.ask("REPLICAOF", HOST, home.replica.port)

        async def written():
            return await client.set("rw:{0}:x", 2)

        await eventually(written)
        assert b"2" == await home.replica.ask("GET", "rw:{0}:x")
        await client.aclose()


# -- TLS


async def speaks(url):
    async with world_of(url, CONFIG) as world:
        gateway = await world.start()
        await gateway.hear(DEN)
        await gateway.say("hi")
        await gateway.hears("hi")
    client = connect(url, key="rw:{0}:log")
    assert await client.exists("rw:{0}:log")
    await client.aclose()


async def is_refused(url, why):
    async with world_of(url, CONFIG) as world:
        gateway = world.make()
        with pytest.raises(Unavailable, match=why):
            await gateway.log.start(gateway)
    client = connect(url, key="rw:{0}:log")
    with pytest.raises((redis.RedisError, OSError)):
        await client.ping()
    await client.aclose()


@WITH_TLS
@pytest.mark.parametrize("kind", [SentinelHome, ClusterHome])
async def test_sentinels_and_members_are_spoken_to_by_tls_and_checked(
    kind, redis_binary, tmp_path, certificate
):
    async with running(kind(redis_binary, tmp_path, tls=certificate)) as home:
        url = home.url.replace("redis+", "rediss+")
        await speaks(f"{url}?ssl_ca_certs={certificate}")
        await speaks(f"{url}?ssl_cert_reqs=none")
        await is_refused(url, "(?i)certificate")


@WITH_TLS
async def test_the_name_in_the_certificate_has_to_be_the_host_unless_told_otherwise(
    redis_binary, tmp_path, certificate
):
    (port,) = free_ports(1)
    server = data_server(redis_binary, tmp_path / "one", port, tls=certificate)
    try:
        server.start()
        await server.ready()
        # The certificate is for the address alone.
        url = f"rediss://localhost:{port}?ssl_ca_certs={certificate}"
        await is_refused(url, "(?i)hostname mismatch")
        await speaks(f"{url}&ssl_check_hostname=false")
    finally:
        server.kill()


@WITH_TLS
async def test_a_server_may_want_a_certificate_of_ours(redis_binary, tmp_path, certificate):
    (port,) = free_ports(1)
    server = data_server(redis_binary, tmp_path / "one", port, tls=certificate)
    try:
        server.start()
        await server.ready()
        await server.ask("CONFIG", "SET", "tls-auth-clients", "yes")
        url = believing(f"rediss://{HOST}:{port}", certificate)
        await speaks(f"{url}&ssl_certfile={certificate}&ssl_keyfile={certificate}")
        await is_refused(url, "(?i)certificate|closed by the server|lost")
    finally:
        server.kill()


# -- rights


def rights(of):
    """Return the rights that the documentation names."""
    text = (Path(__file__).parents[4] / "docs" / "redis.md").read_text().split("## Rights")[1]
    return re.search(rf"### {of}\n.*?```\n(.*?)```", text, re.DOTALL)[1].split()


async def swept(admin):
    return "cmdstat_zrangebyscore" in await admin("INFO", "commandstats")


async def everything(url, admin):
    """Use the log and history as gateways do."""
    async with world_of(url, CONFIG) as world:
        first, second = await world.start("a"), await world.start("b")
        tenure = await first.session(DEN)
        await second.hear(DEN)
        await admin("SCRIPT", "FLUSH")
        await first.say("a", message_id="x")
        await first.say("b", stream=sid_stream(tenure.sid))
        first.log.unsubscribe(DEN)
        await first.log.leave(tenure, DEN)
        await first.log.join(tenure, DEN)
        assert 1 == (await second.log.present(DEN, limit=9)).total
        first.log.receipt(tenure, first.log.offset())
        await first.receipts_arrive()
        claimed = await second.log.claim(tenure.sid, namespace="/", subject="")
        await second.log.save(claimed.tenure, b"x")
        await second.log.newest(DEN, limit=1)
        await second.log.find(tenure.sid)
        await second.log.read([Range(DEN, 0, 99)], max_entries=9, max_bytes=999)
        await second.log.request(first.log.node, b"ab", timeout_s=2)
        assert await second.log.end(tenure.sid)
        await second.hears("a")
        # Some heartbeats sweep the index of sessions that have expired.
        await eventually(lambda: swept(admin))
        assert 0 == first.held + second.held
        # As after a failover that lost nothing.
        await admin("HSET", "rw:{0}:log", "run", "another")
        await admin("CLIENT", "KILL", "TYPE", "pubsub")
        await first.live_again(1)
        await second.live_again(1)
        assert 0 == first.losses + second.losses
    history = history_of(url)
    await history.start()
    await works(history, "a")
    (said,) = (await history.recall("room a")).entries
    assert (await history.recall("room a", after=said.position)).is_joined
    await history.close()


LOGIN = "redis://wire:p%40ss%3Aword%2F@"


@EVERY_SERVER
@pytest.mark.parametrize(("database", "more"), [(0, ()), (1, ("With a database other than 0",))])
async def test_a_gateway_needs_these_rights_and_no_others(own_server, database, more):
    url = own_server.url.replace("/0", f"/{database}")
    async with redis.asyncio.from_url(url) as admin:
        granted = [right for of in ("A gateway", *more) for right in rights(of)]
        await admin.execute_command("ACL", "SETUSER", "wire", "on", ">p@ss:word/", "-@all", *granted)
        await admin.config_resetstat()
        await everything(url.replace("redis://", LOGIN), admin.execute_command)
        stats = await admin.info("commandstats")
    used = {name.removeprefix("cmdstat_") for name in stats}

    assert [] == sorted({one[1:] for one in granted if one[0] == "+"} - used)


@EVERY_SERVER
async def test_the_same_rights_are_enough_in_a_cluster(redis_binary, tmp_path):
    async with running(ClusterHome(redis_binary, tmp_path)) as home:
        for member in home.members:
            await member.ask("ACL", "SETUSER", "wire", "on", ">p@ss:word/", "-@all", *rights("A gateway"))
        url = home.url.replace("cluster://", "cluster://wire:p%40ss%3Aword%2F@")
        await everything(url, home.primaries[0].ask)


@EVERY_SERVER
async def test_behind_sentinels_it_is_one_right_more_and_one_at_the_sentinels(redis_binary, tmp_path):
    asks = " ".join(rights("At a Sentinel"))
    async with running(
        SentinelHome(redis_binary, tmp_path, sentinel_lines=[f"user asker on >secret -@all {asks}"])
    ) as home:
        granted = [*rights("A gateway"), *rights("Behind Sentinels")]
        for server in (home.primary, home.replica):
            await server.ask("ACL", "SETUSER", "wire", "on", ">p@ss:word/", "-@all", *granted)
        url = home.url.replace("sentinel://", "sentinel://wire:p%40ss%3Aword%2F@")
        url += "?sentinel_user=asker&sentinel_password="
        await everything(f"{url}secret", home.primary.ask)
        await is_refused(f"{url}wrong", "WRONGPASS|invalid username")


# -- what is checked when the links are made


@EVERY_SERVER
@pytest.mark.parametrize("kind", [SentinelHome, ClusterHome])
async def test_a_server_that_evicts_is_refused_and_one_that_keeps_nothing_is_warned_of(
    kind, redis_binary, tmp_path, log_lines
):
    async with running(kind(redis_binary, tmp_path)) as home:
        server = home.primary if kind is SentinelHome else home.primaries[0]
        await server.ask("CONFIG", "SET", "appendonly", "no")
        async with world_of(home.url, CONFIG) as world:
            await world.start()
            await server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
            gateway = world.make()
            with pytest.raises(ConfigurationError, match="noeviction"):
                await gateway.log.start(gateway)

        warned = [line for line in log_lines() if line["event"] == "redis keeps no append-only file"]
        assert f"{HOST}:{server.port}" == warned[0]["address"]
