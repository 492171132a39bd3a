"""The talk: types of the application, a React page that fits them, and two people over two gateways, of which one dies."""

import os
import re
import shutil
import signal
import subprocess
import sys

import pytest
from browsers import chromium, open_page
from official import compiled
from playwright.async_api import Browser, Page, expect
from walkthrough import EXAMPLES, walkthrough

from roomwire_local.system import LocalSystem

PATIENCE_MS = 60_000
CONNECTED = re.compile(r"connected to (\S+), session (?:new|recovered)")
MOST_LINES = 150
WRONG = """
import { socket } from "./hooks";

socket.emit("shout", "1", "Why?", () => {}); // wrong
socket.emit("ask", "1", "Why?"); // wrong
socket.emit("ask", "1", 2, () => {}); // wrong
socket.emit("ask", "1", "Why?", (answer) => answer.author); // wrong
socket.emit("refreshToken", { ticket: "…" }, () => {}); // wrong
socket.on("asked", (question) => question.title); // wrong
socket.on("answered", () => {}); // wrong
"""


async def enter(browser: Browser, url: str, name: str) -> Page:
    page = await open_page(browser, url)
    await page.get_by_label("Name").fill(name)
    await page.get_by_role("button", name="Enter").click()
    return page


async def gateway_of(page: Page) -> str:
    await expect(page.get_by_label("Connection")).to_have_text(CONNECTED, timeout=PATIENCE_MS)
    found = CONNECTED.fullmatch(await page.get_by_label("Connection").inner_text())
    assert found
    return found[1]


async def enter_elsewhere(browser: Browser, url: str, name: str, gateway: str) -> Page:
    for _ in range(10):
        page = await enter(browser, url, name)
        if await gateway_of(page) != gateway:
            return page
        await page.context.close()
    raise AssertionError("ten pages in a row were given the same gateway")


async def ask(page: Page, text: str) -> None:
    await page.get_by_label("Question", exact=True).fill(text)
    await page.get_by_role("button", name="Ask").click()


async def shows(page: Page, *questions: str) -> None:
    asked = page.get_by_role("list", name="Questions").get_by_role("listitem")
    await expect(asked).to_have_text([*questions], timeout=PATIENCE_MS)


@pytest.mark.examples
@pytest.mark.browser
async def test_a_page_misses_no_question_when_its_gateway_dies_and_stays_when_its_token_would_expire(
    tmp_path, chromium_path
):
    async with walkthrough("talk", tmp_path) as talk, chromium(chromium_path) as browser:
        await (await talk.start("roomwire contract")).ended()
        assert "" == await (await talk.start("bin/tsc")).ended()
        await (await talk.start("bin/esbuild")).ended()
        up = await talk.start("roomwire up")
        await up.says(r"Ctrl-C stops it\.")
        ann = await enter(browser, talk.url(8000), "Ann")
        gateway = await gateway_of(ann)
        ben = await enter_elsewhere(browser, talk.url(8000), "Ben", gateway)
        await ask(ann, "Why?")
        await shows(ben, "Ann: Why?")

        os.kill(LocalSystem(talk.port(8000), up.process, up.log, talk.folder).pid_of(gateway), signal.SIGKILL)
        await ask(ben, "And how?")

        recovered = re.compile("connected to .*, session recovered")
        await expect(ann.get_by_label("Connection")).to_have_text(recovered, timeout=PATIENCE_MS)
        for page in (ann, ben):
            await shows(page, "Ann: Why?", "Ben: And how?")
            renewed = page.get_by_label("Token")
            await expect(renewed).to_have_text(re.compile("renewed until 20.*Z"), timeout=PATIENCE_MS)
        await ask(ann, "Until when?")
        await shows(ben, "Ann: Why?", "Ben: And how?", "Ann: Until when?")


@pytest.mark.examples
@pytest.mark.usefixtures("starts_servers")
def test_a_use_that_does_not_fit_the_application_does_not_compile(tmp_path):
    for file in (EXAMPLES / "talk" / "src").glob("*.ts"):
        shutil.copy(file, tmp_path)
    command = [sys.executable, "-m", "roomwire", "contract", "talk:app", "--typescript"]
    (tmp_path / "events.ts").write_bytes(subprocess.check_output(command, cwd=EXAMPLES / "talk"))
    (tmp_path / "wrong.ts").write_text(WRONG)

    said = compiled(tmp_path)

    reported = {(file, int(line)) for file, line in re.findall(r"(\w+\.ts)\((\d+),\d+\): error", said)}
    lines = enumerate(WRONG.splitlines(), start=1)
    assert {("wrong.ts", number) for number, line in lines if line.endswith("// wrong")} == reported, said


def test_its_page_is_short():
    assert MOST_LINES > len((EXAMPLES / "talk" / "src" / "page.tsx").read_text().splitlines())
