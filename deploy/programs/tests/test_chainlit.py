"""Chainlit: its page in Chromium, which comes with the package."""

from pathlib import Path

import pytest
from beside_stock import chromium_page, on_each_server, replaces, started
from outcomes import Outcome, Row
from playwright.async_api import Page, expect
from programs import CHAINLIT, WRITTEN
from waiting import time_passes

pytestmark = [pytest.mark.programs, pytest.mark.timeout(420)]
SESSION_TIMEOUT_S = 2
SETTINGS = f"""
[project]
session_timeout = {SESSION_TIMEOUT_S}
[features]
[UI]
name = "Talk"
[meta]
generated_by = "{{version}}"
"""


async def test_a_chat_of_chainlit_works_as_on_the_stock_server(chromium_path, tmp_path: Path, note) -> None:
    version = CHAINLIT.version("chainlit")

    async def drive(server: str, outcome: Outcome) -> None:
        folder = tmp_path / server
        (folder / ".chainlit").mkdir(parents=True)
        (folder / ".chainlit" / "config.toml").write_text(SETTINGS.format(version=version), encoding="utf-8")
        program = (CHAINLIT.program("chainlit"), "run", "--headless", "--host", "127.0.0.1", "--port", "PORT")
        async with (
            started(
                *program,
                str(WRITTEN / "chainlit_talk.py"),
                server=server,
                folder=folder,
                log=folder / "log",
                CHAINLIT_AUTH_SECRET="",
            ) as proxy,
            chromium_page(chromium_path) as page,
        ):
            await page.goto(f"http://127.0.0.1:{proxy.port}/")
            first = page.get_by_text("Served by")
            await first.wait_for()
            replaces(server, (await first.inner_text()).split()[-1])
            await page.evaluate("window.isSame = true")

            with outcome.step("load and message"):
                await say(page, "good morning")
                await expect(page.get_by_text("Message 1: good morning")).to_be_visible()
            with outcome.step("stream"):
                await say(page, "stream")
                await expect(page.get_by_text("word0 word1 word2")).to_contain_text("word198 word199")
            with outcome.step("ask"):
                await say(page, "ask")
                await page.get_by_text("Which colour?").wait_for()
                await say(page, "blue")
                await expect(page.get_by_text("You like blue")).to_be_visible()
            with outcome.step("a lost connection"):
                proxy.cut()
                await say(page, "back again")
                await expect(page.get_by_text("Message 4: back again")).to_be_visible()
            with outcome.step("the session timeout after it"):
                # The program then clears the session of the connection that was lost; the one that came back is another.
                await time_passes(2 * SESSION_TIMEOUT_S)
                await say(page, "still here")
                await expect(page.get_by_text("Message 5: still here")).to_be_visible()
                assert await page.evaluate("window.isSame"), "the page was loaded again"

    note(
        Row(
            program="Chainlit",
            version=version,
            runs="its page in Chromium",
            outcomes=await on_each_server(drive),
        )
    )


async def say(page: Page, text: str) -> None:
    """Send a message as a person does."""
    await page.locator("#chat-input").click()
    await page.keyboard.type(text)
    await page.locator("#chat-submit").click()
