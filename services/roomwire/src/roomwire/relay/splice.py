"""Connects a client's WebSocket to its session's owner and passes the bytes on unread, in both directions.

Only the beginning is read: until the owner has accepted the WebSocket, none of the client's bytes are forwarded, because
the owner could take them for another request.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Final, cast

from roomwire.engine.admission import UNKNOWN_SID, Refused, check_origin
from roomwire.engine.engine import Engine
from roomwire.protocol.opening import BadUpgrade, read_upgrade
from roomwire.relay.errors import Unreached
from roomwire.relay.head import websocket_head
from roomwire.relay.link import RelayLink
from roomwire.relay.proof import RelayRequest

_ACCEPTED: Final = b"HTTP/1.1 101 "


class Splice(asyncio.Protocol):
    """Serves a WebSocket's transport, from its request on.

    Args:
        engine: The engine that received the request.
        connections: uvicorn's open connections; this one is among them while it is open.
        link: Connects to the owner, given the request and a function that cuts this splice.
        start: Starts a task, and owns it.
        timeout_s: Time limit for the owner to accept the WebSocket.

    """

    def __init__(
        self,
        engine: Engine,
        connections: set[object],
        *,
        link: Callable[[RelayRequest, Callable[[], None]], contextlib.AbstractAsyncContextManager[RelayLink]],
        start: Callable[[Coroutine[object, object, None]], "asyncio.Task[None]"],
        timeout_s: float,
    ) -> None:
        self._engine = engine
        self._connections = connections
        self._connect = link
        self._start = start
        self._timeout_s = timeout_s
        self._link: RelayLink | None = None
        self._joining: asyncio.Task[None] | None = None
        self._emptying: asyncio.Task[None] | None = None
        self._is_begun = False
        self._is_lost = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()

    # Called by asyncio and uvicorn.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport; the request is the first data."""
        # A cast without a check: uvloop's transports do not inherit from asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Process data from the client."""
        if not self._is_begun:
            self._is_begun = True
            self._begin(data)
        elif self._link is not None:
            self._link.write(data)
            if self._link.is_full and self._emptying is None:
                self._transport.pause_reading()
                self._emptying = self._start(self._empty(self._link))

    def eof_received(self) -> bool | None:
        """Close: a client that has ended its stream cannot answer a ping."""
        return None

    def connection_lost(self, _: Exception | None) -> None:
        """End the connection to the owner."""
        self._connections.discard(self)
        self._is_lost.set()
        for task in (self._joining, self._emptying):
            if task is not None:
                task.cancel()

    def pause_writing(self) -> None:
        """Read no more from the owner than the client reads."""
        self._may_write.clear()

    def resume_writing(self) -> None:
        """Resume reading from the owner."""
        self._may_write.set()

    def shutdown(self) -> None:
        """Close the transport; a CLOSE of ours could end up within another frame."""
        self._transport.close()

    # Ours.

    def _begin(self, request: bytes) -> None:
        engine, transport = self._engine, self._transport
        peer = transport.get_extra_info("peername")
        scheme = "https" if transport.get_extra_info("sslcontext") else "http"
        try:
            upgrade = read_upgrade(request, peer, scheme=scheme, proxies=engine.proxies)
            check_origin(engine, upgrade.environ)
        except BadUpgrade as error:
            self._turn_away(error.answer)
            return
        except Refused as refused:
            self._turn_away(refused.http_answer())
            return
        host, port = peer[:2] if peer else ("", 0)
        head = websocket_head(request, believes=engine.proxies.believes(host))
        self._connections.add(self)
        transport.pause_reading()
        self._joining = self._start(self._join(RelayRequest(host, port, scheme, head)))

    def _turn_away(self, answer: bytes) -> None:
        self._transport.write(answer)
        self._transport.close()
        # Answers that the client does not read would keep the connection open.
        self._engine.alarm_in(self._engine.limits.close_timeout_s, self._abort)

    def _abort(self, _: float) -> None:
        self._transport.abort()

    async def _join(self, request: RelayRequest) -> None:
        """Have the owner accept the WebSocket, and forward its bytes until one of the two sides ends."""
        try:
            async with self._connect(request, self.shutdown) as link:
                await self._open(link)
                while data := await link.read():
                    self._transport.write(data)
                    await self._may_write.wait()
                await self._part()
        except (Unreached, TimeoutError):
            self._turn_away(Refused(UNKNOWN_SID).http_answer())
        finally:
            self._link = None
            self._transport.close()

    async def _open(self, link: RelayLink) -> None:
        """Forward the owner's answer; if the owner accepts, read from the client."""
        answer = b""
        async with asyncio.timeout(self._timeout_s):
            while len(answer) < len(_ACCEPTED):
                data = await link.read()
                if not data:
                    raise Unreached
                answer += data
        self._transport.write(answer)
        if answer.startswith(_ACCEPTED):
            self._link = link
            self._transport.resume_reading()

    async def _part(self) -> None:
        """Let the client read the owner's last bytes, and close."""
        if self._transport.can_write_eof():
            with contextlib.suppress(OSError):
                self._transport.write_eof()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._engine.limits.close_timeout_s):
                    await self._is_lost.wait()

    async def _empty(self, link: RelayLink) -> None:
        """Resume reading once the owner has read what it was sent."""
        await link.drain()
        self._emptying = None
        if not self._transport.is_closing():
            self._transport.resume_reading()
