"""Engine.IO polling payloads: what goes in comes out, and nothing lenient about it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from roomwire.engine.packets import BadPacket, decode_payload, encode_payload, framed

MAX_PACKETS = 8

texts = st.text(st.characters(exclude_characters="\x1e", exclude_categories=["Cs"])).map("4".__add__)
packets = st.lists(texts | st.binary(), min_size=1, max_size=MAX_PACKETS)


@given(packets)
def test_a_payload_comes_back_as_it_was_sent(packets):
    assert packets == decode_payload(
        encode_payload([framed(packet) for packet in packets]), max_packets=MAX_PACKETS
    )


@given(st.binary())
@example(b"b\x1e")
@example(b"b=")
@example(b"bAQ")
@example("b\u0663".encode())
def test_any_body_is_packets_or_a_bad_packet(body):
    try:
        packets = decode_payload(body, max_packets=MAX_PACKETS)
    except BadPacket:
        return
    assert packets == decode_payload(
        encode_payload([framed(packet) for packet in packets]), max_packets=MAX_PACKETS
    )


@pytest.mark.parametrize(
    ("packets", "body"),
    [
        pytest.param(["4a"], b"4a", id="one"),
        pytest.param(["4a", "2", "4b"], b"4a\x1e2\x1e4b", id="several"),
        pytest.param(["4a", b"\1\2\3\4"], b"4a\x1ebAQIDBA==", id="binary"),
        pytest.param([b""], b"b", id="empty binary"),
        pytest.param([b"\xfb\xff"], b"b+/8=", id="the standard alphabet"),
        pytest.param(["4\u20ac\U0001f600"], "4\u20ac\U0001f600".encode(), id="UTF-8"),
    ],
)
def test_payloads_look_as_the_protocol_says(packets, body):
    assert body == encode_payload([framed(packet) for packet in packets])
    assert packets == decode_payload(body, max_packets=MAX_PACKETS)


def test_as_many_packets_as_allowed_are_taken():
    assert ["4"] * MAX_PACKETS == decode_payload(b"\x1e".join([b"4"] * MAX_PACKETS), max_packets=MAX_PACKETS)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"\x1e".join([b"4"] * (MAX_PACKETS + 1)), "more than 8 packets", id="one too many"),
        pytest.param(b"\x1e" * 1_000_000, "more than 8 packets", id="nothing but separators"),
        pytest.param(b"4\xff", "no UTF-8", id="no UTF-8"),
        pytest.param(b"4\xed\xa0\x80", "no UTF-8", id="half a surrogate pair"),
        pytest.param(b"b!!", "no base64", id="no base64"),
        pytest.param(b"bAQ", "no base64", id="no padding"),
        pytest.param(b"bAQ=", "no base64", id="half the padding"),
        pytest.param(b"bAQ==AQ==", "no base64", id="padding inside"),
        pytest.param(b"bA Q==", "no base64", id="a space"),
        pytest.param(b"bAQ==\n", "no base64", id="a newline"),
        pytest.param(b"b-_8=", "no base64", id="the URL alphabet"),
        pytest.param("bAQ\u0663=".encode(), "no base64", id="a digit of another script"),
        pytest.param(b"4ok\x1eb!", "no base64", id="the second packet"),
    ],
)
def test_a_malformed_payload_is_refused(body, reason):
    with pytest.raises(BadPacket, match=reason):
        decode_payload(body, max_packets=MAX_PACKETS)
