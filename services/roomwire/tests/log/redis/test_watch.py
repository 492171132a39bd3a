"""What the primary says of itself: figures, and what becomes of them where it says nothing."""

import contextlib
import shutil
from pathlib import Path

import pytest
import redis.asyncio
from gateways_of_a_log import DEN, world_of
from redis_homes import eventually
from waiting import until

from roomwire.errors import Unavailable
from roomwire.log.redis.watch import parse_figures
from roomwire.metrics.gateway import Metrics


def test_memory_that_does_not_count_against_the_limit_is_not_shown():
    info = "# Memory\r\nused_memory:1000\r\nused_memory_human:1K\r\nmaxmemory:5000\r\nmem_not_counted_for_evict:100\r\n"

    figures = parse_figures(info)

    assert (900.0, 5000.0) == (figures["used_memory"], figures["maxmemory"])
    assert "used_memory_human" not in figures


def test_an_answer_without_figures_shows_none():
    assert {} == parse_figures("")


async def test_a_gateway_shows_what_redis_says_of_itself(own_redis):
    async with world_of(own_redis.url) as world:
        registry = (await world.start()).metrics.registry

        def shown():
            return [
                registry.get_sample_value(f"roomwire_redis_{name}")
                for name in ("memory_used_bytes", "cpu_seconds_total", "commands_total", "clients")
            ]

        used, cpu, commands, clients = await until(lambda: None not in shown() and shown())

    assert used > 100_000
    assert cpu > 0
    assert commands > 0
    assert clients >= 2


async def test_where_figures_may_not_be_read_it_is_said_once_and_the_log_goes_on(own_redis, log_events):
    async with world_of(own_redis.url) as world, redis.asyncio.Redis(port=own_redis.port) as admin:
        gateway = await world.start()
        await gateway.hear(DEN)
        await admin.execute_command("ACL", "SETUSER", "default", "-info")

        async def said():
            return [line for line in log_events if line["event"] == "redis not watched"]

        await eventually(said)
        await gateway.say("hi")
        await gateway.hears("hi")
        beats = gateway.metrics.registry.get_sample_value
        await until(lambda: beats("roomwire_clock_skew_seconds", {"against": "redis"}) is not None)

        assert ["INFO"] == [line["command"] for line in await said()]


async def refused(gateway):
    """Say something in vain."""
    with pytest.raises(Unavailable):
        await gateway.say("hi")
    return gateway.metrics.dependencies.causes().get("redis_writes")


@contextlib.asynccontextmanager
async def disk_broken(admin):
    """Let Redis fail to save, so that it refuses writes."""
    folder = Path((await admin.config_get("dir"))["dir"])
    name = (await admin.config_get("dbfilename"))["dbfilename"]

    async def saved(how):
        await admin.bgsave()

        async def ended():
            told = await admin.info("persistence")
            return not told["rdb_bgsave_in_progress"] and told["rdb_last_bgsave_status"] == how

        await eventually(ended)

    await admin.config_set("save", "3600 1000000")
    (folder / name).unlink(missing_ok=True)
    (folder / name / "in the way").mkdir(parents=True)
    await saved("err")
    yield
    shutil.rmtree(folder / name)
    await saved("ok")


async def test_a_redis_that_takes_writes_again_is_known_to_though_nobody_says_anything(own_redis):
    now = 1_000.0
    metrics = Metrics(clock=lambda: now)
    async with world_of(own_redis.url) as world, redis.asyncio.Redis(port=own_redis.port) as admin:
        gateway = await world.start(metrics=metrics)
        async with disk_broken(admin):
            while_broken = await refused(gateway)
        now += 10
        await until(lambda: not metrics.dependencies.causes())

    assert "not_saved" == while_broken


async def test_a_redis_that_goes_on_refusing_writes_is_down_though_nobody_says_anything(own_redis):
    metrics = Metrics()
    async with world_of(own_redis.url) as world, redis.asyncio.Redis(port=own_redis.port) as admin:
        await world.start(metrics=metrics)
        async with disk_broken(admin):
            await until(lambda: metrics.dependencies.causes() == {"redis_writes": "not_saved"})


async def test_a_full_redis_whose_limit_is_taken_away_is_known_to_have_room_though_nobody_says_anything(
    own_redis,
):
    now = 1_000.0
    metrics = Metrics(clock=lambda: now)
    async with world_of(own_redis.url) as world, redis.asyncio.Redis(port=own_redis.port) as admin:
        gateway = await world.start(metrics=metrics)
        await admin.config_set("maxmemory", 1)
        while_full = await refused(gateway)
        beats = (await admin.info("commandstats"))["cmdstat_info"]["calls"]

        async def has_beaten():
            return (await admin.info("commandstats"))["cmdstat_info"]["calls"] > beats + 10

        now += 10
        await eventually(has_beaten)
        still = metrics.dependencies.causes()
        await admin.config_set("maxmemory", 0)
        now += 10
        await until(lambda: not metrics.dependencies.causes())

    assert ("full", {"redis_writes": "full"}) == (while_full, still)
