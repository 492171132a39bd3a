"""What access tokens say, and when they say that they were issued."""

import jwt
import pytest

from roomwire.identity.capabilities import load_policy
from roomwire.identity.tokens import User
from roomwire.identity.verification import Verifier
from roomwire_auth.keys.access_tokens import AccessTokens
from roomwire_auth.keys.keyring import Keyring
from roomwire_auth.keys.keys import Keys

NOW = 1_000_000.7
ADA = User("account:1", "Ada", "account")
POLICY = load_policy()


@pytest.fixture
def keys(signing_key):
    return Keys(Keyring([(0, signing_key)]))


@pytest.fixture
def access_tokens(keys):
    return AccessTokens(keys, issuer="roomwire", audience="roomwire", ttl_s=60, policy=POLICY)


def claims(token):
    return jwt.decode(token, options={"verify_signature": False})


@pytest.mark.parametrize(
    ("issue_from", "issued"),
    [
        (0, 1_000_000),
        (999_999, 1_000_000),
        (1_000_000, 1_000_000),
        (1_000_001, 1_000_001),
        (1_000_031, 1_000_031),
    ],
)
def test_a_token_is_dated_now_but_not_before_what_was_revoked(access_tokens, monkeypatch, issue_from, issued):
    monkeypatch.setattr("roomwire_auth.keys.access_tokens.time.time", lambda: NOW)

    found = claims(access_tokens.issue(ADA, session="s1", issue_from=issue_from))

    assert (issued, issued + 60, "s1") == (found["iat"], found["exp"], found["sid"])


@pytest.mark.parametrize("kind", ["account", "guest"])
async def test_a_person_may_do_what_the_role_of_the_kind_may(access_tokens, keys, kind):
    verifier = Verifier(keys, issuer="roomwire", audience="roomwire")
    token = access_tokens.issue(User("1", "Ada", kind), session="s1", issue_from=0)

    role = {"account": "user", "guest": "guest"}[kind]
    assert POLICY.of_role(role) == (await verifier.verify(token)).capabilities


async def test_a_client_has_no_session_and_what_it_was_given(access_tokens, keys):
    token = access_tokens.issue_to_client("reports", POLICY.of_role("admin"))

    user = await Verifier(keys, issuer="roomwire", audience="roomwire").verify(token)
    assert ("client:reports", "reports", "service", "") == (user.id, user.name, user.kind, user.session)
    assert POLICY.of_role("admin") == user.capabilities
    assert "sid" not in claims(token)
