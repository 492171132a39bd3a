"""Names of streams."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomwire.backplane.streams import (
    Named,
    is_sid_stream,
    namespace_stream,
    parse_stream,
    room_stream,
    sid_stream,
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
    with pytest.raises(ValueError, match="no name of a stream"):
        parse_stream(name)
