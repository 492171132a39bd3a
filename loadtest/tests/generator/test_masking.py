"""A client's frames are masked as RFC 6455 demands, also those whose time is put in later."""

import pytest

from roomwire_loadtest.generator.masking import PONG, StampedFrame, masked


def unmasked(frame: bytes) -> bytes:
    assert frame[1] & 0x80
    at = 4 if frame[1] & 0x7F == 126 else 2
    size = int.from_bytes(frame[2:4], "big") if at == 4 else frame[1] & 0x7F
    key, payload = frame[at : at + 4], frame[at + 4 :]
    assert any(key)
    assert size == len(payload)
    return bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))


@pytest.mark.parametrize("size", [0, 1, 125, 126, 4_000])
def test_a_payload_survives(size):
    payload = bytes(number % 251 for number in range(size))
    assert payload == unmasked(masked(payload))


def test_the_kind_is_in_the_first_byte():
    assert PONG == masked(b"", PONG)[0]


def test_what_is_too_long_is_refused():
    with pytest.raises(ValueError, match="64 KiB"):
        masked(bytes(70_000))


@pytest.mark.parametrize("before", [b"", b"a", b"ab", b"abc", b"abcd", bytes(150)])
def test_a_stamp_stands_where_it_belongs_in_every_phase_of_the_mask(before):
    frame = StampedFrame(before, b" after")
    for time_ns in (0, 7, 1_234_567_890_123_456):
        assert before + b"%016d" % time_ns + b" after" == unmasked(frame.at(time_ns))
