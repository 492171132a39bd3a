"""The stored form of messages, and what is pushed."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomwire.log.entries import (
    FORMAT,
    NARROWED_FORMAT,
    Message,
    Push,
    UnreadableEntry,
    decode_message,
    encode_message,
    parse_push,
)
from roomwire.log.streams import room_stream

STREAM = room_stream("/", "den")
MESSAGES = st.builds(
    Message,
    st.binary(),
    st.lists(st.text(), max_size=3).map(tuple),
    st.lists(st.binary(), max_size=3).map(tuple),
    st.lists(st.binary(), max_size=3).map(tuple),
    st.lists(st.text(), max_size=2).map(tuple),
)


@given(message=MESSAGES)
def test_a_message_is_read_as_it_was_stored(message):
    assert message == decode_message(encode_message(message))


def test_what_a_later_gateway_adds_is_skipped():
    later = bytes((FORMAT,)) + msgspec.msgpack.encode((b"hi", ("a",), (STREAM,), (), (), "new", 1))

    assert Message(b"hi", ("a",), (STREAM,)) == decode_message(later)


@given(message=MESSAGES)
def test_only_a_message_that_leaves_out_rooms_is_of_a_format_that_earlier_gateways_do_not_read(message):
    stored = encode_message(message)
    plain = msgspec.msgpack.encode((message.payload, message.skip_sids, message.rooms))

    assert (stored == bytes((FORMAT,)) + plain) == (not message.except_rooms and not message.trace)
    assert (stored[0] == NARROWED_FORMAT) == bool(message.except_rooms)


class Untraced(msgspec.Struct, frozen=True, array_like=True):
    """A message as gateways read it that know no trace context."""

    payload: bytes
    skip_sids: tuple[str, ...] = ()
    rooms: tuple[bytes, ...] = ()
    except_rooms: tuple[bytes, ...] = ()


class Oldest(msgspec.Struct, frozen=True, array_like=True):
    """A message as gateways read it that cannot leave out rooms either; they refuse `NARROWED_FORMAT`."""

    payload: bytes
    skip_sids: tuple[str, ...] = ()
    rooms: tuple[bytes, ...] = ()


@given(message=MESSAGES)
def test_gateways_that_know_no_trace_context_read_all_the_rest(message):
    stored = encode_message(message)
    whole = (message.payload, message.skip_sids, message.rooms, message.except_rooms)

    assert Untraced(*whole) == msgspec.msgpack.decode(stored[1:], type=Untraced)
    if stored[0] == FORMAT:
        assert Oldest(*whole[:3]) == msgspec.msgpack.decode(stored[1:], type=Oldest)


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        bytes((NARROWED_FORMAT + 1,)) + msgspec.msgpack.encode((b"hi",)),
        bytes((FORMAT,)),
        bytes((FORMAT, 1)),
    ],
)
def test_what_cannot_be_read_says_so(blob):
    with pytest.raises(UnreadableEntry):
        decode_message(blob)


@given(position=st.integers(1, 10**14), blob=st.binary())
def test_a_push_is_epoch_position_and_message(position, blob):
    assert Push(b"e-p_1", position, STREAM, blob) == parse_push(STREAM, b"e-p_1 %d %s" % (position, blob))


@pytest.mark.parametrize("data", [b"", b"e 1", b"e x y", b"\xff 1 x"])
def test_what_is_no_push_is_refused(data):
    with pytest.raises(UnreadableEntry):
        parse_push(STREAM, data)
