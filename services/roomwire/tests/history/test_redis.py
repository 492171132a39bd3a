"""What only log and history on Redis have: nodes that die, links that are lost."""

import asyncio
import time

import pytest
import redis.asyncio
import socketio
from live import Client, served
from waiting import until

from roomwire.errors import Unavailable
from roomwire.history.contract import HISTORY_TTL_S
from roomwire.history.opening import open_history
from roomwire.log.config import LogConfig
from roomwire.log.errors import LogHeld
from roomwire.log.opening import open_log
from roomwire.metrics.gateway import Metrics
from roomwire.server import Server

TIMEOUT_S = 0.3
CALL_TIMEOUT_S = 1.0


class Node:
    """A gateway's log, history and server."""

    def __init__(self, url, name):
        self.name = name
        self.metrics = Metrics()
        config = LogConfig(link_timeout_s=TIMEOUT_S, call_timeout_s=CALL_TIMEOUT_S)
        self.log = open_log(url, node=name, config=config, metrics=self.metrics)
        self.history = open_history(
            url, timeout_s=TIMEOUT_S, metrics=self.metrics, is_given_up=lambda: self.log.is_given_up
        )
        self.server = Server(log=self.log, node_name=name, metrics=self.metrics)
        self.server.on("connect", lambda *_: None)

    async def start(self):
        await self.history.start()
        await self.server.start()

    async def close(self):
        await self.server.close()
        await self.history.close()

    def metric(self, name, **labels):
        return self.metrics.registry.get_sample_value(name, labels)


@pytest.fixture
async def node():
    nodes = []

    async def start(url, name):
        nodes.append(Node(url, name))
        await nodes[-1].start()
        return nodes[-1]

    yield start
    for started in nodes:
        await started.close()


@pytest.fixture
async def client(redis_url):
    async with redis.asyncio.from_url(redis_url) as connection:
        yield connection


async def test_every_key_and_channel_carries_the_hash_tag(node, client, redis_url):
    first = await node(redis_url, "n1")
    await first.history.remember("den {1}", b"said")
    keys = {key.decode() for key in [*await client.keys("*"), *await client.pubsub_channels("*")]}

    assert {
        "rw:{0}:guard",
        "rw:{0}:history:den {1}",
        "rw:{0}:log",
        "rw:{0}:reads",
        "rw:{0}:registry",
    } == keys


async def test_history_does_not_stay_for_ever(node, client, redis_url):
    first = await node(redis_url, "n1")
    await first.history.remember("den", b"said")

    assert HISTORY_TTL_S - 10 <= await client.ttl("rw:{0}:history:den") <= HISTORY_TTL_S


async def test_an_emit_on_one_node_reaches_the_clients_of_the_other_once(node, redis_url):
    first, second = await node(redis_url, "n1"), await node(redis_url, "n2")
    async with (
        served(socketio.ASGIApp(first.server)) as one,
        served(socketio.ASGIApp(second.server)) as two,
        Client.connected(one) as near,
        Client.connected(two) as far,
    ):
        await first.server.emit("news", {"of": ["the", "day"], "raw": b"\x00\xff"})
        await first.server.emit("end")
        for client in (near, far):
            assert [{"of": ["the", "day"], "raw": b"\x00\xff"}] == await client.event("news")
            await client.event("end")
            assert [] == client.events
    assert 2 == first.metric("roomwire_publishes_total", outcome="ok")


async def test_emits_arrive_on_the_other_node_in_their_order(node, redis_url):
    first, second = await node(redis_url, "n1"), await node(redis_url, "n2")
    async with served(socketio.ASGIApp(second.server)) as two, Client.connected(two) as far:
        for number in range(100):
            await first.server.emit("count", number)
        await first.server.emit("end")
        await far.event("end")

        assert [["count", number] for number in range(100)] == far.events


async def test_a_client_is_reached_by_its_id_from_any_node(node, redis_url):
    first, second = await node(redis_url, "n1"), await node(redis_url, "n2")
    async with served(socketio.ASGIApp(second.server)) as two, Client.connected(two) as far:
        await first.server.emit("news", "for you", to=far.sid)

        assert ["for you"] == await far.event("news")


async def test_while_redis_is_paused_every_call_ends_within_its_timeout(node, own_redis):
    first = await node(own_redis.url, "n1")
    calls = [
        first.history.check,
        first.log.check,
        lambda: first.server.presence("den"),
        lambda: first.history.remember("den", b"said"),
        lambda: first.history.recall("den"),
        lambda: first.server.emit("news"),
    ]
    own_redis.pause()
    for call in calls:
        started = time.monotonic()
        with pytest.raises(Unavailable):
            await call()
        assert time.monotonic() - started < TIMEOUT_S + 1.0
    # What could not be remembered, which is not published either, and the event.
    assert 2 == first.metric("roomwire_publishes_total", outcome="unavailable")
    # Once they have waited for the log in vain, nobody waits any more: events of one connection would add up.
    await until(lambda: first.log.is_given_up)
    for call in calls:
        with pytest.raises(LogHeld):
            await call()
    own_redis.resume()
    await until(lambda: first.log.is_live)
    await first.history.check()
    await first.log.check()


async def test_a_history_and_a_server_that_reach_no_redis_do_not_start(free_port):
    nobody = Node(f"redis://127.0.0.1:{free_port}/0", "n1")
    for start in (nobody.history.start, nobody.server.start):
        with pytest.raises(Unavailable):
            await start()
    await nobody.close()


async def test_a_start_that_failed_can_be_tried_again(own_redis):
    node = Node(own_redis.url, "n1")
    own_redis.pause()
    for start in (node.history.start, node.server.start):
        with pytest.raises(Unavailable):
            await start()
    own_redis.resume()

    await node.start()
    await node.history.check()
    await node.log.check()
    await node.close()


async def test_the_subscription_comes_back_after_redis_was_killed(node, own_redis):
    first, second = await node(own_redis.url, "n1"), await node(own_redis.url, "n2")
    async with served(socketio.ASGIApp(second.server)) as two, Client.connected(two) as far:
        own_redis.kill()
        await until(lambda: second.metric("roomwire_backplane_up") == 0)
        with pytest.raises(Unavailable):
            await second.log.check()
        with pytest.raises(Unavailable):
            await second.history.check()

        own_redis.start()
        for each in (first, second):
            await until(lambda each=each: each.metric("roomwire_backplane_up") == 1)
            await each.log.check()
            await each.history.check()
        await first.server.emit("news", "again")
        assert ["again"] == await far.event("news")


async def test_connections_that_were_lost_are_opened_again_without_a_failed_call(node, own_redis):
    first = await node(own_redis.url, "n1")
    await asyncio.gather(*(first.history.check() for _ in range(20)))
    own_redis.kill()
    await until(lambda: first.metric("roomwire_backplane_up") == 0)
    own_redis.start()

    await asyncio.gather(*(first.history.check() for _ in range(20)))
