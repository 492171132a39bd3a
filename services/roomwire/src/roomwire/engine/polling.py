"""The polling transport, which applies one ASGI request at a time to the session's state.

Source: the Engine.IO protocol, version 4, "HTTP long-polling".
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Final, TypeGuard

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
    check_room,
)
from roomwire.engine.connection import Connection
from roomwire.engine.engine import Engine
from roomwire.engine.relay import SessionRelay
from roomwire.engine.session import NOOP_INTERVAL_S, POLLING, Reason
from roomwire.limits.accounts import Account
from roomwire.limits.bounds import Bound
from roomwire.protocol.answers import Header
from roomwire.protocol.asgi import Environ, Receive, Scope, Send
from roomwire.protocol.packets import BadEnginePacket, EnginePacket, decode_payload, encode_payload

OK: Final = b"ok"
_PACKETS_A_TURN: Final = 256
_MAX_POSTS: Final = 8
"""The maximum number of payloads of a session that are processed or wait for that; known clients send one at a time."""
_PATIENCE: Final = 0.25
"""The part of the ping timeout for which a payload may be delayed: a pong may be at the end of the next payload."""
_OF_SESSIONS: Final = frozenset({"GET", "POST"})


async def serve(
    engine: Engine, scope: Scope, receive: Receive, send: Send, *, relay: SessionRelay | None = None
) -> None:
    """Serve one HTTP request.

    Args:
        engine: The engine.
        scope: ASGI's scope of the request.
        receive: ASGI's.
        send: ASGI's.
        relay: Gets requests for sessions of other nodes. Default: they are refused.

    """
    query = Query(scope["query_string"].decode("latin-1"))
    environ = _environ(engine, scope, query)
    try:
        check_origin(engine, environ)
        if _is_for(relay, query, environ) and await relay.answer(query.sid, scope, receive, send):
            return
        further: Sequence[Header] = ()
        body, sid = await _answer(engine, environ, query, receive)
        status, kind = HTTPStatus.OK, "text/plain; charset=UTF-8"
    except Refused as refused:
        body, sid, further = refused.body, None, refused.headers
        status, kind = refused.status, "application/json"
    except _Gone:
        return
    # The answer is for this client alone, and sent once.
    headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
    headers += engine._cors_headers(environ)  # noqa: SLF001 - the engine's own module
    if sid is not None and engine.cookie:
        headers.append(("Set-Cookie", engine.sid_cookie(sid)))
    raw = [*further, *((name.lower().encode(), value.encode()) for name, value in headers)]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def _is_for(
    relay: SessionRelay | None, query: Query, environ: Mapping[str, object]
) -> TypeGuard[SessionRelay]:
    return (
        relay is not None
        and query.transport == POLLING
        and environ["REQUEST_METHOD"] in _OF_SESSIONS
        and relay.leads_elsewhere(query.sid)
    )


class _Gone(Exception):
    """The client disconnected before the answer."""


def _environ(engine: Engine, scope: Scope, query: Query) -> Mapping[str, object]:
    """Return the needed part of a request: most requests belong to an open session and have no Origin."""
    names = {name for name, _ in scope["headers"]}
    if query.sid and b"origin" not in names and scope["method"] in _OF_SESSIONS:
        return {"REQUEST_METHOD": scope["method"], "CONTENT_LENGTH": _promised(scope)}
    return engine.environ_of(scope)


def _promised(scope: Scope) -> str:
    return next(
        (value.decode("latin-1") for name, value in scope["headers"] if name == b"content-length"), ""
    )


async def _answer(
    engine: Engine, environ: Environ, query: Query, receive: Receive
) -> tuple[bytes, str | None]:
    """Return the body, and the id of a session that this request opened."""
    method = environ["REQUEST_METHOD"]
    if method == "OPTIONS":
        return OK, None
    if query.transport != POLLING or POLLING not in engine.transports:
        raise Refused(UNKNOWN_TRANSPORT)
    if not query.sid:
        return await _open(engine, environ, query, method)
    connection = engine.find_now(query.sid)
    if connection is None:
        raise Refused(UNKNOWN_SID)
    if connection.upgraded:
        raise Refused(BAD_REQUEST)
    if method == "GET":
        return await _poll(connection, receive), None
    if method == "POST":
        await _post(engine, connection, environ, receive)
        return OK, None
    raise Refused(BAD_METHOD)


async def _open(
    engine: Engine, environ: Mapping[str, object], query: Query, method: str
) -> tuple[bytes, str | None]:
    if method != "GET":
        raise Refused(BAD_METHOD)
    if query.protocol != PROTOCOL:
        raise Refused(UNKNOWN_PROTOCOL)
    check_room(engine, environ)
    connection = await engine.open(environ, POLLING)
    if connection is None:
        raise Refused(FORBIDDEN)
    return encode_payload(connection.state.output()), connection.sid


async def _poll(connection: Connection, receive: Receive) -> bytes:
    answer = connection.poll()
    if answer is None:
        raise Refused(BAD_REQUEST)
    if not answer.done():
        gone = asyncio.create_task(_until_gone(receive))
        both: set[asyncio.Future[list[bytes]] | asyncio.Future[None]] = {answer, gone}
        try:
            while not (answer.done() or gone.done()):
                timeout_s = NOOP_INTERVAL_S if connection.state.is_probed else None
                ended, _ = await asyncio.wait(both, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
                if not ended:
                    connection.end_poll()
        except asyncio.CancelledError:
            # The ASGI server ends, and this request is in its way: the answer is what it waits for.
            connection.cancel_poll()
            raise Refused(BAD_REQUEST) from None
        finally:
            gone.cancel()
    if not answer.done():
        connection.cancel_poll()
        raise _Gone
    return encode_payload(answer.result())


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _Body:
    """The body of a POST, charged to its session while it is kept.

    Args:
        account: The session's account.

    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._parts: list[bytes] = []
        self._size = 0

    async def read(self, receive: Receive, *, limit: int) -> bytes:
        """Read the body, at most until it is known to be too long; the server deals with the rest."""
        while self._size <= limit:
            event = await receive()
            if event["type"] != "http.request":
                raise _Gone
            part = event.get("body", b"")
            self._parts.append(part)
            self._size += len(part)
            self._account.hold(len(part))
            if not event.get("more_body", False):
                break
        return b"".join(self._parts)

    def drop(self) -> None:
        """Note that the body is not kept any more."""
        self._account.hold(-self._size)


async def _post(engine: Engine, connection: Connection, environ: Environ, receive: Receive) -> None:
    body = _Body(connection.account)
    try:
        await _posted(
            engine, connection, environ, await body.read(receive, limit=engine.limits.max_payload_bytes)
        )
    finally:
        body.drop()


async def _posted(engine: Engine, connection: Connection, environ: Environ, body: bytes) -> None:
    limit = engine.limits.max_payload_bytes
    promised = environ.get("CONTENT_LENGTH", "")
    if promised.isdecimal() and len(body) < min(int(promised[:12]), limit + 1):
        raise Refused(BAD_REQUEST)  # the client disconnected: nothing of the body is processed
    if len(body) > limit:
        # The session stays open: earlier messages are handled, and smaller payloads are accepted.
        engine.exceeded(Bound.MESSAGE_BYTES)
        raise Refused(
            (BAD_REQUEST[0], f"Payload too large: at most {limit} bytes"),
            status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        )
    if not _has_messages(body):
        # A pong or a CLOSE takes effect at once, even while an earlier payload is processed.
        await _take(engine, connection, body)
        return
    if connection.posts >= _MAX_POSTS:
        raise Refused(BAD_REQUEST)
    connection.posts += 1
    try:
        async with connection.posting:
            await _take(engine, connection, body)
            # The client sends nothing more until the answer: this is how its reading is paused.
            await connection.readable()
            if connection.closed and connection.state.closed is not Reason.CLIENT:
                raise Refused(UNKNOWN_SID)
    finally:
        connection.posts -= 1


def _has_messages(body: bytes) -> bool:
    return body.startswith((b"4", b"b")) or b"\x1e4" in body or b"\x1eb" in body


async def _take(engine: Engine, connection: Connection, body: bytes) -> None:
    """Process a payload, or close the session because of it."""
    if connection.closed:
        raise Refused(UNKNOWN_SID)
    try:
        await _dispatch_all(
            engine, connection, decode_payload(body, max_packets=engine.limits.max_payload_packets)
        )
        if connection.state.closed is Reason.TRANSPORT_ERROR:
            # The message handler may have ended the session; the rest of the payload was not processed.
            raise BadEnginePacket("the payload has ended the session")
    except BadEnginePacket as error:
        connection.close(Reason.TRANSPORT_ERROR, error.exceeded)
        raise Refused(BAD_REQUEST) from None


async def _dispatch_all(engine: Engine, connection: Connection, packets: Iterable[EnginePacket]) -> None:
    """Process the packets of a payload in order; other clients get their turns meanwhile.

    An event that a rate would refuse now but not a moment later waits, and so do the packets behind it: the client sends nothing
    more until its payload is processed. The wait is short enough for a pong behind the event to be in time.

    Raises:
        BadEnginePacket: A packet is invalid; the session has been closed.

    """
    loop = asyncio.get_running_loop()
    patient_until = loop.time() + engine.limits.ping_timeout_s * _PATIENCE
    for number, packet in enumerate(packets, 1):
        while (delay_s := engine.delay_of(connection, packet)) and loop.time() + delay_s < patient_until:
            await asyncio.sleep(delay_s)
        if connection.state.closed is Reason.CLIENT:
            return
        if connection.closed:
            raise BadEnginePacket("the session ended before its payload")
        engine.dispatch(connection, packet)
        if number % _PACKETS_A_TURN == 0:
            await asyncio.sleep(0)
