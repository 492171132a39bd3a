"""The page in a real browser: how a test opens it, signs in, joins and talks."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A page starts one process and not two, and draws in the browser's own.
    "--renderer-process-limit=1",
    "--disable-site-isolation-trials",
    "--in-process-gpu",
]


@contextmanager
def chromium(path: str | None, *arguments: str) -> Iterator[Browser]:
    """Run a browser for as long as the context lasts."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, *arguments])
        yield browser
        browser.close()


def open_page(
    browser: Browser, url: str, prepare: Callable[[BrowserContext], object] = lambda _: None, **options: Any
) -> Page:
    """Open a page in a profile of its own, perhaps prepared: no cookies, no storage."""
    context = browser.new_context(**options)
    prepare(context)
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(url)
    return page


def sign_in_as_guest(page: Page, name: str) -> None:
    page.get_by_label("Display name").fill(name)
    page.get_by_role("button", name="Continue as guest").click()
    expect(page.get_by_test_id("state")).to_have_text("connected")


def join(page: Page, room: str) -> None:
    page.get_by_label("Room name").fill(room)
    page.get_by_role("button", name="Join", exact=True).click()
    expect(page.get_by_role("heading", name=room)).to_be_visible()


def say(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Message").fill(text)
    page.get_by_role("button", name="Send").click()


def gateway_of(page: Page) -> str:
    return page.get_by_test_id("gateway").inner_text()


def two_people(browser: Browser, url: str, room: str, **options: Any) -> tuple[Page, Page]:
    """Return the pages of Ann and Bob, on two gateways, in a room."""
    ann = open_page(browser, url, viewport={"width": 1200, "height": 640}, **options)
    sign_in_as_guest(ann, "Ann")
    join(ann, room)
    for _ in range(10):
        bob = open_page(browser, url, viewport={"width": 1200, "height": 750}, **options)
        sign_in_as_guest(bob, "Bob")
        if gateway_of(bob) != gateway_of(ann):
            join(bob, room)
            return ann, bob
        bob.context.close()
    raise AssertionError("ten pages in a row were given the same gateway")


def talk(pages: Sequence[Page], *said: str) -> None:
    """Have each page in turn say something, and see that all show it."""
    for number, text in enumerate(said):
        say(pages[number % len(pages)], text)
        for page in pages:
            expect(page.get_by_role("log", name="Messages")).to_contain_text(text)
