"""The reasons why requests and connections are refused, and the answers to their clients. Pure.

Its neighbour `roomwire.serving.http` refuses them.
"""

import enum
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Final

from roomwire.limits.connections import Full
from roomwire.protocol.answers import RETRY_LATER, Header, assembled, closing_headers


class HttpRefusal(enum.StrEnum):
    """Why a connection is closed: the label of `roomwire_http_refused_total`."""

    HEADER_BYTES = "header_bytes"
    URL_BYTES = "url_bytes"
    HEADERS = "headers"
    HEADER_TIMEOUT = "header_timeout"
    BODY_TIMEOUT = "body_timeout"
    UNREAD = "unread"
    PIPELINED_REQUESTS = "pipelined_requests"
    MALFORMED = "malformed"
    CONNECTIONS = Full.CONNECTIONS
    CONNECTIONS_PER_ADDRESS = Full.CONNECTIONS_PER_ADDRESS
    MEMORY = Full.MEMORY


_STATUS: Final[Mapping[HttpRefusal, HTTPStatus]] = {
    HttpRefusal.HEADER_BYTES: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    HttpRefusal.URL_BYTES: HTTPStatus.REQUEST_URI_TOO_LONG,
    HttpRefusal.HEADERS: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    HttpRefusal.HEADER_TIMEOUT: HTTPStatus.REQUEST_TIMEOUT,
    HttpRefusal.BODY_TIMEOUT: HTTPStatus.REQUEST_TIMEOUT,
    HttpRefusal.PIPELINED_REQUESTS: HTTPStatus.TOO_MANY_REQUESTS,
    HttpRefusal.MALFORMED: HTTPStatus.BAD_REQUEST,
    HttpRefusal.CONNECTIONS: HTTPStatus.SERVICE_UNAVAILABLE,
    HttpRefusal.CONNECTIONS_PER_ADDRESS: HTTPStatus.SERVICE_UNAVAILABLE,
    HttpRefusal.MEMORY: HTTPStatus.SERVICE_UNAVAILABLE,
}


def refusal_answer(refusal: HttpRefusal, default_headers: Iterable[Header]) -> bytes:
    """Return a complete answer that is not cached and after which the connection is closed."""
    status = _STATUS[refusal]
    body = f"{status.phrase}\n".encode()
    headers = [*default_headers, *closing_headers(body, "text/plain; charset=utf-8")]
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append(RETRY_LATER)
    return assembled(status, headers, body)
