"""Frames are found exactly, alike or not, and however they are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomwire_loadtest.generator.scanner import BINARY, PING, TEXT, FrameError, Uniform, uniform_from, walk

EVENT = b'\x81\x1842["roomMessage","text"]'
PING_FRAME = b"\x81\x012"


def frame(payload: bytes, kind: int = TEXT) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((kind, size)) + payload
    if size < 65_536:
        return bytes((kind, 126)) + size.to_bytes(2, "big") + payload
    return bytes((kind, 127)) + size.to_bytes(8, "big") + payload


@given(st.lists(st.binary(max_size=300)), st.integers(0, 400))
def test_every_whole_frame_is_found_and_no_other(payloads, missing):
    data = b"".join(map(frame, payloads))
    cut = data[: max(0, len(data) - missing)]
    whole, at = [], 0
    for payload in payloads:
        at += len(frame(payload))
        if at <= len(cut):
            whole.append(payload)
    assert whole == [cut[body:end] for _, body, end in walk(cut, 0, len(cut))]


def test_a_frame_with_an_eight_byte_length_is_found():
    data = frame(b"x" * 70_000, BINARY)
    assert [(BINARY, 10, 70_010)] == list(walk(data, 0, len(data)))


@pytest.mark.parametrize("start", [b"\x01\x00", b"\x80\x00", b"\x83\x00", b"\x81\x80", b"\x81\xfe"])
def test_what_a_server_must_not_send_is_an_error(start):
    with pytest.raises(FrameError):
        list(walk(start + bytes(8), 0, 10))


def test_a_length_beyond_all_measure_is_an_error():
    data = b"\x81\x7f" + (1 << 40).to_bytes(8, "big")
    with pytest.raises(FrameError):
        list(walk(data, 0, len(data)))


@pytest.mark.parametrize("count", [0, 1, 2, 1_000])
@pytest.mark.parametrize("rest", [0, 1, 3, len(EVENT) - 1])
def test_frames_that_are_alike_are_counted_without_walking(count, rest):
    data = bytearray(b"in front" + EVENT * count + EVENT[:rest])
    assert count == Uniform(EVENT).count(data, 8, len(data))


@pytest.mark.parametrize(
    "other", [PING_FRAME, frame(b"2", PING), frame(b"43" + bytes(22)), frame(b"x" * 200)]
)
@pytest.mark.parametrize("place", range(4))
def test_one_frame_that_differs_makes_it_walk(other, place):
    frames = [EVENT] * 3
    frames.insert(place, other)
    data = bytearray(b"".join(frames) + EVENT * 4)
    assert 0 == Uniform(EVENT).count(data, 0, len(data))
    assert 8 == len(list(walk(data, 0, len(data))))


def test_the_pattern_is_taken_from_the_first_event():
    data = PING_FRAME + EVENT
    uniform = uniform_from(data, list(walk(data, 0, len(data))), b'42["roomMessage"')
    assert uniform is not None
    assert len(EVENT) == uniform.size


def test_large_events_have_no_pattern():
    data = frame(b'42["roomMessage","' + b"x" * 200)
    assert uniform_from(data, list(walk(data, 0, len(data))), b'42["roomMessage"') is None
