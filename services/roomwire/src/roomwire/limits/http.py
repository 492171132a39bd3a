"""The limits on what one listener accepts from strangers, which `roomwire.serving.http` enforces. Each is a setting of the same name."""

from typing import Final

import msgspec

MAX_TOKEN_BYTES: Final = 12_288
"""The default maximum length of a token. A token in a header or URL must also fit the limits below."""


class HttpLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits on what one listener accepts from strangers.

    Attributes:
        max_header_bytes: Maximum size of the request line, headers and trailers of a request; more is answered with 431.
        max_url_bytes: Maximum length of the request's target; more is answered with 414.
        max_headers: Maximum number of headers and trailers of a request; more are answered with 431.
        max_pipelined_requests: Maximum number of requests of one connection that wait for the answer to an earlier one; more
            close the connection.
        header_timeout_s: Time limit from the first byte of a request (for the first request, from the opening of the connection)
            to the end of its headers; after it the answer is 408.
        body_timeout_s: Time limit from the end of a request's headers to the end of its body, not counting the time in which the
            server does not read; after it the answer is 408. A client that reads nothing of an answer for as long is cut.
        keep_alive_s: Time for which a connection without a request stays open. A proxy that keeps its connections longer sends
            requests into closed ones.
        max_connections: Maximum number of open TCP connections, WebSockets included; further ones get 503. `0` disables this
            limit.
        max_connections_per_address: Maximum number of open connections from one peer address, or one /64 of IPv6; further ones
            get 503. `0` disables this limit, as is necessary where many clients come through one proxy or NAT.
        max_turned_away: Maximum number of excess connections that are open to receive their answer; further ones are cut without
            one.
        linger_s: Grace period in which a refused client may still send, so that its answer is not lost; after it the connection
            is cut.
        max_linger_bytes: Maximum number of bytes that it may send in that period; more cut the connection.

    """

    max_header_bytes: int = 16_384
    max_url_bytes: int = 13_312
    max_headers: int = 100
    max_pipelined_requests: int = 64
    header_timeout_s: float = 10.0
    body_timeout_s: float = 30.0
    keep_alive_s: float = 95.0
    max_connections: int = 20_000
    max_connections_per_address: int = 0
    max_turned_away: int = 256
    linger_s: float = 1.0
    max_linger_bytes: int = 262_144
