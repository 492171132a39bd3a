"""The chat: two people in two browsers, connected to two gateways."""

import pytest
from browsers import chromium, open_page
from playwright.async_api import Page, expect
from walkthrough import EXAMPLES, walkthrough

MAX_LINES = 30


async def write(page: Page, text: str) -> None:
    await page.get_by_label("Message").fill(text)
    await page.get_by_role("button", name="Send").click()


@pytest.mark.examples
@pytest.mark.browser
async def test_what_people_write_in_two_browsers_is_read_by_both_in_one_order(tmp_path, chromium_path):
    async with walkthrough("chat", tmp_path) as chat, chromium(chromium_path) as browser:
        await chat.start_valkey()
        await chat.start_gateways()
        ann, ben = [await open_page(browser, chat.url(port)) for port in (8001, 8002)]

        await write(ann, "Hello, Ben!")
        for page in (ann, ben):
            await expect(page.get_by_role("listitem")).to_have_text(["Hello, Ben!"])
        await write(ben, "<b>Hello</b>, Ann!")
        for page in (ann, ben):
            await expect(page.get_by_role("listitem")).to_have_text(["Hello, Ben!", "<b>Hello</b>, Ann!"])


def test_it_has_thirty_lines():
    assert MAX_LINES >= len((EXAMPLES / "chat" / "chat.py").read_text().splitlines())
