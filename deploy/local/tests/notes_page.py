"""The page that `roomwire new` writes, in a real browser: how a test opens it, writes, and reads what it shows."""

import re

from browsers import open_page
from playwright.async_api import Browser, Locator, Page, expect

PATIENCE_MS = 60_000
CONNECTED = re.compile(r"connected to (\S+), (?:new session|session recovered)")
RECOVERED = re.compile(r"connected to \S+, session recovered")


def state(page: Page) -> Locator:
    return page.get_by_label("Connection")


async def gateway_of(page: Page) -> str:
    """Wait until a page is connected; returns the name of its gateway."""
    await expect(state(page)).to_have_text(CONNECTED, timeout=PATIENCE_MS)
    found = CONNECTED.fullmatch(await state(page).inner_text())
    assert found
    return found[1]


async def over_two_gateways(browser: Browser, url: str) -> tuple[Page, Page]:
    """Open two pages, each in a profile of its own, that are connected to different gateways."""
    first = await open_page(browser, url)
    for _ in range(10):
        second = await open_page(browser, url)
        if await gateway_of(second) != await gateway_of(first):
            return first, second
        await second.context.close()
    raise AssertionError("ten pages in a row were given the same gateway")


async def write(page: Page, text: str) -> None:
    await page.get_by_label("Note", exact=True).fill(text)
    await page.get_by_role("button", name="Write").click()


async def shows(page: Page, *notes: str) -> None:
    """Wait until a page shows these notes in this order, and no others."""
    listed = page.get_by_role("list", name="Notes").get_by_role("listitem")
    await expect(listed).to_have_text([*notes], timeout=PATIENCE_MS)
