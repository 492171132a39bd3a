"""What `roomwire new` writes, in two browsers over two gateways of `roomwire up`.

The tests on a cluster run those here that need a URL alone: NOTES_PAGE_URL names it.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from browsers import chromium
from developing import developing
from notes_page import PATIENCE_MS, RECOVERED, gateway_of, over_two_gateways, shows, state, write
from playwright.async_api import Browser, expect

from roomwire_local.free_ports import free_port
from roomwire_local.system import LocalSystem, local_system

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]


def written(folder: Path) -> Path:
    """Return the folder of a new application."""
    subprocess.run([sys.executable, "-m", "roomwire", "new", "board"], cwd=folder, check=True)
    return folder / "board"


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory, starts_servers: None) -> Iterator[LocalSystem]:
    """A new application in the whole system; clients need a token, as they do on a cluster."""
    folder = written(tmp_path_factory.mktemp("new"))
    settings = {"application": "board:app", "ROOMWIRE_AUTH_MODE": "required"}
    with local_system(folder, free_port(), **settings) as running:
        yield running


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    """The URL of an application that is served already, or of one that is started here."""
    return os.environ.get("NOTES_PAGE_URL") or str(request.getfixturevalue("board").url)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(chromium_path: str | None) -> AsyncIterator[Browser]:
    async with chromium(chromium_path) as running:
        yield running


async def test_both_browsers_show_what_each_of_them_writes(url, browser):
    ann, ben = await over_two_gateways(browser, url)

    await write(ann, "Hello, Ben!")
    await shows(ben, "Hello, Ben!")
    await write(ben, "<img src=x>")
    for page in (ann, ben):
        await shows(page, "Hello, Ben!", "<img src=x>")


async def test_a_page_whose_connection_is_cut_shows_that_its_session_is_recovered_and_misses_nothing(
    url, browser
):
    ann, ben = await over_two_gateways(browser, url)
    await write(ann, "before")
    await shows(ben, "before")

    await ben.get_by_role("button", name="Cut").click()
    await write(ann, "meanwhile")

    await expect(state(ben)).to_have_text(RECOVERED, timeout=PATIENCE_MS)
    await write(ann, "after")
    await shows(ben, "before", "meanwhile", "after")


async def test_a_page_whose_gateway_is_killed_is_recovered_and_misses_nothing(board, browser):
    ann, ben = await over_two_gateways(browser, board.url)
    await write(ann, "before")
    await shows(ben, "before")

    os.kill(board.pid_of(await gateway_of(ben)), signal.SIGKILL)
    await write(ann, "meanwhile")

    await expect(state(ben)).to_have_text(RECOVERED, timeout=PATIENCE_MS)
    await shows(ben, "before", "meanwhile")


async def test_a_page_whose_session_was_ended_returns_as_a_new_guest(board, browser, http):
    page = await browser.new_page()
    async with page.expect_response("**/auth/guest") as answered:
        await page.goto(board.url)
    grant = await (await answered.value).json()
    await gateway_of(page)

    async with page.expect_response("**/auth/guest", timeout=PATIENCE_MS):
        ended = await http.post(f"{board.url}/auth/logout", json={"refresh_token": grant["refresh_token"]})
        assert ended.is_success

    await gateway_of(page)
    await write(page, "here again")
    await shows(page, "here again")


async def test_nothing_comes_from_elsewhere_and_the_policy_is_not_violated(board, browser):
    page = await browser.new_page()
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(board.url)
    await gateway_of(page)
    await write(page, "alone")
    await shows(page, "alone")

    assert [] == [url for url in requests if not url.startswith(board.url)]
    assert [] == complaints


async def test_without_an_auth_service_the_page_says_that_it_needs_a_token(browser, tmp_path):
    async with developing(written(tmp_path), "board:app") as dev:
        page = await browser.new_page()
        await page.goto(f"http://{dev.address}/")

        await expect(state(page)).to_have_text(re.compile("not connected: .*token"), timeout=PATIENCE_MS)
