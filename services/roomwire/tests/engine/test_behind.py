"""A Socket.IO server behind a proxy: what its handlers learn of the client, on every way in."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
import socketio
from peers import WAIT_S, peer_of
from waiting import until
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from roomwire.identity.tokens import User
from roomwire.log.memory.log import MemoryLog
from roomwire.metrics.gateway import Metrics
from roomwire.server import Server


class Behind:
    """A server that takes only pages of its own origin, and remembers who came."""

    def __init__(self, *trusted: str) -> None:
        self.handshakes = []
        metrics = Metrics()
        self._server = Server(
            log=MemoryLog.alone(node="behind", metrics=metrics),
            node_name="behind",
            authenticate=self._authenticate,
            metrics=metrics,
            trusted_proxies=trusted,
            cors_allowed_origins=None,
            async_mode="asgi",
        )
        self._server.on("connect", lambda *_: None)

    async def _authenticate(self, handshake):
        self.handshakes.append(handshake)
        return User.anonymous()

    @asynccontextmanager
    async def peer(self, port, *, fast):
        async with peer_of(socketio.ASGIApp(self._server), port, "/socket.io/", fast=fast) as peer:
            yield peer
        await self._server.shutdown()

    async def open(self, port, headers, *, transport):
        """Connect to it with some headers; returns the handshake as the server sees it."""
        async with self.peer(port, fast=transport == "fast") as peer, asyncio.timeout(WAIT_S):
            if transport == "polling":
                peer.http.headers.update(headers)
                answer = await peer.http.get(peer.polling())
                if answer.status_code != 200:
                    return None
                await peer.post(json.loads(answer.text[1:])["sid"], "40")
            else:
                url = f"ws://127.0.0.1:{port}{peer.path}&transport=websocket"
                try:
                    async with connect(url, additional_headers=headers) as socket:
                        await socket.recv()
                        await socket.send("40")
                        await socket.recv()
                except InvalidStatus:
                    return None
            await until(lambda: self.handshakes)
        return self.handshakes[0]


@pytest.mark.parametrize("transport", ["polling", "asgi", "fast"])
class TestEveryWayIn:
    forwarded = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9"}  # noqa: RUF012
    page = {  # noqa: RUF012
        "Origin": "https://chat.example.org",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "chat.example.org",
    }

    async def test_a_trusted_proxy_says_who_the_client_is(self, free_port, transport):
        handshake = await Behind("127.0.0.0/8").open(free_port, self.forwarded, transport=transport)
        assert "203.0.113.9" == handshake.address
        assert ("203.0.113.9", "http") == (handshake.source.address, handshake.source.scheme)

    async def test_a_stranger_does_not(self, free_port, transport):
        handshake = await Behind("10.0.0.0/8").open(free_port, self.forwarded, transport=transport)
        assert "127.0.0.1" == handshake.address
        assert "x-forwarded-for" not in handshake.headers

    async def test_a_forged_spelling_is_not_mixed_with_the_proxys(self, free_port, transport):
        headers = {"X_Forwarded_For": "6.6.6.6", **self.forwarded, "X-Forwarded_For": "6.6.6.6"}
        handshake = await Behind("127.0.0.1").open(free_port, headers, transport=transport)
        assert "203.0.113.9" == handshake.address

    async def test_the_page_of_the_origin_that_a_trusted_proxy_serves_may_connect(self, free_port, transport):
        assert await Behind("127.0.0.1").open(free_port, self.page, transport=transport)

    async def test_a_stranger_cannot_choose_the_origin(self, free_port, transport):
        assert await Behind().open(free_port, self.page, transport=transport) is None
