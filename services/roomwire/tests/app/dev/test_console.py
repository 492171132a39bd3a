"""The console's answers, and that they belong together with what a gateway verifies; without a port."""

import asyncio
import json

import httpx
import pytest

from roomwire.app.dev import console as console_module
from roomwire.app.dev.console import KEYS_PATH, Target, _events, check_installed, console
from roomwire.app.dev.guests import Guests
from roomwire.app.dev.stage import Scene, Stage
from roomwire.errors import ConfigurationError
from roomwire.identity.capabilities import load_policy
from roomwire.identity.jwk import read_jwks
from roomwire.identity.verification import Verifier

TARGET = Target("http://localhost:8000", "required", has_guests=True)


def visitor(stage=None, guests=None):
    door = console(stage or Stage(), TARGET, guests, port=8800)
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(door),
        base_url="http://127.0.0.1:8800",
        headers={"Origin": "http://127.0.0.1:8800"},
        follow_redirects=True,
    )
    return door, client


async def test_a_guests_token_holds_by_the_key_that_needs_no_cookie():
    guests = Guests(load_policy(None), issuer="board", audience="all")
    door, client = visitor(guests=guests)
    async with client:
        body = (await client.get(KEYS_PATH)).content
        await client.get(door.link)
        tokens = [
            (await client.post("/token", params=params)).json()["token"] for params in ({}, {"name": "Ann"})
        ]

    class Published:
        async def key(self, kid):
            return read_jwks(body).keys.get(kid)

    verifier = Verifier(Published(), issuer="board", audience="all")
    unnamed, ann = [await verifier.verify(token) for token in tokens]
    assert ("Ann", "guest") == (ann.name, ann.kind)
    assert unnamed.name.startswith("guest-")
    assert unnamed.id != ann.id
    assert ann.capabilities.may("join", "den")
    assert not ann.capabilities.may("admin")


async def test_where_another_issues_tokens_the_console_has_none_and_publishes_no_key():
    door, client = visitor()
    async with client:
        await client.get(door.link)
        assert 404 == (await client.post("/token")).status_code
        assert {"keys": []} == (await client.get(KEYS_PATH)).json()


async def test_the_page_loads_nothing_from_elsewhere_and_calls_the_application_alone():
    door, client = visitor()
    async with client:
        page = await client.get(door.link)
        assert "<h1>Roomwire console</h1>" in page.text
        policy = dict(
            part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";")
        )
        assert "'none'" == policy["default-src"]
        assert "'self'" == policy["script-src"] == policy["style-src"]
        assert "'self' http://localhost:8000 ws://localhost:8000" == policy["connect-src"]
        assert ["no-store", "nosniff"] == [
            page.headers[name] for name in ("cache-control", "x-content-type-options")
        ]
        assert {"address": "http://localhost:8000", "auth_mode": "required", "has_guests": True} == (
            await client.get("/target")
        ).json()


async def test_each_scene_comes_as_one_line_until_it_is_over():
    stage = Stage()
    events = _events(stage)

    assert "starting" == scene_of(await anext(events))["phase"]
    following = asyncio.ensure_future(anext(events))
    stage.show(Scene(phase="failed", start=1, sentence="one\ntwo"))
    assert "one\ntwo" == scene_of(await following)["sentence"]
    following = asyncio.ensure_future(anext(events))
    stage.close()
    with pytest.raises(StopAsyncIteration):
        await following


def scene_of(event):
    line, *rest = event.decode().split("\n")
    assert ["", ""] == rest
    return json.loads(line.removeprefix("data: "))


def test_a_console_without_the_client_library_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(console_module, "WEB", tmp_path)

    with pytest.raises(ConfigurationError, match="make install"):
        check_installed()
