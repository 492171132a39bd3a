"""The handshake: what a request asks for, and whether it may.

Source: the Engine.IO protocol, version 4; error bodies are those of the reference server, which the official
client shows to its users.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from roomwire.engine.connection import Connection
from roomwire.engine.limits import Limits
from roomwire.engine.packets import OPEN, Packet
from roomwire.engine.session import POLLING, WEBSOCKET

if TYPE_CHECKING:
    from roomwire.engine.engine import Engine

PROTOCOL: Final = "4"

UNKNOWN_TRANSPORT: Final = (0, "Transport unknown")
UNKNOWN_SID: Final = (1, "Session ID unknown")
BAD_METHOD: Final = (2, "Bad handshake method")
BAD_REQUEST: Final = (3, "Bad request")
FORBIDDEN: Final = (4, "Forbidden")
UNKNOWN_PROTOCOL: Final = (5, "Unsupported protocol version")


class Refused(Exception):
    """A request that gets 400: code and sentence for the client."""

    def __init__(self, error: tuple[int, str]) -> None:
        super().__init__(*error)
        self.body = json.dumps({"code": error[0], "message": error[1]}).encode()


class Query:
    """What the query string of a request says."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        values = parse_qs(environ.get("QUERY_STRING", ""))
        self.transport = values.get("transport", [""])[0]
        self.protocol = values.get("EIO", [""])[0]
        self.sid = values.get("sid", [""])[0]


def open_packet(sid: str, transport: str, limits: Limits, *, upgrades: Sequence[str]) -> Packet:
    """Return the packet that begins a session."""
    handshake = {
        "sid": sid,
        "upgrades": list(upgrades) if transport == POLLING else [],
        "pingInterval": round((limits.ping_interval_s + limits.ping_grace_s) * 1_000),
        "pingTimeout": round(limits.ping_timeout_s * 1_000),
        "maxPayload": limits.max_payload_bytes,
    }
    return OPEN + json.dumps(handshake, separators=(",", ":"))


def check_origin(engine: "Engine", environ: Mapping[str, Any]) -> None:
    """Refuse a request of a page that may not talk to this server."""
    origin = environ.get("HTTP_ORIGIN")
    if origin and engine.cors_allowed_origins != []:
        allowed = engine._cors_allowed_origins(environ)  # noqa: SLF001 - we are its subclass' module
        if allowed is not None and origin not in allowed:
            raise Refused(FORBIDDEN)


def admit_websocket(engine: "Engine", environ: Mapping[str, Any]) -> Connection | None:
    """Decide about a WebSocket: returns the session that it is to upgrade, None if it begins one of its own.

    Raises:
        Refused: It may do neither.

    """
    query = Query(environ)
    check_origin(engine, environ)
    if query.transport != WEBSOCKET or WEBSOCKET not in engine.transports:
        raise Refused(UNKNOWN_TRANSPORT)
    if not query.sid:
        if query.protocol != PROTOCOL:
            raise Refused(UNKNOWN_PROTOCOL)
        return None
    connection = engine.find(query.sid)
    if connection is None or connection.upgraded or not engine.allow_upgrades:
        raise Refused(UNKNOWN_SID)
    return connection
