"""One WebSocket on the fast path: bytes go directly to the session, and frames directly to the socket.

`engine.fast` gives it the transport. There is no task, no queue and no ASGI message between the two.

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
"""Kept, as before Python 3.12 an enum's member takes a while to be found."""

_MUCH_BYTES: Final = 65_536
"""A read after which a client has had its turn."""

_log = get_logger(__name__)


class FastSocket(asyncio.Protocol):
    """One WebSocket, from its request to its end.

    Args:
        engine: Whose session it carries.
        connections: uvicorn's open connections: it stands there as long as it is open.

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
        self._is_probing = False
        self._is_closing = False

    # What asyncio and uvicorn call.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; the request is what comes first."""
        # Not checked: uvloop's transports are none of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)
        self._write: Callable[[bytes], None] | None = None

    def data_received(self, data: bytes) -> None:
        """Take what a client sends: hot."""
        if self._write is None:
            self._begin(data)
        elif self._is_closing:
            # Only the client's own CLOSE or the end of its stream is waited for; its bytes are not looked at.
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
        """Close: a client that has nothing more to say cannot answer a ping."""
        return None

    def pause_writing(self) -> None:
        """Note that the client does not read as fast as it is written to."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """Note that it has caught up."""
        self._is_paused = False
        self._send_owed_pong()

    def shutdown(self) -> None:
        """Close it: uvicorn calls this when it stops."""
        if self._connection is not None:
            self._connection.close(Reason.SERVER)
        else:
            self._close(CloseCode.GOING_AWAY)

    # The handshake.

    def _begin(self, request: bytes) -> None:
        """Answer the request; what is to be said first goes out with the answer."""
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
        # Earlier answers that it does not read would keep it open.
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
        connection.use_socket(self._flush)

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
        """Take what is more, or less, than short texts."""
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
            # uvloop reads from one client up to 32 times in a turn, 8 MB: the others, and what is to go out, come first.
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
                # To a client that reads nothing only its latest ping is owed an answer: RFC 6455, section 5.5.3.
                self._owed_pong = payload
                if not self._is_paused:
                    self._send_owed_pong()
            elif kind is Opcode.CLOSE:
                # What was said to it in this turn goes before.
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
        """Take a packet, or let it wait for an earlier one that is still being handled: hot."""
        connection = self._connection
        if connection is None or self._pump is not None:
            self._wait(packet)
            return
        try:
            handling = self._engine.dispatch(connection, packet)
        except BadEnginePacket:
            return
        except Exception:
            # A defect of ours costs this connection, and is told in the log.
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
            # As on plain ASGI, where the server does not read on: the client waits, and nothing is lost.
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
        """Return the message whose turn it is; goes on reading when enough have been taken."""
        packet = inbox.pop()
        if not inbox.packets:
            self._inbox = None
        if self._holds_reading and not self._is_full(inbox, 0.5):
            self._holds_reading = False
            self._read_on()
        return packet

    def _await(self, handling: Coroutine[object, object, object]) -> None:
        """Run what may have to be awaited; meanwhile, messages wait."""
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
        """Write what the session has to say, and close with it."""
        connection = self._connection
        if connection is None:
            return
        reason = connection.state.closed
        if not self._is_closing and reason is not _SLOW:
            outbox = connection.outbox
            if outbox:
                self._transport.write(outbox[0] if len(outbox) == 1 else b"".join(outbox))
            if self._is_paused and self._unread_bytes > self._engine.limits.max_unread_bytes:
                connection.state.close(_SLOW, Bound.UNREAD_BYTES)
                reason = _SLOW
        connection.state.forget_output()
        if reason is None:
            return
        if reason is _SLOW:
            # It does not read: nothing that is said to it would arrive.
            self._is_closing = True
            self._transport.abort()
        else:
            self._close(CloseCode.OK)

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
        """Say that it is over, and wait for the client to go; one that does not is cut off after a while.

        Closed at once, with bytes of the client's unread, the connection would be reset, and what was said
        to it last be lost.
        """
        if self._is_closing:
            return
        self._is_closing = True
        self._transport.write(close_frame(code))
        if self._transport.can_write_eof():  # not over TLS
            with contextlib.suppress(OSError):
                # It fails where the client has gone already, without our having been told.
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
