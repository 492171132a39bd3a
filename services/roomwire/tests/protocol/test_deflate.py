"""permessage-deflate (RFC 7692): which offers are accepted, and how far a message grows."""

import contextlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomwire.protocol.deflate import MOST_BYTES, WINDOW_BITS, BadDeflate, agreement, deflated, inflated
from roomwire.protocol.extensions import offered_extensions
from roomwire.protocol.frames import binary_frame, payload_of, text_frame

AGREED = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
WITH_WINDOW = f"{AGREED}; server_max_window_bits={WINDOW_BITS}"


@pytest.mark.parametrize(
    ("offers", "answer"),
    [
        # What browsers, ws, websockets and Go's gorilla offer.
        ("permessage-deflate; client_max_window_bits", AGREED),
        ("permessage-deflate; server_max_window_bits=12; client_max_window_bits=12", WITH_WINDOW),
        ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", AGREED),
        ("permessage-deflate", AGREED),
        # RFC 7692, section 7.1: a parameter that an offer may have.
        ("permessage-deflate; client_max_window_bits=8", AGREED),
        ("permessage-deflate; client_max_window_bits=15", AGREED),
        ('permessage-deflate; server_max_window_bits="15"', WITH_WINDOW),
        # The first offer that can be accepted, beside what is declined.
        ("x-webkit-deflate-frame, permessage-deflate", AGREED),
        ("permessage-deflate; server_max_window_bits=10, permessage-deflate", AGREED),
        ("permessage-deflate; new_parameter, permessage-deflate; server_max_window_bits=13", WITH_WINDOW),
        # A window that is too small.
        ("permessage-deflate; server_max_window_bits=11", ""),
        ("permessage-deflate; server_max_window_bits=8", ""),
        # What no offer may have.
        ("permessage-deflate; server_max_window_bits", ""),
        ("permessage-deflate; server_max_window_bits=16", ""),
        ("permessage-deflate; server_max_window_bits=012", ""),
        ("permessage-deflate; client_max_window_bits=7", ""),
        ("permessage-deflate; client_max_window_bits=16", ""),
        ("permessage-deflate; client_max_window_bits=08", ""),
        ("permessage-deflate; server_no_context_takeover=1", ""),
        ("permessage-deflate; client_no_context_takeover=true", ""),
        ("permessage-deflate; client_max_window_bits; client_max_window_bits=10", ""),
        ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", ""),
        ("permessage-deflate; Server_no_context_takeover", ""),
        ("permessage-deflate; unknown", ""),
        ("permessage-bzip2", ""),
    ],
)  # fmt: skip
def test_the_first_acceptable_offer_is_accepted_without_a_context_of_either_side(offers, answer):
    assert answer == agreement(offered_extensions(offers))


messages = st.binary(max_size=2_000) | st.text(max_size=300).map(lambda text: (text * 20).encode())


@given(messages, st.sampled_from([text_frame, binary_frame]))
def test_a_message_comes_back_from_a_shorter_frame_or_is_not_compressed(message, framed):
    frame = framed(message)
    made = deflated(frame)
    if made is not frame:
        assert len(made) < len(frame)
        # The first reserved bit, and whatever the first byte was.
        assert frame[0] | 0x40 == made[0]
        assert message == inflated(payload_of(made), max_bytes=len(message))
        # As any client decompresses it, with the window that was agreed on.
        assert message == zlib.decompressobj(-WINDOW_BITS).decompress(payload_of(made) + b"\x00\x00\xff\xff")


def test_a_message_that_does_not_shrink_and_one_that_would_take_long_are_sent_as_they_are():
    for payload in (b"", b"4", bytes(range(256)), b"x" * (MOST_BYTES + 1)):
        frame = binary_frame(payload)
        assert frame is deflated(frame)
    assert len(deflated(binary_frame(b"x" * MOST_BYTES))) < 2_000


@given(st.binary(max_size=600), st.integers(0, 300))
def test_whatever_is_decompressed_is_at_most_one_byte_beyond_the_maximum(payload, most):
    with contextlib.suppress(BadDeflate):
        assert len(inflated(payload, max_bytes=most)) <= most + 1


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        # The examples of RFC 7692, section 7.2.3.
        pytest.param("f248cdc9c90700", b"Hello", id="one block"),
        pytest.param("000500faff48656c6c6f00", b"Hello", id="a block without compression"),
        pytest.param("f348cdc9c9070000", b"Hello", id="the last block"),
        pytest.param("f24805000000ffffcac9c90700", b"Hello", id="two blocks"),
        pytest.param("00", b"", id="an empty message"),
        pytest.param("", b"", id="nothing"),
    ],
)
def test_the_examples_of_the_rfc_are_read(payload, message):
    assert message == inflated(bytes.fromhex(payload), max_bytes=10)


@pytest.mark.parametrize(
    "payload",
    ["ff", "07", "f348cdc9c90700", "f348cdc9c907000000", "0300" * 1_000],
    ids=["no block", "a reserved block", "nothing after the last block", "more after it", "many last blocks"],
)
def test_other_data_is_refused(payload):
    with pytest.raises(BadDeflate):
        inflated(bytes.fromhex(payload), max_bytes=1_000)


def test_a_bomb_ends_at_the_maximum():
    compressor = zlib.compressobj(wbits=-15)
    bomb = compressor.compress(bytes(50_000_000)) + compressor.flush(zlib.Z_SYNC_FLUSH)
    assert len(bomb) < 60_000
    assert 1_001 == len(inflated(bomb[:-4], max_bytes=1_000))
