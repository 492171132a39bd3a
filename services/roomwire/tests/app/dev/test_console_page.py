"""The console in a real browser, in front of a real application."""

import contextlib

import pytest
from developing import developing
from pages import ARGUMENTS
from playwright.async_api import async_playwright, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

PATIENCE_MS = 90_000
BOARD = """
import msgspec

from roomwire import App, Gateway, Socket, subscribe


class Card(msgspec.Struct):
    id: str
    column: str


class Board(Gateway):
    async def on_connection(self, socket: Socket) -> None:
        await socket.join("board")

    @subscribe("move")
    async def move(self, card: Card) -> Card:
        await self.emit("moved", card, to="board")
        return card


app = App(Board)
"""
REBOUND = "rebound.example"


@pytest.fixture
def board(tmp_path):
    path = tmp_path / "board.py"
    path.write_text(BOARD)
    return path


@contextlib.asynccontextmanager
async def chromium(path):
    async with async_playwright() as playwright:
        rule = f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1"
        browser = await playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, rule])
        expect.set_options(timeout=PATIENCE_MS)
        yield browser
        await browser.close()


@contextlib.asynccontextmanager
async def opened(browser, dev):
    """Open the console by its link; at the end, nothing has violated its policy."""
    context = await browser.new_context(color_scheme="dark")
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    complaints = []
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(await dev.link())
    await expect(page.get_by_test_id("phase")).to_have_text("serving")
    assert "token" not in page.url
    yield page
    assert [] == [each for each in complaints if "Content Security Policy" in each or "Error:" in each]
    await context.close()


class Panel:
    """A client in the page."""

    def __init__(self, page, number):
        self._root = page.get_by_role("region", name=f"Client {number}", exact=True)
        self.state = self._root.get_by_role("status")
        self.timeline = self._root.get_by_role("log")

    def field(self, label):
        return self._root.get_by_label(label, exact=True)

    async def press(self, name):
        await self._root.get_by_role("button", name=name, exact=True).click()

    async def connect(self, identity="guest"):
        await self.field("Connect as").select_option(identity)
        await self.press("Connect")

    async def shows(self, text):
        await expect(self.timeline).to_contain_text(text)

    def fact(self, name):
        return self._root.locator("dl div").filter(has_text=name).locator("dd")


async def test_two_clients_talk_see_their_acks_and_one_recovers_from_a_cut(board, chromium_path):
    async with (
        developing(board.parent, "board:app") as dev,
        chromium(chromium_path) as browser,
        opened(browser, dev) as page,
    ):
        row = page.get_by_role("table").get_by_role("row").filter(has_text="move")
        await expect(row).to_contain_text("card: { id: string; column: string }")
        ann, bob = Panel(page, 1), Panel(page, 2)
        await page.get_by_role("button", name="Add client").click()
        for panel in (ann, bob):
            await panel.connect()
            await expect(panel.state).to_contain_text("connected")
            await expect(panel.fact("Transport")).to_have_text("websocket")

        await ann.field("Event").fill("move")
        await ann.field("Event").press("Tab")
        await expect(ann.field("Arguments (JSON list)")).to_have_value('[{"id": "", "column": ""}]')
        await ann.field("Arguments (JSON list)").fill('[{"id": "<img src=x>", "column": "done"}]')
        await ann.press("Send")
        ack = ann.timeline.locator("li[data-direction=ack]")
        await expect(ack).to_contain_text("ms")
        await expect(ack).to_contain_text('{"id":"<img src=x>","column":"done"}')
        for panel in (ann, bob):
            moved = panel.timeline.locator("li[data-direction=in]")
            await expect(moved).to_contain_text("moved")
            await expect(moved).to_contain_text("/")
        # What an application says stays text.
        await expect(page.locator("img")).to_have_count(0)

        await bob.press("Cut transport")
        await bob.shows("connected, recovered")
        await expect(bob.fact("Recovered")).to_have_text("yes")
        await ann.press("Send")
        await expect(bob.timeline.locator("li[data-direction=in]")).to_have_count(2)

        await ann.field("Arguments (JSON list)").fill("{}")
        await ann.press("Send")
        await expect(page.get_by_role("alert")).to_contain_text("The arguments are not a JSON list")
        await ann.connect("none")
        await ann.shows("unauthenticated")
        await ann.field("Connect as").select_option("token")
        await ann.field("Token").fill(await dev.token("Eve"))
        await ann.field("Transport").select_option("polling")
        await ann.press("Connect")
        await expect(ann.state).to_contain_text("connected")
        await expect(ann.fact("Transport")).to_have_text("polling")


async def test_a_broken_save_shows_its_traceback_and_the_mended_one_brings_the_application_back(
    board, chromium_path
):
    async with (
        developing(board.parent, "board:app") as dev,
        chromium(chromium_path) as browser,
        opened(browser, dev) as page,
    ):
        ann = Panel(page, 1)
        await ann.connect()
        await expect(ann.state).to_contain_text("connected")

        board.write_text(f"{BOARD}\nclass Broken(:\n")
        await expect(page.get_by_test_id("phase")).to_have_text("failed")
        await expect(page.get_by_test_id("sentence")).to_contain_text("board raised SyntaxError")
        await expect(page.get_by_test_id("traceback")).to_contain_text("class Broken(:")
        await ann.shows("disconnected")

        board.write_text(BOARD.replace('"move"', '"carry"'))
        await expect(page.get_by_test_id("phase")).to_have_text("serving")
        await expect(page.get_by_test_id("traceback")).to_be_hidden()
        await expect(page.get_by_role("table")).to_contain_text("carry")
        await ann.shows("connected, a new session")


async def test_no_link_and_a_foreign_host_open_nothing(board, chromium_path):
    async with developing(board.parent, "board:app") as dev, chromium(chromium_path) as browser:
        page = await browser.new_page()
        port = dev.console.rpartition(":")[2]
        link = await dev.link()
        for url in (dev.console, link.replace("127.0.0.1", REBOUND), f"http://{REBOUND}:{port}/"):
            answer = await page.goto(url)
            assert 403 == answer.status
            await expect(page.get_by_role("heading")).to_have_text("The console needs its link")
