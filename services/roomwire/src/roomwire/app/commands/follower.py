"""A Socket.IO client over WebSocket that connects again by itself and recovers its session, as the official client does.

python-socketio's code reads and writes the packets, as in `roomwire.testing`, whose clients connect again only if a test tells them to.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import websockets
from socketio import packet
from websockets.asyncio.client import ClientConnection

from roomwire.app.commands.refusal import Refusal
from roomwire.app.commands.remote import TIMEOUT_S, Url, shown
from roomwire.log.positions import parse_offset
from roomwire.protocol.packets import CLOSE, MESSAGE, OPEN, PING, PONG

FIRST_PAUSE_S: Final = 1.0
"""The pause before the first attempt to connect again, in seconds. Each further pause is twice as long."""
MAX_PAUSE_S: Final = 10.0


class Emitted(NamedTuple):
    """An event that the client emits whenever a new session begins: its name and its arguments."""

    event: str
    args: Sequence[Any]


class _Handshake(msgspec.Struct, rename="camel"):
    sid: str
    ping_interval: float
    ping_timeout: float


class _Lost(Exception):
    """The connection is lost; the text says why."""


class Follower:
    """Receives the events of a namespace until it is cancelled or refused.

    Args:
        url: The URL of the deployment.
        namespace: The namespace.
        token: The access token. Empty if there is none.
        emits: The events that it emits when a session begins, each with an acknowledgement.
        hear: Called with each event and acknowledgement: `event` or `ack`, the event's name, and the arguments.
        tell: Called with a sentence whenever a connection begins or ends.

    """

    def __init__(
        self,
        url: Url,
        *,
        namespace: str,
        token: str,
        emits: Sequence[Emitted],
        hear: Callable[[str, str, Sequence[Any]], None],
        tell: Callable[[str], None],
    ) -> None:
        self._shown = shown(url)
        scheme = "wss" if url.scheme == "https" else "ws"
        self._url = str(
            url.copy_with(
                scheme=scheme,
                path=f"{url.path.rstrip('/')}/socket.io/",
                query=b"EIO=4&transport=websocket",
                fragment=None,
            )
        )
        self._namespace = namespace
        self._auth = {"recovery": True, **({"token": token} if token else {})}
        self._emits = emits
        self._hear = hear
        self._tell = tell
        self._engine_sid = ""
        self._known: dict[str, str] = {}
        self._pause_s = FIRST_PAUSE_S
        self._has_connected = False

    async def follow(self) -> None:
        """Receive events. Only an exception ends this method.

        Raises:
            Refusal: The first connection fails, or the server refuses or ends a connection for good.

        """
        while True:
            try:
                async with websockets.connect(
                    self._url, open_timeout=TIMEOUT_S, ping_interval=None, max_size=None
                ) as socket:
                    await self._converse(socket)
            except (OSError, TimeoutError, websockets.WebSocketException, _Lost) as error:
                why = str(error) or type(error).__name__
                if not self._has_connected:
                    raise Refusal(f"{self._shown} cannot be reached by Socket.IO: {why}") from None
                self._tell(f"disconnected ({why}), connecting again in {self._pause_s:.0f} s")
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(2 * self._pause_s, MAX_PAUSE_S)

    async def _converse(self, socket: ClientConnection) -> None:
        """Exchange packets with the server until the connection is lost, which raises an exception."""
        async with asyncio.timeout(TIMEOUT_S):
            opened = await socket.recv()
        if not isinstance(opened, str) or not opened.startswith(OPEN):
            raise _Lost("the server does not speak Engine.IO")
        handshake = msgspec.json.decode(opened[1:], type=_Handshake)
        self._engine_sid = handshake.sid
        patience_s = (handshake.ping_interval + handshake.ping_timeout) / 1000
        await self._say(socket, packet.Packet(packet.CONNECT, {**self._auth, **self._known}, self._namespace))
        partial: packet.Packet | None = None
        while True:
            try:
                async with asyncio.timeout(patience_s):
                    heard = await socket.recv()
            except TimeoutError:
                raise _Lost("the server sent no ping in time") from None
            if isinstance(heard, bytes):
                if partial is not None and partial.add_attachment(heard):
                    whole, partial = partial, None
                    await self._take(socket, whole)
            elif heard == PING:
                await socket.send(PONG)
            elif heard.startswith(MESSAGE):
                taken = packet.Packet(encoded_packet=heard[1:])
                if taken.attachment_count:
                    partial = taken
                else:
                    await self._take(socket, taken)
            elif heard.startswith(CLOSE):
                raise _Lost("the server closed the connection")

    async def _take(self, socket: ClientConnection, taken: packet.Packet) -> None:
        kind = taken.packet_type
        if kind == packet.CONNECT:
            await self._begin(socket, taken.data)
        elif kind == packet.CONNECT_ERROR:
            self._refused(taken.data)
        elif kind == packet.DISCONNECT:
            raise Refusal("the server has ended the session")
        elif kind in {packet.ACK, packet.BINARY_ACK}:
            self._hear("ack", self._emits[taken.id].event, taken.data or [])
        else:
            name, *args = taken.data
            if "pid" in self._known and taken.id is None and self._ends_with_offset(args):
                # Every event to a client that can recover ends with its offset.
                self._known["offset"] = args.pop()
            self._hear("event", name, args)

    @property
    def _place(self) -> str:
        """Return the gateway's name in a sentence: a session id of ours begins with it, other servers' ids need not."""
        gateway = self._engine_sid.rpartition(".")[0]
        return f" on {gateway}" if gateway else ""

    @staticmethod
    def _ends_with_offset(args: Sequence[object]) -> bool:
        return bool(args) and isinstance(args[-1], str) and parse_offset(args[-1]) is not None

    async def _begin(self, socket: ClientConnection, session: Mapping[str, str]) -> None:
        pid = session.get("pid")
        is_recovered = pid is not None and pid == self._known.get("pid")
        self._pause_s = FIRST_PAUSE_S
        if is_recovered:
            self._tell(f"recovered{self._place}: all missed events follow")
            return
        if self._has_connected:
            self._tell(f"not recovered: a new session begins{self._place}, and the missed events are lost")
        else:
            self._tell(f"connected{self._place} as {session['sid']}")
        self._has_connected = True
        self._known = {"pid": pid} if pid else {}
        for number, emitted in enumerate(self._emits):
            said = packet.Packet(packet.EVENT, [emitted.event, *emitted.args], self._namespace, number)
            await self._say(socket, said)

    def _refused(self, error: Any) -> None:
        told = error if isinstance(error, dict) else {"message": str(error)}
        data = told.get("data")
        code = f" ({data['code']})" if isinstance(data, dict) and "code" in data else ""
        sentence = f"the server refuses the connection: {told.get('message')}{code}"
        if self._has_connected and isinstance(data, dict) and data.get("retryable"):
            raise _Lost(sentence)
        raise Refusal(sentence)

    async def _say(self, socket: ClientConnection, said: packet.Packet) -> None:
        encoded = said.encode()
        # The arguments come from JSON, which has no attachments.
        await socket.send(f"{MESSAGE}{encoded}")
