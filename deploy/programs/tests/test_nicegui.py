"""NiceGUI: its page in Chromium."""

import re
from pathlib import Path

import pytest
from beside_stock import chromium_page, on_each_server, replaces, started
from outcomes import Outcome, Row
from playwright.async_api import expect
from programs import NICEGUI, WRITTEN

pytestmark = [pytest.mark.programs, pytest.mark.timeout(420)]
LARGE = 5_000_000


async def test_a_page_of_nicegui_works_as_on_the_stock_server(chromium_path, tmp_path: Path, note) -> None:
    async def drive(server: str, outcome: Outcome) -> None:
        folder = tmp_path / server
        folder.mkdir()
        program = (NICEGUI.program("python"), str(WRITTEN / "nicegui_page.py"))
        async with (
            started(*program, server=server, folder=folder, log=folder / "log") as proxy,
            chromium_page(chromium_path) as page,
        ):
            await page.goto(f"http://127.0.0.1:{proxy.port}/")
            find = page.get_by_test_id
            replaces(server, await find("server").inner_text())
            await page.evaluate("window.isSame = true")

            with outcome.step("timer"):
                await expect(find("ticks")).to_have_text(re.compile("[3-9]|[0-9]{2}"))
            with outcome.step("click"):
                for clicks in ("1", "2", "3"):
                    await find("count").click()
                    await expect(find("clicks")).to_have_text(clicks)
            with outcome.step("input"):
                await page.get_by_label("Name").fill("Ann ✓")
                await expect(find("greeting")).to_have_text("Hello Ann ✓")
            with outcome.step("table"):
                await find("row").click()
                await expect(find("table")).to_contain_text("Cleo")
            with outcome.step("a question to the browser"):
                await find("ask").click()
                await expect(find("answer")).to_have_text("42")
            with outcome.step("5 MB"):
                await find("enlarge").click()
                await page.wait_for_function(
                    f"document.querySelector('[data-testid=large]').textContent.length === {LARGE}"
                )
            with outcome.step("a lost connection"):
                proxy.cut()
                await find("count").click()
                await expect(find("clicks")).to_have_text("4")
                assert await page.evaluate("window.isSame"), "the page was loaded again"

    outcomes = await on_each_server(drive)
    note(
        Row(
            program="NiceGUI",
            version=NICEGUI.version("nicegui"),
            runs="a page in Chromium",
            outcomes=outcomes,
        )
    )
