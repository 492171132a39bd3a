"""What one listener takes from strangers: the numbers that `roomwire.serving.http` enforces. Each is a setting of its name."""

from typing import Final

import msgspec

MAX_TOKEN_BYTES: Final = 12_288
"""How long a token may be by default: one in a header or in a URL is within the limits below."""


class HttpLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one listener takes from strangers.

    Attributes:
        max_header_bytes: Request line, headers and trailers of a request. Beyond: 431.
        max_url_bytes: The request's target. Beyond: 414.
        max_headers: Number of headers and trailers of a request. Beyond: 431.
        max_pipelined_requests: Requests of one connection that wait for the answer to an earlier one.
            Beyond: the connection is closed.
        header_timeout_s: From the first byte of a request to the end of its headers; for the first one from
            the opening of the connection. Beyond: 408.
        body_timeout_s: From the end of a request's headers to the end of its body; the time in which we do
            not read does not count. Beyond: 408. A client that for as long takes nothing of an answer is cut.
        keep_alive_s: How long a connection without a request stays open. A proxy that keeps its connections longer
            sends requests into closed ones.
        max_connections: Open TCP connections, WebSockets included. Beyond: 503. 0: any number.
        max_connections_per_address: The same, of one peer address, of IPv6 of one /64. Beyond: 503. 0: any number, as it must be
            where many clients come through one proxy or NAT.
        max_turned_away: Connections beyond these bounds that are open to be answered. Beyond: cut without an answer.
        linger_s: How long a client that was refused may still send, so that its answer is not lost. Beyond: cut.
        max_linger_bytes: How much it may. Beyond: cut.

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
