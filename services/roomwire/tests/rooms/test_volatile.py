"""Volatile events, over two nodes: for clients that are connected and read, and for nothing and nobody later."""

import asyncio

import pytest
from recovering import WAIT_S, Browser, nodes_of
from waiting import until

BIG = "x" * 200_000


@pytest.fixture(params=["memory", "redis"])
async def start(request):
    url = "memory://" if request.param == "memory" else request.getfixturevalue("redis_url")
    async with nodes_of(url) as start:
        yield start


async def member(node, *rooms):
    client = Browser()
    await client.connect(node)
    for room in rooms:
        await client.ask("join", room)
    return client


async def test_connected_clients_of_all_nodes_receive_a_volatile_event(start):
    one, two = await start(), await start()
    ann, bob = await member(one, "den"), await member(two, "den", "attic")
    mute = await member(two, "den", "muted")
    emit = one.server.emit
    await emit("n", 1, to="den", volatile=True)
    await emit("n", 2, to=["den", "attic"], except_rooms=["muted"], volatile=True)
    await emit("n", 3, to=bob.sid, volatile=True)
    await emit("n", 4, skip_sid=ann.sid, volatile=True)
    await emit("n", 5, volatile=True)
    await emit("n", 6, to=[], volatile=True)

    assert [1, 2, 5] == await ann.events(3)
    assert [1, 2, 3, 4, 5] == await bob.events(5)
    assert [1, 4, 5] == await mute.events(3)


async def test_with_ignore_queue_only_the_clients_of_this_node_receive_it(start):
    one, two = await start(), await start()
    ann, bob = await member(one, "den"), await member(two, "den")
    await two.server.emit("n", "there", to="den", volatile=True, ignore_queue=True)
    await one.server.emit("n", "all", to="den")

    there, here = (["there", "all"], ["there", "all"] if one is two else ["all"])
    assert there == await bob.events(2)
    assert here == await ann.events(len(here))


async def test_a_volatile_event_takes_no_position_and_is_not_recovered(start):
    one, two = await start(), await start()
    ann, bob = await member(one, "den"), await member(two, "den")
    await one.server.emit("n", 1, to="den")
    assert [1] == await ann.events(1)
    assert [1] == await bob.events(1)
    reached = one.log.cut
    await two.server.emit("n", "now", to="den", volatile=True)
    assert ["now"] == await ann.events(1)
    # Its offset is what the client has received before: a replay from there skips nothing.
    assert ann.offset == f"{one.log.epoch}.{reached}"
    assert ["now"] == await bob.events(1)

    ann.cut()
    await two.server.emit("n", "missed", to="den", volatile=True)
    assert ["missed"] == await bob.events(1)
    await two.server.emit("n", 2, to="den")
    await ann.connect(two)
    await two.server.emit("n", 3, to="den")
    assert ann.recovered
    assert [2, 3] == await ann.events(2)


@pytest.mark.parametrize(
    "options",
    [{"message_id": "1"}, {"keeps_history": True}, {"callback": print}],
    ids=lambda one: next(iter(one)),
)
async def test_what_needs_the_log_or_an_answer_cannot_be_volatile(start, options):
    one = await start()
    with pytest.raises(ValueError, match="volatile"):
        await one.server.emit("n", to="den", volatile=True, **options)


@pytest.mark.parametrize("is_fast", [True, False], ids=["fast", "asgi"])
async def test_for_a_client_that_does_not_read_volatile_events_are_dropped_and_the_others_wait(
    start, is_fast
):
    one, two = await start(is_fast=is_fast), await start(is_fast=is_fast)
    slow, quick = await member(one, "den"), await member(two, "den", "quick")
    number = 0
    # The buffers of the system and of both ends are filled first, whatever their sizes.
    async with asyncio.timeout(WAIT_S * 3):
        while not one.metric("volatile_dropped_total", reason="congested"):
            await two.server.emit("n", BIG, to="den", volatile=True)
            number += 1
            assert [BIG] == await quick.events(1)
            await one.log.mark()
    await two.server.emit("n", "kept", to="den")
    assert ["kept"] == await quick.events(1)

    heard = []
    while not heard or heard[-1] != "kept":
        heard += await slow.events(1)
    assert len(heard) - 1 < number
    assert set(heard[:-1]) == {BIG}
    # It has caught up, so that it receives the next one.
    await two.server.emit("n", "now", to="den", volatile=True)
    assert ["now"] == await slow.events(1)


async def test_over_polling_the_events_of_one_turn_wait_for_the_next_poll_and_no_more(start):
    one = await start()
    ann = await member(one, "den")
    connection = one.server.manager.member(ann.sid, "/").connection
    # What a connection does between two polls, when a turn's events have been counted and not taken.
    connection._wake = connection._is_stuck = None
    assert not connection.is_congested
    connection.put(b"1")
    assert not connection.is_congested
    connection.flush()
    assert connection.is_congested
    connection.state.forget_output()
    assert not connection.is_congested


async def test_while_a_client_connects_or_recovers_volatile_events_are_dropped_for_it(start):
    one = await start()
    waiting, entered = asyncio.Event(), asyncio.Event()

    async def connect(sid, environ, auth):
        entered.set()
        await waiting.wait()

    one.server.on("connect", connect)
    ann = Browser()
    connecting = asyncio.create_task(ann.connect(one))
    await asyncio.wait_for(entered.wait(), WAIT_S)
    await one.server.emit("n", "early", volatile=True)
    await until(lambda: one.metric("volatile_dropped_total", reason="congested") == 1)
    waiting.set()
    await connecting
    await one.server.emit("n", "now", volatile=True)

    assert ["now"] == await ann.events(1)
