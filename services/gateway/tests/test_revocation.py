"""Revoked tokens: connections that end on every gateway, and that nobody comes in by."""

import pytest
import redis
from live import Client, served
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from roomwire.identity.capabilities import Capabilities
from roomwire.identity.errors import SessionEnded
from roomwire.identity.revocations import revocations_key
from roomwire.identity.tokens import SigningKey, User

KEY = SigningKey.generate()


def token(*, session, id_="account:1", now=None):
    user = User(
        id=id_,
        name="Ann",
        kind="account",
        capabilities=Capabilities.of({"*": ["presence"]}),
        session=session,
    )
    return KEY.sign(user, issuer="roomwire", audience="roomwire", lifetime_s=600, now=now)


@pytest.fixture
async def gateways(gateway, redis_url):
    app = Starlette(routes=[Route("/jwks.json", lambda _: JSONResponse({"keys": [KEY.public_jwk()]}))])
    async with served(app) as address:
        options = {"auth_mode": "required", "auth_jwks_url": f"http://{address}/jwks.json"}
        yield [await gateway(redis_url, node_name=name, **options) for name in ("n1", "n2")]


def revoke(url, **whom):
    with redis.Redis.from_url(url) as client:
        client.xadd(revocations_key("rw"), {**whom, "for_s": 660})


@pytest.mark.parametrize("whom", [{"session": "s1"}, {"user": "account:1"}], ids=["a session", "a user"])
async def test_a_revocation_ends_connections_on_every_gateway_and_refuses_their_token(
    gateways, redis_url, whom
):
    gone, others = token(session="s1"), token(session="s2", id_="account:2")
    first, second = [running.address for running in gateways]
    async with (
        Client.connected(first, {"token": gone}) as one,
        Client.connected(second, {"token": gone}) as two,
        Client.connected(second, {"token": others}) as other,
    ):
        revoke(redis_url, **whom)
        for client in (one, two):
            (reason,) = await client.event("exception")
            await client.frame(lambda text: text == "41")
            assert SessionEnded().details() == reason

        refused = await other.emit("refreshToken", {"token": gone})
        assert "unauthenticated" == refused["error"]["code"]
        assert 0 == (await other.emit("presence", {"roomId": "den"}))["count"]
    for address in (first, second):
        async with Client.open(address) as client:
            refusal = await client.connect({"token": gone})
            assert SessionEnded().details() == refusal["data"]


async def test_a_backends_tokens_are_revoked_by_its_id(gateways, redis_url):
    backend = User("client:reports", "reports", "service")
    given = KEY.sign(backend, issuer="roomwire", audience="roomwire", lifetime_s=600)
    async with Client.connected(gateways[0].address, {"token": given}) as client:
        revoke(redis_url, user="client:reports")
        (reason,) = await client.event("exception")

    assert "unauthenticated" == reason["code"]


async def test_a_gateway_that_starts_later_knows_of_it(gateway, redis_url):
    revoke(redis_url, session="s1")
    app = Starlette(routes=[Route("/jwks.json", lambda _: JSONResponse({"keys": [KEY.public_jwk()]}))])
    async with served(app) as address:
        running = await gateway(redis_url, auth_mode="required", auth_jwks_url=f"http://{address}/jwks.json")
        async with Client.open(running.address) as client:
            assert "unauthenticated" == (await client.connect({"token": token(session="s1")}))["data"]["code"]
