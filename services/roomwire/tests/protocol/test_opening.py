"""A WebSocket's request: RFC 6455, section 4.2.1, and whatever else may come in its place."""

import pytest
from fuzz.entry import REQUEST
from hypothesis import given
from hypothesis import strategies as st

from roomwire.protocol.opening import BadUpgrade, read_upgrade
from roomwire.protocol.sources import Proxies

PEER = ("203.0.113.9", 1)


def opened(request: bytes):
    return read_upgrade(request, PEER, scheme="http", proxies=Proxies())


def status(request: bytes) -> int:
    """Return what a request is answered with."""
    try:
        found = opened(request)
        answer = found.answer_with(found.protocol)
    except BadUpgrade as error:
        answer = error.answer
    assert answer.startswith(b"HTTP/1.1 ")
    assert b"\r\n\r\n" in answer
    return int(answer[9:12])


def test_a_good_request_is_accepted_with_the_key_of_the_rfcs_example():
    request = REQUEST.replace(b"AAAAAAAAAAAAAAAAAAAAAA==", b"dGhlIHNhbXBsZSBub25jZQ==") + b"rest"
    found = opened(request)
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in found.answer_with(found.protocol)
    assert b"rest" == found.rest
    assert ("/socket.io/", "EIO=4&transport=websocket") == (
        found.environ["PATH_INFO"],
        found.environ["QUERY_STRING"],
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(b"Upgrade: websocket", b"Upgrade: WebSocket", 101, id="upper case"),
        pytest.param(b"Upgrade: websocket", b"upgrade: websocket", 101, id="lower case names"),
        pytest.param(b"Upgrade: websocket", b"Upgrade: h2c, websocket", 101, id="several protocols"),
        pytest.param(b"Connection: Upgrade", b"Connection: keep-alive, Upgrade", 101, id="several values"),
        pytest.param(
            b"Connection: Upgrade", b"Connection: keep-alive\r\nConnection: upgrade", 101, id="twice"
        ),
        pytest.param(b"Connection: Upgrade", b"Connection: UPGRADE", 101, id="connection in upper case"),
        pytest.param(b"Version: 13", b"Version:13", 101, id="no space"),
        pytest.param(b"Version: 13", b"Version: \t13 ", 101, id="more space"),
        pytest.param(b"Connection: Upgrade", b"Connection: keep-alive", 400, id="no connection value"),
        pytest.param(b"Connection: Upgrade", b"Connection: upgraded", 400, id="another connection value"),
        pytest.param(b"Upgrade: websocket\r\n", b"", 400, id="no upgrade"),
        pytest.param(b"Upgrade: websocket", b"Upgrade: h2c", 400, id="another upgrade"),
        pytest.param(b"Version: 13", b"Version: 8", 426, id="version 8"),
        pytest.param(b"Version: 13", b"Version: 99", 426, id="version 99"),
        pytest.param(b"Version: 13", b"Version: 13\r\nSec-WebSocket-Version: 13", 426, id="two versions"),
        pytest.param(b"Sec-WebSocket-Version: 13\r\n", b"", 426, id="no version"),
        pytest.param(b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n", b"", 400, id="no key"),
        pytest.param(b"AAAAAAAAAAAAAAAAAAAAAA==", b"", 400, id="an empty key"),
        pytest.param(b"AAAAAAAAAAAAAAAAAAAAAA==", b"AAAA", 400, id="a short key"),
        pytest.param(b"AAAAAAAAAAAAAAAAAAAAAA==", b"A" * 32, 400, id="a long key"),
        pytest.param(b"AAAAAAAAAAAAAAAAAAAAAA==", b"!" * 24, 400, id="no base64"),
        pytest.param(b"AAAAAAAAAAAAAAAAAAAAAA==", b"\xff" * 24, 400, id="no ASCII"),
        pytest.param(b"HTTP/1.1", b"HTTP/1.0", 400, id="HTTP/1.0"),
        pytest.param(b"GET ", b"POST ", 405, id="POST"),
        pytest.param(b"GET ", b"get ", 405, id="get"),
        pytest.param(b" HTTP/1.1", b"", 400, id="no version of HTTP"),
        pytest.param(b"GET ", b"GET  ", 400, id="two spaces"),
        pytest.param(b"\r\n\r\n", b"\r\n", 400, id="half a head"),
    ],
)
def test_the_handshake(old, new, expected):
    assert old in REQUEST
    assert expected == status(REQUEST.replace(old, new))


@given(st.binary(max_size=400))
def test_any_bytes_are_an_upgrade_or_a_refusal(data):
    assert status(data) in {101, 400, 405, 426}


@given(st.data())
def test_any_change_of_a_request_is_an_upgrade_or_a_refusal(data):
    place = data.draw(st.integers(0, len(REQUEST)))
    end = place + data.draw(st.integers(0, 20))
    assert status(REQUEST[:place] + data.draw(st.binary(max_size=20)) + REQUEST[end:]) in {101, 400, 405, 426}


@given(
    st.lists(
        st.tuples(
            st.text("abcXYZ-_09", min_size=1),
            st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"])),
        )
    )
)
def test_headers_come_out_with_their_values(headers):
    lines = "".join(f"x-{name}: {value}\r\n" for name, value in headers).encode("latin-1")
    environ = opened(REQUEST[:-2] + lines + b"\r\n").environ
    for name, value in headers:
        key = f"HTTP_X_{name.upper().replace('-', '_')}"
        assert value.strip(" \t") in environ[key]
