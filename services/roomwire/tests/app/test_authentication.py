"""Who may come in, by token and mode."""

import pytest

from roomwire.app.authentication import authentication
from roomwire.errors import Forbidden, Unauthenticated, Unavailable
from roomwire.identity.tokens import SigningKey, User
from roomwire.identity.verification import Verifier
from roomwire.protocol.sources import Proxies
from roomwire.rooms.handshake import Handshake

KEY = SigningKey.generate()
ANN = User(id="account:1", name="Ann", kind="account")


class Keys:
    """A `KeySource` of one key; `reachable` says whether it answers."""

    reachable = True

    async def key(self, kid):
        if not self.reachable:
            raise Unavailable
        return KEY.public_key() if kid == KEY.kid else None


def token(audience="chat"):
    return KEY.sign(ANN, issuer="roomwire", audience=audience, lifetime_s=60)


def handshake(auth=None, *, query="", **headers):
    environ = {"QUERY_STRING": query} | {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return Handshake(environ, auth, proxies=Proxies())


def authenticate(mode, keys=None):
    return authentication(mode, Verifier(keys or Keys(), issuer="roomwire", audience="chat"))


CARRIERS = [
    pytest.param(lambda token: handshake({"token": token}), id="payload"),
    pytest.param(lambda token: handshake(authorization=f"Bearer {token}"), id="header"),
    pytest.param(lambda token: handshake(query=f"EIO=4&token={token}"), id="query"),
]


@pytest.mark.parametrize("mode", ["required", "optional"])
@pytest.mark.parametrize("carrier", CARRIERS)
async def test_a_valid_token_says_who_it_is_wherever_it_is(mode, carrier):
    user = await authenticate(mode)(carrier(token()))
    assert (ANN.id, ANN.name, ANN.kind) == (user.id, user.name, user.kind)


@pytest.mark.parametrize("mode", ["required", "optional"])
@pytest.mark.parametrize("carrier", CARRIERS)
async def test_a_token_that_does_not_hold_is_refused_even_where_none_is_needed(mode, carrier):
    with pytest.raises(Unauthenticated):
        await authenticate(mode)(carrier(token(audience="another service")))


async def test_without_a_token_nobody_comes_in_where_one_is_required():
    with pytest.raises(Unauthenticated):
        await authenticate("required")(handshake())


@pytest.mark.parametrize("mode", ["optional", "off"])
async def test_without_a_token_one_is_anonymous_where_none_is_needed(mode):
    first, second = [await authenticate(mode)(handshake()) for _ in range(2)]

    assert ("anonymous", "anonymous") == (first.kind, second.kind)
    assert first.id != second.id


@pytest.mark.parametrize("given", [token(), "garbage"], ids=["valid", "garbage"])
async def test_when_off_a_token_is_not_looked_at(given):
    assert "anonymous" == (await authenticate("off")(handshake({"token": given}))).kind


@pytest.mark.parametrize("mode", ["required", "optional"])
async def test_a_token_that_cannot_be_checked_now_is_no_refusal(mode):
    keys = Keys()
    keys.reachable = False
    with pytest.raises(Unavailable):
        await authenticate(mode, keys)(handshake({"token": token()}))


CATE = User(id="cate", name="Cate", kind="account")


def further_of(asked, *, refuses=False):
    async def further(given):
        asked.append(given.token)
        if refuses:
            raise Forbidden
        return CATE

    return further


@pytest.mark.parametrize("mode", ["optional", "off"])
async def test_the_application_says_who_a_client_without_a_token_is(mode):
    verifier = Verifier(Keys(), issuer="roomwire", audience="chat")
    decide = authentication(mode, verifier, further=further_of([]))

    assert CATE is await decide(handshake())


async def test_the_mode_comes_before_the_application():
    asked = []
    verifier = Verifier(Keys(), issuer="roomwire", audience="chat")
    decide = authentication("required", verifier, further=further_of(asked))
    for auth in (None, {"token": "garbage"}):
        with pytest.raises(Unauthenticated):
            await decide(handshake(auth))
    assert [] == asked

    assert ANN.id == (await decide(handshake({"token": token()}))).id
    assert 1 == len(asked)


@pytest.mark.parametrize("mode", ["required", "optional", "off"])
async def test_the_application_may_refuse_a_client_with_a_token(mode):
    verifier = Verifier(Keys(), issuer="roomwire", audience="chat")
    with pytest.raises(Forbidden):
        await authentication(mode, verifier, further=further_of([], refuses=True))(
            handshake({"token": token()})
        )
