"""Gateways whose clock is wrong: who comes is let in or comes again, and operators are told."""

import json

import pytest
from live import Client, served
from needs import need
from service_process import running
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from waiting import until
from wrong_clock import COMPILER, wrong_clock

from roomwire.identity.tokens import SigningKey, User

KEY = SigningKey.generate()
BOTH = {"clock_auth": "clock_skew", "clock_redis": "clock_skew"}


def token():
    user = User(id="account:1", name="Ann", kind="account")
    return KEY.sign(user, issuer="roomwire", audience="roomwire", lifetime_s=600)


@pytest.fixture
async def gateway_behind(tmp_path, redis_url):
    """Return what runs a gateway whose clock is behind that of auth and of Redis."""
    need(COMPILER, "a C compiler: apt-get install gcc libc6-dev")
    app = Starlette(routes=[Route("/jwks.json", lambda _: JSONResponse({"keys": [KEY.public_jwk()]}))])
    async with served(app) as address:

        def start(behind_s):
            return running(
                "gateway",
                tmp_path / "gateway.log",
                environ=wrong_clock(tmp_path, ahead_s=-behind_s),
                redis_url=redis_url,
                log_format="json",
                auth_jwks_url=f"http://{address}/jwks.json",
            )

        yield start


def clocks(gateway):
    return [line for line in gateway.lines("dependency down") if line["dependency"] in BOTH]


async def test_a_gateway_that_is_behind_by_less_than_the_leeway_lets_people_in_and_says_that_it_is_behind(
    gateway_behind,
):
    async with gateway_behind(40) as gateway:
        async with Client.open(gateway.address) as client:
            opening = await client.connect({"token": token()})
        await until(lambda: len(clocks(gateway)) == 2)
        readyz = await gateway.readyz()
        skews = [
            await gateway.metric("roomwire_clock_skew_seconds", against=one) for one in ("auth", "redis")
        ]

    assert opening["sid"]
    assert "ready" == readyz["status"]
    assert BOTH.items() <= readyz["causes"].items()
    assert [pytest.approx(40, abs=3)] * 2 == skews
    assert {"clock_skew"} == {line["cause"] for line in clocks(gateway)}
    assert all("behind" in line["detail"] for line in clocks(gateway))


async def test_at_a_gateway_that_is_behind_by_more_the_transport_closes_so_that_clients_come_again(
    gateway_behind,
):
    async with gateway_behind(90) as gateway:
        async with Client.open(gateway.address) as client:
            await client.send_frame("40" + json.dumps({"token": token()}))
            await client.ended()
            refusals = [frame for frame in client.frames if str(frame).startswith("44")]
        await until(lambda: gateway.lines("connect postponed"))
        counted = await gateway.metric("roomwire_connects_total", outcome="not_yet_valid")
        readyz = await gateway.readyz()

    assert [] == refusals
    assert 1 == counted
    assert "not_yet_valid" == gateway.lines("connect postponed")[0]["code"]
    assert BOTH.items() <= readyz["causes"].items()
