"""The live board: its own tests, and two people in two browsers, connected to two gateways with one database."""

import pytest
from browsers import chromium, open_page
from playwright.async_api import Page, expect
from walkthrough import walkthrough


async def add(page: Page, title: str) -> None:
    await page.get_by_label("Card").fill(title)
    await page.get_by_role("button", name="Add").click()


async def shows(page: Page, **stages: list[str]) -> None:
    for stage in ("to do", "doing", "done"):
        cards = page.get_by_role("list", name=stage, exact=True).get_by_role("listitem")
        await expect(cards).to_have_text(stages.get(stage.replace(" ", "_"), []))


@pytest.mark.examples
@pytest.mark.browser
async def test_cards_move_for_all_and_are_there_for_those_who_come_later(tmp_path, chromium_path):
    async with walkthrough("board", tmp_path) as board, chromium(chromium_path) as browser:
        assert " passed in " in await (await board.start("pytest")).ended()
        await board.start_valkey()
        await board.start_gateways()
        ann, ben = [await open_page(browser, board.url(port)) for port in (8001, 8002)]

        await add(ann, "Write tests")
        await add(ann, "Rest")
        await shows(ben, to_do=["Write tests", "Rest"])
        await ben.get_by_role("button", name="Write tests").click()
        await shows(ann, to_do=["Rest"], doing=["Write tests"])
        await ann.get_by_role("button", name="Write tests").click()

        late = await open_page(browser, board.url(8002))
        for page in (ann, ben, late):
            await shows(page, to_do=["Rest"], done=["Write tests"])
