"""Decides which session and transport a request asks for, and whether it is admitted.

Source: the Engine.IO protocol, version 4; error bodies are those of the reference server, which the official
client shows to its users.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from roomwire.engine.connection import Connection
from roomwire.engine.engine import Engine
from roomwire.engine.session import WEBSOCKET
from roomwire.protocol.answers import RETRY_LATER, Header, http_answer
from roomwire.protocol.asgi import Environ

PROTOCOL: Final = "4"
_NAMES: Final = frozenset({"transport", "EIO", "sid"})

UNKNOWN_TRANSPORT: Final = (0, "Transport unknown")
UNKNOWN_SID: Final = (1, "Session ID unknown")
BAD_METHOD: Final = (2, "Bad handshake method")
BAD_REQUEST: Final = (3, "Bad request")
FORBIDDEN: Final = (4, "Forbidden")
UNKNOWN_PROTOCOL: Final = (5, "Unsupported protocol version")
UNAVAILABLE: Final = (6, "Too many sessions or too little memory: try again later")
"""Ours: the reference server has no such limit."""


class Refused(Exception):
    """A request that is refused.

    Args:
        error: Code and sentence for the client.
        status: Default: 400.

    Attributes:
        body: The body of the answer.
        status: The status of the answer.
        headers: Its further headers.

    """

    def __init__(self, error: tuple[int, str], *, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(*error)
        self.body = json.dumps({"code": error[0], "message": error[1]}).encode()
        self.status = status
        is_for_a_while = status is HTTPStatus.SERVICE_UNAVAILABLE
        self.headers: Sequence[Header] = (RETRY_LATER,) if is_for_a_while else ()

    def http_answer(self) -> bytes:
        """Return the complete HTTP answer to the request of a WebSocket."""
        # Whatever else is wrong, the reference server answers WebSockets with 400.
        status = self.status if self.status is HTTPStatus.SERVICE_UNAVAILABLE else HTTPStatus.BAD_REQUEST
        return http_answer(status, self.body, *self.headers)


class Superfluous(Exception):
    """A WebSocket for a session that already has one: it is accepted and closed, and the first one is not affected."""


class Query:
    """The parameters of a query string that concern the engine; the first value of a repeated name counts."""

    __slots__ = ("protocol", "sid", "transport")

    def __init__(self, query: str) -> None:
        values: dict[str, str] = {}
        if "%" in query or "+" in query:
            parts: Iterable[Sequence[str]] = parse_qsl(query, keep_blank_values=True)
        else:
            parts = [part.partition("=")[::2] for part in query.split("&")]
        for name, value in parts:
            if name in _NAMES:
                values.setdefault(name, value)
        self.transport = values.get("transport", "")
        self.protocol = values.get("EIO", "")
        self.sid = values.get("sid", "")


def check_origin(engine: Engine, environ: Mapping[str, object]) -> None:
    """Refuse a request from a page whose origin is not allowed."""
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None and engine.cors_allowed_origins != []:
        allowed = engine._cors_allowed_origins(environ)  # noqa: SLF001 - we are its subclass' module
        if allowed is not None and origin not in allowed:
            raise Refused(FORBIDDEN)


def check_room(engine: Engine, environ: Environ) -> None:
    """Refuse a new session, whatever carries it, if there are too many or there is too little memory."""
    if engine.refusal_of(environ) is not None:
        raise Refused(UNAVAILABLE, status=HTTPStatus.SERVICE_UNAVAILABLE)


def admit_websocket(engine: Engine, environ: Environ) -> Connection | None:
    """Decide about a WebSocket: return the session that it upgrades, or None if it opens a session of its own.

    Raises:
        Refused: The request is not admitted.
        Superfluous: The session already has a WebSocket, or is probing one.

    """
    query = Query(environ["QUERY_STRING"])
    check_origin(engine, environ)
    if query.transport != WEBSOCKET or WEBSOCKET not in engine.transports:
        raise Refused(UNKNOWN_TRANSPORT)
    if not query.sid:
        if query.protocol != PROTOCOL:
            raise Refused(UNKNOWN_PROTOCOL)
        check_room(engine, environ)
        return None
    connection = engine.find_now(query.sid)
    if connection is None or not engine.allow_upgrades:
        raise Refused(UNKNOWN_SID)
    if connection.upgraded or connection.state.is_probed:
        raise Superfluous
    return connection
