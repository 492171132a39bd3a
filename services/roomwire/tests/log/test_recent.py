"""One read of a room's recent history for all who come back together."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomwire.log.entries import Entry, Message
from roomwire.log.reading import Outcome, Range, Reading
from roomwire.log.recent import REST, WHOLE, RecentReads
from roomwire.log.streams import room_stream

DEN = room_stream("/", "den")


class Primary:
    """A stream whose first entry that is left is at `first`; all before it was trimmed, if `is_trimmed`."""

    def __init__(self, places, *, first=0, size=1):
        self.places = places
        self.first = first
        self.size = size
        self.reads = []
        self.kinds = []
        self.fails = False

    async def fetch(self, wanted):
        self.reads.append((wanted.after, wanted.upto))
        await asyncio.sleep(0)
        if self.fails:
            raise OSError("as the test wants it")
        left = [place for place in self.places if place >= self.first]
        since = wanted.after
        if self.first and (not left or left[0] > wanted.after):
            since = left[0] if left and left[0] <= wanted.upto else wanted.upto
        message = Message(b"x" * self.size)
        entries = [Entry(DEN, place, message) for place in left if wanted.after < place <= wanted.upto]
        return Reading(wanted, Outcome.COMPLETE, entries, since)


async def read(recent, after, upto, **limits):
    limits = {"max_entries": 1_000, "max_bytes": 1_000_000, **limits}
    reading = await recent.read(Range(DEN, after, upto), **limits)
    return reading.outcome, [entry.position for entry in reading.entries]


@pytest.fixture
def primary():
    return Primary(list(range(1, 101)))


@pytest.fixture
async def recent(primary):
    recent = RecentReads(primary.fetch, count=primary.kinds.append)
    yield recent
    await recent.close()


async def test_a_storm_of_readers_costs_two_reads(recent, primary):
    found = await asyncio.gather(*(read(recent, number % 50, 50 + number % 40) for number in range(2_000)))

    for number, (outcome, places) in enumerate(found):
        assert Outcome.COMPLETE is outcome
        assert list(range(number % 50 + 1, 50 + number % 40 + 1)) == places
    assert len(primary.reads) <= 2


async def test_what_was_said_since_is_all_that_is_read_later(recent, primary):
    await read(recent, 10, 50)
    assert (Outcome.COMPLETE, [30, 31]) == await read(recent, 29, 31)
    assert (Outcome.COMPLETE, list(range(41, 61))) == await read(recent, 40, 60)

    assert [(10, 50), (50, 60)] == primary.reads
    assert [WHOLE, REST] == primary.kinds


async def test_those_who_come_one_after_the_other_and_each_with_less_cost_two_whole_reads(recent, primary):
    for number in range(50):
        after, upto = 50 - number, 50 + number
        assert (Outcome.COMPLETE, list(range(after + 1, upto + 1))) == await read(recent, after, upto)

    assert 2 == primary.kinds.count(WHOLE)


async def test_one_who_has_more_than_was_read_costs_what_was_said_since(recent, primary):
    await read(recent, 10, 50)
    assert (Outcome.COMPLETE, list(range(61, 71))) == await read(recent, 60, 70)
    assert (Outcome.COMPLETE, list(range(21, 61))) == await read(recent, 20, 60)

    assert [(10, 50), (50, 70)] == primary.reads


async def test_one_who_was_away_for_too_long_does_not_spoil_it_for_the_others(recent, primary):
    primary.first = 40
    found = await asyncio.gather(
        read(recent, 5, 60), read(recent, 39, 60), read(recent, 40, 60), read(recent, 55, 60)
    )

    complete = Outcome.COMPLETE
    assert [Outcome.TRIMMED, Outcome.TRIMMED, complete, complete] == [outcome for outcome, _ in found]
    assert [list(range(41, 61)), list(range(56, 61))] == [places for _, places in found[2:]]


async def test_limits_are_each_readers_own(recent):
    assert (Outcome.TOO_MUCH, []) == await read(recent, 0, 50, max_entries=49)
    assert (Outcome.TOO_MUCH, []) == await read(recent, 0, 50, max_bytes=49)
    assert Outcome.COMPLETE is (await read(recent, 0, 50, max_entries=50, max_bytes=50))[0]


async def test_what_is_kept_is_bounded(primary):
    primary.size = 1_000
    recent = RecentReads(primary.fetch, count=primary.kinds.append, kept_bytes=10_000)
    for _ in range(2):
        assert Outcome.COMPLETE is (await read(recent, 0, 50))[0]

    assert 2 == len(primary.reads)
    await recent.close()


async def test_a_read_that_fails_fails_for_all_who_wait_and_for_nobody_later(recent, primary):
    primary.fails = True
    outcomes = await asyncio.gather(*(read(recent, 0, 9) for _ in range(3)), return_exceptions=True)
    assert [OSError] * 3 == [type(one) for one in outcomes]

    primary.fails = False
    assert Outcome.COMPLETE is (await read(recent, 0, 9))[0]


@given(
    places=st.lists(st.integers(1, 60), max_size=40, unique=True).map(sorted),
    rounds=st.lists(
        st.tuples(
            st.integers(0, 60), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=4)
        ),
        max_size=6,
    ),
)
async def test_it_tells_what_the_primary_would(places, rounds):
    primary = Primary(places)
    recent = RecentReads(primary.fetch, count=primary.kinds.append)
    for first, wanted in rounds:
        primary.first = max(primary.first, first)
        ranges = [(after, upto) for after, upto in wanted if after < upto]
        for (after, upto), (outcome, found) in zip(
            ranges, await asyncio.gather(*(read(recent, *one) for one in ranges)), strict=True
        ):
            if outcome is Outcome.COMPLETE:
                assert [place for place in places if after < place <= upto] == found
            else:
                assert primary.first > 0
    await recent.close()
