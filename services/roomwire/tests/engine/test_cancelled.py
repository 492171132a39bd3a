"""An ASGI server that ends cancels the requests that are still open: clients get an answer and a close, as on python-socketio."""

import asyncio
import contextlib
import json

import pytest
import socketio
from waiting import until

from roomwire import Server

UPGRADE = [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
KINDS = pytest.mark.parametrize("kind", [socketio.AsyncServer, Server], ids=["stock", "ours"])


class Request:
    """A request to an application, as an ASGI server makes it."""

    def __init__(self, app, query, **scope):
        said = asyncio.Queue()
        self.sent = []
        self.say = said.put_nowait

        async def send(event):
            self.sent.append(event)

        path = "/socket.io/"
        whole = {
            "path": path,
            "query_string": f"EIO=4&{query}".encode(),
            "headers": [],
            "client": ("127.0.0.1", 1),
        }
        self.task = asyncio.create_task(app(whole | scope, said.get, send))

    async def cancel(self):
        """Cancel it, as a server does that ends."""
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


def get(app, query):
    return Request(app, f"transport=polling&{query}", type="http", method="GET", scheme="http")


@contextlib.asynccontextmanager
async def app_of(kind):
    server = kind(async_mode="asgi")
    try:
        yield socketio.ASGIApp(server)
    finally:
        await server.shutdown()


@KINDS
async def test_a_websocket_is_closed_in_order(kind):
    async with app_of(kind) as app:
        request = Request(app, "transport=websocket", type="websocket", scheme="ws", headers=UPGRADE)
        request.say({"type": "websocket.connect"})
        await until(lambda: "websocket.send" in [event["type"] for event in request.sent])
        await request.cancel()

        assert "websocket.close" == request.sent[-1]["type"]
        assert request.sent[-1].get("code", 1000) == 1000


@KINDS
async def test_a_poll_is_answered(kind):
    async with app_of(kind) as app:
        opening = get(app, "")
        opening.say({"type": "http.request"})
        await opening.task
        sid = json.loads(opening.sent[1]["body"][1:])["sid"]
        polling = get(app, f"sid={sid}")
        polling.say({"type": "http.request"})
        # It waits for an answer as soon as it has asked for the next event, the end of its client.
        for _ in range(10):
            await asyncio.sleep(0)
        await polling.cancel()

        assert not polling.task.cancelled()
        assert [400, None] == [event.get("status") for event in polling.sent]
