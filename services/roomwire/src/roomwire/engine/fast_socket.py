"""One WebSocket on the fast path: bytes go directly to the session, and frames directly to the socket.

`engine.fast` hands over the transport. There is no task, no queue and no ASGI message between the two.

Source: RFC 6455; the Engine.IO protocol, version 4, "WebSocket" and "Upgrade".
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Final, cast

from roomwire.engine.admission import Refused, Superfluous, admit_websocket
from roomwire.engine.connection import Connection
from roomwire.engine.engine import Engine
from roomwire.engine.session import WEBSOCKET, Reason
from roomwire.limits.bounds import Bound
from roomwire.logs import get_logger
from roomwire.protocol.frames import close_frame, pong_frame
from roomwire.protocol.opening import BadUpgrade, Upgrade, read_upgrade
from roomwire.protocol.packets import BadEnginePacket, EnginePacket, framed
from roomwire.protocol.reader import (
    CloseCode,
    FrameError,
    FrameReader,
    Opcode,
    WebSocketMessage,
    close_answer,
    is_close,
    short_texts,
)

_SLOW: Final = Reason.SLOW
"""A constant, because looking up an enum's member is slow before Python 3.12."""

_MUCH_BYTES: Final = 65_536
"""The bytes of one read after which other clients get their turn."""
_TLS_BYTES: Final = 1_024
"""The bytes by which TLS lengthens what a turn writes, generously."""

_log = get_logger(__name__)


class FastSocket(asyncio.Protocol):
    """One WebSocket, from its request to its end.

    Args:
        engine: The engine that holds the session.
        connections: uvicorn's open connections; this one is among them while it is open.

    """

    __slots__ = (
        "_connection",
        "_connections",
        "_engine",
        "_holds_reading",
        "_inbox",
        "_is_closing",
        "_is_paused",
        "_is_probing",
        "_last_write_bytes",
        "_owed_pong",
        "_pump",
        "_reader",
        "_transport",
        "_upgrades",
        "_write",
    )

    def __init__(self, engine: Engine, connections: set[object]) -> None:
        self._engine = engine
        self._connections = connections
        self._connection: Connection | None = None
        self._upgrades: Connection | None = None
        self._reader: FrameReader | None = None
        self._inbox: _Inbox | None = None
        self._pump: asyncio.Task[object] | None = None
        self._owed_pong: bytes | None = None
        self._holds_reading = False
        self._is_paused = False
        self._last_write_bytes = 0
        self._is_probing = False
        self._is_closing = False

    # Called by asyncio and uvicorn.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport; the request is the first data."""
        # A cast without a check: uvloop's transports do not inherit from asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)
        self._write: Callable[[bytes], None] | None = None

    def data_received(self, data: bytes) -> None:
        """Process data from the client: hot."""
        if self._write is None:
            self._begin(data)
        elif self._is_closing:
            # Only the client's CLOSE or the end of its stream matters now; other bytes are discarded.
            if is_close(data):
                self._transport.close()
        elif self._reader is None and len(data) < _MUCH_BYTES and (texts := short_texts(data)) is not None:
            self._texts(texts)
        else:
            self._read(data)

    def connection_lost(self, _: Exception | None) -> None:
        """Note that the socket is gone."""
        self._connections.discard(self)
        self._is_closing = True
        if self._upgrades is not None and self._is_probing:
            self._upgrades.state.abandon_probe()
        if self._connection is not None:
            self._connection.close(Reason.TRANSPORT_CLOSE)
            self._connection = None

    def eof_received(self) -> bool | None:
        """Close: a client that has ended its stream cannot answer a ping."""
        return None

    def pause_writing(self) -> None:
        """Note that the client reads more slowly than it is written to."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """Note that the client has caught up."""
        self._is_paused = False
        self._send_owed_pong()

    def shutdown(self) -> None:
        """Close the WebSocket; uvicorn calls this when it stops."""
        if self._connection is not None:
            self._connection.close(Reason.SERVER)
        else:
            self._close(CloseCode.GOING_AWAY)

    # The handshake.

    def _begin(self, request: bytes) -> None:
        """Answer the request; the first packets are sent together with the answer."""
        engine, is_superfluous = self._engine, False
        engine.use_loop()
        try:
            upgrade = read_upgrade(
                request,
                self._transport.get_extra_info("peername"),
                scheme="https" if self._transport.get_extra_info("sslcontext") else "http",
                proxies=engine.proxies,
            )
            self._upgrades = admit_websocket(engine, upgrade.environ)
        except BadUpgrade as error:
            self._turn_away(error.answer)
            return
        except Refused as refused:
            self._turn_away(refused.http_answer())
            return
        except Superfluous:
            is_superfluous = True
        self._connections.add(self)
        self._write = self._transport.write
        self._write(upgrade.answer)
        if is_superfluous:
            self._close(CloseCode.OK)
            return
        if self._upgrades is None:
            self._await(self._open(upgrade))
        else:
            engine.alarm_in(engine.limits.upgrade_timeout_s, self._give_up_probe)
        if upgrade.rest:
            self.data_received(upgrade.rest)

    def _turn_away(self, answer: bytes) -> None:
        self._is_closing = True
        self._write = self._transport.write
        self._write(answer)
        self._transport.close()
        # Answers that the client does not read would keep the connection open.
        self._engine.alarm_in(self._engine.limits.close_timeout_s, self._abort)

    async def _open(self, upgrade: Upgrade) -> None:
        connection = await self._engine.open(upgrade.environ, WEBSOCKET)
        if connection is None:
            self._close(CloseCode.POLICY_VIOLATION)
        elif self._is_closing:
            connection.close(Reason.TRANSPORT_CLOSE)
        else:
            self._carry(connection)

    def _carry(self, connection: Connection) -> None:
        self._connection = connection
        self._upgrades = None
        connection.use_socket(self._flush, self._is_stuck)

    def _probe(self, connection: Connection, packet: EnginePacket) -> None:
        try:
            if self._is_probing:
                connection.state.finish_probe(packet)
                self._carry(connection)
            else:
                answer = connection.state.start_probe(packet)
                self._is_probing = True
                self._transport.write(framed(answer))
                # The pending poll ends, so that the client can stop polling.
                connection.flush()
        except BadEnginePacket:
            self._close(CloseCode.PROTOCOL_ERROR)

    def _give_up_probe(self, _: float) -> None:
        if self._connection is None and not self._is_closing:
            self._engine.exceeded(Bound.UPGRADE_TIMEOUT)
            self._close(CloseCode.POLICY_VIOLATION)

    # From the client.

    def _read(self, data: bytes) -> None:
        """Process data other than short text frames."""
        reader = self._reader
        if reader is None:
            limits = self._engine.limits
            reader = self._reader = FrameReader(
                max_message_bytes=limits.max_payload_bytes, max_fragments=limits.max_fragments
            )
        try:
            self._messages(reader.feed(data))
        except FrameError as error:
            self._fail(error.code, error.exceeded)
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_TEXT)
        if reader.is_idle:
            self._reader = None
        if len(data) >= _MUCH_BYTES:
            # uvloop reads up to 32 times in a turn from one client, 8 MB; other clients and the output come first.
            self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        if not self._holds_reading and not self._transport.is_closing():
            self._transport.resume_reading()

    def _texts(self, texts: Iterable[str]) -> None:
        for text in texts:
            self._message(text)
            if self._is_closing:
                return

    def _messages(self, messages: Iterable[WebSocketMessage]) -> None:
        for kind, payload in messages:
            if kind is Opcode.TEXT:
                self._message(payload.decode())
            elif kind is Opcode.BINARY:
                self._message(payload)
            elif kind is Opcode.PING:
                # A client that reads nothing is owed a pong only for its latest ping: RFC 6455, section 5.5.3.
                self._owed_pong = payload
                if not self._is_paused:
                    self._send_owed_pong()
            elif kind is Opcode.CLOSE:
                # The pong follows the frames that were put earlier in this turn.
                self._flush()
                self._close(close_answer(payload))
                self._transport.close()
            if self._is_closing:
                return

    def _send_owed_pong(self) -> None:
        if self._owed_pong is not None and not self._is_closing:
            self._transport.write(pong_frame(self._owed_pong))
        self._owed_pong = None

    def _message(self, packet: EnginePacket) -> None:
        """Process a packet, or queue it behind an earlier one that is still being handled: hot."""
        connection = self._connection
        if connection is None or self._pump is not None:
            self._wait(packet)
            return
        try:
            handling = self._engine.dispatch(connection, packet)
        except BadEnginePacket:
            return
        except Exception:
            # A defect of ours ends this connection and is logged.
            _log.exception("message handling failed")
            self._fail(CloseCode.INTERNAL_ERROR)
            return
        if handling is not None:
            self._await(handling)

    def _wait(self, packet: EnginePacket) -> None:
        if self._upgrades is not None:
            self._probe(self._upgrades, packet)
            return
        if self._inbox is None:
            self._inbox = _Inbox()
        self._inbox.add(packet)
        if not self._holds_reading and self._is_full(self._inbox, 1.0) and not self._transport.is_closing():
            # As on plain ASGI, where the server stops reading: the client waits, and nothing is lost.
            self._engine.exceeded(Bound.WAITING_MESSAGES)
            self._holds_reading = True
            self._transport.pause_reading()

    def _is_full(self, inbox: "_Inbox", part: float) -> bool:
        limits = self._engine.limits
        return (
            inbox.bytes > limits.max_payload_bytes * part
            or len(inbox.packets) > limits.max_waiting_messages * part
        )

    def _pop_waiting(self, inbox: "_Inbox") -> EnginePacket:
        """Return the next waiting message; resume reading when enough have been handled."""
        packet = inbox.pop()
        if not inbox.packets:
            self._inbox = None
        if self._holds_reading and not self._is_full(inbox, 0.5):
            self._holds_reading = False
            self._read_on()
        return packet

    def _await(self, handling: Coroutine[object, object, object]) -> None:
        """Run a handler that may await; messages wait meanwhile."""
        self._pump = self._engine.starter.start(self._run(handling))

    async def _run(self, handling: Coroutine[object, object, object]) -> None:
        try:
            await handling
            while self._inbox is not None and self._connection is not None and not self._connection.closed:
                following = self._engine.dispatch(self._connection, self._pop_waiting(self._inbox))
                if following is not None:
                    await following
        except BadEnginePacket:
            pass
        except Exception:
            _log.exception("message handling failed")
            self._fail(CloseCode.INTERNAL_ERROR)
        finally:
            self._inbox = None
            self._pump = None
            if self._holds_reading:
                self._holds_reading = False
                self._read_on()

    # To the client.

    def _flush(self) -> None:
        """Write the session's output, and close if the session has ended."""
        connection = self._connection
        if connection is None:
            return
        reason = connection.state.closed
        if not self._is_closing and reason is not _SLOW:
            outbox = connection.outbox
            if outbox:
                data = outbox[0] if len(outbox) == 1 else b"".join(outbox)
                self._last_write_bytes = len(data)
                self._transport.write(data)
            if self._is_paused and self._unread_bytes > self._engine.limits.max_unread_bytes:
                connection.state.close(_SLOW, Bound.UNREAD_BYTES)
                reason = _SLOW
        connection.state.forget_output()
        if reason is None:
            return
        if reason is _SLOW:
            # The client does not read: nothing more would arrive.
            self._is_closing = True
            self._transport.abort()
        else:
            self._close(CloseCode.OK)

    def _is_stuck(self) -> bool:
        # What the last turn wrote may still be with the event loop, though the client reads.
        return self._unread_bytes > self._last_write_bytes + _TLS_BYTES

    @property
    def _unread_bytes(self) -> int:
        size: int = self._transport.get_write_buffer_size()
        return size

    def _fail(self, code: CloseCode, exceeded: Bound | None = None) -> None:
        """Close because of what the client sent."""
        self._close(code)
        if self._connection is not None:
            self._connection.close(Reason.TRANSPORT_ERROR, exceeded)
        elif exceeded is not None:
            self._engine.exceeded(exceeded)

    def _close(self, code: int) -> None:
        """Send CLOSE and wait for the client to disconnect; cut the connection if it does not.

        If the socket were closed at once, with unread bytes of the client, the connection would be reset, and the last frames
        to the client would be lost.
        """
        if self._is_closing:
            return
        self._is_closing = True
        self._transport.write(close_frame(code))
        if self._transport.can_write_eof():  # not over TLS
            with contextlib.suppress(OSError):
                # It fails if the client has already gone and we do not know of it yet.
                self._transport.write_eof()
        self._reader = None
        self._engine.alarm_in(self._engine.limits.close_timeout_s, self._abort)

    def _abort(self, _: float) -> None:
        self._transport.abort()


class _Inbox:
    """Messages that wait for an earlier one."""

    __slots__ = ("bytes", "packets")

    def __init__(self) -> None:
        self.packets: deque[EnginePacket] = deque()
        self.bytes = 0

    def add(self, packet: EnginePacket) -> None:
        self.packets.append(packet)
        self.bytes += len(packet)

    def pop(self) -> EnginePacket:
        packet = self.packets.popleft()
        self.bytes -= len(packet)
        return packet
