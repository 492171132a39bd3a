"""Reading a stretch of a stream in pages: complete, or known not to be."""

from hypothesis import given
from hypothesis import strategies as st

from roomwire.log.entries import Message, encode_message
from roomwire.log.reading import ABSENT, Outcome, Page, Range, RangeReader
from roomwire.log.streams import room_stream

STREAM = room_stream("/", "den")


class Kept:
    """A stream that a primary keeps, as it would give pages of it."""

    def __init__(self, places):
        self.entries = [(place, encode_message(Message(b"%d" % place))) for place in places]
        self.is_trimmed = False

    def trim(self, number):
        number = min(number, len(self.entries) - 1)
        if number > 0:
            del self.entries[:number]
            self.is_trimmed = True

    def page(self, cursor, upto, size):
        if not self.entries:
            return ABSENT
        is_whole = not self.is_trimmed or self.entries[0][0] <= cursor
        found = [entry for entry in self.entries if cursor <= entry[0] <= upto]
        return Page(is_there=True, is_whole=is_whole, entries=found[:size], has_more=len(found) > size)


def read(kept, after, upto, size=2, trims=(), max_entries=1_000, max_bytes=1_000_000):
    reader = RangeReader(Range(STREAM, after, upto), max_entries=max_entries, max_bytes=max_bytes)
    trims = list(trims)
    while reader.is_open:
        reader.add(kept.page(reader.cursor, upto, size))
        if trims:
            kept.trim(trims.pop(0))
    return reader.result()


PLACES = st.lists(st.integers(1, 60), max_size=30, unique=True).map(sorted)


@given(
    places=PLACES,
    first_trim=st.integers(0, 30),
    trims=st.lists(st.integers(0, 8), max_size=10),
    after=st.integers(0, 60),
    upto=st.integers(0, 60),
    size=st.integers(2, 5),
)
def test_whatever_is_trimmed_meanwhile_a_complete_read_has_everything(
    places, first_trim, trims, after, upto, size
):
    kept = Kept(places)
    kept.trim(first_trim)
    reading = read(kept, after, upto, size, trims)

    if reading.outcome is Outcome.COMPLETE:
        assert [place for place in places if after < place <= upto] == [
            entry.position for entry in reading.entries
        ]
    else:
        assert Outcome.TRIMMED is reading.outcome
        assert () == tuple(reading.entries)


@given(places=PLACES, after=st.integers(0, 60), upto=st.integers(0, 60), size=st.integers(2, 5))
def test_a_stream_that_was_never_trimmed_is_always_complete(places, after, upto, size):
    assert Outcome.COMPLETE is read(Kept(places), after, upto, size).outcome


def test_a_stream_that_is_absent_at_first_holds_nothing_and_one_that_vanishes_is_not_complete():
    assert Outcome.COMPLETE is read(Kept([]), 0, 9).outcome
    reader = RangeReader(Range(STREAM, 0, 9), max_entries=9, max_bytes=999)
    reader.add(Kept([1, 2, 3, 4]).page(0, 9, 2))
    reader.add(ABSENT)

    assert Outcome.TRIMMED is reader.result().outcome


def test_the_limits_hold_over_all_pages():
    size = len(encode_message(Message(b"1")))
    for outcome, limits in (
        (Outcome.COMPLETE, {"max_entries": 8}),
        (Outcome.TOO_MUCH, {"max_entries": 7}),
        (Outcome.COMPLETE, {"max_bytes": 8 * size}),
        (Outcome.TOO_MUCH, {"max_bytes": 8 * size - 1}),
    ):
        assert outcome is read(Kept(range(1, 9)), 0, 9, **limits).outcome


def test_an_entry_of_a_later_format_is_never_skipped():
    kept = Kept([1, 2])
    kept.entries[1] = (2, b"\xff")

    assert Outcome.UNREADABLE is read(kept, 0, 9).outcome
