"""A Socket.IO client that costs next to nothing: WebSocket only, hand-cut packets, no validation.

For load, not for correctness: those tests use the official client.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

CONNECT_TIMEOUT_S = 30.0


class LoadClient(WSListener):  # type: ignore[misc] # picows has no types for its base class
    """One connection. `on_event` and `on_ack` get the raw packet: `42[...]`, `43<id>[...]`."""

    def __init__(self, on_event: Callable[[bytes], None], on_ack: Callable[[bytes], None]) -> None:
        self._on_event = on_event
        self._on_ack = on_ack
        self._acks = 0
        self.transport: WSTransport
        self.connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Ask for the default namespace."""
        self.transport = transport
        transport.send(WSMsgType.TEXT, b"40")

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a packet: hot."""
        packet = frame.get_payload_as_bytes()
        kind = packet[:2]
        if kind == b"42":
            self._on_event(packet)
        elif kind == b"43":
            self._on_ack(packet)
        elif packet == b"2":
            transport.send(WSMsgType.TEXT, b"3")
        elif kind == b"40":
            self.connected.set_result(None)

    def on_ws_disconnected(self, _: WSTransport) -> None:
        """Say so to who waits for the connection."""
        if not self.connected.done():
            self.connected.set_exception(ConnectionError("closed before it was connected"))

    def emit(self, event: str, body: Any, *, ack: bool = False) -> None:
        """Send an event."""
        id_ = str(self._acks).encode() if ack else b""
        self._acks += ack
        self.transport.send(WSMsgType.TEXT, b"42" + id_ + json.dumps([event, body]).encode())


async def connect(
    url: str,
    *,
    on_event: Callable[[bytes], None] = lambda _: None,
    on_ack: Callable[[bytes], None] = lambda _: None,
) -> LoadClient:
    """Return a client that is connected to the default namespace.

    Args:
        url: `ws://host:port`.
        on_event: Called with each event packet.
        on_ack: Called with each ack packet.

    """
    path = f"{url}/socket.io/?EIO=4&transport=websocket"
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        _, client = await ws_connect(lambda: LoadClient(on_event, on_ack), path)
        await client.connected
    return client
