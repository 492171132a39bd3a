"""NiceGUI: its page in Chromium."""

import re
import sys
from pathlib import Path

import pytest
from beside_stock import chromium_page, on_each_server, replaces, started
from outcomes import Outcome, Row
from playwright.async_api import expect
from programs import LIBRARY, NICEGUI, OURS, ROOT, STOCK, WRITTEN, installed, run

pytestmark = [pytest.mark.programs, pytest.mark.timeout(420)]
LARGE = 5_000_000
ADDED = re.compile(r"^\+ (import roomwire, .*)\n  (from nicegui .*)$", re.MULTILINE)
PAGE = """
import os

from nicegui import ui


@ui.page("/")
def index():
    greeting = ui.label("nobody yet").props("data-testid=greeting")
    ui.button("Greet", on_click=lambda: greeting.set_text("Hello")).props("data-testid=greet")
    ui.label(type(__import__("nicegui").core.sio).__module__.split(".")[0]).props("data-testid=server")


ui.run(host="127.0.0.1", port=int(os.environ["PORT"]), reload=False, show=False)
"""


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


@pytest.fixture
def fresh_python(tmp_path: Path) -> str:
    """Return the Python of a new environment with NiceGUI and a wheel of Roomwire."""
    build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    run(*build, folder=LIBRARY)
    (wheel,) = tmp_path.glob("*.whl")
    return installed(tmp_path / "fresh", NICEGUI.lock, wheel)


async def test_with_our_wheel_in_a_fresh_environment_a_page_needs_the_line_that_the_guide_adds(
    chromium_path, fresh_python: str, tmp_path: Path
) -> None:
    added, before = ADDED.search((ROOT / "docs" / "drop-in.md").read_text(encoding="utf-8")).groups()
    assert 1 == PAGE.count(before)
    for server, page_text in ((STOCK, PAGE), (OURS, PAGE.replace(before, f"{added}\n{before}"))):
        program = tmp_path / f"{server}.py"
        program.write_text(page_text, encoding="utf-8")
        async with (
            started(fresh_python, str(program), server=STOCK, folder=tmp_path, log=tmp_path / "log") as proxy,
            chromium_page(chromium_path) as page,
        ):
            await page.goto(f"http://127.0.0.1:{proxy.port}/")
            replaces(server, await page.get_by_test_id("server").inner_text())
            await page.get_by_test_id("greet").click()
            await expect(page.get_by_test_id("greeting")).to_have_text("Hello")
