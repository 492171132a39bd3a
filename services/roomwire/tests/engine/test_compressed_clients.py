"""The clients of the field where compression is on: each agrees on it, and its messages are compressed in both directions."""

from collections import Counter
from contextlib import asynccontextmanager

import pytest
import serving
import socketio
from clients import js_clients
from playwright.async_api import async_playwright
from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from roomwire import Gateway, Server, Socket, subscribe
from roomwire.engine import deflater
from roomwire.engine.fast import fast_websocket
from roomwire.protocol import reader
from roomwire.protocol.deflate import PerMessageDeflate
from roomwire_gateway.page import WEB

TEXT = "a sentence of a longer text, of which there are many; " * 1_000
PAGE = """<!doctype html><title>A page</title><script type="module">
import { io } from "/client.js";
window.got = [];
window.socket = io({ transports: ["websocket"] });
socket.on("said", (...args) => got.push(args[0]));
</script>"""


class Talk(Gateway):
    @subscribe("say")
    async def say(self, socket: Socket, text: str) -> str:
        await self.emit("said", text)
        return text


@pytest.fixture
def done(monkeypatch):
    """Counts what was compressed and what was decompressed."""
    counts = Counter()
    for module, name in ((deflater, "deflated"), (reader, "inflated")):
        original = getattr(module, name)

        def counted(*args, name=name, original=original, **named):
            counts[name] += 1
            return original(*args, **named)

        monkeypatch.setattr(module, name, counted)
    return counts


@asynccontextmanager
async def talking(tmp_path):
    (tmp_path / "page.html").write_text(PAGE)
    server = Server(per_message_deflate=PerMessageDeflate())
    server.register_namespace(Talk("/"))
    files = {
        "/page": {"filename": str(tmp_path / "page.html"), "content_type": "text/html"},
        "/client.js": {"filename": str(WEB / "socket.io.esm.min.js"), "content_type": "text/javascript"},
    }
    app = socketio.ASGIApp(server, static_files=files)
    async with serving.served(app, ws=fast_websocket(server.eio, "/socket.io/")) as place:
        yield place
    await server.close()


@pytest.mark.parametrize("transports", [["websocket"], ["polling", "websocket"]], ids="-".join)
async def test_the_official_client_of_node(tmp_path, done, transports):
    async with talking(tmp_path) as place, js_clients() as clients:
        client = await clients.connect(
            place.url, transports=transports, perMessageDeflate={"threshold": 1_024}
        )
        if transports != ["websocket"]:
            await client.wait_for("upgrade")
        assert TEXT == await client.emit("say", TEXT)
        assert [TEXT] == await client.wait_for_event("said")
    assert {"inflated": 1, "deflated": 2} == done


@pytest.mark.parametrize(
    "extensions",
    [
        {"compression": "deflate"},
        {
            "extensions": [ClientPerMessageDeflateFactory(server_no_context_takeover=True)],
            "compression": None,
        },
        {"extensions": [ClientPerMessageDeflateFactory(server_max_window_bits=15)], "compression": None},
    ],
    ids=["as it is", "no context", "the largest window"],
)
async def test_the_client_of_python(tmp_path, done, extensions):
    async with talking(tmp_path) as place:
        url = f"ws://{place.address}/socket.io/?EIO=4&transport=websocket"
        async with connect(url, **extensions) as websocket:
            for packet in ("40", f'420["say","{TEXT}"]'):
                await websocket.send(packet)
            said = [await websocket.recv() for _ in range(4)]
    assert f'430["{TEXT}"]' in said
    assert 2 == done["deflated"]
    assert 2 == done["inflated"]


@pytest.mark.browser
async def test_chromium(tmp_path, done, chromium_path):
    async with talking(tmp_path) as place, async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        page = await chromium.new_page()
        await page.goto(f"{place.url}/page")
        await page.wait_for_function("socket.connected")
        assert TEXT == await page.evaluate("text => socket.emitWithAck('say', text)", TEXT)
        await page.wait_for_function("got.length == 1")
        assert [TEXT] == await page.evaluate("got")
        await chromium.close()
    assert 2 == done["deflated"]
    assert done["inflated"] >= 1


async def test_receivers_with_and_without_compression_get_the_same_and_one_frame_is_made_for_all(
    tmp_path, done
):
    async with talking(tmp_path) as place, js_clients() as clients:
        offers = [{"threshold": 1_024}, {"threshold": 1_024}, False]
        made = [
            await clients.connect(place.url, transports=["websocket"], perMessageDeflate=offer)
            for offer in offers
        ]
        await made[2].send("say", TEXT)
        for client in made:
            assert [TEXT] == await client.wait_for_event("said")
    assert {"deflated": 1} == done
