"""Times in a room."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomwire.log.intervals import (
    Interval,
    clipped,
    format_intervals,
    holds,
    is_member,
    parse_intervals,
    without,
)


@st.composite
def some_intervals(draw):
    """Closed intervals, oldest first, the last of them perhaps open."""
    places = sorted(draw(st.lists(st.integers(1, 60), max_size=8, unique=True)))
    pairs = [Interval(places[at], places[at + 1]) for at in range(0, len(places) - 1, 2)]
    return (*pairs, Interval(places[-1], None)) if len(places) % 2 else tuple(pairs)


@given(intervals=some_intervals())
def test_intervals_are_read_as_they_were_written(intervals):
    assert intervals == parse_intervals(format_intervals(intervals))


@pytest.mark.parametrize(
    ("text", "intervals"),
    [
        ("", ()),
        ("5", (Interval(5, None),)),
        ("5-9", (Interval(5, 9),)),
        ("5-9,12", (Interval(5, 9), Interval(12, None))),
    ],
)
def test_they_are_written_as_the_scripts_do(text, intervals):
    assert (intervals, text) == (parse_intervals(text), format_intervals(intervals))


@pytest.mark.parametrize(
    ("position", "is_held"), [(5, False), (6, True), (9, True), (10, False), (12, False), (13, True)]
)
def test_an_interval_begins_after_its_join_and_ends_with_its_leave(position, is_held):
    assert is_held == holds((Interval(5, 9), Interval(12, None)), position)


@given(intervals=some_intervals(), after=st.integers(0, 60), upto=st.integers(0, 60))
def test_what_has_to_be_read_is_exactly_what_was_said_to_the_member(intervals, after, upto):
    read = [place for first, last in clipped(intervals, after, upto) for place in range(first + 1, last + 1)]

    assert [place for place in range(after + 1, upto + 1) if holds(intervals, place)] == read


@given(intervals=some_intervals(), known=st.integers(0, 60))
def test_what_is_dropped_can_matter_no_more(intervals, known):
    kept = without(intervals, known)

    for place in range(known + 1, 70):
        assert holds(intervals, place) == holds(kept, place)
    assert is_member(intervals) == is_member(kept)
