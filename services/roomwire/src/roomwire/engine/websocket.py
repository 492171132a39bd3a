"""The WebSocket transport over plain ASGI messages: correct on every ASGI server, but slower than the fast path.

Source: the Engine.IO protocol, version 4, "WebSocket" and "Upgrade".
"""

import asyncio
import contextlib

from roomwire.engine.admission import Refused, Superfluous, admit_websocket
from roomwire.engine.connection import Connection
from roomwire.engine.engine import Engine
from roomwire.engine.session import WEBSOCKET, Reason
from roomwire.limits.bounds import Bound
from roomwire.protocol.asgi import Environ, Message, Receive, Send
from roomwire.protocol.frames import message_of
from roomwire.protocol.packets import BadEnginePacket, EnginePacket


class _Gone(Exception):
    """The other side has closed the WebSocket."""


async def serve(engine: Engine, environ: Environ, receive: Receive, send: Send) -> None:
    """Serve one WebSocket, from its handshake to its end."""
    try:
        upgraded = admit_websocket(engine, environ)
    except Refused:
        await send({"type": "websocket.close", "code": 1008})
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
            await _carry(engine, connection, socket)
            return
    await socket.close()


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
        news.set()
        if connection.closed:
            ended.set()

    connection.use_socket(wake, lambda: socket.is_writing and connection.state.has_unread)
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
            packet = await socket.read()
            if len(packet) > engine.limits.max_payload_bytes:
                raise BadEnginePacket("the message is too large", Bound.MESSAGE_BYTES)
            handling = engine.dispatch(connection, packet)
            if handling is not None:
                await handling
    except _Gone:
        connection.close(Reason.TRANSPORT_CLOSE)
    except BadEnginePacket as error:
        connection.close(Reason.TRANSPORT_ERROR, error.exceeded)


async def _write(connection: Connection, socket: "_Socket", news: asyncio.Event) -> None:
    """Write the session's output until the session ends, then close the WebSocket."""
    with contextlib.suppress(_Gone):
        ending = False
        while not ending:
            await news.wait()
            news.clear()
            ending = connection.closed
            for frame in connection.state.output():
                await socket.write(message_of(frame))
        await socket.close()


class _Socket:
    """A WebSocket as ASGI messages.

    Attributes:
        is_writing: Whether the server has not taken the last message yet.

    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self.is_writing = False
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
        except (OSError, RuntimeError) as error:
            # Servers raise different exceptions for a send after the end; ASGI servers use these two.
            raise _Gone from error
        finally:
            self.is_writing = False
