"""One WebSocket of the application that runs beside the engine: RFC 6455 on one side, ASGI messages on the other.

Every WebSocket that is not the engine's is handled here, whatever its path, so that no path bypasses the limits: the same
frame reader and the same sizes apply, at most one pong is pending, and a client that is gone or does not read is cut. The limits
of the request itself (headers, time, number of connections) are enforced by `roomwire.serving.http`, which hands the connection
over.

Source: RFC 6455; the ASGI specification, "WebSocket".
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Final

from roomwire.engine.deflater import Deflater
from roomwire.limits.bounds import Bound
from roomwire.limits.client import Limits
from roomwire.logs import get_logger
from roomwire.protocol.addresses import host_and_port
from roomwire.protocol.answers import Header, denial, http_answer
from roomwire.protocol.asgi import Message, Scope
from roomwire.protocol.frames import binary_frame, close_frame, ping_frame, pong_frame, text_frame
from roomwire.protocol.opening import BadUpgrade, Upgrade, read_upgrade, websocket_scope
from roomwire.protocol.reader import (
    CloseCode,
    FrameError,
    FrameReader,
    Opcode,
    WebSocketMessage,
    close_answer,
    is_close,
)
from roomwire.protocol.sources import Proxies

NO_CODE: Final = 1005
"""The close code that the application receives if the client's CLOSE had none: RFC 6455, section 7.4.1."""
LOST: Final = 1006
"""The close code that the application receives if the connection was lost: RFC 6455, section 7.4.1."""

_NO_PROXIES: Final = Proxies()
_log = get_logger(__name__)


def asgi_websocket(
    limits: Limits, *, exceeded: Callable[[Bound], None] = lambda _: None
) -> Callable[..., asyncio.Protocol]:
    """Return the class for `uvicorn.Config(ws=...)` that serves the application's WebSockets within limits.

    Args:
        limits: The limits of each WebSocket.
        exceeded: Called with each bound that a client exceeds.

    """

    def make(
        *, config: object, server_state: object, app_state: dict[str, object], **_: object
    ) -> asyncio.Protocol:
        return AsgiSocket(config, server_state, app_state, limits=limits, exceeded=exceeded)

    return make


class _Ended(ConnectionResetError):
    """The application sent an event after the end."""


class AsgiSocket(asyncio.Protocol):
    """One WebSocket, from its request to its end.

    Args:
        config: uvicorn's configuration, with the application.
        server_state: uvicorn's state: the open connections, to which this one is added, and the running tasks.
        app_state: The state of the application's lifespan.
        limits: The limits of this WebSocket.
        exceeded: Called with each bound that the client exceeds.
        deflater: Compresses messages if the client offers compression. Default: no compression.

    """

    def __init__(
        self,
        config: Any,
        server_state: Any,
        app_state: dict[str, object],
        *,
        limits: Limits,
        exceeded: Callable[[Bound], None],
        deflater: Deflater | None = None,
    ) -> None:
        self._config = config
        self._server = server_state
        self._app_state = app_state
        self._limits = limits
        self._exceeded = exceeded
        self._loop = asyncio.get_running_loop()
        self._deflater = deflater
        self._extensions: Sequence[Header] = ()
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._upgrade: Upgrade | None = None
        self._denied: tuple[int, list[tuple[bytes, bytes]], list[bytes]] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._early = b""
        self._is_accepted = False
        self._is_closing = False
        self._is_reading = True
        self._has_client_left = False
        self._has_rest = False
        self._owed_pong: bytes | None = None
        self._heard_at = self._loop.time()
        self._is_pinged = False
        self._unread_bytes = 0
        self._may_write = asyncio.Event()
        self._may_write.set()

    # Called by asyncio and uvicorn.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Store the transport; the request is the first data."""
        self._transport = transport
        self._server.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Process data from the client."""
        self._heard_at, self._is_pinged = self._loop.time(), False
        if self._upgrade is None:
            self._begin(data)
        elif self._is_closing:
            # Only the client's CLOSE or the end of its stream matters now; other bytes are discarded.
            if is_close(data):
                self._transport.close()
        elif self._is_accepted:
            self._read(data)
        else:
            # A client must wait for the answer; if it does not, nothing more is read until then.
            self._early += data
            self._pause_reading()

    def eof_received(self) -> bool | None:
        """Close: a client that has ended its stream cannot answer a ping."""
        return None

    def connection_lost(self, _: Exception | None) -> None:
        """Tell the application that the connection is lost."""
        self._server.connections.discard(self)
        self._stop_timer()
        self._has_client_left = True
        self._end(LOST)
        self._may_write.set()

    def pause_writing(self) -> None:
        """Make the application wait until the client reads."""
        self._may_write.clear()

    def resume_writing(self) -> None:
        """Let the application continue."""
        self._may_write.set()
        self._send_owed_pong()

    def shutdown(self) -> None:
        """Close the WebSocket; uvicorn calls this when it stops."""
        if self._is_accepted:
            self._close(CloseCode.GOING_AWAY)
        else:
            self._refuse(http_answer(HTTPStatus.SERVICE_UNAVAILABLE, kind="text/plain"))

    # The handshake.

    def _begin(self, request: bytes) -> None:
        transport = self._transport
        is_tls = bool(transport.get_extra_info("sslcontext"))
        try:
            upgrade = read_upgrade(
                request,
                transport.get_extra_info("peername"),
                scheme="https" if is_tls else "http",
                proxies=_NO_PROXIES,
            )
            if self._deflater is not None:
                self._extensions = upgrade.deflate_headers()
            scope = websocket_scope(
                request,
                upgrade,
                scheme="wss" if is_tls else "ws",
                server=host_and_port(transport.get_extra_info("sockname")),
                client=host_and_port(transport.get_extra_info("peername")),
                root_path=self._config.root_path,
            )
            scope |= {
                "asgi": {"version": self._config.asgi_version, "spec_version": "2.4"},
                "state": self._app_state.copy(),
            }
        except BadUpgrade as error:
            self._refuse(error.answer)
            return
        self._reader = FrameReader(
            max_message_bytes=self._limits.max_payload_bytes,
            max_fragments=self._limits.max_fragments,
            inflates=bool(self._extensions),
        )
        self._upgrade = upgrade
        self._early = upgrade.rest
        self._messages.put_nowait({"type": "websocket.connect"})
        task = self._loop.create_task(self._run(scope))
        self._server.tasks.add(task)
        task.add_done_callback(self._server.tasks.discard)
        self._start_timer()

    def _refuse(self, answer: bytes) -> None:
        """Refuse the WebSocket with an HTTP answer, and close."""
        if not self._is_closing:
            self._end(LOST)
            self._transport.write(answer)
            self._transport.close()
            self._cut_later()

    async def _run(self, scope: Scope) -> None:
        """Run the application; a failure ends only this WebSocket."""
        code = CloseCode.INTERNAL_ERROR
        try:
            await self._config.loaded_app(scope, self.receive, self.send)
            code = CloseCode.OK
        except Exception as error:
            # An application that still sends after the client has left is not a defect.
            is_of_the_end = isinstance(error, ConnectionError) and self._has_client_left
            if not is_of_the_end and not isinstance(error, _Ended):
                _log.exception("websocket failed", path=scope["path"])
        finally:
            if self._is_accepted:
                self._close(code)
            else:
                self._refuse(http_answer(HTTPStatus.INTERNAL_SERVER_ERROR, kind="text/plain"))

    # Called by the application.

    async def receive(self) -> Message:
        """Return the next event; see ASGI."""
        event = await self._messages.get()
        if self._messages.empty():
            self._go_on()
        return event

    async def send(self, event: Message) -> None:
        """Send an event of the application; wait while the client does not read. See ASGI.

        Raises:
            ConnectionResetError: The WebSocket has ended.
            RuntimeError: ASGI does not allow this event in this state.
            ValueError: A header or the status of the answer is invalid.

        """
        await self._may_write.wait()
        if self._is_closing:
            raise _Ended("the WebSocket has ended")
        kind: str = event["type"]
        if kind.startswith("http.response."):
            # `socketio.ASGIApp` sends this for an unknown path.
            kind = f"websocket.{kind}"
        if self._is_accepted and kind == "websocket.send":
            self._send(event)
        elif self._is_accepted and kind == "websocket.close":
            self._close(event.get("code", CloseCode.OK), event.get("reason") or "")
        elif self._is_accepted or self._upgrade is None:
            raise RuntimeError(f"there is no {kind} in an open WebSocket")
        elif self._denied is not None and kind == "websocket.http.response.body":
            self._deny(self._denied, event)
        elif kind == "websocket.accept":
            self._accept(self._upgrade, event)
        elif kind == "websocket.close":
            self._refuse(http_answer(HTTPStatus.FORBIDDEN, kind="text/plain"))
        elif kind == "websocket.http.response.start" and self._denied is None:
            self._denied = (event["status"], list(event.get("headers", [])), [])
        else:
            raise RuntimeError(f"there is no {kind} before the WebSocket is accepted")

    def _accept(self, upgrade: Upgrade, event: Message) -> None:
        headers = [*(event.get("headers") or ()), *self._extensions]
        self._transport.write(upgrade.answer_with(event.get("subprotocol") or "", headers))
        self._is_accepted = True
        early, self._early = self._early, b""
        if self._messages.empty():
            self._resume_reading()
        if early:
            self._read(early)

    def _deny(self, denied: tuple[int, list[tuple[bytes, bytes]], list[bytes]], event: Message) -> None:
        status, headers, parts = denied
        parts.append(event.get("body", b""))
        if not event.get("more_body", False):
            self._refuse(denial(status, headers, b"".join(parts)))

    def _send(self, event: Message) -> None:
        data, text = event.get("bytes"), event.get("text")
        frame = binary_frame(data) if data is not None else text_frame((text or "").encode())
        if self._deflater is not None and self._extensions:
            (frame,) = self._deflater.frames([frame])
        self._transport.write(frame)

    # From the client.

    def _go_on(self) -> None:
        """Process the rest of the last read, then the data that arrived since; no message is waiting for the application."""
        if self._has_rest and not self._is_closing:
            self._read(b"")
        if not self._has_rest and self._messages.empty():
            self._resume_reading()

    def _read(self, data: bytes) -> None:
        """Process messages until too many wait; the reader keeps the rest, as one read may contain tens of thousands.

        Where compression is agreed on, one is too many: the rest of a short read may be long when decompressed.
        """
        self._has_rest = False
        most = 1 if self._extensions else self._limits.max_waiting_messages
        try:
            for message in self._reader.feed(data):
                self._take(message)
                if self._is_closing:
                    return
                if self._messages.qsize() >= most:
                    self._has_rest = True
                    return
        except FrameError as error:
            if error.exceeded is not None:
                self._exceeded(error.exceeded)
            self._close(error.code)
        except UnicodeDecodeError:
            self._close(CloseCode.INVALID_PAYLOAD)

    def _take(self, message: WebSocketMessage) -> None:
        kind, payload = message
        if kind is Opcode.TEXT:
            self._tell({"type": "websocket.receive", "text": payload.decode()})
        elif kind is Opcode.BINARY:
            self._tell({"type": "websocket.receive", "bytes": payload})
        elif kind is Opcode.PING:
            # A client that reads nothing is owed a pong only for its latest ping: RFC 6455, section 5.5.3.
            self._owed_pong = payload
            if self._may_write.is_set():
                self._send_owed_pong()
        elif kind is Opcode.CLOSE:
            self._has_client_left = True
            code = close_answer(payload)
            reason = payload[2:].decode(errors="replace")
            self._close(code, told=code if payload else NO_CODE, reason_told=reason)
            self._transport.close()

    def _tell(self, event: Message) -> None:
        """Queue a message for the application; nothing more is read from the client until the application has received it."""
        self._messages.put_nowait(event)
        self._pause_reading()

    def _send_owed_pong(self) -> None:
        if self._owed_pong is not None and not self._is_closing:
            self._transport.write(pong_frame(self._owed_pong))
        self._owed_pong = None

    def _pause_reading(self) -> None:
        if self._is_reading and not self._transport.is_closing():
            self._is_reading = False
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if not self._is_reading and not self._transport.is_closing():
            self._is_reading = True
            self._heard_at = self._loop.time()
            self._transport.resume_reading()

    # The end.

    def _close(self, code: int, reason: str = "", *, told: int | None = None, reason_told: str = "") -> None:
        """Send CLOSE and wait for the client to disconnect; cut the connection if it does not."""
        if self._is_closing:
            return
        self._end(code if told is None else told, reason_told)
        self._transport.write(close_frame(code, reason))
        if self._transport.can_write_eof():  # not over TLS
            with contextlib.suppress(OSError):
                self._transport.write_eof()
        # The client's CLOSE stands behind everything that it still sends.
        self._resume_reading()
        self._cut_later()

    def _cut_later(self) -> None:
        """Cut the connection later if it is still open: unread data would keep it open."""
        self._stop_timer()
        self._timer = self._loop.call_later(self._limits.close_timeout_s, self._transport.abort)

    def _end(self, code: int, reason: str = "") -> None:
        """End reception and tell the application; idempotent."""
        if not self._is_closing:
            self._is_closing = True
            self._messages.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})

    def _start_timer(self) -> None:
        self._timer = self._loop.call_later(self._limits.ping_timeout_s, self._look)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """Check the client every `ping_timeout_s`: cut it if it is gone or does not read."""
        unread, self._unread_bytes = self._unread_bytes, 0
        if not self._may_write.is_set():
            self._unread_bytes = self._transport.get_write_buffer_size()
            if 0 < unread <= self._unread_bytes:
                self._exceeded(Bound.UNREAD_BYTES)
                self._transport.abort()
                return
        elif self._is_accepted and self._is_reading:
            if self._is_pinged:
                self._transport.abort()
                return
            if self._loop.time() - self._heard_at >= self._limits.ping_interval_s:
                self._is_pinged = True
                self._transport.write(ping_frame(b""))
        self._start_timer()
