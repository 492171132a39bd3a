"""Names of streams."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomwire.log.streams import (
    Named,
    is_sid_stream,
    namespace_stream,
    parse_stream,
    room_name,
    room_of,
    room_stream,
    sid_stream,
    travelling_name,
)

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@given(namespace=ANY_TEXT, room=ANY_TEXT)
def test_a_name_is_read_as_it_was_made(namespace, room):
    assert Named(namespace, room, None) == parse_stream(room_stream(namespace, room))
    assert Named(namespace, None, None) == parse_stream(namespace_stream(namespace))
    assert Named(None, None, room) == parse_stream(sid_stream(room))


@given(first=st.tuples(ANY_TEXT, ANY_TEXT), second=st.tuples(ANY_TEXT, ANY_TEXT))
def test_two_rooms_never_share_a_stream(first, second):
    assert (first == second) == (room_stream(*first) == room_stream(*second))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (room_stream("/a", "b:c"), room_stream("/a:b", "c")),
        (room_stream("/a%3A", "b"), room_stream("/a:", "b")),
        (room_stream("", ""), namespace_stream("")),
        (sid_stream("x"), room_stream("/", "x")),
    ],
)
def test_separators_in_names_confuse_nobody(first, second):
    assert first != second


def test_only_a_sockets_stream_is_one():
    assert [True, False, False] == [
        is_sid_stream(one) for one in (sid_stream("x"), room_stream("s", "x"), namespace_stream("s:"))
    ]


@pytest.mark.parametrize("name", [b"", b"x:y", b"r:only"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(ValueError, match="not the name of a stream"):
        parse_stream(name)


ANY_ROOM = st.one_of(
    ANY_TEXT,
    ANY_TEXT.map(lambda text: f"\0{text}"),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.binary(),
    st.none(),
)


@given(room=ANY_ROOM)
def test_a_room_is_found_again_by_its_name_whatever_that_is_made_of(room):
    assert room == room_of(room_name(room)) == room_of(travelling_name(room))


@given(number=st.integers())
def test_a_text_that_looks_like_the_name_of_another_room_is_a_room_of_its_own(number):
    assert room_name(number) != room_name(room_name(number))


class Odd:
    """Looks like a plain value, and is none."""

    def __repr__(self):
        return "7"


@pytest.mark.parametrize(
    "room", [object(), Odd(), float("nan"), float("inf")], ids=["object", "odd", "nan", "inf"]
)
def test_a_name_that_means_something_here_alone_does_not_travel(room):
    with pytest.raises(ValueError, match=r"plain|malformed"):
        travelling_name(room)
