"""What of a client's request goes on."""

import pytest

from roomwire.relay.head import polling_head, websocket_head

HEADERS = [
    (b"host", b"chat.example"),
    (b"cookie", b"sid=secret"),
    (b"authorization", b"Bearer secret"),
    (b"content-length", b"7"),
    (b"transfer-encoding", b"chunked"),
    (b"expect", b"100-continue"),
    (b"connection", b"keep-alive"),
    (b"upgrade", b"h2c"),
    (b"origin", b"https://chat.example"),
    (b"x-forwarded-for", b"192.0.2.1"),
    (b"x_forwarded_for", b"192.0.2.9"),
    (b"x-roomwire", b"x"),
]


def scope(method):
    return {
        "method": method,
        "raw_path": b"/socket.io/",
        "query_string": b"EIO=4&transport=polling&sid=n2.abc",
        "headers": HEADERS,
    }


@pytest.mark.parametrize(
    ("method", "believed", "expected"),
    [
        pytest.param("GET", True, [b"x-forwarded-for: 192.0.2.1", b"Connection: close"], id="of a proxy"),
        pytest.param("GET", False, [b"Connection: close"], id="of a stranger"),
        pytest.param("POST", False, [b"Connection: close", b"Transfer-Encoding: chunked"], id="with a body"),
    ],
)
def test_of_a_polling_request_goes_on_where_it_comes_from(method, believed, expected):
    head = polling_head(scope(method), believes=lambda name: believed or "forwarded" not in name)

    first = method.encode() + b" /socket.io/?EIO=4&transport=polling&sid=n2.abc HTTP/1.1"
    lines = [first, b"host: chat.example", b"origin: https://chat.example", *expected]
    assert b"\r\n".join([*lines, b"", b""]) == head


def test_of_a_websocket_its_handshake_goes_on_too():
    request = (
        b"GET /socket.io/?EIO=4&transport=websocket&sid=n2.abc HTTP/1.1\r\nHost: chat.example\r\nCookie: a=b\r\n"
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: abc==\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Protocol: x, y\r\nSec-WebSocket-Extensions: permessage-deflate\r\nContent-Length: 3\r\n\r\nabc"
    )

    assert websocket_head(request, believes=lambda _: True) == (
        b"GET /socket.io/?EIO=4&transport=websocket&sid=n2.abc HTTP/1.1\r\nHost: chat.example\r\n"
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: abc==\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Protocol: x, y\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    )
