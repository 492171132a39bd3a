"""Reading a client's frames: however bytes are cut, and whatever they are."""

import itertools

import pytest
from fuzz.entry import DEFLATED, deflated, frame
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


def read(*parts: bytes, inflates: bool = False) -> list:
    """Return what a reader makes of bytes that come in parts: messages, and at most one error at the end."""
    found = []
    taking = FrameReader(max_message_bytes=MAX_BYTES, max_fragments=MAX_FRAGMENTS, inflates=inflates)
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
        reserved=st.sampled_from([0, 0, 0, DEFLATED]),
    ),
    max_size=8,
).map(b"".join)
cuts = st.lists(st.integers(0, 1_000), max_size=12)


@given(frames | st.binary(max_size=400), cuts, st.booleans())
def test_any_cutting_of_any_bytes_gives_the_same(data, places, inflates):
    whole = read(data, inflates=inflates)
    assert whole == read(*cut(data, places), inflates=inflates)
    assert whole == read(*(bytes([byte]) for byte in data), inflates=inflates)


@given(
    st.lists(
        st.tuples(st.sampled_from([Opcode.TEXT, Opcode.BINARY]), st.binary(max_size=MAX_BYTES)), max_size=5
    )
)
def test_what_was_framed_comes_back(messages):
    assert messages == read(b"".join(frame(kind, payload) for kind, payload in messages))


@given(st.binary(max_size=MAX_BYTES), st.lists(st.integers(0, 400), max_size=MAX_FRAGMENTS - 1))
def test_what_was_compressed_comes_back_in_as_many_frames_as_it_came(message, places):
    parts = cut(deflated(message), places)
    kinds = [Opcode.BINARY, *[Opcode.CONTINUATION] * (len(parts) - 1)]
    frames = [
        frame(kind, part, reserved=DEFLATED if kind else 0, is_last=number == len(parts))
        for number, (kind, part) in enumerate(zip(kinds, parts, strict=True), start=1)
    ]
    if len(deflated(message)) <= MAX_BYTES:
        assert [(Opcode.BINARY, message)] == read(b"".join(frames), inflates=True)


HELLO = deflated(b"hello")
TOO_BIG = (CloseCode.MESSAGE_TOO_BIG, Bound.MESSAGE_BYTES)


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        # RFC 7692, section 6: the first reserved bit is on the first frame of a data message.
        pytest.param([frame(1, HELLO, reserved=0x40)], b"hello", id="a text"),
        pytest.param([frame(2, HELLO, reserved=0x40)], b"hello", id="binary"),
        pytest.param([frame(1, b"hello")], b"hello", id="a message that is not compressed"),
        pytest.param(
            [frame(1, HELLO, reserved=0x40, is_last=False), frame(9, b""), frame(0, b"")],
            b"hello",
            id="a ping in between",
        ),
        pytest.param([frame(0, HELLO, reserved=0x40)], 1002, id="a continuation of nothing"),
        pytest.param(
            [frame(1, HELLO, reserved=0x40, is_last=False), frame(0, b"", reserved=0x40)],
            1002,
            id="a continuation",
        ),
        pytest.param(
            [frame(1, HELLO, is_last=False), frame(0, b"", reserved=0x40)], 1002, id="only a continuation"
        ),
        *(
            pytest.param([frame(kind, b"", reserved=0x40)], 1002, id=f"opcode {kind}")
            for kind in (3, 8, 9, 10, 11)
        ),
        *(
            pytest.param([frame(1, HELLO, reserved=bits)], 1002, id=f"reserved {bits:#x}")
            for bits in (0x20, 0x10, 0x60, 0x70)
        ),
        pytest.param([frame(1, b"\xff", reserved=0x40)], 1007, id="no compressed data"),
        pytest.param([frame(1, deflated(b"x" * MAX_BYTES), reserved=0x40)], b"x" * MAX_BYTES, id="the limit"),
        pytest.param(
            [frame(1, deflated(b"x" * (MAX_BYTES + 1)), reserved=0x40)], TOO_BIG, id="one byte more"
        ),
        pytest.param([frame(2, deflated(bytes(200_000)), reserved=0x40)], TOO_BIG, id="a bomb"),
        pytest.param([frame(2, b"\0" * (MAX_BYTES + 1), reserved=0x40)], TOO_BIG, id="too large as it comes"),
    ],
)
def test_where_compression_is_agreed_on_its_bit_has_its_place(frames, expected):
    last = read(*frames, inflates=True)[-1]
    if isinstance(expected, bytes):
        assert expected == last[1]
    else:
        assert (expected if isinstance(expected, tuple) else (expected, None)) == last
    if frames[0][0] & 0x70:
        # Without the agreement it is a violation of the protocol at once.
        assert [(CloseCode.PROTOCOL_ERROR, None)] == read(*frames)


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
