"""Who may use the console: requests to the application itself, without a port."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from roomwire.app.dev.door import Door

HOME = "http://127.0.0.1:8800"


@pytest.fixture
def entries():
    return []


@pytest.fixture
def door(entries):
    routes = [
        Route(path, lambda _: PlainTextResponse("inside"), methods=["GET", "POST"])
        for path in ("/", "/token", "/keys")
    ]
    return Door(
        Starlette(routes=routes),
        port=8800,
        open_to_all=frozenset({"/keys"}),
        headers={"X-Marked": "yes"},
        on_entry=lambda: entries.append("in"),
    )


def browser(door, home=HOME):
    return httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url=home)


async def test_the_link_opens_the_console_once_for_a_cookie_and_leaves_the_address(door, entries):
    async with browser(door) as ann, browser(door) as bob:
        link = door.link
        entered = await ann.get(link)
        assert (303, "/") == (entered.status_code, entered.headers["location"])
        cookie = entered.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "inside" == (await ann.get("/")).text
        assert ["in"] == entries

        # The ticket was taken; the next one is another.
        assert 403 == (await bob.get(link)).status_code
        assert link != door.link
        assert 303 == (await bob.get(door.link)).status_code
        # Who is inside already takes no ticket, and loses nothing by an old link.
        assert 303 == (await ann.get(link)).status_code
        assert 2 == len(entries)


@pytest.mark.parametrize(
    "path", ["/", "/?token=", "/?token=wrong", "/token", "/?token=caf%C3%A9", "/nowhere"]
)
async def test_without_ticket_or_cookie_nothing_is_there_but_a_refusal(door, path):
    async with browser(door) as stranger:
        for cookie in (None, "wrong", "caf\u00e9"):
            headers = {} if cookie is None else {"Cookie": f"roomwire-console-8800={cookie}".encode()}
            answer = await stranger.get(path, headers=headers)
            assert 403 == answer.status_code
            assert "roomwire dev" in answer.text
            assert "yes" == answer.headers["x-marked"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8800", 200),
        ("localhost:8800", 200),
        ("LOCALHOST:8800", 200),
        ("[::1]:8800", 200),
        ("127.0.0.1", 403),
        ("127.0.0.1:8801", 403),
        ("rebound.example:8800", 403),
        ("localhost.rebound.example:8800", 403),
        ("", 403),
    ],
)
async def test_a_request_names_a_loopback_address_and_the_port(door, host, status):
    async with browser(door) as ann:
        await ann.get(door.link)
        cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in ann.cookies.items())}
        for path in ("/", "/keys"):
            assert status == (await ann.get(path, headers={"Host": host, **cookies})).status_code


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (HOME, 200),
        ("http://localhost:8800", 403),
        ("http://127.0.0.1:8000", 403),
        ("https://127.0.0.1:8800", 403),
        ("null", 403),
        (None, 403),
    ],
)
async def test_what_changes_something_comes_from_the_consoles_own_page(door, origin, status):
    async with browser(door) as ann:
        await ann.get(door.link)
        headers = {} if origin is None else {"Origin": origin}
        assert status == (await ann.post("/token", headers=headers)).status_code


async def test_what_is_open_to_all_needs_no_cookie(door):
    async with browser(door) as stranger:
        assert "inside" == (await stranger.get("/keys")).text
