"""Bare protocol peers for tests: they send exactly what a test says, and answer nothing by themselves."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from websockets.asyncio.client import ClientConnection, connect

from roomwire.engine.fast import fast_websocket

WAIT_S = 5.0


class Peer:
    """A client of one server and path."""

    def __init__(self, url: str, path: str, http: httpx.AsyncClient) -> None:
        self.path = f"{path}?EIO=4"
        self.http = http
        self._ws = url.replace("http", "ws")

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

    async def post(self, sid: str, payload: str) -> httpx.Response:
        """Send a payload."""
        return await self.http.post(self.polling(sid), content=payload)

    @asynccontextmanager
    async def websocket(
        self, query: str = "&transport=websocket", *, sid: str = ""
    ) -> AsyncIterator[ClientConnection]:
        """Open a WebSocket: a session of its own, or one that is to replace a session's polling."""
        url = self._ws + self.path + query + (f"&sid={sid}" if sid else "")
        async with connect(url, compression=None, ping_interval=None, close_timeout=1) as socket:
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
async def served(app: Any, port: int, ws: Any = "websockets-sansio") -> AsyncIterator[str]:
    """Serve an ASGI application on a loopback port; yields its URL."""
    config = uvicorn.Config(
        app,
        port=port,
        log_config=None,
        lifespan="off",
        ws=ws,
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign]
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving


@asynccontextmanager
async def peer_of(app: Any, port: int, path: str, *, fast: bool = False) -> AsyncIterator[Peer]:
    """Serve an application, over plain ASGI or the fast path, and yield a peer of it."""
    server = app.engineio_server
    ws = fast_websocket(getattr(server, "eio", server), path) if fast else "websockets-sansio"
    async with (
        served(app, port, ws) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=WAIT_S) as http,
    ):
        yield Peer(url, path, http)
