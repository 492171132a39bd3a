"""Engine.IO polling payloads: what goes in comes out, and nothing lenient about it."""

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from roomwire.protocol.packets import BadEnginePacket, decode_payload, encode_payload, framed

MAX_PACKETS = 8


def payload_of(body: bytes) -> list[str | bytes]:
    return list(decode_payload(body, max_packets=MAX_PACKETS))


texts = st.text(st.characters(exclude_characters="\x1e", exclude_categories=["Cs"])).map("4".__add__)
packets = st.lists(texts | st.binary(), min_size=1, max_size=MAX_PACKETS)


@given(packets)
def test_a_payload_comes_back_as_it_was_sent(packets):
    assert packets == payload_of(encode_payload([framed(packet) for packet in packets]))


@given(st.binary())
@example(b"b\x1e")
@example(b"b=")
@example(b"bAQ")
@example("b\u0663".encode())
def test_any_body_is_packets_or_a_bad_packet(body):
    try:
        packets = payload_of(body)
    except BadEnginePacket:
        return
    assert packets == payload_of(encode_payload([framed(packet) for packet in packets]))


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
    assert packets == payload_of(body)


def test_as_many_packets_as_allowed_are_taken_and_any_number_of_messages():
    body = b"\x1e".join([b"3"] * MAX_PACKETS + [b"4", b"b"] * 1_000)
    assert ["3"] * MAX_PACKETS + ["4", b""] * 1_000 == payload_of(body)


def test_what_comes_before_a_malformed_packet_is_taken():
    taken = decode_payload(b"4a\x1ebAQ==\x1eb!", max_packets=MAX_PACKETS)
    assert ["4a", b"\1"] == [next(taken), next(taken)]
    with pytest.raises(BadEnginePacket):
        next(taken)


@pytest.mark.parametrize(
    ("body", "packet"),
    [
        pytest.param(b"bAQ", b"\1", id="no padding"),
        pytest.param(b"bAQ=", b"\1", id="half the padding"),
        pytest.param(b"bA Q==", b"\1", id="a space"),
        pytest.param(b"bAQ==\n", b"\1", id="a newline at the end"),
        pytest.param(b"bAQ\r\n==", b"\1", id="a line break"),
        pytest.param(b"b-_8=", b"\xfb\xff", id="the alphabet of URLs"),
    ],
)
def test_base64_is_taken_as_clients_of_the_field_write_it(body, packet):
    assert [packet] == payload_of(body)


@given(st.binary(max_size=2_000))
def test_base64_in_lines_is_what_it_is_without_them(data):
    """As the Java and Android client writes it: 76 characters a line, and one at the end."""
    assert [data, "4a"] == payload_of(b"b" + base64.encodebytes(data) + b"\x1e4a")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(
            b"\x1e".join([b"3"] * (MAX_PACKETS + 1)), "more than 8 non-message packets", id="one too many"
        ),
        pytest.param(b"\x1e" * 1_000_000, "more than 8 non-message packets", id="nothing but separators"),
        pytest.param(b"4\xff", "not UTF-8", id="not UTF-8"),
        pytest.param(b"4\xed\xa0\x80", "not UTF-8", id="half a surrogate pair"),
        pytest.param(b"b!!", "not base64", id="not base64"),
        pytest.param(b"bAQ==AQ==", "not base64", id="padding inside"),
        pytest.param("bAQ\u0663=".encode(), "not base64", id="a digit of another script"),
        pytest.param(b"4ok\x1eb!", "not base64", id="the second packet"),
    ],
)
def test_a_malformed_payload_is_refused(body, reason):
    with pytest.raises(BadEnginePacket, match=reason):
        payload_of(body)
