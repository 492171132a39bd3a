"""What every backplane promises, tested on each of them."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roomwire.backplane import Member, RoomSize, open_backplane
from roomwire.backplane.contract import HISTORY_ENTRIES
from roomwire.metrics import Metrics
from roomwire.server import Server

ROOM_NAMES = [
    "den",
    "two words",
    "{0}",
    "a{b}c:d",
    "new\nline",
    "日本 🐈",
    "*?[a-z]",
    "x" * 1_000,
    "nul\0",
    "",
]


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture(params=["memory", "redis"])
async def backplane(request, metrics):
    url = "memory://" if request.param == "memory" else request.getfixturevalue("redis_url")
    backplane = open_backplane(url, node="n1", metrics=metrics)
    server = Server(backplane=backplane, node_name="n1")
    await server.start()
    yield backplane
    await server.close()


def member(number=1, user="Ann"):
    return Member(id=f"n1.{number}", user=user, gateway="n1")


async def members(backplane, room="den"):
    count, found = await backplane.members(room)
    return count, sorted(found, key=lambda one: one.id)


async def test_a_room_that_nobody_entered_is_empty(backplane):
    assert (0, []) == await members(backplane)
    assert [] == list(await backplane.rooms())
    assert [] == list(await backplane.recall("den"))


async def test_who_enters_is_a_member_until_it_leaves(backplane):
    await backplane.enter("den", member(1))
    await backplane.enter("den", member(2, "Bob"))
    assert (2, [member(1), member(2, "Bob")]) == await members(backplane)

    await backplane.leave("den", "n1.1")
    assert (1, [member(2, "Bob")]) == await members(backplane)


async def test_entering_twice_is_entering_once_under_the_newest_name(backplane):
    await backplane.enter("den", member(1, "Ann"))
    await backplane.enter("den", member(1, "Anna"))

    assert (1, [member(1, "Anna")]) == await members(backplane)
    assert [RoomSize("den", 1)] == list(await backplane.rooms())


async def test_leaving_is_idempotent(backplane):
    await backplane.enter("den", member(1))
    await backplane.enter("den", member(2))
    for _ in range(2):
        await backplane.leave("den", "n1.1")
    await backplane.leave("nowhere", "n1.1")

    assert [RoomSize("den", 1)] == list(await backplane.rooms())


async def test_a_room_is_gone_with_its_last_member(backplane):
    await backplane.enter("den", member(1))
    await backplane.leave("den", "n1.1")

    assert [] == list(await backplane.rooms())


async def test_one_socket_can_be_in_many_rooms(backplane):
    for room in ("a", "b", "c"):
        await backplane.enter(room, member(1))
    await backplane.leave("b", "n1.1")

    assert {"a", "c"} == {size.room for size in await backplane.rooms()}


async def test_the_number_of_members_is_told_beyond_the_limit(backplane):
    for number in range(30):
        await backplane.enter("den", member(number))

    count, found = await backplane.members("den", limit=10)
    assert (30, 10, 10) == (count, len(found), len({one.id for one in found}))


async def test_the_largest_rooms_come_first_up_to_the_limit(backplane):
    for size in (2, 3, 1):
        for number in range(size):
            await backplane.enter(f"room of {size}", member(number))

    assert [RoomSize("room of 3", 3), RoomSize("room of 2", 2)] == list(await backplane.rooms(limit=2))


@pytest.mark.parametrize("room", ROOM_NAMES, ids=ascii)
async def test_any_text_is_a_room(backplane, room):
    await backplane.enter(room, member(1, user=room))
    await backplane.remember(room, b"said")

    assert (1, [member(1, user=room)]) == await members(backplane, room)
    assert [RoomSize(room, 1)] == list(await backplane.rooms())
    assert [b"said"] == list(await backplane.recall(room))
    await backplane.leave(room, "n1.1")
    assert [] == list(await backplane.rooms())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(first=st.text(max_size=20), second=st.text(max_size=20))
async def test_no_two_rooms_are_mistaken_for_each_other(backplane, first, second):
    await backplane.enter(first, member(1))
    await backplane.leave(second, "n1.1")
    expected = 0 if first == second else 1

    assert expected == (await backplane.members(first))[0]
    await backplane.leave(first, "n1.1")


async def test_history_is_told_in_the_order_in_which_it_was_remembered(backplane):
    for number in range(10):
        await backplane.remember("den", str(number).encode())

    assert [b"7", b"8", b"9"] == list(await backplane.recall("den", limit=3))
    assert [str(number).encode() for number in range(10)] == list(await backplane.recall("den"))


async def test_history_is_bounded_and_the_oldest_goes_first(backplane):
    for number in range(HISTORY_ENTRIES + 5):
        await backplane.remember("den", str(number).encode())

    entries = await backplane.recall("den", limit=HISTORY_ENTRIES * 2)
    assert (HISTORY_ENTRIES, b"5") == (len(entries), entries[0])


async def test_an_entry_of_history_is_any_bytes(backplane):
    entry = bytes(range(256))
    await backplane.remember("den", entry)

    assert [entry] == list(await backplane.recall("den"))


async def test_history_of_one_room_is_not_told_in_another(backplane):
    await backplane.remember("den", b"secret")

    assert [] == list(await backplane.recall("attic"))


async def test_what_is_said_is_remembered_though_everybody_left(backplane):
    await backplane.enter("den", member(1))
    await backplane.remember("den", b"hello")
    await backplane.leave("den", "n1.1")

    assert [b"hello"] == list(await backplane.recall("den"))


async def test_a_started_backplane_works_at_once(backplane, metrics):
    await backplane.check()

    assert 1 == metrics.registry.get_sample_value("roomwire_backplane_up")


async def test_closing_is_idempotent(backplane, metrics):
    await backplane.log.close()
    await backplane.close()
    await backplane.close()

    assert 0 == metrics.registry.get_sample_value("roomwire_backplane_up")
