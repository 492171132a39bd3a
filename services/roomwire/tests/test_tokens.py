"""Which tokens hold, and where keys come from."""

import asyncio
import base64
import json
import time

import httpx
import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from roomwire.capabilities import NOTHING, Capabilities
from roomwire.errors import ConfigurationError, Unauthenticated, Unavailable
from roomwire.tokens import JwksClient, SigningKey, User, Verifier, find_token

NOW = 1_900_000_000.0
FAR_AWAY = 2**32
LEEWAY_S = 5
ANN = User(id="account:1", name="Ann", kind="account")
KEY = SigningKey.generate()
OTHER_KEY = SigningKey.generate()
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def who(user):
    """Return who a user is, without what its token allows and until when."""
    return User(id=user.id, name=user.name, kind=user.kind)


class Keys:
    """A `KeySource` of one key."""

    async def key(self, kid):
        return KEY._private_key.public_key() if kid == KEY.kid else None


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def verifier():
    return Verifier(Keys(), issuer="roomwire", audience="chat")


def claims(**changes):
    """A good token's claims, valid for as long as the tests run; None takes one out."""
    now = int(time.time())
    good = {
        "iss": "roomwire",
        "aud": "chat",
        "sub": "account:1",
        "name": "Ann",
        "kind": "account",
        "iat": now,
        "exp": now + 600,
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def token(body=None, *, key=None, algorithm="EdDSA", **header):
    headers = {"typ": "at+jwt", "kid": KEY.kid} | header
    return jwt.encode(body or claims(), key or KEY._private_key, algorithm=algorithm, headers=headers)


def base64url(value):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def handmade(header, body=None, signature=b""):
    return ".".join([base64url(header), base64url(body or claims()), base64url(signature)])


def signed(header=None, body=None):
    """Sign a header and a body that the library would not: either may be bytes."""
    head = base64url(header or {"alg": "EdDSA", "typ": "at+jwt", "kid": KEY.kid})
    signed_part = f"{head}.{base64url(body or claims())}"
    return f"{signed_part}.{base64url(KEY._private_key.sign(signed_part.encode()))}"


def with_exp(written):
    """Make a token whose expiry is this JSON text."""
    return signed(body=json.dumps(claims(exp=0)).replace('"exp": 0', f'"exp": {written}').encode())


def with_another_last_character():
    """Change bits of the last character that stand for nothing: it decodes to the same signature."""
    good = token()
    return good[:-1] + {"A": "B", "Q": "R", "g": "h", "w": "x"}[good[-1]]


def without_kid():
    return jwt.encode(claims(), KEY._private_key, algorithm="EdDSA", headers={"typ": "at+jwt"})


def tampered():
    head, _, signature = token().split(".")
    return f"{head}.{base64url(claims(sub='account:2'))}.{signature}"


def signed_by_hmac_of_the_public_key():
    public = KEY._private_key.public_key()
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return jwt.encode(claims(), raw, algorithm="HS256", headers={"typ": "at+jwt", "kid": KEY.kid})


async def test_a_good_token_says_who_it_is(verifier):
    assert ANN == who(await verifier.verify(token()))


async def test_what_a_signing_key_signs_is_verified(verifier):
    able = msgspec.structs.replace(ANN, capabilities=Capabilities.of({"chat:*": ["join"]}), session="s1")
    signed = KEY.sign(able, issuer="roomwire", audience="chat", lifetime_s=60)

    user = await verifier.verify(signed)
    assert ANN == who(user)
    assert ({"chat:*": ["join"]}, "s1") == (user.capabilities.claim(), user.session)
    assert 60 + LEEWAY_S == user.expires_at - user.issued_at


async def test_the_type_of_a_token_may_be_written_in_any_case(verifier):
    assert ANN == who(await verifier.verify(token(typ="AT+JWT")))


async def test_one_audience_of_several_is_enough(verifier):
    assert ANN == who(await verifier.verify(token(claims(aud=["other", "chat"]))))


BAD = [
    pytest.param(lambda: token(claims(nbf=FAR_AWAY)), id="not yet valid"),
    pytest.param(lambda: token(claims(iat=FAR_AWAY)), id="issued in the future"),
    pytest.param(lambda: token(claims(iss="somebody else")), id="foreign issuer"),
    pytest.param(lambda: token(claims(aud="another service")), id="foreign audience"),
    pytest.param(lambda: token(typ="JWT"), id="wrong type"),
    pytest.param(lambda: token(typ="rt+jwt"), id="a refresh token"),
    pytest.param(lambda: token(typ=None), id="no type"),
    pytest.param(without_kid, id="no key id"),
    pytest.param(lambda: token(kid="unknown"), id="unknown key id"),
    pytest.param(lambda: handmade({"alg": "EdDSA", "typ": "at+jwt", "kid": 1}), id="key id as number"),
    pytest.param(lambda: handmade({"alg": "EdDSA", "typ": "at+jwt", "kid": None}), id="key id null"),
    pytest.param(lambda: handmade({"alg": "none", "typ": "at+jwt", "kid": KEY.kid}), id="alg none"),
    pytest.param(lambda: handmade({"alg": "None", "typ": "at+jwt", "kid": KEY.kid}), id="alg None"),
    pytest.param(lambda: handmade({"alg": None, "typ": "at+jwt", "kid": KEY.kid}), id="alg null"),
    pytest.param(lambda: handmade({"typ": "at+jwt", "kid": KEY.kid}), id="no alg"),
    pytest.param(signed_by_hmac_of_the_public_key, id="HS256 with the public key as secret"),
    pytest.param(lambda: token(key=RSA_KEY, algorithm="RS256"), id="RS256"),
    pytest.param(lambda: token(key=ec.generate_private_key(ec.SECP256R1()), algorithm="ES256"), id="ES256"),
    pytest.param(lambda: token(crit=["exp"]), id="crit header"),
    pytest.param(lambda: token(key=OTHER_KEY._private_key), id="another key under this key's id"),
    pytest.param(lambda: token(claims(sub=1)), id="subject as number"),
    pytest.param(lambda: token(claims(name=1)), id="name as number"),
    pytest.param(lambda: token(claims(kind="admin")), id="unknown kind"),
    pytest.param(lambda: token(claims(kind="anonymous")), id="an anonymous account"),
    pytest.param(lambda: token(claims(exp="soon")), id="expiry as text"),
    *(
        pytest.param(lambda name=name: token(claims(**{name: None})), id=f"without {name}")
        for name in ("iss", "aud", "sub", "name", "kind", "iat", "exp")
    ),
    pytest.param(lambda: with_exp("NaN"), id="expiry NaN"),
    pytest.param(lambda: with_exp("Infinity"), id="expiry infinite"),
    pytest.param(lambda: with_exp("1e400"), id="expiry beyond a float"),
    pytest.param(lambda: with_exp("9" * 5_000), id="expiry of 5000 digits"),
    pytest.param(lambda: with_exp("true"), id="expiry true"),
    pytest.param(lambda: with_exp("[4294967296]"), id="expiry as list"),
    pytest.param(lambda: with_exp('"4294967296"'), id="expiry as digits in text"),
    pytest.param(lambda: signed(body=claims(iat=float("nan"))), id="issued at NaN"),
    pytest.param(lambda: signed(body=claims(iat="1")), id="issued at digits in text"),
    pytest.param(lambda: signed(body=claims(nbf=float("inf"))), id="not before infinity"),
    pytest.param(lambda: signed(body=claims(iss=["roomwire"])), id="issuer as list"),
    pytest.param(lambda: signed(body=claims(aud=["another service"])), id="list of foreign audiences"),
    pytest.param(lambda: signed(body=claims(aud={"chat": 1})), id="audience as object"),
    pytest.param(lambda: signed(body=b"[1]"), id="claims that are a list"),
    pytest.param(lambda: signed(body=b"\xff\xfe"), id="claims that are no text"),
    pytest.param(
        lambda: signed({"alg": "EdDSA", "typ": "at+jwt", "kid": KEY.kid, "b64": False}), id="b64 header"
    ),
    pytest.param(
        lambda: signed({"alg": "EdDSA", "typ": "at+jwt", "kid": "../../etc/passwd"}), id="key id as path"
    ),
    pytest.param(
        lambda: token(key=OTHER_KEY._private_key, jwk=dict(OTHER_KEY.public_jwk())), id="brings its own key"
    ),
    pytest.param(lambda: token() + "==", id="padded"),
    pytest.param(lambda: token() + "\n", id="with a line end"),
    pytest.param(lambda: " " + token(), id="with a space before"),
    pytest.param(lambda: token()[:-5] + "!" + token()[-5:], id="with a character of no alphabet"),
    pytest.param(with_another_last_character, id="with another last character"),
    pytest.param(lambda: token()[:-10], id="truncated"),
    pytest.param(lambda: token().rpartition(".")[0], id="without signature"),
    pytest.param(lambda: token().rpartition(".")[0] + ".", id="with an empty signature"),
    pytest.param(tampered, id="tampered payload"),
    pytest.param(lambda: token() + ".x", id="four parts"),
    pytest.param(lambda: "", id="empty"),
    pytest.param(lambda: "..", id="dots"),
    pytest.param(lambda: "Ann", id="a word"),
    pytest.param(lambda: "\ud800", id="a lone surrogate"),
    pytest.param(lambda: "é" * 20, id="no ASCII"),
    pytest.param(lambda: f"{base64url(b'[' * 5000)}.e30.x", id="brackets nested deep"),
    pytest.param(lambda: handmade(["EdDSA"]), id="a header that is a list"),
    pytest.param(lambda: "x" * 1_000_000, id="one megabyte"),
]


@pytest.mark.parametrize("make", BAD)
async def test_a_token_that_does_not_hold_is_refused(verifier, make):
    with pytest.raises(Unauthenticated):
        await verifier.verify(make())


async def test_an_expired_token_is_told_so(verifier):
    with pytest.raises(Unauthenticated, match="expired"):
        await verifier.verify(token(claims(iat=1_000, exp=2_000)))


async def test_an_expired_token_of_a_foreign_key_is_not_told_so(verifier):
    with pytest.raises(Unauthenticated, match="does not hold"):
        await verifier.verify(token(claims(iat=1_000, exp=2_000), key=OTHER_KEY._private_key))


@given(text=st.text(max_size=200))
async def test_whatever_is_sent_as_a_token_is_refused(text):
    with pytest.raises(Unauthenticated):
        await Verifier(Keys(), issuer="roomwire", audience="chat").verify(text)


def test_a_token_lasts_from_now_for_its_lifetime():
    signed = KEY.sign(ANN, issuer="i", audience="a", lifetime_s=60, now=NOW)
    body = jwt.decode(signed, options={"verify_signature": False})

    assert (NOW, NOW + 60) == (body["iat"], body["exp"])
    assert {"alg": "EdDSA", "typ": "at+jwt", "kid": KEY.kid} == jwt.get_unverified_header(signed)


def test_no_two_tokens_have_the_same_id():
    ids = {
        jwt.decode(
            KEY.sign(ANN, issuer="i", audience="a", lifetime_s=60, now=NOW),
            options={"verify_signature": False},
        )["jti"]
        for _ in range(2)
    }
    assert 2 == len(ids)


def test_a_key_survives_its_pem():
    again = SigningKey.from_pem(KEY.to_pem())

    assert (KEY.kid, KEY.public_jwk()) == (again.kid, again.public_jwk())


@pytest.mark.parametrize(
    "pem",
    [
        pytest.param("", id="nothing"),
        pytest.param("no key", id="no PEM"),
        pytest.param(
            RSA_KEY.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ).decode(),
            id="RSA",
        ),
        pytest.param(
            KEY._private_key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"x"),
            ).decode(),
            id="encrypted",
        ),
        pytest.param(
            KEY._private_key.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode(),
            id="public",
        ),
    ],
)
def test_another_key_is_refused_with_what_to_do(pem):
    with pytest.raises(ConfigurationError, match="new-key"):
        SigningKey.from_pem(pem)


def test_the_published_key_is_public_and_its_id_is_the_thumbprint():
    # The key pair and thumbprint of RFC 8037, appendix A.
    private = base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
    key = SigningKey(ed25519.Ed25519PrivateKey.from_private_bytes(private))

    assert {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
        "use": "sig",
        "alg": "EdDSA",
    } == key.public_jwk()


@pytest.mark.parametrize(
    ("auth", "authorization", "query", "found"),
    [
        pytest.param({"token": "a"}, "Bearer b", "token=c", "a", id="the payload comes first"),
        pytest.param({"token": ""}, "Bearer b", "token=c", "b", id="then the header"),
        pytest.param(None, "Basic b", "EIO=4&token=c", "c", id="then the query"),
        pytest.param({"token": 1}, "", "", None, id="a number is no token"),
        pytest.param(["token"], "", "", None, id="a payload that is a list"),
        pytest.param("token", "", "", None, id="a payload that is a text"),
        pytest.param(None, "bearer  b ", "", "b", id="the scheme in any case"),
        pytest.param(None, "Bearer ", "", None, id="a scheme alone"),
        pytest.param(None, "Bearer", "token=", None, id="empty everywhere"),
        pytest.param(None, "", "token=c&token=d", "c", id="the first of two"),
        pytest.param(None, "", "token=a%2Bb", "a+b", id="decoded"),
        pytest.param(None, "", "", None, id="none at all"),
    ],
)
def test_a_token_is_found_in_payload_header_and_query_in_this_order(auth, authorization, query, found):
    assert found == find_token(auth, authorization=authorization, query=query)


def test_each_anonymous_user_is_somebody_else():
    first, second = User.anonymous(), User.anonymous()

    assert first.id != second.id
    assert "anonymous" == first.kind


# The JWKS client. The server is a function behind httpx' own transport; time is passed in.


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

    assert KEY._private_key.public_key() == first == second
    assert 1 == server.requests


async def test_a_token_is_verified_with_a_fetched_key(jwks_client):
    client = jwks_client(JwksServer(lambda: jwks(OTHER_KEY.public_jwk(), KEY.public_jwk())))

    assert ANN == who(await Verifier(client, issuer="roomwire", audience="chat").verify(token()))


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

    assert [KEY._private_key.public_key()] * 20 == await asyncio.gather(*waiting)
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
    assert OTHER_KEY._private_key.public_key() == await client.key(OTHER_KEY.kid)
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
    pytest.param(lambda: httpx.Response(200, content=b"<html>"), id="garbage"),
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
    assert KEY._private_key.public_key() == await client.key(KEY.kid)
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
    assert KEY._private_key.public_key() == await client.key(KEY.kid)


FOREIGN_KEYS = [
    pytest.param({"kty": "RSA", "kid": KEY.kid, "n": "AQAB", "e": "AQAB"}, id="RSA"),
    pytest.param({"kty": "oct", "kid": KEY.kid, "k": "c2VjcmV0"}, id="symmetric"),
    pytest.param({"kty": "EC", "crv": "P-256", "kid": KEY.kid, "x": "AA", "y": "AA"}, id="EC"),
    pytest.param(dict(KEY.public_jwk()) | {"d": "c2VjcmV0"}, id="private"),
    pytest.param(dict(KEY.public_jwk()) | {"use": "enc"}, id="for encryption"),
    pytest.param(dict(KEY.public_jwk()) | {"crv": "X25519"}, id="X25519"),
    pytest.param(dict(KEY.public_jwk()) | {"kid": ""}, id="without id"),
]


@pytest.mark.parametrize("foreign", FOREIGN_KEYS)
async def test_keys_that_do_not_verify_tokens_are_left_alone(jwks_client, foreign):
    client = jwks_client(JwksServer(lambda: jwks(foreign, OTHER_KEY.public_jwk())))

    assert OTHER_KEY._private_key.public_key() == await client.key(OTHER_KEY.kid)
    assert await client.key(KEY.kid) is None


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

    (line,) = log_lines()
    assert "jwks fetch failed" == line["event"]
    assert "hunter2" not in str(line)


@pytest.mark.parametrize(
    "able", [NOTHING, Capabilities.of({"hall": ["join"]})], ids=["nothing", "what is set"]
)
async def test_a_token_that_does_not_say_what_it_allows_allows_what_is_set(able):
    verifier = Verifier(Keys(), issuer="roomwire", audience="chat", without_claim=able)

    assert able == (await verifier.verify(token())).capabilities
    assert NOTHING == (await verifier.verify(token(claims(cap={})))).capabilities


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"cap": ["join"]}, id="a list"),
        pytest.param({"cap": {"den": "join"}}, id="an action, not a list"),
        pytest.param({"cap": {"a*b": ["join"]}}, id="no pattern"),
        pytest.param({"cap": {f"room{n}": ["join"] for n in range(33)}}, id="too many patterns"),
        pytest.param({"sid": 1}, id="a session that is a number"),
        pytest.param({"sid": "x" * 129}, id="a long session"),
    ],
)
async def test_a_token_whose_claims_have_another_shape_does_not_hold(verifier, changes):
    with pytest.raises(Unauthenticated, match="does not hold"):
        await verifier.verify(token(claims(**changes)))
