"""Bare protocol peers for tests: they send exactly what a test says, and answer nothing by themselves."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import serving
from waiting import until
from websockets.asyncio.client import ClientConnection, connect

from roomwire.engine.deflater import Deflater
from roomwire.engine.fast import fast_websocket
from roomwire.protocol.deflate import PerMessageDeflate

WAIT_S = 30.0


class Peer:
    """A client of one server and path; it may look at the server's engine to know how far that is."""

    def __init__(self, place: serving.Place, path: str, http: httpx.AsyncClient, engine: Any) -> None:
        self.path = f"{path}?EIO=4"
        self.place = place
        self.http = http
        self.engine = engine
        self.compression = None if getattr(engine, "deflater", None) is None else "deflate"
        self._ws = f"ws://{place.address}"

    def polling(self, sid: str = "") -> str:
        """Return the polling URL of a session, or of none yet."""
        return f"{self.path}&transport=polling" + (f"&sid={sid}" if sid else "")

    async def open(self) -> dict[str, Any]:
        """Begin a polling session; returns the handshake."""
        answer = await self.http.get(self.polling())
        assert (200, "0") == (answer.status_code, answer.text[:1])
        handshake: dict[str, Any] = json.loads(answer.text[1:])
        return handshake

    async def poll(self, sid: str) -> httpx.Response:
        """Ask what there is."""
        return await self.http.get(self.polling(sid))

    async def pending_poll(self, sid: str) -> asyncio.Task[httpx.Response]:
        """Ask what there is, without waiting for the answer; returns once the server waits with it."""
        poll = asyncio.create_task(self.poll(sid))
        await until(lambda: self.engine.find(sid).state.is_polled)
        return poll

    async def post(self, sid: str, payload: str) -> httpx.Response:
        """Send a payload."""
        return await self.http.post(self.polling(sid), content=payload)

    @asynccontextmanager
    async def websocket(
        self, query: str = "&transport=websocket", *, sid: str = "", **options: Any
    ) -> AsyncIterator[ClientConnection]:
        """Open a WebSocket: a session of its own, or one that is to replace a session's polling."""
        url = self._ws + self.path + query + (f"&sid={sid}" if sid else "")
        agreed = {"compression": self.compression, "ping_interval": None, "close_timeout": 1} | options
        async with connect(url, **agreed) as socket:
            yield socket

    @asynccontextmanager
    async def connected(self, *packets: str) -> AsyncIterator[ClientConnection]:
        """Open a WebSocket session, take its handshake, send CONNECT packets and take their answers."""
        async with self.websocket() as socket:
            await socket.recv()
            for packet in packets:
                await socket.send(packet)
                assert (await take(socket)).startswith(packet)
                assert '["auth"' in await take(socket)
            yield socket


@asynccontextmanager
async def joined(peer: Peer, namespace: str = "", **options: Any) -> AsyncIterator[ClientConnection]:
    """Open a WebSocket session that is connected to a namespace; the options are those of the WebSocket."""
    async with peer.websocket(**options) as socket:
        await socket.recv()
        await socket.send(f"40{namespace}")
        assert f"40{namespace}" == (await take(socket))[: 2 + len(namespace)]
        yield socket


async def polling_and_joined(peer: Peer) -> str:
    """Begin a session by polling, and connect; returns its id."""
    sid: str = (await peer.open())["sid"]
    await peer.post(sid, "40")
    assert "40{" == (await peer.poll(sid)).text[:3]
    return sid


async def take(socket: ClientConnection) -> Any:
    """Return the next packet that is no ping."""
    async with asyncio.timeout(WAIT_S):
        while (packet := await socket.recv()) == "2":
            pass
    return packet


async def closed(socket: ClientConnection) -> None:
    """Return when the server has closed a WebSocket."""
    async with asyncio.timeout(WAIT_S):
        await socket.wait_closed()


@asynccontextmanager
async def peer_of(app: Any, port: int, path: str, *, fast: bool = False) -> AsyncIterator[Peer]:
    """Serve an application, over plain ASGI or the fast path, and yield a peer of it."""
    async with peer_by("fast" if fast else "asgi", app, path, port=port) as peer:
        yield peer


@asynccontextmanager
async def peer_by(way: str, app: Any, path: str, *, port: int = 0, engine: Any = None) -> AsyncIterator[Peer]:
    """Serve an application in one of the ways of `WAYS`, and yield a peer of it.

    Args:
        way: The way.
        app: The application.
        path: Where its engine is.
        port: 0: one that is free.
        engine: The engine, if it is not the application's own that answers.

    """
    if engine is None:
        # Of a `socketio.ASGIApp`, whichever kind of server it was made of.
        engine = getattr(app.engineio_server, "eio", app.engineio_server)
    async with WAYS[way](app, port, engine, path) as place, place_http(place) as http:
        yield Peer(place, path, http, engine)


def place_http(place: serving.Place) -> httpx.AsyncClient:
    """Return an HTTP client of a place."""
    # No TLS: certificates of authorities would be read for each.
    return httpx.AsyncClient(base_url=place.url, trust_env=False, verify=False, timeout=WAIT_S)


def deflated(app: Any, port: int, engine: Any, path: str) -> AbstractAsyncContextManager[serving.Place]:
    """Serve an application on the fast path, with every message compressed."""
    engine.deflater = Deflater(PerMessageDeflate(threshold_bytes=0))
    return serving.served(app, port=port, ws=fast_websocket(engine, path))


WAYS: Mapping[str, Callable[[Any, int, Any, str], Any]] = {
    "asgi": lambda app, port, engine, _: serving.served(
        app, port=port, max_body_bytes=max(engine.max_http_buffer_size, 1_000_000)
    ),
    "fast": lambda app, port, engine, path: serving.served(app, port=port, ws=fast_websocket(engine, path)),
    "deflated": deflated,
    "hypercorn": lambda app, port, _, __: serving.hypercorn_served(app, port=port),
}
"""How an engine is served: by uvicorn over plain ASGI, by uvicorn with the fast WebSockets, perhaps compressed, by hypercorn."""


@asynccontextmanager
async def raw(peer: Peer, sid: str = "", *, more: str = ""):
    """Open a WebSocket by hand, perhaps for a session, to send frames that no library sends; yields the streams.

    Args:
        peer: The server.
        sid: The session. Default: a new one.
        more: Further lines of the request.

    """
    url = peer.http.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port, limit=2**16)
    writer.write(
        f"GET {peer.path}&transport=websocket{sid and f'&sid={sid}'} HTTP/1.1\r\nHost: {url.host}\r\nConnection: Upgrade\r\n"
        f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{more}\r\n".encode()
    )
    async with asyncio.timeout(WAIT_S):
        assert b"HTTP/1.1 101" == (await reader.readuntil(b"\r\n\r\n"))[:12]
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
