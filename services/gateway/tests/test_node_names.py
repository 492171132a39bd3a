"""Two gateways under one name at one Redis: the second waits for the entry of one that died, and leaves one that lives alone."""

import asyncio

import redis
from redis_homes import eventually
from service_process import running
from waiting import until

SETTINGS = {"auth_mode": "off", "page": False, "log_format": "json", "node_name": "twin"}
WAITS = "waiting for what this service depends on"


def registry(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        return client.hgetall("rw:{0}:registry")


async def test_a_gateway_whose_name_is_of_one_that_lives_waits_unready_and_then_ends_with_a_sentence(
    redis_url, tmp_path
):
    async with running("gateway", tmp_path / "first.log", redis_url=redis_url, **SETTINGS) as first:
        entry = registry(redis_url)[b"twin"].split()[1]
        second = running("gateway", tmp_path / "second.log", waits=False, redis_url=redis_url, **SETTINGS)
        async with second as other:
            await until(lambda: other.lines(WAITS))
            said = await other.readyz()
            status = await other.ended()
            log = other.log
        after = registry(redis_url)[b"twin"].split()[1]
        causes = (await first.readyz()).get("causes", {})

    assert ("starting", "name_taken") == (said["status"], said["causes"]["node_name"])
    assert "name_taken" == other.lines(WAITS)[0]["cause"]
    assert 1 == status
    assert "another gateway has the node name 'twin'" in log
    # The first one was never left out.
    assert entry == after
    assert "node_name" not in causes


async def test_a_gateway_that_was_killed_comes_back_under_its_own_name_once_its_entry_has_lapsed(
    redis_url, tmp_path
):
    async with running("gateway", tmp_path / "first.log", redis_url=redis_url, **SETTINGS) as first:
        first.kill()
        await first.ended()
        gone = registry(redis_url)[b"twin"].split()[1]
        again = running("gateway", tmp_path / "again.log", waits=False, redis_url=redis_url, **SETTINGS)
        async with again as second:
            await until(lambda: second.lines(WAITS))
            waiting = await second.readyz()
            await second.ready()
            here = registry(redis_url)[b"twin"].split()[1]
            causes = (await second.readyz()).get("causes", {})

    assert "starting" == waiting["status"]
    assert gone != here
    assert "node_name" not in causes
    assert "node_name" in [line["dependency"] for line in second.lines("dependency up")]


async def test_a_gateway_that_stopped_in_order_leaves_its_name_at_once(redis_url, tmp_path):
    async with running("gateway", tmp_path / "first.log", redis_url=redis_url, **SETTINGS):
        pass
    async with running("gateway", tmp_path / "again.log", redis_url=redis_url, **SETTINGS) as second:
        assert [] == second.lines(WAITS)


async def test_a_gateway_whose_name_was_taken_while_it_was_cut_off_says_so_and_takes_nothing_back(
    redis_url, tmp_path
):
    async with running("gateway", tmp_path / "first.log", redis_url=redis_url, **SETTINGS) as first:

        def take_over():
            with redis.Redis.from_url(redis_url) as client:
                client.hset("rw:{0}:registry", "twin", "99999999999999 twin.another 10.0.0.1:7000")

        await asyncio.to_thread(take_over)

        async def said():
            return (await first.readyz()).get("causes", {}).get("node_name")

        assert "name_taken" == await eventually(said)

    assert b"twin.another" in registry(redis_url)[b"twin"]
