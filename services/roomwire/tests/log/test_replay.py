"""What a client that comes back is owed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomwire.log.entries import Entry, Message
from roomwire.log.intervals import Interval
from roomwire.log.positions import End
from roomwire.log.reading import Range
from roomwire.log.replay import base_of, is_for, merged, ranges_of
from roomwire.log.sessions import Claimed, Tenure
from roomwire.log.streams import namespace_stream, room_stream, sid_stream

DEN, ATTIC, HALL = (room_stream("/", name) for name in ("den", "attic", "hall"))
ALL = namespace_stream("/")
ME = sid_stream("me")


ENDS = {"e1": End(90, is_broken=False), "e3": End(90, is_broken=True), "e4": End(40, is_broken=False)}


def claimed(start=10, known=20, rooms=None):
    """A session that began in e2; the log is in e5."""
    return Claimed(Tenure("me", 2), 90, start, "e2", known, b"", rooms or {}, ENDS)


@pytest.mark.parametrize(
    ("offset", "base"),
    [
        (None, 20),
        ("e5.50", 50),
        ("e5.15", 20),
        ("e5.5", 20),
        # Of an epoch that ended without loss, and not before it.
        ("e4.30", 30),
        ("e4.40", 40),
        ("e4.41", None),
        # Of an epoch of which entries were lost.
        ("e3.1", None),
        # The log knows nothing of it, and the session may.
        ("e2.30", None),
        ("e4x.30", None),
        ("e6.1", None),
        # Of an earlier session.
        ("e1.50", 20),
        ("e0.99", 20),
        ("zzz", None),
        ("", None),
    ],
)
def test_a_replay_begins_behind_what_the_client_has(offset, base):
    assert base == base_of(offset, claimed(), "e5")


def test_a_replay_never_begins_before_the_session():
    assert 30 == base_of("e5.5", claimed(start=30, known=0), "e5")


def test_what_is_read_is_the_clients_rooms_its_namespace_and_itself():
    rooms = {
        DEN: (Interval(5, 40), Interval(60, None)),
        ATTIC: (Interval(1, 30),),
        HALL: (Interval(35, None),),
    }

    assert [
        Range(DEN, 30, 40),
        Range(DEN, 60, 80),
        Range(HALL, 35, 80),
        Range(ALL, 30, 80),
        Range(ME, 30, 80),
    ] == list(ranges_of(claimed(rooms=rooms), "/", 30, 80))
    assert [] == list(ranges_of(claimed(rooms=rooms), "/", 80, 80))


@pytest.mark.parametrize(
    ("message", "position", "is_mine"),
    [
        (Message(b""), 50, True),
        (Message(b"", skip_sids=("you", "me")), 50, False),
        (Message(b"", rooms=(DEN,)), 50, True),
        (Message(b"", rooms=(DEN,)), 30, False),
        (Message(b"", rooms=(DEN,)), 70, False),
        (Message(b"", rooms=(DEN, HALL)), 70, True),
        (Message(b"", rooms=(ATTIC,)), 50, False),
        (Message(b"", rooms=(ATTIC, ME)), 50, True),
        (Message(b"", skip_sids=("me",), rooms=(DEN,)), 50, False),
        (Message(b"", except_rooms=(DEN,)), 50, False),
        (Message(b"", except_rooms=(DEN,)), 30, True),
        (Message(b"", except_rooms=(DEN,)), 61, True),
        (Message(b"", except_rooms=(ATTIC, HALL)), 70, False),
        (Message(b"", except_rooms=(ATTIC, ME)), 50, False),
        (Message(b"", rooms=(DEN,), except_rooms=(HALL,)), 50, True),
        (Message(b"", rooms=(HALL,), except_rooms=(HALL,)), 70, False),
    ],
)
def test_filters_are_judged_by_when_the_client_was_in_which_room(message, position, is_mine):
    rooms = {DEN: (Interval(30, 60),), HALL: (Interval(65, None),)}

    assert is_mine == is_for(Entry(ALL, position, message), "me", rooms)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 50)), unique_by=lambda one: one[1]))
def test_streams_are_merged_into_the_order_of_the_log(places):
    streams = [
        [
            Entry(DEN, place, Message(b""))
            for which, place in sorted(places, key=lambda p: p[1])
            if which == of
        ]
        for of in range(3)
    ]

    assert sorted(place for _, place in places) == [
        entry.position for entry in merged([*streams, streams[0]])
    ]
