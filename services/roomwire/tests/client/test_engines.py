"""What the Engine.IO clients add: a word in the query, and answers to polls with any number of packets."""

import pytest
from engineio import packet

from roomwire.client.engines import begun, said_in


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://here", "http://here?recovery=1"),
        ("https://here:8443/path?token=a%20b&x=", "https://here:8443/path?token=a%20b&x=&recovery=1"),
        ("http://here?recovery=0", "http://here?recovery=0"),
        ("http://here?a=1&recovery=", "http://here?a=1&recovery="),
    ],
)
def test_a_url_says_that_the_client_knows_recovery_unless_it_says_something_already(url, expected):
    assert expected == said_in(url)


@pytest.mark.parametrize("count", [1, 16, 17, 300])
def test_an_answer_with_too_many_packets_for_python_engineio_is_divided(count):
    texts = [f"4{number}" for number in range(count - 1)] + ["bAQI="]

    first, rest = begun("\x1e".join(texts).encode())

    assert max(0, count - 16) == len(first)
    assert texts[: len(first)] == [one.encode() for one in first]
    assert "\x1e".join(texts[len(first) :]).encode() == rest


def test_binary_packets_are_read_in_both_parts():
    first, _ = begun(b"\x1e".join([b"bAQI="] * 17))

    assert [(packet.MESSAGE, b"\1\2")] == [(one.packet_type, one.data) for one in first]
