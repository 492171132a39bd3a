"""The fast WebSocket transport: frames go straight to the session, packets straight to the socket.

uvicorn hands every WebSocket request to a class of ours (`uvicorn.Config(ws=...)`). A request for the engine
becomes a picows protocol on the same transport: no task, no queue and no ASGI message in between. Every other
request goes on to uvicorn's own class, so that WebSocket routes of others work beside ours.

What is sent within one turn of the event loop is written once per connection.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from picows import WSFrame, WSListener, WSMsgType, WSTransport
from picows.common import WSUpgradeRequest, WSUpgradeResponse
from picows.picows import (  # type: ignore[attr-defined] # picows.pyi leaves two of them out
    WSAutoPingStrategy,
    WSCloseCode,
    WSProtocol,
    WSUpgradeResponseWithListener,
)
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from roomwire.engine.connection import Connection
from roomwire.engine.handshake import Refused, admit_websocket
from roomwire.engine.packets import BadPacket, Packet
from roomwire.engine.session import WEBSOCKET, Reason
from roomwire.engine.websocket import CLOSE_TIMEOUT_S, PROBE_TIMEOUT_S
from roomwire.frames import Shared, binary_frame, text_frame
from roomwire.logs import get_logger

if TYPE_CHECKING:
    from roomwire.engine.engine import Engine

MAX_FRAGMENTS: Final = 64
MAX_WAITING_MESSAGES: Final = 256
_READ_BUFFER_BYTES: Final = 2_048
_TEXT: Final = WSMsgType.TEXT
_BINARY: Final = WSMsgType.BINARY
_CONTINUATION: Final = WSMsgType.CONTINUATION
_PING: Final = WSMsgType.PING
_CLOSE: Final = WSMsgType.CLOSE

_CLOSE_CODES: Final = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})
_OWN_CLOSE_CODES: Final = range(3_000, 5_000)

_log = get_logger(__name__)


def fast_websocket(engine: "Engine", path: str) -> Callable[..., asyncio.Protocol]:
    """Return what `uvicorn.Config(ws=...)` wants, for an engine served under a path.

    Args:
        engine: The engine.
        path: Where it is served, with slashes: `/socket.io/`.

    """

    def make(*, config: Any, server_state: Any, app_state: Any, **_: Any) -> asyncio.Protocol:
        def others() -> asyncio.Protocol:
            protocol: asyncio.Protocol = WebSocketsSansIOProtocol(config, server_state, app_state)
            return protocol

        return _Dispatch(engine, path.encode(), server_state, others)

    return make


class _Dispatch(asyncio.Protocol):
    """Takes a WebSocket's request and gives the transport to whom it belongs.

    uvicorn makes it the transport's protocol for a moment; until the right one has taken over, what comes
    is passed on.
    """

    def __init__(self, engine: "Engine", path: bytes, server_state: Any, others: Callable[[], Any]) -> None:
        self._engine = engine
        self._path = path
        self._server_state = server_state
        self._others = others
        self._protocol: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._protocol is None:
            target = data.partition(b" ")[2].partition(b" ")[0].partition(b"?")[0]
            ours = target.rstrip(b"/") + b"/" == self._path
            self._protocol = self._ours() if ours else self._others()
            self._protocol.connection_made(self._transport)
            asyncio.get_running_loop().call_soon(self._hand_over)
        if isinstance(self._protocol, asyncio.BufferedProtocol):
            _feed(self._protocol, data)
        else:
            self._protocol.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._protocol is not None:
            self._protocol.connection_lost(exc)

    def eof_received(self) -> bool | None:
        return None

    def _hand_over(self) -> None:
        if not self._transport.is_closing():
            self._transport.set_protocol(self._protocol)

    def _ours(self) -> WSProtocol:
        peer = self._transport.get_extra_info("peername")
        connections = self._server_state.connections

        def accept(request: WSUpgradeRequest) -> Any:
            try:
                return FastSocket(self._engine, _environ(request, peer, self._engine), connections)
            except Refused as refused:
                response = WSUpgradeResponse.create_error_response(400, refused.body)
                return WSUpgradeResponseWithListener(response, None)

        return WSProtocol(
            None,
            None,
            False,  # noqa: FBT003 - picows takes its arguments by position: this is the server's side
            accept,
            _SILENT,
            True,  # noqa: FBT003 - disconnect on an exception of ours
            None,
            False,  # noqa: FBT003 - no pings of its own
            30,
            30,
            WSAutoPingStrategy.PING_WHEN_IDLE,
            False,  # noqa: FBT003 - pongs are ours
            self._engine.limits.max_payload_bytes,
            None,
            _READ_BUFFER_BYTES,
        )


class FastSocket(WSListener):
    """One WebSocket.

    Raises:
        Refused: The handshake does not keep to the rules.

    """

    def __init__(self, engine: "Engine", environ: Mapping[str, Any], connections: set[Any]) -> None:
        self._upgrades = admit_websocket(engine, environ)
        self._engine = engine
        self._environ = environ
        self._connections = connections
        self._connection: Connection | None = None
        self._fragments: list[bytes] = []
        self._fragments_bytes = 0
        self._fragments_type = _TEXT
        self._inbox: deque[Packet] = deque()
        self._pump: asyncio.Task[None] | None = None
        self._inbox_bytes = 0
        self._owed_pong: bytes | None = None
        self._is_paused = False
        self._is_dirty = False
        self._is_probing = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin the session, or the probe of one."""
        self._transport = transport
        self._connections.add(self)
        self._write_raw = transport.underlying_transport.write
        if self._upgrades is None:
            self._start_pump(self._open())
        else:
            self._engine.alarm_in(PROBE_TIMEOUT_S, self._give_up_probe)

    def on_ws_frame(self, _: WSTransport, frame: WSFrame) -> None:
        """Take a frame: hot."""
        if self._transport.is_close_frame_sent:
            # picows goes on after it has refused a frame: for one that is too long, with that very frame.
            return
        kind = frame.msg_type
        if (
            frame.fin
            and kind is _TEXT
            and not self._fragments
            and not (frame.rsv1 or frame.rsv2 or frame.rsv3)
        ):
            try:
                self._message(frame.get_payload_as_utf8_text())
            except UnicodeDecodeError:
                self._fail(WSCloseCode.INVALID_TEXT)
        else:
            self._other_frame(kind, frame)

    def on_ws_disconnected(self, _: WSTransport) -> None:
        """Note that the socket is gone."""
        self._connections.discard(self)
        if self._upgrades is not None and self._is_probing:
            self._upgrades.state.abandon_probe()
        if self._connection is not None:
            self._connection.close(Reason.TRANSPORT_CLOSE)

    def pause_writing(self) -> None:
        """Let the session's own bound count what the client does not read."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """Go on writing."""
        self._is_paused = False
        self._send_owed_pong()
        self._wake()

    def shutdown(self) -> None:
        """Close it: uvicorn calls this when it stops."""
        if self._connection is not None:
            self._connection.close(Reason.SERVER)
        else:
            self._close(WSCloseCode.GOING_AWAY)

    def _other_frame(self, kind: WSMsgType, frame: WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._fail(WSCloseCode.PROTOCOL_ERROR)
        elif kind in {_TEXT, _BINARY, _CONTINUATION}:
            self._fragment(kind, payload, is_last=frame.fin)
        elif kind is _PING:
            # To a client that reads nothing only its latest ping is owed an answer: RFC 6455, section 5.5.3.
            self._owed_pong = payload
            if not self._is_paused:
                self._send_owed_pong()
        elif kind is _CLOSE:
            self._close(_close_answer(payload))

    def _send_owed_pong(self) -> None:
        if self._owed_pong is not None and not self._transport.is_close_frame_sent:
            self._transport.send_pong(self._owed_pong)
        self._owed_pong = None

    def _fragment(self, kind: WSMsgType, payload: bytes, *, is_last: bool) -> None:
        """Put a message together; both its size and the number of its fragments are bounded."""
        if (kind is _CONTINUATION) is not bool(self._fragments):
            self._fail(WSCloseCode.PROTOCOL_ERROR)
            return
        if kind is not _CONTINUATION:
            self._fragments_type = kind
        self._fragments.append(payload)
        self._fragments_bytes += len(payload)
        if (
            self._fragments_bytes > self._engine.limits.max_payload_bytes
            or len(self._fragments) > MAX_FRAGMENTS
        ):
            self._fail(WSCloseCode.MESSAGE_TOO_BIG)
            return
        if is_last:
            whole = b"".join(self._fragments)
            self._fragments, self._fragments_bytes = [], 0
            try:
                self._message(whole if self._fragments_type is _BINARY else whole.decode())
            except UnicodeDecodeError:
                self._fail(WSCloseCode.INVALID_TEXT)

    def _message(self, packet: Packet) -> None:
        """Take a packet; what has to wait for an earlier one waits, boundedly."""
        if self._upgrades is not None and self._connection is None:
            self._probe(packet)
        elif self._pump is not None or self._connection is None:
            self._inbox.append(packet)
            self._inbox_bytes += len(packet)
            too_large = self._inbox_bytes > self._engine.limits.max_payload_bytes
            if too_large or len(self._inbox) > MAX_WAITING_MESSAGES:
                self._fail(WSCloseCode.TRY_AGAIN_LATER)
        else:
            handling = self._take(packet)
            if handling is not None:
                self._start_pump(handling)

    def _probe(self, packet: Packet) -> None:
        connection = self._upgrades
        assert connection is not None  # noqa: S101 - said by the caller
        try:
            if self._is_probing:
                connection.state.finish_probe(packet)
                self._carry(connection)
            else:
                self._write(connection.state.start_probe(packet))
                self._is_probing = True
                connection.flush()
        except BadPacket:
            self._close(WSCloseCode.PROTOCOL_ERROR)

    def _give_up_probe(self, _: float) -> None:
        if self._connection is None:
            self._close(WSCloseCode.POLICY_VIOLATION)

    async def _open(self) -> None:
        connection = await self._engine.open(self._environ, WEBSOCKET)
        if connection is None:
            self._close(WSCloseCode.POLICY_VIOLATION)
        elif self._transport.is_disconnected:
            connection.close(Reason.TRANSPORT_CLOSE)
        else:
            self._carry(connection)

    def _carry(self, connection: Connection) -> None:
        self._connection = connection
        self._upgrades = None
        connection.use_socket(self._wake)

    def _take(self, packet: Packet) -> Coroutine[Any, Any, None] | None:
        """Hand a packet to the session; returns what is left to do if that has to be awaited."""
        connection = self._connection
        assert connection is not None  # noqa: S101 - said by the caller
        try:
            return self._engine.take_now(connection, packet)
        except BadPacket:
            return None

    def _start_pump(self, first: Coroutine[Any, Any, None]) -> None:
        self._pump = asyncio.create_task(self._pump_until_empty(first))

    async def _pump_until_empty(self, first: Coroutine[Any, Any, None]) -> None:
        try:
            await first
            while self._inbox and self._connection is not None and not self._connection.closed:
                packet = self._inbox.popleft()
                self._inbox_bytes -= len(packet)
                handling = self._take(packet)
                if handling is not None:
                    await handling
        except Exception:
            _log.exception("message handling failed")
            self._fail(WSCloseCode.INTERNAL_ERROR)
        finally:
            self._inbox.clear()
            self._inbox_bytes = 0
            self._pump = None

    def _wake(self) -> None:
        """Have what there is to write written at the end of this turn of the loop."""
        if not self._is_dirty:
            self._is_dirty = True
            self._engine.write_soon(self._flush)

    def _flush(self) -> None:
        self._is_dirty = False
        connection = self._connection
        if connection is None or self._transport.is_disconnected:
            return
        reason = connection.state.closed
        if reason in {Reason.SLOW, Reason.PING_TIMEOUT}:
            self._transport.underlying_transport.abort()
        elif not self._is_paused and not self._transport.is_close_frame_sent:
            packets = connection.state.output()
            if packets:
                self._write_raw(
                    b"".join([_frame(packet) for packet in packets])
                    if len(packets) > 1
                    else _frame(packets[0])
                )
        if reason is not None:
            self._close(WSCloseCode.OK)

    def _write(self, packet: Packet) -> None:
        self._write_raw(_frame(packet))

    def _fail(self, code: WSCloseCode) -> None:
        """Close because of what the client sent."""
        if self._connection is not None:
            self._connection.close(Reason.TRANSPORT_ERROR)
        self._close(code)

    def _close(self, code: WSCloseCode) -> None:
        if self._transport.is_disconnected or self._transport.is_close_frame_sent:
            return
        self._transport.send_close(code)
        self._transport.disconnect()
        # A peer that reads nothing would keep the socket for ever.
        self._engine.alarm_in(CLOSE_TIMEOUT_S, self._abort)

    def _abort(self, _: float) -> None:
        if not self._transport.is_disconnected:
            self._transport.underlying_transport.abort()


def _frame(packet: Packet) -> bytes:
    if isinstance(packet, Shared):
        return packet.frame
    return text_frame(packet.encode()) if isinstance(packet, str) else binary_frame(packet)


def _close_answer(payload: bytes) -> WSCloseCode:
    """Return the code that answers a CLOSE frame: the same, if it may stand in one (RFC 6455, section 7.4)."""
    if not payload:
        return WSCloseCode.OK
    code = int.from_bytes(payload[:2], "big")
    if code in _CLOSE_CODES or code in _OWN_CLOSE_CODES:
        # Those of applications are no members of picows' enumeration; it takes them all the same.
        return cast("WSCloseCode", code)
    return WSCloseCode.PROTOCOL_ERROR


def _feed(protocol: asyncio.BufferedProtocol, data: bytes) -> None:
    """Give bytes to a buffered protocol as its transport would."""
    while data:
        buffer = memoryview(protocol.get_buffer(len(data)))
        size = min(len(buffer), len(data))
        buffer[:size] = data[:size]
        protocol.buffer_updated(size)
        data = data[size:]


def _environ(request: WSUpgradeRequest, peer: Any, engine: "Engine") -> dict[str, Any]:
    """Return the request as python-engineio describes one."""
    path, _, query = request.path.decode("latin-1").partition("?")
    headers: dict[str, str] = {}
    believes = engine.believes(peer[0] if peer else "")
    for name, value in request.headers.items():
        if not believes(name):
            continue
        key = f"HTTP_{name.upper().replace('-', '_')}"
        headers[key] = f"{headers[key]},{value}" if key in headers else value
    return headers | {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "RAW_URI": f"{path}?{query}" if query else path,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": peer[0] if peer else "",
        "wsgi.url_scheme": headers.get("HTTP_X_FORWARDED_PROTO", "http"),
        "asgi.scope": {"type": "websocket", "path": path, "client": tuple(peer[:2]) if peer else None},
    }


class _Silent:
    """A logger for picows that costs nothing: what matters is logged by the session."""

    def isEnabledFor(self, _: int) -> bool:  # noqa: N802 - logging's name
        return False

    def _nothing(self, *_: Any, **__: Any) -> None: ...

    log = debug = info = warning = error = exception = _nothing


_SILENT: Final = _Silent()
