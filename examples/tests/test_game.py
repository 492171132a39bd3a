"""The game: its own tests, and two players at two gateways, one of which is killed."""

import pytest
from browsers import chromium, open_page
from playwright.async_api import Browser, Page, expect
from walkthrough import START_S, walkthrough

WAIT_MS = START_S * 1_000
PORTS = {"one": 8001, "two": 8002}


async def player(browser: Browser, url: str, name: str) -> Page:
    page = await open_page(browser, url)
    await page.get_by_label("Name").fill(name)
    await page.get_by_role("button", name="Join").click()
    await expect(page.get_by_label("News").get_by_text(f"{name} is here.")).to_be_visible(timeout=WAIT_MS)
    return page


async def shows(page: Page, *scores: str) -> None:
    await expect(page.get_by_label("Scores").get_by_role("listitem")).to_have_text([*scores], timeout=WAIT_MS)
    for name in ("Ann", "Ben"):
        await expect(page.locator(".player", has_text=name)).to_have_count(1, timeout=WAIT_MS)


@pytest.mark.examples
@pytest.mark.browser
async def test_players_and_scores_survive_the_gateway_that_holds_a_player(tmp_path, chromium_path):
    async with walkthrough("game", tmp_path) as game, chromium(chromium_path) as browser:
        assert " passed in " in await (await game.start("pytest")).ended()
        await game.start_valkey()
        gateways = dict(zip(PORTS, await game.start_gateways(), strict=True))
        await game.answers(8000, await game.start("traefik"))
        ann = await player(browser, game.url(8000), "Ann")
        holder = await ann.get_by_label("Gateway").inner_text()
        (other,) = PORTS.keys() - {holder}
        ben = await player(browser, game.url(PORTS[other]), "Ben")

        await ann.get_by_role("button", name="Star").click()
        for page in (ann, ben):
            await shows(page, "Ann: 1")
        await gateways[holder].kill()
        await ben.get_by_role("button", name="Star").click()
        await expect(ann.get_by_label("Gateway")).to_have_text(f"{other}, session recovered", timeout=WAIT_MS)
        for page in (ann, ben):
            await shows(page, "Ben: 1", "Ann: 1")
            await expect(page.get_by_label("News").get_by_text("Ben has collected star 2.")).to_be_visible()
        await ann.get_by_role("button", name="Star").click()
        for page in (ann, ben):
            await shows(page, "Ann: 2", "Ben: 1")
