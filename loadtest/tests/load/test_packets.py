"""Frames and packets as servers send them, cut anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomwire_loadtest.load.packets import FrameReader, packet, said


def frame(payload):
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 1 << 16:
        return bytes((0x81, 126)) + size.to_bytes(2, "big") + payload
    return bytes((0x81, 127)) + size.to_bytes(8, "big") + payload


@given(st.lists(st.sampled_from([0, 1, 125, 126, 65_535, 65_536]), max_size=4), st.integers(1, 70_000))
def test_frames_come_out_whole_wherever_the_bytes_are_cut(sizes, step):
    payloads = [bytes([number]) * size for number, size in enumerate(sizes)]
    data = b"".join(frame(payload) for payload in payloads)
    step = max(step, len(data) // 200 + 1)
    reader = FrameReader()
    got = [one for at in range(0, len(data), step) for one in reader.feed(data[at : at + step])]
    assert [(1, payload) for payload in payloads] == got


def test_a_fragment_is_refused():
    with pytest.raises(ValueError, match="a fragment"):
        list(FrameReader().feed(b"\x01\x00"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('40{"sid":"a"}', (0, None, {"sid": "a"})),
        ('4317["done"]', (3, 17, ["done"])),
        ('42["x","e.1"]', (2, None, ["x", "e.1"])),
        ("41", (1, None, None)),
        ("2", None),
    ],
)
def test_packets(text, expected):
    assert expected == packet(text)


def test_what_the_chat_says_of_a_run_is_told_from_everything_else():
    assert ("den", "a#1", 1, 5.25) == said("[a in den] a#1 1 5.250")
    assert said("a has joined room den") is None
