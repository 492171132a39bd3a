"""Frames of a server, read back by the `websockets` library, which shares no code with ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from roomwire.protocol.frames import (
    binary_frame,
    close_frame,
    is_text_frame,
    message_of,
    pong_frame,
    text_frame,
)

LENGTHS = [0, 1, 125, 126, 127, 65_535, 65_536, 1_000_000]


def parsed(data: bytes) -> Frame:
    """Return the one frame in the data, read as a client reads it."""
    reader = StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    parsing = Frame.parse(reader.read_exact, mask=False, max_size=None)
    with pytest.raises(StopIteration) as done:
        next(parsing)
    assert b"" == reader.buffer
    frame: Frame = done.value.value
    return frame


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(
    ("make", "opcode"),
    [
        pytest.param(text_frame, Opcode.TEXT, id="text"),
        pytest.param(binary_frame, Opcode.BINARY, id="binary"),
    ],
)
def test_a_frame_of_any_length_is_one_final_frame_with_its_payload(make, opcode, length):
    payload = b"x" * length
    assert Frame(opcode, payload, fin=True) == parsed(make(payload))


@pytest.mark.parametrize(
    ("length", "header"),
    [
        pytest.param(125, b"\x81\x7d", id="the largest of one byte"),
        pytest.param(126, b"\x81\x7e\x00\x7e", id="the smallest of three bytes"),
        pytest.param(65_535, b"\x81\x7e\xff\xff", id="the largest of three bytes"),
        pytest.param(65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00", id="the smallest of nine bytes"),
    ],
)
def test_a_length_is_written_as_short_as_the_rfc_demands(length, header):
    assert header == text_frame(b"x" * length)[: len(header)]


@given(st.text() | st.binary(max_size=70_000))
def test_a_message_comes_out_of_its_frame_as_it_went_in(message):
    is_text = isinstance(message, str)
    frame = text_frame(message.encode()) if is_text else binary_frame(message)
    assert (message, is_text) == (message_of(frame), is_text_frame(frame))


@given(st.binary(max_size=125))
def test_a_pong_carries_what_the_ping_did(payload):
    assert Frame(Opcode.PONG, payload, fin=True) == parsed(pong_frame(payload))


@given(st.integers(1000, 4999))
def test_a_close_carries_its_code(code):
    assert Frame(Opcode.CLOSE, code.to_bytes(2, "big"), fin=True) == parsed(close_frame(code))
