"""Where public keys come from, how often they are asked for, and what goes on when that fails."""

import asyncio
import gzip

import httpx
import pytest
from live import served
from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Route

from roomwire.errors import Unavailable
from roomwire.identity.jwk import Fault, PublicKey
from roomwire.identity.jwks import JwksClient
from roomwire.identity.provider import Discovery
from roomwire.identity.tokens import SigningKey

KEY = SigningKey.generate()
OTHER_KEY = SigningKey.generate()


def public(key):
    return PublicKey(key._private_key.public_key(), frozenset({"EdDSA"}))


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class JwksServer:
    """Answers with what it is told to; counts the requests."""

    def __init__(self, answer):
        self.answer = answer
        self.requests = 0

    async def __call__(self, _request):
        self.requests += 1
        answer = self.answer() if callable(self.answer) else self.answer
        return await answer if asyncio.iscoroutine(answer) else answer


def jwks(*keys):
    return httpx.Response(200, json={"keys": [dict(key) for key in keys]})


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def jwks_client(clock):
    clients = []

    def make(server, **options):
        client = JwksClient(
            "http://auth/jwks.json", clock=clock, transport=httpx.MockTransport(server), **options
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        await client.close()


async def test_a_key_is_found_and_then_known(jwks_client):
    server = JwksServer(lambda: jwks(KEY.public_jwk()))
    client = jwks_client(server)

    first, second = await client.key(KEY.kid), await client.key(KEY.kid)

    assert public(KEY) == first == second
    assert 1 == server.requests


async def test_a_storm_of_first_tokens_leads_to_one_fetch(jwks_client):
    asked, answer = asyncio.Event(), asyncio.Event()

    async def slow():
        asked.set()
        await answer.wait()
        return jwks(KEY.public_jwk())

    server = JwksServer(slow)
    client = jwks_client(server)
    waiting = [asyncio.create_task(client.key(KEY.kid)) for _ in range(20)]
    await asked.wait()
    answer.set()

    assert [public(KEY)] * 20 == await asyncio.gather(*waiting)
    assert 1 == server.requests


async def test_unknown_key_ids_lead_to_one_fetch_in_a_cooldown(jwks_client, clock):
    server = JwksServer(lambda: jwks(KEY.public_jwk()))
    client = jwks_client(server, cooldown_s=10.0)
    await client.key(KEY.kid)
    clock.now += 10.0

    assert [None] * 50 == [await client.key(f"unknown {number}") for number in range(50)]
    assert 2 == server.requests
    clock.now += 9.9
    await client.key("unknown")
    assert 2 == server.requests
    clock.now += 0.1
    await client.key("unknown")
    assert 3 == server.requests


async def test_a_new_key_is_taken_up_and_the_old_one_goes(jwks_client, clock):
    keys = [KEY]
    server = JwksServer(lambda: jwks(*(key.public_jwk() for key in keys)))
    client = jwks_client(server)
    await client.key(KEY.kid)

    keys[:] = [OTHER_KEY]
    clock.now += 10.0
    assert public(OTHER_KEY) == await client.key(OTHER_KEY.kid)
    assert await client.key(KEY.kid) is None


async def test_old_keys_are_fetched_anew(jwks_client, clock):
    server = JwksServer(lambda: jwks(KEY.public_jwk()))
    client = jwks_client(server, max_age_s=300.0)
    await client.key(KEY.kid)
    clock.now += 300.0
    await client.key(KEY.kid)
    assert 1 == server.requests

    clock.now += 0.1
    await client.key(KEY.kid)
    assert 2 == server.requests


def refuse():
    raise httpx.ConnectError("refused")


async def never():
    await asyncio.Event().wait()


FAILURES = [
    pytest.param(refuse, id="nobody listens"),
    pytest.param(lambda: httpx.Response(500), id="it fails"),
    pytest.param(
        lambda: httpx.Response(302, headers={"location": "http://elsewhere/jwks.json"}), id="a redirect"
    ),
    pytest.param(lambda: httpx.Response(200, content=b" " * 65_537), id="huge"),
    pytest.param(
        lambda: httpx.Response(
            200,
            content=gzip.compress(jwks(KEY.public_jwk()).content),
            headers={"content-encoding": "gzip"},
        ),
        id="packed",
    ),
    pytest.param(lambda: httpx.Response(200, content=b"<html>"), id="garbage"),
    pytest.param(lambda: httpx.Response(200, content=b"[" * 60_000), id="nested deep"),
    pytest.param(
        lambda: httpx.Response(200, content=b'{"keys":[' + b"[" * 20_000 + b"]" * 20_000 + b"]}"),
        id="a key nested deep",
    ),
    pytest.param(lambda: httpx.Response(200, content=b"\xff\xfe"), id="bytes"),
    pytest.param(lambda: httpx.Response(200, json={"keys": {}}), id="the wrong shape"),
    pytest.param(lambda: httpx.Response(200, json={"keys": []}), id="no keys"),
    pytest.param(lambda: jwks(KEY.public_jwk() | {"x": "AAAA"}), id="a short key"),
    pytest.param(lambda: jwks(KEY.public_jwk() | {"x": "A"}), id="half a byte"),
    pytest.param(never, id="slow"),
]


@pytest.mark.parametrize("failure", FAILURES)
async def test_without_any_key_a_failed_fetch_is_unavailable(jwks_client, failure):
    server = JwksServer(failure)
    client = jwks_client(server, timeout_s=0.05)

    with pytest.raises(Unavailable):
        await client.key(KEY.kid)
    assert 1 == server.requests


@pytest.mark.parametrize("failure", FAILURES)
async def test_known_keys_go_on_being_used_when_a_fetch_fails(jwks_client, clock, failure):
    server = JwksServer(lambda: jwks(KEY.public_jwk()))
    client = jwks_client(server, timeout_s=0.05)
    await client.key(KEY.kid)

    server.answer = failure
    clock.now += 1_000.0
    assert public(KEY) == await client.key(KEY.kid)
    assert await client.key("unknown") is None
    assert 2 == server.requests


async def test_without_any_key_a_fetch_is_tried_again_after_a_second(jwks_client, clock):
    server = JwksServer(refuse)
    client = jwks_client(server)
    for _ in range(3):
        with pytest.raises(Unavailable):
            await client.key(KEY.kid)
    assert 1 == server.requests

    server.answer = lambda: jwks(KEY.public_jwk())
    clock.now += 1.0
    assert public(KEY) == await client.key(KEY.kid)


@pytest.mark.parametrize("url", ["http://auth:port/", "http://", "http://127.0.0.1:1/"])
async def test_an_address_that_cannot_be_reached_is_unavailable(url):
    client = JwksClient(url)
    with pytest.raises(Unavailable):
        await client.key(KEY.kid)
    await client.close()


async def test_the_log_of_a_failed_fetch_shows_no_credentials(log_lines):
    client = JwksClient("http://user:hunter2@127.0.0.1:1/")
    with pytest.raises(Unavailable):
        await client.key(KEY.kid)
    await client.close()

    line = log_lines()[-1]
    assert ("jwks fetch failed", "refused") == (line["event"], line["cause"])
    assert "hunter2" not in str(line)


MALFORMED = {**KEY.public_jwk(), "kid": "malformed", "x": "AAAA"}
PRIVATE = {**KEY.public_jwk(), "kid": "private", "d": "c2VjcmV0"}


async def test_one_key_that_cannot_be_used_takes_no_other_with_it_and_is_counted_and_logged_once(
    jwks_client, clock, log_lines
):
    counted = []
    server = JwksServer(lambda: jwks(MALFORMED, KEY.public_jwk(), PRIVATE))
    client = jwks_client(server, count_refused=counted.append)
    for _ in range(2):
        assert public(KEY) == await client.key(KEY.kid)
        assert await client.key("malformed") is None
        clock.now += 1_000.0

    assert 2 == server.requests
    assert [Fault.MALFORMED, Fault.PRIVATE] * 2 == counted
    (line,) = log_lines()
    assert ("jwks keys refused", 2) == (line["event"], line["number"])
    assert ["'malformed' malformed", "'private' private"] == line["keys"]


async def test_of_very_many_keys_that_are_refused_few_are_logged(jwks_client, log_lines):
    bad = [{"kty": "oct", "kid": f"{number} {'x' * 200}"} for number in range(100)]
    client = jwks_client(JwksServer(lambda: jwks(*bad, KEY.public_jwk())))
    await client.key(KEY.kid)

    (line,) = log_lines()
    assert 100 == line["number"]
    assert 2_000 > len(str(line))


async def test_a_key_that_is_refused_from_now_on_is_not_used_any_more(jwks_client, clock):
    server = JwksServer(lambda: jwks(KEY.public_jwk(), OTHER_KEY.public_jwk()))
    client = jwks_client(server)
    await client.key(KEY.kid)

    server.answer = lambda: jwks(PRIVATE | {"kid": KEY.kid}, OTHER_KEY.public_jwk())
    clock.now += 1_000.0
    assert await client.key(KEY.kid) is None


# Metadata that say where the keys are.

ISSUER = "https://id.example.org/"
METADATA_URL = "https://id.example.org/.well-known/openid-configuration"
JWKS_URL = "https://keys.example.org/jwks.json"


class Provider:
    """Answers by address; keeps which were asked for."""

    def __init__(self, **changes):
        metadata = {"issuer": ISSUER, "jwks_uri": JWKS_URL, "authorization_endpoint": "x"} | changes
        self.answers = {
            METADATA_URL: lambda: httpx.Response(200, json=metadata),
            JWKS_URL: lambda: jwks(KEY.public_jwk()),
        }
        self.asked = []

    async def __call__(self, request):
        self.asked.append(str(request.url))
        answer = self.answers[str(request.url)]()
        return await answer if asyncio.iscoroutine(answer) else answer


@pytest.fixture
async def discovering(clock):
    clients = []

    def make(provider):
        clients.append(
            JwksClient(
                Discovery(METADATA_URL, ISSUER),
                clock=clock,
                timeout_s=0.05,
                transport=httpx.MockTransport(provider),
            )
        )
        return clients[-1]

    yield make
    for client in clients:
        await client.close()


async def test_keys_are_where_the_metadata_say(discovering):
    provider = Provider()

    assert public(KEY) == await discovering(provider).key(KEY.kid)
    assert [METADATA_URL, JWKS_URL] == provider.asked


BAD_METADATA = [
    pytest.param({"issuer": "https://id.example.org"}, id="another issuer, by a slash"),
    pytest.param({"issuer": ISSUER.upper()}, id="another issuer, by its case"),
    pytest.param({"issuer": [ISSUER]}, id="issuers in a list"),
    pytest.param({"issuer": None}, id="no issuer"),
    pytest.param({"jwks_uri": None}, id="no address of keys"),
    pytest.param({"jwks_uri": "http://keys.example.org/jwks.json"}, id="keys without TLS"),
    pytest.param({"jwks_uri": "file:///etc/passwd"}, id="keys in a file"),
    pytest.param({"jwks_uri": "/jwks.json"}, id="keys at half an address"),
    pytest.param({"jwks_uri": "http://127.0.0.1.example.org/"}, id="keys at what looks like this machine"),
    pytest.param({"jwks_uri": "http://127.0.0.1@example.org/"}, id="keys at another, this one as its user"),
]


@pytest.mark.parametrize("changes", BAD_METADATA)
async def test_by_metadata_that_do_not_hold_no_keys_are_asked_for(discovering, changes):
    provider = Provider(**changes)

    with pytest.raises(Unavailable):
        await discovering(provider).key(KEY.kid)
    assert [METADATA_URL] == provider.asked


@pytest.mark.parametrize("failure", FAILURES)
async def test_metadata_that_cannot_be_had_are_no_keys(discovering, failure):
    provider = Provider()
    provider.answers[METADATA_URL] = failure

    with pytest.raises(Unavailable):
        await discovering(provider).key(KEY.kid)
    assert [METADATA_URL] == provider.asked


@pytest.mark.parametrize("failure", FAILURES)
async def test_known_keys_go_on_being_used_when_metadata_cannot_be_had(discovering, clock, failure):
    provider = Provider()
    client = discovering(provider)
    await client.key(KEY.kid)

    provider.answers[METADATA_URL] = failure
    clock.now += 1_000.0
    assert public(KEY) == await client.key(KEY.kid)


async def test_a_redirect_of_a_real_server_leads_nowhere():
    asked = []

    async def elsewhere(_):
        asked.append("elsewhere")
        return JSONResponse({"keys": [dict(KEY.public_jwk())]})

    app = Starlette(
        routes=[Route("/jwks.json", lambda _: RedirectResponse("/elsewhere")), Route("/elsewhere", elsewhere)]
    )
    async with served(app) as address:
        client = JwksClient(f"http://{address}/jwks.json")
        with pytest.raises(Unavailable):
            await client.key(KEY.kid)
        await client.close()

    assert [] == asked
