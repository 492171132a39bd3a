"""The pages of examples in a real browser, from tests that also wait for processes."""

import contextlib
from collections.abc import AsyncIterator

from pages import ARGUMENTS
from playwright.async_api import Browser, Page, async_playwright


@contextlib.asynccontextmanager
async def chromium(path: str | None) -> AsyncIterator[Browser]:
    """Run a browser for as long as the context lasts."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        await browser.close()


async def open_page(browser: Browser, url: str) -> Page:
    """Open a page in a profile of its own."""
    page = await (await browser.new_context()).new_page()
    await page.goto(url)
    return page
