"""Frames of a server, read back by the `websockets` library, which shares no code with ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from roomwire.frames import Shared, binary_frame, text_frame

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


@given(st.text())
def test_a_shared_text_is_its_text_everywhere(text):
    shared = Shared(text)
    assert text == shared
    assert hash(text) == hash(shared)
    assert {text: 1}[shared] == 1
    assert text.encode() == shared.encode()
    assert [text] == [f"{shared}"]


@given(st.text())
def test_a_shared_text_carries_the_frame_of_its_text(text):
    assert Frame(Opcode.TEXT, text.encode(), fin=True) == parsed(Shared(text).frame)
