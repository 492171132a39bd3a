"""Every thing that a client can send is known to `make economics`, in every situation."""

import pytest
from fastapi import FastAPI

from roomwire.app.api.actions import Actions
from roomwire.app.api.callers import Callers
from roomwire.app.api.rate import Rate
from roomwire.app.api.routes import api_app
from roomwire.identity.tokens import SigningKey
from roomwire.metrics.gateway import Metrics
from roomwire.protocol.sources import Proxies
from roomwire.server import Server
from roomwire_auth.app import AuthApp
from roomwire_auth.settings import Settings
from roomwire_loadtest.economics import things
from roomwire_loadtest.economics.things import Words, missing_of, request_of, rows, spoken_of


@pytest.fixture(scope="module")
def auth():
    app = AuthApp(
        Settings(signing_key=SigningKey.generate().to_pem(), redis_url="redis://127.0.0.1:1/0")
    ).asgi
    assert isinstance(app, FastAPI)
    return app.openapi()


@pytest.fixture(scope="module")
def api():
    return api_app(
        Actions(Server()),
        callers=Callers((), verify=None),
        rate=Rate(0),
        max_body_bytes=1,
        requests=Metrics().api_requests,
        proxies=Proxies(()),
    ).openapi()


def test_everything_that_the_code_has_can_be_sent_and_nothing_else(auth, api):
    assert set() == missing_of(auth=auth, api=api)


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("ENGINE", "PONG"),
        ("SOCKET", "ACK"),
        ("EVENTS", "typing"),
        ("AUTH", "POST /auth/login"),
        ("API", "GET /api/v1/rooms"),
    ],
)
def test_what_is_missing_is_named(auth, api, table, name, monkeypatch):
    known = dict(getattr(things, table))
    del known[name]
    monkeypatch.setattr(things, table, known | {"made up": None})

    assert {name, "made up"} == missing_of(auth=auth, api=api)


def test_each_thing_is_sent_in_each_of_its_situations():
    sent = [*rows()]
    assert len({*sent}) == len(sent)
    situations = {(row.way, row.state, row.token) for row in sent if row.surface == "event"}
    assert 2 * 2 * 2 == len(situations)
    for row in sent:
        words = Words("e1", "token", (), "ada")
        if row.is_of_session:
            assert spoken_of(row).packets(0, words)
        else:
            request = request_of(row)(0, words)
            assert row.name.startswith(f"{request.method} ")
