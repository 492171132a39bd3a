"""Tabs of one sign-in, in a real browser: they share its tokens, however they came about and whatever became of one of them.

Nothing is forgiven here: a refresh token that is used twice ends its session at once.
"""

import json
from collections.abc import Iterator

import pytest
from jwts import jwts_in
from pages import chromium, join, say, sign_in_as_guest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    CDPSession,
    Page,
    Response,
    Route,
    expect,
)

from roomwire_local.free_ports import free_port
from roomwire_local.system import LocalSystem, local_system

pytestmark = pytest.mark.browser
# The page renews a token in its last half minute, at most every five seconds.
SETTINGS = {"ROOMWIRE_ACCESS_TTL_S": "35", "ROOMWIRE_REFRESH_GRACE_S": "0"}
RENEWED_MS = 40_000


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    """A system with short-lived tokens and no grace."""
    with local_system(tmp_path_factory.mktemp("tabs"), free_port(), GATEWAYS="1", **SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def browser(chromium_path: str | None) -> Iterator[Browser]:
    with chromium(chromium_path) as running:
        yield running


class Person:
    """A browser of one person: the tabs, and every renewal that they asked for."""

    def __init__(self, browser: Browser, url: str, name: str) -> None:
        self.context: BrowserContext = browser.new_context()
        self.renewals: list[int] = []
        self.context.on("response", self._note)
        self.tab = self._ready(self.context.new_page())
        self.tab.goto(url)
        sign_in_as_guest(self.tab, name)

    def duplicate(self) -> Page:
        """Open a tab that begins with a copy of the first one's storage."""
        with self.tab.expect_popup() as opened:
            self.tab.evaluate("window.open(location.href)")
        return self._ready(opened.value)

    def renews(self, times: int = 1) -> None:
        """Wait until the tabs have renewed so many times more, whichever of them."""
        for _ in range(times):
            self.context.wait_for_event("response", is_renewal, timeout=RENEWED_MS)

    @staticmethod
    def _ready(page: Page) -> Page:
        page.set_default_timeout(60_000)
        return page

    def _note(self, response: Response) -> None:
        if is_renewal(response):
            self.renewals.append(response.status)


def is_renewal(response: Response) -> bool:
    return response.url.endswith("/auth/refresh")


def is_connected(page: Page) -> None:
    expect(page.get_by_test_id("state")).to_have_text("connected", timeout=60_000)


def hears(page: Page, room: str, text: str) -> None:
    """Say something, and see it in the room."""
    join(page, room)
    say(page, text)
    expect(page.get_by_role("log", name="Messages")).to_contain_text(text)


def lifecycle(page: Page) -> CDPSession:
    """Return what freezes and thaws a tab."""
    return page.context.new_cdp_session(page)


def freeze(cdp: CDPSession) -> None:
    cdp.send("Page.setWebLifecycleState", {"state": "frozen"})


def thaw(cdp: CDPSession) -> None:
    cdp.send("Page.setWebLifecycleState", {"state": "active"})


def test_a_duplicated_tab_shares_the_session_and_both_stay_signed_in(browser, strict):
    ann = Person(browser, strict.url, "Ann")
    copy = ann.duplicate()
    is_connected(copy)
    for _ in range(3):
        ann.renews()
    for tab in (ann.tab, copy):
        is_connected(tab)
        hears(tab, "twins", f"from a tab {tab is copy}")
    assert {200} == {*ann.renewals}
    ann.context.close()


@pytest.mark.parametrize("is_alone", [False, True], ids=["beside the other", "after the other was closed"])
def test_a_tab_that_was_frozen_while_another_one_renewed_stays_signed_in(browser, strict, is_alone):
    ann = Person(browser, strict.url, "Ann")
    copy = ann.duplicate()
    is_connected(copy)
    cdp = lifecycle(ann.tab)
    freeze(cdp)
    for _ in range(2):
        ann.renews()
    if is_alone:
        copy.close()
    thaw(cdp)
    ann.renews()
    is_connected(ann.tab)
    hears(ann.tab, "thawed", "still here")
    assert {200} == {*ann.renewals}
    ann.context.close()


def test_a_tab_that_is_frozen_while_it_renews_reads_the_answer_when_it_thaws(browser, strict):
    ann, clock = Person(browser, strict.url, "Ann"), Person(browser, strict.url, "Clock")
    cdp = lifecycle(ann.tab)
    frozen = []

    def answer_while_frozen(route: Route) -> None:
        response = route.fetch()
        if not frozen:
            frozen.append(freeze(cdp))
        route.fulfill(response=response)

    ann.tab.route("**/auth/refresh", answer_while_frozen)
    while not frozen:
        clock.renews()
    # Longer than a request may take.
    clock.renews(times=3)
    thaw(cdp)
    ann.renews()
    is_connected(ann.tab)
    hears(ann.tab, "late", "read it")
    assert {200} == {*ann.renewals}
    for person in (ann, clock):
        person.context.close()


def test_a_copy_of_the_storage_in_another_browser_starts_a_session_of_its_own(browser, strict):
    ann = Person(browser, strict.url, "Ann")
    copied = ann.tab.evaluate("JSON.stringify({...sessionStorage})")
    elsewhere = browser.new_context()
    elsewhere.add_init_script(f"Object.assign(sessionStorage, {json.dumps(json.loads(copied))})")
    other = elsewhere.new_page()
    other.goto(strict.url)
    expect(other.get_by_role("button", name="Sign in")).to_be_visible()
    ann.renews(times=2)
    is_connected(ann.tab)
    assert {200} == {*ann.renewals}
    for context in (ann.context, elsewhere):
        context.close()


def test_who_signs_out_in_one_tab_has_signed_out_in_its_duplicate(browser, strict):
    ann = Person(browser, strict.url, "Ann")
    copy = ann.duplicate()
    is_connected(copy)
    ann.tab.get_by_role("button", name="Sign out", exact=True).click()
    expect(
        copy.get_by_role("button", name="Sign in").or_(copy.get_by_role("button", name="Try again"))
    ).to_be_visible(timeout=RENEWED_MS)
    copy.reload()
    expect(copy.get_by_role("button", name="Sign in")).to_be_visible()
    ann.context.close()


def test_the_tokens_of_closed_tabs_can_be_read_by_nothing(browser, strict):
    ann = Person(browser, strict.url, "Ann")
    left = ann.tab.evaluate("JSON.stringify({...localStorage})")
    assert "roomwire.session." in left
    kept = json.loads(next(iter(json.loads(left).values())))
    assert {"at", "sealed"} == kept.keys()
    assert 0 < len(bytes.fromhex(kept["sealed"]))
    assert [] == jwts_in(left)
    ann.context.close()
