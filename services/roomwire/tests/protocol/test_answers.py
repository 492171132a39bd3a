"""HTTP answers as bytes."""

from http import HTTPStatus

import pytest

from roomwire.protocol.answers import acceptance, assembled, closing_headers, denial, http_answer


def test_an_answer_closes_the_connection_and_is_kept_by_no_cache():
    expected = (
        b"HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
        b"Cache-Control: no-store\r\nConnection: close\r\n\r\n{}"
    )

    assert expected == http_answer(HTTPStatus.METHOD_NOT_ALLOWED, b"{}", (b"Allow", b"GET"))


def test_closing_headers_are_those_of_an_asgi_application():
    expected = [
        (b"content-type", b"text/plain"),
        (b"content-length", b"3"),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]

    assert expected == closing_headers(b"abc", "text/plain")


def test_a_denial_has_the_applications_headers_but_those_of_one_connection():
    headers = [(b"X-A", b"1"), (b"connection", b"keep-alive"), (b"Content-Length", b"9")]

    assert b"HTTP/1.1 404 Not Found\r\nX-A: 1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno" == denial(
        404, headers, b"no"
    )


def test_a_denial_without_such_a_status_is_refused():
    with pytest.raises(ValueError, match="999"):
        denial(999, [], b"")


def test_an_acceptance_has_no_body_and_no_length():
    expected = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: a2V5\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
    )

    assert expected == acceptance(b"a2V5", [(b"Sec-WebSocket-Protocol", b"chat")])


@pytest.mark.parametrize("header", [(b"X-A", b"1\r\nX-B: 2"), (b"X\nA", b"1"), (b"X-A", b"\0")])
def test_a_header_that_breaks_its_line_is_refused(header):
    with pytest.raises(ValueError, match="line breaks"):
        assembled(HTTPStatus.OK, [header])
