"""What two nodes say to each other before anything is relayed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomwire.relay.proof import (
    ENVELOPE_BYTES,
    HELLO_BYTES,
    MAX_ORIGIN_BYTES,
    WELCOME_BYTES,
    BadProof,
    Proof,
    RelayRequest,
)

SECRET = "s" * 32
REQUEST = RelayRequest("2001:db8::7", 4711, "https", b"GET /socket.io/?sid=n2.x HTTP/1.1\r\nHost: a\r\n\r\n")
MINE = Proof(SECRET, "n2.abc")
OTHERS = [
    pytest.param(Proof("t" * 32, "n2.abc"), id="another secret"),
    pytest.param(Proof(SECRET, "n2.abd"), id="another incarnation"),
    pytest.param(Proof(SECRET, "n3.abc"), id="another node"),
]


def greeted(caller=MINE, listener=MINE):
    hello, nonce = caller.hello()
    welcome, nonces = listener.welcome(hello)
    return nonce, welcome, nonces


def test_a_request_arrives_as_it_was():
    nonce, welcome, nonces = greeted()
    said = MINE.request(nonce, welcome, REQUEST)
    envelope, body = said[:ENVELOPE_BYTES], said[ENVELOPE_BYTES:]

    assert WELCOME_BYTES == len(welcome)
    assert len(body) == MINE.request_bytes(envelope, max_head_bytes=1_000)
    assert REQUEST == MINE.read(nonces, envelope, body)


@pytest.mark.parametrize("other", OTHERS)
def test_a_listener_answers_no_other(other):
    with pytest.raises(BadProof):
        greeted(caller=other)


@pytest.mark.parametrize("other", OTHERS)
def test_a_caller_tells_no_other(other):
    hello, nonce = MINE.hello()
    welcome, _ = MINE.welcome(hello)
    with pytest.raises(BadProof):
        other.request(nonce, welcome, REQUEST)


@given(st.binary(min_size=HELLO_BYTES, max_size=HELLO_BYTES))
def test_no_bytes_of_a_stranger_are_a_hello(hello):
    with pytest.raises(BadProof):
        MINE.welcome(hello)


@given(st.binary(min_size=WELCOME_BYTES, max_size=WELCOME_BYTES))
def test_no_bytes_of_a_stranger_are_a_welcome(welcome):
    with pytest.raises(BadProof):
        MINE.request(MINE.hello()[1], welcome, REQUEST)


@given(st.data())
def test_a_bit_that_was_turned_over_on_the_way_is_found(data):
    nonce, welcome, nonces = greeted()
    said = bytearray(MINE.request(nonce, welcome, REQUEST))
    at = data.draw(st.integers(4, len(said) - 1))
    said[at] ^= 1 << data.draw(st.integers(0, 7))

    with pytest.raises(BadProof):
        MINE.read(nonces, bytes(said[:ENVELOPE_BYTES]), bytes(said[ENVELOPE_BYTES:]))


def test_what_was_said_once_counts_on_no_other_connection():
    nonce, welcome, _ = greeted()
    said = MINE.request(nonce, welcome, REQUEST)
    _, _, nonces = greeted()

    with pytest.raises(BadProof):
        MINE.read(nonces, said[:ENVELOPE_BYTES], said[ENVELOPE_BYTES:])


def test_a_request_is_no_longer_than_it_may_be():
    envelope = (100 + MAX_ORIGIN_BYTES).to_bytes(4, "big") + bytes(ENVELOPE_BYTES - 4)

    assert 100 + MAX_ORIGIN_BYTES == MINE.request_bytes(envelope, max_head_bytes=100)
    with pytest.raises(BadProof):
        MINE.request_bytes(envelope, max_head_bytes=99)
