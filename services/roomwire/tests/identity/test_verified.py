"""A token is verified once, and still ends with its time, its key and its revocation."""

import time

import jwt
import pytest
from waiting import until

from roomwire.health.clocks import LEEWAY_S
from roomwire.identity.errors import InvalidToken, SessionEnded, TokenExpired
from roomwire.identity.jwk import PublicKey
from roomwire.identity.tokens import SigningKey, User
from roomwire.identity.verification import Verifier
from roomwire.identity.verified import MAX_KEPT_BYTES, MAX_TOKENS, VerifiedTokens

KEY = SigningKey.generate()
ANN = User(id="account:1", name="Ann", kind="account")
NOW = 1_900_000_000.0


class Published:
    """A `KeySource` of the key that is published at the moment."""

    def __init__(self):
        self.now = KEY.public_key()

    async def key(self, kid):
        return self.now if kid == KEY.kid else None


def token(*, lifetime_s=600, now=None):
    return KEY.sign(ANN, issuer="roomwire", audience="chat", lifetime_s=lifetime_s, now=now)


@pytest.fixture
def published():
    return Published()


@pytest.fixture
def signatures(monkeypatch):
    """Return the tokens whose signatures are verified."""
    seen, decode = [], jwt.decode
    monkeypatch.setattr(
        jwt, "decode", lambda text, *rest, **named: seen.append(text) or decode(text, *rest, **named)
    )
    return seen


@pytest.fixture
def revoked():
    return set()


@pytest.fixture
def verifier(published, revoked):
    return Verifier(published, issuer="roomwire", audience="chat", is_revoked=lambda user: user.id in revoked)


async def test_a_signature_is_verified_once(verifier, signatures):
    text, other = token(), token()

    users = [await verifier.verify(each) for each in (text, text, other, text)]

    assert [text, other] == signatures
    assert {ANN.id} == {user.id for user in users}
    assert users[0] == users[1] == users[3]


async def test_a_token_that_was_refused_is_refused_again(verifier, signatures):
    text = SigningKey.generate().sign(ANN, issuer="roomwire", audience="chat", lifetime_s=600)

    for _ in range(2):
        with pytest.raises(InvalidToken):
            await verifier.verify(text)


async def test_a_token_that_differs_in_one_letter_is_another(verifier):
    text = token()
    await verifier.verify(text)

    with pytest.raises(InvalidToken):
        await verifier.verify(f"{text[:-1]}{'A' if text[-1] != 'A' else 'Q'}")


async def test_a_token_whose_key_is_withdrawn_is_refused(verifier, published):
    text = token()
    await verifier.verify(text)

    published.now = None

    with pytest.raises(InvalidToken):
        await verifier.verify(text)


async def test_a_token_is_verified_by_the_key_that_is_published_now(verifier, published, signatures):
    text = token()
    await verifier.verify(text)

    published.now = SigningKey.generate().public_key()
    with pytest.raises(InvalidToken):
        await verifier.verify(text)
    published.now = PublicKey(KEY.public_key().key, frozenset({"RS256"}))
    with pytest.raises(InvalidToken):
        await verifier.verify(text)
    published.now = KEY.public_key()
    await verifier.verify(text)

    assert 3 == len(signatures)


async def test_a_token_that_is_revoked_after_it_was_verified_is_refused(verifier, revoked, signatures):
    text = token()
    await verifier.verify(text)

    revoked.add(ANN.id)
    for _ in range(2):
        with pytest.raises(SessionEnded):
            await verifier.verify(text)
    revoked.clear()
    await verifier.verify(text)

    assert [text] == signatures


async def test_a_token_that_expires_after_it_was_verified_is_refused(verifier):
    # It has two seconds left, the leeway included.
    text = token(lifetime_s=60, now=int(time.time()) - 60 - int(LEEWAY_S) + 2)
    await verifier.verify(text)

    async def has_expired():
        try:
            await verifier.verify(text)
        except TokenExpired:
            return True
        return False

    await until(has_expired)


class TestVerifiedTokens:
    @pytest.fixture
    def kept(self):
        return VerifiedTokens()

    @staticmethod
    def keep(kept, text, *, expires_at=NOW + 100, now=NOW, leeway_s=10.0):
        user = User(id="account:1", name="Ann", kind="account", expires_at=expires_at)
        kept.keep(text, user, kid=KEY.kid, key=KEY.public_key(), leeway_s=leeway_s, now=now)

    @pytest.mark.parametrize(
        ("now", "is_known"),
        [(NOW, True), (NOW + 99, True), (NOW + 100, False), (NOW + 1e9, False), (NOW - 1, False)],
    )
    def test_it_is_known_from_then_until_it_expires(self, kept, now, is_known):
        self.keep(kept, "a")

        assert is_known == (kept.find("a", now) is not None)

    def test_a_fraction_of_a_second_is_not_given(self, kept):
        self.keep(kept, "a", expires_at=NOW + 20.9, leeway_s=10.0)

        assert kept.find("a", NOW + 19.9)
        assert not kept.find("a", NOW + 20.0)

    def test_what_was_used_last_is_kept_and_no_more_than_its_number(self, kept):
        for number in range(MAX_TOKENS):
            self.keep(kept, f"token {number}")
        assert kept.find("token 0", NOW)
        self.keep(kept, "one more")

        assert MAX_TOKENS == len(kept)
        assert kept.find("token 0", NOW)
        assert not kept.find("token 1", NOW)

    def test_a_token_that_was_kept_twice_is_kept_once(self, kept):
        self.keep(kept, "a")
        self.keep(kept, "a")

        assert 1 == len(kept)

    def test_a_long_token_is_not_kept(self, kept):
        self.keep(kept, "a" * (MAX_KEPT_BYTES + 1))

        assert 0 == len(kept)

    def test_the_token_itself_is_not_kept(self, kept):
        self.keep(kept, "a-token-that-is-secret")

        assert "a-token-that-is-secret" not in repr(vars(kept))

    def test_what_is_no_text_of_a_token_is_not_known(self, kept):
        assert kept.find("\ud800", NOW) is None
