"""What the primary says of itself: figures, and what becomes of them where it says nothing."""

import redis.asyncio
from gateways_of_a_log import DEN, world_of
from live import until
from redis_homes import eventually

from roomwire.backplane.redis_watch import parse_figures


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
