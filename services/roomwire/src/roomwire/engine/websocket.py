"""The WebSocket transport over plain ASGI messages: correct on every ASGI server, but slower than the fast path.

Source: the Engine.IO protocol, version 4, "WebSocket" and "Upgrade".
"""

import asyncio
import contextlib
from http import HTTPStatus

from roomwire.engine.admission import Refused, Superfluous, admit_websocket
from roomwire.engine.connection import Connection
from roomwire.engine.engine import Engine
from roomwire.engine.session import WEBSOCKET, Reason
from roomwire.limits.bounds import Bound
from roomwire.protocol.answers import closing_headers
from roomwire.protocol.asgi import Environ, Message, Receive, Scope, Send
from roomwire.protocol.frames import message_of
from roomwire.protocol.packets import BadEnginePacket, EnginePacket
from roomwire.protocol.reader import CloseCode


class _Gone(Exception):
    """The other side has closed the WebSocket."""


async def serve(engine: Engine, environ: Environ, receive: Receive, send: Send) -> None:
    """Serve one WebSocket, from its handshake to its end."""
    try:
        upgraded = admit_websocket(engine, environ)
    except Refused as refused:
        await _refuse(refused, environ["asgi.scope"], send)
        return
    except Superfluous:
        await send({"type": "websocket.accept"})
        await _Socket(receive, send).close()
        return
    socket = _Socket(receive, send)
    # A client that offers subprotocols fails the connection if none is chosen: RFC 6455, section 4.1.
    offered = environ["asgi.scope"].get("subprotocols") or (None,)
    await send({"type": "websocket.accept", "subprotocol": offered[0]})
    with contextlib.suppress(_Gone):
        connection = await (
            _upgrade(engine, upgraded, socket) if upgraded else engine.open(environ, WEBSOCKET)
        )
        if connection is not None:
            try:
                await _carry(engine, connection, socket)
            except asyncio.CancelledError:
                # The ASGI server ends before its clients do; without a close it would call this an internal error.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(engine.limits.close_timeout_s):
                        await socket.close()
                raise
            return
    await socket.close()


async def _refuse(refused: Refused, scope: Scope, send: Send) -> None:
    """Refuse a WebSocket; for want of room with 503, where the ASGI server can send it."""
    if refused.status is not HTTPStatus.SERVICE_UNAVAILABLE:
        await send({"type": "websocket.close", "code": CloseCode.POLICY_VIOLATION})
    elif "websocket.http.response" in (scope.get("extensions") or ()):
        await send(
            {
                "type": "websocket.http.response.start",
                "status": refused.status.value,
                "headers": [*refused.headers, *closing_headers(refused.body, "application/json")],
            }
        )
        await send({"type": "websocket.http.response.body", "body": refused.body})
    else:
        await send({"type": "websocket.close", "code": CloseCode.TRY_AGAIN_LATER})


async def _upgrade(engine: Engine, connection: Connection, socket: "_Socket") -> Connection | None:
    """Let the WebSocket replace polling; None if the client violates the protocol."""
    state, is_probing = connection.state, False
    try:
        async with asyncio.timeout(engine.limits.upgrade_timeout_s):
            answer = state.start_probe(await socket.read())
            is_probing = True
            await socket.write(answer)
            # The pending poll ends, so that the client can stop polling.
            connection.flush()
            state.finish_probe(await socket.read())
    except BadEnginePacket:
        return None
    except TimeoutError:
        engine.exceeded(Bound.UPGRADE_TIMEOUT)
        return None
    else:
        return connection
    finally:
        if is_probing:
            state.abandon_probe()


async def _carry(engine: Engine, connection: Connection, socket: "_Socket") -> None:
    """Carry a session over a WebSocket until one of the two ends."""
    news, ended = asyncio.Event(), asyncio.Event()

    def wake() -> None:
        # Output that the writer has not fetched is output that the client has not read.
        connection.state.settle()
        if backlog()[0] > engine.limits.max_unread_bytes:
            connection.watch_backlog()
        news.set()
        if connection.closed:
            ended.set()

    def backlog() -> tuple[int, int]:
        return connection.state.unread_bytes + socket.unread_bytes, socket.written

    connection.use_socket(wake, lambda: socket.is_writing and connection.state.has_unread, backlog)
    reading = asyncio.create_task(_read(engine, connection, socket))
    writing = asyncio.create_task(_write(connection, socket, news))
    try:
        await ended.wait()
        await asyncio.wait({writing}, timeout=engine.limits.close_timeout_s)
    finally:
        connection.close(Reason.TRANSPORT_CLOSE)
        reading.cancel()
        writing.cancel()
        await asyncio.gather(reading, writing, return_exceptions=True)


async def _read(engine: Engine, connection: Connection, socket: "_Socket") -> None:
    """Pass messages to the session until it ends."""
    try:
        while not connection.closed:
            await connection.readable()
            packet = await socket.read()
            if len(packet) > engine.limits.max_payload_bytes:
                raise BadEnginePacket("the message is too large", Bound.MESSAGE_BYTES)
            engine.dispatch(connection, packet)
    except _Gone:
        connection.close(Reason.TRANSPORT_CLOSE)
    except BadEnginePacket as error:
        connection.close(Reason.TRANSPORT_ERROR, error.exceeded)


async def _write(connection: Connection, socket: "_Socket", news: asyncio.Event) -> None:
    """Write the session's output until the session ends, then close the WebSocket."""
    try:
        ending = False
        while not ending:
            await news.wait()
            news.clear()
            ending = connection.closed
            frames = connection.state.output()
            # What the server has not taken waits for the client as well.
            socket.unread_bytes = size = sum(map(len, frames))
            connection.account.hold(size)
            for frame in frames:
                await socket.write(message_of(frame))
                socket.unread_bytes -= len(frame)
            connection.account.hold(-size)
        await socket.close()
    except _Gone:
        # A client that is not read is known to be gone only by this.
        connection.close(Reason.TRANSPORT_CLOSE)


class _Socket:
    """A WebSocket as ASGI messages.

    Attributes:
        is_writing: Whether the server has not taken the last message yet.
        unread_bytes: The bytes of the session's output that the server has not taken yet.
        written: The number of messages that the server has taken.

    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self.is_writing = False
        self.unread_bytes = self.written = 0
        self._receive = receive
        self._send = send

    async def read(self) -> EnginePacket:
        """Return the next message.

        Raises:
            _Gone: The WebSocket has ended.

        """
        event = await self._receive()
        if event["type"] != "websocket.receive":
            raise _Gone
        data: EnginePacket | None = event.get("bytes")
        return data if data is not None else event.get("text", "")

    async def write(self, packet: EnginePacket) -> None:
        """Send a message."""
        await self._put({"type": "websocket.send", "bytes" if isinstance(packet, bytes) else "text": packet})

    async def close(self) -> None:
        """Close the WebSocket; idempotent."""
        with contextlib.suppress(_Gone):
            await self._put({"type": "websocket.close", "code": 1000})

    async def _put(self, event: Message) -> None:
        self.is_writing = True
        try:
            await self._send(event)
            self.written += 1
        except (OSError, RuntimeError) as error:
            # Servers raise different exceptions for a send after the end; ASGI servers use these two.
            raise _Gone from error
        finally:
            self.is_writing = False
