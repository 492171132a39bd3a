"""Two people in real browsers, on different gateways, through the real ingress."""

import re
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pages import chromium, gateway_of, join, open_page, say, sign_in_as_guest, talk, two_people
from playwright.sync_api import Browser, expect

from roomwire import Emitter
from roomwire_local.system import HOST, LocalSystem

ROOT = Path(__file__).resolve().parents[3]
ARTIFACTS = ROOT / "artifacts"
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser(chromium_path: str | None) -> Iterator[Browser]:
    with chromium(chromium_path) as running:
        yield running


def test_two_people_chat_across_gateways(browser, system):
    ann, bob = two_people(browser, system.url, "harbour")
    expect(ann.get_by_test_id("transport")).to_have_text("websocket")
    talk(
        [ann, bob],
        "Good morning! Which gateway are you on?",
        "The other one. Same room, two processes.",
        "I could not tell the difference.",
        "That is the idea. Try to break something.",
        "<img src=x onerror=alert(1)> stays text, for a start.",
        "Now kill my gateway.",
    )
    members = ann.get_by_role("list", name="Members")
    expect(members).to_contain_text("Bob")
    expect(members).to_contain_text(gateway_of(bob))
    expect(ann.locator("img[src=x]")).to_have_count(0)
    # Whatever name somebody gives, the user that its token states stands beside it.
    senders = [bob.locator(f".entry[data-mine={mine}] .head .sender").first for mine in ("true", "false")]
    for sender in senders:
        expect(sender).to_have_text(re.compile("^guest [0-9a-f]{6}$"))
    assert senders[0].text_content() != senders[1].text_content()
    ARTIFACTS.mkdir(exist_ok=True)
    ann.screenshot(path=ARTIFACTS / "page.png")

    bob.get_by_role("button", name="Leave room").click()
    expect(members).not_to_contain_text("Bob")
    ann.context.close()
    bob.context.close()


def test_the_page_of_auths_api_works_without_inline_styles(browser, system):
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{system.url}/auth/docs")
    page.locator(".opblock-summary-control").first.click()
    expect(page.locator(".opblock-body")).to_be_visible()
    assert [] == said
    page.context.close()


def test_what_a_backend_says_to_a_room_as_a_plain_text_is_shown_in_the_page(browser, system):
    page = open_page(browser, system.url)
    sign_in_as_guest(page, "Ann")
    join(page, "shop")
    with Emitter((system.state / "redis-url").read_text()) as emitter:
        emitter.emit("roomMessage", "The shop closes in ten minutes.", to="shop")
        emitter.emit("message", "Good night, everybody.")
    messages = page.get_by_role("log", name="Messages")
    expect(messages).to_contain_text("The shop closes in ten minutes.")
    expect(messages).to_contain_text("Good night, everybody.")
    page.context.close()


def test_an_account_is_made_and_signed_in_again(browser, system):
    page = open_page(browser, system.url)
    page.get_by_label("User name").fill("Carla")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_test_id("state")).to_have_text("connected")
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.get_by_label("User name").fill("Carla")
    page.get_by_label("Password").fill("not the right one")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_test_id("state")).to_have_text("connected")
    page.context.close()


def test_who_signs_out_everywhere_is_signed_out_in_the_other_window_too(browser, system):
    here, there = (open_page(browser, system.url) for _ in range(2))
    here.get_by_label("User name").fill("Della")
    here.get_by_label("Password").fill("correct horse battery")
    here.get_by_role("button", name="Create account").click()
    expect(here.get_by_test_id("state")).to_have_text("connected")
    there.get_by_label("User name").fill("Della")
    there.get_by_label("Password").fill("correct horse battery")
    there.get_by_role("button", name="Sign in").click()
    expect(there.get_by_test_id("state")).to_have_text("connected")

    here.get_by_role("button", name="Sign out everywhere").click()

    expect(here.get_by_role("button", name="Sign in")).to_be_visible()
    again, door = (there.get_by_role("button", name=name) for name in ("Try again", "Sign in"))
    # A connection that ends when it has just begun is not taken up again unasked.
    expect(again.or_(door)).to_be_visible()
    if again.is_visible():
        again.click()
    expect(door).to_be_visible()
    expect(there.get_by_role("alert")).to_be_visible()
    for page in (here, there):
        page.context.close()


def test_a_guest_is_not_offered_to_sign_out_everywhere(browser, system):
    page = open_page(browser, system.url)
    sign_in_as_guest(page, "Gina")

    expect(page.get_by_role("button", name="Sign out", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Sign out everywhere")).to_be_hidden()
    page.context.close()


def test_an_account_on_a_phone_scrolls_nothing_sideways(browser, system):
    page = open_page(
        browser, system.url, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
    )
    page.get_by_label("User name").fill("a-name-that-is-as-long-as-it-may")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("button", name="Sign out everywhere")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.context.close()


def test_a_phone_shows_the_page_without_sideways_scrolling(browser, system):
    page = open_page(
        browser, system.url, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
    )
    sign_in_as_guest(page, "Dora")
    join(page, "small")
    say(page, "a word that is longer than a phone is wide: " + "w" * 200)
    expect(page.get_by_role("log", name="Messages")).to_contain_text("wwww")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.context.close()


def test_nothing_is_fetched_from_elsewhere_and_the_policy_is_not_violated(browser, system):
    page = browser.new_page()
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(system.url)
    sign_in_as_guest(page, "Eve")
    join(page, "quiet")
    assert [] == [url for url in requests if not url.startswith(system.url)]
    assert [] == complaints
    page.close()


TUTORIAL = """<!doctype html><meta charset="utf-8"><title>tutorial</title><ul></ul>
<script type="module">
  import { io } from "./socket.io.esm.min.js";
  const show = (text) => document.querySelector("ul").append(Object.assign(document.createElement("li"), { textContent: text }));
  const socket = io("URL");
  for (const event of ["welcome", "message", "roomMessage"]) socket.on(event, (text) => show(`${event}: ${text}`));
  socket.emit("message", "hello", (ack) => show(`ack: ${ack}`));
  socket.emit("joinRoom", { roomId: "den", userName: "Ann" }, (ack) => show(`ack: ${ack}`));
  socket.emit("chatMessage", { roomId: "den", message: "hi", userName: "Ann" }, (ack) => show(`ack: ${ack}`));
</script>
"""


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def other_origin(tmp_path: Path, system: LocalSystem) -> Iterator[str]:
    """Serve the tutorial's page from an origin that is not the ingress'."""
    (tmp_path / "index.html").write_text(TUTORIAL.replace("URL", system.url), encoding="utf-8")
    shutil.copy(ROOT / "node_modules/socket.io-client/dist/socket.io.esm.min.js", tmp_path)
    server = ThreadingHTTPServer((HOST, 0), partial(_Silent, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://{HOST}:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_tutorials_page_from_another_origin_works_as_it_is(browser, other_origin):
    page = open_page(browser, other_origin)
    lines = page.locator("li")
    for text in (
        "ack: Message received!",
        "ack: Joined room den",
        "ack: Message sent to room",
        "roomMessage: Ann has joined room den",
        "roomMessage: [Ann in den] hi",
        "welcome: Welcome, ",
    ):
        expect(lines.filter(has_text=text)).to_have_count(1)
    page.context.close()
