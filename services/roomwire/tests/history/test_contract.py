"""What every history promises, tested on each of them."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roomwire.history.contract import HISTORY_ENTRIES
from roomwire.history.opening import open_history
from roomwire.metrics.gateway import Metrics

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


@pytest.fixture(params=["memory", "redis"])
async def history(request, starts_servers):
    url = "memory://" if request.param == "memory" else request.getfixturevalue("redis_url")
    history = open_history(url, metrics=Metrics())
    await history.start()
    yield history
    await history.close()


def said(recalled):
    return [one.entry for one in recalled.entries]


async def test_of_a_room_where_nothing_was_said_there_is_no_history(history):
    assert [] == said(await history.recall("den"))
    assert ([], False, False, False) == msgspec.structs.astuple(await history.recall("den", after="0-0"))


@pytest.mark.parametrize("room", ROOM_NAMES, ids=ascii)
async def test_any_text_is_a_room(history, room):
    await history.remember(room, b"said")

    assert [b"said"] == said(await history.recall(room))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(first=st.text(max_size=20), second=st.text(max_size=20))
async def test_no_two_rooms_are_mistaken_for_each_other(history, first, second):
    before = len(said(await history.recall(second, limit=HISTORY_ENTRIES)))
    await history.remember(first, b"said")
    after = len(said(await history.recall(second, limit=HISTORY_ENTRIES)))

    assert (before + 1 if first == second else before) == after


async def test_history_is_told_in_the_order_in_which_it_was_remembered(history):
    for number in range(10):
        await history.remember("den", str(number).encode())

    assert [b"7", b"8", b"9"] == said(await history.recall("den", limit=3))
    assert [str(number).encode() for number in range(10)] == said(await history.recall("den"))


async def test_history_is_read_from_any_of_its_positions_on(history):
    for number in range(6):
        await history.remember("den", str(number).encode())
    entries = (await history.recall("den")).entries
    positions = [one.position for one in entries]
    assert 6 == len({*positions})

    rest = await history.recall("den", after=positions[1], limit=2)
    assert (entries[2:4], True, True) == (list(rest.entries), rest.is_joined, rest.has_more)
    rest = await history.recall("den", after=positions[3], limit=2)
    assert (entries[4:], True, False) == (list(rest.entries), rest.is_joined, rest.has_more)
    end = await history.recall("den", after=positions[-1])
    assert ([], True, False) == (list(end.entries), end.is_joined, end.has_more)
    start = await history.recall("den", after="0-0", limit=6)
    assert (entries, False, False) == (list(start.entries), start.is_joined, start.has_more)


async def test_history_is_read_backwards_from_any_of_its_positions(history):
    for number in range(40):
        await history.remember("den", str(number).encode())
    newest = await history.recall("den", limit=3)
    assert ([b"37", b"38", b"39"], True, False) == (said(newest), newest.has_earlier, newest.has_more)

    earlier = await history.recall("den", before=newest.entries[0].position, limit=35)
    assert (35, b"2", True, True) == (
        len(said(earlier)),
        said(earlier)[0],
        earlier.has_earlier,
        earlier.has_more,
    )
    first = await history.recall("den", before=earlier.entries[0].position)
    assert ([b"0", b"1"], False) == (said(first), first.has_earlier)
    with pytest.raises(ValueError, match="not both"):
        await history.recall("den", before="1-0", after="1-0")


async def test_an_answer_has_a_limit_in_bytes_and_at_least_one_entry_and_tells_that_there_are_more(history):
    for number in range(20):
        await history.remember("den", b"%02d" % number * 50)
    positions = [one.position for one in (await history.recall("den")).entries]

    newest = await history.recall("den", max_bytes=350)
    assert (positions[-3:], True) == ([one.position for one in newest.entries], newest.has_earlier)
    earlier = await history.recall("den", before=positions[-3], max_bytes=1_800)
    assert (positions[:-3], False) == (
        [one.position for one in earlier.entries],
        earlier.has_earlier,
    )
    after = await history.recall("den", after=positions[0], max_bytes=200)
    assert (positions[1:3], True, True) == (
        [one.position for one in after.entries],
        after.is_joined,
        after.has_more,
    )
    large = await history.recall("den", max_bytes=1)
    assert positions[-1:] == [one.position for one in large.entries]


async def test_history_is_bounded_and_the_oldest_goes_first(history):
    await history.remember("den", b"first")
    (first,) = (await history.recall("den")).entries
    for number in range(HISTORY_ENTRIES):
        await history.remember("den", str(number).encode())

    entries = said(await history.recall("den", limit=HISTORY_ENTRIES * 2))
    assert (HISTORY_ENTRIES, b"0") == (len(entries), entries[0])
    # What followed it may have gone as well: nobody knows.
    assert not (await history.recall("den", after=first.position)).is_joined


async def test_an_entry_of_history_is_any_bytes(history):
    entry = bytes(range(256))
    await history.remember("den", entry)

    assert [entry] == said(await history.recall("den"))


async def test_a_started_history_works_at_once(history):
    await history.check()


async def test_closing_is_idempotent(history):
    await history.close()
    await history.close()
