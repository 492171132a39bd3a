"""Reading a client's frames: however bytes are cut, and whatever they are."""

import itertools

import pytest
from fuzz.entry import frame
from hypothesis import example, given
from hypothesis import strategies as st

from roomwire.limits.bounds import Bound
from roomwire.protocol.reader import (
    FRAGMENT_BYTES,
    CloseCode,
    FrameError,
    FrameReader,
    Opcode,
    close_answer,
    short_texts,
)

MAX_BYTES = 300
MAX_FRAGMENTS = 4


def reader() -> FrameReader:
    return FrameReader(max_message_bytes=MAX_BYTES, max_fragments=MAX_FRAGMENTS)


def read(*parts: bytes) -> list:
    """Return what a reader makes of bytes that come in parts: messages, and at most one error at the end."""
    found, taking = [], reader()
    try:
        for part in parts:
            # No message is ever larger than allowed, and no more is kept than one frame with its head.
            for message in taking.feed(part):
                found.append((message.kind, message.payload))
                assert len(message.payload) <= MAX_BYTES
            assert len(taking._buffer) <= MAX_BYTES + 14
            assert taking._fragments_bytes <= MAX_BYTES
            assert len(taking._fragments) <= MAX_FRAGMENTS
            assert MAX_BYTES < FRAGMENT_BYTES
    except FrameError as error:
        found.append((error.code, error.exceeded))
    return found


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(bounds)]


frames = st.lists(
    st.builds(
        frame,
        st.sampled_from(list(Opcode)),
        st.binary(max_size=130) | st.binary(min_size=MAX_BYTES - 2, max_size=MAX_BYTES + 2),
        is_last=st.booleans(),
    ),
    max_size=8,
).map(b"".join)
cuts = st.lists(st.integers(0, 1_000), max_size=12)


@given(frames | st.binary(max_size=400), cuts)
def test_any_cutting_of_any_bytes_gives_the_same(data, places):
    assert read(data) == read(*cut(data, places)) == read(*(bytes([byte]) for byte in data))


@given(
    st.lists(
        st.tuples(st.sampled_from([Opcode.TEXT, Opcode.BINARY]), st.binary(max_size=MAX_BYTES)), max_size=5
    )
)
def test_what_was_framed_comes_back(messages):
    assert messages == read(b"".join(frame(kind, payload) for kind, payload in messages))


short_text = st.text(max_size=30).map(lambda text: frame(1, text.encode()))


@given(st.binary(max_size=140) | st.lists(short_text | st.binary(max_size=9), max_size=5).map(b"".join))
@example(frame(1, b"\xff"))
@example(frame(1, b"x") + frame(1, b"\xff"))
@example(frame(1, b"x") + b"\x81")
@example(frame(1, b"x")[:-1])
@example(frame(1, b""))
@example(frame(1, b"x") * 3)
@example(frame(2, b"x"))
@example(frame(1, b"x", is_last=False))
@example(b"\x81\x05\0\0\0\0hello")
@example(b"\x81\x05hello world")
def test_texts_taken_at_once_are_what_the_reader_makes_of_them(data):
    texts = short_texts(data)
    found = read(data)
    if texts is not None:
        assert [(Opcode.TEXT, text.encode()) for text in texts] == found
    else:
        # What was left to the reader is no row of whole texts.
        is_all_texts = all(kind is Opcode.TEXT and _is_utf8(payload) for kind, payload in found)
        assert not is_all_texts or len(data) != sum(len(payload) + 6 for _, payload in found)


def _is_utf8(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize(
    ("parts", "bound"),
    [
        ([frame(2, b"x" * (MAX_BYTES + 1))], Bound.MESSAGE_BYTES),
        ([frame(2, b"x" * MAX_BYTES, is_last=False), frame(0, b"x", is_last=False)], Bound.MESSAGE_BYTES),
        ([frame(2, b"", is_last=False)] + [frame(0, b"", is_last=False)] * MAX_FRAGMENTS, Bound.FRAGMENTS),
    ],
)
def test_the_bound_that_is_exceeded_is_named(parts, bound):
    assert [(CloseCode.MESSAGE_TOO_BIG, bound)] == read(*parts)


@pytest.mark.parametrize(
    ("size", "is_taken"), [(FRAGMENT_BYTES, True), (60_000, True), (FRAGMENT_BYTES // 2, False), (0, False)]
)
def test_the_number_of_frames_follows_what_they_carry(size, is_taken):
    taking = FrameReader(max_message_bytes=50_000_000, max_fragments=MAX_FRAGMENTS)
    parts = [frame(2, b"", is_last=False), *[frame(0, b"x" * size, is_last=False)] * 69, frame(0, b"")]
    data = b"".join(parts)
    if is_taken:
        assert [(Opcode.BINARY, b"x" * size * 69)] == list(taking.feed(data))
    else:
        with pytest.raises(FrameError) as refused:
            list(taking.feed(data))
        assert Bound.FRAGMENTS == refused.value.exceeded


@given(st.binary(max_size=125))
def test_any_close_is_answered_with_a_code_that_may_be_sent(payload):
    assert close_answer(payload) in {1000, 1001, 1002, 1003, *range(1007, 1015), *range(3_000, 5_000)}
