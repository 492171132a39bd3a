"""The official admin UI, as its npm package ships it, in a real browser: two gateways behind the ingress, and a client at each."""

import functools
import http.server
import os
import re
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import socketio
from argon2.low_level import Type, hash_secret
from browsers import chromium, open_page
from playwright.async_api import Locator, Page, Route, expect
from waiting import until

from roomwire_local.free_ports import free_port
from roomwire_local.system import LocalSystem, local_system

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

UI = Path(__file__).resolve().parents[3] / "node_modules" / "@socket.io" / "admin-ui" / "ui" / "dist"
PATIENCE_MS = 60_000


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def ui(starts_servers: None) -> Iterator[str]:
    """The UI on an origin of its own."""
    handler = functools.partial(Quiet, directory=os.fspath(UI))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


@pytest.fixture(scope="module")
def system(ui: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    """The chat over two gateways, which the UI's origin may read."""
    # The salt is `$AAAA…` in the hash: no part of the way may take that for the name of a variable.
    hashed = hash_secret(b"correct horse", bytes(16), 1, 8, 1, 32, Type.ID).decode()
    settings = {
        "ROOMWIRE_ADMIN_NAME": "ops",
        "ROOMWIRE_ADMIN_PASSWORD_HASH": hashed,
        "ROOMWIRE_ADMIN_MODE": "development",
        "ROOMWIRE_CORS_ORIGINS": ui,
    }
    with local_system(tmp_path_factory.mktemp("admin"), free_port(), **settings) as running:
        yield running


@pytest.fixture
async def page(ui: str, chromium_path: str | None) -> AsyncIterator[Page]:
    async with chromium(chromium_path) as browser:
        opened = await open_page(browser, "about:blank")

        async def only_ours(route: Route) -> None:
            # Fonts and icons come from elsewhere.
            is_ours = re.match(r"https?://(127\.0\.0\.1|localhost)[:/]", route.request.url)
            await (route.continue_() if is_ours else route.abort())

        await opened.route("**/*", only_ours)
        await opened.goto(ui)
        yield opened


async def sign_in(page: Page, url: str, password: str) -> None:
    await page.get_by_label("Server URL").fill(url)
    await page.get_by_label("Username").fill("ops")
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Connect").click()


async def go_to(page: Page, view: str) -> None:
    links = page.get_by_role("navigation").get_by_role("link", name=view, exact=True)
    await links.first.click(timeout=PATIENCE_MS)


def cell(page: Page, text: str) -> Locator:
    return page.get_by_role("cell", name=text, exact=True)


def row(page: Page, text: str) -> Locator:
    return page.get_by_role("row").filter(has=cell(page, text))


async def test_an_operator_sees_both_gateways_and_acts_on_the_client_of_either(page, system):
    clients = {}
    for name in ("gateway-1", "gateway-2"):
        clients[name] = client = socketio.AsyncSimpleClient()
        await client.connect(f"http://127.0.0.1:{system.ports[name]}", transports=["websocket"])
    try:
        await sign_in(page, system.url, "wrong")
        await expect(page.get_by_text("Invalid credentials")).to_be_visible(timeout=PATIENCE_MS)
        await sign_in(page, system.url, "correct horse")
        await go_to(page, "Servers")
        for name in clients:
            await expect(cell(page, name)).to_be_visible(timeout=PATIENCE_MS)

        await go_to(page, "Sockets")
        sids = {str(client.sid): client for client in clients.values()}
        for sid in sids:
            await expect(cell(page, sid)).to_be_visible(timeout=PATIENCE_MS)
        for sid, client in sids.items():
            await cell(page, sid).click()
            await page.get_by_label("Join a room").fill("club")
            # The button has a picture, and no name.
            await page.get_by_role("main").locator("button[type=submit]").click()
            # A click on a button is one on its row as well, which leads to another view.
            await row(page, "club").get_by_role("button").click(timeout=PATIENCE_MS)
            await go_to(page, "Sockets")
            await cell(page, sid).click()
            await expect(cell(page, sid).first).to_be_visible()
            await expect(cell(page, "club")).to_have_count(0, timeout=PATIENCE_MS)
            await go_to(page, "Sockets")
            await row(page, sid).get_by_role("button").click()
            await go_to(page, "Sockets")
            await expect(cell(page, sid)).to_have_count(0, timeout=PATIENCE_MS)
            await until(lambda client=client: not client.connected)
    finally:
        for client in clients.values():
            await client.disconnect()
