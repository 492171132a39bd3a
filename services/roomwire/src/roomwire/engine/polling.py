"""The polling transport: one ASGI request at a time, over the session's state.

Source: the Engine.IO protocol, version 4, "HTTP long-polling".
"""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from roomwire.bounds import Bound
from roomwire.engine.admission import (
    BAD_METHOD,
    BAD_REQUEST,
    FORBIDDEN,
    PROTOCOL,
    UNKNOWN_PROTOCOL,
    UNKNOWN_SID,
    UNKNOWN_TRANSPORT,
    Query,
    Refused,
    check_origin,
)
from roomwire.engine.connection import Connection
from roomwire.engine.packets import BadPacket, decode_payload, encode_payload
from roomwire.engine.session import POLLING, Reason

if TYPE_CHECKING:
    from roomwire.engine.engine import Engine

OK: Final = b"ok"


async def serve(engine: "Engine", environ: Mapping[str, Any], receive: Any, send: Any) -> None:
    """Serve one HTTP request."""
    try:
        check_origin(engine, environ)
        body, sid = await _answer(engine, environ, receive)
        status, kind = HTTPStatus.OK, "text/plain; charset=UTF-8"
    except Refused as refused:
        body, sid = refused.body, None
        status, kind = HTTPStatus.BAD_REQUEST, "application/json"
    if body is None:
        return
    headers = [("Content-Type", kind)]
    headers += engine._cors_headers(environ)  # noqa: SLF001 - the engine's own module
    if sid is not None and engine.cookie:
        headers.append(("Set-Cookie", engine.sid_cookie(sid)))
    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def _answer(
    engine: "Engine", environ: Mapping[str, Any], receive: Any
) -> tuple[bytes | None, str | None]:
    """Return the body (None: the client has gone) and the id of a session that has just begun."""
    method = environ["REQUEST_METHOD"]
    if method == "OPTIONS":
        return OK, None
    query = Query(environ)
    if query.transport != POLLING or POLLING not in engine.transports:
        raise Refused(UNKNOWN_TRANSPORT)
    if not query.sid:
        return await _open(engine, environ, query, method)
    connection = engine.find(query.sid)
    if connection is None:
        raise Refused(UNKNOWN_SID)
    if connection.upgraded:
        raise Refused(BAD_REQUEST)
    if method == "GET":
        return await _poll(connection, receive), None
    if method == "POST":
        await _post(engine, connection, environ)
        return OK, None
    raise Refused(BAD_METHOD)


async def _open(
    engine: "Engine", environ: Mapping[str, Any], query: Query, method: str
) -> tuple[bytes | None, str | None]:
    if method != "GET":
        raise Refused(BAD_METHOD)
    if query.protocol != PROTOCOL:
        raise Refused(UNKNOWN_PROTOCOL)
    connection = await engine.open(environ, POLLING)
    if connection is None:
        raise Refused(FORBIDDEN)
    return encode_payload(connection.state.output()), connection.sid


async def _poll(connection: Connection, receive: Any) -> bytes | None:
    answer = connection.poll()
    if answer is None:
        raise Refused(BAD_REQUEST)
    if not answer.done():
        gone = asyncio.ensure_future(receive())
        try:
            await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            connection.cancel_poll()
            raise
        finally:
            gone.cancel()
    if not answer.done():
        connection.cancel_poll()
        return None
    return encode_payload(answer.result())


async def _post(engine: "Engine", connection: Connection, environ: Mapping[str, Any]) -> None:
    limit = engine.limits.max_payload_bytes
    # One byte more than is allowed is read, so that too long a body shows whatever its header says.
    body = await environ["wsgi.input"].read(limit + 1)
    promised = environ.get("CONTENT_LENGTH", "")
    if promised.isdecimal() and len(body) < min(int(promised[:12]), limit + 1):
        raise Refused(BAD_REQUEST)  # cut off on its way: nothing of it is taken
    try:
        if len(body) > limit:
            raise BadPacket("the body is too large", Bound.MESSAGE_BYTES)
        packets = decode_payload(body, max_packets=engine.limits.max_payload_packets)
        for packet in packets:
            handling = engine.take(connection, packet)
            if handling is not None:
                await handling
        if connection.state.closed is Reason.TRANSPORT_ERROR:
            # Whoever found it bad: the message handler may have, and what came after it was not looked at.
            raise BadPacket("the payload has ended the session")
    except BadPacket as error:
        connection.close(Reason.TRANSPORT_ERROR, error.exceeded)
        raise Refused(BAD_REQUEST) from None
