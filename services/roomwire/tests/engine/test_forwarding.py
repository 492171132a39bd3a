"""Behind a proxy that uvicorn trusts: handlers learn the same on plain ASGI and on the fast path."""

import asyncio
from types import SimpleNamespace

import pytest
import socketio
import uvicorn
from peers import WAIT_S
from serving import HOST
from waiting import until
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from roomwire import Server
from roomwire.engine.fast import fast_websocket
from roomwire.engine.forwarding import Forwarding

WAYS = ("asgi", "fast")
NAME = "chat.example.org"


async def seen(way: str, port: int, headers: list[tuple[str, str]], **options) -> dict[str, object] | None:
    """Connect to a server that uvicorn runs by itself, and return what its handler finds; None if it refuses."""
    found = []
    server = Server(async_mode="asgi")

    async def remember(sid, environ):
        scope = environ["asgi.scope"]
        found.append(
            {
                "address": environ["REMOTE_ADDR"],
                "url_scheme": environ["wsgi.url_scheme"],
                "client": scope["client"][0] if scope["client"] else None,
                "scheme": scope["scheme"],
                "told": environ.get("HTTP_X_FORWARDED_FOR"),
            }
        )

    server.on("connect", remember)
    app = socketio.ASGIApp(server)
    ws = fast_websocket(server.eio, "/socket.io/") if way == "fast" else "websockets-sansio"
    config = uvicorn.Config(app, host=HOST, port=port, ws=ws, lifespan="off", log_config=None, **options)
    running = uvicorn.Server(config)
    serving = asyncio.create_task(running._serve())
    try:
        async with asyncio.timeout(WAIT_S):
            await until(lambda: running.started)
            url = f"ws://{NAME}/socket.io/?EIO=4&transport=websocket"
            try:
                async with connect(url, additional_headers=headers, host=HOST, port=port) as socket:
                    await socket.recv()
                    await socket.send("40")
                    await socket.recv()
            except InvalidStatus:
                return None
        return found[0]
    finally:
        running.should_exit = True
        await serving
        await server.shutdown()


@pytest.mark.parametrize(
    ("headers", "options"),
    [
        ([("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https")], {}),
        ([("X-Forwarded-For", "6.6.6.6, 203.0.113.9, 127.0.0.1"), ("X-Forwarded-Proto", "wss")], {}),
        ([("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "203.0.113.9")], {}),
        ([("X-Forwarded-For", "6.6.6.6, 203.0.113.9")], {"forwarded_allow_ips": "*"}),
        ([("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https")], {"proxy_headers": False}),
        ([("X-Forwarded-For", "203.0.113.9")], {"forwarded_allow_ips": "10.0.0.0/8"}),
        ([("X-Forwarded-Proto", "gopher"), ("X-Forwarded-For", "")], {}),
        ([], {}),
    ],
    ids=["both", "chain", "repeated", "all", "off", "other", "malformed", "none"],
)
async def test_a_handler_finds_the_same_on_both_ways(free_port, headers, options):
    first, second = [await seen(way, free_port, headers, **options) for way in WAYS]
    assert first is not None
    assert first == second


async def test_the_default_believes_a_proxy_of_this_machine(free_port):
    headers = [("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https")]
    expected = {
        "address": "203.0.113.9",
        "url_scheme": "https",
        "client": "203.0.113.9",
        "scheme": "wss",
        "told": None,
    }
    assert expected == await seen("fast", free_port, headers)


@pytest.mark.parametrize("way", WAYS)
async def test_a_page_of_the_servers_own_may_connect_behind_a_proxy_that_ends_tls(free_port, way):
    headers = [("Origin", f"https://{NAME}"), ("X-Forwarded-Proto", "https")]
    assert await seen(way, free_port, headers) is not None
    assert await seen(way, free_port, [("Origin", "https://elsewhere.example")]) is None


def test_without_proxies_a_request_comes_from_its_peer():
    request = b"GET / HTTP/1.1\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n"
    off = Forwarding(SimpleNamespace(proxy_headers=False, forwarded_allow_ips="*"))
    assert (("10.0.0.1", 1), "http") == off.of(request, ("10.0.0.1", 1), "http")
