"""The official client as a browser loads it, with nothing in its `auth`: it recovers from its first drop."""

import contextlib

import pytest
import serving
import socketio
from flaky_proxy import Proxy
from playwright.async_api import async_playwright
from waiting import until

from roomwire import Gateway, Server
from roomwire.engine.fast import fast_websocket
from roomwire_gateway.page import WEB

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><title>A page</title><script type="module">
import { io } from "/client.js";
window.got = [];
window.socket = io({ transports: new URLSearchParams(location.search).getAll("transport") });
socket.on("n", (...args) => got.push(args[0]));
</script>"""


@contextlib.asynccontextmanager
async def page_of(url, chromium_path):
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        page = await chromium.new_page()
        await page.goto(url)
        yield page
        await chromium.close()


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]], ids="-".join)
async def test_in_chromium_the_official_client_recovers_from_its_first_drop(
    chromium_path, tmp_path, transports
):
    (tmp_path / "page.html").write_text(PAGE)
    server = Server()
    server.register_namespace(Gateway("/"))
    files = {
        "/page": {"filename": str(tmp_path / "page.html"), "content_type": "text/html"},
        "/client.js": {"filename": str(WEB / "socket.io.esm.min.js"), "content_type": "text/javascript"},
    }
    app = socketio.ASGIApp(server, static_files=files)
    query = "&".join(f"transport={transport}" for transport in transports)
    async with (
        serving.served(app, ws=fast_websocket(server.eio, "/socket.io/")) as place,
        Proxy(place.port) as proxy,
    ):
        async with page_of(f"http://127.0.0.1:{proxy.port}/page?{query}", chromium_path) as page:
            await page.wait_for_function("socket.connected")
            (connection,) = server.eio.sockets.values()
            await until(lambda: connection.upgraded is ("websocket" in transports))
            before = await page.evaluate("socket.id")
            await server.emit("n", 0)
            await page.wait_for_function("got.length == 1")
            await until(lambda: connection.upgraded or connection.state.is_polled)
            proxy.cut()
            # Before that, it would be the answer to a poll that is not there any more.
            await until(lambda: connection.closed)
            await server.emit("n", 1)
            await page.wait_for_function("got.length == 2 && socket.connected")
            assert [[0, 1], True, before] == await page.evaluate("[got, socket.recovered, socket.id]")
        await server.shutdown()
