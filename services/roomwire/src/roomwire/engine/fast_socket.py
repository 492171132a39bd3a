"""One WebSocket on the fast path: bytes go directly to the session, and frames directly to the socket.

`engine.fast` hands over the transport. There is no task, no queue and no ASGI message between the two.

Source: RFC 6455; the Engine.IO protocol, version 4, "WebSocket" and "Upgrade".
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, cast

from roomwire.engine.admission import Refused, Superfluous, admit_websocket
from roomwire.engine.connection import Connection
from roomwire.engine.deflater import Deflater
from roomwire.engine.engine import Engine
from roomwire.engine.forwarding import Forwarding
from roomwire.engine.inbox import Inbox
from roomwire.engine.mounting import Mounting
from roomwire.engine.session import WEBSOCKET, Reason
from roomwire.limits.bounds import Bound
from roomwire.limits.unsent import queued_bytes
from roomwire.logs import get_logger
from roomwire.protocol.answers import Header
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
_CUT: Final = frozenset({Reason.SLOW, Reason.HELD})
"""The reasons of clients that get no more output."""

_MUCH_BYTES: Final = 65_536
"""The bytes of one read after which other clients get their turn."""
_TLS_BYTES: Final = 1_024
"""The bytes by which TLS lengthens what a turn writes, generously."""
_NO_FORWARDING: Final = Forwarding(None)
_NO_MOUNTING: Final = Mounting(None)

_log = get_logger(__name__)


class FastSocket(asyncio.Protocol):
    """One WebSocket, from its request to its end.

    Args:
        engine: The engine that holds the session.
        connections: uvicorn's open connections; this one is among them while it is open.
        state: The state of the application's lifespan. Default: none.
        forwarding: What uvicorn believes of its proxies. Default: nothing.
        mounting: The application in which the engine's is mounted. Default: none.

    """

    __slots__ = (
        "__weakref__",
        "_connection",
        "_connections",
        "_deflater",
        "_engine",
        "_forwarding",
        "_has_rest",
        "_held_bytes",
        "_holds_reading",
        "_inbox",
        "_is_closing",
        "_is_paused",
        "_is_probing",
        "_last_write_bytes",
        "_mounting",
        "_owed_pong",
        "_pump",
        "_reader",
        "_state",
        "_transport",
        "_upgrades",
        "_write",
        "_written_bytes",
    )

    def __init__(
        self,
        engine: Engine,
        connections: set[object],
        state: Mapping[str, object] = MappingProxyType({}),
        forwarding: Forwarding = _NO_FORWARDING,
        mounting: Mounting = _NO_MOUNTING,
    ) -> None:
        self._state = state
        self._forwarding = forwarding
        self._mounting = mounting
        self._engine = engine
        self._connections = connections
        self._connection: Connection | None = None
        self._deflater: Deflater | None = None
        self._upgrades: Connection | None = None
        self._reader: FrameReader | None = None
        self._inbox: Inbox | None = None
        self._pump: asyncio.Task[object] | None = None
        self._owed_pong: bytes | None = None
        self._has_rest = False
        self._holds_reading = False
        self._is_paused = False
        self._last_write_bytes = 0
        self._written_bytes = 0
        self._held_bytes = 0
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
        self._charge()

    def resume_writing(self) -> None:
        """Note that the client has caught up."""
        self._is_paused = False
        self._charge()
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
        extensions: Sequence[Header] = ()
        engine.use_loop()
        try:
            client, scheme = self._forwarding.of(
                request,
                self._transport.get_extra_info("peername"),
                "https" if self._transport.get_extra_info("sslcontext") else "http",
            )
            upgrade = read_upgrade(
                request,
                client,
                scheme=scheme,
                proxies=engine.proxies,
                server=self._transport.get_extra_info("sockname"),
                state=self._state,
                complete=self._mounting.complete,
            )
            if engine.deflater is not None and (extensions := upgrade.deflate_headers()):
                self._deflater = engine.deflater
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
        self._write(upgrade.answer_with(upgrade.protocol, extensions))
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
        connection.use_socket(self._flush, self._is_stuck, self._backlog, self._hold)

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
                max_message_bytes=limits.max_payload_bytes,
                max_fragments=limits.max_fragments,
                inflates=self._deflater is not None,
            )
        try:
            self._messages(reader.feed(data))
        except FrameError as error:
            self._fail(error.code, error.exceeded)
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_PAYLOAD)
        if reader.is_idle:
            self._reader = None
        if self._held_bytes or self._reader is not None:
            self._charge()
        if (len(data) >= _MUCH_BYTES or self._has_rest) and not self._transport.is_closing():
            # uvloop reads up to 32 times in a turn from one client, 8 MB; other clients and the output come first.
            self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        if self._has_rest and not self._is_held:
            self._has_rest = False
            self._read(b"")
        if not (self._has_rest or self._is_held or self._transport.is_closing()):
            self._transport.resume_reading()

    @property
    def _is_held(self) -> bool:
        """Whether nothing is to be read from the client: its session is not open yet, or too many of its events wait."""
        return self._holds_reading or (self._connection is not None and self._connection.state.is_paused)

    def _hold(self, is_held: bool) -> None:  # noqa: FBT001 - a callback has no names
        """Stop reading, or read again. What has been read already is processed: only events wait."""
        if self._transport.is_closing():
            return
        if is_held:
            self._transport.pause_reading()
        else:
            # Later, because the events that wait come first.
            asyncio.get_running_loop().call_soon(self._read_on)

    def _texts(self, texts: Iterable[str]) -> None:
        for text in texts:
            self._message(text)
            if self._is_closing:
                return

    def _messages(self, messages: Iterable[WebSocketMessage]) -> None:
        taken_bytes = 0
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
            if self._deflater is not None:
                # The rest of a short read may be long when decompressed. It waits in the reader as it came.
                taken_bytes += len(payload)
                if self._is_held or taken_bytes >= _MUCH_BYTES:
                    self._has_rest = True
                    return

    def _send_owed_pong(self) -> None:
        if self._owed_pong is not None and not self._is_closing:
            self._transport.write(pong_frame(self._owed_pong))
        self._owed_pong = None

    def _message(self, packet: EnginePacket) -> None:
        """Process a packet, or queue it while the session is being opened: hot."""
        connection = self._connection
        if connection is None or self._pump is not None:
            self._wait(packet)
            return
        try:
            self._engine.dispatch(connection, packet)
        except BadEnginePacket:
            return
        except Exception:
            # A defect of ours ends this connection and is logged.
            _log.exception("message handling failed")
            self._fail(CloseCode.INTERNAL_ERROR)

    def _wait(self, packet: EnginePacket) -> None:
        if self._upgrades is not None:
            self._probe(self._upgrades, packet)
            return
        if self._inbox is None:
            self._inbox = Inbox()
        self._inbox.add(packet)
        self._charge()
        if (
            not self._holds_reading
            and self._inbox.is_full(self._engine.limits, 1.0)
            and not self._transport.is_closing()
        ):
            # As on plain ASGI, where the server stops reading: the client waits, and nothing is lost.
            self._engine.exceeded(Bound.WAITING_MESSAGES)
            self._holds_reading = True
            self._transport.pause_reading()

    def _pop_waiting(self, inbox: Inbox) -> EnginePacket:
        """Return the next waiting message; resume reading when enough have been handled."""
        packet = inbox.pop()
        if not inbox.packets:
            self._inbox = None
        self._charge()
        if self._holds_reading and not inbox.is_full(self._engine.limits, 0.5):
            self._holds_reading = False
            self._read_on()
        return packet

    def _await(self, opening: Coroutine[object, object, object]) -> None:
        """Open the session; messages wait meanwhile."""
        self._pump = self._engine.starter.start(self._run(opening))

    async def _run(self, opening: Coroutine[object, object, object]) -> None:
        try:
            await opening
            while self._inbox is not None and self._connection is not None and not self._connection.closed:
                self._engine.dispatch(self._connection, self._pop_waiting(self._inbox))
        except BadEnginePacket:
            pass
        except Exception:
            _log.exception("message handling failed")
            self._fail(CloseCode.INTERNAL_ERROR)
        finally:
            self._inbox = None
            self._pump = None
            if self._held_bytes:
                self._charge()
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
        if not self._is_closing and (reason is None or reason not in _CUT):
            outbox: Sequence[bytes] = connection.outbox
            is_beyond = False
            if outbox:
                if self._deflater is not None:
                    outbox = self._deflater.frames(outbox)
                data = outbox[0] if len(outbox) == 1 else b"".join(outbox)
                self._last_write_bytes = size = len(data)
                self._written_bytes += size
                if self._is_paused or size > _MUCH_BYTES:
                    is_beyond = self._is_beyond(connection)
                self._transport.write(data)
            if self._is_paused and self._is_slow(connection, is_beyond=is_beyond):
                connection.state.close(_SLOW, Bound.UNREAD_BYTES)
                reason = _SLOW
        connection.state.forget_output()
        if reason is None:
            return
        if reason in _CUT:
            # The client does not read: nothing more would arrive; or it holds too much, which must be free now.
            self._is_closing = True
            self._transport.abort()
        else:
            self._close(CloseCode.OK)

    def _is_beyond(self, connection: Connection) -> bool:
        """Return whether the client is beyond its first mark before more is written: else that may go, however large it is."""
        # Since the last charge it may have read.
        self._charge()
        return connection.account.is_beyond(self._engine.limits.max_unread_bytes)

    def _is_slow(self, connection: Connection, *, is_beyond: bool) -> bool:
        """Return whether the client is closed now because too much waits for it; otherwise it must make progress from now on."""
        self._charge()
        if self._unread_bytes <= self._engine.limits.max_unread_bytes:
            return False
        if not is_beyond:
            connection.watch_backlog()
        return is_beyond

    def _is_stuck(self) -> bool:
        # What the last turn wrote may still be with the event loop, though the client reads.
        return self._unread_bytes > self._last_write_bytes + _TLS_BYTES

    def _backlog(self) -> tuple[int, int]:
        return self._unread_bytes, self._written_bytes - queued_bytes(self._transport)

    @property
    def _unread_bytes(self) -> int:
        size: int = self._transport.get_write_buffer_size()
        return size

    def _charge(self) -> None:
        """Charge what is kept for the client now: an incomplete message, waiting messages, and output that it does not read."""
        if self._connection is None:
            return
        held = self._unread_bytes if self._is_paused else 0
        if self._reader is not None:
            held += self._reader.held_bytes
        if self._inbox is not None:
            held += self._inbox.held_bytes
        if held != self._held_bytes:
            self._connection.account.hold(held - self._held_bytes)
            self._held_bytes = held

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
        self._reader, self._has_rest = None, False
        self._engine.alarm_in(self._engine.limits.close_timeout_s, self._abort)

    def _abort(self, _: float) -> None:
        self._transport.abort()
