"""What recoveries may cost: of one client, and of all that come back at once."""

import asyncio

import pytest
import websockets
from recovering import Browser, nodes_of

from roomwire.log.config import LogConfig
from roomwire.recovery.decisions import RecoveryLimits

CLIENTS = 500
AT_A_TIME = 20


@pytest.fixture(params=["memory", "redis"])
async def nodes(request):
    url = "memory://" if request.param == "memory" else request.getfixturevalue("redis_url")
    async with nodes_of(url) as start:
        yield start


@pytest.mark.parametrize("limits", [RecoveryLimits(max_entries=20), RecoveryLimits(max_bytes=200)])
async def test_a_replay_beyond_its_bound_is_refused_and_told(nodes, limits):
    one, two = await nodes(recovery=limits), await nodes(recovery=limits)
    client = Browser()
    await client.connect(one)
    before = client.pid
    client.cut()
    for number in range(30):
        await one.server.emit("n", number)
    await client.connect(two)
    assert not client.recovered
    assert before != client.pid
    assert 1 == two.metric("recoveries_total", outcome="refused")
    assert 1 == two.metric("bounds_exceeded_total", bound="replay")
    await one.server.emit("n", "new", to=client.sid)
    assert ["new"] == await client.events(1)


async def test_a_session_that_was_claimed_too_often_stays_and_the_claimant_gets_another(nodes):
    config = LogConfig(max_claims=3)
    one, two = await nodes(config=config), await nodes(config=config)
    tab, copy = Browser(), Browser()
    await tab.connect(one)
    for turn in range(3):
        copy.pid, copy.offset = tab.pid, tab.offset
        await copy.connect((two, one)[turn % 2])
        assert copy.recovered
    await tab.connect(one)

    assert not tab.recovered
    assert tab.pid != copy.pid
    assert 1 == one.metric("bounds_exceeded_total", bound="claims")
    await one.server.emit("n", 1)
    assert ([1], [1]) == (await tab.events(1), await copy.events(1))


async def test_a_recovery_that_takes_too_long_is_given_up_and_the_client_comes_again(own_redis):
    async with nodes_of(own_redis.url) as start:
        node = await start(config=LogConfig(claim_deadline_s=0.2))
        client = Browser()
        await client.connect(node)
        client.cut()
        own_redis.pause()
        connecting = asyncio.create_task(client.connect(node))
        with pytest.raises(websockets.ConnectionClosed):
            await connecting
        own_redis.resume()

        assert 1 == node.metric("recoveries_total", outcome="postponed")
        assert 1 == node.metric("bounds_exceeded_total", bound="recovery_deadline")
        await node.server.emit("n", 1)
        await client.connect(node)
        assert client.recovered
        assert [1] == await client.events(1)


async def test_while_all_come_back_at_once_others_go_on_and_each_room_is_read_for_all(redis_url):
    limits = RecoveryLimits(max_concurrent=AT_A_TIME)
    async with nodes_of(redis_url) as start:
        await storm(await start(recovery=limits), await start(recovery=limits))


async def storm(one, two):
    crowd, bystander = [Browser() for _ in range(CLIENTS)], Browser()
    await bystander.connect(two)
    await bystander.ask("join", "calm")
    for some in (crowd[start : start + 50] for start in range(0, CLIENTS, 50)):
        await asyncio.gather(*(client.connect(one) for client in some))
        await asyncio.gather(*(client.ask("join", "crowded") for client in some))
    for client in crowd:
        client.cut()
    missed = list(range(10))
    for number in missed:
        await one.server.emit("n", number, to="crowded")
    back, overtaken = 0, []

    async def come_back(client):
        nonlocal back
        await client.connect(two)
        back += 1
        assert client.recovered
        assert missed == await client.events(len(missed))

    async def speak():
        while back < CLIENTS:
            before = back
            await one.server.emit("n", len(overtaken), to="calm")
            assert [len(overtaken)] == await bystander.events(1)
            overtaken.append(back - before)

    async with asyncio.TaskGroup() as group:
        group.create_task(speak())
        for client in crowd:
            group.create_task(come_back(client))

    assert CLIENTS == two.metric("recoveries_total", outcome="recovered")
    assert two.metric("bounds_exceeded_total", bound="recoveries")
    # No message waited for the crowd to be served, but for those whose turn it was.
    assert max(overtaken) <= 5 * AT_A_TIME
    assert two.metric("history_reads_total", kind="whole") < CLIENTS / 20
