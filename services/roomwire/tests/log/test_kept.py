"""What the log keeps for the history of a room, with the message or not at all; in memory, on Valkey and on Redis 7."""

import asyncio
import contextlib

import pytest
import redis.asyncio
from gateways_of_a_log import DEN, text, world_of
from waiting import until

from roomwire.errors import ClientError
from roomwire.history.opening import open_history
from roomwire.log.entries import Message
from roomwire.log.kept import Keep, Kept, history_name
from roomwire.metrics.gateway import Metrics


@contextlib.asynccontextmanager
async def recorded(url):
    """Yield a gateway of a log that hears the den, and the history that the log appends to."""
    async with world_of(url) as world:
        gateway = await world.start()
        await gateway.hear(DEN)
        history = open_history(url, metrics=Metrics(), log=gateway.log)
        await history.start()
        try:
            yield gateway, history
        finally:
            await history.close()


def kept(entry, **options):
    return Kept(history_name("/", "den"), entry, **options)


async def entries(history, room="den", **where):
    return [one.entry for one in (await history.recall(room, **where)).entries]


async def test_what_is_kept_of_a_message_stands_in_the_history_when_the_publish_returns(backplane_url):
    async with recorded(backplane_url) as (gateway, history):
        await gateway.log.publish(DEN, Message(b'"one"'), kept=kept(b"1"))
        await gateway.log.publish(DEN, Message(b'"two"'))
        await gateway.log.publish(DEN, Message(b'"three"'), kept=kept(b"3"))

        await until(lambda: 3 == len(gateway.texts))
        assert [b"1", b"3"] == await entries(history)


async def test_of_a_batch_each_message_has_its_own_history_or_none(backplane_url):
    async with recorded(backplane_url) as (gateway, history):
        publishes = []
        for number in range(200):
            room = ("den", "attic", "")[number % 3]
            one = Kept(history_name("/", room), str(number).encode()) if room else None
            publishes.append(gateway.log.publish(DEN, Message(b'"x"'), kept=one))
        await asyncio.gather(*publishes)

        for first, room in enumerate(("den", "attic")):
            expected = [str(number).encode() for number in range(first, 200, 3)]
            assert expected == await entries(history, room, limit=500)
        assert [] == await entries(history, "")


async def test_what_is_said_again_under_its_id_is_kept_once(backplane_url):
    async with recorded(backplane_url) as (gateway, history):
        for _ in range(2):
            await gateway.log.publish(DEN, Message(b'"one"'), message_id="one", kept=kept(b"1"))

        assert [b"1"] == await entries(history)


async def test_a_history_keeps_as_many_entries_as_the_last_message_says(backplane_url):
    async with recorded(backplane_url) as (gateway, history):
        for number in range(5):
            await gateway.log.publish(
                DEN, Message(b'"x"'), kept=kept(str(number).encode(), entries=3, ttl_s=60)
            )

        assert [b"2", b"3", b"4"] == await entries(history)


async def test_a_history_ends_when_its_time_is_up(backplane_url):
    async with recorded(backplane_url) as (gateway, history):
        await gateway.log.publish(DEN, Message(b'"x"'), kept=kept(b"1", ttl_s=1))
        assert [b"1"] == await entries(history)

        async with asyncio.timeout(60):
            while await entries(history):
                await asyncio.sleep(0)


async def test_the_histories_of_two_namespaces_are_two(backplane_url):
    async with recorded(backplane_url) as (gateway, history):
        for namespace in ("/", "/board"):
            name = history_name(namespace, "den")
            await gateway.log.publish(DEN, Message(b'"x"'), kept=Kept(name, namespace.encode()))

        assert [b"/"] == await entries(history)
        assert [b"/board"] == await entries(history, namespace="/board")


@pytest.mark.parametrize("taken", ["history:den", "room:r:/:den"])
async def test_where_one_of_the_two_cannot_be_written_neither_is(redis_url, starts_servers, taken):
    async with recorded(redis_url) as (gateway, history), redis.asyncio.from_url(redis_url) as client:
        await client.set(f"rw:{{0}}:{taken}", "of another kind")
        with pytest.raises(ClientError):
            await gateway.log.publish(DEN, text("lost"), kept=kept(b"lost"))
        await client.delete(f"rw:{{0}}:{taken}")
        await gateway.log.publish(DEN, text("heard"), kept=kept(b"heard"))

        await gateway.hears("heard")
        assert [b"heard"] == await entries(history)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("/", "den"), ("/board", "den")),
        (("/", "\0r:/board:den"), ("/board", "den")),
        (("/a:b", "c"), ("/a", "b:c")),
        (("/", 1), ("/", "1")),
    ],
    ids=ascii,
)
def test_no_two_rooms_share_a_history(first, second):
    assert history_name(*first) != history_name(*second)


def test_a_room_of_the_first_namespace_has_the_history_that_it_always_had():
    assert "dæn".encode() == history_name("/", "dæn")


@pytest.mark.parametrize("wrong", [{"entries": 0}, {"ttl_s": 0}], ids=str)
def test_a_history_that_keeps_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match="at least one"):
        Keep(**wrong)
