"""Which tokens hold, how their content is read, and where keys come from."""

import base64
import hmac
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
from live import served
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from roomwire.errors import ConfigurationError, NotYetValid, Unauthenticated
from roomwire.health.clocks import LEEWAY_S
from roomwire.identity.capabilities import NOTHING, Capabilities
from roomwire.identity.claim_names import ClaimNames
from roomwire.identity.errors import InvalidToken, TokenExpired
from roomwire.identity.jwk import ALGORITHMS, PublicKey
from roomwire.identity.jwks import JwksClient
from roomwire.identity.tokens import SigningKey, User, find_token
from roomwire.identity.verification import Verifier, parse_part

NOW = 1_900_000_000.0
FAR_AWAY = 2**32
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
        return PublicKey(KEY._private_key.public_key(), frozenset({"EdDSA"})) if kid == KEY.kid else None


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


def in_the_standard_alphabet():
    """Write the signature with + and / where a token has - and _."""
    while not {*"-_"} & {*(good := token(claims(jti=str(time.time_ns())))).rpartition(".")[2]}:
        pass
    head, body, signature = good.split(".")
    return ".".join([head, body, signature.translate(str.maketrans("-_", "+/"))])


def without_kid():
    return jwt.encode(claims(), KEY._private_key, algorithm="EdDSA", headers={"typ": "at+jwt"})


def tampered():
    head, _, signature = token().split(".")
    return f"{head}.{base64url(claims(sub='account:2'))}.{signature}"


def public_key(encoding, format_):
    return KEY._private_key.public_key().public_bytes(encoding, format_)


PEM, DER, RAW = serialization.Encoding.PEM, serialization.Encoding.DER, serialization.Encoding.Raw
PUBLIC = serialization.PublicFormat.SubjectPublicKeyInfo
PUBLIC_FORMS = {
    "PEM": public_key(PEM, PUBLIC),
    "PEM without its last line end": public_key(PEM, PUBLIC).strip(),
    "DER": public_key(DER, PUBLIC),
    "raw": public_key(RAW, serialization.PublicFormat.Raw),
    "JWK": json.dumps(dict(KEY.public_jwk())).encode(),
    "JWK without spaces": json.dumps(dict(KEY.public_jwk()), separators=(",", ":")).encode(),
    "x": KEY.public_jwk()["x"].encode(),
    "nothing": b"",
}


def signed_with_a_secret(secret, algorithm="HS256", digest="sha256"):
    """Sign as a server that takes the public key for a shared secret would verify."""
    head = base64url({"alg": algorithm, "typ": "at+jwt", "kid": KEY.kid})
    signed_part = f"{head}.{base64url(claims())}"
    return f"{signed_part}.{base64url(hmac.digest(secret, signed_part.encode(), digest))}"


def with_header(**changes):
    """Sign a header that says something more, or other, by the known key."""
    return signed({"alg": "EdDSA", "typ": "at+jwt", "kid": KEY.kid} | changes)


def with_claims_text(more):
    """Sign claims that have a piece of JSON more."""
    return signed(body=(json.dumps(claims())[:-1] + f", {more}}}").encode())


def with_header_text(text):
    return signed(header=text.replace("KID", KEY.kid).encode())


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


GOOD = [
    pytest.param(lambda: with_exp(f"{int(time.time()) + 600}.5"), id="expiry as a float"),
    pytest.param(lambda: with_exp("4.294967296e9"), id="expiry with an exponent"),
    pytest.param(lambda: signed(body=claims(iat=time.time() - 1)), id="issued at a float"),
    pytest.param(lambda: with_header(typ="application/at+jwt"), id="the whole media type"),
    pytest.param(lambda: with_header(more={"x": 1}), id="a header that nobody knows"),
    pytest.param(lambda: token(claims(kind=None)), id="an account, as it does not say"),
    pytest.param(lambda: token(claims(cap=None)), id="no capabilities"),
]


@pytest.mark.parametrize("make", GOOD)
async def test_a_token_may_be_written_so(verifier, make):
    assert ANN == who(await verifier.verify(make()))


async def test_who_has_no_name_is_called_by_the_id(verifier):
    assert "account:1" == (await verifier.verify(token(claims(name=None)))).name


async def test_one_audience_of_several_is_enough(verifier):
    assert ANN == who(await verifier.verify(token(claims(aud=["other", "chat"]))))


BAD = [
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
    pytest.param(lambda: handmade({"alg": "nOnE", "typ": "at+jwt", "kid": KEY.kid}), id="alg nOnE"),
    pytest.param(lambda: handmade({"alg": "", "typ": "at+jwt", "kid": KEY.kid}), id="alg empty"),
    pytest.param(lambda: with_header(alg="none"), id="alg none, and signed all the same"),
    pytest.param(lambda: with_header(alg=["EdDSA"]), id="alg as list"),
    pytest.param(lambda: with_header(alg={"EdDSA": 1}), id="alg as object"),
    pytest.param(lambda: with_header(alg="eddsa"), id="alg in other letters"),
    pytest.param(lambda: with_header(alg="EdDSA "), id="alg with a space"),
    *(
        pytest.param(
            lambda secret=secret: signed_with_a_secret(secret), id=f"HS256 by the public key, {form}"
        )
        for form, secret in PUBLIC_FORMS.items()
    ),
    *(
        pytest.param(
            lambda algorithm=algorithm, digest=digest: signed_with_a_secret(
                PUBLIC_FORMS["PEM"], algorithm, digest
            ),
            id=f"{algorithm} by the public key",
        )
        for algorithm, digest in (("HS384", "sha384"), ("HS512", "sha512"))
    ),
    pytest.param(lambda: with_header(alg="RS256"), id="an Ed25519 signature called RS256"),
    pytest.param(lambda: with_header(alg="ES256"), id="an Ed25519 signature called ES256"),
    pytest.param(lambda: token(key=RSA_KEY, algorithm="RS256"), id="RS256"),
    pytest.param(lambda: token(key=ec.generate_private_key(ec.SECP256R1()), algorithm="ES256"), id="ES256"),
    pytest.param(lambda: token(crit=["exp"]), id="crit header"),
    pytest.param(lambda: with_header(crit=[]), id="crit header with nothing"),
    pytest.param(lambda: with_header(crit=["b64"], b64=True), id="crit header with b64"),
    pytest.param(lambda: with_header(crit=None), id="crit header null"),
    pytest.param(
        lambda: with_header_text('{"alg": "none", "alg": "EdDSA", "typ": "at+jwt", "kid": "KID"}'),
        id="alg twice",
    ),
    pytest.param(
        lambda: with_header_text('{"alg": "EdDSA", "typ": "at+jwt", "kid": "x", "kid": "KID"}'),
        id="key id twice",
    ),
    pytest.param(lambda: with_claims_text('"sub": "account:1"'), id="subject twice, the same"),
    pytest.param(lambda: with_claims_text('"sub": "account:2"'), id="subject twice, another"),
    pytest.param(lambda: with_claims_text(f'"exp": {FAR_AWAY}'), id="expiry twice"),
    pytest.param(lambda: with_claims_text('"more": {"a": 1, "a": 2}'), id="a name twice within a claim"),
    pytest.param(lambda: with_claims_text('"more": NaN'), id="a number that is none"),
    pytest.param(lambda: token(kid=""), id="key id empty"),
    pytest.param(lambda: token(kid="'; DROP TABLE keys; --"), id="key id as SQL"),
    pytest.param(lambda: token(kid="x" * 6_000), id="key id of 6,000 characters"),
    pytest.param(lambda: token(kid=f"{KEY.kid}\0"), id="key id with a NUL"),
    pytest.param(lambda: with_header(kid=[KEY.kid]), id="key id as list"),
    pytest.param(lambda: with_header(kid={"kid": KEY.kid}), id="key id as object"),
    pytest.param(lambda: with_header(kid=True), id="key id true"),
    pytest.param(lambda: with_header(kid="\ud800"), id="key id of half a surrogate pair"),
    pytest.param(lambda: with_header(typ=["at+jwt"]), id="type as list"),
    pytest.param(lambda: with_header(typ=None), id="type null"),
    pytest.param(lambda: with_header(typ="none"), id="type none"),
    pytest.param(lambda: token(key=OTHER_KEY._private_key), id="another key under this key's id"),
    pytest.param(lambda: signed(body=claims(sub=1)), id="subject as number"),
    pytest.param(lambda: signed(body=claims(sub=["account:1"])), id="subject as list"),
    pytest.param(lambda: token(claims(sub="")), id="subject empty"),
    pytest.param(lambda: token(claims(sub="x" * 257)), id="subject too long"),
    pytest.param(lambda: token(claims(sub="\ud800")), id="subject of half a surrogate pair"),
    pytest.param(lambda: token(claims(name="\ud800")), id="name of half a surrogate pair"),
    pytest.param(lambda: signed(body=claims() | {"name": None}), id="name null"),
    pytest.param(lambda: token(claims(name=1)), id="name as number"),
    pytest.param(lambda: token(claims(kind="admin")), id="unknown kind"),
    pytest.param(lambda: token(claims(kind="anonymous")), id="an anonymous account"),
    pytest.param(lambda: token(claims(exp="soon")), id="expiry as text"),
    *(
        pytest.param(lambda name=name: token(claims(**{name: None})), id=f"without {name}")
        for name in ("iss", "aud", "sub", "iat", "exp")
    ),
    pytest.param(lambda: with_exp("NaN"), id="expiry NaN"),
    pytest.param(lambda: with_exp("Infinity"), id="expiry infinite"),
    pytest.param(lambda: with_exp("1e400"), id="expiry beyond a float"),
    pytest.param(lambda: with_exp("9" * 5_000), id="expiry of 5000 digits"),
    pytest.param(lambda: with_exp("true"), id="expiry true"),
    pytest.param(lambda: with_exp("[4294967296]"), id="expiry as list"),
    pytest.param(lambda: with_exp("null"), id="expiry null"),
    pytest.param(lambda: with_exp("1e300"), id="expiry in more years than there are"),
    pytest.param(lambda: with_exp("300000000000"), id="expiry after the year 9999"),
    pytest.param(lambda: with_exp("-1"), id="expiry before 1970"),
    pytest.param(lambda: with_exp("-Infinity"), id="expiry infinitely long ago"),
    pytest.param(lambda: with_exp("1.5e3"), id="expiry as a float, past"),
    pytest.param(lambda: signed(body=claims(iat=-1)), id="issued before 1970"),
    pytest.param(lambda: signed(body=claims(iat=True)), id="issued at true"),
    pytest.param(lambda: signed(body=claims(nbf="1")), id="not before digits in text"),
    pytest.param(lambda: with_exp('"4294967296"'), id="expiry as digits in text"),
    pytest.param(lambda: signed(body=claims(iat=float("nan"))), id="issued at NaN"),
    pytest.param(lambda: signed(body=claims(iat="1")), id="issued at digits in text"),
    pytest.param(lambda: signed(body=claims(nbf=float("inf"))), id="not before infinity"),
    pytest.param(lambda: signed(body=claims(iss=["roomwire"])), id="issuer as list"),
    pytest.param(lambda: signed(body=claims(aud=["another service"])), id="list of foreign audiences"),
    pytest.param(lambda: signed(body=claims(aud=[])), id="an empty list of audiences"),
    pytest.param(lambda: signed(body=claims(aud=["chat", 1])), id="audiences that are not all texts"),
    pytest.param(lambda: token(claims(aud="chat2")), id="audience that begins like ours"),
    pytest.param(lambda: token(claims(iss="roomwire/")), id="issuer that begins like ours"),
    pytest.param(lambda: signed(body=claims(iss={"roomwire": 1})), id="issuer as object"),
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
    pytest.param(lambda: token().replace(".", " .", 1), id="with a space within"),
    pytest.param(lambda: token().replace(".", "=.", 1), id="with a padded header"),
    pytest.param(lambda: token() + "\u00a0", id="with a space of no ASCII"),
    pytest.param(lambda: token().replace(".", "\t.", 1), id="with a tab"),
    pytest.param(lambda: token() + "A", id="with a character more"),
    pytest.param(in_the_standard_alphabet, id="in base64's standard alphabet"),
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


@pytest.mark.parametrize("claim", ["nbf", "iat"])
async def test_a_token_that_is_not_valid_yet_is_one_to_come_again_with(verifier, claim):
    now = int(time.time())
    # What a clock that is behind by less than the leeway sees of a token that was just issued.
    await verifier.verify(token(claims(**{claim: now + int(LEEWAY_S) - 5})))

    for later in (now + int(LEEWAY_S) + 60, FAR_AWAY):
        with pytest.raises(NotYetValid) as raised:
            await verifier.verify(token(claims(**{claim: later})))
        assert raised.value.retryable
    with pytest.raises(Unauthenticated):
        await verifier.verify(token(claims(**{claim: FAR_AWAY}), key=OTHER_KEY._private_key))


async def test_an_expired_token_is_told_so(verifier):
    with pytest.raises(TokenExpired):
        await verifier.verify(token(claims(iat=1_000, exp=2_000)))


async def test_an_expired_token_of_a_foreign_key_is_not_told_so(verifier):
    with pytest.raises(InvalidToken):
        await verifier.verify(token(claims(iat=1_000, exp=2_000), key=OTHER_KEY._private_key))


# What a token says of where its key is. The server stands for any that a token could name.


@pytest.fixture
async def lure():
    """Serve keys and certificates of an attacker's; yields the URL, and the paths that were asked for."""
    asked = []

    async def answer(request):
        asked.append(request.url.path)
        return JSONResponse({"keys": [dict(OTHER_KEY.public_jwk()) | {"kid": KEY.kid}]})

    async with served(Starlette(routes=[Route("/{path:path}", answer)])) as address:
        yield f"http://{address}", asked


LURES = {
    "jku": lambda url: {"jku": f"{url}/jwks.json"},
    "x5u": lambda url: {"x5u": f"{url}/chain.pem"},
    "jwk": lambda _: {"jwk": dict(OTHER_KEY.public_jwk())},
    "x5c": lambda _: {"x5c": ["MIIB"]},
    "kid": lambda url: {"kid": f"{url}/jwks.json"},
    "iss": lambda url: {"iss": url},
}


@pytest.mark.parametrize("name", LURES)
@pytest.mark.parametrize("key", [OTHER_KEY, KEY], ids=["by another key", "by the known key"])
async def test_a_token_that_names_its_own_key_has_no_request_made_for_it(lure, name, key):
    url, asked = lure
    given_token = token(key=key._private_key, **LURES[name](url))
    jwks = httpx.MockTransport(lambda _: httpx.Response(200, json={"keys": [dict(KEY.public_jwk())]}))
    keys = JwksClient("http://auth/jwks.json", transport=jwks)
    verifier = Verifier(keys, issuer="roomwire", audience="chat")

    if key is KEY and name != "kid":
        assert ANN == who(await verifier.verify(given_token))
    else:
        with pytest.raises(Unauthenticated):
            await verifier.verify(given_token)
    await keys.close()
    assert [] == asked


# Another identity provider's tokens: other algorithms, types and claims, as far as they are set.

EC_KEYS = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
}
PRIVATE_KEYS = EC_KEYS | {
    "EdDSA": KEY._private_key,
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), RSA_KEY),
}


class KeyOf:
    """A `KeySource` of one key for some algorithms."""

    def __init__(self, private_key, *algorithms):
        self._key = PublicKey(private_key.public_key(), frozenset(algorithms))

    async def key(self, kid):
        return self._key if kid == KEY.kid else None


def test_every_algorithm_has_a_row():
    assert {*ALGORITHMS} == PRIVATE_KEYS.keys()


@pytest.mark.parametrize("algorithm", PRIVATE_KEYS)
async def test_a_token_of_an_algorithm_holds_where_it_is_set_and_the_key_is_for_it(algorithm):
    private = PRIVATE_KEYS[algorithm]
    given_token = token(key=private, algorithm=algorithm)
    others = {*ALGORITHMS} - {algorithm}

    def verifier(keys, algorithms):
        return Verifier(keys, issuer="roomwire", audience="chat", algorithms=algorithms)

    assert ANN == who(await verifier(KeyOf(private, algorithm), [algorithm]).verify(given_token))
    for keys, algorithms in (
        (KeyOf(private, algorithm), others),
        (KeyOf(private, *others), [algorithm]),
    ):
        with pytest.raises(Unauthenticated):
            await verifier(keys, algorithms).verify(given_token)


@pytest.mark.parametrize("called", PRIVATE_KEYS)
async def test_a_signature_does_not_hold_under_another_algorithms_name_whatever_is_set(called):
    for algorithm, private in PRIVATE_KEYS.items():
        if algorithm == called:
            continue
        _, body, signature = token(key=private, algorithm=algorithm).split(".")
        renamed = base64url({"alg": called, "typ": "at+jwt", "kid": KEY.kid})
        keys = KeyOf(private, *(name for name, key in PRIVATE_KEYS.items() if key is private))
        with pytest.raises(Unauthenticated):
            await Verifier(keys, issuer="roomwire", audience="chat", algorithms=ALGORITHMS).verify(
                f"{renamed}.{body}.{signature}"
            )


TYPES = [
    pytest.param(["JWT"], "JWT", True, id="the one that is set"),
    pytest.param(["JWT"], "jwt", True, id="in other letters"),
    pytest.param(["JWT", "at+jwt"], "at+jwt", True, id="one of two"),
    pytest.param(["JWT"], "at+jwt", False, id="not set"),
    pytest.param(["JWT"], None, False, id="none"),
    pytest.param(["none"], None, True, id="none, as is set"),
    pytest.param(["none"], "JWT", False, id="one, where none is set"),
    pytest.param(["JWT"], "logout+jwt", False, id="a logout token"),
]


@pytest.mark.parametrize(("types", "type_", "holds"), TYPES)
async def test_tokens_have_a_type_that_is_set(types, type_, holds):
    verifier = Verifier(Keys(), issuer="roomwire", audience="chat", token_types=types)
    if holds:
        assert ANN == who(await verifier.verify(token(typ=type_)))
    else:
        with pytest.raises(Unauthenticated):
            await verifier.verify(token(typ=type_))


ROLES = {
    "staff": Capabilities.of({"*": ["join"], "hall": ["history"]}),
    "speakers": Capabilities.of({"*": ["publish"]}),
}
NAMES = ClaimNames(user="oid", name="preferred_username", session="sess", roles="/realm_access/roles")


def foreign(**changes):
    theirs = {"oid": "7", "preferred_username": "ann", "sess": "s7", "realm_access": {"roles": ["staff"]}}
    return token(claims(sid="ours", cap={"*": ["admin"]}) | theirs | changes)


def of_another_provider():
    return Verifier(Keys(), issuer="roomwire", audience="chat", claim_names=NAMES, roles=ROLES)


async def test_claims_of_other_names_say_who_it_is_and_what_it_may():
    user = await of_another_provider().verify(foreign())

    assert ("7", "ann", "s7", "account") == (user.id, user.name, user.session, user.kind)
    assert ROLES["staff"].claim() == user.capabilities.claim()


CLAIMED_ROLES = [
    pytest.param(["staff", "speakers"], {"*": ["join", "publish"], "hall": ["history"]}, id="two"),
    pytest.param(["speakers", "speakers"], {"*": ["publish"]}, id="one twice"),
    pytest.param(["others", "speakers"], {"*": ["publish"]}, id="one that there is not"),
    pytest.param("staff speakers", {"*": ["join", "publish"], "hall": ["history"]}, id="a text"),
    pytest.param(["others"], {}, id="none that there is"),
    pytest.param(["none"], {}, id="none by name"),
    pytest.param([], {}, id="an empty list"),
    pytest.param("", {}, id="an empty text"),
]


@pytest.mark.parametrize(("roles", "able"), CLAIMED_ROLES)
async def test_roles_that_the_policy_has_allow_what_it_says_together(roles, able):
    user = await of_another_provider().verify(foreign(realm_access={"roles": roles}))

    assert able == user.capabilities.claim()


@pytest.mark.parametrize("access", [{}, {"other": 1}, ["roles"], "roles"])
async def test_without_a_role_nothing_is_allowed_whatever_the_token_says_else(access):
    assert {} == (await of_another_provider().verify(foreign(realm_access=access))).capabilities.claim()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"realm_access": {"roles": [1]}}, id="roles that are numbers"),
        pytest.param({"realm_access": {"roles": {"staff": True}}}, id="roles as object"),
        pytest.param({"realm_access": {"roles": None}}, id="roles null"),
        pytest.param({"oid": 7}, id="a user as number"),
        pytest.param({"oid": ""}, id="a user without a name"),
        pytest.param({"sess": ["s7"]}, id="a session as list"),
    ],
)
async def test_claims_of_other_names_have_the_same_shapes(changes):
    with pytest.raises(Unauthenticated):
        await of_another_provider().verify(foreign(**changes))


async def test_without_the_claim_that_is_the_user_a_token_does_not_hold():
    with pytest.raises(Unauthenticated):
        await of_another_provider().verify(token())


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
async def test_a_token_whose_claims_have_another_shape_is_not_valid(verifier, changes):
    with pytest.raises(InvalidToken):
        await verifier.verify(token(claims(**changes)))


async def test_how_long_a_token_may_be_is_said_by_its_verifier():
    held = token(claims())

    def bounded(size):
        return Verifier(Keys(), issuer="roomwire", audience="chat", max_token_bytes=size)

    assert "account:1" == (await bounded(len(held)).verify(held)).id
    with pytest.raises(Unauthenticated, match="too long"):
        await bounded(len(held) - 1).verify(held)


def part(text):
    raw = text if isinstance(text, bytes) else text.encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def test_an_object_is_read():
    assert {"a": [1, {"b": "é"}], "c": 1.5} == parse_part(part('{"a": [1, {"b": "é"}], "c": 1.5}'))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[]", id="a list"),
        pytest.param('"a"', id="a text"),
        pytest.param("null", id="null"),
        pytest.param("", id="nothing"),
        pytest.param("{", id="half an object"),
        pytest.param('{"a": 1} {}', id="two objects"),
        pytest.param('{"a": 1, "a": 1}', id="a name twice"),
        pytest.param('{"a": 1, "\\u0061": 2}', id="a name twice, once escaped"),
        pytest.param('{"a": [{"b": 1, "b": 1}]}', id="a name twice, deep within"),
        pytest.param('{"a": NaN}', id="NaN"),
        pytest.param('{"a": -Infinity}', id="minus infinity"),
        pytest.param(b"\xff\xfe", id="no text"),
    ],
)
def test_what_is_no_object_or_says_a_thing_twice_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - of several kinds, each with its own text
        parse_part(part(text))
